"""Fusion as a stage of a pipeline: `(bm25 % 1000 | dense % 1000) >> Fusing("rrf") % 200`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Literal

import numpy as np

from plackett.data.run import Run
from plackett.data.run_lookup import rows_in
from plackett.errors import DataError
from plackett.fusion.run_fusion import Absent, Fusion
from plackett.fusion.run_normalisation import Normalisation, Ties
from plackett.pipeline.base import Reranker

__all__ = ["Fusing"]


class Fusing(Reranker):
    """Re-score the documents of a union by the fusion of its parts.

    Behind `a | b`, whose run says what each of the two found, the scores are those of
    `fuse([a's run, b's run], method, ...)`. Behind `writer >> retriever` the parts are the lists of
    the written queries. Where the union was cut, ranks and scores are still those of the whole
    parts; only documents that the cut left are re-scored.

    Parameters
    ----------
    method, normalise, weights, k, gamma, depth, absent, ties, sigma, persistence : as for
        `plackett.fusion.fuse`; a weight a part, in the order in which the pipeline names them.

    Raises
    ------
    ConfigurationError : parameters that do not go together. UnknownNameError : no such method.

    >>> from plackett.pipeline.merging import interleave
    >>> a = Run.from_dict({"q": {"x": 3.0, "y": 2.0, "z": 1.0}})
    >>> b = Run.from_dict({"q": {"z": 9.0, "y": 8.0}})
    >>> Fusing("comb_sum")(interleave(a, b)).to_dict()
    {'q': {'z': 1.0, 'x': 1.0, 'y': 0.5}}
    >>> Fusing("rrf", weights=(2, 1)), Fusing(normalise="depth")
    (Fusing('rrf', weights=(2.0, 1.0)), Fusing('rrf', normalise='depth'))
    """

    def __init__(
        self,
        method: str = "rrf",
        *,
        normalise: Normalisation | Literal["depth"] | None = None,
        weights: Sequence[float] | None = None,
        k: float = 60.0,
        gamma: float = 1.0,
        depth: int | None = None,
        absent: Absent | None = None,
        ties: Ties = "average",
        sigma: float = 0.01,
        persistence: float = 0.8,
    ) -> None:
        given = None if weights is None else tuple(float(weight) for weight in weights)
        self.fusion = Fusion(
            method, normalise, given, k, gamma, depth, absent, ties, sigma, persistence
        )

    @classmethod
    def of(cls, fusion: Fusion) -> Fusing:
        """The stage of a fusion, such as one that `tune_fusion` chose.

        >>> Fusing.of(Fusion("rrf", k=10.0))
        Fusing('rrf', k=10.0)
        """
        named = {name: getattr(fusion, name) for name in _PARAMETERS if name != "method"}
        return cls(fusion.method, **named)

    def rerank(self, run: Run) -> Run:
        """The documents of `run` by the fused scores of its parts.

        Raises
        ------
        DataError : the run has no parts, or a document that none of them found.
        """
        if not run.parts:
            raise DataError(
                f"run {run.name!r}, which is no union, for {self!r}",
                expected="a run that a | b made",
                remedy="put the fusing stage behind the union: (a | b) >> Fusing()",
            )
        fused = self.fusion(run.parts)
        rows = rows_in(fused, run)
        if (rows < 0).any():
            raise DataError(
                f"document {run.document_ids[run.document[int(np.argmax(rows < 0))]]!r} in run "
                f"{run.name!r}, which no part of it found,",
                expected="documents of its parts",
            )
        return run.with_scores(fused.score[rows], name=fused.name)

    def __repr__(self) -> str:
        values = [(name, getattr(self.fusion, name)) for name in _PARAMETERS if name != "method"]
        named = [f", {name}={value!r}" for name, value in values if value != _PARAMETERS[name]]
        return f"Fusing({self.fusion.method!r}{''.join(named)})"


_PARAMETERS = {name: one.default for name, one in inspect.signature(Fusing).parameters.items()}
