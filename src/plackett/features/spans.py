"""Features of whole stretches: how densely what matches stands, and exact copies of the query."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.features.candidates import Candidates
from plackett.features.registry import feature

__all__: list[str] = []

Floats = npt.NDArray[np.float64]

SPANS = ("spans",)


def _measured(candidates: Candidates) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The density of the shortest span of every row, and which of its fields copy the query."""
    from plackett.features.span_kernels import measure_spans

    index, terms = candidates.index, candidates.query_terms
    density = np.zeros(candidates.n_rows)
    copies = np.zeros((len(index.fields), candidates.n_rows), dtype=np.bool_)

    def work(first: int, last: int) -> None:
        measure_spans(
            first,
            last,
            candidates.run.offsets,
            candidates.document,
            terms.offsets,
            terms.terms,
            terms.sequence_offsets,
            terms.sequence,
            index.tokens,
            index.token_offsets,
            len(index.fields),
            index.n_terms,
            density,
            copies,
        )

    candidates.over_queries(work)
    return density, copies


@feature(
    "span_density",
    description="how densely the query terms that occur stand together (Tao and Zhai 2007)",
    formula="distinct query terms of the field that has most / tokens of the shortest stretch that "
    "holds them all; 0 for less than two",
    low=0.0,
    high=1.0,
    needs=SPANS,
)
def span_density(candidates: Candidates, field: str | None) -> Floats:
    return _measured(candidates)[0]


@feature(
    "exact_match",
    description="whether a field is the query, term for term",
    formula="1 if the terms of the field are the known terms of the query in its order, else 0",
    low=0.0,
    high=1.0,
    by_field=True,
    needs=SPANS,
)
def exact_match(candidates: Candidates, field: str | None) -> Floats:
    copies = _measured(candidates)[1]
    which = slice(None) if field is None else [candidates.index.fields.index(field)]
    found: Floats = np.asarray(copies[which].any(axis=0), dtype=np.float64)
    return found
