"""The feature sets of the public learning-to-rank collections, over your own collection.

LETOR 4.0 (46 features; Qin and Liu 2013) and MSLR-WEB (136; Qin and Liu 2010), column by column in
their order and under their names: a ranker or a test that was made for them fits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.features.base import BoundFeature, Feature
from plackett.features.candidates import Candidates
from plackett.features.custom import Part, column_feature, constant_feature, function_feature
from plackett.features.scaling import Scaling
from plackett.features.statistics import index_of
from plackett.features.streams import (
    FAMILIES,
    STREAMS,
    WHOLE,
    StreamParameters,
    Streams,
    stream_feature,
)

__all__ = ["LETOR_DOCUMENT", "MSLR_DOCUMENT", "PublicSets"]

Columns = Mapping[str, "str | Callable[[Candidates], Any]"]
Fields = Mapping[str, "str | Sequence[str]"]
Made = TypeVar("Made", bound="PublicSets")

SLASHES, URL_LENGTH = "Number of slash in URL", "Length of URL"
URL_PARTS: dict[str, Part] = {SLASHES: "slashes", URL_LENGTH: "characters"}

LETOR_FAMILIES = {
    "TF": "sum of term frequency",
    "IDF": "IDF",
    "TF*IDF": "sum of tf*idf",
    "DL": "stream length",
    "BM25": "BM25",
    "LMIR.ABS": "LMIR.ABS",
    "LMIR.DIR": "LMIR.DIR",
    "LMIR.JM": "LMIR.JM",
}
LETOR_DOCUMENT = (
    "PageRank",
    "Inlink number",
    "Outlink number",
    SLASHES,
    URL_LENGTH,
    "Number of child page",
)
MSLR_DOCUMENT = (
    SLASHES,
    URL_LENGTH,
    "Inlink number",
    "Outlink number",
    "PageRank",
    "SiteRank",
    "QualityScore",
    "QualityScore2",
    "Query-url click count",
    "url click count",
    "url dwell time",
)


class PublicSets(ABC):
    """The constructors of public feature sets, `letor` and `mslr`, of a `FeatureSet`."""

    @abstractmethod
    def __init__(
        self,
        features: Sequence[BoundFeature],
        index: Any,
        *,
        normalise: Scaling = "none",
        threads: int | None = None,
    ) -> None: ...

    @classmethod
    def letor(
        cls: type[Made],
        index: Any,
        *,
        fields: Fields | None = None,
        url: str | None = None,
        columns: Columns | None = None,
        parameters: StreamParameters | None = None,
        names: Iterable[str] | None = None,
        normalise: Scaling = "query_minmax",
        threads: int | None = None,
    ) -> Made:
        """The 46 features of LETOR 4.0 (MQ2007, MQ2008), scaled inside each query as they are.

        TF, IDF, TF*IDF, DL, BM25, LMIR.ABS, LMIR.DIR and LMIR.JM of body, anchor, title, URL and
        whole document (`"BM25 of title"`), then PageRank, in-links, out-links, slashes and length
        of the URL, and child pages. What you do not have is 0.

        Parameters
        ----------
        index : an `InvertedIndex` with forward tokens, or a `BM25`.
        fields : the field, or fields, of each stream: `{"body": "text", "title": "title"}`. By
            default a field that is called "body", "anchor", "title" or "url" makes up that stream,
            and "text" the body where no field is called so. The whole document is all fields.
        url : the column of the run's corpus that holds the URL's text.
        columns : `{"PageRank": "pagerank"}`: the numeric column of the run's corpus, or the
            function `candidates -> numbers`, of each document-level feature that you have.
        parameters : the formulas' constants.
        names : take only these of the set's columns.
        normalise : "query_minmax", as the collection's files are, or another of `FeatureSet`'s.
        threads : as for `FeatureSet`.

        Raises
        ------
        UnknownNameError : no such stream, field, document-level feature or column of the set.

        >>> import tempfile
        >>> from plackett.data.texts import Corpus
        >>> from plackett.features import FeatureSet
        >>> from plackett.retrievers.bm25 import BM25
        >>> corpus = Corpus.from_records([{"id": "d1", "title": "wings", "text": "lift of a wing"}])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     features = FeatureSet.letor(BM25.build(corpus, folder))
        >>> len(features), features.names[0], features.names[22]
        (46, 'TF of body', 'BM25 of title')
        """
        source, streams = _opened(index, fields, parameters)
        made = [
            # Scaled like the others, as in the published files: the same for a query, thus 0.
            stream_feature(f"{short} of {shown}", streams, family, stream, "document")
            for short, family in LETOR_FAMILIES.items()
            for stream, shown in zip((*STREAMS, WHOLE), _LETOR_STREAMS, strict=True)
        ]
        made += _document_features(LETOR_DOCUMENT, url, columns or {})
        chosen = _chosen(made, names)
        return cls(chosen, source, normalise=normalise, threads=threads)

    @classmethod
    def mslr(
        cls: type[Made],
        index: Any,
        *,
        fields: Fields | None = None,
        url: str | None = None,
        columns: Columns | None = None,
        parameters: StreamParameters | None = None,
        names: Iterable[str] | None = None,
        normalise: Scaling = "none",
        threads: int | None = None,
    ) -> Made:
        """The 136 features of MSLR-WEB30K and WEB10K, raw as they are there.

        Of body, anchor, title, url and whole document: covered query terms and their ratio, stream
        length, IDF; sum, min, max, mean and variance of term frequency, of term frequency by stream
        length, and of tf*idf; boolean model, vector space model, BM25 and three language models
        (`"LMIR.DIR of title"`). Then URL, links, PageRank, SiteRank, quality and clicks. What you
        do not have is 0.

        Parameters
        ----------
        index, fields, url, columns, parameters, names, threads : as for `letor`.
        normalise : as for `FeatureSet`.

        Raises
        ------
        UnknownNameError : no such stream, field, document-level feature or column of the set.

        >>> import tempfile
        >>> from plackett.data.texts import Corpus, Queries
        >>> from plackett.features import FeatureSet
        >>> from plackett.retrievers.bm25 import BM25
        >>> corpus = Corpus.from_records([{"id": "d1", "title": "wings", "text": "lift of a wing"}])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     bm25 = BM25.build(corpus, folder)
        ...     run = bm25.search(Queries.from_texts({"q1": "wing lift"}), k=10)
        ...     features = FeatureSet.mslr(bm25).extract(run)
        >>> features.shape, features.feature_names[22], features.X[0, 20:25].tolist()
        ((1, 136), 'sum of term frequency of title', [2.0, 0.0, 1.0, 0.0, 3.0])
        """
        source, streams = _opened(index, fields, parameters)
        made = [
            stream_feature(f"{family.name} of {stream}", streams, family.name, stream, family.level)
            for family in FAMILIES
            for stream in (*STREAMS, WHOLE)
        ]
        made += _document_features(MSLR_DOCUMENT, url, columns or {})
        chosen = _chosen(made, names)
        return cls(chosen, source, normalise=normalise, threads=threads)


_LETOR_STREAMS = ("body", "anchor", "title", "URL", WHOLE)


def _opened(
    index: Any, fields: Fields | None, parameters: StreamParameters | None
) -> tuple[Any, Streams]:
    source = index_of(index)
    return source, Streams.of(source.fields, fields, parameters or StreamParameters())


def _document_features(known: Sequence[str], url: str | None, columns: Columns) -> list[Feature]:
    """The features of the document alone: from a column, a function, or 0."""
    for name in columns:
        if name not in known:
            raise UnknownNameError("document-level feature of this set", name, known)
    made = []
    for name in known:
        source = columns.get(name)
        if source is not None and url is not None and name in URL_PARTS:
            raise ConfigurationError(f"url={url!r} and columns[{name!r}]; expected one of them.")
        if isinstance(source, str):
            made.append(column_feature(name, column=source))
        elif source is not None:
            made.append(function_feature(name, source, f"{name}, from a function"))
        elif url is not None and name in URL_PARTS:
            made.append(column_feature(name, column=url, part=URL_PARTS[name]))
        else:
            made.append(constant_feature(name, f"{name}, which this collection lacks"))
    return made


def _chosen(made: list[Feature], names: Iterable[str] | None) -> list[BoundFeature]:
    """All features, or those named, in the order of the names."""
    by_name = {feature.name: feature for feature in made}
    wanted = tuple(by_name) if names is None else tuple(names)
    for name in wanted:
        if name not in by_name:
            raise UnknownNameError("column of this set", name, tuple(by_name))
    return [BoundFeature(by_name[name]) for name in wanted]
