"""Reading a query with signs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["Clause", "Kind", "Need", "parse_query"]

Kind = Literal["words", "phrase", "prefix", "fuzzy"]
Need = Literal["should", "must", "must_not"]

_CLAUSE = re.compile(
    r"""(?P<sign>[+-]?)
        (?: "(?P<phrase>[^"]*)"?            # a phrase; one that nobody closed goes to the end
          | (?P<word>[^\s"^~*]+)(?P<star>\*)? (?:~(?P<distance>[12]?)(?![^\s^]))?
        )
        (?:\^(?P<weight>\d+(?:\.\d+)?|\.\d+))?""",
    re.VERBOSE,
)
MOST_WEIGHT = 1e6
_NEEDS: dict[str, Need] = {"": "should", "+": "must", "-": "must_not"}


@dataclass(frozen=True)
class Clause:
    """A part of a query.

    Parameters
    ----------
    text : as it was written, without its signs.
    kind : "words"; "phrase", whose words follow one another; "prefix", any term that begins so;
        "fuzzy", any term that is spelt nearly so.
    need : whether a document "should", "must" or "must_not" match.
    weight : what its contribution is multiplied by.
    distance : of a fuzzy clause, how many letters may differ; None for as many as its length
        allows.
    """

    text: str
    kind: Kind = "words"
    need: Need = "should"
    weight: float = 1.0
    distance: int | None = None


def parse_query(text: str) -> tuple[Clause, ...]:
    """The clauses of a query.

    | sign | meaning |
    |---|---|
    | `wing lift` | documents with any of the words, those with more and rarer ones first |
    | `+wing` | only documents with the word |
    | `-heat` | no documents with it |
    | `"boundary layer"` | the words one after the other |
    | `aero*` | any word that begins so |
    | `vicsous~`, `vicsous~1` | words that differ in so many letters |
    | `wing^2`, `"boundary layer"^.5` | counts so many times, a million at most |

    Nothing is an error: what makes no sense as a sign is read as a part of a word.

    >>> parse_query('+wing -"heat flow" aero*^2')[1:]  # doctest: +NORMALIZE_WHITESPACE
    (Clause(text='heat flow', kind='phrase', need='must_not', weight=1.0, distance=None),
     Clause(text='aero', kind='prefix', need='should', weight=2.0, distance=None))
    """
    clauses = []
    for found in _CLAUSE.finditer(text):
        need = _NEEDS[found["sign"]]
        weight = min(float(found["weight"] or 1.0), MOST_WEIGHT)
        if found["word"] is None:
            clauses.append(Clause(found["phrase"], "phrase", need, weight))
            continue
        kind: Kind = "words"
        if found["star"]:
            kind = "prefix"
        elif found["distance"] is not None:
            kind = "fuzzy"
        distance = int(found["distance"]) if found["distance"] else None
        clauses.append(Clause(found["word"], kind, need, weight, distance))
    return tuple(clauses)
