"""The errors plackett raises.

```
PlackettError
├── DataError            a file, a row or an array is not what it must be
│   └── CorruptFileError   a file plackett wrote has been cut or changed
├── ConfigurationError   a parameter or an experiment file is wrong
│   └── UnknownNameError   a name that no registry holds
├── NotFittedError       a ranker is used before `fit`
└── OptionalDependencyError   a feature needs an extra that is not installed
```

Every message says what was found, what was expected, and the remedy.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "ConfigurationError",
    "CorruptFileError",
    "DataError",
    "NotFittedError",
    "OptionalDependencyError",
    "PlackettError",
    "UnknownNameError",
]


class PlackettError(Exception):
    """Base class of all errors that plackett raises on purpose."""


class DataError(PlackettError, ValueError):
    """Data is not what it must be.

    Parameters
    ----------
    found : what was found, as one clause without a full stop.
    expected : what was expected, likewise; optional.
    remedy : what the user can do; optional.
    path, line : where; `line` counts from 1.

    >>> raise DataError("grade 'x'", expected="a number", path="qrels.txt", line=3)
    Traceback (most recent call last):
    plackett.errors.DataError: qrels.txt:3: found grade 'x'; expected a number.
    """

    def __init__(
        self,
        found: str,
        *,
        expected: str = "",
        remedy: str = "",
        path: str | Path | None = None,
        line: int | None = None,
    ) -> None:
        self.found, self.expected, self.remedy = found, expected, remedy
        self.path = None if path is None else str(path)
        self.line = line
        place = ""
        if self.path is not None:
            place = f"{self.path}:{line}: " if line is not None else f"{self.path}: "
        elif line is not None:
            place = f"line {line}: "
        message = f"{place}found {found}"
        if expected:
            message += f"; expected {expected}"
        message += "."
        if remedy:
            message += f" Remedy: {remedy}."
        super().__init__(message)


class CorruptFileError(DataError):
    """A file that plackett wrote is truncated, altered or of an unknown version."""


class ConfigurationError(PlackettError, ValueError):
    """A parameter or a configuration file holds a value that cannot be used."""


class UnknownNameError(ConfigurationError, KeyError):
    """A name is not in its registry; the message lists those that are.

    >>> raise UnknownNameError("measure", "nDGC", ["AP", "nDCG"])
    Traceback (most recent call last):
    plackett.errors.UnknownNameError: unknown measure 'nDGC'; did you mean 'nDCG'? Known: AP, nDCG.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        lowered = {candidate.lower(): candidate for candidate in self.known}
        close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
        hint = f" did you mean {lowered[close[0]]!r}?" if close else ""
        self.message = f"unknown {kind} {name!r};{hint} Known: {', '.join(self.known) or 'none'}."
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class NotFittedError(PlackettError, ValueError, AttributeError):
    """A ranker was asked to predict, explain or save before `fit` or `load`."""


class OptionalDependencyError(PlackettError, ImportError):
    """A feature needs a package that an extra of plackett installs."""
