"""A declared experiment: what a TOML file may say, and the errors when it says something else."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from plackett.errors import ConfigurationError
from plackett.metrics import parse_measures
from plackett.rankers import registry

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
    "RankerConfig",
    "RetrieveConfig",
    "parse_config",
    "read_config",
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


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
    """How texts become an index."""

    analyzer: str = "english"
    fields: tuple[str, ...] | None = Field(default=None, strict=False)


class RetrieveConfig(_Section):
    """The first stage, BM25."""

    name: str = "bm25"
    k: int = Field(default=1000, ge=1)
    k1: float = Field(default=1.2, ge=0)
    b: float = Field(default=0.75, ge=0, le=1)
    variant: str = "lucene"


class FeaturesConfig(_Section):
    """Which features describe a document for a query; all lexical ones by default."""

    names: tuple[str, ...] | None = Field(default=None, strict=False)
    normalise: Literal["none", "query_minmax", "query_zscore"] = "none"


class RankerConfig(_Section):
    """One ranker: how the report calls it, its kind, and its parameters."""

    name: str
    kind: str
    parameters: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _file_name(cls, name: str) -> str:
        if not name or any(character in name for character in "/\\ \t\n") or name.startswith("."):
            raise ValueError(f"{name!r} cannot name a file; leave out slashes and spaces")
        return name

    @model_validator(mode="after")
    def _known(self) -> RankerConfig:
        try:
            registry.get(self.kind)().set_params(**self.parameters)
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        return self


class FoldsConfig(_Section):
    """Cross-validation over queries: each fold is ranked by a model that never saw its queries.

    `validation` is the share of the other queries that is held out for early stopping.
    """

    k: int = Field(default=5, ge=2)
    seed: int = 0
    validation: float = Field(default=0.2, ge=0, lt=1)


class CompareConfig(_Section):
    """What is measured, against which baseline, by which test."""

    measures: str = "nDCG@10 AP RR@10 R@100"
    baseline: str | None = None
    test: str = "t"
    correction: str = "holm"
    alpha: float = Field(default=0.05, gt=0, lt=1)
    permutations: int = Field(default=100_000, ge=1)
    seed: int = 0

    @field_validator("measures")
    @classmethod
    def _parsable(cls, measures: str) -> str:
        try:
            parse_measures(measures)
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        return measures


class ExperimentConfig(_Section):
    """The whole experiment. `base` is the folder that relative paths start from."""

    title: str = "Experiment"
    output: str = "results"
    collection: CollectionConfig
    index: IndexConfig = IndexConfig()
    retrieve: RetrieveConfig = RetrieveConfig()
    features: FeaturesConfig = FeaturesConfig()
    rankers: tuple[RankerConfig, ...] = Field(default=(), strict=False)
    folds: FoldsConfig = FoldsConfig()
    compare: CompareConfig = CompareConfig()
    base: Path = Field(default=Path("."), exclude=True)

    @model_validator(mode="after")
    def _names(self) -> ExperimentConfig:
        names = self.systems
        repeated = [name for i, name in enumerate(names) if name in names[:i]]
        if repeated:
            raise ValueError(f"two systems are called {repeated[0]!r}")
        if self.compare.baseline is not None and self.compare.baseline not in names:
            raise ValueError(f"baseline {self.compare.baseline!r} is not one of {', '.join(names)}")
        return self

    @property
    def systems(self) -> list[str]:
        """The names of all systems, the first stage first."""
        return [self.retrieve.name, *(ranker.name for ranker in self.rankers)]

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
    "folds": FoldsConfig,
    "compare": CompareConfig,
}


def _faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors():
        place = ".".join(str(part) for part in fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] != "extra_forbidden":
            yield f"{place or 'the file'}: {message[:1].lower()}{message[1:]}"
            continue
        parents = [part for part in fault["loc"][:-1] if isinstance(part, str)]
        known = sorted(set(_SECTIONS[parents[-1] if parents else ""].model_fields) - {"base"})
        wrong = str(fault["loc"][-1])
        close = difflib.get_close_matches(wrong, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        yield f"{place}: unknown key {wrong!r}; {hint}Known: {', '.join(known)}"
