"""A record of every call to a model."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO

from plackett.errors import DataError

__all__ = ["CallLog", "CallRecord", "summarise"]


@dataclass(frozen=True)
class CallRecord:
    """One question put to a model.

    Parameters
    ----------
    key : the digest of the question, as in the cache.
    kind : the power that was asked for, such as "generate".
    model : the model's identity.
    input_tokens, output_tokens : tokens sent and received.
    seconds : how long it took; 0 for an answer of the cache.
    cached : whether the cache answered.
    failure : why there is no answer, "" where there is one.
    """

    key: str
    kind: str
    model: str
    input_tokens: int
    output_tokens: int
    seconds: float
    cached: bool = False
    failure: str = ""


class CallLog:
    """The calls of a run, in the order in which they were answered.

    Parameters
    ----------
    path : a JSONL file that each call is added to as it is answered; None keeps them in memory
        only. The file may hold the calls of earlier runs; a last line that a kill cut is removed.

    >>> log = CallLog()
    >>> log.add(CallRecord("k", "generate", "m", 10, 2, 0.5))
    >>> log.calls, log.tokens
    (1, 12)
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path: Path | None = None
        self._lock = threading.Lock()
        self._records: list[CallRecord] = []
        self._file: IO[bytes] | None = None
        if path is not None:
            self.write_to(path)

    def write_to(self, path: str | Path) -> None:
        """Write every later call to the end of this file, a line of JSON each."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_cut_line(target)
        self.close()
        with self._lock:
            self.path, self._file = target, target.open("ab")

    def add(self, record: CallRecord) -> None:
        """Add one call."""
        with self._lock:
            self._records.append(record)
            if self._file is not None:
                # One write a line, so that processes that share the file do not mix their lines.
                self._file.write(json.dumps(asdict(record)).encode() + b"\n")
                self._file.flush()

    def close(self) -> None:
        """Close the file, if there is one; later calls are kept in memory only."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def __enter__(self) -> CallLog:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def records(self) -> tuple[CallRecord, ...]:
        """All records so far."""
        with self._lock:
            return tuple(self._records)

    @property
    def calls(self) -> int:
        """How many calls reached the model."""
        return sum(not record.cached for record in self.records)

    @property
    def tokens(self) -> int:
        """Tokens that the model read and wrote."""
        return sum(r.input_tokens + r.output_tokens for r in self.records if not r.cached)

    def summary(self) -> str:
        """A table of the calls of this run by model and kind; see `summarise`."""
        return summarise(self.records)

    @staticmethod
    def read(path: str | Path) -> list[CallRecord]:
        """The records of a file; a last line that a kill cut is left out.

        Raises
        ------
        DataError : a line is no record.
        """
        lines = Path(path).read_bytes().split(b"\n")
        return [
            _parse(line, Path(path), number)
            for number, line in enumerate(lines[:-1], start=1)
            if line.strip()
        ]


def summarise(records: Iterable[CallRecord]) -> str:
    """A table of calls by model and kind: calls, cached, failures, tokens, seconds.

    `p50` and `p95` are the seconds that half and 95 of 100 calls took at most.

    >>> print(summarise([CallRecord("k", "generate", "m", 10, 2, 0.5)]))
    model  kind      calls  cached  failures  tokens in  tokens out   p50   p95
    m      generate      1       0         0         10           2  0.50  0.50
    """
    groups: dict[tuple[str, str], list[CallRecord]] = defaultdict(list)
    for record in records:
        groups[record.model, record.kind].append(record)
    rows = [["model", "kind", "calls", "cached", "failures", "tokens in", "tokens out",
             "p50", "p95"]]  # fmt: skip
    for (model, kind), group in sorted(groups.items()):
        sent = [record for record in group if not record.cached]
        seconds = sorted(record.seconds for record in sent)
        numbers = (
            len(sent),
            len(group) - len(sent),
            sum(bool(record.failure) for record in sent),
            sum(record.input_tokens for record in sent),
            sum(record.output_tokens for record in sent),
        )
        times = [f"{_quantile(seconds, share):.2f}" for share in (0.5, 0.95)]
        rows.append([model, kind, *(f"{number:,}" for number in numbers), *times])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join([*left, *right]))
    return "\n".join(lines)


def _quantile(ordered: list[float], share: float) -> float:
    """The least value that at least this share of the values do not exceed."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def _parse(line: bytes, path: Path, number: int) -> CallRecord:
    try:
        content = json.loads(line)
        return CallRecord(**{field.name: content[field.name] for field in fields(CallRecord)})
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{line[:80]!r}", expected="a record of a call", path=path, line=number
        ) from error


def _remove_cut_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb+") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
