"""The first stages of an experiment: what is indexed, how, and what is found.

A first stage of words searches the inverted index. One of vectors has steps of its own: the texts
are encoded once, into an index that compares with all; a structure is built from that index, so
that another one, or another depth, encodes nothing again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from plackett.data.collections import Collection
from plackett.data.cost import Cost
from plackett.encoders.base import Encoder
from plackett.errors import DataError
from plackett.experiment.config import ExperimentConfig
from plackett.experiment.kept_runs import keep_run
from plackett.experiment.sections import RetrieveConfig
from plackett.experiment.steps import Step, make_step
from plackett.experiment.store import Store, hash_file
from plackett.pipeline import Retriever
from plackett.retrievers import BM25, LiveBM25
from plackett.retrievers.descriptions import described_encoder, described_structure
from plackett.retrievers.opening import vector_retriever
from plackett.retrievers.segments.base import SegmentedRetriever
from plackett.retrievers.segments.store import MANIFEST
from plackett.retrievers.segments.structure import Structure

__all__ = [
    "FirstStage",
    "VectorStage",
    "WordStage",
    "build_structure",
    "build_words",
    "describe_vectors",
    "encode_texts",
    "open_live",
    "open_vectors",
    "open_words",
    "plan_first_stages",
    "plan_words",
    "search",
]

_INDEX = "index"


@dataclass(frozen=True, eq=False)
class WordStage:
    """A first stage of words: as the file says, and the step of its run."""

    wanted: RetrieveConfig
    search: Step

    @property
    def steps(self) -> list[Step]:
        """Its own steps, in order."""
        return [self.search]

    def __str__(self) -> str:
        first = self.wanted
        if first.index is not None:
            return f"LiveBM25({first.index!r}) % {first.k}"
        return f"BM25(k1={first.k1:g}, b={first.b:g}, variant={first.variant!r}) % {first.k}"


@dataclass(frozen=True, eq=False)
class VectorStage:
    """A first stage of vectors.

    Attributes
    ----------
    wanted : as the file says.
    search : the step of its run.
    encode : the step that encodes the texts.
    build : the step that builds the structure, where it needs anything built.
    encoder : what reads the texts.
    structure : how the vectors are searched.
    """

    wanted: RetrieveConfig
    search: Step
    encode: Step
    build: Step | None
    encoder: Encoder[Any]
    structure: Structure[Any]

    @property
    def retriever(self) -> type[SegmentedRetriever[Any]]:
        """The class of its indexes."""
        return vector_retriever(self.wanted.kind)

    @property
    def steps(self) -> list[Step]:
        """Its own steps, in order."""
        return [step for step in (self.encode, self.build, self.search) if step is not None]

    def __str__(self) -> str:
        first = self.wanted
        said = repr(first.encoder) + (f", {first.structure}" if first.structure else "")
        return f"{self.retriever.__name__}({said}) % {first.k}"


FirstStage: TypeAlias = WordStage | VectorStage
"""What finds candidates, and its steps."""


def plan_words(config: ExperimentConfig, hashes: Mapping[str, str]) -> Step | None:
    """The step of the inverted index, where anything needs one."""
    if all(first.kind != "bm25" for first in config.retrieve) and not config.rankers:
        return None
    inputs = {"corpus": hashes["corpus"], **config.index.model_dump()}
    return make_step("index", "index", ("corpus",), inputs)


def plan_first_stages(
    config: ExperimentConfig, hashes: Mapping[str, str], words: Step | None
) -> tuple[FirstStage, ...]:
    """The steps of every first stage.

    Parameters
    ----------
    hashes : of the data files, by their roles.
    words : the step of the inverted index.
    """
    judged = {"queries": hashes["queries"], "qrels": hashes["qrels"]}
    stages: list[FirstStage] = []
    for wanted in config.retrieve:
        if wanted.of_vectors:
            stages.append(_plan_vectors(config, wanted, hashes, judged))
        elif wanted.index is not None:
            # Its manifest names every file with its checksum.
            manifest = config.path(wanted.index) / MANIFEST
            if not manifest.is_file():
                raise DataError("no index", expected=f"a folder with a {MANIFEST}", path=manifest)
            inputs = {"index": hash_file(manifest), **judged, **_given(wanted), "k": wanted.k}
            stages.append(WordStage(wanted, _search_step(wanted, wanted.index, inputs)))
        elif words is not None:
            given = wanted.model_dump(include={"k", "k1", "b", "variant"})
            inputs = {"index": words.key, **judged, **given}
            stages.append(WordStage(wanted, _search_step(wanted, "index", inputs)))
    return tuple(stages)


def _given(wanted: RetrieveConfig) -> dict[str, Any]:
    """The parameters of BM25 that the file sets."""
    return wanted.model_dump(include={"k1", "b", "variant"} & wanted.model_fields_set)


def _plan_vectors(
    config: ExperimentConfig,
    wanted: RetrieveConfig,
    hashes: Mapping[str, str],
    judged: Mapping[str, str],
) -> VectorStage:
    retriever = vector_retriever(wanted.kind)
    encoder = described_encoder(str(wanted.encoder), retriever.vectors.name, base=config.base)
    structure = retriever.default_structure()
    encode = make_step(
        "encode",
        f"encode {wanted.name}",
        ("corpus",),
        {
            "corpus": hashes["corpus"],
            "kind": wanted.kind,
            "encoder": encoder.identity,
            "fields": config.index.fields,
        },
    )
    build, source = None, encode
    if wanted.structure is not None:
        structure = described_structure(wanted.structure)
    if structure != retriever.default_structure():
        inputs = {"encoded": encode.key, "structure": repr(structure)}
        build = make_step("build", f"build {wanted.name}", (encode.label,), inputs)
        source = build
    search = _search_step(
        wanted, source.label, {"index": source.key, **judged, "kind": wanted.kind, "k": wanted.k}
    )
    return VectorStage(wanted, search, encode, build, encoder, structure)


def _search_step(wanted: RetrieveConfig, index: str, inputs: Mapping[str, Any]) -> Step:
    label = f"retrieve {wanted.name}"
    return make_step("retrieve", label, (index, "queries", "qrels"), inputs)


def build_words(config: ExperimentConfig, collection: Collection, folder: Path) -> None:
    """Index the words of the documents into a step's folder."""
    BM25.build(
        collection.corpus,
        folder / _INDEX,
        fields=config.index.fields,
        analyzer=config.index.analyzer,
    )


def open_words(wanted: RetrieveConfig, folder: Path) -> BM25:
    """The inverted index of a finished step, with the parameters of a first stage."""
    return BM25.open(folder / _INDEX, k1=wanted.k1, b=wanted.b, variant=wanted.variant)


def open_live(config: ExperimentConfig, wanted: RetrieveConfig) -> LiveBM25:
    """The living index of a first stage, as it is now."""
    return LiveBM25.open(config.path(str(wanted.index)), **_given(wanted))


def encode_texts(
    config: ExperimentConfig, stage: VectorStage, collection: Collection, folder: Path
) -> None:
    """Encode the documents into a step's folder, as an index that compares with all."""
    stage.retriever.build(
        collection.corpus, folder / _INDEX, encoder=stage.encoder, fields=config.index.fields
    )


def build_structure(stage: VectorStage, encoded: Path, folder: Path) -> None:
    """Build the structure of a first stage from vectors that are encoded already."""
    retriever = stage.retriever
    source = retriever.open(encoded / _INDEX, encoder=stage.encoder)
    if source.segments:
        retriever.from_vectors(
            source.document_ids.values,
            source.segments[0].vectors,
            folder / _INDEX,
            structure=stage.structure,
            encoder=stage.encoder,
        )
    else:
        retriever.build(
            [], folder / _INDEX, encoder=stage.encoder, structure=stage.structure, fields=["text"]
        )


def open_vectors(stage: VectorStage, folder: Path) -> SegmentedRetriever[Any]:
    """The index of vectors of a finished step."""
    return stage.retriever.open(folder / _INDEX, encoder=stage.encoder)


def search(stage: FirstStage, retriever: Retriever, collection: Collection, folder: Path) -> None:
    """Search with every query; writes the run and its cost into a step's folder."""
    wanted, queries = stage.wanted, collection.queries
    # The first call on a machine compiles, which is no cost of searching.
    retriever.search(queries.select(list(queries.ids)[:1]), k=wanted.k)
    run = retriever.search(queries, k=wanted.k)
    seconds = sum(cost.seconds for cost in run.costs)
    keep_run(run, folder, Cost(str(stage), seconds, len(run), len(run.document)))


def describe_vectors(stage: VectorStage, store: Store) -> dict[str, Any]:
    """What was encoded, as plain values: by what, how many texts, and how many were cut short."""
    index = open_vectors(stage, store.folder(stage.encode.kind, stage.encode.key))
    return {
        "encoder": repr(stage.encoder),
        "structure": repr(stage.structure),
        "documents": len(index),
        "dimension": index.dimension,
        "truncated": sum(int(part.facts["truncated"]) for part in index.manifest.segments),
    }
