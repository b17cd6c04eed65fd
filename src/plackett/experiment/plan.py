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
from plackett.experiment.config import ExperimentConfig, PipelineConfig, RankerConfig
from plackett.experiment.reranking import depends_on, rerankers_of, stage_names
from plackett.experiment.store import Store, digest, hash_file

__all__ = ["Plan", "RerankStep", "Step", "TrainStep", "make_plan"]

FORMAT = 4
"""Raised whenever a step would write something else for the same inputs."""


@dataclass(frozen=True)
class Step:
    """One step of an experiment.

    Parameters
    ----------
    kind : what sort of step it is, in one word.
    label : what it is called in messages.
    needs : the data files and steps that it is made from, as messages call them.
    inputs : all that its result depends on: hashes, keys of other steps, parameters, versions.
    """

    kind: str
    label: str
    needs: tuple[str, ...]
    inputs: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The hash of `inputs`, which names the result."""
        return digest({"step": self.kind, **self.inputs})


@dataclass(frozen=True)
class TrainStep:
    """Training one ranker on all folds but one; `fold` counts from 0."""

    ranker: RankerConfig
    fold: int
    step: Step


@dataclass(frozen=True)
class RerankStep:
    """The run of a pipeline with a re-ranker of texts."""

    pipeline: PipelineConfig
    step: Step


@dataclass(frozen=True)
class Plan:
    """All steps of an experiment in order, and the SHA-256 of each data file."""

    data: Mapping[str, str]
    index: Step
    retrieve: Step
    features: Step | None
    train: tuple[TrainStep, ...]
    rerank: tuple[RerankStep, ...] = ()

    @property
    def steps(self) -> list[Step]:
        """The steps in the order they are done."""
        middle = [] if self.features is None else [self.features]
        trained = [part.step for part in self.train]
        return [self.index, self.retrieve, *middle, *trained, *(part.step for part in self.rerank)]

    def describe(self, store: Store) -> str:
        """What is done already, what is to do, from what, and how long it took or may take."""
        lines = [f"data      {name}  sha256 {value[:16]}..." for name, value in self.data.items()]
        width = max(len(step.label) for step in self.steps)
        for step in self.steps:
            done = store.has(step.kind, step.key)
            state = "kept" if done else "to do"
            seconds = store.seconds(step.kind, step.key)
            about = "" if done else "about "
            if seconds is None:
                seconds = store.typical_seconds(step.kind)
            took = "unknown time" if seconds is None else f"{about}{seconds:.1f} s"
            needs = ", ".join(step.needs)
            lines.append(f"{state:<8}  {step.label:<{width}}  {step.key}  {took}, from {needs}")
        return "\n".join([*lines, f"{'always':<8}  compare and report"])


def make_plan(config: ExperimentConfig) -> Plan:
    """Hash the data and derive every step's key from all that its result depends on.

    Raises
    ------
    DataError : a data file does not exist.
    """
    data = {role: (path, hash_file(path)) for role, path in _data_files(config).items()}
    hashes = {role: value for role, (_, value) in data.items()}
    index = _step(
        "index", "index", ("corpus",), {"corpus": hashes["corpus"], **config.index.model_dump()}
    )
    judged = {"queries": hashes["queries"], "qrels": hashes["qrels"]}
    retrieve = _step(
        "retrieve",
        f"retrieve {config.retrieve.name}",
        ("index", "queries", "qrels"),
        {"index": index.key, **judged, **config.retrieve.model_dump(exclude={"name"})},
    )
    files = {f"{role} {path.name}": value for role, (path, value) in data.items()}
    if not config.rankers:
        return Plan(files, index, retrieve, None, (), _rerank_steps(config, retrieve, ()))
    features = _step(
        "features",
        "features",
        (retrieve.label, "index", "queries", "qrels"),
        {"retrieve": retrieve.key, **judged, **config.features.model_dump()},
        libraries=("numba", "numpy"),
    )
    train = tuple(
        TrainStep(ranker, fold, _train_step(config, ranker, fold, features))
        for ranker in config.rankers
        for fold in range(config.folds.k)
    )
    return Plan(files, index, retrieve, features, train, _rerank_steps(config, retrieve, train))


def _rerank_steps(
    config: ExperimentConfig, retrieve: Step, train: tuple[TrainStep, ...]
) -> tuple[RerankStep, ...]:
    """A step for each pipeline with a re-ranker of texts; others cost nothing to do again."""
    steps = []
    for pipeline in config.pipelines:
        rerankers = rerankers_of(config, pipeline)
        if not rerankers:
            continue
        named = stage_names(pipeline)
        inputs = {
            "retrieve": retrieve.key,
            "first": config.retrieve.name,
            "train": [[p.ranker.name, p.step.key] for p in train if p.ranker.name in named],
            "rerankers": {each.name: depends_on(each) for each in rerankers},
            "stages": pipeline.stages,
        }
        needs = (retrieve.label, *(each.name for each in rerankers))
        steps.append(
            RerankStep(pipeline, _step("rerank", f"rerank {pipeline.name}", needs, inputs))
        )
    return tuple(steps)


def _train_step(config: ExperimentConfig, ranker: RankerConfig, fold: int, features: Step) -> Step:
    inputs = {
        "features": features.key,
        "kind": ranker.kind,
        "parameters": ranker.parameters,
        "folds": config.folds.model_dump(),
        "fold": fold,
    }
    label = f"train {ranker.name}, fold {fold + 1} of {config.folds.k}"
    libraries = ("lightgbm", "numpy", "scipy")
    return _step("train", label, ("features",), inputs, libraries=libraries)


def _step(
    kind: str,
    label: str,
    needs: tuple[str, ...],
    inputs: Mapping[str, Any],
    *,
    libraries: tuple[str, ...] = (),
) -> Step:
    versions = {name: importlib.metadata.version(name) for name in libraries}
    code = {"plackett": plackett.__version__, "format": FORMAT, "versions": versions}
    return Step(kind, label, needs, {**code, **inputs})


def _data_files(config: ExperimentConfig) -> dict[str, Path]:
    """The files that documents, queries and judgments are read from."""
    collection = config.collection
    if collection.name is None:
        given = {
            "corpus": collection.corpus,
            "queries": collection.queries,
            "qrels": collection.qrels,
        }
        paths = {role: config.path(str(text)) for role, text in given.items()}
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
    return paths


def _plain_or_packed(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.exists() and not path.exists() else path
