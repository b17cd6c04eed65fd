"""Language models that run on this machine, by the `transformers` library."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal, TypeVar, cast

from plackett._optional import require
from plackett.errors import ConfigurationError
from plackett.llm.base import LanguageModel
from plackett.llm.local import loading as local_loading
from plackett.llm.local.token_prompts import TokenPrompts
from plackett.llm.registry import register_model
from plackett.llm.requests import (
    Answer,
    Failure,
    Request,
)

__all__ = ["Transformers"]

_PURPOSE = "run language models"
_LONGEST_TOLD = 10**7
"""Tokenizers that know of no limit tell a larger number than this."""

_SEEN_WHOLE = {"full_attention", "sliding_attention", "chunked_attention"}

Result = TypeVar("Result")


@register_model
class Transformers(LanguageModel):
    """A causal or encoder-decoder language model from a folder of this machine.

    All four powers: it writes answers; tells log-probabilities of the next token and of a given
    continuation, which are sums over nothing but the tokens meant; and, if it is causal, tells how
    much the end of a prompt attends to each token of the documents in it. Nothing is fetched from a
    network unless asked for, and no code of a model's folder is run unless trusted. Weights are
    loaded at the first question.

    Requests are read in batches of like length. In float32 a score depends on what else is in the
    batch by less than 1e-5, and what is drawn by chance not at all. A prompt longer than the
    context is answered by a `Failure`.

    Parameters
    ----------
    path : the folder, or the name under which the hub's cache on this machine keeps the model.
    dtype : of the weights: "float32", "bfloat16" or "float16".
    device : as torch names it: "cpu", "cuda", "cuda:1", "mps".
    context : tokens of prompt and answer together; None is what the model was made for.
    chat : whether prompts are put into the tokenizer's chat format; None where it has one.
    batch_tokens : tokens that are read at once at most, padding included.
    batch_size : requests that are taken at once.
    threads : of torch, for the whole process; None leaves them alone.
    revision : of a model of the hub: a branch, a tag or a commit.
    download : fetch the model from the hub if it is not here.
    trust_remote_code : run code that comes with the model.

    Raises
    ------
    ConfigurationError : no such model, no language-model head, weights that are missing, a wrong
        parameter.
    OptionalDependencyError : the extra `local` is not installed.

    >>> Transformers("a/folder/that/is/not")
    Traceback (most recent call last):
    plackett.errors.ConfigurationError: no model 'a/folder/that/is/not' on this machine; ...
    """

    concurrency = 1

    def __init__(
        self,
        path: str,
        *,
        dtype: Literal["float32", "bfloat16", "float16"] = "float32",
        device: str = "cpu",
        context: int | None = None,
        chat: bool | None = None,
        batch_tokens: int = 4096,
        batch_size: int = 32,
        threads: int | None = None,
        revision: str | None = None,
        download: bool = False,
        trust_remote_code: bool = False,
    ) -> None:
        for name, value in (
            ("context", context),
            ("batch_tokens", batch_tokens),
            ("batch_size", batch_size),
            ("threads", threads),
        ):
            if value is not None and value < 1:
                raise ConfigurationError(f"{name} = {value}; expected a positive integer.")
        require("torch", extra="local", purpose=_PURPOSE)
        require("transformers", extra="local", purpose=_PURPOSE)
        self.path, self.dtype, self.device, self.chat = path, dtype, device, chat
        self.batch_tokens, self.batch_size, self.threads = batch_tokens, batch_size, threads
        self.revision, self.download = revision, download
        self.trust_remote_code = trust_remote_code
        self._given_context = context
        self._lock = threading.Lock()
        self._folder = local_loading.find_folder(path, revision=revision, download=download)
        self.config = local_loading.read_config(self._folder, trust_remote_code=trust_remote_code)
        self.prompts = TokenPrompts(
            local_loading.read_tokenizer(self._folder, trust_remote_code=trust_remote_code),
            chat=chat,
            encoder_decoder=bool(self.config.is_encoder_decoder),
        )
        self.context = self._context(context)
        self.powers = self._powers()

    def _context(self, wanted: int | None) -> int:
        config = self.config.get_text_config()
        told = [getattr(config, name, None) for name in ("max_position_embeddings", "n_positions")]
        told.append(getattr(self.prompts.tokenizer, "model_max_length", None))
        limits = [int(n) for n in told if n is not None and 0 < n < _LONGEST_TOLD]
        # Positions of an encoder-decoder may be relative: then any length will do.
        fixed = limits[:1] if not self.config.is_encoder_decoder else []
        if wanted is not None and fixed and wanted > fixed[0]:
            raise ConfigurationError(
                f"context = {wanted}; the model {self.path!r} was made for {fixed[0]} tokens."
            )
        return wanted or (min(limits) if limits else LanguageModel.context)

    def _powers(self) -> frozenset[str]:
        powers = {"generate", "next_token", "likelihood"}
        kinds = set(getattr(self.config.get_text_config(), "layer_types", None) or ())
        if not self.config.is_encoder_decoder and kinds <= _SEEN_WHOLE:
            powers.add("attention")
        return frozenset(powers)

    @cached_property
    def identity(self) -> str:
        """The digest of the model's files, and what else may change an answer."""
        content = local_loading.content_digest(self._folder)
        form = "chat" if self.prompts.chat else "plain"
        return f"transformers:{content}:{self.dtype}:{form}:{self.context}"

    @cached_property
    def _answers(self) -> Any:
        """The model behind its batches; loaded at first use."""
        from plackett.llm.local.answers import LocalAnswers

        model = local_loading.read_model(
            self._folder,
            self.config,
            dtype=self.dtype,
            device=self.device,
            trust_remote_code=self.trust_remote_code,
        )
        if self.threads is not None:
            require("torch", extra="local", purpose=_PURPOSE).set_num_threads(self.threads)
        return LocalAnswers(model, self.prompts, self.context, self.batch_tokens)

    async def run(self, work: Callable[[Any], Result]) -> Result:
        """Let `work` use the torch module, in a thread, while nobody else does."""

        def alone() -> Result:
            with self._lock:
                return work(self._answers.model)

        return await asyncio.to_thread(alone)

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """One answer a request, in order; `Failure` for a prompt beyond the context.

        Raises
        ------
        ConfigurationError : labels that are not one token each; a power that the model lacks.
        """
        return await asyncio.to_thread(self._answer, list(requests))

    def _answer(self, requests: list[Request]) -> list[Answer]:
        places: dict[str, list[int]] = defaultdict(list)
        for i, request in enumerate(requests):
            if request.kind not in self.powers:
                raise ConfigurationError(
                    f"{self!r} has the powers {', '.join(sorted(self.powers))}; "
                    f"{request.kind!r} is needed. Take a causal model or another strategy."
                )
            places[request.kind].append(i)
        found: list[Answer] = [Failure("not asked")] * len(requests)
        # One model, one forward pass at a time, whoever asks.
        with self._lock:
            for kind, rows in places.items():
                ask = cast("Callable[[list[Request]], list[Answer]]", getattr(self._answers, kind))
                for i, answer in zip(rows, ask([requests[i] for i in rows]), strict=True):
                    found[i] = answer
        return found

    def count_tokens(self, text: str) -> int:
        """How many tokens `text` has."""
        return self.prompts.count(text)

    def truncate(self, text: str, tokens: int) -> str:
        """The longest beginning of `text` with at most `tokens` tokens."""
        return self.prompts.truncate(text, tokens)

    def __repr__(self) -> str:
        shown = {
            "dtype": (self.dtype, "float32"),
            "device": (self.device, "cpu"),
            "context": (self._given_context, None),
            "chat": (self.chat, None),
            "batch_tokens": (self.batch_tokens, 4096),
            "batch_size": (self.batch_size, 32),
            "threads": (self.threads, None),
            "revision": (self.revision, None),
            "download": (self.download, False),
            "trust_remote_code": (self.trust_remote_code, False),
        }
        parts = [repr(self.path)]
        parts += [f"{name}={value!r}" for name, (value, usual) in shown.items() if value != usual]
        return f"Transformers({', '.join(parts)})"
