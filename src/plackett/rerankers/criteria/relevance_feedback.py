"""A few judged documents of a query put the rest of its candidates in a better order.

Baumgärtner, Ribeiro, Reimers & Gurevych, "Incorporating relevance feedback for information-seeking
retrieval using few-shot document re-ranking", EMNLP 2022.

What was judged is known already: it is left out of the result (residual collection), and whoever
measures must leave it out of the judgments too.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.encoders.base import DenseEncoder
from plackett.encoders.registry import parse_encoder
from plackett.encoders.transformer import TransformerEncoder
from plackett.errors import ConfigurationError, DataError
from plackett.rerankers.base import Outcome, TextReranker
from plackett.rerankers.criteria.feedback_data import Feedback, Feedbacks, read_feedback
from plackett.rerankers.ranked import Candidates, Ordering, ScoreKind
from plackett.rerankers.registry import describe, register

if TYPE_CHECKING:
    from plackett.rerankers.criteria.few_shot_torch import FewShotScorer

__all__ = [
    "FeedbackNeighbours",
    "FewShotCrossEncoder",
    "neighbour_scores",
]

Floats = npt.NDArray[np.float64]
Combine = Literal["sum", "max"]
Trained = Literal["bias", "head", "all"]


def neighbour_scores(
    query: npt.ArrayLike,
    documents: npt.ArrayLike,
    relevant: npt.ArrayLike,
    nonrelevant: npt.ArrayLike,
    *,
    combine: Combine = "sum",
    use_query: bool = True,
    negative: float = 0.0,
) -> Floats:
    """How near documents are to the query and to what is relevant, and far from what is not.

    s(d) = combine over {query} and relevant of cos(., d), minus `negative` times the same over the
    documents that are not relevant. With "sum" this is the dot product of d with one vector, as
    Rocchio's.

    Parameters
    ----------
    query : `float[d]`.
    documents, relevant, nonrelevant : `float[n, d]`, `float[r, d]`, `float[s, d]`; r, s may be 0.
    combine : "sum" or "max".
    use_query : whether the query is one of the neighbours; it is where nothing is relevant.
    negative : weight of what is not relevant.

    Returns
    -------
    `float64[n]`.

    >>> neighbour_scores([1, 0], [[1, 0], [0, 2]], [[0, 1]], [])
    array([1., 1.])
    """
    table, good = _unit(documents), _unit(relevant)
    bad = _unit(nonrelevant)
    asked = _unit(np.asarray(query, dtype=np.float64)[None])
    anchors = good if len(good) else asked
    if use_query and len(good):
        anchors = np.vstack([asked, good])
    if combine not in ("sum", "max"):
        raise ConfigurationError(f"combine={combine!r} is not one of sum, max.")
    gather = np.sum if combine == "sum" else np.max
    scores = gather(table @ anchors.T, axis=1)
    if negative and len(bad):
        scores = scores - negative * gather(table @ bad.T, axis=1)
    return np.asarray(scores, dtype=np.float64)


def _unit(rows: npt.ArrayLike) -> Floats:
    table = np.asarray(rows, dtype=np.float64)
    if table.size == 0:
        return np.zeros((0, 1))
    if table.ndim != 2 or not np.isfinite(table).all():
        raise DataError(f"vectors of shape {table.shape}", expected="rows of finite numbers")
    length = np.sqrt((table**2).sum(axis=1, keepdims=True))
    unit: Floats = np.divide(table, length, out=np.zeros_like(table), where=length > 0)
    return unit


class _WithFeedback(TextReranker):
    """Scores what is left of the candidates and puts it in order, alone or fused."""

    may_drop = True

    def __init__(self, feedback: Feedbacks | str, fusion: float | None) -> None:
        if fusion is not None and not fusion > 0:
            raise ConfigurationError(f"fusion={fusion}; expected a positive number, or None.")
        self.feedback, self.fusion = feedback, fusion
        self._judged = read_feedback(feedback) if isinstance(feedback, str) else feedback

    def _known(self, query: str, candidates: Candidates) -> Feedback:
        by_id = self._judged.get(candidates.query_id or "", Feedback())
        return self._judged.get(query, by_id)

    def _score(
        self, query: str, texts: Sequence[str], known: Feedback
    ) -> tuple[Floats, ScoreKind, int]:
        """Scores of texts, their kind, and how many were shortened."""
        raise NotImplementedError

    def _ordered(self, query: str, candidates: Candidates) -> Outcome:
        started = time.perf_counter()
        known = self._known(query, candidates)
        seen = {*known.relevant, *known.nonrelevant}
        left = [i for i, name in enumerate(candidates.ids) if name not in seen]
        if not left:
            return Outcome(Ordering(()))
        found, kind, truncated = self._score(query, [candidates.texts[i] for i in left], known)
        own = Ordering.by_scores(found, kind)
        if self.fusion is not None:
            fused = np.zeros(len(left))
            fused[list(own.order)] = 1.0 / (self.fusion + 1.0 + np.arange(len(left)))
            fused += 1.0 / (self.fusion + 1.0 + np.arange(len(left)))
            own = Ordering.by_scores(fused, "relative")
        scores = np.full(len(candidates), np.nan)
        scores[left] = np.asarray(own.scores)
        order = tuple(left[i] for i in own.order)
        seconds = time.perf_counter() - started
        ordering = Ordering(order, scores, own.score_kind)
        return Outcome(ordering, truncated=truncated, seconds=seconds)

    async def _order_many(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        outcomes = []
        for query, given in zip(queries, candidates, strict=True):
            outcomes.append(await asyncio.to_thread(self._ordered, query, given))
            self._tell(outcomes[-1])
        return outcomes

    def __repr__(self) -> str:
        return describe(self)


@register("feedback-neighbours")
class FeedbackNeighbours(_WithFeedback):
    """Near the query and the relevant documents, by their vectors: see `neighbour_scores`.

    Parameters
    ----------
    encoder : what turns texts into vectors: a `DenseEncoder`, its description, or the folder of a
        model in the layout of sentence-transformers.
    feedback : see `Feedbacks`, or a file for `read_feedback`; these documents are not in the
        result. Only with a file, and an encoder's description, can the `repr` be read back.
    combine, use_query, negative : as for `neighbour_scores`.
    fusion : the constant of a reciprocal rank fusion with the first stage's order, such as 60;
        None for the own order.
    """

    def __init__(
        self,
        encoder: DenseEncoder | str,
        feedback: Feedbacks | str,
        *,
        combine: Combine = "sum",
        use_query: bool = True,
        negative: float = 0.0,
        fusion: float | None = None,
    ) -> None:
        super().__init__(feedback, fusion)
        if combine not in ("sum", "max") or not negative >= 0:
            raise ConfigurationError(
                f"combine={combine!r}, negative={negative}; expected sum or max, and 0 or more."
            )
        self.encoder, self.combine = encoder, combine
        self.use_query, self.negative = use_query, negative
        self._lock = threading.Lock()
        self._loaded: DenseEncoder | None = None

    @property
    def loaded_encoder(self) -> DenseEncoder:
        """The encoder, loaded at first use.

        Raises
        ------
        ConfigurationError : the description is that of another kind of encoder.
        """
        with self._lock:
            if self._loaded is None:
                made = self.encoder
                if isinstance(made, str):
                    called = made.rstrip().endswith(")")
                    made = parse_encoder(made) if called else TransformerEncoder(made)
                if not isinstance(made, DenseEncoder):
                    raise ConfigurationError(f"{made!r}; expected an encoder of dense vectors.")
                self._loaded = made
            return self._loaded

    def _score(
        self, query: str, texts: Sequence[str], known: Feedback
    ) -> tuple[Floats, ScoreKind, int]:
        encoder = self.loaded_encoder
        asked = encoder.encode([query], "query")
        judged = [*known.relevant.values(), *known.nonrelevant.values()]
        found = encoder.encode_all([*texts, *judged], "document")
        split = len(texts) + len(known.relevant)
        scores = neighbour_scores(
            asked[0],
            found.values[: len(texts)],
            found.values[len(texts) : split],
            found.values[split:],
            combine=self.combine,
            use_query=self.use_query,
            negative=self.negative,
        )
        return scores, "dot_product", int(found.truncated[: len(texts)].sum())


@register("few-shot")
class FewShotCrossEncoder(_WithFeedback):
    """A cross-encoder that is fine-tuned for each query on its judged documents, and then restored.

    A few steps of Adam on the binary cross-entropy of the judged documents, without dropout; then
    the rest is scored. Whatever happens, the weights afterwards are those of before, bit by bit. A
    query without feedback is scored by the model as it is.

    Parameters
    ----------
    model : the folder of a sequence classification model with one label, or two.
    feedback : see `Feedbacks`, or a file for `read_feedback`; these documents are not in the
        result.
    train : "bias" terms only, the "head" (what stands above the encoder), or "all" weights.
    steps, learning_rate : of the fine-tuning; to be chosen on other queries.
    max_tokens : at most so many tokens a pair; None is what the model can read.
    fusion : as for `FeedbackNeighbours`.

    Raises
    ------
    ConfigurationError : a parameter out of its range.
    DataError : at work, the folder holds no such model.
    """

    def __init__(
        self,
        model: str,
        feedback: Feedbacks | str,
        *,
        train: Trained = "bias",
        steps: int = 8,
        learning_rate: float = 1e-3,
        max_tokens: int | None = None,
        fusion: float | None = None,
    ) -> None:
        super().__init__(feedback, fusion)
        if train not in ("bias", "head", "all") or steps < 0 or not learning_rate > 0:
            raise ConfigurationError(
                f"train={train!r}, steps={steps}, learning_rate={learning_rate}; expected bias, "
                "head or all, 0 steps or more, and a positive rate."
            )
        self.model, self.train, self.steps = model, train, steps
        self.learning_rate, self.max_tokens = learning_rate, max_tokens
        self._lock = threading.Lock()  # one query at a time may bend the weights
        self._scorer: FewShotScorer | None = None

    @property
    def scorer(self) -> FewShotScorer:
        """The model, loaded at first use."""
        with self._lock:
            if self._scorer is None:
                few_shot = require(
                    "plackett.rerankers.criteria.few_shot_torch",
                    extra="text",
                    purpose="run a model",
                )
                self._scorer = few_shot.FewShotScorer(
                    self.model, train=self.train, max_tokens=self.max_tokens
                )
            return self._scorer

    def _score(
        self, query: str, texts: Sequence[str], known: Feedback
    ) -> tuple[Floats, ScoreKind, int]:
        scorer = self.scorer
        judged = [*known.relevant.values(), *known.nonrelevant.values()]
        labels = [1.0] * len(known.relevant) + [0.0] * len(known.nonrelevant)
        with (
            self._lock,
            scorer.adapted(
                query, judged, labels, steps=self.steps, learning_rate=self.learning_rate
            ),
        ):
            scores, truncated = scorer.score(query, texts)
        return scores, "logit", truncated
