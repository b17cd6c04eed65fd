"""The run that a retriever returns, with what its search cost."""

from __future__ import annotations

import time

import numpy as np

from plackett.data.cost import Cost
from plackett.data.ids import Ids
from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.pipeline.base import Retriever
from plackett.retrievers.inverted.impacts import Ranking

__all__ = ["found_run"]


def found_run(
    retriever: Retriever,
    queries: Queries,
    documents: Ids,
    ranking: Ranking,
    *,
    started: float,
    name: str,
    corpus: Corpus | None,
) -> Run:
    """What was found for queries, all of which keep a list, with the cost of finding it.

    Parameters
    ----------
    documents : the ids that the ranking's codes stand for.
    ranking : a list for each query, in their order.
    started : `time.perf_counter()` when the search began, in seconds.
    name : of the run.
    corpus : the documents, where known, for later stages.
    """
    cost = Cost(
        repr(retriever),
        seconds=time.perf_counter() - started,
        queries=len(queries),
        documents=len(ranking.documents),
    )
    return Run(
        queries.ids,
        documents,
        np.arange(len(queries), dtype=np.int32),
        ranking.offsets,
        ranking.documents,
        ranking.scores,
        name=name,
        queries=queries,
        corpus=corpus,
        costs=(cost,),
    )
