"""Language models in GGUF files, by llama.cpp on this machine."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.errors import ConfigurationError
from plackett.llm.base import LanguageModel
from plackett.llm.local.loading import sampled_digest
from plackett.llm.local.token_boundaries import added, continued, label_forms
from plackett.llm.local.token_prompts import without_system
from plackett.llm.local.writing import Writing
from plackett.llm.registry import register_model
from plackett.llm.requests import (
    Answer,
    Attention,
    Failure,
    Generate,
    LabelScores,
    Likelihood,
    Message,
    NextToken,
    Prompt,
    Request,
    TokenLikelihood,
)

__all__ = ["LlamaCpp"]

Logits = npt.NDArray[np.float32]

_TAIL = 64
"""What a label's token may depend on: so many characters before it."""


@register_model
class LlamaCpp(LanguageModel):
    """A language model from a GGUF file, mostly quantised; on few cores, the quickest to write.

    Three powers: it writes, and tells log-probabilities of the next token and of a continuation; it
    does not tell its attention. Prompts are read one after the other. Words of a user, and so of a
    document, never become tokens that steer the model. A prompt longer than the context is answered
    by a `Failure`.

    Parameters
    ----------
    path : the GGUF file.
    context : tokens of prompt and answer together.
    threads : of llama.cpp; None is its own choice.
    chat : whether prompts are put into the file's chat format; None where it has one.
    gpu_layers : layers that a GPU computes, where llama.cpp was built for one; -1 is all.

    Raises
    ------
    ConfigurationError : no such file, no model in it, or a wrong parameter.
    OptionalDependencyError : the extra `llama` is not installed.
    """

    powers = frozenset({"generate", "next_token", "likelihood"})
    concurrency = 1

    def __init__(
        self,
        path: str,
        *,
        context: int = 4096,
        threads: int | None = None,
        chat: bool | None = None,
        gpu_layers: int = 0,
    ) -> None:
        if context < 1 or (threads is not None and threads < 1):
            raise ConfigurationError(
                f"context = {context}, threads = {threads}; expected positive integers."
            )
        if not Path(path).expanduser().is_file():
            raise ConfigurationError(f"no file {path!r}; expected a GGUF file.")
        library = require("llama_cpp", extra="llama", purpose="run GGUF models")
        self.path, self.context, self.threads = path, context, threads
        self.chat, self.gpu_layers = chat, gpu_layers
        self._library = library
        self._lock = threading.Lock()
        try:
            self._llama = library.Llama(
                model_path=str(Path(path).expanduser()),
                n_ctx=context,
                n_threads=threads,
                n_gpu_layers=gpu_layers,
                verbose=False,
            )
        except (ValueError, RuntimeError) as error:
            raise ConfigurationError(f"{path!r} holds no model that runs here: {error}.") from error
        template = self._llama.metadata.get("tokenizer.chat_template")
        if chat and not template:
            raise ConfigurationError("chat = True, but the file has no chat format.")
        self._template = template if chat is not False else None

    @cached_property
    def identity(self) -> str:
        """The digest of the file, and what else may change an answer."""
        form = "chat" if self._template else "plain"
        content = hashlib.sha256()
        sampled_digest(Path(self.path).expanduser(), content)
        return f"llama.cpp:{content.hexdigest()[:32]}:{form}:{self.context}"

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """One answer a request, in order; `Failure` for a prompt beyond the context.

        Raises
        ------
        ConfigurationError : labels that are not one token each, or attention is asked for.
        """
        return await asyncio.to_thread(self._answer, list(requests))

    def _answer(self, requests: list[Request]) -> list[Answer]:
        with self._lock:
            return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Answer:
        if isinstance(request, Attention):
            raise ConfigurationError(
                f"{self!r} does not tell its attention. Take Transformers or another strategy."
            )
        head, tail = self._prompt(request.prompt, request)
        if isinstance(request, Likelihood):
            return self._likelihood(request, head, tail)
        read = [*head, *self.ids(tail)]
        if not read:
            return Failure("the prompt has no tokens")
        room = self.context - len(read)
        if room < 1:
            return self._too_long(len(read))
        if isinstance(request, NextToken):
            forms = label_forms(self.ids, tail[-_TAIL:], request.labels)
            logprobs = _log_softmax(self._after(read, fresh=True))
            scores = tuple(float(np.logaddexp.reduce(logprobs[tokens])) for tokens in forms)
            return LabelScores(scores, (False,) * len(scores), input_tokens=len(read))
        return self._write(request, read, tail, min(request.max_tokens, room))

    def _write(self, request: Generate, read: list[int], tail: str, limit: int) -> Answer:
        ends = frozenset({self._llama.token_eos(), *self._end_of_turn})
        writing = Writing(request, self, read, begun=tail[-256:], limit=limit, ends=ends)
        logits = self._after(read, fresh=True)
        while writing.finish is None:
            token = writing.take(logits)
            if writing.finish is None:
                logits = self._after([token])
        return writing.answer(len(read))

    def _likelihood(self, request: Likelihood, head: list[int], tail: str) -> Answer:
        messages = request.prompt.messages
        last = messages[-1].text if messages and self._template is None else ""
        told = request.prompt.answer_start or last
        addition = added(told, tail, request.continuation)
        before, tokens = continued(self.ids, tail, addition)
        read = [*head, *before]
        if not read:
            read, tokens = tokens[:1], tokens[1:]
        if not read:
            return Failure("the prompt has no tokens")
        if len(read) + len(tokens) > self.context:
            return self._too_long(len(read) + len(tokens))
        scores = []
        logits = self._after(read, fresh=True)
        for place, token in enumerate(tokens):
            scores.append(float(_log_softmax(logits)[token]))
            if place + 1 < len(tokens):
                logits = self._after([token])
        return TokenLikelihood(tuple(scores), input_tokens=len(read) + max(0, len(tokens) - 1))

    def _after(self, tokens: list[int], *, fresh: bool = False) -> Logits:
        """Read tokens, from the beginning if `fresh`; the logits after the last: `float32[V]`."""
        if fresh:
            self._llama.reset()
        self._llama.eval(tokens)
        # Logits of the last token only: a head over the whole vocabulary is half of the work.
        found = self._library.llama_get_logits_ith(self._llama.ctx, -1)
        logits: Logits = np.ctypeslib.as_array(found, shape=(self._llama.n_vocab(),)).copy()
        return logits

    def _too_long(self, tokens: int) -> Failure:
        return Failure(
            f"prompt and answer have {tokens} tokens or more; the context is {self.context}. "
            "Show fewer documents at once or shorten them, or give the model a larger context."
        )

    def _prompt(self, prompt: Prompt, request: Request) -> tuple[list[int], str]:
        """The first tokens of a prompt, and the rest of it as text, without spaces at its end."""
        if self._template is None:
            bos = self._llama.tokenize(b"", add_bos=True, special=False)
            gap = "\n\n" if prompt.answer_start else ""
            text = Prompt(prompt.messages).plain() + gap + prompt.answer_start
            return list(bos), text.rstrip(" ")
        budget = request.thinking_tokens if isinstance(request, Generate) else None
        tokens: list[int] = []
        for text, trusted in self._turns(prompt.messages, budget):
            tokens += self._llama.tokenize(
                text.encode("utf-8", "replace"), add_bos=False, special=trusted
            )
        return tokens, prompt.answer_start.rstrip(" ")

    def _turns(self, messages: Sequence[Message], thinking: int | None) -> list[tuple[str, bool]]:
        """The chat in pieces: of the chat format, whose tokens steer, and of messages."""
        jinja2 = require("jinja2", extra="llama", purpose="format a chat")
        turns: tuple[Message, ...] = tuple(messages)
        holders = [f"\u2063{i}\u2063" for i in range(len(turns))]
        try:
            text = self._rendered(turns, holders, thinking)
        except jinja2.TemplateError:
            turns = without_system(turns)
            holders = holders[: len(turns)]
            text = self._rendered(turns, holders, thinking)
        pieces: list[tuple[str, bool]] = []
        for holder, turn in zip(holders, turns, strict=True):
            before, _, text = text.partition(holder)
            pieces += [(before, True), (turn.text, False)]
        return [*pieces, (text, True)]

    def _rendered(
        self, turns: Sequence[Message], contents: Sequence[str], thinking: int | None
    ) -> str:
        sandbox = require("jinja2.sandbox", extra="llama", purpose="format a chat")
        jinja2 = require("jinja2", extra="llama", purpose="format a chat")

        def refuse(message: str) -> None:
            raise jinja2.TemplateError(message)

        environment = sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        values: dict[str, Any] = {
            "messages": [
                {"role": turn.role, "content": content}
                for turn, content in zip(turns, contents, strict=True)
            ],
            "add_generation_prompt": True,
            "raise_exception": refuse,
            "bos_token": self._special(self._llama.token_bos()),
            "eos_token": self._special(self._llama.token_eos()),
        }
        if thinking is not None:
            values["enable_thinking"] = thinking > 0
        return str(environment.from_string(self._template).render(values))

    def _special(self, token: int) -> str:
        if token < 0:
            return ""
        return str(self._llama.detokenize([token], special=True).decode(errors="replace"))

    @cached_property
    def _end_of_turn(self) -> tuple[int, ...]:
        """The tokens of common ends of a turn, where they are single tokens here."""
        found = [
            self._llama.tokenize(text, add_bos=False, special=True)
            for text in (b"<end_of_turn>", b"<|im_end|>", b"<|eot_id|>", b"<|end|>")
        ]
        return tuple(tokens[0] for tokens in found if len(tokens) == 1)

    def ids(self, text: str) -> list[int]:
        """The tokens of `text` alone, none of which steers."""
        return list(
            self._llama.tokenize(text.encode("utf-8", "replace"), add_bos=False, special=False)
        )

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, without those that steer."""
        return str(self._llama.detokenize(list(tokens)).decode(errors="replace"))

    def token_text(self, token: int) -> str:
        """The text of one token, as it reads alone."""
        return self._special(token)

    def count_tokens(self, text: str) -> int:
        """How many tokens `text` has."""
        return len(self.ids(text))

    def truncate(self, text: str, tokens: int) -> str:
        """The longest beginning of `text` with at most `tokens` tokens."""
        low, high = 0, len(text)
        # The number of tokens hardly ever falls as text is added: halving finds the place.
        while low < high:
            middle = (low + high + 1) // 2
            if len(self.ids(text[:middle])) <= tokens:
                low = middle
            else:
                high = middle - 1
        return text[:low]

    def __repr__(self) -> str:
        shown = {
            "context": (self.context, 4096),
            "threads": (self.threads, None),
            "chat": (self.chat, None),
            "gpu_layers": (self.gpu_layers, 0),
        }
        parts = [f"{name}={value!r}" for name, (value, usual) in shown.items() if value != usual]
        return f"LlamaCpp({', '.join([repr(self.path), *parts])})"


def _log_softmax(logits: Logits) -> npt.NDArray[np.float64]:
    shifted = logits.astype(np.float64) - float(logits.max())
    found: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return found
