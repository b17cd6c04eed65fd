"""The sections of an experiment file: their keys, their defaults, what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from plackett._registry import read_call
from plackett.encoders import encoder_names
from plackett.errors import ConfigurationError, PlackettError, UnknownNameError
from plackett.features import registry as features
from plackett.fusion import Fusion, fusion_grid, fusion_methods, parse_fusion
from plackett.fusion.run_normalisation import Normalisation
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
from plackett.retrievers.descriptions import described_structure
from plackett.retrievers.living.live_facts import KIND as LIVE
from plackett.retrievers.opening import vector_retriever
from plackett.retrievers.segments.structure import chosen_structure

__all__ = [
    "CollectionConfig",
    "CompareConfig",
    "FeaturesConfig",
    "FoldsConfig",
    "FusionConfig",
    "IndexConfig",
    "PipelineConfig",
    "RankerConfig",
    "RerankerConfig",
    "RetrieveConfig",
    "Section",
]

TUNED_METHODS = ("rrf", "comb_sum", "comb_mnz")
TUNED_SCALES = ("min_max", "z_score")


class Section(BaseModel):
    """What every section keeps to: no unknown keys, no guessed types, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _named(name: str) -> str:
    """A name that can stand in a table and name a file."""
    if not name or name.startswith(".") or not all(c.isalnum() or c in "_-.+" for c in name):
        raise ValueError(f"{name!r} cannot name a file; use letters, digits, _ - . and +")
    return name


def as_value_error(check: Callable[[], object]) -> None:
    """Turn plackett's own complaint into one that the validation collects with all others."""
    try:
        check()
    except PlackettError as error:
        raise ValueError(str(error)) from error


Name = Annotated[str, AfterValidator(_named)]


class CollectionConfig(Section):
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


class IndexConfig(Section):
    """How texts become an index: the analyzer's name, and the text fields (all by default)."""

    analyzer: str = "english"
    fields: tuple[str, ...] | None = Field(default=None, strict=False)

    @field_validator("analyzer")
    @classmethod
    def _known(cls, analyzer: str) -> str:
        as_value_error(lambda: get_analyzer(analyzer))
        return analyzer


class RetrieveConfig(Section):
    """A first stage: what the report calls it, its kind, its depth and its parameters.

    Kind "bm25" takes `k1`, `b` and `variant`. Kind "live-bm25" takes `index`, the folder of an
    index that lives (from the file's folder), which is searched as it is when the experiment runs,
    and any of the three to change what it was built with. Kinds of vectors, "dense", "sparse" and
    "multivector", take `encoder`, the folder of a model (from the file's folder) or a description
    such as `TransformerEncoder('path', pooling='mean')`, and `structure`, how the vectors are
    searched: compared with all, unless it says `HNSW(links=32)`, say.
    """

    name: Name = "bm25"
    kind: str = "bm25"
    k: int = Field(default=1000, ge=1)
    k1: float = 1.2
    b: float = 0.75
    variant: str = "lucene"
    encoder: str | None = None
    structure: str | None = None
    index: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _named_by_kind(cls, content: Any) -> Any:
        if isinstance(content, dict) and "name" not in content and "kind" in content:
            return {**content, "name": content["kind"]}
        return content

    @model_validator(mode="after")
    def _fits_its_kind(self) -> RetrieveConfig:
        words = not self.of_vectors
        refused = {"encoder", "structure"} if words else {"k1", "b", "variant"}
        if self.kind != LIVE:
            refused.add("index")
        elif self.index is None:
            raise ValueError(f"kind {LIVE!r} needs an index: the folder of one that lives")
        wrong = sorted(refused & self.model_fields_set)
        if wrong:
            raise ValueError(f"{wrong[0]} is not for a first stage of kind {self.kind!r}")
        as_value_error(self._check_words if words else self._check_vectors)
        return self

    def _check_words(self) -> None:
        Weighting(self.variant, self.k1, self.b)

    def _check_vectors(self) -> None:
        retriever = vector_retriever(self.kind)
        if self.encoder is None:
            raise ConfigurationError(f"kind {self.kind!r} needs an encoder: a model's folder")
        if "(" in self.encoder:
            call = read_call(self.encoder)
            if call is None:
                raise ConfigurationError(
                    f"encoder {self.encoder!r}; expected a folder, or a name and literal values, "
                    "such as TransformerEncoder('path')"
                )
            if call.name not in encoder_names():
                raise UnknownNameError("encoder", call.name, encoder_names())
        if self.structure is not None:
            chosen_structure(
                described_structure(self.structure), retriever.vectors.name, retriever.__name__
            )

    @property
    def of_vectors(self) -> bool:
        """Whether it compares vectors, not words."""
        return self.kind not in ("bm25", LIVE)


class FusionConfig(Section):
    """One run from several first stages: how the report calls it, of which, and how.

    `method` is a name, or a name with values: `rrf`, `rrf(k=10)`. Where `tuned` is true the
    judgments choose method, normalisation and weights (`method` and `normalise` then narrow the
    choice), by cross-validation over queries, with the folds of the rankers: each query is fused as
    the other folds' queries prefer.
    """

    name: Name
    of: tuple[str, ...] = Field(strict=False)
    method: str | None = None
    normalise: str | None = None
    weights: tuple[float, ...] | None = Field(default=None, strict=False)
    depth: int | None = Field(default=None, ge=1)
    k: int = Field(default=1000, ge=1)
    tuned: bool = False
    measure: str | None = None

    @model_validator(mode="after")
    def _possible(self) -> FusionConfig:
        if not self.of:
            raise ValueError("name at least one run to fuse")
        if self.weights is not None and len(self.weights) != len(self.of):
            raise ValueError(f"{len(self.weights)} weights for {len(self.of)} runs")
        if self.tuned and self.weights is not None:
            raise ValueError("a tuned fusion chooses its weights; leave them out")
        if not self.tuned and self.measure is not None:
            raise ValueError("measure is for a tuned fusion")
        if self.measure is not None:
            measure = self.measure
            as_value_error(lambda: parse_measures(measure))
        as_value_error(self.candidates if self.tuned else self.fusion)
        return self

    def fusion(self) -> Fusion:
        """The fusion that is not tuned."""
        return parse_fusion(
            self.method or "rrf",
            normalise=self.normalise,
            weights=self.weights,
            depth=self.depth,
        )

    def candidates(self) -> list[Fusion]:
        """What a tuned fusion may choose from."""
        if self.method is not None and self.method not in fusion_methods():
            raise UnknownNameError("fusion", self.method, fusion_methods())
        methods = TUNED_METHODS if self.method is None else (self.method,)
        scales = TUNED_SCALES if self.normalise is None else (self.normalise,)
        found = fusion_grid(
            len(self.of),
            methods=methods,
            normalisations=cast("tuple[Normalisation, ...]", scales),
            depth=self.depth,
        )
        if not found:
            raise ConfigurationError(f"method {self.method!r} does not take {self.normalise!r}")
        return found


class FeaturesConfig(Section):
    """Which features describe a document for a query; all lexical ones by default.

    `candidates` names the first stage or the fusion whose documents the rankers re-rank, by default
    the first one. `scores` names first stages of vectors, whose score for each candidate becomes a
    feature, whichever stage found it.
    """

    names: tuple[str, ...] | None = Field(default=None, strict=False)
    candidates: str | None = None
    scores: tuple[str, ...] = Field(default=(), strict=False)
    normalise: Literal["none", "query_minmax", "query_zscore"] = "none"

    @field_validator("names")
    @classmethod
    def _known(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        # Before a dot stands a field, which only the index knows.
        as_value_error(lambda: [features.get(name.rpartition(".")[2]) for name in names or ()])
        return names


class RankerConfig(Section):
    """One ranker: how the report calls it, its kind, and its parameters."""

    name: Name
    kind: str
    parameters: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> RankerConfig:
        as_value_error(
            lambda: registry.get(self.kind)().set_params(**self.parameters).check_parameters()
        )
        return self


class RerankerConfig(Section):
    """A re-ranker of texts, which pipelines use by its name.

    `reranker` describes it: `word-overlap`, `cross-encoder(model='models/mine')`. Paths in it start
    from the working folder.
    """

    name: Name
    reranker: str

    @field_validator("reranker")
    @classmethod
    def _known(cls, reranker: str) -> str:
        as_value_error(lambda: parse_reranker(reranker))
        return reranker


class PipelineConfig(Section):
    """A pipeline of the first stages, the fusions, the rankers and the re-rankers, by their names.

    `stages = "bm25 % 100 >> linear % 20 >> cross"`; rankers score with the models that never saw
    the query, as they do alone. `(bm25 % 100 | dense % 100) >> rrf % 50` fuses what a union found:
    every method of fusion is a stage, unless a system has its name.
    """

    name: Name
    stages: str


class FoldsConfig(Section):
    """Cross-validation over queries: each fold is ranked by a model that never saw its queries.

    `validation` is the share of the other queries that is held out for early stopping.
    """

    k: int = Field(default=5, ge=2)
    seed: int = Field(default=0, ge=0)
    validation: float = Field(default=0.2, ge=0, lt=1)


class CompareConfig(Section):
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
        as_value_error(lambda: parse_measures(measures))
        return measures

    @field_validator("test")
    @classmethod
    def _known_test(cls, test: str) -> str:
        if test not in ALL_AT_ONCE:
            as_value_error(lambda: get_test(test))
        return test

    @field_validator("correction")
    @classmethod
    def _known_correction(cls, correction: str) -> str:
        as_value_error(lambda: get_correction(correction))
        return correction
