"""Finished steps on disk, found again by what went into them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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
    """A folder of finished steps, each in `<step>-<key>/` with a seal of its files' checksums.

    A step is written into a folder of another name that becomes the final one by a single rename:
    whatever kills the process, a step is either there, whole, or not there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self._sweep()

    def folder(self, step: str, key: str) -> Path:
        """Where the step lies, whether it is there or not."""
        return self.root / f"{step}-{key}"

    def has(self, step: str, key: str) -> bool:
        """Whether the step is there; its files are not read."""
        return (self.folder(step, key) / _SEAL).exists()

    def is_whole(self, step: str, key: str) -> bool:
        """Whether the step is there and its files are as they were written."""
        folder = self.folder(step, key)
        try:
            seal = json.loads((folder / _SEAL).read_text(encoding="utf-8"))
            files = seal["files"]
            return isinstance(files, dict) and all(
                hash_file(folder / name) == checksum for name, checksum in files.items()
            )
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def put(
        self, step: str, key: str, inputs: Mapping[str, Any], write: Callable[[Path], None]
    ) -> Path:
        """Write a step by `write(folder)`, seal it, and put it in its place."""
        target = self.folder(step, key)
        work = self.root / f".{target.name}.{os.getpid()}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        write(work)
        files = {
            path.relative_to(work).as_posix(): hash_file(path)
            for path in sorted(work.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }
        seal = {"step": step, "key": key, "inputs": dict(inputs), "files": files}
        with (work / _SEAL).open("w", encoding="utf-8") as file:
            json.dump(seal, file, indent=2, default=str)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():  # a damaged one: `put` is called only where no whole one is
            shutil.rmtree(target)
        os.replace(work, target)
        return target

    def clear(self) -> None:
        """Remove every finished step."""
        for path in self.root.iterdir():
            if path.is_dir() and (path / _SEAL).exists():
                shutil.rmtree(path)

    def _sweep(self) -> None:
        """Remove what killed processes left half-written."""
        for path in self.root.glob(".*-*.*"):
            process = path.name.rpartition(".")[2]
            if path.is_dir() and process.isdigit() and not _is_alive(int(process)):
                shutil.rmtree(path, ignore_errors=True)


def _is_alive(process: int) -> bool:
    if process == os.getpid():
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
