"""Features that sum up what each term of a query says: sum, least, largest, mean, variance.

The families of the MSLR collections: of tf, of tf / dl and of tf ln(N / df), of the whole document
or of a field. Symbols are those of `lexical`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from plackett.features.candidates import Candidates
from plackett.features.registry import feature

__all__ = ["mean_of_terms", "shares"]

Floats = npt.NDArray[np.float64]
Values = Callable[[Candidates, "str | None"], Floats]
Summary = Callable[[Candidates, Floats], Floats]


def shares(candidates: Candidates, field: str | None) -> tuple[Floats, Floats]:
    """tf of every entry, and tf / dl, which is 0 in an empty document."""
    tf = candidates.frequency(field)

    def compute() -> Floats:
        share: Floats = tf / np.maximum(candidates.length(field), 1.0)[candidates.entry_row]
        return share

    return tf, candidates.shared(("share", field), compute)


def mean_of_terms(candidates: Candidates, values: Floats) -> Floats:
    """The mean over the terms of each row; 0 for a query without known terms."""
    terms = np.diff(candidates.entry_offsets)
    mean: Floats = candidates.sum_by_row(values) / np.maximum(terms, 1)
    return mean


def _variance(candidates: Candidates, values: Floats) -> Floats:
    mean = mean_of_terms(candidates, values)[candidates.entry_row]
    return mean_of_terms(candidates, (values - mean) ** 2)


def _extreme(reduce: np.ufunc) -> Summary:
    """The least or largest value over the terms of each row; 0 without known terms."""

    def extreme(candidates: Candidates, values: Floats) -> Floats:
        out = np.zeros(candidates.n_rows)
        filled = np.flatnonzero(np.diff(candidates.entry_offsets))
        if len(filled):
            out[filled] = reduce.reduceat(values, candidates.entry_offsets[filled])
        return out

    return extreme


def _frequency(candidates: Candidates, field: str | None) -> Floats:
    return candidates.frequency(field)


def _share(candidates: Candidates, field: str | None) -> Floats:
    return shares(candidates, field)[1]


def _tf_idf(candidates: Candidates, field: str | None) -> Floats:
    def compute() -> Floats:
        idf: Floats = candidates.statistics.log_idf[candidates.entry_term]
        return candidates.frequency(field) * idf

    found: Floats = candidates.shared(("tf idf", field), compute)
    return found


_SUMMARIES: dict[str, tuple[str, str, Summary]] = {
    "sum": ("summed over the query terms", "sum of {}", Candidates.sum_by_row),
    "min": ("of the query term that has least", "min of {}", _extreme(np.minimum)),
    "max": ("of the query term that has most", "max of {}", _extreme(np.maximum)),
    "mean": ("mean over the query terms", "mean of {}", mean_of_terms),
    "variance": (
        "population variance over the query terms",
        "mean of ({0} - mean {0})^2",
        _variance,
    ),
}


def _define(name: str, formula: str, what: str, values: Values) -> None:
    """One feature for each summary; a mean share is called "tf_share"."""
    for summary, (how, summed, reduce) in _SUMMARIES.items():
        full = name if (name, summary) == ("tf_share", "mean") else f"{name}_{summary}"

        def compute(
            candidates: Candidates,
            field: str | None,
            values: Values = values,
            reduce: Summary = reduce,
        ) -> Floats:
            return reduce(candidates, values(candidates, field))

        feature(
            full,
            description=f"{what}, {how}",
            formula=summed.format(formula),
            low=0.0,
            high=1.0 if name == "tf_share" else None,
            by_field=True,
        )(compute)


_define("tf", "tf", "occurrences of a query term", _frequency)
_define("tf_share", "tf / dl", "share of the document that a query term fills", _share)
_define("tf_idf", "tf ln(N / df)", "tf times ln(N/df)", _tf_idf)


@feature(
    "covered_terms",
    description="how many distinct query terms occur",
    formula="|{t: tf > 0}|",
    low=0.0,
    by_field=True,
)
def covered_terms(candidates: Candidates, field: str | None) -> Floats:
    return candidates.sum_by_row((candidates.frequency(field) > 0).astype(np.float64))


@feature(
    "all_terms",
    description="whether all distinct query terms occur",
    formula="1 if tf > 0 for all terms, else 0; 0 without known terms",
    low=0.0,
    high=1.0,
    by_field=True,
)
def all_terms(candidates: Candidates, field: str | None) -> Floats:
    covered = covered_terms(candidates, field)
    terms = np.diff(candidates.entry_offsets)
    every: Floats = ((covered == terms) & (terms > 0)).astype(np.float64)
    return every


@feature("length", description="tokens", formula="dl", low=0.0, by_field=True)
def length(candidates: Candidates, field: str | None) -> Floats:
    return candidates.length(field)
