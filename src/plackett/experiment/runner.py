"""Run a declared experiment from end to end, resume it, and write down what was found."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import plackett
from plackett.data.collections import Collection
from plackett.data.cost import Cost
from plackett.data.dataset import RankingDataset
from plackett.data.formats.atomic import atomic_write
from plackett.data.run import Run
from plackett.experiment import work
from plackett.experiment.config import ExperimentConfig, RankerConfig
from plackett.experiment.plan import Plan, Step, make_plan
from plackett.experiment.report import render
from plackett.experiment.store import Store
from plackett.metrics import Comparison, compare
from plackett.metrics.report.charts import means_chart

__all__ = ["Event", "Outcome", "run_experiment"]

Status = Literal["started", "finished", "kept", "damaged"]


@dataclass(frozen=True)
class Event:
    """What happens to a step: it starts, it is finished, it is there already, or it was damaged."""

    label: str
    status: Status
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What an experiment found and where it lies."""

    comparison: Comparison
    folder: Path
    runs: dict[str, Run]
    report: Path


class _Workshop:
    """Does steps that are not done yet, and tells of it."""

    def __init__(self, store: Store, tell: Callable[[Event], None]) -> None:
        self.store, self.tell = store, tell
        self.seconds: dict[str, float] = {}

    def do(self, step: Step, write: Callable[[Path], None]) -> Path:
        """The folder of the step's result, made now unless it is there and whole."""
        if self.store.has(step.kind, step.key):
            if self.store.is_whole(step.kind, step.key):
                self.tell(Event(step.label, "kept"))
                return self.store.folder(step.kind, step.key)
            self.tell(Event(step.label, "damaged"))
        self.tell(Event(step.label, "started"))
        started = time.perf_counter()
        folder = self.store.put(step.kind, step.key, step.inputs, write)
        seconds = time.perf_counter() - started
        self.seconds[step.label] = seconds
        self.tell(Event(step.label, "finished", seconds))
        return folder


def run_experiment(
    config: ExperimentConfig,
    *,
    output: str | Path | None = None,
    fresh: bool = False,
    workers: int = 2,
    tell: Callable[[Event], None] = lambda event: None,
) -> Outcome:
    """Index, retrieve, extract, train by cross-validation, compare, report.

    Finished steps are kept under `steps/` in the output folder by a hash of all they depend on, and
    are not done again: after Ctrl-C, a kill, or a change of one ranker's parameters, the same call
    goes on from there.

    Parameters
    ----------
    output : where results go; the experiment file's `output` by default.
    fresh : do every step anew.
    workers : how many folds are trained at a time; the results do not depend on it.
    tell : called with every `Event`, possibly from several threads.
    """
    folder = config.path(config.output) if output is None else Path(output).resolve()
    plan = make_plan(config)
    store = Store(folder / "steps")
    if fresh:
        store.clear()
    shop = _Workshop(store, tell)
    started = time.perf_counter()
    collection = work.read_collection(config)
    runs = _rank(config, plan, shop, collection, workers)
    tell(Event("compare and report", "started"))
    begun = time.perf_counter()
    comparison = compare(
        runs,
        collection.qrels,
        config.compare.measures,
        baseline=config.compare.baseline,
        test=config.compare.test,
        correction=config.compare.correction,
        alpha=config.compare.alpha,
        permutations=config.compare.permutations,
        seed=config.compare.seed,
    )
    seconds = time.perf_counter() - started
    manifest = _manifest(config, plan, shop.seconds, seconds)
    report = _write_results(config, folder, comparison, runs, manifest)
    tell(Event("compare and report", "finished", time.perf_counter() - begun))
    return Outcome(comparison, folder, runs, report)


def _rank(
    config: ExperimentConfig, plan: Plan, shop: _Workshop, collection: Collection, workers: int
) -> dict[str, Run]:
    index = shop.do(plan.index, lambda path: work.build_index(config, collection, path))
    bm25 = work.open_index(config, index)
    found = shop.do(plan.retrieve, lambda path: work.retrieve(config, collection, bm25, path))
    first = work.read_run(config, collection, found)
    runs = {config.retrieve.name: first}
    if plan.features is None:
        return runs
    described = shop.do(
        plan.features,
        lambda path: work.extract_features(config, first, collection.qrels, bm25, path),
    )
    dataset = RankingDataset.open(described / "dataset", verify=False)
    folders = _train(config, plan, shop, dataset, workers)
    for ranker in config.rankers:
        own = [folders[step.key] for trained, _, step in plan.train if trained is ranker]
        joined = work.join_folds(ranker.name, first, dataset, own)
        cost = Cost(f"train {ranker.name}", _seconds(shop, ranker.name), len(first), len(dataset))
        runs[ranker.name] = joined.replace(costs=(*first.costs, cost))
    return runs


def _seconds(shop: _Workshop, name: str) -> float:
    return sum(took for label, took in shop.seconds.items() if label.startswith(f"train {name},"))


def _train(
    config: ExperimentConfig, plan: Plan, shop: _Workshop, dataset: RankingDataset, workers: int
) -> dict[str, Path]:
    """Train all folds of all rankers; what is finished when one fails or Ctrl-C comes is kept."""

    def work_on(ranker: RankerConfig, fold: int, step: Step) -> Path:
        return shop.do(step, lambda path: work.train_fold(config, ranker, fold, dataset, path))

    pool = ThreadPoolExecutor(workers)
    try:
        jobs = {
            step.key: pool.submit(work_on, ranker, fold, step) for ranker, fold, step in plan.train
        }
        return {key: job.result() for key, job in jobs.items()}
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _manifest(
    config: ExperimentConfig, plan: Plan, seconds: dict[str, float], total: float
) -> dict[str, Any]:
    libraries = ("numpy", "scipy", "numba", "pyarrow", "lightgbm")
    return {
        "title": config.title,
        "plackett": plackett.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: importlib.metadata.version(name) for name in libraries},
        "data_sha256": dict(plan.data),
        "experiment": config.model_dump(mode="json"),
        "steps": {step.label: step.key for step in plan.steps},
        "seconds": {**{label: round(took, 3) for label, took in seconds.items()}},
        "seconds_in_total": round(total, 3),
    }


def _write_results(
    config: ExperimentConfig,
    folder: Path,
    comparison: Comparison,
    runs: dict[str, Run],
    manifest: dict[str, Any],
) -> Path:
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    for name, run in runs.items():
        run.replace(name=name).write(folder / "runs" / f"{name}.txt")
    report = folder / "report.html"
    texts = {
        "comparison.json": comparison.to_json(),
        "table.txt": f"{comparison}\n",
        "table.md": comparison.to_markdown(),
        "means.svg": means_chart(comparison, standalone=True),
        "manifest.json": json.dumps(manifest, indent=2, ensure_ascii=False),
        "report.html": render(config, comparison, manifest),
    }
    for name, text in texts.items():
        with atomic_write(folder / name) as file:
            file.write(text.encode())
    return report
