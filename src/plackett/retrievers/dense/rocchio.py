"""Dense Rocchio: the query's vector moves towards the documents that are relevant."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from plackett.data.cost import Cost
from plackett.data.qrels import Qrels
from plackett.data.ragged import lengths_to_offsets
from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import ConfigurationError, DataError
from plackett.pipeline.base import Retriever
from plackett.retrievers.dense.retriever import Dense
from plackett.retrievers.inverted.impacts import Ranking
from plackett.retrievers.query_texts import main_texts
from plackett.retrievers.segments.lookup import DocumentLookup
from plackett.retrievers.segments.metadata import Where

__all__ = ["Rocchio", "moved_queries"]

Vectors = npt.NDArray[np.float32]
Lists = tuple[npt.NDArray[np.int64], npt.NDArray[np.integer]]
"""Documents of several queries: `offsets`, `int64[q + 1]`, and their codes."""


def moved_queries(
    queries: npt.ArrayLike,
    relevant: npt.ArrayLike,
    nonrelevant: npt.ArrayLike | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 0.5,
    gamma: float = 0.0,
) -> Vectors:
    """Rocchio's formula: `q' = alpha q + beta mean(R+) - gamma mean(R-)`, `float32[q, d]`.

    Parameters
    ----------
    queries : `[q, d]`.
    relevant, nonrelevant : `[q, d]`, the mean vector of each query's documents of that kind; 0
        where it has none, or None for none at all.

    Raises
    ------
    DataError : arrays of different shapes.

    Rocchio, J., 1971. Relevance feedback in information retrieval. The SMART retrieval system.

    >>> moved_queries([[1.0, 0.0]], [[0.0, 2.0]], beta=0.5)
    array([[1., 1.]], dtype=float32)
    """
    asked = np.asarray(queries, dtype=np.float64)
    near = np.asarray(relevant, dtype=np.float64)
    far = np.zeros_like(asked) if nonrelevant is None else np.asarray(nonrelevant, np.float64)
    if not asked.shape == near.shape == far.shape:
        raise DataError(
            f"means of shapes {near.shape} and {far.shape}", expected=f"{asked.shape}, as queries"
        )
    moved: Vectors = (alpha * asked + beta * near - gamma * far).astype(np.float32)
    return moved


class Rocchio(Retriever):
    """A dense index asked twice: again with a query that the first answer's best documents moved.

        q' = alpha q + beta mean(R+) - gamma mean(R-)

    R+ are the `documents` best of the first answer, R- the `worst` last ones of its best `depth`.
    Where judgments are at hand, `search(..., judged=qrels)` takes R+ and R- from them.

    Parameters
    ----------
    dense : the index; any structure may search it. The documents' own vectors are added.
    documents : how many of the first answer are taken to be relevant.
    worst, depth : how many of how many are taken not to be.
    alpha, beta, gamma : the weights.

    Raises
    ------
    ConfigurationError : parameters that do not go together.

    Rocchio, J., 1971. Relevance feedback in information retrieval. The SMART retrieval system.
    Li, H. et al., 2023. Pseudo relevance feedback with deep language models and dense retrievers:
    successes and pitfalls. TOIS 41(3).

    >>> import tempfile
    >>> from plackett.encoders import DenseEncoder, Encoded
    >>> class Letters(DenseEncoder):
    ...     dimension, identity = 3, "letters"
    ...     def encode_all(self, texts, kind="document"):
    ...         counts = [[text.count(letter) for letter in "abc"] for text in texts]
    ...         none = np.zeros(len(texts))
    ...         return Encoded(np.array(counts, np.float32), none.astype(int), none.astype(bool))
    >>> corpus = [{"id": "x", "text": "aab"}, {"id": "y", "text": "b"}, {"id": "z", "text": "c"}]
    >>> from plackett.data.texts import Corpus
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dense = Dense.build(Corpus.from_records(corpus), folder, encoder=Letters())
    ...     asked = Queries.from_texts({"q": "a"})
    ...     first = dense.search(asked)["q"]
    ...     first, Rocchio(dense, documents=1).search(asked)["q"]
    ([('x', 2.0), ('y', 0.0), ('z', 0.0)], [('x', 4.5), ('y', 0.5), ('z', 0.0)])
    """

    def __init__(
        self,
        dense: Dense,
        *,
        documents: int = 5,
        worst: int = 0,
        depth: int = 100,
        alpha: float = 1.0,
        beta: float = 0.5,
        gamma: float = 0.0,
    ) -> None:
        if not isinstance(dense, Dense):
            raise ConfigurationError(
                f"Rocchio over {dense!r}; expected a Dense index, whose vectors can be added."
            )
        if documents < 0 or worst < 0 or depth < max(1, documents + worst):
            raise ConfigurationError(
                f"documents={documents}, worst={worst}, depth={depth}; expected numbers from 0 "
                "up, and a depth that holds both."
            )
        if not np.isfinite([alpha, beta, gamma]).all():
            raise ConfigurationError(
                f"alpha={alpha}, beta={beta}, gamma={gamma}; expected finite numbers."
            )
        self.dense, self.documents, self.worst, self.depth = dense, documents, worst, depth
        self.alpha, self.beta, self.gamma = alpha, beta, gamma

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        documents: int = 5,
        worst: int = 0,
        depth: int = 100,
        alpha: float = 1.0,
        beta: float = 0.5,
        gamma: float = 0.0,
    ) -> Rocchio:
        """Over the dense index in a folder; the parameters are those of the class."""
        return cls(
            Dense.open(folder),
            documents=documents,
            worst=worst,
            depth=depth,
            alpha=alpha,
            beta=beta,
            gamma=gamma,
        )

    def search(
        self,
        queries: Queries,
        k: int = 1000,
        *,
        judged: Qrels | None = None,
        where: Where | None = None,
        threads: int = 1,
    ) -> Run:
        """The `k` best documents for the moved queries.

        Parameters
        ----------
        judged : grades that somebody gave: documents above 0 are R+, others R-. A query without
            any, or with none that the index has, is not moved, and `documents` and `worst` are not
            looked at.
        where, threads : as for `Dense.search`; the first answer is filtered as well.
        """
        start = time.perf_counter()
        vectors = self.dense.needed_encoder().encode(main_texts(queries), "query")
        if judged is None:
            first = self.dense.search_vectors(
                vectors,
                self.depth if self.worst else max(1, self.documents),
                where=where,
                threads=threads,
            )
            near, far = self._ends(first)
        else:
            near, far = self._judged(queries, judged)
        moved = moved_queries(
            vectors,
            self._means(near, vectors),
            self._means(far, vectors),
            alpha=self.alpha,
            beta=self.beta,
            gamma=self.gamma,
        )
        found = self.dense.search_vectors(moved, k, where=where, threads=threads)
        cost = Cost(repr(self), time.perf_counter() - start, len(queries), len(found.documents))
        return Run(
            queries.ids,
            self.dense.document_ids,
            np.arange(len(queries), dtype=np.int32),
            found.offsets,
            found.documents,
            found.scores,
            name="rocchio",
            queries=queries,
            corpus=self.dense.corpus,
            costs=(cost,),
        )

    def _ends(self, first: Ranking) -> tuple[Lists, Lists]:
        """The best and the worst of each list; a short list has no document in both."""
        near, far = [], []
        for begin, end in pairwise(first.offsets.tolist()):
            best = min(begin + self.documents, end)
            near.append(first.documents[begin:best])
            far.append(first.documents[max(best, end - self.worst) : end])
        return _lists(near), _lists(far)

    def _judged(self, queries: Queries, judged: Qrels) -> tuple[Lists, Lists]:
        """What somebody found relevant, and what not."""
        plain = judged.without_subtopics()
        query = plain.query_ids.map_to(queries.ids)[plain.query[plain.query_rows]]
        code = plain.document_ids.map_to(self.dense.document_ids)[plain.document]
        lists = []
        for chosen in (plain.grade > 0, plain.grade <= 0):
            rows = chosen & (query >= 0) & (code >= 0)
            lists.append(_lists([code[rows & (query == number)] for number in range(len(queries))]))
        return lists[0], lists[1]

    def _means(self, lists: Lists, queries: Vectors) -> Vectors:
        """The mean vector of each query's documents, 0 where it has none."""
        offsets, codes = lists
        means = np.zeros(queries.shape)
        lookup = DocumentLookup(self.dense)
        for number, (begin, end) in enumerate(pairwise(offsets.tolist())):
            for _, vectors in lookup.blocks(codes[begin:end]):
                means[number] += vectors.sum(axis=0, dtype=np.float64) / (end - begin)
        return means.astype(np.float32)

    def __repr__(self) -> str:
        """An expression that opens it again."""
        return (
            f"Rocchio.open({str(self.dense.folder)!r}, documents={self.documents}, "
            f"worst={self.worst}, depth={self.depth}, alpha={self.alpha}, beta={self.beta}, "
            f"gamma={self.gamma})"
        )


def _lists(parts: Sequence[npt.NDArray[np.integer]]) -> Lists:
    codes = np.concatenate([np.zeros(0, np.int32), *parts])
    return lengths_to_offsets([len(part) for part in parts]), codes
