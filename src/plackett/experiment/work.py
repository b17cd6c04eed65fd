"""What each step of an experiment does: plain functions from finished steps to files."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from plackett.data.collections import Collection, load_collection
from plackett.data.cost import Cost
from plackett.data.dataset import RankingDataset
from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.data.splits import QueryKFold
from plackett.data.texts import Corpus, Queries
from plackett.experiment.cascade import FinishedReranker, FinishedRetriever, parse_searcher
from plackett.experiment.config import ExperimentConfig
from plackett.experiment.explaining import explain_fold
from plackett.experiment.kept_runs import keep_costs, read_costs
from plackett.experiment.reranking import make_reranker
from plackett.experiment.sections import PipelineConfig, RankerConfig
from plackett.features import FeatureSet
from plackett.pipeline import Stage
from plackett.rankers import registry
from plackett.retrievers import BM25
from plackett.retrievers.segments.base import SegmentedRetriever

__all__ = [
    "extract_features",
    "join_folds",
    "read_collection",
    "read_dataset",
    "run_pipeline",
    "stages_of",
    "train_fold",
]


def read_collection(config: ExperimentConfig) -> Collection:
    """The documents, queries and judgments of the experiment; queries without judgments go."""
    wanted = config.collection
    if wanted.name == "cranfield":
        return load_collection("cranfield")
    if wanted.name is not None:
        return load_collection(config.path(wanted.name), split=wanted.split)
    qrels = Qrels.read(config.path(str(wanted.qrels)))
    queries = Queries.read(config.path(str(wanted.queries)))
    known = {query for query, _ in queries}
    judged = [query for query in qrels.queries if query in known]
    corpus = Corpus.read(config.path(str(wanted.corpus)))
    return Collection(config.title, corpus, queries.select(judged), qrels)


def extract_features(
    config: ExperimentConfig,
    run: Run,
    qrels: Qrels,
    bm25: BM25,
    vectors: Mapping[str, SegmentedRetriever[Any]],
    folder: Path,
) -> None:
    """Describe every candidate; writes the dataset, the features' schema and the cost.

    `vectors` are the indexes of vectors whose scores are features, by the names of their stages.
    """
    names, normalise = config.features.names, config.features.normalise
    if names is None:
        features = FeatureSet.lexical(bm25, normalise=normalise)
    else:
        features = FeatureSet.of(names, bm25, normalise=normalise)
    for name, index in vectors.items():
        features = features.with_scores(name, index)
    features.extract(run.select(run.query_names[:1]), qrels)  # compiles, as in `retrieve`
    started = time.perf_counter()
    dataset = features.extract(run, qrels)
    seconds = time.perf_counter() - started
    dataset.to_memmap(folder / "dataset")
    features.save(folder / "features")
    keep_costs(folder, Cost(f"{len(features)} features", seconds, len(run), len(dataset)))


def train_fold(
    config: ExperimentConfig,
    ranker: RankerConfig,
    fold: int,
    described: Path,
    folder: Path,
    threads: int,
) -> None:
    """Train on the other folds' queries and score this fold's.

    Writes the model, the scores, and what explains them.

    The model's folder also holds the definitions of the features it was trained on, taken from
    `described`, the finished features step: `load_ranker` and `FeatureSet.load` read that folder.
    `threads` is how many the training may use where the ranker takes that parameter and the
    experiment does not set it; the result does not depend on it.
    """
    dataset = read_dataset(described)
    rest, held_out = list(QueryKFold(config.folds.k, config.folds.seed).split(dataset))[fold]
    train, valid = dataset.take_rows(rest), None
    if config.folds.validation > 0:
        seed = config.folds.seed + 1 + fold
        train, valid = train.split(1.0 - config.folds.validation, seed=seed)
    model = registry.get(ranker.kind)().set_params(**ranker.parameters)
    chosen = model.get_params()
    if "threads" in chosen and "threads" not in ranker.parameters:
        model.set_params(threads=threads)
    model.fit(train, valid)
    test = dataset.take_rows(held_out)
    started = time.perf_counter()
    scores = model.predict(test)
    seconds = time.perf_counter() - started
    explain_fold(model, test, folder)
    model.set_params(**chosen)
    model.save(folder / "model")
    shutil.copy(described / "features" / "features.json", folder / "model")
    np.save(folder / "rows.npy", held_out)
    np.save(folder / "scores.npy", scores)
    keep_costs(folder, Cost(repr(model), seconds, test.n_queries, len(test)))


def read_dataset(described: Path) -> RankingDataset:
    """The rows of a finished features step, memory-mapped; the store has checked the files."""
    return RankingDataset.open(described / "dataset", verify=False)


def join_folds(name: str, first: Run, dataset: RankingDataset, folders: list[Path]) -> Run:
    """One run from the folds' scores: every query is scored by the model that never saw it.

    Its last cost is that of scoring all rows, the folds' together.
    """
    scores = np.full(len(dataset), np.nan, dtype=np.float32)
    for folder in folders:
        scores[np.load(folder / "rows.npy")] = np.load(folder / "scores.npy")
    parts = [cost for folder in folders for cost in read_costs(folder)]
    whole = Cost(
        parts[0].stage,
        sum(cost.seconds for cost in parts),
        sum(cost.queries for cost in parts),
        sum(cost.documents for cost in parts),
    )
    return first.with_scores(scores, name=name).replace(costs=(*first.costs, whole))


def stages_of(config: ExperimentConfig, runs: Mapping[str, Run], answers: Path) -> dict[str, Stage]:
    """What the names in a pipeline's text mean.

    First stages, fusions and rankers are finished; re-rankers of texts are at work, and those that
    ask a model keep its answers in the file `answers`.
    """
    stages: dict[str, Stage] = {name: FinishedRetriever(runs[name]) for name in config.searched}
    before = len(runs[config.candidates].costs)
    for ranker in config.rankers:
        run = runs[ranker.name]
        stages[ranker.name] = FinishedReranker(run, run.costs[before:])
    for reranker in config.rerankers:
        stages[reranker.name] = make_reranker(reranker, answers)
    return stages


def run_pipeline(
    wanted: PipelineConfig, stages: Mapping[str, Stage], collection: Collection
) -> Run:
    """The run of a pipeline of finished stages."""
    pipeline = parse_searcher(wanted.stages, stages)
    found = pipeline.search(collection.queries, k=max(1, len(collection.corpus)))
    return found.replace(name=wanted.name)
