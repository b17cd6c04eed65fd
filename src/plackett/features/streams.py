"""The feature families of the public learning-to-rank collections, stream by stream.

A stream is a part of a page: its body, the anchor texts that link to it, its title, its url. All
frequencies are the stream's own: tf, dl and avgdl, but also df, idf, cf and |C|. Sums run over the
distinct query terms that the index knows, qtf being the frequency in the query, n the number of
these terms, u the distinct terms of the document's stream, p = cf / |C|. A term that the stream has
in no document says nothing there: its idf is 0, and the language models skip it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.features.base import Feature, Level
from plackett.features.candidates import Candidates
from plackett.features.stream_statistics import Idf, StreamStatistics

__all__ = ["FAMILIES", "STREAMS", "WHOLE", "StreamParameters", "Streams", "stream_feature"]

Floats = npt.NDArray[np.float64]

STREAMS = ("body", "anchor", "title", "url")
WHOLE = "whole document"


@dataclass(frozen=True)
class StreamParameters:
    """The constants of the families' formulas; by default those of the public collections.

    Parameters
    ----------
    k1, b, k3 : BM25's; with `k3=0` a term that the query repeats counts once.
    mu : Dirichlet smoothing, in tokens.
    lam : Jelinek-Mercer smoothing, the share of the collection's model.
    delta : absolute discounting.
    idf : "plain", ln(N / df), or "smoothed", ln(1 + (N - df + 0.5) / (df + 0.5)).
    cosine : the terms of a document's vector: "query", those of the query alone, as the published
        rows have it (then every document that has all terms equally often is as near as can be),
        or "document", all of its terms.

    Raises
    ------
    ConfigurationError : a constant outside its range.
    UnknownNameError : no such idf or cosine.

    >>> StreamParameters(mu=1000).lam
    0.1
    """

    k1: float = 2.5
    b: float = 0.8
    k3: float = 0.0
    mu: float = 2000.0
    lam: float = 0.1
    delta: float = 0.7
    idf: Idf = "plain"
    cosine: Literal["query", "document"] = "query"

    def __post_init__(self) -> None:
        ranges = {
            "k1": (0.0 <= self.k1 < np.inf, "0 or more"),
            "b": (0.0 <= self.b <= 1.0, "between 0 and 1"),
            "k3": (0.0 <= self.k3 < np.inf, "0 or more"),
            "mu": (0.0 < self.mu < np.inf, "above 0"),
            "lam": (0.0 < self.lam < 1.0, "between 0 and 1, neither of them"),
            "delta": (0.0 < self.delta <= 1.0, "above 0, at most 1"),
        }
        for name, (fine, expected) in ranges.items():
            if not fine:
                raise ConfigurationError(f"{name}={getattr(self, name)}; expected {expected}.")
        if self.idf not in ("plain", "smoothed"):
            raise UnknownNameError("idf", str(self.idf), ("plain", "smoothed"))
        if self.cosine not in ("query", "document"):
            raise UnknownNameError("cosine", str(self.cosine), ("document", "query"))


@dataclass(frozen=True)
class Streams:
    """Which fields of an index make up each stream, and the constants of the formulas.

    Parameters
    ----------
    fields : the fields of each of `STREAMS`, none for a stream that is missing.
    parameters : the constants.
    """

    fields: tuple[tuple[str, ...], ...] = ((), (), (), ())
    parameters: StreamParameters = field(default_factory=StreamParameters)

    @classmethod
    def of(
        cls,
        known: Sequence[str],
        fields: Mapping[str, str | Sequence[str]] | None,
        parameters: StreamParameters,
    ) -> Streams:
        """The streams of an index with the fields `known`.

        Without `fields`, a field that is called as a stream makes it up, and "text" the body where
        no field is called so.

        Raises
        ------
        UnknownNameError : no such stream, or no such field of the index.
        ConfigurationError : a field in two streams.
        """
        if fields is None:
            fields = {name: name for name in STREAMS if name in known}
            if "text" in known:
                fields = {"body": "text"} | fields
        for stream in fields:
            if stream not in STREAMS:
                raise UnknownNameError("stream", stream, STREAMS)
        found = cls(
            tuple(
                (parts,) if isinstance(parts, str) else tuple(parts)
                for parts in (fields.get(stream, ()) for stream in STREAMS)
            ),
            parameters,
        )
        found.of_field(known)
        return found

    def of_field(self, known: Sequence[str]) -> npt.NDArray[np.int32]:
        """The stream of each field of an index, `int32[F]`, -1 for none; raises as `of` does."""
        codes = np.full(len(known), -1, np.int32)
        for stream, parts in enumerate(self.fields):
            for part in parts:
                if part not in known:
                    raise UnknownNameError("field of the index", part, known)
                if codes[list(known).index(part)] >= 0:
                    raise ConfigurationError(f"field {part!r} in two streams; expected one.")
                codes[list(known).index(part)] = stream
        return codes

    @cached_property
    def text(self) -> str:
        """These streams as JSON."""
        return json.dumps({"fields": self.fields, "parameters": asdict(self.parameters)})

    @classmethod
    def from_text(cls, text: str) -> Streams:
        """The streams whose `text` this is."""
        saved = json.loads(text)
        fields = tuple(tuple(parts) for parts in saved["fields"])
        return cls(fields, StreamParameters(**saved["parameters"]))

    def values(self, candidates: Candidates) -> Floats:
        """`float64[streams + 1, families, rows]`, whole documents last; computed once."""
        found: Floats = candidates.shared(("streams", self.text), lambda: self._compute(candidates))
        return found

    def _statistics(self, candidates: Candidates) -> StreamStatistics:
        of_field, collection = self.of_field(candidates.index.fields), candidates.statistics
        found: StreamStatistics = collection.shared(
            ("streams", tuple(of_field.tolist())),
            lambda: StreamStatistics.of(candidates.index, collection, of_field, len(STREAMS)),
        )
        return found

    def _document_idf(self, statistics: StreamStatistics) -> npt.NDArray[np.float32]:
        """idf of all terms by stream, for the vectors of documents; nothing where unneeded."""
        if self.parameters.cosine == "query":
            return np.zeros((len(STREAMS) + 1, 0), np.float32)
        kind, key = self.parameters.idf, tuple(statistics.of_field.tolist())
        found: npt.NDArray[np.float32] = statistics.collection.shared(
            ("stream idf", kind, key),
            lambda: statistics.idf(kind, slice(None)).astype(np.float32),
        )
        return found

    def _compute(self, candidates: Candidates) -> Floats:
        from plackett.features.stream_kernels import VALUES, stream_values

        statistics, terms = self._statistics(candidates), candidates.query_terms
        given, index = self.parameters, candidates.index
        constants = np.array([given.k1, given.b, given.k3, given.mu, given.lam, given.delta])
        out = np.zeros((len(STREAMS) + 1, VALUES, candidates.n_rows))
        term_idf = statistics.idf(given.idf, terms.terms)
        term_share = statistics.share(terms.terms)
        idf = self._document_idf(statistics)
        tokens, token_offsets = np.asarray(index.tokens), np.asarray(index.token_offsets)

        def work(first: int, last: int) -> None:
            stream_values(
                first,
                last,
                candidates.run.offsets,
                candidates.document,
                terms.offsets,
                terms.terms,
                terms.count,
                term_idf,
                term_share,
                statistics.mean_length,
                statistics.of_field,
                tokens,
                token_offsets,
                idf,
                constants,
                # Zeros of the system: pages that no token touches cost nothing.
                np.zeros((index.n_terms, 4 if idf.shape[1] else 2), np.int32),
                out,
            )

        candidates.over_queries(work)
        return out


@dataclass(frozen=True)
class Family:
    """One value of each stream: how the MSLR collections call it, its formula, its range."""

    name: str
    formula: str
    low: float | None = 0.0
    high: float | None = None
    level: Level = "document"


def _summaries(what: str, formula: str, high: float | None = None) -> list[Family]:
    least, mean = f"min of {formula}", f"mean of {formula}"
    return [
        Family(f"sum of {what}", f"sum of {formula}"),
        Family(f"min of {what}", least, high=high),
        Family(f"max of {what}", f"max of {formula}", high=high),
        Family(f"mean of {what}", mean, high=high),
        Family(f"variance of {what}", f"mean of ({formula} - {mean})^2", high=high),
    ]


FAMILIES: tuple[Family, ...] = (
    Family("covered query term number", "|{t: tf > 0}|"),
    Family("covered query term ratio", "|{t: tf > 0}| / n", high=1.0),
    Family("stream length", "dl"),
    Family("IDF", "sum of idf", level="query"),
    *_summaries("term frequency", "tf"),
    *_summaries("stream length normalized term frequency", "tf / dl", 1.0),
    *_summaries("tf*idf", "tf idf"),
    Family("boolean model", "1 if tf > 0 for all terms, else 0", high=1.0),
    Family("vector space model", "cosine of qtf idf and tf idf", high=1.0),
    Family(
        "BM25", "sum of (k3 + 1) qtf / (k3 + qtf) idf tf (k1 + 1) / (tf + k1 (1 - b + b dl/avgdl))"
    ),
    Family("LMIR.ABS", "sum of qtf ln((max(tf - delta, 0) + delta u p) / dl)", None),
    Family("LMIR.DIR", "sum of qtf ln((tf + mu p) / (dl + mu))", None),
    Family("LMIR.JM", "sum of qtf ln((1 - lam) tf / dl + lam p)", None),
)
"""In the order of the kernel's values and of the columns of the MSLR collections."""


class _Value:
    """One family on one stream; `len(STREAMS)` is the whole document."""

    def __init__(self, streams: Streams, family: int, stream: int) -> None:
        self._streams, self._family, self._stream = streams, family, stream

    def __call__(self, candidates: Candidates, field: str | None) -> Floats:
        one: Floats = self._streams.values(candidates)[self._stream, self._family]
        return one


def stream_feature(name: str, streams: Streams, family: str, stream: str, level: Level) -> Feature:
    """A family's value on one stream.

    Parameters
    ----------
    name : the column's name.
    streams : the fields of the streams, and the constants.
    family : a name of `FAMILIES`.
    stream : of `STREAMS`, or `WHOLE`.
    level : "query" leaves it unnormalised inside a query.
    """
    number = [known.name for known in FAMILIES].index(family)
    found, place = FAMILIES[number], (*STREAMS, WHOLE).index(stream)
    facts = {"family": family, "stream": stream, "streams": streams.text}
    return Feature(
        name,
        f"{family} of {stream}",
        found.formula,
        _Value(streams, number, place),
        low=found.low,
        high=found.high,
        kind="stream",
        level=level,
        facts=tuple(facts.items()),
    )
