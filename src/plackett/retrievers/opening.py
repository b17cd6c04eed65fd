"""Opening an index of any kind: its folder says what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plackett.errors import ConfigurationError
from plackett.retrievers.base import get
from plackett.retrievers.bm25 import BM25
from plackett.retrievers.cross_encoder import CrossEncoderNeighbours
from plackett.retrievers.cross_encoder.documents import KIND
from plackett.retrievers.inverted.storage import verify_files
from plackett.retrievers.living.live_bm25 import LiveBM25
from plackett.retrievers.living.live_facts import KIND as LIVE
from plackett.retrievers.segments.base import SegmentedRetriever
from plackett.retrievers.segments.store import FORMAT, MANIFEST, verify_index

if TYPE_CHECKING:
    from plackett.data.texts import Corpus
    from plackett.encoders.base import Encoder

__all__ = ["index_kind", "open_index", "vector_retriever", "verify_folder"]


def index_kind(folder: str | Path) -> str:
    """The kind of the index in a folder: "bm25", "dense", "sparse", "multivector" or another's.

    What is no index of vectors is called "bm25", whose opening then says what is wrong with it.

    >>> import tempfile
    >>> import numpy as np
    >>> from plackett.retrievers import Dense
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     index = Dense.from_vectors(["a"], np.eye(1), folder)
    ...     index_kind(folder)
    'dense'
    """
    try:
        content = json.loads((Path(folder) / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return "bm25"
    if isinstance(content, dict) and content.get("format") == FORMAT:
        return str(content.get("kind"))
    return "bm25"


def vector_retriever(kind: str) -> type[SegmentedRetriever[Any]]:
    """The class of the indexes of vectors of this kind.

    Raises
    ------
    UnknownNameError : no retriever has that name.
    ConfigurationError : it is none over vectors.

    >>> vector_retriever("sparse").__name__
    'Sparse'
    """
    found = get(kind)
    if not issubclass(found, SegmentedRetriever):
        raise ConfigurationError(f"{kind!r} is no kind of index of vectors.")
    return found


def open_index(
    folder: str | Path, *, encoder: Encoder[Any] | None = None, corpus: Corpus | None = None
) -> BM25 | LiveBM25 | SegmentedRetriever[Any] | CrossEncoderNeighbours:
    """The retriever over the index in a folder, of whatever kind it is.

    Parameters
    ----------
    folder : of the index.
    encoder : for an index of vectors, see `SegmentedRetriever.open`.
    corpus : the documents that were indexed, for later stages to find their texts.

    Raises
    ------
    DataError : there is no index in the folder, or the encoder is not the one that made it.
    CorruptFileError : a file is missing, cut or of another version.
    ConfigurationError : an encoder for an index that has no vectors.

    >>> import tempfile
    >>> import numpy as np
    >>> from plackett.retrievers import Dense
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     index = Dense.from_vectors(["a", "b"], np.eye(2), folder)
    ...     type(open_index(folder)).__name__
    'Dense'
    """
    kind = index_kind(folder)
    if kind == KIND:
        if encoder is not None:
            raise ConfigurationError(f"{folder} is an index of scores, which has no encoder.")
        return CrossEncoderNeighbours.open(folder, corpus=corpus)
    if kind in ("bm25", LIVE):
        if encoder is not None:
            raise ConfigurationError(
                f"{folder} is an index of kind {kind!r}, which has no encoder."
            )
        return (BM25 if kind == "bm25" else LiveBM25).open(folder, corpus=corpus)
    return vector_retriever(kind).open(folder, encoder=encoder, corpus=corpus)


def verify_folder(folder: str | Path) -> None:
    """Check every file of an index of any kind against its checksum.

    Raises
    ------
    DataError : there is no index in the folder.
    CorruptFileError : a file differs from what was written.
    """
    if index_kind(folder) == "bm25":
        verify_files(folder)
    else:
        verify_index(folder)
