"""The retriever over dense vectors."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from plackett.retrievers.base import register
from plackett.retrievers.dense.exact import Exact
from plackett.retrievers.segments.base import SegmentedRetriever
from plackett.retrievers.segments.vectors import DENSE, VectorKind

__all__ = ["Dense"]

Vectors = npt.NDArray[np.float32]


@register("dense")
class Dense(SegmentedRetriever[Vectors]):
    """Documents by the product of their vector with the query's.

    `score(q, d) = sum over i of q_i d_i`: the cosine where the encoder makes vectors of length 1.

    Karpukhin, V. et al., 2020. Dense passage retrieval for open-domain question answering. EMNLP.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     index = Dense.from_vectors(["a", "b"], np.eye(2), folder)
    ...     found = index.search_vectors(np.array([[0.2, 0.9]]), k=1)
    ...     index.document_ids[int(found.documents[0])], float(found.scores[0])
    ('b', 0.8999999761581421)
    """

    kind: ClassVar[str] = "dense"
    vectors: ClassVar[VectorKind[Vectors]] = DENSE

    @classmethod
    def default_structure(cls) -> Exact:
        """Every document is compared with the query."""
        return Exact()
