"""Learned parameters in one file, written whole or not at all, and checked when they are read."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.data.formats.atomic import atomic_write
from plackett.errors import CorruptFileError

__all__ = ["read_learned", "write_learned"]

VERSION = 1
ABOUT = "about"
REMEDY = "learn and save it again"


def write_learned(
    path: str | Path,
    kind: str,
    arrays: Mapping[str, npt.NDArray[Any]],
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write arrays and plain values to one file: a zip archive of `.npy` members, with checksums.

    Parameters
    ----------
    kind : what they are together, which a reader must ask for.
    """
    about = json.dumps({"kind": kind, "version": VERSION, "facts": dict(facts or {})})
    with atomic_write(path) as file:
        np.savez(
            file, allow_pickle=False, **{ABOUT: np.frombuffer(about.encode(), np.uint8)}, **arrays
        )


def read_learned(path: str | Path, kind: str) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """The arrays and the facts that `write_learned` wrote.

    Raises
    ------
    CorruptFileError : the file is cut, altered, of another kind or version, or there is none.
    """
    try:
        # Opened here, so that it is closed also where it is no archive.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as opened:
            arrays = {name: opened[name] for name in opened.files}
        about = json.loads(arrays.pop(ABOUT).tobytes())
        found = (about["kind"], about["version"])
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise CorruptFileError(f"no {kind} ({error})", remedy=REMEDY, path=path) from error
    if found != (kind, VERSION):
        raise CorruptFileError(
            f"{found[0]!r} of version {found[1]!r}",
            expected=f"{kind!r} of version {VERSION}",
            remedy=REMEDY,
            path=path,
        )
    return arrays, about["facts"]
