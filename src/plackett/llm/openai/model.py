"""Language models behind any server that speaks OpenAI's protocol: hosted, vLLM, llama.cpp, ..."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from plackett.errors import ConfigurationError
from plackett.llm.base import LanguageModel
from plackett.llm.openai.answers import (
    Unusable,
    read_generation,
    read_labels,
    read_likelihood,
    read_prompt_logprobs,
    read_usage,
)
from plackett.llm.openai.dialects import dialect_of
from plackett.llm.registry import register_model
from plackett.llm.requests import (
    Answer,
    Attention,
    Failure,
    Generate,
    Likelihood,
    NextToken,
    Prompt,
    Request,
    TokenLikelihood,
)
from plackett.transport.http import HttpTransport
from plackett.transport.http_errors import AccessError, HttpError
from plackett.transport.limits import Limits
from plackett.transport.retries import RetryPolicy
from plackett.transport.secrets import Secret
from plackett.transport.token_counts import token_counter

__all__ = ["OpenAI"]

HOSTED = "https://api.openai.com/v1"
PATHS = {"chat": "/chat/completions", "completions": "/completions"}


@register_model
class OpenAI(LanguageModel):
    """A model behind a server that speaks OpenAI's protocol.

    Answers in words come from either API. Scores of labels are the log-probabilities that the
    server tells of its likeliest tokens (a token with a space before the label counts as well);
    a label that is not among them is marked as guessed. Likelihoods of a given text need a server
    that tells those of its prompt: vLLM.

    An answer that the prompt has begun (`answer_start`) is gone on with where the server can; on
    the others (the hosted service, Ollama) the last message asks to begin so, and what the answer
    repeats of it is taken off. Completions go on from any text.

    A request that fails after all retries is a `Failure`, and so is an answer that does not hold
    what was asked for. What every request would meet (a wrong key, address or model, a spent
    quota, no server at all) is raised at once.

    Parameters
    ----------
    name : the model's name at the server.
    url : the API's base address.
    key : the name of the environment variable that holds the key, or a `Secret`. None is
        OPENAI_API_KEY at the hosted service's address, and no key at any other: a key goes only
        where it was sent on purpose.
    api : "chat", or "completions" for models without a chat format.
    server : "openai", "vllm", "llama.cpp", "ollama" or "plain": what it offers, and what it calls
        that (`plackett.llm.openai.dialects`). None is "openai" at the hosted service's address,
        else "plain".
    context : tokens of prompt and answer together.
    concurrency, requests_per_minute, tokens_per_minute : what the server allows.
    timeout : seconds for one request.
    retries : how often a request that failed for the moment is sent again.
    top_logprobs : how many likeliest tokens to ask for; 0 where the server tells none.
    tokenizer : a `tokenizer.json` to count tokens by; None estimates them from above.
    extra : further fields of every request, such as {"reasoning_effort": "low"}; None as a value
        leaves out a field that is sent otherwise.

    Raises
    ------
    ConfigurationError : a parameter that cannot be used.

    >>> OpenAI("gpt-4o-mini", concurrency=16)
    OpenAI('gpt-4o-mini', concurrency=16)
    >>> sorted(OpenAI("m", url="http://localhost:8000/v1", server="vllm").powers)
    ['generate', 'likelihood', 'next_token']
    """

    def __init__(
        self,
        name: str,
        *,
        url: str = HOSTED,
        key: str | Secret | None = None,
        api: Literal["chat", "completions"] = "chat",
        server: str | None = None,
        context: int = 8192,
        concurrency: int = 8,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        timeout: float = 60.0,
        retries: int = 5,
        top_logprobs: int = 20,
        tokenizer: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"model {name!r}; expected its name at the server.")
        if api not in PATHS:
            raise ConfigurationError(f"api = {api!r}; expected 'chat' or 'completions'.")
        for what, value, least in (("context", context, 1), ("top_logprobs", top_logprobs, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigurationError(f"{what} = {value!r}; expected {least} or more.")
        self.name, self.url, self.key, self.api, self.server = name, url, key, api, server
        self.context, self.concurrency = context, concurrency
        self.requests_per_minute, self.tokens_per_minute = requests_per_minute, tokens_per_minute
        self.timeout, self.retries, self.top_logprobs = timeout, retries, top_logprobs
        self.tokenizer, self.extra = tokenizer, None if extra is None else dict(extra)
        hosted = url.rstrip("/") == HOSTED if isinstance(url, str) else False
        self._dialect = dialect_of(server or ("openai" if hosted else "plain"))
        self._tokens = token_counter(tokenizer)
        self._transport = HttpTransport(
            url,
            key="OPENAI_API_KEY" if hosted and key is None else key,
            timeout=timeout,
            retry=RetryPolicy(retries=retries, deadline=max(300.0, 3.0 * timeout)),
            limits=Limits(
                concurrency=concurrency,
                requests_per_minute=requests_per_minute,
                tokens_per_minute=tokens_per_minute,
            ),
        )
        self._identity = self._identified()
        powers = {"generate"}
        if top_logprobs:
            powers.add("next_token")
        if api in self._dialect.likelihood:
            powers.add("likelihood")
        self.powers = frozenset(powers)

    @property
    def identity(self) -> str:
        """Name, address, API and all that changes an answer; never the key."""
        return self._identity

    def count_tokens(self, text: str) -> int:
        """How many tokens `text` has: by the tokenizer, or estimated from above."""
        return self._tokens.count(text)

    def truncate(self, text: str, tokens: int) -> str:
        """The longest beginning of `text` with at most `tokens` tokens."""
        return self._tokens.truncate(text, tokens)

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """One answer a request, in order; several are sent at once.

        Raises
        ------
        AccessError : the server will refuse every request.
        """
        return list(await asyncio.gather(*[self._answer(request) for request in requests]))

    def __repr__(self) -> str:
        parts = [repr(self.name)]
        for name, parameter in list(inspect.signature(type(self)).parameters.items())[1:]:
            value = getattr(self, name)
            if value != parameter.default:
                parts.append(f"{name}={value!r}")
        return f"OpenAI({', '.join(parts)})"

    async def _answer(self, request: Request) -> Answer:
        if isinstance(request, Attention):
            return Failure("a server tells no attention; take a local model")
        if isinstance(request, Likelihood) and not request.continuation:
            return TokenLikelihood(())
        body = self._body(request)
        # Counting takes longer than all else here: it is done where somebody needs it.
        limited = self.tokens_per_minute is not None
        expected = sum(self._expected(request, body)) if limited else 0
        try:
            reply = await self._transport.post_json(PATHS[self.api], body, tokens=expected)
        except AccessError:
            raise
        except HttpError as error:
            return Failure(str(error))
        content = reply.content if isinstance(reply.content, dict) else {}
        used = read_usage(content) or self._expected(request, body)
        if limited:
            self._transport.limits.settle(expected, sum(used))
        try:
            return self._read(request, content, used)
        except Unusable as error:
            return Failure(self._transport.redact(f"{self.url}: {error}."), *used)

    def _expected(
        self, request: Generate | NextToken | Likelihood, body: Mapping[str, Any]
    ) -> tuple[int, int]:
        """Tokens that a request sends and, at most, receives."""
        text = request.prompt.plain()
        if isinstance(request, Likelihood):
            text += request.continuation
        return self.count_tokens(text), int(body.get(self._longest) or 1)

    def _read(self, request: Request, content: dict[str, Any], tokens: tuple[int, int]) -> Answer:
        if isinstance(request, Generate):
            thinking = request.thinking_tokens != 0
            begun = self._asked_to_begin(request.prompt)
            return read_generation(content, begun=begun, thinking=thinking, tokens=tokens)
        if isinstance(request, NextToken):
            begun = self._asked_to_begin(request.prompt)
            return read_labels(content, request.labels, begun=begun, tokens=tokens)
        if not isinstance(request, Likelihood):
            raise Unusable("no such request")
        if self._dialect.likelihood[self.api] == "prompt_logprobs":
            return read_prompt_logprobs(content, request.continuation, tokens=tokens)
        return read_likelihood(content, request.prompt.plain(), request.continuation, tokens=tokens)

    @property
    def _longest(self) -> str:
        """What the field is called that bounds the answer."""
        return self._dialect.max_tokens if self.api == "chat" else "max_tokens"

    def _asked_to_begin(self, prompt: Prompt) -> str:
        """What the answer is asked to begin with, where it cannot be begun for the model."""
        goes_on = self.api == "completions" or self._dialect.continues
        return "" if goes_on else prompt.answer_start

    def _body(self, request: Generate | NextToken | Likelihood) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.name, "temperature": 0.0}
        begun = request.prompt.answer_start
        if isinstance(request, Likelihood):
            begun += request.continuation
        body |= self._asked(request.prompt, begun)
        if isinstance(request, Generate):
            body |= {
                self._longest: request.max_tokens,
                "temperature": request.temperature,
                "seed": request.seed,
                **self._thinking(request.thinking_tokens),
            }
            if request.stop:
                body["stop"] = list(request.stop)
            if request.logprobs and self.top_logprobs:
                body |= self._wanted_logprobs()
        elif isinstance(request, NextToken):
            begun = self._asked_to_begin(request.prompt)
            # Room for what the answer is asked to begin with, and for a space before the label.
            body[self._longest] = 1 if not begun else self.count_tokens(begun) + 2
            body |= self._wanted_logprobs() | self._thinking(0)
        else:
            body[self._longest] = 1
            if self._dialect.likelihood[self.api] == "prompt_logprobs":
                body["prompt_logprobs"] = 0
            else:
                body |= {"echo": True, "logprobs": 1}
            body |= self._thinking(0)
        return self._with_extra(body)

    def _asked(self, prompt: Prompt, begun: str) -> dict[str, Any]:
        if self.api == "completions":
            # `plain` ends with the answer's beginning, where there is one.
            end = begun[len(prompt.answer_start) :]
            return {"prompt": prompt.plain() + end}
        turns = [{"role": turn.role, "content": turn.text} for turn in prompt.messages]
        if begun and self._dialect.continues:
            turns.append({"role": "assistant", "content": begun})
            return {"messages": turns, **self._dialect.continuing}
        if begun and turns:
            turns[-1] = turns[-1] | {
                "content": f"{turns[-1]['content']}\n\nBegin your answer with: {begun}"
            }
        return {"messages": turns}

    def _thinking(self, tokens: int | None) -> dict[str, Any]:
        if tokens is None or self.api == "completions":
            return {}
        if tokens == 0:
            return dict(self._dialect.no_thinking)
        return {self._dialect.thinking_budget: tokens} if self._dialect.thinking_budget else {}

    def _wanted_logprobs(self) -> dict[str, Any]:
        count = min(self.top_logprobs, self._dialect.most_logprobs[self.api])
        if self.api == "completions":
            return {"logprobs": count}
        return {"logprobs": True, "top_logprobs": count}

    def _with_extra(self, body: dict[str, Any]) -> dict[str, Any]:
        for name, value in (self.extra or {}).items():
            own = body.get(name)
            if isinstance(own, dict) and isinstance(value, dict):
                body[name] = {**own, **value}
            else:
                body[name] = value
        return {name: value for name, value in body.items() if value is not None}

    def _identified(self) -> str:
        parts: dict[str, Any] = {"url": self.url, "api": self.api, "server": self.server}
        parts |= {"top_logprobs": self.top_logprobs, "extra": self.extra}
        try:
            return f"OpenAI({self.name!r}, {json.dumps(parts, sort_keys=True)})"
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"extra = {self.extra!r}; expected JSON ({error}).") from error
