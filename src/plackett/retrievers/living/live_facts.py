"""What the manifest of a living index says: how it was built, and which documents it holds."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from plackett.errors import ConfigurationError, CorruptFileError
from plackett.retrievers.analysis import Analyzer, TextAnalyzer, get_analyzer
from plackett.retrievers.segments.store import REMEDY, IndexManifest
from plackett.retrievers.weighting import Weighting

__all__ = [
    "KIND",
    "STATE",
    "AnyAnalyzer",
    "new_state",
    "same_documents",
    "saved_parts",
    "with_others",
]

KIND = "live-bm25"
STATE = "state"
AnyAnalyzer = str | TextAnalyzer | Callable[[str], list[str]]


def new_state() -> str:
    """A name for the documents of an index; adding and deleting change it, merging does not."""
    return secrets.token_hex(8)


def same_documents(one: IndexManifest, other: IndexManifest) -> bool:
    """Whether two manifests are of the same documents: whether no more than merges lies between."""
    state = one.facts.get(STATE)
    return one == other or (state is not None and state == other.facts.get(STATE))


def saved_parts(
    manifest: IndexManifest, given: AnyAnalyzer | None, folder: str | Path
) -> tuple[TextAnalyzer, Weighting]:
    """The analyzer and the weighting that an index was built with.

    Parameters
    ----------
    given : an analyzer to use in place of the saved one.
    folder : of the index, for messages.

    Raises
    ------
    ConfigurationError : the analyzer was a function, and none is given.
    CorruptFileError : the manifest lacks them.
    """
    try:
        weighting = Weighting(*manifest.facts["weighting"])
        saved = dict(manifest.facts["analyzer"])
        chosen = None if "function" in saved else Analyzer.from_dict(saved)
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(f"no parameters ({error})", remedy=REMEDY, path=folder) from error
    if given is not None:
        return get_analyzer(given), weighting
    if chosen is None:
        raise ConfigurationError(
            f"{folder} was built with the function {saved['function']!r} as its analyzer, which "
            "cannot be saved; pass it again as `analyzer=`"
        )
    return chosen, weighting


def with_others(
    saved: Weighting,
    *,
    k1: float | None,
    b: float | None,
    variant: str | None,
    delta: float | None,
) -> Weighting:
    """A weighting with other parameters where they are given; another variant has its own delta."""
    saved_delta = saved.delta if variant in (None, saved.variant) else None
    return Weighting(
        saved.variant if variant is None else variant,
        saved.k1 if k1 is None else k1,
        saved.b if b is None else b,
        saved_delta if delta is None else delta,
    )
