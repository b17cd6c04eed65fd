"""One cell of a grid: a ranker with a seed, trained and measured on one fold."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plackett.data.dataset import RankingDataset
from plackett.experiment.store import Store
from plackett.metrics.base import parse_measures
from plackett.rankers.base import Ranker
from plackett.rankers.objective import MeanMeasure

__all__ = ["Cell", "CellWork", "read_cell", "run_cell"]

LISTS_TIMED = 30
CELL = "cell.json"


@dataclass(frozen=True)
class CellWork:
    """What to do: the ranker has its seed; `place` is the folder of the fold's data."""

    system: str
    seed: int
    fold: int
    ranker: Ranker
    measures: tuple[str, ...]
    key: str
    place: Path


@dataclass(frozen=True)
class Cell:
    """What came out.

    Attributes
    ----------
    query_ids : the queries measured.
    values : per measure one value a query.
    training_seconds : wall-clock time of `fit`.
    model_bytes : of the saved folder.
    milliseconds : the median time to score one query's documents.
    """

    seed: int
    fold: int
    query_ids: tuple[str, ...]
    values: dict[str, list[float]]
    training_seconds: float
    model_bytes: int
    milliseconds: float


def run_cell(work: CellWork, root: Path) -> str:
    """Do a cell and keep its result in the store; gives the cell's key."""
    store = Store(root)
    inputs = {"ranker": repr(work.ranker), "fold": work.fold, "seed": work.seed}
    store.put("cell", work.key, inputs, lambda folder: _write(work, folder))
    return work.key


def _write(work: CellWork, folder: Path) -> None:
    train, test = (RankingDataset.open(work.place / name) for name in ("train", "test"))
    place = work.place / "valid"
    valid = RankingDataset.open(place) if place.exists() else None
    started = time.perf_counter()
    ranker = work.ranker.fit(train, valid)
    seconds = time.perf_counter() - started
    scores = ranker.predict(test)
    content: dict[str, Any] = {
        "query_ids": list(test.query_ids),
        "values": {
            repr(measure): MeanMeasure(measure, test.y, test.offsets, test.order)
            .per_query(scores)
            .tolist()
            for measure in parse_measures(work.measures)
        },
        "training_seconds": round(seconds, 4),
        "model_bytes": _size(ranker),
        "milliseconds": _latency(ranker, test),
    }
    (folder / CELL).write_text(json.dumps(content), encoding="utf-8")


def _size(ranker: Ranker) -> int:
    with tempfile.TemporaryDirectory(prefix="plackett-") as folder:
        ranker.save(folder)
        return sum(path.stat().st_size for path in Path(folder).iterdir())


def _latency(ranker: Ranker, test: RankingDataset) -> float:
    """The median milliseconds for one query's documents, the first call left out."""
    step = max(1, test.n_queries // LISTS_TIMED)
    took = []
    for query in list(test.query_ids)[::step]:
        rows = test.take_rows(test.rows_of(query))
        started = time.perf_counter()
        ranker.predict(rows)
        took.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(took[1:] or took), 4)


def read_cell(store: Store, work: CellWork) -> Cell:
    """The result that `run_cell` kept."""
    path = store.folder("cell", work.key) / CELL
    content = json.loads(path.read_text(encoding="utf-8"))
    content["query_ids"] = tuple(content["query_ids"])
    return Cell(seed=work.seed, fold=work.fold, **content)
