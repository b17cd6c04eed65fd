"""Encoders and structures as short texts: what command lines and experiment files write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plackett.encoders.base import Encoder
    from plackett.retrievers.segments.structure import Structure

__all__ = ["described_encoder", "described_structure"]

ENCODERS = {
    "dense": "TransformerEncoder",
    "sparse": "TransformerSparseEncoder",
    "tokens": "TokenMatrixEncoder",
}
"""What reads a model's folder, by the kind of vectors."""


def described_encoder(text: str, of: str, *, base: Path | None = None) -> Encoder[Any]:
    """The encoder of a description, or of a model's folder or name.

    Parameters
    ----------
    text : such as "TransformerEncoder('path', pooling='mean')", or only "path".
    of : the kind of vectors, "dense", "sparse" or "tokens".
    base : the folder that a path alone starts from; the working folder by default.

    Raises
    ------
    ConfigurationError : the text is no description, or an argument does not fit.
    UnknownNameError : no encoder has the name.
    """
    from plackett.encoders import parse_encoder

    if "(" not in text:
        # The index keeps the description: a folder must be found from wherever it is opened.
        folder = Path(text).expanduser() if base is None else base / Path(text).expanduser()
        model = str(folder.resolve()) if folder.is_dir() else text
        text = f"{ENCODERS[of]}({model!r})"
    made: Encoder[Any] = parse_encoder(text)
    return made


def described_structure(text: str) -> Structure[Any]:
    """The structure of a description such as "Exact(documents=4096)", or of a name alone.

    >>> described_structure("Exact").of
    'dense'
    """
    from plackett.retrievers.segments.structure import parse_structure

    return parse_structure(text if "(" in text else f"{text}()")
