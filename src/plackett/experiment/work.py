"""What each step of an experiment does: plain functions from finished steps to files."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from plackett.data.collections import Collection, load_collection
from plackett.data.cost import Cost
from plackett.data.dataset import RankingDataset
from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.data.splits import QueryKFold
from plackett.data.texts import Corpus, Queries
from plackett.experiment.cascade import FinishedReranker, FinishedRetriever, parse_searcher
from plackett.experiment.config import ExperimentConfig, PipelineConfig, RankerConfig
from plackett.experiment.explaining import explain_fold
from plackett.experiment.reranking import make_reranker
from plackett.features import FeatureSet
from plackett.pipeline import Stage
from plackett.rankers import registry
from plackett.retrievers import BM25

__all__ = [
    "build_index",
    "extract_features",
    "join_folds",
    "open_index",
    "read_collection",
    "read_costs",
    "read_dataset",
    "read_reranked",
    "read_run",
    "rerank",
    "retrieve",
    "run_pipeline",
    "stages_of",
    "train_fold",
]

_COSTS = "costs.json"


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


def build_index(config: ExperimentConfig, collection: Collection, folder: Path) -> None:
    """Index the documents into `folder`."""
    BM25.build(
        collection.corpus,
        folder / "index",
        fields=config.index.fields,
        analyzer=config.index.analyzer,
    )


def open_index(config: ExperimentConfig, folder: Path) -> BM25:
    """The first stage over a finished index."""
    first = config.retrieve
    return BM25.open(folder / "index", k1=first.k1, b=first.b, variant=first.variant)


def retrieve(config: ExperimentConfig, collection: Collection, bm25: BM25, folder: Path) -> None:
    """Search with every query; writes the run and its cost."""
    queries = collection.queries
    # The first call on a machine compiles, which is no cost of searching.
    bm25.search(queries.select(list(queries.ids)[:1]), k=config.retrieve.k)
    run = bm25.search(queries, k=config.retrieve.k)
    run.write(folder / "run.parquet")
    first = config.retrieve
    stage = f"BM25(k1={first.k1:g}, b={first.b:g}, variant={first.variant!r}) % {first.k}"
    seconds = sum(cost.seconds for cost in run.costs)
    _write_costs(folder, Cost(stage, seconds, len(run), len(run.document)))


def read_run(config: ExperimentConfig, collection: Collection, folder: Path) -> Run:
    """The first stage's run, linked to its texts; queries without results are kept."""
    run = Run.read(folder / "run.parquet", name=config.retrieve.name)
    return _linked(run, collection, folder)


def _linked(run: Run, collection: Collection, folder: Path) -> Run:
    """A run of a finished step with a list for every query, its texts and its costs."""
    asked = collection.queries.ids
    linked = Run.from_arrays(
        run.query_ids.map_to(asked)[run.query][run.query_rows],
        run.document,
        run.score,
        query_ids=asked,
        document_ids=run.document_ids,
        all_queries=True,
        name=run.name,
    )
    return linked.replace(
        queries=collection.queries, corpus=collection.corpus, costs=read_costs(folder)
    )


def extract_features(
    config: ExperimentConfig, run: Run, qrels: Qrels, bm25: BM25, folder: Path
) -> None:
    """Describe every candidate; writes the dataset, the features' schema and the cost."""
    names, normalise = config.features.names, config.features.normalise
    if names is None:
        features = FeatureSet.lexical(bm25, normalise=normalise)
    else:
        features = FeatureSet.of(names, bm25, normalise=normalise)
    features.extract(run.select(run.query_names[:1]), qrels)  # compiles, as in `retrieve`
    started = time.perf_counter()
    dataset = features.extract(run, qrels)
    seconds = time.perf_counter() - started
    dataset.to_memmap(folder / "dataset")
    features.save(folder / "features")
    _write_costs(folder, Cost(f"{len(features)} features", seconds, len(run), len(dataset)))


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
    _write_costs(folder, Cost(repr(model), seconds, test.n_queries, len(test)))


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

    The first stage and the rankers are finished; re-rankers of texts are at work, and those that
    ask a model keep its answers in the file `answers`.
    """
    first = runs[config.retrieve.name]
    stages: dict[str, Stage] = {config.retrieve.name: FinishedRetriever(first)}
    for ranker in config.rankers:
        run = runs[ranker.name]
        stages[ranker.name] = FinishedReranker(run, run.costs[len(first.costs) :])
    for reranker in config.rerankers:
        stages[reranker.name] = make_reranker(reranker, answers)
    return stages


def rerank(run: Run, folder: Path) -> None:
    """Write the run of a pipeline with a re-ranker of texts, and its costs."""
    run.write(folder / "run.parquet")
    _write_costs(folder, *run.costs)


def read_reranked(name: str, collection: Collection, folder: Path) -> Run:
    """The run that `rerank` wrote; queries without results are kept."""
    return _linked(Run.read(folder / "run.parquet", name=name), collection, folder)


def run_pipeline(
    wanted: PipelineConfig, stages: Mapping[str, Stage], collection: Collection
) -> Run:
    """The run of a pipeline of finished stages."""
    pipeline = parse_searcher(wanted.stages, stages)
    found = pipeline.search(collection.queries, k=max(1, len(collection.corpus)))
    return found.replace(name=wanted.name)


def _write_costs(folder: Path, *costs: Cost) -> None:
    rows = [asdict(cost) for cost in costs]
    (folder / _COSTS).write_text(json.dumps(rows, indent=2), encoding="utf-8")


def read_costs(folder: Path) -> tuple[Cost, ...]:
    """The costs kept in the folder of a finished step."""
    rows = json.loads((folder / _COSTS).read_text(encoding="utf-8"))
    return tuple(Cost(**row) for row in rows)
