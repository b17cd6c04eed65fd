"""Whether an encoder is the one that made an index."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plackett.errors import DataError

if TYPE_CHECKING:
    from plackett.encoders.base import Encoder

__all__ = ["check_encoder"]


def check_encoder(encoder: Encoder[Any] | None, facts: Mapping[str, Any], folder: Path) -> None:
    """Refuse an encoder that the documents were not encoded with.

    Parameters
    ----------
    encoder : None for the index's own.
    facts : of the manifest, "identity" and "encoder" among them.
    folder : of the index, for the message.

    Raises
    ------
    DataError : its identity, and that of the encoder it stands for, is another one.
    """
    identity = facts.get("identity")
    if encoder is None or identity in (None, encoder.identity, encoder.stands_for):
        return
    raise DataError(
        f"encoder {encoder!r} of identity {encoder.identity}",
        expected=f"{facts.get('encoder')}, of identity {identity}",
        remedy="open the index with the encoder that made it, or build it again",
        path=folder,
    )
