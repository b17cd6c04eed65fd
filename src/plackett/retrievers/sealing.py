"""The checksum that a manifest carries of itself, so that no changed byte of it goes unnoticed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plackett.errors import CorruptFileError

__all__ = ["SEAL", "check_seal", "sealed"]

SEAL = "crc32"


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest with its checksum, the CRC-32 of its content whatever its layout.

    >>> sealed({"format": "x", "version": 1})
    {'format': 'x', 'version': 1, 'crc32': '...'}
    """
    return {**content, SEAL: _checksum(content)}


def check_seal(content: Mapping[str, Any], path: Path, remedy: str) -> None:
    """Refuse a manifest that is not as it was sealed; those of earlier versions have no seal.

    Parameters
    ----------
    path : of the manifest, for the message.
    remedy : what the user can do.

    Raises
    ------
    CorruptFileError : it has changed.
    """
    found = _checksum(content)
    if content.get(SEAL, found) != found:
        raise CorruptFileError(
            f"a manifest of checksum {found}",
            expected=str(content[SEAL]),
            remedy=remedy,
            path=path,
        )


def _checksum(content: Mapping[str, Any]) -> str:
    """Of the content but the seal, as JSON with its names in order; eight hexadecimal digits."""
    rest = {name: value for name, value in content.items() if name != SEAL}
    return f"{zlib.crc32(json.dumps(rest, sort_keys=True).encode()):08x}"
