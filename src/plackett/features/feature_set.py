"""`FeatureSet`: named features over an index, and their values for a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from plackett.data.dataset import RankingDataset
from plackett.data.formats.columns import DatasetColumns
from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.features.base import BoundFeature
from plackett.features.batches import batches, lists_of
from plackett.features.candidates import Candidates, QueryTerms
from plackett.features.custom import column_feature, function_feature
from plackett.features.grading import grades_of, texts_of
from plackett.features.part_scores import part_features
from plackett.features.public_sets import PublicSets
from plackett.features.registry import get, names
from plackett.features.reopening import reopened
from plackett.features.saving import read_schema, write_schema
from plackett.features.scaling import SCALINGS, Scaling, scaled
from plackett.features.statistics import Statistics, index_of

__all__ = ["FEEDBACK", "LEXICAL", "LEXICAL_BY_FIELD", "FeatureSet"]

LEXICAL = (
    "bm25",
    "ql_dirichlet",
    "ql_jelinek_mercer",
    "dph",
    "pl2",
    "cosine",
    "idf_coverage",
    "tf_share",
    "log_length",
    "ordered_pairs",
    "unordered_pairs",
    "term_proximity",
    "window_coverage",
)
FEEDBACK = ("rm3", "centroid_5", "centroid_10", "top_similarity", "neighbour_bm25")
LEXICAL_BY_FIELD = ("bm25", "idf_coverage")
# Raw counts: of a field they add more columns than all the rest, and to few queries more noise.
SUMMARIES = (
    *(f"tf_{summary}" for summary in ("sum", "min", "max", "mean", "variance")),
    *(f"tf_idf_{summary}" for summary in ("sum", "min", "max", "mean", "variance")),
    *(f"tf_share_{summary}" for summary in ("sum", "min", "max", "variance")),
    "tf_share",
)
# Inside a query these differ from another feature by a factor only.
SCALED_ALIKE = ("covered_terms", "tf_idf_sum", "tf_share_sum", "tf_sum")

ROWS_AT_ONCE = 1 << 17
MOST_THREADS = 8


class FeatureSet(PublicSets):
    """Features of queries and documents, in a fixed order, computed from an index.

    Made by `lexical` (a set that works well), `full`, `letor` or `mslr` (sets of the public
    collections), `of` (features by name) or `load`; `+`, `with_column`, `with_function`,
    `with_scores` and `with_parts` add to one. A set never changes.

    Parameters
    ----------
    features : definitions, in the order of the columns.
    index : an `InvertedIndex` with forward tokens, or a `BM25`, which has one.
    normalise : "none", or scale each feature inside each query: "query_minmax" to [0, 1],
        "query_zscore" to mean 0 and standard deviation 1. Features of the query alone are left as
        they are. Scaled values depend on the run's other rows, so train and apply at one depth.
    threads : how many threads compute; by default all cores, at most 8. The values are the same.

    Missing values: features of the index and of the run always have a value (0, or what the formula
    gives, for an empty document or a query without known terms); a column of the corpus, a score
    of vectors or of a part is NaN where the document has none. The dataset's policy is "nan".

    >>> import tempfile
    >>> from plackett.data.texts import Corpus, Queries
    >>> from plackett.retrievers.bm25 import BM25
    >>> corpus = Corpus.from_texts({"d1": "lift of a wing", "d2": "heat transfer", "d3": "wing"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bm25 = BM25.build(corpus, folder)
    ...     run = bm25.search(Queries.from_texts({"q1": "wing lift"}), k=10)
    ...     FeatureSet.of(["coverage", "phrase"], bm25).extract(run).X
    array([[1. , 0.5],
           [0.5, 0.5]], dtype=float32)
    """

    def __init__(
        self,
        features: Sequence[BoundFeature],
        index: Any,
        *,
        normalise: Scaling = "none",
        threads: int | None = None,
    ) -> None:
        if normalise not in SCALINGS:
            raise UnknownNameError("normalisation", str(normalise), SCALINGS)
        if threads is not None and threads < 1:
            raise ConfigurationError(f"threads={threads}; expected 1 or more, or None.")
        self.features, self.index = tuple(features), index_of(index)
        self.normalise: Scaling = normalise
        self.threads = threads
        self._statistics: Statistics | None = None
        names = [feature.name for feature in self.features]
        if not names:
            raise ConfigurationError("a feature set without features; name at least one.")
        for name in names:
            if names.count(name) > 1:
                raise ConfigurationError(f"feature {name!r} twice in one set; leave one out.")
        for feature in self.features:
            if feature.field is not None and feature.field not in self.index.fields:
                raise UnknownNameError("field of the index", feature.field, self.index.fields)

    @classmethod
    def lexical(
        cls,
        index: Any,
        *,
        fields: Iterable[str] | None = None,
        names: Iterable[str] | None = None,
        feedback: bool = True,
        normalise: Scaling = "none",
        threads: int | None = None,
    ) -> FeatureSet:
        """The features that make learned rankers clearly better than BM25 alone.

        Parameters
        ----------
        index : an `InvertedIndex` with forward tokens, or a `BM25`.
        fields : also `bm25` and `idf_coverage` on each of these fields; by default on every field
            of an index that has more than one. `()` for none.
        names : take only these of the set's columns.
        feedback : with features of pseudo-relevance feedback, which help most.
        normalise, threads : as for `FeatureSet`.
        """
        source = index_of(index)
        if fields is None:
            fields = source.fields if len(source.fields) > 1 else ()
        columns = [*LEXICAL, *(FEEDBACK if feedback else ())]
        columns += [f"{field}.{name}" for field in fields for name in LEXICAL_BY_FIELD]
        if names is not None:
            wanted = tuple(names)
            for name in wanted:
                if name not in columns:
                    raise UnknownNameError("column of this lexical set", name, columns)
            columns = list(wanted)
        return cls.of(columns, source, normalise=normalise, threads=threads)

    @classmethod
    def full(
        cls,
        index: Any,
        *,
        fields: Iterable[str] | None = None,
        normalise: Scaling = "none",
        threads: int | None = None,
    ) -> FeatureSet:
        """Every feature that the index can tell of the document, and the scores of each field.

        63 columns, and 13 for each field: what `lexical` has, more models and parameters, the
        statistics of the MSLR collections over the whole document, rare terms, best passages,
        neighbours among the candidates, wider expansions. Scaled inside each query it leaves out
        the columns that are then equal to another one: 59, and 12 for each field. Statistics of
        each field too are in `mslr`.

        Parameters
        ----------
        index : an `InvertedIndex` with forward tokens, or a `BM25`.
        fields : which fields; by default all of an index that has more than one. `()` for none.
        normalise, threads : as for `FeatureSet`.
        """
        source = index_of(index)
        if fields is None:
            fields = source.fields if len(source.fields) > 1 else ()
        # Counting pairs in the whole collection takes longer than all the rest; spans take one more
        # pass over the candidates' tokens.
        known = [
            feature
            for feature in map(get, names())
            if feature.kind == "index"
            and not {"pairs", "spans"} & set(feature.needs)
            and not (normalise != "none" and feature.name in SCALED_ALIKE)
        ]
        columns = [feature.name for feature in known]
        by_field = [one.name for one in known if one.by_field and one.name not in SUMMARIES]
        columns += [f"{field}.{name}" for field in fields for name in by_field]
        return cls.of(columns, source, normalise=normalise, threads=threads)

    @classmethod
    def of(
        cls,
        names: Iterable[str],
        index: Any,
        *,
        normalise: Scaling = "none",
        threads: int | None = None,
    ) -> FeatureSet:
        """Features by name: "bm25", or "title.bm25" for one field.

        Raises
        ------
        UnknownNameError : no feature, or no field of the index, has the name.
        """
        if isinstance(names, str):
            raise ConfigurationError(f"names={names!r}; expected a list of names: [{names!r}].")
        features = []
        for name in names:
            field, dot, feature = name.rpartition(".")
            features.append(BoundFeature(get(feature if dot else name), field if dot else None))
        return cls(features, index, normalise=normalise, threads=threads)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(feature.name for feature in self.features)

    @property
    def schema(self) -> dict[str, Any]:
        """The definitions as JSON values: what a model's manifest or a report can hold."""
        return {
            "normalise": self.normalise,
            "missing": "nan",
            "features": [feature.schema() for feature in self.features],
        }

    def with_column(self, name: str, description: str = "") -> FeatureSet:
        """This set and a numeric column of the run's corpus, NaN where a document has no value."""
        return self._with(BoundFeature(column_feature(name, description)))

    def with_function(
        self, name: str, function: Callable[[Candidates], Any], description: str = ""
    ) -> FeatureSet:
        """This set and a function `candidates -> numbers`, one for each row of `candidates.run`.

        The function is called with whole queries at a time, on `Candidates`. It is not saved:
        `load` must be given it again.
        """
        return self._with(BoundFeature(function_feature(name, function, description)))

    def with_scores(self, name: str, source: Any, values: Iterable[str] = ("score",)) -> FeatureSet:
        """This set and what vectors say of every candidate, whatever stage found it.

        Parameters
        ----------
        name : of the source; the columns are `{name}_score` and so on.
        source : a `Dense`, `Sparse` or `LateInteraction` index, or an encoder, which reads the
            texts of the run's corpus at each extraction. It is not saved: `load` must be given it
            again.
        values : "score", "reciprocal_rank" (1 / rank among the query's candidates by that score)
            and "feedback" (product with the mean vector of the 5 best of them; not for token
            vectors). NaN, or rank 0, where the index lacks a document.

        Raises
        ------
        UnknownNameError : no such value. ConfigurationError : no such source.
        """
        from plackett.features.vector_scores import vector_features

        return self._with(*map(BoundFeature, vector_features(name, source, values)))

    def with_parts(self, names: Iterable[str]) -> FeatureSet:
        """This set, and the score and reciprocal rank of each part of the run of a union.

        `features.with_parts(["bm25", "dense"])` reads what `bm25 | dense` found, also behind stages
        that fused it. A document that a part did not find has the score NaN and the reciprocal
        rank 0.
        """
        return self._with(*map(BoundFeature, part_features(names)))

    def _with(self, *features: BoundFeature) -> FeatureSet:
        made = FeatureSet(
            (*self.features, *features), self.index, normalise=self.normalise, threads=self.threads
        )
        made._statistics = self._statistics
        return made

    def __add__(self, other: FeatureSet) -> FeatureSet:
        """The columns of both sets; they must share index and normalisation."""
        if not isinstance(other, FeatureSet):
            return NotImplemented
        if other.index is not self.index or other.normalise != self.normalise:
            raise ConfigurationError(
                "two feature sets over different indexes or with different normalisation; expected "
                "the same index object and the same normalise=."
            )
        return self._with(*other.features)

    def extract(
        self, run: Run, qrels: Qrels | None = None, *, queries: Queries | None = None
    ) -> RankingDataset:
        """The features of every row of `run`, in its order.

        Parameters
        ----------
        run : the candidates.
        qrels : their grades; a document that is unjudged, or of negative grade, has grade 0.
        queries : the query texts; those of the run by default.

        Raises
        ------
        DataError : a query has no text, or a document is not in the index.
        """
        texts = texts_of(run, queries)
        document = run.document_ids.map_to(self.index.document_ids)[run.document].astype(np.int64)
        if (document < 0).any():
            missing = run.document_ids[run.document[int(np.argmax(document < 0))]]
            raise DataError(
                f"document {missing!r} of run {run.name!r}, which the index lacks",
                expected="documents of the index the features read",
                remedy="build the features over the index of the run's collection",
            )
        if self._statistics is None:
            self._statistics = Statistics.of(self.index)
        X = np.empty((len(document), len(self.features)), dtype=np.float32)
        for first, last in batches(run.offsets, ROWS_AT_ONCE):
            rows = slice(int(run.offsets[first]), int(run.offsets[last]))
            self._fill(
                X[rows],
                Candidates(
                    lists_of(run, first, last),
                    texts[first:last],
                    self.index,
                    self._statistics,
                    document[rows],
                    QueryTerms.of(*self.index.encode_queries(texts[first:last])),
                    self.threads or min(MOST_THREADS, os.cpu_count() or 1),
                ),
            )
        return RankingDataset.from_columns(
            DatasetColumns(
                X,
                grades_of(run, qrels),
                run.query_ids,
                run.query[run.query_rows],
                run.document_ids,
                run.document,
                self.names,
            )
        )

    def _fill(self, X: npt.NDArray[np.float32], candidates: Candidates) -> None:
        for column, feature in enumerate(self.features):
            values = feature.values(candidates)
            if feature.definition.level == "document":
                values = scaled(values, candidates.run.offsets, self.normalise)
            X[:, column] = values

    def save(self, folder: str | Path) -> None:
        """Write the definitions into `features.json` in `folder`; a ranker's folder serves too."""
        write_schema(folder, self.schema)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        index: Any,
        *,
        functions: Mapping[str, Callable[[Candidates], Any]] | None = None,
        sources: Mapping[str, Any] | None = None,
        threads: int | None = None,
    ) -> FeatureSet:
        """Open a saved set over an index.

        Parameters
        ----------
        functions : the set's functions by name, which are not saved.
        sources : the indexes or encoders of `with_scores` by name, which are not saved either.

        Raises
        ------
        CorruptFileError : the file was cut, altered, or written by another format version.
        ConfigurationError : a feature has changed since it was saved, or a function or a source is
            missing, or is another.
        """
        saved = read_schema(folder)
        bound = [reopened(entry, functions or {}, sources or {}) for entry in saved["features"]]
        return cls(bound, index, normalise=cast("Scaling", saved["normalise"]), threads=threads)

    def __len__(self) -> int:
        return len(self.features)

    def __repr__(self) -> str:
        scaling = "" if self.normalise == "none" else f", normalise={self.normalise!r}"
        return f"FeatureSet({len(self)} features: {', '.join(self.names)}{scaling})"
