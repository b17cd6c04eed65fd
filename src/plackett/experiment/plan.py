"""The plan of an experiment: its steps, what each depends on, and the key that names its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from plackett.errors import DataError
from plackett.experiment.config import ExperimentConfig
from plackett.experiment.first_stages import (
    FirstStage,
    VectorStage,
    plan_first_stages,
    plan_words,
)
from plackett.experiment.fusing import FusionStep, plan_fusions
from plackett.experiment.reranking import depends_on, rerankers_of, stage_names
from plackett.experiment.sections import PipelineConfig, RankerConfig
from plackett.experiment.steps import Step, make_step
from plackett.experiment.store import Store, hash_file

__all__ = ["Plan", "RerankStep", "TrainStep", "make_plan"]


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
    """All steps of an experiment in order, and the SHA-256 of each data file.

    `index` is the inverted index, None where nothing needs one.
    """

    data: Mapping[str, str]
    index: Step | None
    first: tuple[FirstStage, ...]
    fuse: tuple[FusionStep, ...] = ()
    features: Step | None = None
    train: tuple[TrainStep, ...] = ()
    rerank: tuple[RerankStep, ...] = ()

    @property
    def steps(self) -> list[Step]:
        """The steps in the order they are done; what two stages share is done once."""
        every = [
            self.index,
            *(step for stage in self.first for step in stage.steps),
            *(part.step for part in self.fuse),
            self.features,
            *(part.step for part in self.train),
            *(part.step for part in self.rerank),
        ]
        return list({step.key: step for step in every if step is not None}.values())

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
    index = plan_words(config, hashes)
    first = plan_first_stages(config, hashes, index)
    found = {stage.wanted.name: stage.search for stage in first}
    fuse = plan_fusions(config, found, hashes)
    found |= {part.wanted.name: part.step for part in fuse}
    features: Step | None = None
    train: tuple[TrainStep, ...] = ()
    if config.rankers and index is not None:
        features = _features_step(config, found, index, first, hashes)
        train = tuple(
            TrainStep(ranker, fold, _train_step(config, ranker, fold, features))
            for ranker in config.rankers
            for fold in range(config.folds.k)
        )
    files = {f"{role} {path.name}": value for role, (path, value) in data.items()}
    rerank = _rerank_steps(config, found, train)
    return Plan(files, index, first, fuse, features, train, rerank)


def _features_step(
    config: ExperimentConfig,
    found: Mapping[str, Step],
    index: Step,
    first: tuple[FirstStage, ...],
    hashes: Mapping[str, str],
) -> Step:
    candidates, words = found[config.candidates], config.words
    encoded = {
        stage.wanted.name: stage.encode.key for stage in first if isinstance(stage, VectorStage)
    }
    inputs: dict[str, Any] = {
        "retrieve": candidates.key,
        "index": index.key,
        "words": [words.k1, words.b, words.variant],
        "queries": hashes["queries"],
        "qrels": hashes["qrels"],
        "scores": [[name, encoded[name]] for name in config.features.scores],
        **config.features.model_dump(include={"names", "normalise"}),
    }
    needs = (candidates.label, "index", "queries", "qrels")
    return make_step("features", "features", needs, inputs, libraries=("numba", "numpy"))


def _rerank_steps(
    config: ExperimentConfig, found: Mapping[str, Step], train: tuple[TrainStep, ...]
) -> tuple[RerankStep, ...]:
    """A step for each pipeline with a re-ranker of texts; others cost nothing to do again."""
    steps = []
    for pipeline in config.pipelines:
        rerankers = rerankers_of(config, pipeline)
        if not rerankers:
            continue
        named = stage_names(pipeline)
        sources = {name: step for name, step in found.items() if name in named}
        inputs = {
            "retrieve": {name: step.key for name, step in sources.items()},
            "train": [[p.ranker.name, p.step.key] for p in train if p.ranker.name in named],
            "rerankers": {each.name: depends_on(each) for each in rerankers},
            "stages": pipeline.stages,
        }
        needs = (*(step.label for step in sources.values()), *(each.name for each in rerankers))
        step = make_step("rerank", f"rerank {pipeline.name}", needs, inputs)
        steps.append(RerankStep(pipeline, step))
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
    return make_step("train", label, ("features",), inputs, libraries=libraries)


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
