"""Prompts as data: files that say what to ask, how documents are shown, and how to read answers."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.llm.labels import LabelScheme, make_labels, neutralised
from plackett.llm.parsing.parser import Form, Grammar, Parsed, parse_answer
from plackett.llm.requests import Message, Prompt, Shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["PromptTemplate", "prompt_names", "prompt_template"]

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_COMMON = {"query", "n", "first_label", "last_label", "example_order"}
_OF_ONE = {"label", "text"}
_NEEDS_BOTH = {"order", "tiers", "label", "selection", "grade", "yes-no", "grades", "criteria"}
_NEEDS_LABELS = {"order", "tiers", "label", "selection", "grades", "criteria"}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class MessageTemplate(_Section):
    """One turn of a prompt; with `each`, one turn a document, with {label} and {text}."""

    role: Literal["system", "user", "assistant"]
    text: str
    each: bool = False


class DocumentTemplate(_Section):
    """How {documents} shows a document, and what stands between two."""

    text: str = "[{label}] {text}"
    separator: str = "\n"


class PromptTemplate(_Section):
    """A prompt of which query and documents are missing, and the form of its answers.

    Parameters
    ----------
    name : by which it is chosen; the name of its file.
    description : what it asks, in a sentence.
    grammar : the form of the answer; see `plackett.llm.parsing.parser`.
    messages : the turns, with placeholders: {query}, {documents}, {n}, {first_label},
        {last_label}, {example_order}, and those that `values` declares.
    label_scheme : what documents are called; see `plackett.llm.labels`.
    language : of the prompt, as a code such as "en".
    answer_start : the beginning of the answer, which the model goes on from.
    values : further placeholders, which the asker fills.
    document : how a document is shown.
    scale : the least and the greatest number of an answer that gives numbers.
    words : words that an answer may give instead of numbers, and what they are worth.
    explained : whether the prompt asks for words around the answer, which are no fault then.

    A placeholder is a name in braces; all other braces are text. What is filled in is never read
    again, so that braces in a document are text too.

    >>> template = prompt_template("rank-gpt")
    >>> template.grammar, template.label_scheme, template.labels(2)
    ('order', 'digits', ('1', '2'))
    >>> template.parse("[2] > [1]", 2).positions
    (1, 0)
    """

    name: str
    description: str
    grammar: Grammar
    messages: tuple[MessageTemplate, ...] = Field(min_length=1, strict=False)
    label_scheme: LabelScheme = "digits"
    language: str = "en"
    answer_start: str = ""
    values: tuple[str, ...] = Field(default=(), strict=False)
    document: DocumentTemplate = DocumentTemplate()
    scale: tuple[int, int] = Field(default=(0, 10), strict=False)
    words: dict[str, float] = Field(default={}, strict=False)
    explained: bool = False

    _look_alike: re.Pattern[str] | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check(self) -> PromptTemplate:
        _check_placeholders(self)
        _check_answers(self)
        self._look_alike = _look_alike(self.document.text)
        return self

    @classmethod
    def parse_toml(cls, text: str, source: str) -> PromptTemplate:
        """The template in the text of a file; `source` is what errors call it.

        Raises
        ------
        ConfigurationError : the text is no template; the message names each key that is wrong.
        """
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{source} is not TOML: {error}.") from error
        except ValidationError as error:
            faults = "\n".join(f"  {fault}" for fault in _faults(error))
            raise ConfigurationError(f"{source} is not a prompt:\n{faults}") from error

    @classmethod
    def read(cls, path: str | Path) -> PromptTemplate:
        """The template in a file of one's own.

        Raises
        ------
        ConfigurationError : there is no such file, or it is no template.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"prompt {str(path)!r} cannot be read: {error}.") from error
        return cls.parse_toml(text, str(path))

    def labels(self, n: int) -> tuple[str, ...]:
        """What n documents are called, without brackets.

        Raises
        ------
        ConfigurationError : more than 26 documents for letters.
        """
        return make_labels(self.label_scheme, n)

    def render(
        self,
        query: str,
        documents: Sequence[str],
        *,
        ids: Sequence[str] = (),
        values: Mapping[str, str] = {},
    ) -> Prompt:
        """The prompt about these documents, in the order given.

        Parameters
        ----------
        query, documents : their texts; what looks like a label in them is neutralised.
        ids : the documents' ids, for whoever simulates the reader; models never see them.
        values : the placeholders that the file declares.

        Raises
        ------
        ConfigurationError : a value that the file does not declare, or one that is missing, or
            ids that are not one a document.
        """
        if set(values) != set(self.values):
            raise ConfigurationError(
                f"values {sorted(values)} for prompt {self.name!r}; expected {list(self.values)}."
            )
        if ids and len(ids) != len(documents):
            raise ConfigurationError(f"{len(ids)} ids for {len(documents)} documents.")
        labels = self.labels(len(documents))
        texts = [neutralised(text, self._look_alike) for text in documents]
        shown = [
            _filled(self.document.text, {"label": label, "text": text})
            for label, text in zip(labels, texts, strict=True)
        ]
        fillings = {
            **values,
            "query": neutralised(query, self._look_alike),
            "documents": self.document.separator.join(shown),
            "n": str(len(documents)),
            "first_label": labels[0] if labels else "",
            "last_label": labels[-1] if labels else "",
            "example_order": _example_order(labels),
        }
        count = values.get("count", "")
        return Prompt(
            tuple(self._turns(fillings, labels, texts)),
            answer_start=_filled(self.answer_start, fillings),
            shown=Shown(
                query,
                tuple(ids),
                labels,
                self.grammar,
                scale=self.scale,
                words=tuple(self.words.items()),
                count=int(count) if count.isdecimal() else 0,
            ),
        )

    def parse(self, text: str, n: int) -> Parsed:
        """Read the answer to a prompt about n documents; never raises, whatever the text."""
        start = self.answer_start.strip()
        begun = bool(text.strip()) and not text.lstrip().startswith(start)
        whole = self.answer_start + text if begun else text
        words = tuple(self.words.items())
        form = Form(self.grammar, self.label_scheme, self.scale, words, self.explained)
        return parse_answer(whole, n, form)

    def _turns(
        self, fillings: Mapping[str, str], labels: Sequence[str], texts: Sequence[str]
    ) -> Iterator[Message]:
        place = 0
        while place < len(self.messages):
            end = place
            while end < len(self.messages) and self.messages[end].each:
                end += 1
            if end == place:
                message = self.messages[place]
                yield Message(message.role, _filled(message.text, fillings))
                place += 1
                continue
            for label, text in zip(labels, texts, strict=True):
                one = {**fillings, "label": label, "text": text}
                for message in self.messages[place:end]:
                    yield Message(message.role, _filled(message.text, one))
            place = end


def prompt_names() -> tuple[str, ...]:
    """The names of all prompts that plackett brings, in order."""
    folder = files("plackett.llm") / "prompts"
    found = (Path(entry.name) for entry in folder.iterdir())
    return tuple(sorted(path.stem for path in found if path.suffix == ".toml"))


def prompt_template(name: str | Path) -> PromptTemplate:
    """The prompt of exactly this name, or that of a file of one's own.

    Parameters
    ----------
    name : one of `prompt_names()`, or a path that ends in ".toml".

    Raises
    ------
    UnknownNameError : there is no such prompt; the message lists all names.
    ConfigurationError : the file is no prompt.
    """
    if str(name).endswith(".toml"):
        return PromptTemplate.read(name)
    return _packaged(str(name))


@lru_cache(maxsize=256)
def _packaged(name: str) -> PromptTemplate:
    if name not in prompt_names():
        raise UnknownNameError("prompt", name, prompt_names())
    text = (files("plackett.llm") / "prompts" / f"{name}.toml").read_text(encoding="utf-8")
    template = PromptTemplate.parse_toml(text, f"prompt {name!r}")
    if template.name != name:
        raise ConfigurationError(f"prompt {name!r}: its file names it {template.name!r}.")
    return template


def _filled(text: str, fillings: Mapping[str, str]) -> str:
    """One pass: what is filled in is not looked at again."""
    return _PLACEHOLDER.sub(lambda found: fillings.get(found.group(1), found.group()), text)


def _example_order(labels: Sequence[str]) -> str:
    """An order that is not the one shown, so that copying it is not answering.

    >>> _example_order(["1", "2", "3"])
    '[2] > [3] > [1]'
    """
    turned = [*labels[1:3], *labels[:1]]
    return " > ".join(f"[{label}]" for label in turned)


def _look_alike(document: str) -> re.Pattern[str]:
    """What other than brackets may name a document, such as "Passage A:"; the prompt's own word
    for documents included."""
    own = re.search(r"(\w+)\s*[#:]?\s*$", document.partition("{label}")[0])
    words = dict.fromkeys(["passage", "document", "doc", *([own.group(1).lower()] if own else [])])
    return re.compile(
        rf"\b(?:{'|'.join(map(re.escape, words))})[ \t]{{0,3}}[#№]?"
        r"(?P<label>\d{1,4}|[A-Za-z])[ \t]{0,3}:",
        re.IGNORECASE,
    )


def _check_placeholders(template: PromptTemplate) -> None:
    repeated = {name for name in template.values if template.values.count(name) > 1}
    own = _COMMON | _OF_ONE | {"documents"}
    if repeated or own & set(template.values):
        raise ValueError(f"values: {sorted(repeated | own & set(template.values))} named twice")
    used: set[str] = set()
    for place, message in enumerate(template.messages):
        allowed = _COMMON | set(template.values) | (_OF_ONE if message.each else {"documents"})
        _check_known(f"messages.{place}.text", message.text, allowed)
        found = set(_PLACEHOLDER.findall(message.text))
        used |= found - _OF_ONE | ({"documents"} if message.each and "text" in found else set())
    _check_known("answer_start", template.answer_start, _COMMON)
    _check_known("document.text", template.document.text, _OF_ONE)
    if "{text}" not in template.document.text:
        raise ValueError("document.text: {text} is missing")
    needed = {"query", "documents"} if template.grammar in _NEEDS_BOTH else set()
    for name in sorted(needed - used):
        raise ValueError(f"messages: {{{name}}} is missing")
    if not used & {"query", "documents"}:
        raise ValueError("messages: {query} and {documents} are both missing")
    for name in template.values:
        if name not in used:
            raise ValueError(f"values: {{{name}}} is in no message")


def _check_answers(template: PromptTemplate) -> None:
    if template.grammar in _NEEDS_LABELS:
        if template.label_scheme == "none":
            raise ValueError(f"label_scheme: grammar {template.grammar!r} needs labels")
        shown = template.document.text + "".join(m.text for m in template.messages if m.each)
        if "{label}" not in shown:
            raise ValueError("document.text: {label} is missing")
    if template.scale[0] >= template.scale[1]:
        raise ValueError(f"scale: {list(template.scale)}; expected the least number first")


def _check_known(key: str, text: str, allowed: set[str]) -> None:
    for name in _PLACEHOLDER.findall(text):
        if name not in allowed:
            known = ", ".join(f"{{{each}}}" for each in sorted(allowed))
            raise ValueError(f"{key}: unknown placeholder {{{name}}}; known here: {known}")


def _faults(error: ValidationError) -> Iterator[str]:
    """One line a fault: where it is, and what is wrong there."""
    for fault in error.errors():
        place = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "value_error":
            yield str(fault["msg"]).removeprefix("Value error, ")
        elif fault["type"] == "missing":
            yield f"{place}: this key is missing"
        elif fault["type"] == "extra_forbidden":
            yield f"{place}: unknown key"
        else:
            yield f"{place}: {_lower(fault)}, not {fault['input']!r}"


def _lower(fault: Any) -> str:
    return str(fault["msg"][:1]).lower() + str(fault["msg"][1:])
