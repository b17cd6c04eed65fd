"""Token vectors as texts have them: near those of their words, pulled towards their text's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from plackett.encoders.base import TokenVectors
from plackett.retrievers.segments.structure import Searcher, Structure


class Drawn(NamedTuple):
    """Documents and queries with vectors of length 1, and the documents of each query in order."""

    documents: TokenVectors
    queries: TokenVectors
    order: np.ndarray[Any, np.dtype[np.int64]]


def brute_force(queries: TokenVectors, documents: TokenVectors) -> np.ndarray[Any, Any]:
    """MaxSim in double precision, `[q, n]`."""
    scores = np.zeros((len(queries), len(documents)))
    for d in range(len(documents)):
        if len(documents[d]):
            products = queries.values.astype(np.float64) @ documents[d].astype(np.float64).T
            best = np.concatenate([[0.0], np.cumsum(products.max(axis=1))])
            scores[:, d] = np.diff(best[queries.offsets])
    return scores


@pytest.fixture(scope="session")
def drawn() -> Drawn:
    """1,500 documents of 0 to 40 tokens and 40 queries of 3 to 12, of 24 components."""
    rng = np.random.default_rng(0)
    words, topics = rng.standard_normal((300, 24)), rng.standard_normal((40, 24))

    def some(count: int, least: int, most: int) -> TokenVectors:
        lengths = rng.integers(least, most, count)
        topic = rng.integers(0, 40, count)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        # A text of a topic has words of that topic.
        word = (np.repeat(topic, lengths) * 13 + rng.integers(0, 60, offsets[-1])) % 300
        values = words[word] + 0.5 * np.repeat(topics[topic], lengths, axis=0)
        values += 0.3 * rng.standard_normal(values.shape)
        values /= np.linalg.norm(values, axis=1, keepdims=True)
        return TokenVectors(values.astype(np.float32), offsets)

    documents, queries = some(1_500, 0, 41), some(40, 3, 13)
    order = np.argsort(-brute_force(queries, documents), axis=1, kind="stable")
    return Drawn(documents, queries, order)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[Structure[Any], TokenVectors], Searcher[Any]]:
    """Builds a structure over vectors in a folder of its own, and opens it."""

    def build(structure: Structure[Any], vectors: TokenVectors) -> Searcher[Any]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        return structure.open(vectors, folder, structure.build(vectors, folder, progress=None))

    return build


@pytest.fixture
def recall() -> Callable[..., float]:
    """The part of the true best k that a searcher finds."""

    def measured(searcher: Any, drawn: Drawn, k: int = 10) -> float:
        found = searcher.search(drawn.queries, k, allowed=None, threads=1)
        rows = found.documents.reshape(len(drawn.queries), k).tolist()
        wanted = drawn.order[:, :k].tolist()
        return sum(len(set(a) & set(b)) for a, b in zip(rows, wanted, strict=True)) / (
            k * len(rows)
        )

    return measured
