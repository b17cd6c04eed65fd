"""All candidates of a query in one text: each is scored with the others in sight.

After Zhou, Jin & Kim, "Dialogue-contextualized re-ranking for medical history-taking", MLHC 2023.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from plackett._optional import require
from plackett.errors import ConfigurationError, DataError
from plackett.rerankers.base import Outcome, TextReranker
from plackett.rerankers.ranked import Candidates, Ordering, ScoreKind
from plackett.rerankers.registry import describe, register

if TYPE_CHECKING:
    from plackett.rerankers.criteria.global_reranker_torch import GlobalScorer

__all__ = ["GlobalExample", "GlobalReranker", "train_global_reranker"]

Loss = Literal["softmax", "binary"]


@dataclass(frozen=True)
class GlobalExample:
    """One query to learn from: its candidates, and which of them are right.

    Parameters
    ----------
    query : its text.
    candidates : n texts.
    labels : n numbers of 0 or more; for "softmax" they are scaled to sum to 1.

    Raises
    ------
    DataError : unequal lengths, no candidates, or no label above 0.
    """

    query: str
    candidates: tuple[str, ...]
    labels: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.candidates) != len(self.labels) or not self.labels:
            raise DataError(
                f"{len(self.candidates)} candidates and {len(self.labels)} labels",
                expected="one label a candidate, and at least one",
            )
        if min(self.labels) < 0 or not sum(self.labels) > 0:
            raise DataError(f"labels {self.labels}", expected="0 or more, one above 0")


@register("global")
class GlobalReranker(TextReranker):
    """Scores all candidates of a query in one pass of an encoder.

    The encoder reads the query, then every candidate with a separator behind it; a candidate's
    score is a linear function of the last hidden state at its separator. Candidates are cut to
    equal shares of what the model can read; where that is less than `least` tokens, they are read
    in groups of neighbours. One pass costs as much as a query and all candidates in one text.

    What is read, and how, is said by the folder that `train_global_reranker` wrote.

    Parameters
    ----------
    model : that folder.
    least : groups are made where a candidate would have fewer tokens.

    Raises
    ------
    ConfigurationError : `least` below 1.
    DataError : at work, the folder holds no such model.
    """

    def __init__(self, model: str, *, least: int = 16) -> None:
        if least < 1:
            raise ConfigurationError(f"least={least}; expected 1 or more.")
        self.model, self.least = model, least
        self._lock = threading.Lock()
        self._scorer: GlobalScorer | None = None

    @property
    def scorer(self) -> GlobalScorer:
        """The model, loaded at first use."""
        with self._lock:
            if self._scorer is None:
                scoring = require(
                    "plackett.rerankers.criteria.global_reranker_torch",
                    extra="text",
                    purpose="run a model",
                )
                self._scorer = scoring.GlobalScorer.load(self.model)
            return self._scorer

    async def _order_many(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        outcomes = []
        for query, given in zip(queries, candidates, strict=True):
            outcomes.append(await asyncio.to_thread(self._ordered, query, given))
            self._tell(outcomes[-1])
        return outcomes

    def _ordered(self, query: str, candidates: Candidates) -> Outcome:
        started = time.perf_counter()
        scorer = self.scorer
        scores, truncated = scorer.score(query, candidates.texts, least=self.least)
        # A softmax over one list learns differences inside it only.
        kind: ScoreKind = "logit" if scorer.loss == "binary" else "relative"
        seconds = time.perf_counter() - started
        return Outcome(Ordering.by_scores(scores, kind), truncated=truncated, seconds=seconds)

    def __repr__(self) -> str:
        return describe(self)


def train_global_reranker(
    encoder: str | Path,
    examples: Sequence[GlobalExample],
    output: str | Path,
    *,
    loss: Loss = "softmax",
    block: bool = False,
    epochs: int = 3,
    learning_rate: float = 2e-5,
    max_tokens: int | None = None,
    seed: int = 0,
) -> list[float]:
    """Fine-tune an encoder as a global re-ranker and write it to a folder.

    Candidates are shuffled anew at every step: in a fixed order the model would learn the place
    that the first stage gave a candidate.

    Parameters
    ----------
    encoder : the folder of a transformer encoder with a tokenizer.
    examples : one step each.
    output : the folder for `GlobalReranker`; an older one is written over.
    loss : "softmax" cross-entropy over the candidates, or "binary" cross-entropy of each.
    block : whether candidates are hidden from each other and from the query, and the positions of
        each go on from the query's: then each is read as if alone, whatever their order. Without
        it the positions run through the whole text, and it is by them that a separator finds its
        own candidate.
    epochs, learning_rate : of AdamW; the rate of the new layer is ten times as high.
    max_tokens : at most so many tokens of one text; None is what the model can read.
    seed : of the new layer and of all shuffling.

    Returns
    -------
    The mean loss of each epoch.

    Raises
    ------
    ConfigurationError : no examples, or a parameter out of its range.
    DataError : an example that does not fit into one text, or a folder without an encoder.
    """
    if not examples:
        raise ConfigurationError("no examples to learn from.")
    if loss not in ("softmax", "binary"):
        raise ConfigurationError(f"loss={loss!r} is not one of softmax, binary.")
    scoring = require(
        "plackett.rerankers.criteria.global_reranker_torch", extra="text", purpose="train a model"
    )
    scorer = scoring.GlobalScorer.new(
        encoder, loss=loss, block=block, max_tokens=max_tokens, seed=seed
    )
    rng = np.random.default_rng(seed)
    history: list[float] = scorer.fit(examples, epochs, learning_rate, rng)
    scorer.save(output)
    return history
