"""A comparison in words: the verdict, how it was tested, numbers as readers expect them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from plackett.metrics.corrections import get_correction
from plackett.metrics.significance import PAIRED_TESTS

if TYPE_CHECKING:
    from plackett.metrics.comparison_result import Comparison, Difference

__all__ = [
    "count",
    "footnote",
    "interval",
    "number",
    "p_value",
    "signed",
    "testing",
    "verdict",
]

MULTIPLE_TESTS = {"tukey": "Tukey HSD", "randomised_tukey": "randomised Tukey HSD"}
EVIDENCE_SHOWN = 3
"""So many systems in a sentence have their figures; of more, only the first."""

MINUS = "\N{MINUS SIGN}"


def number(value: float, digits: int = 4) -> str:
    """A number with fixed digits and a true minus sign.

    >>> number(0.12345), number(-1.0, 2)
    ('0.1235', '−1.00')
    """
    if math.isinf(value):
        return "∞" if value > 0 else MINUS + "∞"
    text = f"{value:.{digits}f}"
    if float(text) == 0:  # no "-0.0000"
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def signed(value: float, digits: int = 4) -> str:
    """A difference with its sign.

    >>> signed(0.031, 3), signed(-0.2, 1), signed(0.0, 1)
    ('+0.031', '−0.2', '0.0')
    """
    text = number(value, digits)
    positive = text != number(0.0, digits) and not text.startswith(MINUS)
    return "+" + text if positive else text


def interval(low: float, high: float, digits: int = 4) -> str:
    """An interval in brackets.

    >>> interval(-0.5, 1.0, 1)
    '[−0.5, 1.0]'
    """
    return f"[{number(low, digits)}, {number(high, digits)}]"


def p_value(value: float) -> str:
    """A p-value with its sign of comparison; small ones as a bound.

    >>> p_value(0.0234), p_value(0.00001), p_value(1.0)
    ('p = 0.023', 'p < 0.001', 'p = 1.000')
    """
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def count(n: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    >>> count(1, "query", "queries"), count(2000, "query", "queries")
    ('1 query', '2,000 queries')
    """
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def testing(comparison: Comparison) -> str:
    """The test and its correction, such as "paired t, Holm over 3 comparisons"."""
    settings = comparison.settings
    if settings.test in MULTIPLE_TESTS:
        return f"{MULTIPLE_TESTS[settings.test]} over {count(len(comparison.systems), 'system')}"
    test = PAIRED_TESTS[settings.test].label
    label = get_correction(settings.correction).label
    number_of = count(comparison.comparisons, "comparison")
    if settings.correction == "none":
        return f"{test}, {label} for {number_of}"
    return f"{test}, {label} over {number_of}"


def evidence(entry: Difference, *, flip: bool = False) -> str:
    """Size, interval and p-value of a difference; `flip` reads it from the other side."""
    value, low, high = entry.difference, entry.low, entry.high
    if flip:
        value, low, high = -value, -high, -low
    size = f"{signed(value, 3)} {interval(low, high, 3)}"
    return f"{size}, {p_value(entry.p_corrected)}"


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _members(members: list[tuple[str, str]]) -> str:
    """Names with their evidence; of many, the evidence of the first only."""
    if len(members) <= EVIDENCE_SHOWN:
        return _joined([f"{name} ({shown})" for name, shown in members])
    (first, shown), *others = members
    return _joined([f"{first} ({shown})", *(name for name, _ in others)])


def verdict(comparison: Comparison) -> str:
    """The outcome on the first measure in one sentence, in plain words."""
    measure = comparison.measures[0]
    found = [entry for entry in comparison.differences if entry.measure == measure.name]
    if not found:
        mean = comparison.mean(measure.name, comparison.systems[0])
        return (
            f"{mean.system} reaches {number(mean.mean, 3)} {interval(mean.low, mean.high, 3)} on "
            f"{measure.name} over {count(len(comparison.query_ids), 'query', 'queries')}; there "
            "is no other system to compare it with."
        )
    significant = [entry for entry in found if entry.significant and entry.difference != 0]
    if not significant:
        return _nothing_found(comparison, found)
    if comparison.baseline is not None:
        return _against_baseline(comparison, found)
    return _among_all(comparison, found)


def _nothing_found(comparison: Comparison, found: list[Difference]) -> str:
    measure = comparison.measures[0].name
    queries = count(len(comparison.query_ids), "query", "queries")
    if len(found) == 1:
        entry = found[0]
        start = (
            f"No significant difference between {entry.system} and {entry.reference} on {measure}: "
            f"{evidence(entry)} ({testing(comparison)})"
        )
    else:
        start = f"No significant difference on {measure} ({testing(comparison)})"
    needed = max(entry.detectable for entry in found)
    if math.isinf(needed):
        return f"{start}; one query can show no difference."
    if needed == 0:
        return f"{start}."
    return (
        f"{start}; with {queries} a difference of {number(needed, 3)} would be detectable with "
        f"power {comparison.settings.power:g}."
    )


def _against_baseline(comparison: Comparison, found: list[Difference]) -> str:
    measure = comparison.measures[0]
    sign = 1 if measure.higher_is_better else -1
    groups = {"better": list[tuple[str, str]](), "worse": list[tuple[str, str]]()}
    undecided: list[str] = []
    for entry in sorted(found, key=lambda entry: -sign * entry.difference):
        if entry.significant and entry.difference != 0:
            group = "better" if sign * entry.difference > 0 else "worse"
            groups[group].append((entry.system, evidence(entry)))
        else:
            undecided.append(entry.system)
    if len(found) == 1:
        word = "better" if groups["better"] else "worse"
        return (
            f"{found[0].system} is {word} than {comparison.baseline} on {measure.name}: "
            f"{evidence(found[0])} ({testing(comparison)})."
        )
    clauses: list[str] = []
    for word, members in groups.items():
        if members:
            verb = "is" if len(members) == 1 else "are"
            clauses.append(f"{_members(members)} {verb} {word} than {comparison.baseline}")
    if undecided:
        clauses.append(f"for {_joined(undecided)} no significant difference was found")
    return f"On {measure.name}, {'; '.join(clauses)} ({testing(comparison)})."


def _among_all(comparison: Comparison, found: list[Difference]) -> str:
    measure = comparison.measures[0]
    sign = 1 if measure.higher_is_better else -1
    means = {name: comparison.mean(measure.name, name).mean for name in comparison.systems}
    best = max(comparison.systems, key=lambda name: sign * means[name])
    beaten: list[tuple[str, str]] = []
    level: list[str] = []
    for entry in sorted(found, key=lambda entry: abs(entry.difference)):
        if best not in (entry.system, entry.reference):
            continue
        other = entry.reference if best == entry.system else entry.system
        if entry.significant:
            shown = evidence(entry, flip=entry.reference == best)
            beaten.append((other, shown))
        else:
            level.append(other)
    if not beaten:
        return (
            f"{best} is ahead on {measure.name}, but not significantly; other pairs do differ "
            f"({testing(comparison)})."
        )
    if len(found) == 1:
        entry = found[0]
        flip = entry.reference == best
        return (
            f"{best} is better than {entry.system if flip else entry.reference} on {measure.name}: "
            f"{evidence(entry, flip=flip)} ({testing(comparison)})."
        )
    rest = f"; no significant difference to {_joined(level)}" if level else ""
    return (
        f"{best} is best on {measure.name}: better than {_members(beaten)}{rest} "
        f"({testing(comparison)})."
    )


def footnote(comparison: Comparison) -> list[str]:
    """How the figures were made: marks, test, queries, intervals, exact definitions."""
    settings = comparison.settings
    lines: list[str] = []
    if comparison.comparisons:
        if comparison.baseline is None:
            legend = ", ".join(f"{letter} {name}" for name, letter in comparison.letters.items())
            marks = f"A letter: significantly better than the system of that letter ({legend})"
        else:
            marks = f"▲ ▼: significantly better or worse than {comparison.baseline}"
        drawn = settings.test in ("randomisation", "randomised_tukey")
        permutations = f", {settings.permutations:,} permutations" if drawn else ""
        lines.append(
            f"{marks}; {testing(comparison)} on each measure, "
            f"alpha {settings.alpha:g}{permutations}."
        )
        lines.append(
            "Differences: Cohen's d of the pairs; detectable: the smallest true difference that a "
            f"paired t test sees with power {settings.power:g}, alpha shared among the comparisons."
        )
    lines.append(
        f"{count(len(comparison.query_ids), 'query', 'queries')}; "
        f"[ ]: {100 * settings.confidence:g} % bootstrap intervals (BCa, "
        f"{settings.resamples:,} resamples, seed {settings.seed})."
    )
    if settings.evaluation:
        options = ", ".join(f"{name} = {value}" for name, value in settings.evaluation.items())
        lines.append(f"Evaluation: {options}.")
    lines += [f"{measure.name}: {measure.definition}" for measure in comparison.measures]
    return lines
