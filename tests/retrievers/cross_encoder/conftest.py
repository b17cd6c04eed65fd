"""A cross-encoder whose scores are a matrix, and the texts it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from plackett.data.texts import Corpus, Queries
from plackett.encoders.base import Encoded, PairScorer
from plackett.encoders.registry import register_encoder

ANCHOR_QUERIES, QUERIES, DOCUMENTS, RANK = 30, 6, 80, 4


@register_encoder
class MatrixScorer(PairScorer):
    """Scores "query 3" and "document 5" as row 3, column 5 of a matrix of a rank.

    The first 30 rows are anchor queries. `calls` counts pairs; `limit` makes it fail after so many.
    """

    def __init__(self, rank: int = RANK, noise: float = 0.0, seed: int = 1) -> None:
        self.rank, self.noise, self.seed = rank, noise, seed
        rng = np.random.default_rng(seed)
        rows = ANCHOR_QUERIES + QUERIES
        low = rng.standard_normal((rows, rank)) @ rng.standard_normal((rank, DOCUMENTS + 20))
        self.matrix = low + noise * rng.standard_normal(low.shape)
        self.calls, self.limit, self.broken = 0, 10**9, False

    @property
    def identity(self) -> str:
        return f"matrix {self.rank} {self.noise} {self.seed}"

    def score(
        self, queries: Sequence[str], documents: Sequence[str]
    ) -> Encoded[npt.NDArray[np.float32]]:
        self.calls += len(queries)
        if self.calls > self.limit:
            raise RuntimeError("the power went out")
        rows = [int(text.split()[1]) for text in queries]
        columns = [int(text.split()[1]) for text in documents]
        values = self.matrix[rows, columns].astype(np.float32)
        if self.broken:
            values[-1:] = np.nan
        n = len(rows)
        return Encoded(values, np.full(n, 7, np.int64), np.array([c == 5 for c in columns], bool))

    def __repr__(self) -> str:
        return f"MatrixScorer(rank={self.rank}, noise={self.noise}, seed={self.seed})"


@pytest.fixture
def make_scorer() -> Callable[..., MatrixScorer]:
    """Makes scorers."""
    return MatrixScorer


@pytest.fixture
def corpus() -> Corpus:
    """The documents, with a year each; ids are not in the order of the rows' numbers."""
    return Corpus.from_records(
        [{"id": f"d{i}", "text": f"document {i}", "year": 1990 + i % 10} for i in range(DOCUMENTS)]
    )


@pytest.fixture
def anchor_queries() -> Queries:
    """The queries of the build."""
    return Queries.from_texts({f"a{i}": f"query {i}" for i in range(ANCHOR_QUERIES)})


@pytest.fixture
def queries() -> Queries:
    """Others."""
    rows = range(ANCHOR_QUERIES, ANCHOR_QUERIES + QUERIES)
    return Queries.from_texts({f"q{i}": f"query {i}" for i in rows})
