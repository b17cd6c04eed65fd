"""What an index of cross-encoder scores keeps besides the scores: its anchors."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import DenseEncoder, Encoded, Kind, PairScorer, check_texts
from plackett.encoders.cache import Entry, VectorCache
from plackett.errors import ConfigurationError, CorruptFileError, DataError

__all__ = ["AnchorScores", "Anchors", "checked_scores"]

Floats = npt.NDArray[np.float32]
# So many pairs are given to the scorer at a time; a build that is killed loses no more.
PAIRS = 16_384


@dataclass(frozen=True, eq=False)
class Anchors:
    """The queries that all documents were scored for, and the documents all queries are scored for.

    Parameters
    ----------
    queries : m texts.
    ids, documents : of a documents, as they were when the index was built.
    scores : `float32[m, a]`.
    """

    queries: tuple[str, ...]
    ids: tuple[str, ...]
    documents: tuple[str, ...]
    scores: Floats

    def facts(self) -> dict[str, Any]:
        """The anchors as plain values."""
        held = np.ascontiguousarray(self.scores, dtype="<f4").tobytes()
        return {
            "queries": list(self.queries),
            "ids": list(self.ids),
            "documents": list(self.documents),
            "scores": base64.b64encode(held).decode(),
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any], path: Any) -> Anchors:
        """What `facts` gave, read back.

        Raises
        ------
        CorruptFileError : a part is missing, or the parts do not fit together.
        """
        try:
            queries, ids = tuple(facts["queries"]), tuple(facts["ids"])
            documents = tuple(facts["documents"])
            held = np.frombuffer(base64.b64decode(facts["scores"], validate=True), dtype="<f4")
            scores = held.reshape(len(queries), len(documents)).astype(np.float32)
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise CorruptFileError(
                f"no anchors ({error})", remedy="build the index again", path=path
            ) from error
        if len(ids) != len(documents) or not np.isfinite(scores).all():
            raise CorruptFileError(
                f"{len(ids)} ids of {len(documents)} anchors, or scores that are no numbers",
                remedy="build the index again",
                path=path,
            )
        return cls(queries, ids, documents, scores)


def checked_scores(
    scorer: PairScorer, queries: Sequence[str], documents: Sequence[str]
) -> Encoded[Floats]:
    """The scores of pairs, one a pair and all finite.

    Raises
    ------
    DataError : they are not.
    """
    read = scorer.score(queries, documents)
    scores = np.asarray(read.values, dtype=np.float32)
    if scores.shape != (len(queries),) or not np.isfinite(scores).all():
        found = f"scores of shape {scores.shape} from {scorer!r}"
        if scores.shape == (len(queries),):
            found = f"a score of {scores[~np.isfinite(scores)][0]} from {scorer!r}"
        raise DataError(found, expected=f"{len(queries)} finite numbers")
    return Encoded(scores, read.tokens, read.truncated)


class AnchorScores(DenseEncoder):
    """Documents to vectors: the scores that a cross-encoder gives them for the anchor queries.

    Two documents with near vectors are alike to the cross-encoder. A query's vector, in the same
    space, is a mixture (see `mixture`), which needs documents to be found, so that `encode` takes
    documents only.

    Parameters
    ----------
    scorer : the cross-encoder.
    queries : m anchor queries.
    cache : scores by text are kept there as they come, so that a build goes on where it stopped.

    Raises
    ------
    ConfigurationError : no queries.
    """

    def __init__(
        self, scorer: PairScorer, queries: Sequence[str], cache: VectorCache | None = None
    ) -> None:
        self.scorer, self.queries, self.cache = scorer, check_texts(queries, "query"), cache
        if not self.queries:
            raise ConfigurationError("no anchor queries; expected 1 or more, best hundreds.")

    @property
    def identity(self) -> str:
        """That of the cross-encoder, and a digest of the queries."""
        digest = hashlib.sha256("\0".join(self.queries).encode("utf-8", "surrogatepass"))
        return f"{self.scorer.identity}:anchor queries {digest.hexdigest()[:16]}"

    @property
    def dimension(self) -> int:
        """m, the number of anchor queries."""
        return len(self.queries)

    def encode_all(self, texts: Sequence[str], kind: Kind = "document") -> Encoded[Floats]:
        """Score each text for every anchor query: `float32[n, m]`.

        Raises
        ------
        ConfigurationError : `kind` is not "document".
        DataError : a text is no string, or a score no finite number.
        """
        if kind != "document":
            raise ConfigurationError("anchor scores are those of documents, not of queries.")
        checked = check_texts(texts)
        distinct = list(dict.fromkeys(checked))
        known: dict[str, Entry] = {}
        if self.cache is not None:
            known = self.cache.get_many(self.identity, distinct)
        missing = [text for text in distinct if text not in known]
        size = max(1, PAIRS // len(self.queries))
        for start in range(0, len(missing), size):
            part = self._scored(missing[start : start + size])
            if self.cache is not None:
                self.cache.put_many(self.identity, part)
            known.update(part)
        rows = [known[text] for text in checked]
        values = np.stack([row[0][0] for row in rows]) if rows else np.zeros((0, self.dimension))
        return Encoded(
            values.astype(np.float32, copy=False),
            np.array([row[1] for row in rows], dtype=np.int64),
            np.array([row[2] for row in rows], dtype=bool),
        )

    def _scored(self, texts: list[str]) -> dict[str, Entry]:
        m = len(self.queries)
        read = checked_scores(
            self.scorer, self.queries * len(texts), [text for text in texts for _ in range(m)]
        )
        shape = (len(texts), m)
        scores, tokens = read.values.reshape(shape), read.tokens.reshape(shape).sum(axis=1)
        cut: npt.NDArray[np.bool_] = np.logical_or.reduce(read.truncated.reshape(shape), axis=1)
        return {text: ((scores[i],), int(tokens[i]), bool(cut[i])) for i, text in enumerate(texts)}

    def __repr__(self) -> str:
        return f"AnchorScores({self.scorer!r}, {len(self.queries)} queries)"
