"""The folder of an index: a manifest that names the files, and one generation of them.

```
index/
├── manifest.json     what is in the index, and the size and CRC-32 of every file
└── a/ or b/          the files: .npy arrays and .arrow string tables
```

A build writes a new generation beside the one in use and then replaces the manifest, which is one
atomic step: whoever opens the folder, at any time and after any crash, finds the old index whole
or the new one whole. The next build sweeps away what a killed one left.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plackett.data.formats.atomic import atomic_write, sync_folder
from plackett.errors import CorruptFileError, DataError
from plackett.retrievers.disk import full_disk_told
from plackett.retrievers.sealing import check_seal, sealed

__all__ = [
    "FORMAT",
    "VERSION",
    "Generation",
    "checksum",
    "new_generation",
    "read_manifest",
    "verify_files",
]

FORMAT = "plackett inverted index"
VERSION = 2
MANIFEST = "manifest.json"
GENERATIONS = ("a", "b")
REMEDY = "build the index again"
PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]*\.(npy|arrow)")
UNFINISHED = re.compile(r"building-(\d+)-[0-9a-f]{8}")


def checksum(path: Path) -> str:
    """The CRC-32 of a file, as eight hexadecimal digits."""
    value = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            value = zlib.crc32(block, value)
    return f"{value:08x}"


class Generation:
    """A folder that a build fills; `commit` makes it the index."""

    def __init__(self, index: Path, path: Path) -> None:
        self.index, self.path = index, path

    def commit(self, content: Mapping[str, Any]) -> None:
        """Put the files in place under a manifest that holds `content`."""
        files = {
            path.name: {"bytes": path.stat().st_size, "crc32": checksum(path)}
            for path in sorted(self.path.iterdir())
        }
        for name in files:
            with open(self.path / name, "rb+") as file:
                os.fsync(file.fileno())
        current = _current_generation(self.index)
        target = GENERATIONS[1] if current == GENERATIONS[0] else GENERATIONS[0]
        _remove(self.index / target)
        os.rename(self.path, self.index / target)
        sync_folder(self.index)
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "generation": target,
            **content,
            "files": files,
        }
        with atomic_write(self.index / MANIFEST) as out:
            written = json.dumps(sealed(manifest), indent=1, ensure_ascii=False)
            out.write(written.encode() + b"\n")
        if current is not None:
            _remove(self.index / current)


@contextmanager
def new_generation(folder: str | Path) -> Iterator[Generation]:
    """An empty generation in the index folder, which is made where it is missing.

    Without a `commit`, or with an error or Ctrl-C, nothing stays of it.

    Raises
    ------
    DataError : the folder is a file, or holds other things than an index.
    OSError : the disk is full.
    """
    index = Path(folder)
    if index.exists() and not index.is_dir():
        raise DataError("a file", expected="a folder, or nothing yet", path=index)
    made = not index.exists()
    index.mkdir(parents=True, exist_ok=True)
    _check_ours(index)
    _sweep(index)
    path = index / f"building-{os.getpid()}-{secrets.token_hex(4)}"
    path.mkdir()
    try:
        with full_disk_told(index):
            yield Generation(index, path)
    finally:
        _remove(path)
        if made and not any(index.iterdir()):
            index.rmdir()


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """The manifest of an index, with the names and sizes of its files checked.

    Raises
    ------
    DataError : there is no index in the folder.
    CorruptFileError : the manifest or a file is damaged, or from a later version.
    """
    index = Path(folder)
    path = index / MANIFEST
    if not path.is_file():
        raise DataError("no index", expected=f"a folder with a {MANIFEST}", path=index)
    try:
        manifest = json.loads(path.read_bytes())
    except ValueError as error:
        raise CorruptFileError(f"no JSON ({error})", remedy=REMEDY, path=path) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise CorruptFileError("something else", expected=f"a {FORMAT}", remedy=REMEDY, path=path)
    if manifest.get("version") != VERSION:
        raise CorruptFileError(
            f"version {manifest.get('version')!r}",
            expected=f"version {VERSION}",
            remedy=f"{REMEDY} with this version of plackett",
            path=path,
        )
    _check_names(manifest, path)
    for name, entry in manifest["files"].items():
        file = index / manifest["generation"] / name
        size = file.stat().st_size if file.is_file() else None
        if size != entry["bytes"]:
            found = "nothing" if size is None else f"{size} bytes"
            raise CorruptFileError(
                found, expected=f"{entry['bytes']} bytes", remedy=REMEDY, path=file
            )
    check_seal(manifest, path, REMEDY)
    return manifest


def verify_files(folder: str | Path) -> None:
    """Check every file of an index against its checksum.

    Raises
    ------
    CorruptFileError : a file differs from what the build wrote.
    """
    manifest = read_manifest(folder)
    for name, entry in manifest["files"].items():
        file = Path(folder) / manifest["generation"] / name
        found = checksum(file)
        if found != entry["crc32"]:
            raise CorruptFileError(
                f"checksum {found}", expected=entry["crc32"], remedy=REMEDY, path=file
            )


def _check_names(manifest: Mapping[str, Any], path: Path) -> None:
    """Refuse a manifest whose names could lead out of the folder, or that lacks a part."""
    files = manifest.get("files")
    if manifest.get("generation") not in GENERATIONS or not isinstance(files, dict):
        raise CorruptFileError(
            "no generation or no files", expected="both", remedy=REMEDY, path=path
        )
    for name, entry in files.items():
        if not (isinstance(name, str) and PLAIN_NAME.fullmatch(name)):
            raise CorruptFileError(
                f"file name {name!r}", expected="a plain name", remedy=REMEDY, path=path
            )
        if not isinstance(entry, dict) or not {"bytes", "crc32"} <= entry.keys():
            raise CorruptFileError(
                f"the entry {entry!r} of {name}",
                expected="its bytes and crc32",
                remedy=REMEDY,
                path=path,
            )


def _current_generation(index: Path) -> str | None:
    """The generation that the manifest names; None without a manifest that can be read."""
    try:
        name = json.loads((index / MANIFEST).read_bytes())["generation"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return name if name in GENERATIONS else None


def _check_ours(index: Path) -> None:
    """Refuse a folder that holds what no build put there."""
    for entry in index.iterdir():
        name = entry.name
        ours = (
            name in (MANIFEST, *GENERATIONS)
            or UNFINISHED.fullmatch(name)
            or (name.startswith(f".{MANIFEST}.") and name.endswith(".partial"))
        )
        if not ours:
            raise DataError(
                f"{name!r} in the folder",
                expected="an index, or an empty folder",
                remedy="name a folder of its own for the index",
                path=index,
            )


def _sweep(index: Path) -> None:
    """Remove what killed builds left: unfinished generations, and one no manifest names."""
    current = _current_generation(index)
    for entry in list(index.iterdir()):
        unfinished = UNFINISHED.fullmatch(entry.name)
        if unfinished and not _is_alive(int(unfinished[1])):
            _remove(entry)
        elif entry.name.endswith(".partial"):
            entry.unlink(missing_ok=True)
        elif current is not None and entry.name in GENERATIONS and entry.name != current:
            _remove(entry)


def _is_alive(process: int) -> bool:
    """Whether another process of that number runs; our own builds have ended or hold no sweep."""
    if os.name != "posix":  # pragma: no cover
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
