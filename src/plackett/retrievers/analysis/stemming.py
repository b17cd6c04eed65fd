"""Stemmers by name: our own Porter, and those of Snowball."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plackett._optional import require
from plackett.retrievers.analysis.porter import stem

__all__ = ["STEMMERS", "stemmer"]

SNOWBALL = (
    "arabic",
    "armenian",
    "basque",
    "catalan",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "lithuanian",
    "nepali",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
    "yiddish",
)
STEMMERS = ("porter", *SNOWBALL)
"""Names of stemmers: "porter" is ours, of 1980; "english" is Snowball's, also called Porter 2."""


def stemmer(name: str) -> Callable[[str], str]:
    """The stemmer with this name, one of `STEMMERS`.

    Raises
    ------
    OptionalDependencyError : it is one of Snowball's, which are not installed.

    >>> stemmer("porter")("relational")
    'relat'
    """
    if name == "porter":
        return stem
    package = require("snowballstemmer", extra="languages", purpose=f"stem {name} words")
    made: Any = package.stemmer(name)
    cut: Callable[[str], str] = made.stemWord
    return cut
