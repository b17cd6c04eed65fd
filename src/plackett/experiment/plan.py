"""The plan of an experiment: its steps, what each depends on, and the key that names its result."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import plackett
from plackett.errors import DataError
from plackett.experiment.config import ExperimentConfig, RankerConfig
from plackett.experiment.store import Store, digest, hash_file

__all__ = ["Plan", "Step", "make_plan"]

FORMAT = 1
"""Raised whenever a step would write something else for the same inputs."""


@dataclass(frozen=True)
class Step:
    """One step: its kind, what it is called, the key of its result, and what went into the key."""

    kind: str
    label: str
    key: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """All steps of an experiment in order. `train` steps are by (ranker, fold)."""

    data: Mapping[str, str]
    index: Step
    retrieve: Step
    features: Step | None
    train: tuple[tuple[RankerConfig, int, Step], ...]

    @property
    def steps(self) -> list[Step]:
        """The steps in the order they are done."""
        middle = [] if self.features is None else [self.features]
        return [self.index, self.retrieve, *middle, *(step for _, _, step in self.train)]

    def describe(self, store: Store) -> str:
        """One line a step: done already or to do, its label, its key."""
        lines = [f"data     {name}  {checksum[:16]}" for name, checksum in self.data.items()]
        for step in self.steps:
            state = "done   " if store.has(step.kind, step.key) else "to do  "
            lines.append(f"{state}  {step.label}  {step.key}")
        return "\n".join([*lines, "always   compare and report"])


def make_plan(config: ExperimentConfig) -> Plan:
    """Hash the data and derive every step's key from all that its result depends on."""
    data = _hash_data(config)
    corpus = {name: value for name, value in data.items() if name.startswith("corpus")}
    index = _step("index", "index", {"corpus": corpus, **config.index.model_dump()})
    first = config.retrieve.model_dump(exclude={"name"})
    queries = {name: value for name, value in data.items() if not name.startswith("corpus")}
    retrieve = _step(
        "retrieve",
        f"retrieve {config.retrieve.name}",
        {"index": index.key, "queries": queries, **first},
    )
    if not config.rankers:
        return Plan(data, index, retrieve, None, ())
    features = _step(
        "features",
        "features",
        {"retrieve": retrieve.key, "data": queries, **config.features.model_dump()},
        ("numba", "numpy"),
    )
    train = tuple(
        (ranker, fold, _train_step(config, ranker, fold, features))
        for ranker in config.rankers
        for fold in range(config.folds.k)
    )
    return Plan(data, index, retrieve, features, train)


def _train_step(config: ExperimentConfig, ranker: RankerConfig, fold: int, features: Step) -> Step:
    inputs = {
        "features": features.key,
        "kind": ranker.kind,
        "parameters": ranker.parameters,
        "folds": config.folds.model_dump(),
        "fold": fold,
    }
    label = f"train {ranker.name}, fold {fold + 1} of {config.folds.k}"
    return _step("train", label, inputs, ("lightgbm", "numpy", "scipy"))


def _step(
    kind: str, label: str, inputs: Mapping[str, Any], libraries: tuple[str, ...] = ()
) -> Step:
    versions = {name: importlib.metadata.version(name) for name in libraries}
    known = {
        "plackett": plackett.__version__,
        "format": FORMAT,
        "step": kind,
        "versions": versions,
        **inputs,
    }
    return Step(kind, label, digest(known), known)


def _hash_data(config: ExperimentConfig) -> dict[str, str]:
    """`{role path: sha256}` of every file that the collection is read from."""
    collection = config.collection
    if collection.name is None:
        roles = {
            "corpus": collection.corpus,
            "queries": collection.queries,
            "qrels": collection.qrels,
        }
        paths = {role: config.path(str(text)) for role, text in roles.items()}
    elif collection.name == "cranfield":
        folder = Path(str(resources.files("plackett.data") / "cranfield"))
        names = {"corpus": "cran.all.1400.gz", "queries": "cran.qry", "qrels": "cranqrel"}
        paths = {role: folder / name for role, name in names.items()}
    else:
        folder = config.path(collection.name)
        names = {
            "corpus": "corpus.jsonl",
            "queries": "queries.jsonl",
            "qrels": f"qrels/{collection.split}.tsv",
        }
        paths = {role: _plain_or_packed(folder / name) for role, name in names.items()}
    for role, path in paths.items():
        if not path.is_file():
            raise DataError(f"no {role} file", expected="a file that exists", path=path)
    return {f"{role} {path.name}": hash_file(path) for role, path in paths.items()}


def _plain_or_packed(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.exists() and not path.exists() else path
