"""Re-ranking by attention: how much a query at the end of a prompt looks at each document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError
from plackett.llm.base import LanguageModel
from plackett.llm.fitting import fit
from plackett.llm.requests import Answer, Attention, AttentionWeights, Shown
from plackett.llm.templates import PromptTemplate, prompt_template
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register
from plackett.rerankers.strategy import Asking, Policy, Steps, StrategyReranker
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache

__all__ = ["CONTENT_FREE", "InContext", "document_score"]

Floats = npt.NDArray[np.float64]

CONTENT_FREE = "N/A"
"""The query that asks for nothing: what is attended to then is the documents' own pull."""

_RESERVE = 16
"""Tokens kept free for what a chat format adds and for tokens that split where parts meet."""

_PLACEHOLDER = re.compile(r"\{(query|n|first_label|last_label|label|text)\}")


def document_score(
    weights: Sequence[float],
    bias: Sequence[float] | None = None,
    *,
    aggregate: Literal["sum", "mean"] = "sum",
    outliers: float | None = 2.0,
) -> float:
    """The score of one document from the attention that its tokens get.

    c_t = weights_t - bias_t; a token with c_t < mean(c) - outliers * std(c) is left out (std with
    n - 1, and 0 for one token); the rest is added up.

    Parameters
    ----------
    weights, bias : one number a token; without bias, c = weights.
    aggregate : "sum", so that length counts, or "mean".
    outliers : standard deviations below the mean; None leaves nothing out.

    >>> document_score([0.5, 0.5, 0.25], [0.25, 0.25, 0.25])
    0.5
    >>> document_score([0.5], [0.25])
    0.25
    """
    values = np.asarray(weights, dtype=np.float64)
    if bias is not None:
        values = values - np.asarray(bias, dtype=np.float64)
    if not len(values):
        return 0.0
    # Equal numbers have no outlier, though rounding may put their mean above them.
    if outliers is not None and values.min() < values.max():
        values = values[values >= values.mean() - outliers * values.std(ddof=1)]
    return float(values.sum() if aggregate == "sum" else values.mean())


@register("icr")
class InContext(StrategyReranker):
    """In-context re-ranking: the documents in one prompt, the query last, and its attention read.

    With a_t the attention that document token t gets from the tokens after the documents (the sum
    over layers and heads of the mean over those tokens), and a_t(N/A) the same for a query that
    asks for nothing, the score of a document is the sum of a_t(query) - a_t(N/A) over its tokens,
    without tokens more than two standard deviations below the mean. Nothing is written, so nothing
    can be malformed: two calls a query in one round, and the second reads the query only. Scores
    are comparable inside one prompt, not between queries.

    Parameters
    ----------
    model : with the power "attention", such as `Transformers`.
    template : "icr-qa" (answer from the paragraphs), "icr-ie" (find what bears on the query), or
        the path of a prompt of your own: one turn of the user, {documents} before {query}.
    calibrate : take the content-free query's attention off; without it, one call a query.
    aggregate : "sum" or "mean" over a document's tokens.
    outliers : standard deviations below the mean from which a token does not count; None: all do.
    reverse : show the first stage's best document last, next to the query.
    max_words : at most so many words of a document; all documents have equal room in the context.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    A document of which nothing fits scores 0. A call that fails leaves the first-stage order.

    Raises
    ------
    ConfigurationError : a wrong parameter, or a prompt with other turns.

    Paper: Attention in Large Language Models Yields Efficient Zero-Shot Re-Rankers (2024).

    >>> from plackett.llm import parse_model
    >>> oracle = parse_model("Oracle({'red wine': {'b': 1}})")
    >>> ranked = InContext(oracle).rank("red wine", {"a": "bread", "b": "a red wine"})
    >>> ranked.ids, ranked.score_kind, ranked.calls
    (['b', 'a'], 'attention', 2)
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        template: str = "icr-qa",
        calibrate: bool = True,
        aggregate: Literal["sum", "mean"] = "sum",
        outliers: float | None = 2.0,
        reverse: bool = True,
        max_words: int | None = 300,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        if aggregate not in ("sum", "mean"):
            raise ConfigurationError(f"aggregate = {aggregate!r}; expected sum or mean.")
        if outliers is not None and not outliers > 0:
            raise ConfigurationError(f"outliers = {outliers}; expected a positive number or None.")
        self.template, self.calibrate, self.aggregate = template, calibrate, aggregate
        self.outliers, self.reverse, self.max_words = outliers, reverse, max_words

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """One round: attention of the query, and of the content-free one."""
        n = len(candidates)
        shown = list(range(n))[:: -1 if self.reverse else 1]
        requests = self._requests(query, candidates, shown, asking)
        answers = yield requests
        wanted = [len(requests[0].documents)] * len(requests)
        found = [
            _weights(answer, asking, count) for answer, count in zip(answers, wanted, strict=True)
        ]
        weights, bias = found[0], found[-1]
        if weights is None or bias is None:
            return Ordering(tuple(range(n)))
        scores = np.zeros(n)
        for place, position in enumerate(shown):
            own, free = weights[place], bias[place]
            if len(own) != len(free):  # tokens that do not match cannot be set against each other
                own = free = ()
            scores[position] = document_score(
                own,
                free if self.calibrate else None,
                aggregate=self.aggregate,
                outliers=self.outliers,
            )
        return Ordering.by_scores(scores, "attention")

    def _requests(
        self, query: str, candidates: Candidates, shown: Sequence[int], asking: Asking
    ) -> list[Attention]:
        template = prompt_template(self.template)
        texts = [candidates.texts[i] for i in shown]
        fitted = fit(
            asking.model, template, query, texts, reserve=_RESERVE, max_words=self.max_words
        )
        asking.truncated.update(
            position for position, cut in zip(shown, fitted.shortened, strict=True) if cut
        )
        before, documents, after = _parts(template, fitted.texts)
        ids = tuple(candidates.ids[i] for i in shown)
        labels = template.labels(len(ids))
        queries = [fitted.query, CONTENT_FREE] if self.calibrate else [fitted.query]
        return [
            Attention(
                before,
                documents,
                _filled(after, query=asked),
                shown=Shown(query if asked == fitted.query else asked, ids, labels),
            )
            for asked in queries
        ]

    def __repr__(self) -> str:
        return describe(self)


def _parts(template: PromptTemplate, texts: Sequence[str]) -> tuple[str, tuple[str, ...], str]:
    """The text before the documents, each document with its label, and the text after them.

    Raises
    ------
    ConfigurationError : the prompt is not one turn of the user, or the query is not at its end.
    """
    turns = template.messages
    before, found, after = turns[0].text.partition("{documents}")
    if len(turns) > 1 or turns[0].role != "user" or not found or "{query}" not in after:
        raise ConfigurationError(
            f"prompt {template.name!r} cannot be read by attention; expected one turn of the user, "
            "with {documents} and, after that, {query}."
        )
    labels = template.labels(len(texts))
    common = {"n": str(len(texts)), "first_label": labels[0], "last_label": labels[-1]}
    shape, separator = template.document.text, template.document.separator
    documents = [
        _filled(shape, label=label, text=text) + separator
        for label, text in zip(labels, texts, strict=True)
    ]
    documents[-1] = documents[-1].removesuffix(separator) if separator else documents[-1]
    return _filled(before, **common), tuple(documents), _filled(after, **common)


def _filled(form: str, /, **values: str) -> str:
    """One pass: what is filled in is not looked at again, and what is not known stays."""
    return _PLACEHOLDER.sub(lambda found: values.get(found.group(1), found.group()), form)


def _weights(
    answer: Answer, asking: Asking, documents: int
) -> tuple[tuple[float, ...], ...] | None:
    """The attention each document's tokens get; None where it cannot be used."""
    if not isinstance(answer, AttentionWeights):
        asking.note("missing", answer)
        return None
    whole = len(answer.weights) == documents
    finite = whole and all(np.isfinite(row).all() for row in answer.weights)
    return answer.weights if asking.note("ok" if finite else "wrong_format", answer) else None
