"""A declared experiment: what a TOML file may say, and the errors when it says something else."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from plackett.errors import ConfigurationError, PlackettError, UnknownNameError
from plackett.experiment.cascade import check_pipeline
from plackett.features import registry as features
from plackett.metrics import parse_measures
from plackett.metrics.comparison import ALL_AT_ONCE
from plackett.metrics.corrections import get_correction
from plackett.metrics.evaluation import Empty, Missing
from plackett.metrics.judged import Ties, Unjudged
from plackett.metrics.significance import get_test
from plackett.rankers import registry
from plackett.rerankers import parse as parse_reranker
from plackett.retrievers import Weighting
from plackett.retrievers.analysis import get_analyzer

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "CollectionConfig",
    "CompareConfig",
    "ExperimentConfig",
    "FeaturesConfig",
    "FoldsConfig",
    "IndexConfig",
    "PipelineConfig",
    "RankerConfig",
    "RerankerConfig",
    "RetrieveConfig",
    "parse_config",
    "read_config",
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _named(name: str) -> str:
    """A name that can stand in a table and name a file."""
    if not name or name.startswith(".") or not all(c.isalnum() or c in "_-.+" for c in name):
        raise ValueError(f"{name!r} cannot name a file; use letters, digits, _ - . and +")
    return name


def _as_value_error(check: Callable[[], object]) -> None:
    """Turn plackett's own complaint into one that the validation collects with all others."""
    try:
        check()
    except PlackettError as error:
        raise ValueError(str(error)) from error


Name = Annotated[str, AfterValidator(_named)]


class CollectionConfig(_Section):
    """Where documents, queries and judgments come from: a packaged name, a folder, or three files.

    `name` is "cranfield" or the path of a BEIR folder (`split` chooses its judgments); or give
    `corpus`, `queries` and `qrels`, paths of files in any format that plackett reads.
    """

    name: str | None = None
    split: str = "test"
    corpus: str | None = None
    queries: str | None = None
    qrels: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> CollectionConfig:
        files = [self.corpus, self.queries, self.qrels]
        if self.name is not None and any(files):
            raise ValueError("give either name, or corpus, queries and qrels")
        if self.name is None and not all(files):
            raise ValueError("give name, or all three of corpus, queries and qrels")
        return self


class IndexConfig(_Section):
    """How texts become an index: the analyzer's name, and the text fields (all by default)."""

    analyzer: str = "english"
    fields: tuple[str, ...] | None = Field(default=None, strict=False)

    @field_validator("analyzer")
    @classmethod
    def _known(cls, analyzer: str) -> str:
        _as_value_error(lambda: get_analyzer(analyzer))
        return analyzer


class RetrieveConfig(_Section):
    """The first stage, BM25: what the report calls it, its depth and its parameters."""

    name: Name = "bm25"
    k: int = Field(default=1000, ge=1)
    k1: float = 1.2
    b: float = 0.75
    variant: str = "lucene"

    @model_validator(mode="after")
    def _in_range(self) -> RetrieveConfig:
        _as_value_error(lambda: Weighting(self.variant, self.k1, self.b))
        return self


class FeaturesConfig(_Section):
    """Which features describe a document for a query; all lexical ones by default."""

    names: tuple[str, ...] | None = Field(default=None, strict=False)
    normalise: Literal["none", "query_minmax", "query_zscore"] = "none"

    @field_validator("names")
    @classmethod
    def _known(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        # Before a dot stands a field, which only the index knows.
        _as_value_error(lambda: [features.get(name.rpartition(".")[2]) for name in names or ()])
        return names


class RankerConfig(_Section):
    """One ranker: how the report calls it, its kind, and its parameters."""

    name: Name
    kind: str
    parameters: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> RankerConfig:
        _as_value_error(
            lambda: registry.get(self.kind)().set_params(**self.parameters).check_parameters()
        )
        return self


class RerankerConfig(_Section):
    """A re-ranker of texts, which pipelines use by its name.

    `reranker` describes it: `word-overlap`, `cross-encoder(model='models/mine')`. Paths in it start
    from the working folder.
    """

    name: Name
    reranker: str

    @field_validator("reranker")
    @classmethod
    def _known(cls, reranker: str) -> str:
        _as_value_error(lambda: parse_reranker(reranker))
        return reranker


class PipelineConfig(_Section):
    """A pipeline of the first stage, the rankers and the re-rankers, by their names.

    `stages = "bm25 % 100 >> linear % 20 >> cross"`; rankers score with the models that never saw
    the query, as they do alone.
    """

    name: Name
    stages: str


class FoldsConfig(_Section):
    """Cross-validation over queries: each fold is ranked by a model that never saw its queries.

    `validation` is the share of the other queries that is held out for early stopping.
    """

    k: int = Field(default=5, ge=2)
    seed: int = Field(default=0, ge=0)
    validation: float = Field(default=0.2, ge=0, lt=1)


class CompareConfig(_Section):
    """What is measured, with which conventions, against which baseline, by which test."""

    measures: str = "nDCG@10 AP RR@10 R@100"
    baseline: str | None = None
    test: str = "t"
    correction: str = "holm"
    alpha: float = Field(default=0.05, gt=0, lt=1)
    permutations: int = Field(default=100_000, ge=1)
    seed: int = Field(default=0, ge=0)
    ties: Ties = "trec_eval"
    unjudged: Unjudged = "nonrelevant"
    missing: Missing = "zero"
    empty: Empty = "zero"

    @field_validator("measures")
    @classmethod
    def _parsable(cls, measures: str) -> str:
        _as_value_error(lambda: parse_measures(measures))
        return measures

    @field_validator("test")
    @classmethod
    def _known_test(cls, test: str) -> str:
        if test not in ALL_AT_ONCE:
            _as_value_error(lambda: get_test(test))
        return test

    @field_validator("correction")
    @classmethod
    def _known_correction(cls, correction: str) -> str:
        _as_value_error(lambda: get_correction(correction))
        return correction


class ExperimentConfig(_Section):
    """The whole experiment. `base` is the folder that relative paths start from."""

    title: str = "Experiment"
    output: str = "results"
    collection: CollectionConfig
    index: IndexConfig = IndexConfig()
    retrieve: RetrieveConfig = RetrieveConfig()
    features: FeaturesConfig = FeaturesConfig()
    rankers: tuple[RankerConfig, ...] = Field(default=(), strict=False)
    rerankers: tuple[RerankerConfig, ...] = Field(default=(), strict=False)
    pipelines: tuple[PipelineConfig, ...] = Field(default=(), strict=False)
    folds: FoldsConfig = FoldsConfig()
    compare: CompareConfig = CompareConfig()
    base: Path = Field(default=Path("."), exclude=True)

    @model_validator(mode="after")
    def _names(self) -> ExperimentConfig:
        names = self.systems
        stages = [*names, *(reranker.name for reranker in self.rerankers)]
        repeated = [name for i, name in enumerate(stages) if name in stages[:i]]
        if repeated:
            raise ValueError(f"two systems are called {repeated[0]!r}; rename one")
        if self.compare.baseline is not None and self.compare.baseline not in names:
            unknown = UnknownNameError("baseline", self.compare.baseline, names)
            raise ValueError(f"compare.baseline: {unknown}")
        later = [ranker.name for ranker in self.rankers]
        later += [reranker.name for reranker in self.rerankers]
        for place, pipeline in enumerate(self.pipelines):
            try:
                check_pipeline(pipeline.stages, self.retrieve.name, later)
            except ConfigurationError as error:
                raise ValueError(f"pipelines.{place}.stages: {error}") from error
        return self

    @property
    def systems(self) -> list[str]:
        """The names of all systems, the first stage first."""
        rankers = [ranker.name for ranker in self.rankers]
        return [self.retrieve.name, *rankers, *(pipeline.name for pipeline in self.pipelines)]

    def path(self, text: str) -> Path:
        """A path of the file, made absolute."""
        return (self.base / Path(text).expanduser()).resolve()


def read_config(path: str | Path) -> ExperimentConfig:
    """Read and validate an experiment file.

    Raises
    ------
    ConfigurationError : the file is missing or no TOML, a key is unknown (the message suggests the
        right one), a value is wrong; all faults are listed at once.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}.") from error
    return parse_config(text, name=str(path), base=path.resolve().parent)


def parse_config(text: str, *, name: str, base: Path) -> ExperimentConfig:
    """The same from text; `name` is what errors call it."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name} is not TOML: {error}.") from error
    if "base" in content:
        raise ConfigurationError(f"{name}: unknown key 'base'.")
    try:
        return ExperimentConfig.model_validate({**content, "base": base})
    except ValidationError as error:
        faults = "\n".join(f"  {fault}" for fault in _faults(error))
        raise ConfigurationError(f"{name} is not a valid experiment:\n{faults}") from error


_SECTIONS: Mapping[str, type[BaseModel]] = {
    "": ExperimentConfig,
    "collection": CollectionConfig,
    "index": IndexConfig,
    "retrieve": RetrieveConfig,
    "features": FeaturesConfig,
    "rankers": RankerConfig,
    "rerankers": RerankerConfig,
    "pipelines": PipelineConfig,
    "folds": FoldsConfig,
    "compare": CompareConfig,
}


def _faults(error: ValidationError) -> Iterator[str]:
    """One line a fault: where it is, what was found, what was expected."""
    for fault in error.errors():
        place = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            yield f"{place}: {_unknown_key(fault['loc'])}"
        elif fault["type"] == "missing":
            yield f"{place}: this key is missing"
        elif fault["type"] == "value_error":
            message = fault["msg"].removeprefix("Value error, ").rstrip(".")
            yield f"{place}: {message}" if place else message
        else:
            message = fault["msg"][:1].lower() + fault["msg"][1:]
            yield f"{place or 'the file'}: {message}, not {fault['input']!r}"


def _unknown_key(place: tuple[int | str, ...]) -> str:
    parents = [part for part in place[:-1] if isinstance(part, str)]
    known = sorted(set(_SECTIONS[parents[-1] if parents else ""].model_fields) - {"base"})
    wrong = str(place[-1])
    close = difflib.get_close_matches(wrong, known, n=1)
    elsewhere = [name for name, section in _SECTIONS.items() if wrong in section.model_fields]
    hint = ""
    if close:
        hint = f"did you mean {close[0]!r}? "
    elif any(elsewhere):
        hint = f"it belongs under [{next(filter(None, elsewhere))}]. "
    return f"unknown key {wrong!r}; {hint}Known: {', '.join(known)}"
