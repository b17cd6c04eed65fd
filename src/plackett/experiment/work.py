"""What each step of an experiment does: plain functions from finished steps to files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from plackett.data.collections import Collection, load_collection
from plackett.data.cost import Cost
from plackett.data.dataset import RankingDataset
from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.data.splits import QueryKFold
from plackett.data.texts import Corpus, Queries
from plackett.experiment.config import ExperimentConfig, RankerConfig
from plackett.features import FeatureSet
from plackett.rankers import registry
from plackett.retrievers import BM25

__all__ = [
    "build_index",
    "extract_features",
    "join_folds",
    "open_index",
    "read_collection",
    "read_costs",
    "retrieve",
    "train_fold",
    "write_costs",
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
    known = set(queries.ids)
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
        k1=config.retrieve.k1,
        b=config.retrieve.b,
        variant=config.retrieve.variant,
    )


def open_index(config: ExperimentConfig, folder: Path) -> BM25:
    """The first stage over a finished index."""
    first = config.retrieve
    return BM25.open(folder / "index", k1=first.k1, b=first.b, variant=first.variant)


def retrieve(config: ExperimentConfig, collection: Collection, bm25: BM25, folder: Path) -> None:
    """Search with every query; writes the run and its cost."""
    run = bm25.search(collection.queries, k=config.retrieve.k)
    run.write(folder / "run.parquet")
    write_costs(folder, run.costs)


def write_costs(folder: Path, costs: tuple[Cost, ...]) -> None:
    """Keep costs beside the result that they were paid for."""
    rows = [vars(cost) for cost in costs]
    (folder / _COSTS).write_text(json.dumps(rows, indent=2), encoding="utf-8")


def read_costs(folder: Path) -> tuple[Cost, ...]:
    """The costs kept in a folder."""
    rows = json.loads((folder / _COSTS).read_text(encoding="utf-8"))
    return tuple(Cost(**row) for row in rows)


def read_run(config: ExperimentConfig, collection: Collection, folder: Path) -> Run:
    """The first stage's run, linked to its texts."""
    run = Run.read(folder / "run.parquet", name=config.retrieve.name)
    return run.replace(
        queries=collection.queries, corpus=collection.corpus, costs=read_costs(folder)
    )


def extract_features(
    config: ExperimentConfig, run: Run, qrels: Qrels, bm25: BM25, folder: Path
) -> None:
    """Describe every candidate; writes the dataset and the features' schema."""
    names, normalise = config.features.names, config.features.normalise
    features = FeatureSet.lexical(bm25, names=names, normalise=normalise)
    features.extract(run, qrels).to_memmap(folder / "dataset")
    features.save(folder / "features")


def train_fold(
    config: ExperimentConfig, ranker: RankerConfig, fold: int, dataset: RankingDataset, folder: Path
) -> None:
    """Train on the other folds' queries and score this fold's; writes the model and the scores."""
    rest, held_out = list(QueryKFold(config.folds.k, config.folds.seed).split(dataset))[fold]
    train, valid = dataset.take_rows(rest), None
    if config.folds.validation > 0:
        seed = config.folds.seed + 1 + fold
        train, valid = train.split(1.0 - config.folds.validation, seed=seed)
    model = registry.get(ranker.kind)().set_params(**ranker.parameters)
    model.fit(train, valid)
    model.save(folder / "model")
    np.save(folder / "rows.npy", held_out)
    np.save(folder / "scores.npy", model.predict(dataset.take_rows(held_out)))


def join_folds(name: str, first: Run, dataset: RankingDataset, folders: list[Path]) -> Run:
    """One run from the folds' scores: every query is scored by the model that never saw it."""
    scores = np.full(len(dataset), np.nan, dtype=np.float32)
    for folder in folders:
        scores[np.load(folder / "rows.npy")] = np.load(folder / "scores.npy")
    return first.with_scores(scores, name=name)
