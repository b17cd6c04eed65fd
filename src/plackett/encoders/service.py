"""Vectors of an embedding service over HTTP, in the words of OpenAI's protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import DenseEncoder, Encoded, Kind, check_texts
from plackett.encoders.cache import Entry, VectorCache, through_cache
from plackett.encoders.pooling import normalised
from plackett.encoders.registry import describe_encoder, register_encoder
from plackett.encoders.service_calls import Calls, Question, cut_calls
from plackett.errors import ConfigurationError, DataError
from plackett.transport.budget import Budget
from plackett.transport.event_loop import run_blocking
from plackett.transport.http import HttpTransport
from plackett.transport.limits import Limits
from plackett.transport.records import CallLog
from plackett.transport.retries import RetryPolicy
from plackett.transport.secrets import Secret
from plackett.transport.token_counts import token_counter

__all__ = ["EmbeddingService"]

HOSTED = "https://api.openai.com/v1"
PROBE = "dimension"

Floats = npt.NDArray[np.float32]


@register_encoder
class EmbeddingService(DenseEncoder):
    """Texts to vectors by a server that answers at `/embeddings` as OpenAI's does.

    vLLM, text-embeddings-inference, llama.cpp, Ollama, Infinity and most hosted services do. Texts
    go in calls of similar length, several at once as far as the limits go; each distinct text is
    sent once, and what arrives is in the cache at once, so that a run that was stopped goes on
    where it was. A call that fails for the moment is sent again; one that is refused is cut in two,
    down to the text at fault, which the error names. An answer with another number of vectors,
    another length, or values that are no finite numbers is asked for once more, and is then an
    error. A text of nothing but white space is not sent, as most services refuse it: its vector is
    all zeros.

    Parameters
    ----------
    name : the model's name at the server.
    url : the API's base address.
    key : the name of the environment variable that holds the key, or a `Secret`. None is
        OPENAI_API_KEY at the hosted service's address, and no key at any other.
    dimensions : how long vectors shall be, which the server is then asked for (of models that can
        be cut short); None for the model's own length.
    normalise : make vectors of length 1.
    query_prompt, document_prompt : put before texts.
    query_fields, document_fields : further fields of a call, such as {"input_type": "query"}.
    max_tokens : texts are cut to so many tokens, and reported as truncated; None sends them whole,
        and leaves it to the server to cut or refuse them, which it does not tell.
    tokenizer : a `tokenizer.json` to count tokens by; None estimates them from above, so that a
        text may be cut a little early.
    texts_per_call, tokens_per_call : the most that one call holds.
    base64 : ask for vectors in base64, a quarter of the bytes, where the server can.
    content : what the model is called in indexes and caches; None for address and name. With
        content="bge-m3@5617a9f" the same model may move to another address.
    cache : a file of vectors, or a `VectorCache`.
    budget : a ceiling on calls, tokens or money.
    concurrency, requests_per_minute, tokens_per_minute : what the server allows.
    timeout : seconds for one call.
    retries : how often a call that failed for the moment is sent again.

    Attributes
    ----------
    log : a record of every call: tokens, seconds, failures.

    Raises
    ------
    ConfigurationError : a parameter that cannot be used.

    When it encodes: `HttpError` (no answer after all retries), `AccessError` (a wrong key, address
    or model, a spent quota), `BudgetExceededError`, `DataError` (a text that is refused, or answers
    that cannot be used).

    >>> EmbeddingService("bge-m3", url="http://localhost:8000/v1", max_tokens=8192)
    EmbeddingService('bge-m3', url='http://localhost:8000/v1', max_tokens=8192)
    """

    def __init__(
        self,
        name: str,
        *,
        url: str = HOSTED,
        key: str | Secret | None = None,
        dimensions: int | None = None,
        normalise: bool = True,
        query_prompt: str = "",
        document_prompt: str = "",
        query_fields: Mapping[str, Any] | None = None,
        document_fields: Mapping[str, Any] | None = None,
        max_tokens: int | None = None,
        tokenizer: str | None = None,
        texts_per_call: int = 32,
        tokens_per_call: int = 65_536,
        base64: bool = False,
        content: str | None = None,
        cache: VectorCache | str | None = None,
        budget: Budget | None = None,
        concurrency: int = 8,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        timeout: float = 60.0,
        retries: int = 5,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"model {name!r}; expected its name at the server.")
        self.name, self.url, self.key, self.dimensions = name, url, key, dimensions
        self.normalise, self.normalised = normalise, normalise
        self.query_prompt, self.document_prompt = query_prompt, document_prompt
        self.query_fields, self.document_fields = query_fields, document_fields
        self.max_tokens, self.tokenizer = max_tokens, tokenizer
        self.texts_per_call, self.tokens_per_call = texts_per_call, tokens_per_call
        self.base64, self.content, self.cache, self.budget = base64, content, cache, budget
        self.concurrency = concurrency
        self.requests_per_minute, self.tokens_per_minute = requests_per_minute, tokens_per_minute
        self.timeout, self.retries = timeout, retries
        for what, value in (
            ("dimensions", dimensions),
            ("max_tokens", max_tokens),
            ("texts_per_call", texts_per_call),
            ("tokens_per_call", tokens_per_call),
        ):
            _check_count(what, value)
        self._fields = {
            "query": _checked_fields("query_fields", query_fields),
            "document": _checked_fields("document_fields", document_fields),
        }
        self.log = CallLog()
        self._cache = VectorCache(cache) if isinstance(cache, str) else cache
        self._budget = budget or Budget()
        self._tokens = token_counter(tokenizer)
        self._identity = self._identified()
        self._dimension = dimensions
        hosted = isinstance(url, str) and url.rstrip("/") == HOSTED
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
            # A number takes some 22 bytes as text.
            max_bytes=max(32 * 1024 * 1024, 22 * 8192 * texts_per_call),
        )

    @property
    def dimension(self) -> int:
        """d; where no vector has been seen yet, one word is sent to learn it."""
        if self._dimension is None:
            self._vectors([PROBE], "document")
        return self._dimension or 0

    @property
    def identity(self) -> str:
        """Address and name, or `content`, with all that changes a vector; never the key."""
        return self._identity

    def encode_all(self, texts: Sequence[str], kind: Kind = "document") -> Encoded[Floats]:
        """Vectors of texts: `float32[n, d]`; tokens are counted here, not by the server."""
        if kind not in ("query", "document"):
            raise ConfigurationError(f"kind = {kind!r}; expected 'query' or 'document'.")
        prompt = self.query_prompt if kind == "query" else self.document_prompt
        whole = [prompt + text for text in check_texts(texts)]
        sent = np.flatnonzero([bool(text.strip()) for text in whole])
        vectors, tokens, truncated = self._vectors([whole[row] for row in sent], kind)
        read = Encoded(
            np.zeros((len(whole), self.dimension), dtype=np.float32),
            np.zeros(len(whole), dtype=np.int64),
            np.zeros(len(whole), dtype=np.bool_),
        )
        if len(sent):
            read.values[sent], read.tokens[sent], read.truncated[sent] = vectors, tokens, truncated
        return read

    def __repr__(self) -> str:
        # What calls are paid with is no part of what the encoder is, and a key is never shown.
        hidden = {"budget"} | ({"key"} if isinstance(self.key, Secret) else set())
        return describe_encoder(self, without=hidden)

    def _vectors(
        self, texts: list[str], kind: Kind
    ) -> tuple[Floats, npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """The vectors of texts that are not blank."""
        fields = self._fields[kind]
        identity = f"{self._identity}:{json.dumps(fields, sort_keys=True)}"

        done: dict[str, Entry] = {}

        def keep(questions: Sequence[Question], vectors: Floats) -> None:
            values = normalised(vectors) if self.normalise else vectors
            entries: dict[str, Entry] = {
                question.text: ((value.copy(),), question.tokens, question.truncated)
                for question, value in zip(questions, values, strict=True)
            }
            if self._cache is not None:
                self._cache.put_many(identity, entries)
            done.update(entries)

        def compute(missing: list[str]) -> dict[str, Entry]:
            calls = Calls(
                transport=self._transport,
                body=self._body(fields),
                budget=self._budget,
                log=self.log,
                concurrency=self.concurrency,
                dimension=self._dimension,
                identity=self._identity,
                arrived=keep,
            )
            questions = [self._question(text) for text in missing]
            cut = cut_calls(questions, texts=self.texts_per_call, tokens=self.tokens_per_call)
            run_blocking(calls.run(cut))
            return done

        arrays, tokens, truncated = through_cache(self._cache, identity, texts, compute)
        lengths = sorted({len(vector) for (vector,) in arrays})
        if len(lengths) > 1:
            raise DataError(
                f"vectors of {lengths[0]} and of {lengths[1]} numbers in the cache",
                expected="one length for all, as one model gives",
                remedy="another model has the address now: give it another content= or cache=",
            )
        if lengths:
            self._dimension = lengths[0]
        values = np.zeros((len(arrays), self._dimension or 0), dtype=np.float32)
        for row, (vector,) in enumerate(arrays):
            values[row] = vector
        return values, tokens, truncated

    def _question(self, text: str) -> Question:
        """What is sent of a text, and how many tokens that is."""
        tokens = self._tokens.count(text)
        if self.max_tokens is None or tokens <= self.max_tokens:
            return Question(text, text, tokens, truncated=False)
        shown = self._tokens.truncate(text, self.max_tokens).rstrip()
        return Question(text, shown, self._tokens.count(shown), truncated=True)

    def _body(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.name}
        if self.dimensions is not None:
            body["dimensions"] = self.dimensions
        if self.base64:
            body["encoding_format"] = "base64"
        return body | dict(fields)

    def _identified(self) -> str:
        parts: dict[str, Any] = {
            "dimensions": self.dimensions,
            "normalise": self.normalise,
            "prompts": [self.query_prompt, self.document_prompt],
            "fields": self._fields,
            "max_tokens": self.max_tokens,
        }
        if self.max_tokens is not None and self.tokenizer is not None:
            # Where a text is cut depends on how it is counted.
            parts["tokenizer"] = hashlib.sha256(Path(self.tokenizer).read_bytes()).hexdigest()
        named = f"{self.url} {self.name}" if self.content is None else self.content
        return f"service:{named}:{json.dumps(parts, sort_keys=True)}"


def _check_count(what: str, value: object) -> None:
    if value is None and what in ("dimensions", "max_tokens"):
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{what} = {value!r}; expected 1 or more.")


def _checked_fields(what: str, fields: Mapping[str, Any] | None) -> dict[str, Any]:
    found = dict(fields or {})
    try:
        json.dumps(found, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{what} = {fields!r}; expected JSON ({error}).") from error
    return found
