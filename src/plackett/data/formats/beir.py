"""BEIR folders: `corpus.jsonl`, `queries.jsonl` (each possibly `.gz`), `qrels/<split>.tsv`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from plackett.data.formats.columns import QrelsColumns
from plackett.data.formats.jsonl import JsonlTexts
from plackett.data.formats.registry import TEXTS
from plackett.data.formats.tsv import TsvQrels
from plackett.errors import DataError

__all__ = ["BeirTexts", "read_beir_qrels"]


def _member(folder: Path, stem: str) -> Path:
    for path in (folder / stem, folder / f"{stem}.gz"):
        if path.is_file():
            return path
    raise DataError(
        f"no {stem} or {stem}.gz",
        expected="a BEIR folder: corpus.jsonl, queries.jsonl, qrels/<split>.tsv",
        path=folder,
    )


def read_beir_qrels(folder: Path, split: str, *, subtopics: bool = False) -> QrelsColumns:
    """The judgments `qrels/<split>.tsv` of a folder."""
    return TsvQrels.read_qrels(_member(folder, f"qrels/{split}.tsv"), subtopics=subtopics)


@TEXTS.register("beir")
class BeirTexts:
    """The corpus or the queries of a BEIR folder."""

    @staticmethod
    def scan_texts(path: Path, *, kind: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The texts in record batches."""
        return JsonlTexts.scan_texts(_member(path, f"{kind}.jsonl"), kind=kind, rows=rows)

    @staticmethod
    def read_texts(path: Path, *, kind: str) -> pa.Table:
        """All texts."""
        return JsonlTexts.read_texts(_member(path, f"{kind}.jsonl"), kind=kind)

    @staticmethod
    def write_texts(path: Path, table: pa.Table) -> None:
        """Not offered: a folder is not one file."""
        raise DataError("a folder", expected="a file such as corpus.jsonl", path=path)
