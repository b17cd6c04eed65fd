"""How sure a model was of the number it wrote: read from the probabilities of its tokens."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from plackett.llm.requests import TokenScore

__all__ = ["expected_grade", "grade_probability"]

_DIGITS = re.compile(r"[^\w.]*(\d+)[^\w.]*")


def grade_probability(tokens: Sequence[TokenScore], grade: int) -> float | None:
    """The probability of the tokens that spell a grade; None where they are not told.

    The grade is looked for in the tokens, not at a place of the answer's text: a server may have
    taken the thinking out of one and not of the other. It is the first one after the last
    "<answer>", or else the last one. A grade of several tokens has the product of their
    probabilities.

    >>> grade_probability([TokenScore("1", math.log(0.8)), TokenScore("0", math.log(0.5))], 10)
    0.4
    """
    place = _place(tokens, grade)
    if place is None:
        return None
    logprob = sum(tokens[i].logprob for i in range(*place))
    return None if math.isnan(logprob) else round(math.exp(min(logprob, 0.0)), 12)


def expected_grade(
    tokens: Sequence[TokenScore], grade: int, scale: tuple[int, int]
) -> float | None:
    """sum_v v p(v) / sum_v p(v) over the grades told where the answer has its own.

    Grades that begin with the same token, as 1 and 10 may, share its probability by that of the
    next token. None where no probability is told.

    >>> tokens = [TokenScore("7", math.log(0.5), (("9", math.log(0.25)), ("x", math.log(0.25))))]
    >>> round(expected_grade(tokens, 7, (0, 10)), 6)
    7.666667
    """
    place = _place(tokens, grade)
    if place is None:
        return None
    start, _ = place
    masses: dict[int, float] = {}
    written = _DIGITS.fullmatch(tokens[start].token)
    for token, probability in _options(tokens[start]).items():
        digits = _DIGITS.fullmatch(token)
        if digits is None:
            continue
        longer = {}
        if written is not None and digits.group(1) == written.group(1):
            longer = _longer(digits.group(1), tokens[start + 1 : start + 2], scale)
        for value, share in longer.items():
            masses[value] = masses.get(value, 0.0) + probability * share
        value = int(digits.group(1))
        if scale[0] <= value <= scale[1]:
            rest = max(0.0, 1.0 - sum(longer.values()))
            masses[value] = masses.get(value, 0.0) + probability * rest
    total = sum(masses.values())
    return sum(value * mass for value, mass in masses.items()) / total if total > 0 else None


def _longer(
    digits: str, following: Sequence[TokenScore], scale: tuple[int, int]
) -> dict[int, float]:
    """The shares of the grades that these digits and a next token of digits spell together."""
    shares: dict[int, float] = {}
    for after in following:
        for token, probability in _options(after).items():
            # Only what follows without a space goes on with the number.
            more = re.match(r"\d+", token)
            if more is not None and scale[0] <= int(digits + more.group()) <= scale[1]:
                value = int(digits + more.group())
                shares[value] = shares.get(value, 0.0) + probability
    return shares


def _options(token: TokenScore) -> dict[str, float]:
    """What could have stood here, the token itself included, and how probable each was."""
    told = {**dict(token.alternatives), token.token: token.logprob}
    return {text: math.exp(min(value, 0.0)) for text, value in told.items() if value == value}


def _place(tokens: Sequence[TokenScore], grade: int) -> tuple[int, int] | None:
    """From which token to before which one the grade is spelt."""
    text = "".join(token.token for token in tokens)
    found = list(re.finditer(rf"(?<![\d.])0*{grade}(?!\d|\.\d)", text))
    if not found:
        return None
    tag = text.rfind("<answer>")
    behind = [each for each in found if each.start() > tag >= 0]
    chosen = behind[0] if behind else found[-1]
    ends = list(accumulate(len(token.token) for token in tokens))
    first = bisect_right(ends, chosen.start())
    last = bisect_right(ends, chosen.end() - 1)
    return first, last + 1
