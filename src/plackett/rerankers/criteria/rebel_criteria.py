"""Criteria beside relevance: the fixed ones, and those that a model invents for a query."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from plackett.errors import ConfigurationError
from plackett.llm.parsing.cleaning import answer_part

__all__ = [
    "CRITERIA",
    "Criteria",
    "Instructions",
    "check_criteria",
    "composite_scores",
    "criteria_text",
    "example_line",
    "read_instructions",
]

Criteria: TypeAlias = Mapping[str, tuple[float, str]]
"""By name: the weight beside relevance, and what the criterion means."""

CRITERIA: Criteria = MappingProxyType(
    {
        "depth": (0.2, "how thoroughly it goes into the matter"),
        "diversity": (0.2, "how many sides and points of view it covers"),
        "clarity": (0.2, "how clearly and precisely it says what it says"),
        "authority": (0.2, "how much its source and its evidence can be trusted"),
        "recency": (0.2, "how well it fits the present state of the matter"),
    }
)
"""The five of one turn. The paper's weights are part of its prompt; equal ones are ours."""

RELEVANCE_TOP, CRITERION_TOP = 10.0, 5.0
QUERY, DOCUMENTS = "{query}", "{documents}"
MOST_CRITERIA = 8
_NAME = re.compile(r"[^\W\d_]{2,30}")


class Instructions(NamedTuple):
    """What a model wrote for a query: criteria, and a prompt in three pieces around its two
    placeholders."""

    criteria: Criteria
    before: str
    between: str
    after: str


def check_criteria(criteria: Criteria) -> Criteria:
    """The criteria, if every name is one word and every weight a finite number from 0 on.

    Raises
    ------
    ConfigurationError : otherwise, or if one is called relevance.
    """
    for name, (weight, _) in criteria.items():
        if not _NAME.fullmatch(name) or name != name.lower() or name == "relevance":
            raise ConfigurationError(
                f"criterion {name!r}; expected one word in lower case other than relevance."
            )
        if not (math.isfinite(weight) and weight >= 0):
            raise ConfigurationError(
                f"weight {weight!r} of criterion {name!r}; expected 0 or more."
            )
    return criteria


def criteria_text(criteria: Criteria) -> str:
    """The criteria as lines of a prompt; weights are not told, for nothing is to be added up."""
    lines = [f"- relevance, 0 to {RELEVANCE_TOP:g}: how well it answers the query"]
    for name, (_, meaning) in criteria.items():
        lines.append(f"- {name}, 0 to {CRITERION_TOP:g}: {meaning}")
    return "\n".join(lines)


def example_line(criteria: Criteria, label: str = "1") -> str:
    """An answer about one document.

    >>> example_line({"depth": (0.5, "how deep")})
    '[1]: relevance = 6, depth = 3'
    """
    return f"[{label}]: " + ", ".join(["relevance = 6", *(f"{name} = 3" for name in criteria)])


def composite_scores(
    given: Sequence[Mapping[str, float]], criteria: Criteria
) -> list[tuple[float, float]]:
    """Relevance and composite of each document: relevance + sum of weight x criterion.

    Computed from the single scores; a sum of the model's own is not looked at. A score outside
    its scale counts as the scale's end, a criterion that is missing as its middle, so that a
    forgotten one neither lifts nor sinks a document. Without relevance both are NaN.

    >>> composite_scores([{"relevance": 7, "depth": 4, "total": 99}], {"depth": (0.5, "")})
    [(7.0, 9.0)]
    """
    results = []
    for scores in given:
        relevance = scores.get("relevance", math.nan)
        if math.isnan(relevance):
            results.append((math.nan, math.nan))
            continue
        relevance = min(max(relevance, 0.0), RELEVANCE_TOP)
        total = relevance
        for name, (weight, _) in criteria.items():
            score = scores.get(name, CRITERION_TOP / 2)
            total += weight * min(max(score, 0.0), CRITERION_TOP)
        results.append((float(relevance), float(total)))
    return results


def read_instructions(text: str) -> Instructions | None:
    """The criteria and the prompt that a model wrote for a query; None where they cannot be used.

    Below a line "CRITERIA" stand lines `name; weight; what it means`, below a line "PROMPT" a text
    that has {query} once and, after it, {documents} once. Lines that are no criterion are left out;
    weights above 1 count as 1; at most eight criteria are taken.

    >>> found = read_instructions(
    ...     "CRITERIA\\nage; 0.5; how old\\nPROMPT\\nFor {query}: {documents} Judge."
    ... )
    >>> found.criteria, found.before, found.after
    ({'age': (0.5, 'how old')}, 'For ', ' Judge.')
    """
    part, _ = answer_part(text)
    pieces = re.split(r"^\W*PROMPT\W*$", part, maxsplit=1, flags=re.MULTILINE)
    if len(pieces) < 2:
        return None
    criteria = _read_criteria(re.sub(r"^\W*CRITERIA\W*$", "", pieces[0], flags=re.MULTILINE))
    prompt = pieces[1].strip("` \n")
    once = prompt.count(QUERY) == prompt.count(DOCUMENTS) == 1
    if not criteria or not once or prompt.index(QUERY) > prompt.index(DOCUMENTS):
        return None
    before, _, rest = prompt.partition(QUERY)
    between, _, after = rest.partition(DOCUMENTS)
    return Instructions(criteria, before, between, after)


def _read_criteria(text: str) -> dict[str, tuple[float, str]]:
    found: dict[str, tuple[float, str]] = {}
    for line in text.splitlines():
        fields = [field.strip(" \t*•`") for field in line.split(";", 2)]
        if len(fields) < 3 or len(found) == MOST_CRITERIA:
            continue
        name = fields[0].lstrip("- ").lower()
        try:
            weight = float(fields[1])
        except ValueError:
            continue
        if _NAME.fullmatch(name) and name != "relevance" and math.isfinite(weight) and weight > 0:
            found.setdefault(name, (min(weight, 1.0), fields[2]))
    return found
