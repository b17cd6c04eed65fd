"""What one stage of a pipeline cost."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Cost"]


@dataclass(frozen=True)
class Cost:
    """The cost of one stage over a whole run.

    Parameters
    ----------
    stage : the stage's description, its `repr`.
    seconds : wall-clock time.
    queries, documents : how many queries it answered, how many documents it scored or returned.
    calls, tokens : calls to a model and tokens sent to it and received from it; 0 without a model.

    >>> Cost("BM25", seconds=0.5, queries=100, documents=1000).seconds_per_query
    0.005
    """

    stage: str
    seconds: float
    queries: int
    documents: int
    calls: int = 0
    tokens: int = 0

    @property
    def seconds_per_query(self) -> float:
        """Mean wall-clock seconds a query; 0 where there was no query."""
        return self.seconds / self.queries if self.queries else 0.0
