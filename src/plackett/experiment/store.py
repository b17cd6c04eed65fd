"""Finished steps on disk, found again by what went into them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from plackett.data.formats.atomic import sync_folder

__all__ = ["Store", "digest", "hash_file"]

_SEAL = "seal.json"


def hash_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            hashed.update(block)
    return hashed.hexdigest()


def digest(content: Mapping[str, Any]) -> str:
    """A short hash of a mapping of JSON values; the order of keys does not matter.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Store:
    """A folder of finished steps, each in `<kind>-<key>/` with a seal of its files' checksums.

    A step is written into a folder of another name that becomes the final one by a single rename:
    whatever kills the process, a step is either there, whole, or not there. Several processes may
    share a store; the first to finish a step has done it for all.

    >>> import tempfile
    >>> def add(folder):
    ...     _ = (folder / "sum.txt").write_text("3")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(Path(folder))
    ...     step = store.put("add", "1a2b", {"terms": [1, 2]}, add)
    ...     step.name, store.has("add", "1a2b"), store.is_whole("add", "1a2b")
    ('add-1a2b', True, True)
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, kind: str, key: str) -> Path:
        """Where the step lies, whether it is there or not."""
        return self.root / f"{kind}-{key}"

    def has(self, kind: str, key: str) -> bool:
        """Whether the step is there; its files are not read."""
        return (self.folder(kind, key) / _SEAL).exists()

    def is_whole(self, kind: str, key: str) -> bool:
        """Whether the step is there and its files are as they were written."""
        folder = self.folder(kind, key)
        files = _read_seal(folder).get("files")
        try:
            return isinstance(files, dict) and all(
                hash_file(folder / name) == checksum for name, checksum in files.items()
            )
        except OSError:
            return False

    def seconds(self, kind: str, key: str) -> float | None:
        """How long the step took when it was done; None where it is not there."""
        return _seconds(_read_seal(self.folder(kind, key)))

    def typical_seconds(self, kind: str) -> float | None:
        """How long the finished steps of a kind took on average; None where there is none."""
        seals = [_read_seal(folder) for folder in self.root.glob(f"{kind}-*")]
        took = [seconds for seal in seals if (seconds := _seconds(seal)) is not None]
        return sum(took) / len(took) if took else None

    def put(
        self, kind: str, key: str, inputs: Mapping[str, Any], write: Callable[[Path], None]
    ) -> Path:
        """Write a step by `write(folder)`, seal it, and put it in its place."""
        target = self.folder(kind, key)
        work = self._scratch(target.name)
        self.root.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            started = time.perf_counter()
            write(work)
            seconds = round(time.perf_counter() - started, 6)
            _write_seal(work, {"step": kind, "key": key, "seconds": seconds, "inputs": inputs})
            if not self.is_whole(kind, key):
                self._remove(target)
                os.replace(work, target)
                sync_folder(self.root)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return target

    def clear(self) -> None:
        """Remove every finished step, and nothing else."""
        for path in list(self.root.glob("*-*")):
            if (path / _SEAL).exists():
                self._remove(path)

    def sweep(self) -> None:
        """Remove what killed processes left half-written."""
        for path in self.root.glob(".*-*.*"):
            process = path.name.rpartition(".")[2]
            if path.is_dir() and process.isdigit() and not _is_alive(int(process)):
                shutil.rmtree(path, ignore_errors=True)

    def _scratch(self, name: str) -> Path:
        return self.root / f".{name}.{os.getpid()}"

    def _remove(self, folder: Path) -> None:
        """Take a step away by one rename first: it is never seen with half of its files."""
        if folder.exists():
            aside = self._scratch(f"{folder.name}-old")
            shutil.rmtree(aside, ignore_errors=True)
            os.replace(folder, aside)
            shutil.rmtree(aside)


def _write_seal(folder: Path, content: Mapping[str, Any]) -> None:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    files = {path.relative_to(folder).as_posix(): hash_file(path) for path in paths}
    with (folder / _SEAL).open("w", encoding="utf-8") as file:
        json.dump({**content, "files": files}, file, indent=2, ensure_ascii=False, default=str)
        file.flush()
        os.fsync(file.fileno())


def _read_seal(folder: Path) -> Mapping[str, Any]:
    """The seal's content; an empty mapping where there is none or it cannot be read."""
    try:
        seal = json.loads((folder / _SEAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return seal if isinstance(seal, dict) else {}


def _seconds(seal: Mapping[str, Any]) -> float | None:
    seconds = seal.get("seconds")
    return float(seconds) if isinstance(seconds, (int, float)) else None


def _is_alive(process: int) -> bool:
    if process == os.getpid() or os.name != "posix":  # elsewhere signal 0 is no mere question
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
