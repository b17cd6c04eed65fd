"""The label that an explained judgment ends with."""

from __future__ import annotations

import math
import re

from plackett.llm.parsing.cleaning import answer_part, is_refusal, plain_characters
from plackett.llm.templates import PromptTemplate

__all__ = ["read_relevance_label"]

_CUE = re.compile(r"relevance label", re.IGNORECASE)
_LABEL = re.compile(r"(?<![\w.-])([0-2])(?!\w|\.\d)")
_NEGATED = re.compile(
    r"\b(?:not|n't|never|hardly|no|without|lacks?)\b(?:\W+\w+){0,3}\W+relevan(?:t|ce)\b"
    r"|n't(?:\W+\w+){0,3}\W+relevant\b|\b(?:irrelevan|non-?relevan)",
    re.IGNORECASE,
)
_PARTIAL = re.compile(r"\b(?:partially|partly|somewhat)[- ]relevant\b", re.IGNORECASE)
_RELEVANT = re.compile(r"\brelevant\b", re.IGNORECASE)
FIRST_WORDS = 30
"""Words of an answer without a label in which its verdict is looked for."""


def read_relevance_label(template: PromptTemplate, text: str) -> tuple[float, str]:
    """The label 0, 1 or 2 of an answer, and the answer's status.

    1. The first 0, 1 or 2 after the last "relevance label" that is followed by one: ok.
    2. What the template's own grammar reads from an answer that is a grade and nothing else: ok.
    3. Without either, a verdict in the first 30 words: "not relevant", or a negation up to three
       words before "relevant", is 0, "partially relevant" 1, "relevant" 2: repaired.
    4. Anything else says nothing (NaN): wrong_format, or refused, or missing.

    >>> from plackett.llm.templates import prompt_template
    >>> template = prompt_template("inte-rank")
    >>> read_relevance_label(template, "It names both wines. Relevance label: 2")
    (2.0, 'ok')
    >>> read_relevance_label(template, "The text is not directly relevant.")
    (0.0, 'repaired')
    """
    part, _ = answer_part(text)
    if not part:
        return math.nan, "missing"
    plain = plain_characters(part)
    for cue in reversed(list(_CUE.finditer(plain))):
        found = _LABEL.search(plain, cue.end())
        if found is not None:
            return float(found.group(1)), "ok"
    parsed = template.parse(text, 1)
    if parsed.status == "ok" and parsed.scores:
        return parsed.scores[0], "ok"
    if is_refusal(part):
        return math.nan, "refused"
    return _verdict(" ".join(plain.split()[:FIRST_WORDS]))


def _verdict(beginning: str) -> tuple[float, str]:
    if _NEGATED.search(beginning):
        return 0.0, "repaired"
    if _PARTIAL.search(beginning):
        return 1.0, "repaired"
    if _RELEVANT.search(beginning):
        return 2.0, "repaired"
    return math.nan, "wrong_format"
