"""The five folds of a LETOR collection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from plackett.data.dataset import RankingDataset
from plackett.data.formats.columns import DatasetColumns
from plackett.data.ids import Ids
from plackett.errors import DataError

__all__ = ["LetorFold", "concatenate", "letor_folds"]


class LetorFold(NamedTuple):
    """One fold: what to learn from, what to stop on, what to measure."""

    train: RankingDataset
    valid: RankingDataset
    test: RankingDataset


def letor_folds(folder: str | Path) -> Iterator[LetorFold]:
    """The folds of a LETOR folder, each read when it is asked for.

    A folder holds either the parts S1.txt ... S5.txt (each possibly `.gz`), of which fold i trains
    on S_i, S_i+1, S_i+2, validates on S_i+3 and tests on S_i+4, counted around in a circle; or
    folders Fold1 ... Fold5 with train.txt, vali.txt, test.txt (each possibly `.gz`).

    Raises
    ------
    DataError : a file is missing; before anything is read.
    """
    base = Path(folder)
    if (base / "Fold1").is_dir():
        names = sorted(base.glob("Fold[0-9]*"), key=lambda path: int(path.name[4:]))
        files = [
            tuple(_member(fold, f"{part}.txt") for part in ("train", "vali", "test"))
            for fold in names
        ]
        return (LetorFold(*(RankingDataset.read(path) for path in paths)) for paths in files)
    parts = [_member(base, f"S{number}.txt") for number in range(1, 6)]
    return _circle(parts)


def _circle(paths: list[Path]) -> Iterator[LetorFold]:
    parts = [RankingDataset.read(path) for path in paths]
    for first in range(len(parts)):
        around = [parts[(first + step) % len(parts)] for step in range(len(parts))]
        yield LetorFold(concatenate(around[:-2]), around[-2], around[-1])


def _member(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(
        f"no {name} or {name}.gz",
        expected="a LETOR folder: S1.txt ... S5.txt, or Fold1/train.txt, vali.txt, test.txt",
        path=folder,
    )


def concatenate(parts: list[RankingDataset]) -> RankingDataset:
    """The rows of several datasets one after the other; equal ids are the same query.

    Raises
    ------
    DataError : no parts, or features that differ in their names.
    """
    if not parts:
        raise DataError("no datasets", expected="one or more")
    widest = max((part.feature_names for part in parts), key=len)
    for part in parts:
        if part.feature_names != widest:
            raise DataError(
                f"parts of {part.shape[1]} and {len(widest)} features, or with other names",
                expected="the same features in every part",
            )
    query_ids, query = Ids.encode(
        pa.concat_arrays([part.query_ids.strings(part.query).cast(pa.string()) for part in parts])
    )
    named = [
        part.document_ids.strings(part.document).cast(pa.string())
        for part in parts
        if part.document is not None and part.document_ids is not None
    ]
    columns = DatasetColumns(
        np.concatenate([part.X for part in parts]),
        np.concatenate([part.y for part in parts]),
        query_ids,
        query,
        None,
        None,
        widest,
    )
    if len(named) == len(parts):
        document_ids, document = Ids.encode(pa.concat_arrays(named))
        columns = columns._replace(document_ids=document_ids, document=document)
    return RankingDataset.from_columns(columns, missing=parts[0].missing)
