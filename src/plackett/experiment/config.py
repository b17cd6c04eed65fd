"""A declared experiment: what a TOML file may say, and the errors when it says something else."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.experiment.cascade import check_pipeline
from plackett.experiment.sections import (
    CollectionConfig,
    CompareConfig,
    FeaturesConfig,
    FoldsConfig,
    FusionConfig,
    IndexConfig,
    PipelineConfig,
    RankerConfig,
    RerankerConfig,
    RetrieveConfig,
    Section,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["ExperimentConfig", "parse_config", "read_config"]


def _listed(content: Any) -> Any:
    """One table [retrieve] is a list of one."""
    if content == []:
        raise ValueError("give at least one first stage")
    return [content] if isinstance(content, dict) else content


def _check_named(place: str, what: str, name: str, known: Iterable[str]) -> None:
    """A name that something has, or a fault that suggests one."""
    names = list(known)
    if name not in names:
        raise ValueError(f"{place}: {UnknownNameError(what, name, names)}")


class ExperimentConfig(Section):
    """The whole experiment. `base` is the folder that relative paths start from."""

    title: str = "Experiment"
    output: str = "results"
    collection: CollectionConfig
    index: IndexConfig = IndexConfig()
    retrieve: Annotated[tuple[RetrieveConfig, ...], BeforeValidator(_listed)] = Field(
        default=(RetrieveConfig(),), strict=False
    )
    fusions: tuple[FusionConfig, ...] = Field(default=(), strict=False)
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
        if self.compare.baseline is not None:
            _check_named("compare.baseline", "baseline", self.compare.baseline, names)
        known = [first.name for first in self.retrieve]
        for place, fusion in enumerate(self.fusions):
            for name in fusion.of:
                _check_named(f"fusions.{place}.of", "first stage", name, known)
            known.append(fusion.name)
        if self.features.candidates is not None:
            _check_named("features.candidates", "first stage", self.features.candidates, known)
        vectors = [first.name for first in self.retrieve if first.of_vectors]
        for name in self.features.scores:
            _check_named("features.scores", "first stage of vectors", name, vectors)
        later = [ranker.name for ranker in self.rankers]
        later += [reranker.name for reranker in self.rerankers]
        for place, pipeline in enumerate(self.pipelines):
            try:
                check_pipeline(pipeline.stages, known, later)
            except ConfigurationError as error:
                raise ValueError(f"pipelines.{place}.stages: {error}") from error
        return self

    @property
    def searched(self) -> list[str]:
        """The names of the first stages and the fusions."""
        return [*(first.name for first in self.retrieve), *(part.name for part in self.fusions)]

    @property
    def candidates(self) -> str:
        """The name of the first stage or fusion whose documents the rankers re-rank."""
        return self.features.candidates or self.retrieve[0].name

    @property
    def words(self) -> RetrieveConfig:
        """The BM25 that lexical features are computed with: the first one of the file."""
        named = [first for first in self.retrieve if first.kind == "bm25"]
        return named[0] if named else RetrieveConfig()

    @property
    def systems(self) -> list[str]:
        """The names of all systems, the first stages first."""
        rankers = [ranker.name for ranker in self.rankers]
        return [*self.searched, *rankers, *(pipeline.name for pipeline in self.pipelines)]

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
        single = isinstance(content.get("retrieve"), dict)
        faults = "\n".join(f"  {fault}" for fault in _faults(error, single))
        raise ConfigurationError(f"{name} is not a valid experiment:\n{faults}") from error


_SECTIONS: Mapping[str, type[BaseModel]] = {
    "": ExperimentConfig,
    "collection": CollectionConfig,
    "index": IndexConfig,
    "retrieve": RetrieveConfig,
    "fusions": FusionConfig,
    "features": FeaturesConfig,
    "rankers": RankerConfig,
    "rerankers": RerankerConfig,
    "pipelines": PipelineConfig,
    "folds": FoldsConfig,
    "compare": CompareConfig,
}


def _faults(error: ValidationError, single: bool) -> Iterator[str]:
    """One line a fault: where it is, what was found, what was expected.

    `single` says that the file has one table [retrieve], whose number nobody wrote.
    """
    for fault in error.errors():
        parts = [str(part) for part in fault["loc"]]
        if single and parts[:2] == ["retrieve", "0"]:
            del parts[1]
        place = ".".join(parts)
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
