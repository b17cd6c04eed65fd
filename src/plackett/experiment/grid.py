"""Losses x rankers x seeds on the same folds: one table with intervals, tests and costs."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import numpy as np

from plackett import __version__
from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError
from plackett.experiment.grid_cells import CellWork, read_cell, run_cell
from plackett.experiment.grid_result import GridResult, GridRow, make_result
from plackett.experiment.store import Store, digest
from plackett.metrics.base import Measure, parse_measures
from plackett.rankers.base import Ranker
from plackett.rankers.parameters import has_text_form

__all__ = ["Fold", "System", "cross_validation", "grid_systems", "run_grid"]


class Fold(NamedTuple):
    """What a ranker learns from, what decides when it stops, and what it is measured on."""

    train: RankingDataset
    valid: RankingDataset | None
    test: RankingDataset


class System(NamedTuple):
    """One line of the grid: its name, and the ranker without a seed."""

    name: str
    ranker: Ranker


def cross_validation(
    dataset: RankingDataset, folds: int = 5, *, validation: float = 0.2, seed: int = 0
) -> list[Fold]:
    """Folds of whole queries; of each training part, a share decides when to stop.

    Raises
    ------
    ConfigurationError : `validation` is not a share, or there are fewer queries than folds.
    """
    if not 0 <= validation < 1:
        raise ConfigurationError(f"validation={validation}; expected a share from 0 to below 1.")
    parts: list[Fold] = []
    for train, test in dataset.folds(folds, seed=seed):
        if validation == 0:
            parts.append(Fold(train, None, test))
        else:
            learn, valid = train.split(1 - validation, seed=seed)
            parts.append(Fold(learn, valid, test))
    return parts


def grid_systems(rankers: Sequence[Ranker], losses: Iterable[object]) -> list[System]:
    """Every ranker with every loss; one without a parameter `loss` stands by itself.

    A ranker whose `loss` is None by default, such as trees, stands by itself as well.
    """
    texts = [repr(loss) if has_text_form(loss) else str(loss) for loss in losses]
    systems: list[System] = []
    for ranker in rankers:
        parameters = ranker.get_params()
        kind = type(ranker).__name__
        if "loss" not in parameters or parameters["loss"] is None:
            systems.append(System(kind, ranker))
        if "loss" in parameters:
            systems += [System(f"{kind} {text}", _with(ranker, loss=text)) for text in texts]
    names = [system.name for system in systems]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated or not systems:
        raise ConfigurationError(
            f"systems {sorted(repeated)} stand in the grid twice."
            if repeated
            else "the grid is empty; give at least one ranker, and a loss if it needs one."
        )
    return systems


def _with(ranker: Ranker, **parameters: object) -> Ranker:
    return type(ranker)().set_params(**{**ranker.get_params(), **parameters})


def run_grid(
    folds: Sequence[Fold],
    systems: Sequence[System],
    folder: str | Path,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    measures: str | Measure | Sequence[str | Measure] = "nDCG@10",
    baseline: str | None = None,
    test: str = "t",
    correction: str = "holm",
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> GridResult:
    """Train and measure every system with every seed on every fold, and compare them.

    A query's value is its mean over the seeds; tests pair the queries. Finished cells are kept
    under `cells/` in `folder` by a hash of all they depend on and are not done again, so that
    after Ctrl-C or a kill the same call goes on from there.

    Parameters
    ----------
    folds : of distinct queries to test on.
    systems : as `grid_systems` makes them.
    seeds : of the rankers' random choices; a ranker without a seed is trained once.
    baseline : the system that the others are tested against; by default the first.
    test, correction : as in `plackett.compare`.
    workers : so many processes, which share the cores; the results do not depend on it.
    progress : called as `progress(cells_done, cells)`.

    Raises
    ------
    ConfigurationError : a ranker's parameters are wrong; nothing is trained then.
    """
    named = parse_measures(measures)
    for system in systems:
        system.ranker.check_parameters()
    store = Store(Path(folder) / "cells")
    store.sweep()
    works = _works(folds, systems, seeds, tuple(map(repr, named)), Path(folder))
    todo = [work for work in works if not store.is_whole("cell", work.key)]
    done = len(works) - len(todo)
    if progress is not None:
        progress(done, len(works))
    _write_folds(folds, todo)
    for finished, _ in enumerate(_done(todo, store, workers), start=done + 1):
        if progress is not None:
            progress(finished, len(works))
    rows = [
        GridRow.of(
            system.name,
            system.ranker,
            [read_cell(store, work) for work in works if work.system == system.name],
        )
        for system in systems
    ]
    return make_result(rows, named, baseline or systems[0].name, test, correction)


def _works(
    folds: Sequence[Fold],
    systems: Sequence[System],
    seeds: Sequence[int],
    measures: tuple[str, ...],
    folder: Path,
) -> list[CellWork]:
    works: list[CellWork] = []
    for number, fold in enumerate(folds):
        data = _digest(fold)
        for system in systems:
            own = seeds if "seed" in system.ranker.get_params() else seeds[:1]
            for seed in own:
                ranker = _with(system.ranker, seed=seed) if own is seeds else system.ranker
                inputs = {"plackett": __version__, "ranker": repr(ranker), "data": data}
                key = digest({**inputs, "measures": measures})
                place = folder / "folds" / f"{number}-{data}"
                works.append(CellWork(system.name, seed, number, ranker, measures, key, place))
    return works


def _digest(fold: Fold) -> str:
    hashed = hashlib.sha256()
    for part in fold:
        if part is None:
            hashed.update(b"none")
            continue
        hashed.update(repr((part.shape, part.feature_names, part.missing)).encode())
        for array in (part.X, part.y, part.query):
            hashed.update(np.ascontiguousarray(array).tobytes())
        hashed.update("\n".join(part.query_ids).encode())
    return hashed.hexdigest()[:16]


def _write_folds(folds: Sequence[Fold], todo: Sequence[CellWork]) -> None:
    """The folds as memory-mapped folders, which the workers share."""
    for number in {work.fold for work in todo}:
        place = next(work.place for work in todo if work.fold == number)
        for name, part in folds[number]._asdict().items():
            if part is not None and not (place / name).exists():
                place.mkdir(parents=True, exist_ok=True)
                part.to_memmap(place / name)


def _done(todo: Sequence[CellWork], store: Store, workers: int) -> Iterable[str]:
    """Do the cells; yields the key of each as it is finished."""
    if workers <= 1 or len(todo) <= 1:
        for work in todo:
            yield run_cell(work, store.root)
        return
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = ProcessPoolExecutor(workers, context, initializer=_limit, initargs=(threads,))
    try:
        for job in as_completed([pool.submit(run_cell, work, store.root) for work in todo]):
            yield job.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _limit(threads: int) -> None:
    """Let a worker process use so many threads; it has not loaded any numeric library yet."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = str(threads)
