"""Where one text ends and the next begins, in tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from plackett.errors import ConfigurationError

__all__ = ["TokensOf", "added", "continued", "label_forms"]

TokensOf: TypeAlias = Callable[[str], list[int]]
"""The tokens of a text alone, nothing put before or after."""


def added(told: str, before: str, continuation: str) -> str:
    """A continuation as it follows a text without the spaces at its end: one space, or as given.

    Parameters
    ----------
    told : the text with them.
    before : the text without them.

    >>> added("Query: ", "Query:", "red wine"), added("Query:\\n", "Query:\\n", " red wine")
    (' red wine', 'red wine')
    """
    if before[-1:].isspace() or not before:
        return continuation.lstrip(" ")
    return f" {continuation.lstrip(' ')}" if told.endswith(" ") else continuation


def continued(tokens_of: TokensOf, text: str, addition: str) -> tuple[list[int], list[int]]:
    """The tokens of `text` and of what is added, when both are read as one.

    Where the end of the one and the beginning of the other merge into a token, that token belongs
    to what is added.

    >>> pairs = lambda text: [int("0" + text[i : i + 2]) for i in range(0, len(text), 2)]
    >>> continued(pairs, "123", "456")   # 12 3 and then 12 34 56
    ([12], [34, 56])
    """
    alone, joint = tokens_of(text), tokens_of(text + addition)
    shared = 0
    while shared < min(len(alone), len(joint)) and alone[shared] == joint[shared]:
        shared += 1
    return joint[:shared], joint[shared:]


def label_forms(
    tokens_of: TokensOf, text: str, labels: Sequence[str], unknown: int | None = None
) -> list[list[int]]:
    """The tokens that stand for each label right after `text`.

    A label is one token there; the label after a space stands for it too, where that is one token
    and no other label's. (After a word or the end of a sentence, either will do.)

    Parameters
    ----------
    unknown : the token of what the model does not know, which is no label.

    Raises
    ------
    ConfigurationError : a label is not one token there, or two labels are the same token.

    >>> letters = lambda text: [ord(letter) for letter in text]
    >>> label_forms(letters, "[", ["A", "B"])
    [[65], [66]]
    """
    alone = tokens_of(text)

    def single(label: str) -> int | None:
        joint = tokens_of(text + label)
        one = len(joint) == len(alone) + 1 and joint[:-1] == alone
        return joint[-1] if one and joint[-1] != unknown else None

    exact = [single(label) for label in labels]
    spaced = [single(" " + label.lstrip()) for label in labels]
    taken = {token for token in exact if token is not None}
    closed = text[-1:].isalnum() or text[-1:] in tuple(".:?!,;")
    forms: list[list[int]] = []
    for label, own, other in zip(labels, exact, spaced, strict=True):
        free = None if other in taken else other
        if own is not None:
            forms.append([own] if free is None else [own, free])
        elif closed and free is not None:
            forms.append([free])
        else:
            raise ConfigurationError(
                f"the label {label!r} is not one token after {text[-20:]!r}. Take labels of one "
                "token, such as letters, or a strategy that reads a written answer."
            )
    if len({form[0] for form in forms}) < len(forms):
        raise ConfigurationError(
            f"two of the labels {', '.join(map(repr, labels))} are the same token after "
            f"{text[-20:]!r}; take labels that differ."
        )
    return forms
