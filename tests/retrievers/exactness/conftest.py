"""The brute force, and collections drawn at random; the fixture `exact` hands all of it to tests.

The brute force knows a collection as lists of words. It scores all documents by a matrix, terms by
documents, in float64, rounds what a posting adds to float32, and adds it up in the order that
`ImpactLists` promises: the term with the largest possible contribution first, then by the first
appearance in the collection. So scores are compared bit for bit, and ties are real ties: texts
are of few words, and many are the same.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import strategies as st

from plackett import BM25, Corpus, Queries, Run

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ranked = list[tuple[str, float]]
Query = dict[str, float]
Years = tuple[int, int] | None

WORDS = ["aa", "bb", "cc", "aab", "ee", "ü", "gg", "aabb"]
FIELDS = ("title", "text")


VARIANTS = [
    {"variant": "robertson", "k1": 1.2, "b": 0.75},
    {"variant": "lucene", "k1": 0.0, "b": 0.0},
    {"variant": "lucene", "k1": 1.2, "b": 1.0},
    {"variant": "atire", "k1": 0.9, "b": 0.4},
    {"variant": "bm25l", "k1": 1.5, "b": 0.75, "delta": 0.5},
    {"variant": "bm25l", "k1": 1.5, "b": 0.3, "delta": 0.0},
    {"variant": "bm25+", "k1": 1.2, "b": 0.75, "delta": 1.0},
    {"variant": "bm25+", "k1": 3.0, "b": 0.2, "delta": 0.25},
]


class Plain:
    """A collection as lists of words, and the statistics that formulas speak of.

    Terms are in order of first appearance; `tf` is `[V, N]`, `in_field` `[V, F, N]`.
    """

    def __init__(self, records: Sequence[dict[str, Any]]) -> None:
        self.ids = [record["id"] for record in records]
        self.years = np.array([record["year"] for record in records], dtype=int)
        texts = [[record[field].split() for field in FIELDS] for record in records]
        self.texts = texts
        self.names = list(dict.fromkeys(w for text in texts for part in text for w in part))
        self.code = {name: code for code, name in enumerate(self.names)}
        self.in_field = np.zeros((len(self.names), len(FIELDS), len(records)))
        for row, text in enumerate(texts):
            for field, part in enumerate(text):
                for word in part:
                    self.in_field[self.code[word], field, row] += 1
        self.tf: Floats = self.in_field.sum(axis=1)
        self.dl: Floats = self.tf.sum(axis=0)
        self.df: Floats = (self.tf > 0).sum(axis=1).astype(float)
        self.cf: Floats = self.tf.sum(axis=1)
        self.n, self.total = len(records), float(self.dl.sum())
        self.mean = self.total / self.n if self.n else 0.0

    def terms(self, text: str) -> Query:
        """How often a query has each term that the collection knows."""
        return {w: float(c) for w, c in Counter(text.split()).items() if w in self.code}

    def within(self, years: tuple[int, int] | None) -> npt.NDArray[np.bool_]:
        if years is None:
            return np.ones(self.n, dtype=bool)
        return (self.years >= years[0]) & (self.years <= years[1])

    def sums(self, impacts: Floats, query: Query) -> Singles:
        """float32 sums in the promised order; `impacts` is `[V, N]`, 0 where a term is not."""
        rounded = impacts.astype(np.float32)
        upper = rounded.max(axis=1, initial=0.0)
        weights = {self.code[name]: np.float32(weight) for name, weight in query.items()}
        scores = np.zeros(self.n, dtype=np.float32)
        for code in sorted(weights, key=lambda c: -(weights[c] * upper[c])):
            scores += weights[code] * rounded[code]
        return scores

    def best(self, scores: Singles, may: npt.NDArray[np.bool_], k: int) -> Ranked:
        """The k best rows, the first of those that tie; equal scores by id, the last first."""
        rows = sorted(np.flatnonzero(may).tolist(), key=lambda row: (-scores[row], row))[:k]
        found = [(self.ids[row], float(scores[row])) for row in rows]
        return sorted(sorted(found, reverse=True), key=lambda pair: -pair[1])

    def idf(self, n: Any, df: Any) -> Any:
        """Lucene's, which is never negative."""
        return np.log1p((n - df + 0.5) / (df + 0.5))

    def present(self, values: Floats) -> Floats:
        """The values of terms that a document has; what it has not adds nothing."""
        return np.where(self.tf > 0, values, 0.0)

    @np.errstate(all="ignore")
    def bm25(self, *, variant: str, k1: float, b: float, delta: float = 0.0) -> Floats:
        """The table of the family."""
        tf, df, n = self.tf, self.df[:, None], self.n
        norm = 1 - b + b * (self.dl / (self.mean or 1.0))
        saturated = tf / (k1 * norm + tf)
        raised = (k1 + 1) * tf / (k1 * norm + tf)
        x = tf / norm + delta
        added = {
            "robertson": np.log((n - df + 0.5) / (df + 0.5)) * saturated,
            "lucene": self.idf(n, df) * saturated,
            "atire": np.log(n / df) * raised,
            "bm25l": np.log((n + 1) / (df + 0.5)) * ((k1 + 1) * x / (k1 + x)),
            "bm25+": np.log((n + 1) / df) * (raised + delta),
        }
        return self.present(added[variant])

    def rankings(
        self, made: Scores, queries: Sequence[Query], k: int, inside: Years = None
    ) -> list[Ranked]:
        """What is found by terms: the documents to which impacts add more than 0."""
        found = []
        of_documents = np.float32(0) if made.of_documents is None else np.float32(made.of_documents)
        for query in queries:
            sums = self.sums(made.impacts, query)
            scores = sums + np.float32(sum(query.values())) * of_documents
            if made.of_terms is not None:
                constants = made.of_terms.astype(np.float32)
                added = sum(w * float(constants[self.code[t]]) for t, w in query.items())
                scores = scores + np.float32(added)
            may = self.within(inside) & (sums > 0)
            found.append(self.best(scores, may, k))
        return found


class Scores(NamedTuple):
    """What postings add, `[V, N]`; what documents, `[N]`, and terms, `[V]`, add for each token."""

    impacts: Floats
    of_documents: Floats | None = None
    of_terms: Floats | None = None


@contextmanager
def indexed(records: Sequence[dict[str, Any]], **options: Any) -> Iterator[BM25]:
    """An index of records, in a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus.from_records(list(records))
        yield BM25.build(
            corpus,
            Path(folder) / "i",
            fields=FIELDS,
            metadata=["year"],
            analyzer="whitespace",
            **options,
        )


text = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
document = st.fixed_dictionaries(
    {"title": st.sampled_from(["", "aa", "bb aa", "ü"]), "text": text, "year": st.integers(0, 3)}
)


@st.composite
def collections(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Documents of few words, some many times; their ids are not in the order of the rows."""
    different = draw(st.lists(document, min_size=1, max_size=12))
    copies = draw(st.lists(st.sampled_from(different), max_size=12))
    ids = draw(st.permutations(range(len(different) + len(copies))))
    rows = zip(ids, [*different, *copies], strict=True)
    return [{"id": f"d{number}", **row} for number, row in rows]


# Some words the collections lack, some occur again and again.
word = st.sampled_from([*WORDS, "unknown"])
queries = st.lists(st.lists(word, max_size=5).map(" ".join), min_size=1, max_size=4)
years = st.sampled_from([None, None, (1, 2), (0, 0), (5, 9)])
ks = st.sampled_from([1, 2, 3, 5, 8, 13, 30, 1000, 4000])


def asking(
    way: Any, texts: Sequence[str], k: int, inside: Years = None, threads: int = 1
) -> list[Ranked]:
    """What a retriever finds for texts."""
    asked = Queries.from_texts({f"q{i}": text for i, text in enumerate(texts)})
    where = {"year": inside} if inside else None
    run: Run = way.search(asked, k, where=where, threads=threads)
    return [run[f"q{i}"] for i in range(len(texts))]


@pytest.fixture(scope="session")
def exact() -> SimpleNamespace:
    """All of it."""
    return SimpleNamespace(
        FIELDS=FIELDS,
        VARIANTS=VARIANTS,
        WORDS=WORDS,
        Plain=Plain,
        Scores=Scores,
        asking=asking,
        collections=collections,
        document=document,
        indexed=indexed,
        ks=ks,
        queries=queries,
        years=years,
    )
