"""Stages over finished runs, so that pipelines can be put together from cross-validated systems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from plackett.data.cost import Cost
from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import ConfigurationError, DataError
from plackett.fusion import Fusing, fusion_methods
from plackett.pipeline import Reranker, Retriever, Stage, parse_pipeline

__all__ = ["FinishedReranker", "FinishedRetriever", "check_pipeline", "parse_searcher"]


class FinishedRetriever(Retriever):
    """Answers from a run that was made before.

    >>> run = Run.from_dict({"q": {"a": 2.0, "b": 1.0}}, name="first")
    >>> (FinishedRetriever(run) % 1).search(Queries.from_texts({"q": "text"})).to_dict()
    {'q': {'a': 2.0}}
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def search(self, queries: Queries, k: int | None = None) -> Run:
        """The first `k` results of each query, by default all; an unknown query is an error."""
        found = self.run.select([query for query, _ in queries])
        return found if k is None else found.head(k)

    def __repr__(self) -> str:
        return self.run.name


class FinishedReranker(Reranker):
    """Re-ranks by the scores of a run that was made before, such as a cross-validated one.

    Parameters
    ----------
    run : scores of at least all the documents that will be asked for.
    costs : what making all of the scores cost; re-ranking costs its documents' share of it.

    Raises
    ------
    DataError : a document is asked for that `run` lacks.

    >>> scores = Run.from_dict({"q": {"a": 0.0, "b": 1.0, "c": 2.0}}, name="ltr")
    >>> FinishedReranker(scores)(Run.from_dict({"q": {"a": 9.0, "b": 8.0}})).to_dict()
    {'q': {'b': 1.0, 'a': 0.0}}
    """

    def __init__(self, run: Run, costs: tuple[Cost, ...] = ()) -> None:
        self.run, self.costs = run, costs

    def rerank(self, run: Run) -> Run:
        """The documents of `run` by this run's scores."""
        wanted = self._keys(run)
        known = self._keys(self.run)
        order = np.argsort(known, kind="stable")
        place = np.minimum(np.searchsorted(known[order], wanted), max(len(known) - 1, 0))
        if len(wanted) and not (len(known) and (known[order][place] == wanted).all()):
            raise DataError(
                f"documents that {self.run.name!r} did not score",
                expected="a part of the lists it was made on",
            )
        scores = self.run.score[order[place]] if len(wanted) else run.score
        share = len(wanted) / max(1, len(known))
        own = tuple(
            Cost(cost.stage, cost.seconds * share, cost.queries, len(wanted)) for cost in self.costs
        )
        return run.with_scores(scores).replace(costs=(*run.costs, *own))

    def _keys(self, run: Run) -> npt.NDArray[np.int64]:
        """A number for each row's query and document, in this run's codes; -1 for unknown ones."""
        query = run.query_ids.map_to(self.run.query_ids)[run.query][run.query_rows]
        document = run.document_ids.map_to(self.run.document_ids)[run.document]
        keys = query.astype(np.int64) * len(self.run.document_ids) + document
        return np.where((query < 0) | (document < 0), -1, keys)

    def __repr__(self) -> str:
        return self.run.name


def parse_searcher(text: str, stages: Mapping[str, Stage]) -> Retriever:
    """The pipeline that `text` describes, which must begin with a first stage.

    Beside `stages` it may name the methods of fusion, and `Fusing('rrf', k=10)` with their
    parameters, behind a union; a stage of that name goes first.

    Raises
    ------
    ConfigurationError : it does not, or the text is no pipeline of the stages.
    """
    pipeline = parse_pipeline(text, {"Fusing": Fusing, **fusing_stages(), **stages})
    if not isinstance(pipeline, Retriever):
        raise ConfigurationError(
            f"the pipeline {text!r} has no first stage; begin with one, as in "
            f"{next(iter(stages))} >> {text}."
        )
    return pipeline


def fusing_stages() -> dict[str, Stage]:
    """The methods of fusion as stages behind a union, each with its defaults."""
    return {method: Fusing(method) for method in fusion_methods()}


def check_pipeline(text: str, firsts: Iterable[str], rankers: Iterable[str]) -> None:
    """Check the text of a pipeline of first stages and rankers, before they are there.

    Raises
    ------
    ConfigurationError : it is none.

    >>> check_pipeline("(bm25 % 10 | dense % 10) >> rrf % 5 >> ltr", ["bm25", "dense"], ["ltr"])
    """
    nothing = Run.from_dict({})
    found = {name: FinishedRetriever(nothing) for name in firsts}
    later = {name: FinishedReranker(nothing) for name in rankers}
    parse_searcher(text, {**found, **later})
