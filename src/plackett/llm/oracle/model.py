"""A scripted judge in the place of a language model: for tests, and to see what errors cost."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from typing import Literal

from plackett.data.qrels import Qrels
from plackett.data.texts import Queries
from plackett.errors import ConfigurationError
from plackett.llm.base import LanguageModel
from plackett.llm.oracle.answers import (
    TOKEN,
    bare,
    garbage,
    label_logprobs,
    token_scores,
    worth,
    write,
)
from plackett.llm.oracle.beliefs import Beliefs, Relevance, chance, log_sigmoid
from plackett.llm.registry import register_model
from plackett.llm.requests import (
    Answer,
    Attention,
    AttentionWeights,
    Failure,
    Generate,
    Generation,
    LabelScores,
    Likelihood,
    NextToken,
    Request,
    Shown,
    TokenLikelihood,
)
from plackett.transport.cache import content_key

__all__ = ["Oracle"]

BYTES_PER_TOKEN = 4


@register_model
class Oracle(LanguageModel):
    """Answers every kind of request by known grades, with as many errors as one likes.

    It reads `Prompt.shown`, not the prompt's text. Its log-probabilities agree with what it
    writes. All that is drawn by chance depends on the seed and on what is asked, never on when:
    the same question has the same answer in any process, batch and order.

    Parameters
    ----------
    relevance : grades {query text: {document id: grade}}, 0 where there is none; or a file of
        judgments.
    noise : probability that two documents of unlike grade are judged the wrong way round, drawn
        once for each unordered pair; a document judged by itself has its grade perturbed so that
        two that are one grade apart change places as often. From 0 to 0.5.
    order_bias : probability that of two documents the one shown first is preferred; 1 is a model
        that only looks at places.
    malformed : probability of an answer that says nothing: empty, refused, garbled, repeated; for
        requests that are not answered in words, a `Failure`. 1 is a model that only writes rubbish.
    seed : of all that is drawn.
    latency : seconds that a call takes.
    queries : the file of query texts, where `relevance` is a file that has ids of queries.
    batch_size, concurrency, context : see `LanguageModel`.

    A token is taken to be four bytes of what is read, and a word or a sign of what is written.

    Raises
    ------
    ConfigurationError : a probability out of its range.

    >>> from plackett.llm import Generate
    >>> from plackett.llm.templates import prompt_template
    >>> oracle = Oracle({"red wine": {"b": 2.0, "c": 1.0}})
    >>> prompt = prompt_template("rank-gpt").render("red wine", ["x", "y", "z"], ids=list("abc"))
    >>> asyncio.run(oracle.answer([Generate(prompt)]))[0].text
    '[2] > [3] > [1]'
    """

    powers = frozenset({"generate", "next_token", "likelihood", "attention"})

    def __init__(
        self,
        relevance: Relevance | str,
        noise: float = 0.0,
        order_bias: float = 0.0,
        malformed: float = 0.0,
        seed: int = 0,
        latency: float = 0.0,
        *,
        queries: str | None = None,
        batch_size: int = 1,
        concurrency: int = 16,
        context: int = 1_000_000,
    ) -> None:
        for name, value, most in (
            ("noise", noise, 0.5),
            ("order_bias", order_bias, 1.0),
            ("malformed", malformed, 1.0),
        ):
            if not 0.0 <= value <= most:
                raise ConfigurationError(f"{name} = {value}; expected 0 to {most:g}.")
        self.relevance, self.noise, self.order_bias = relevance, noise, order_bias
        self.malformed, self.seed, self.latency = malformed, seed, latency
        self.queries = queries
        self.batch_size, self.concurrency, self.context = batch_size, concurrency, context
        grades = _read(relevance, queries) if isinstance(relevance, str) else relevance
        self._beliefs = Beliefs(grades, noise, order_bias, seed)
        text = json.dumps({query: dict(judged) for query, judged in grades.items()}, sort_keys=True)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self._identity = f"Oracle {digest} {noise} {order_bias} {malformed} {seed}"

    @property
    def identity(self) -> str:
        """The digest of its grades, and its errors; not how long it takes."""
        return self._identity

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """One answer a request, after `latency` seconds."""
        if self.latency > 0:
            await asyncio.sleep(self.latency)
        return [self._answer(request) for request in requests]

    def count_tokens(self, text: str) -> int:
        """Bytes / 4, rounded up."""
        return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)

    def truncate(self, text: str, tokens: int) -> str:
        """The longest beginning that has at most 4 bytes a token."""
        start = text.encode("utf-8", "surrogatepass")[: max(0, tokens) * BYTES_PER_TOKEN]
        return start.decode("utf-8", "ignore")

    def __repr__(self) -> str:
        parts = [repr(self.relevance)]
        for name, default in (
            ("noise", 0.0),
            ("order_bias", 0.0),
            ("malformed", 0.0),
            ("seed", 0),
            ("latency", 0.0),
            ("queries", None),
            ("batch_size", 1),
            ("concurrency", 16),
            ("context", 1_000_000),
        ):
            value = getattr(self, name)
            if value != default:
                parts.append(f"{name}={value!r}")
        return f"Oracle({', '.join(parts)})"

    def _answer(self, request: Request) -> Answer:
        content = request.content()
        fails = self.malformed > 0 and (
            chance(self.seed, "malformed", content_key(content)) < self.malformed
        )
        if isinstance(request, Attention):
            return self._attend(request, fails=fails)
        shown = request.prompt.shown or Shown("")
        tokens = self.count_tokens(request.prompt.plain())
        if isinstance(request, Generate):
            return self._generate(request, shown, tokens, fails=fails)
        if fails:
            return Failure("a malformed answer", tokens, 1)
        if isinstance(request, NextToken):
            scores = label_logprobs(self._beliefs, shown, request.labels)
            return LabelScores(scores, (False,) * len(scores), tokens, 1)
        tokens += self.count_tokens(request.continuation)
        return TokenLikelihood(self._likelihood(request, shown), tokens, 0)

    def _generate(self, request: Generate, shown: Shown, tokens: int, *, fails: bool) -> Generation:
        if fails:
            text = garbage(shown, chance(self.seed, "kind", content_key(request.content())))
        else:
            text = write(self._beliefs, shown)
        start = request.prompt.answer_start.strip()
        if start and text.startswith(start):
            text = text[len(start) :]
        scores = token_scores(self._beliefs, shown, text) if request.logprobs else ()
        thought = min(request.thinking_tokens or 0, request.max_tokens)
        ends = [found.end() for found in TOKEN.finditer(text)]
        room = max(request.max_tokens - thought, 0)
        finish: Literal["stop", "length"] = "stop"
        if len(ends) > room:
            text, finish = text[: ends[room - 1] if room else 0], "length"
        written = thought + min(len(ends), room)
        return Generation(text, tokens, written, finish, scores[:room])

    def _likelihood(self, request: Likelihood, shown: Shown) -> tuple[float, ...]:
        """Sure of all tokens but the last where that is a label; else each as sure as relevant."""
        continuation = request.continuation
        pieces = max(1, len(TOKEN.findall(continuation)))
        label = bare(continuation)
        if label in shown.labels and len(shown.documents) > 1:
            last = label_logprobs(self._beliefs, shown, shown.labels)[shown.labels.index(label)]
            return (*(0.0,) * (pieces - 1), last)
        if shown.grammar in ("grade", "yes-no") and worth(shown, continuation) is not None:
            options = [word for word, _ in shown.words] or ["Yes", "No"]
            if shown.grammar == "grade" and not shown.words:
                options = [str(value) for value in range(shown.scale[0], shown.scale[1] + 1)]
            meant = worth(shown, continuation)
            scores = label_logprobs(self._beliefs, shown, options)
            known = dict(zip((worth(shown, each) for each in options), scores, strict=True))
            return (*(0.0,) * (pieces - 1), known.get(meant, -50.0))
        share = self._beliefs.share(shown.query, shown.documents[0]) if shown.documents else 0.0
        return (log_sigmoid(4.0 * share - 2.0),) * pieces

    def _attend(self, request: Attention, *, fails: bool) -> Answer:
        """Attention that a document gets: some for its place, more for its relevance."""
        texts = request.documents
        tokens = self.count_tokens("".join([request.before, *texts, request.after]))
        if fails:
            return Failure("a malformed answer", tokens, 0)
        shown = request.shown or Shown("")
        known = shown.query in self._beliefs.relevance
        rows = []
        for place, text in enumerate(texts):
            share = 0.0
            if known and place < len(shown.documents):
                share = self._beliefs.share(shown.query, shown.documents[place])
            bias = self.order_bias * (1.0 - place / len(texts))
            count = max(1, self.count_tokens(text))
            # All on one token, in steps that add up exactly: equal documents get equal sums.
            rows.append((_exact(1.0 + bias + share), *(0.0,) * (count - 1)))
        return AttentionWeights(tuple(rows), tokens, 0)


def _exact(weight: float) -> float:
    return round(weight * 2.0**30) / 2.0**30


def _read(path: str, queries: str | None) -> Relevance:
    """Grades by query text; without a file of texts, ids are taken for them."""
    judged = Qrels.read(path).to_dict()
    if queries is None:
        return judged
    texts = dict(Queries.read(queries))
    return {texts[name]: grades for name, grades in judged.items() if name in texts}
