"""The folder of an index in segments: a manifest that names them, replaced in one step.

```
index/
├── manifest.json         the kind of index, its parameters, and every segment with its files
├── segment-1f0c6a2e/     one segment's files; what changes later gets a new name
└── merging-5b3d90c7/     a segment in the making, of a merge in the background; see `aside`
```

A change writes new files beside those in use and replaces the manifest last. So whoever opens the
folder, at any time and after any crash, finds the index before the change or after it. What a
killed change left is swept away by the next one. One process changes a folder at a time; a merge in
the background does only when it begins and when it ends.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from plackett.data.formats.atomic import atomic_write, sync_folder
from plackett.errors import CorruptFileError, DataError
from plackett.retrievers.disk import full_disk_told
from plackett.retrievers.sealing import check_seal, sealed

__all__ = [
    "Change",
    "IndexBusyError",
    "IndexManifest",
    "SegmentEntry",
    "changing",
    "entry_of",
    "open_as_it_is",
    "read_index",
    "verify_index",
]

FORMAT = "plackett segmented index"
VERSION = 1
MANIFEST = "manifest.json"
LOCK = ".lock"
REMEDY = "build the index again"
SEGMENT = re.compile(r"segment-[0-9a-f]{8}")
ASIDE = re.compile(r"merging-[0-9a-f]{8}")
ASIDE_LOCK = "lock"
PAUSE = 0.005  # seconds between two tries to take a lock
PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\.[a-z0-9]+")
Opened = TypeVar("Opened")


class IndexBusyError(DataError):
    """Another process, or another thread, is changing the index."""


@dataclass(frozen=True)
class SegmentEntry:
    """One segment as the manifest holds it.

    Attributes
    ----------
    name : of its folder.
    documents : how many it holds, deleted ones included.
    facts : what its structure needs to be opened, as plain values.
    files : name to bytes and CRC-32.
    """

    name: str
    documents: int
    facts: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]

    def with_file(self, path: Path, facts: Mapping[str, Any]) -> SegmentEntry:
        """The entry with one more file, which is on disk when it returns, and other facts.

        A file that the facts name no more is left out.
        """
        gone = {self.facts.get(name) for name in facts}
        files = {name: known for name, known in self.files.items() if name not in gone}
        files[path.name] = _known(path)
        return SegmentEntry(self.name, self.documents, {**self.facts, **facts}, files)


def _known(path: Path) -> dict[str, Any]:
    """The size and checksum of a file, once it is on disk."""
    with open(path, "rb+") as opened:
        os.fsync(opened.fileno())
    return {"bytes": path.stat().st_size, "crc32": checksum(path)}


@dataclass(frozen=True)
class IndexManifest:
    """What an index consists of.

    Attributes
    ----------
    kind : of the index, such as "dense".
    facts : its parameters, as plain values.
    segments : in the order in which documents were added.
    """

    kind: str
    facts: Mapping[str, Any]
    segments: tuple[SegmentEntry, ...] = ()


def entry_of(path: Path, documents: int, facts: Mapping[str, Any]) -> SegmentEntry:
    """The entry of a segment whose files are complete; they are on disk when it returns."""
    files = {file.name: _known(file) for file in sorted(path.iterdir())}
    sync_folder(path)
    return SegmentEntry(path.name, documents, facts, files)


@dataclass
class Change:
    """New segments in the making; `commit` puts them into the manifest."""

    folder: Path
    before: IndexManifest | None

    def new_segment(self) -> Path:
        """An empty folder for the files of one segment."""
        path = self.folder / f"segment-{secrets.token_hex(4)}"
        path.mkdir()
        return path

    def entry(self, path: Path, documents: int, facts: Mapping[str, Any]) -> SegmentEntry:
        """The entry of a segment whose files are complete; they are on disk when it returns."""
        return entry_of(path, documents, facts)

    def commit(self, manifest: IndexManifest) -> None:
        """Make `manifest` the index, in one step; files that it does not name go."""
        content = {
            "format": FORMAT,
            "version": VERSION,
            "kind": manifest.kind,
            "facts": manifest.facts,
            "segments": [
                {
                    "name": entry.name,
                    "documents": entry.documents,
                    "facts": entry.facts,
                    "files": entry.files,
                }
                for entry in manifest.segments
            ],
        }
        with atomic_write(self.folder / MANIFEST) as out:
            written = json.dumps(sealed(content), indent=1, ensure_ascii=False)
            out.write(written.encode() + b"\n")
        self.before = manifest
        sweep(self.folder, manifest)


@contextmanager
def changing(folder: str | Path, *, create: bool, wait: float = 0.0) -> Iterator[Change]:
    """Change an index, or make one where `create` is true; without a commit nothing stays of it.

    Parameters
    ----------
    wait : for how many seconds to wait until nobody else changes it.

    Raises
    ------
    DataError : the folder is a file or holds other things.
    IndexBusyError : another process or thread changes the index.
    CorruptFileError : the index in the folder is damaged and `create` is false.
    OSError : the disk is full.
    """
    index = Path(folder)
    if index.exists() and not index.is_dir():
        raise DataError("a file", expected="a folder, or nothing yet", path=index)
    made = not index.exists()
    if made and not create:
        raise DataError("no index", expected=f"a folder with a {MANIFEST}", path=index)
    index.mkdir(parents=True, exist_ok=True)
    _check_ours(index)
    change: Change | None = None
    try:
        with _locked(index, wait):
            before = _readable(index, create)
            sweep(index, before)
            change = Change(index, before)
            try:
                with full_disk_told(index):
                    yield change
            finally:
                sweep(index, change.before)
    finally:
        if made and (change is None or change.before is None):
            shutil.rmtree(index)


def _readable(index: Path, create: bool) -> IndexManifest | None:
    """The index as it is; None where it is absent or damaged and about to be made anew."""
    if create and not (index / MANIFEST).exists():
        return None
    try:
        return read_index(index)
    except CorruptFileError:
        if create:
            return None
        raise


def read_index(folder: str | Path) -> IndexManifest:
    """The manifest of an index, with the names and sizes of its files checked.

    Raises
    ------
    DataError : there is no index in the folder.
    CorruptFileError : the manifest or a file is damaged, or from another version.
    """
    index = Path(folder)
    path = index / MANIFEST
    if not path.is_file():
        raise DataError("no index", expected=f"a folder with a {MANIFEST}", path=index)
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise CorruptFileError(f"no JSON ({error})", remedy=REMEDY, path=path) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CorruptFileError("something else", expected=f"a {FORMAT}", remedy=REMEDY, path=path)
    if content.get("version") != VERSION:
        raise CorruptFileError(
            f"version {content.get('version')!r}",
            expected=f"version {VERSION}",
            remedy=f"{REMEDY} with this version of plackett",
            path=path,
        )
    manifest = _parsed(content, path)
    for entry in manifest.segments:
        for name, facts in entry.files.items():
            file = index / entry.name / name
            size = file.stat().st_size if file.is_file() else None
            if size != facts["bytes"]:
                found = "nothing" if size is None else f"{size} bytes"
                raise CorruptFileError(
                    found, expected=f"{facts['bytes']} bytes", remedy=REMEDY, path=file
                )
    check_seal(content, path, REMEDY)
    return manifest


def open_as_it_is(folder: str | Path, make: Callable[[IndexManifest], Opened]) -> Opened:
    """What `make` opens of the index in a folder, while others may change it.

    A change removes files that it replaced. So what cannot be opened is damaged only where the
    manifest is still the same; else the index is opened again, as it is now. It raises what
    `read_index` and `make` do.
    """
    path = Path(folder) / MANIFEST
    while True:
        before = path.read_bytes() if path.is_file() else b""
        try:
            return make(read_index(folder))
        except (CorruptFileError, FileNotFoundError):
            if not path.is_file() or path.read_bytes() == before:
                raise


def verify_index(folder: str | Path) -> None:
    """Check every file of an index against its checksum.

    Raises
    ------
    CorruptFileError : a file differs from what was written.
    """
    open_as_it_is(folder, lambda manifest: _verify(Path(folder), manifest))


def _verify(index: Path, manifest: IndexManifest) -> None:
    for entry in manifest.segments:
        for name, facts in entry.files.items():
            file = index / entry.name / name
            found = checksum(file) if file.exists() else "none"
            if found != facts["crc32"]:
                raise CorruptFileError(
                    f"checksum {found}", expected=facts["crc32"], remedy=REMEDY, path=file
                )


def checksum(path: Path) -> str:
    """The CRC-32 of a file, as eight hexadecimal digits."""
    value = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            value = zlib.crc32(block, value)
    return f"{value:08x}"


def sweep(index: Path, manifest: IndexManifest | None) -> None:
    """Remove what the manifest does not name: files, partial manifests, what killed merges left."""
    named = {} if manifest is None else {entry.name: entry.files for entry in manifest.segments}
    for path in list(index.iterdir()):
        if SEGMENT.fullmatch(path.name):
            if path.name not in named:
                shutil.rmtree(path)
                continue
            for file in list(path.iterdir()):
                if file.name not in named[path.name]:
                    file.unlink()
        elif ASIDE.fullmatch(path.name) and not at_work(path):
            # A merge that ends removes its own at the same time.
            with suppress(FileNotFoundError):
                shutil.rmtree(path)
        elif path.name.endswith(".partial"):
            path.unlink(missing_ok=True)


@contextmanager
def _locked(index: Path, wait: float) -> Iterator[None]:
    """Hold the folder's lock, which the system frees when the process ends."""
    deadline = time.monotonic() + wait
    with open(index / LOCK, "wb") as handle:
        while not take_lock(handle.fileno()):
            if time.monotonic() >= deadline:
                raise IndexBusyError(
                    "an index that another process is changing",
                    expected="one writer at a time",
                    remedy="wait until it has ended",
                    path=index,
                )
            time.sleep(PAUSE)
        yield


def take_lock(handle: int) -> bool:
    """Lock an open file for as long as it is open; False where somebody else has."""
    if os.name != "posix":  # pragma: no cover
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def at_work(aside: Path) -> bool:
    """Whether the process that writes a segment aside still lives."""
    try:
        with open(aside / ASIDE_LOCK, "rb") as handle:
            return not take_lock(handle.fileno())
    except FileNotFoundError:
        return False


def _parsed(content: Mapping[str, Any], path: Path) -> IndexManifest:
    """The manifest; names that could lead out of the folder are refused."""
    try:
        segments = tuple(
            SegmentEntry(
                str(entry["name"]),
                int(entry["documents"]),
                dict(entry["facts"]),
                {
                    str(name): {"bytes": int(file["bytes"]), "crc32": str(file["crc32"])}
                    for name, file in entry["files"].items()
                },
            )
            for entry in content["segments"]
        )
        manifest = IndexManifest(str(content["kind"]), dict(content["facts"]), segments)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(
            f"a manifest that lacks a part ({error})", remedy=REMEDY, path=path
        ) from error
    for entry in segments:
        if not SEGMENT.fullmatch(entry.name):
            raise CorruptFileError(f"segment name {entry.name!r}", remedy=REMEDY, path=path)
        for name in entry.files:
            if not PLAIN_NAME.fullmatch(name):
                raise CorruptFileError(f"file name {name!r}", remedy=REMEDY, path=path)
    return manifest


def _check_ours(index: Path) -> None:
    """Refuse a folder that holds what no index put there."""
    for entry in index.iterdir():
        name = entry.name
        partial = name.startswith(f".{MANIFEST}.") and name.endswith(".partial")
        folder = SEGMENT.fullmatch(name) or ASIDE.fullmatch(name)
        if not (name in (MANIFEST, LOCK) or folder or partial):
            raise DataError(
                f"{name!r} in the folder",
                expected="an index, or an empty folder",
                remedy="name a folder of its own for the index",
                path=index,
            )
