"""What identifies the inputs of a comparison: content hashes and versions."""

from __future__ import annotations

import hashlib
import platform
from importlib import metadata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plackett.data.qrels import Qrels
from plackett.data.run import Run

__all__ = ["qrels_hash", "run_hash", "versions"]


def _update(digest: hashlib._Hash, strings: pa.Array) -> None:
    """Hash strings with their lengths, so that no two lists read the same."""
    digest.update(np.asarray(pc.binary_length(strings), np.int64).tobytes())
    digest.update("".join(strings.to_pylist()).encode())


def run_hash(run: Run) -> str:
    """SHA-256 of queries, documents and scores in canonical order: by query id, then as ranked.

    >>> run = Run.from_dict({"q": {"a": 1.0}})
    >>> run_hash(run) == run_hash(run.replace(name="renamed"))
    True
    """
    canonical = run.select(sorted(run.query_names))
    digest = hashlib.sha256(np.diff(canonical.offsets).astype("<i8").tobytes())
    _update(digest, canonical.query_ids.strings(canonical.query))
    _update(digest, canonical.document_ids.strings(canonical.document))
    digest.update(canonical.score.astype("<f4").tobytes())
    return digest.hexdigest()


def qrels_hash(qrels: Qrels) -> str:
    """SHA-256 of the judgments in canonical order: by query id, document id, subtopic id."""
    columns = [
        qrels.query_ids.strings(np.repeat(qrels.query, np.diff(qrels.offsets))),
        qrels.document_ids.strings(qrels.document),
        pa.array(qrels.grade, pa.float32()),
    ]
    if qrels.subtopic is not None and qrels.subtopic_ids is not None:
        columns.append(qrels.subtopic_ids.strings(qrels.subtopic))
    table = pa.table({str(i): column for i, column in enumerate(columns)})
    table = table.sort_by([(name, "ascending") for name in table.column_names])
    digest = hashlib.sha256()
    for column in table.columns:
        values = column.combine_chunks()
        if pa.types.is_float32(values.type):
            digest.update(np.asarray(values).astype("<f4").tobytes())
        else:
            _update(digest, values)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """The versions of the software that a comparison depends on, by name."""
    names = ("plackett", "numpy", "scipy", "pyarrow")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}
