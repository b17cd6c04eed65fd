"""Prompts as a local model reads them: chat or plain text, then tokens, with exact boundaries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from plackett._optional import require
from plackett.errors import ConfigurationError
from plackett.llm.local.token_boundaries import added, continued, label_forms
from plackett.llm.requests import Attention, Message, Prompt

__all__ = ["Spans", "TokenPrompts", "without_system"]

_TAIL = 64
"""What a label's token may depend on: so many characters before it."""

_HOLDER = "\u2063plackett\u2063"


class Spans(NamedTuple):
    """The tokens of a prompt of documents, and where each part of it begins.

    Parameters
    ----------
    tokens : the whole prompt.
    starts : the first token of each document, and of what follows the last one.
    """

    tokens: list[int]
    starts: list[int]


class TokenPrompts:
    """Turns prompts into the tokens of one model.

    What the words of a user, and so of a document, spell can never become one of the tokens that
    steer a model, such as the end of a turn: a space goes into it.

    Parameters
    ----------
    tokenizer : a tokenizer of the `transformers` library that knows characters of tokens.
    chat : whether prompts are put into the tokenizer's chat format; None where it has one.
    encoder_decoder : whether the model reads the prompt apart from the answer.

    Raises
    ------
    ConfigurationError : a chat format is wanted, and the tokenizer has none.
    """

    def __init__(self, tokenizer: Any, *, chat: bool | None, encoder_decoder: bool) -> None:
        formatted = bool(getattr(tokenizer, "chat_template", None))
        if chat and not formatted:
            raise ConfigurationError("chat = True, but the tokenizer has no chat format.")
        self.tokenizer = tokenizer
        self.chat = formatted if chat is None else chat
        self.encoder_decoder = encoder_decoder
        self.leading, self.trailing = self._frame()
        if not encoder_decoder:
            self.trailing = []  # a prompt that is to be gone on with has no end
        special = sorted((t for t in tokenizer.all_special_tokens if len(t) > 1), key=len)
        self._special = re.compile("|".join(map(re.escape, reversed(special)))) if special else None
        self._has_system = self.chat and self._takes_system()
        self._forms = lru_cache(maxsize=4096)(self._find_forms)

    def _frame(self) -> tuple[list[int], list[int]]:
        """The tokens that the tokenizer puts before and after a text."""
        bare = self.ids("a")
        framed = list(self.tokenizer("a")["input_ids"])
        for start in range(len(framed) - len(bare) + 1):
            if framed[start : start + len(bare)] == bare:
                return framed[:start], framed[start + len(bare) :]
        return [], []

    def ids(self, text: str) -> list[int]:
        """The tokens of `text` alone."""
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def count(self, text: str) -> int:
        """How many tokens `text` has."""
        return len(self.ids(self.safe(text)))

    def truncate(self, text: str, tokens: int) -> str:
        """The longest beginning of `text` with at most `tokens` tokens."""
        if tokens < 1:
            return ""
        # What is longer than any token can be is not read at all.
        text = text[: 64 * tokens + 64]
        cut = tokens
        while cut > 0:
            found = self.tokenizer(
                _whole(text), add_special_tokens=False, return_offsets_mapping=True, verbose=False
            )
            if len(found["input_ids"]) <= tokens and self.count(text) <= tokens:
                return text
            # Cut text may have more tokens than it had as a part: then one less.
            ends = found["offset_mapping"]
            text = text[: ends[min(cut, len(ends)) - 1][1]]
            cut -= 1
        return ""

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, without those that steer."""
        return str(
            self.tokenizer.decode(
                list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def token_text(self, token: int) -> str:
        """The text of one token, as it reads alone."""
        return str(self.tokenizer.decode([token], clean_up_tokenization_spaces=False))

    def safe(self, text: str) -> str:
        """`text` with a space inside whatever would be read as a token that steers.

        Half a surrogate pair, which no tokenizer takes, becomes "?".
        """
        text = _whole(text)
        if self._special is None:
            return text
        return self._special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)

    def text(self, prompt: Prompt, *, thinking: bool | None = None) -> tuple[str, str]:
        """The prompt as text, and the beginning of its answer.

        Spaces at the very end are left out: a tokenizer joins them to the word that follows.

        Parameters
        ----------
        thinking : whether the chat format is to have the model think; None leaves that alone.
        """
        messages = tuple(Message(m.role, self.safe(m.text)) for m in prompt.messages)
        start = prompt.answer_start.rstrip(" ")
        if self.chat:
            return self._rendered(messages, thinking), start
        text = Prompt(messages).plain()
        if self.encoder_decoder:
            return text, start
        return (text + "\n\n", start) if start else (text.rstrip(" "), start)

    def addition(self, prompt: Prompt, before: str, continuation: str) -> str:
        """A continuation as it follows `before`, the prompt's text: not two spaces, nor none."""
        last = prompt.messages[-1].text if prompt.messages and not self.chat else ""
        return added(prompt.answer_start or last, before, self.safe(continuation))

    def framed(self, text: str) -> list[int]:
        """The tokens of a prompt's text, with those that a prompt begins and ends with."""
        if self.chat:  # the chat format has written them
            return self.ids(text) + self.trailing
        return self.leading + self.ids(text) + self.trailing

    def continued(self, text: str, addition: str) -> tuple[list[int], list[int]]:
        """The tokens of `text` and of what is added; see `token_boundaries.continued`."""
        return continued(self.ids, text, addition)

    def label_tokens(self, text: str, labels: Sequence[str]) -> list[list[int]]:
        """The tokens that stand for each label right after `text`; see `label_forms`.

        Raises
        ------
        ConfigurationError : a label is not one token there, or two labels are the same token.
        """
        return self._forms(text[-_TAIL:], tuple(labels))

    def _find_forms(self, text: str, labels: tuple[str, ...]) -> list[list[int]]:
        return label_forms(self.ids, text, labels, self.tokenizer.unk_token_id)

    def spans(self, request: Attention) -> Spans:
        """The tokens of a prompt of documents; each belongs to the part in which it begins."""
        parts = [self.safe(part) for part in (request.before, *request.documents, request.after)]
        if self.chat:
            head, _, tail = self._rendered((Message("user", _HOLDER),), None).partition(_HOLDER)
            parts = [head + parts[0], *parts[1:-1], parts[-1] + tail]
        found = self.tokenizer(
            "".join(parts), add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        leading = [] if self.chat else self.leading
        begins = [begin for begin, _ in found["offset_mapping"]]
        starts: list[int] = []
        token = character = 0
        for part in parts[:-1]:
            character += len(part)
            while token < len(begins) and begins[token] < character:
                token += 1
            starts.append(len(leading) + token)
        return Spans(leading + list(found["input_ids"]), starts)

    def _takes_system(self) -> bool:
        jinja2 = require("jinja2", extra="local", purpose="format a chat")
        turns = (Message("system", "a"), Message("user", "b"))
        try:
            self._template(turns, None)
        except jinja2.TemplateError:
            return False
        return True

    def _rendered(self, messages: tuple[Message, ...], thinking: bool | None) -> str:
        if not self._has_system:
            messages = without_system(messages)
        return self._template(messages, thinking)

    def _template(self, messages: tuple[Message, ...], thinking: bool | None) -> str:
        turns = [{"role": message.role, "content": message.text} for message in messages]
        wish = {} if thinking is None else {"enable_thinking": thinking}
        return str(
            self.tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True, **wish
            )
        )


def without_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The turns, with what the system says at the head of the next turn of the user."""
    kept: list[Message] = []
    said: list[str] = []
    for message in messages:
        if message.role == "system":
            said.append(message.text)
        elif message.role == "user" and said:
            kept.append(Message("user", "\n\n".join([*said, message.text])))
            said = []
        else:
            kept.append(message)
    return (*kept, Message("user", "\n\n".join(said))) if said else tuple(kept)


def _whole(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
