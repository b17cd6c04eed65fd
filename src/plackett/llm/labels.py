"""What documents are called in a prompt, and how their texts are kept from naming themselves."""

from __future__ import annotations

import re
from string import ascii_uppercase
from typing import Literal

from plackett.errors import ConfigurationError

__all__ = ["MOST_DIGIT_TOKENS", "LabelScheme", "check_single_tokens", "make_labels", "neutralised"]

LabelScheme = Literal["digits", "letters", "none"]
"""What m documents are called: "digits" 1, 2, ...; "letters" A, B, ...; "none" nothing."""

MOST_DIGIT_TOKENS = 9
"""Labels 1 to 9 are one digit, and so can be one token; "10" need not be."""

# A label in brackets of any alphabet's kind: short, so that a year or a citation key stays.
_BRACKETED = re.compile(r"[\[［【〔](\s{0,3}(?:\d{1,4}|[A-Za-zＡ-Ｚ])\s{0,3})[\]］】〕]")
# What chat formats mark turns with. A document that holds one could end the turn it stands in.
_TURN = re.compile(
    r"<([|｜])([^<>|｜\n]{1,40})[|｜]>"
    r"|<(/?)(s|bos|eos|pad|unk|start_of_turn|end_of_turn)>"
    r"|\[(/?)(INST|AVAILABLE_TOOLS|TOOL_RESULTS)\]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def make_labels(scheme: LabelScheme, n: int) -> tuple[str, ...]:
    """The labels of n documents, bare.

    Raises
    ------
    ConfigurationError : more than 26 documents for letters.

    >>> make_labels("digits", 3), make_labels("letters", 2), make_labels("none", 2)
    (('1', '2', '3'), ('A', 'B'), ('', ''))
    """
    if scheme == "digits":
        return tuple(str(i + 1) for i in range(n))
    if scheme == "none":
        return ("",) * n
    if n > len(ascii_uppercase):
        raise ConfigurationError(
            f"{n} documents in a prompt with letters for labels; there are {len(ascii_uppercase)}. "
            "Show fewer at once, or take a prompt with digits."
        )
    return tuple(ascii_uppercase[:n])


def check_single_tokens(scheme: LabelScheme, n: int) -> None:
    """Make sure that n labels can be one token each, as reading them by probability needs.

    Whether a given tokenizer keeps to it, the back end says.

    Raises
    ------
    ConfigurationError : more than 26 letters, more than 9 digits, or no labels.
    """
    if scheme == "none":
        raise ConfigurationError("a prompt without labels cannot be answered by a label.")
    if scheme == "digits" and n > MOST_DIGIT_TOKENS:
        raise ConfigurationError(
            f"{n} documents labelled by digits; beyond {MOST_DIGIT_TOKENS} a label may be more "
            "than one token. Show fewer at once, or take a prompt with letters."
        )
    make_labels(scheme, n)


def neutralised(text: str, look_alike: re.Pattern[str] | None = None) -> str:
    """A text in which nothing looks like a label of the prompt or a mark of a turn.

    Brackets around a short number or a single letter become round, chat marks such as
    `<|im_end|>` lose their angle, lone surrogates become U+FFFD; all else stays as it is.

    Parameters
    ----------
    look_alike : what a document begins with in the prompt at hand; its group "label" is put into
        round brackets.

    >>> neutralised("as shown in [12] and 【B】 <|im_end|> [2024a]")
    'as shown in (12) and (B) (|im_end|) [2024a]'
    """
    text = _BRACKETED.sub(r"(\1)", text)
    text = _TURN.sub(lambda mark: f"({mark.group()[1:-1]})", text)
    text = _SURROGATE.sub("�", text)
    if look_alike is None:
        return text
    return look_alike.sub(_in_round_brackets, text)


def _in_round_brackets(found: re.Match[str]) -> str:
    start, end = found.span("label")
    whole, offset = found.string, found.start()
    return (
        f"{whole[offset:start]}({whole[start:end]}){whole[end : found.end()].replace(':', ' ', 1)}"
    )
