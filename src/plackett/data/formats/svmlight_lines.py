"""One SVMlight line in plain Python: the reference that the compiled parser agrees with."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

from plackett.data.formats.decimals import parse_number
from plackett.errors import DataError

__all__ = ["SvmlightLine", "check_label", "check_value", "parse_line"]

_DOCUMENT = re.compile(rb"\s*docid\s*=\s*(\S+)")
_LARGEST = 3.4028235677973366e38
"""Half a step above the largest float32: from here on a number rounds to infinity."""


class SvmlightLine(NamedTuple):
    """What a line holds; features are counted from 0."""

    label: float
    query: bytes
    document: bytes | None
    features: list[int]
    values: list[float]


class _Fault(NamedTuple):
    path: Path
    line: int

    def error(self, found: str, expected: str, remedy: str = "") -> DataError:
        return DataError(found, expected=expected, remedy=remedy, path=self.path, line=self.line)


def _shown(token: bytes) -> str:
    return repr(token[:40].decode("utf-8", "replace"))


def check_label(token: bytes, path: Path, line: int) -> float:
    """The grade that `token` writes: a finite number that is not negative."""
    value = parse_number(token)
    if value is None or not 0 <= value < _LARGEST:
        raise _Fault(path, line).error(
            f"label {_shown(token)}",
            "a finite grade of 0 or more",
            "map the labels to grades 0, 1, 2, ...",
        )
    return value


def check_value(token: bytes, feature: int, path: Path, line: int) -> float:
    """The value that `token` writes: a number inside float32's range, or nan for missing."""
    value = parse_number(token)
    if value is None:
        raise _Fault(path, line).error(
            f"value {_shown(token)} of feature {feature + 1}", "a number", "correct the line"
        )
    if not math.isnan(value) and abs(value) >= _LARGEST:
        raise _Fault(path, line).error(
            f"value {_shown(token)} of feature {feature + 1}",
            "a number inside the range of float32 (3.4e38)",
            "rescale the feature, for example to its logarithm, or write nan for missing",
        )
    return value


def parse_line(raw: bytes, path: Path, line: int) -> SvmlightLine | None:
    """Parse `label qid:Q index:value ... # docid = X`; None for a line that holds no row.

    >>> parse_line(b"2 qid:10 1:0.5 3:4 # docid = D7", Path("f"), 1)
    SvmlightLine(label=2.0, query=b'10', document=b'D7', features=[0, 2], values=[0.5, 4.0])
    """
    fault = _Fault(path, line)
    content, _, comment = raw.partition(b"#")
    tokens = content.split()
    if not tokens:
        return None
    label = check_label(tokens[0], path, line)
    if len(tokens) < 2 or not tokens[1].startswith(b"qid:") or len(tokens[1]) == 4:
        found = _shown(tokens[1]) if len(tokens) > 1 else "nothing"
        raise fault.error(
            f"{found} after the label", "qid:<query id>", "add the query id to every line"
        )
    features: list[int] = []
    values: list[float] = []
    for token in tokens[2:]:
        features.append(_feature(token, features[-1] if features else -1, fault))
        values.append(check_value(token.partition(b":")[2], features[-1], path, line))
    match = _DOCUMENT.match(comment)
    return SvmlightLine(label, tokens[1][4:], match[1] if match else None, features, values)


def _feature(token: bytes, previous: int, fault: _Fault) -> int:
    """The feature, from 0, that the left side of `index:value` names."""
    name, colon, _ = token.partition(b":")
    if not colon or not re.fullmatch(rb"[+-]?[0-9]+", name):
        raise fault.error(f"{_shown(token)}", "index:value", "correct or complete the line")
    index = min(int(name[:40]), 1 << 40)
    if not name.isdigit() or index < 1:
        raise fault.error(
            f"feature number {name[:40].decode()}",
            "numbers from 1",
            "number the features 1, 2, 3, ...",
        )
    if index - 1 <= previous:
        problem = "twice" if index - 1 == previous else f"after {previous + 1}"
        raise fault.error(
            f"feature {index} {problem}",
            "ascending feature numbers, each once",
            "sort the features of the line and remove repeated ones",
        )
    return index - 1
