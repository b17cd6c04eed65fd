"""A feature set as a file: its definitions, never code."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plackett.errors import CorruptFileError, DataError

__all__ = ["FILE_NAME", "FORMAT_VERSION", "read_schema", "write_schema"]

FORMAT = "plackett feature set"
FORMAT_VERSION = 1
FILE_NAME = "features.json"

_REMEDY = "save the feature set again, or take the folder from a backup"


def write_schema(folder: str | Path, schema: Mapping[str, Any]) -> None:
    """Write `features.json` into `folder`, in one step."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise DataError("a file", expected="a folder, or nothing", path=folder)
    folder.mkdir(parents=True, exist_ok=True)
    contents = {"format": FORMAT, "format_version": FORMAT_VERSION, **schema}
    contents["sha256"] = _digest(contents)
    path = folder / FILE_NAME
    partial = path.with_name(f".{FILE_NAME}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            json.dump(contents, file, indent=1, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_schema(folder: str | Path) -> dict[str, Any]:
    """Read and verify `features.json`.

    Raises
    ------
    DataError : the folder holds no feature set.
    CorruptFileError : the file is cut, altered, or of a version we do not know.
    """
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        raise DataError(
            "no saved feature set", expected=f"a folder with a {FILE_NAME}", path=folder
        )
    try:
        contents = json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptFileError(
            f"no JSON ({error})", expected="a feature set", remedy=_REMEDY, path=path
        ) from error
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise CorruptFileError(
            "no feature set", expected=f'"format": "{FORMAT}"', remedy=_REMEDY, path=path
        )
    if contents.get("format_version") != FORMAT_VERSION:
        raise CorruptFileError(
            f"format version {contents.get('format_version')!r}",
            expected=f"version {FORMAT_VERSION}",
            remedy="load it with the plackett that wrote it, or save it again",
            path=path,
        )
    if contents.get("sha256") != _digest(contents):
        raise CorruptFileError(
            "a feature set that was altered after it was written",
            expected="contents that agree with their checksum",
            remedy=_REMEDY,
            path=path,
        )
    return contents


def _digest(contents: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in contents.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
