"""A ranker of features as a stage of a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from plackett.data.dataset import RankingDataset
from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.errors import DataError
from plackett.pipeline.base import Reranker

if TYPE_CHECKING:
    from plackett.rankers.base import Ranker

__all__ = ["Extractor", "FeatureReranker"]


class Extractor(Protocol):
    """Anything that describes the documents of a run by numbers, such as a `FeatureSet`."""

    def extract(self, run: Run, qrels: Qrels | None = None) -> RankingDataset:
        """One row for each row of `run`, in its order."""
        ...


class FeatureReranker(Reranker):
    """Re-score every document of a run by a ranker on extracted features.

    `ranker.on(features)` makes one. Cutoffs are the pipeline's: in
    `bm25 % 1000 >> ranker.on(features) % 100` it re-scores 1,000 documents a query, and the best
    100 stay.

    Parameters
    ----------
    ranker : a fitted ranker.
    features : what extracts the features it was trained on.
    """

    def __init__(self, ranker: Ranker, features: Extractor) -> None:
        self.ranker, self.features = ranker, features

    def rerank(self, run: Run) -> Run:
        """A new run with the same documents, scored by the ranker.

        Raises
        ------
        DataError : the features are not those of the ranker, or not of this run's rows.
        """
        dataset = self.features.extract(run)
        if len(dataset) != len(run.document) or not _same_lists(dataset, run):
            raise DataError(
                f"features of {len(dataset)} rows in other lists than the run's "
                f"{len(run.document)} rows",
                expected="one row for each row of the run, in its order",
            )
        return run.with_scores(self.ranker.predict(dataset))

    def __repr__(self) -> str:
        return f"{self.ranker!r}.on({self.features!r})"


def _same_lists(dataset: RankingDataset, run: Run) -> bool:
    """Whether the rows change query exactly where those of the run do."""
    codes, lists = dataset.query, run.query_rows
    return bool(np.array_equal(codes[1:] != codes[:-1], lists[1:] != lists[:-1]))
