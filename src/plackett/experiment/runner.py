"""Run a declared experiment from end to end, and resume it where it was stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from plackett.data.collections import Collection
from plackett.data.run import Run
from plackett.experiment import work
from plackett.experiment.config import ExperimentConfig
from plackett.experiment.explaining import join_explained
from plackett.experiment.first_stages import (
    VectorStage,
    build_structure,
    build_words,
    describe_vectors,
    encode_texts,
    open_live,
    open_vectors,
    open_words,
    search,
)
from plackett.experiment.fusing import fuse_runs, read_choice
from plackett.experiment.kept_runs import keep_run, read_costs, read_kept_run
from plackett.experiment.plan import Plan, TrainStep, make_plan
from plackett.experiment.results import StepTime, make_manifest, write_results
from plackett.experiment.sections import PipelineConfig
from plackett.experiment.steps import Step
from plackett.experiment.store import Store
from plackett.metrics import Comparison, compare
from plackett.pipeline import Retriever, Stage
from plackett.retrievers.segments.base import SegmentedRetriever

__all__ = ["Event", "Outcome", "run_experiment"]

Status = Literal["started", "finished", "kept", "damaged", "stopping"]


@dataclass(frozen=True)
class Event:
    """What happens to a step.

    Parameters
    ----------
    label : which step.
    status : it was "started" or "finished", was "kept" from an earlier run, or was "damaged" and is
        done again; "stopping": Ctrl-C came, and the steps in hand are finished first.
    seconds : how long it took.
    """

    label: str
    status: Status
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What an experiment found and where it lies: folder, runs by system, and the HTML report."""

    comparison: Comparison
    folder: Path
    runs: dict[str, Run]
    report: Path


class _Workshop:
    """Does steps that are not done yet, tells of it, and keeps the time of all."""

    def __init__(self, store: Store, tell: Callable[[Event], None]) -> None:
        self.store, self.tell = store, tell
        self.kept: set[str] = set()

    def do(self, step: Step, write: Callable[[Path], None]) -> Path:
        """The folder of the step's result, made now unless it is there and whole."""
        key = step.key
        if self.store.has(step.kind, key):
            if self.store.is_whole(step.kind, key):
                self.kept.add(key)
                self.tell(Event(step.label, "kept"))
                return self.store.folder(step.kind, key)
            self.tell(Event(step.label, "damaged"))
        self.tell(Event(step.label, "started"))
        started = time.perf_counter()
        folder = self.store.put(step.kind, key, step.inputs, write)
        self.tell(Event(step.label, "finished", time.perf_counter() - started))
        return folder

    def folder(self, step: Step | None) -> Path:
        """The folder of a step that is done."""
        if step is None:
            raise ValueError("no such step in this plan")
        return self.store.folder(step.kind, step.key)

    def times(self, plan: Plan) -> list[StepTime]:
        """How long each step took when it was done, now or earlier."""
        return [
            StepTime(
                step.label,
                step.key,
                self.store.seconds(step.kind, step.key) or 0.0,
                step.key in self.kept,
            )
            for step in plan.steps
        ]


def run_experiment(
    config: ExperimentConfig,
    *,
    output: str | Path | None = None,
    fresh: bool = False,
    workers: int = 2,
    tell: Callable[[Event], None] = lambda event: None,
) -> Outcome:
    """Index, retrieve, fuse, extract, train by cross-validation, compare, report.

    Finished steps are kept under `steps/` in the output folder by a hash of all they depend on, and
    are not done again: after Ctrl-C, a kill, or a change of one ranker's parameters, the same call
    goes on from there. The folder then holds `report.html`, `table.txt`, `table.md`,
    `comparison.json`, `means.svg`, `manifest.json` (what it was made from, by what, in which time)
    and `runs/`, a TREC file for each system.

    Parameters
    ----------
    output : where results go; the experiment file's `output` by default.
    fresh : do every step anew.
    workers : how many folds are trained at a time; the results do not depend on it.
    tell : called with every `Event`, possibly from several threads.

    Raises
    ------
    DataError : a data file is missing or wrong.
    """
    folder = config.path(config.output) if output is None else Path(output).resolve()
    started = time.perf_counter()
    plan = make_plan(config)
    store = Store(folder / "steps")
    store.sweep()
    if fresh:
        store.clear()
    shop = _Workshop(store, tell)
    collection = work.read_collection(config)
    runs = _rank(config, plan, shop, collection, workers)
    tell(Event("compare and report", "started"))
    begun = time.perf_counter()
    comparison = _compare(config, runs, collection)
    manifest = make_manifest(config, plan, shop.times(plan), time.perf_counter() - started)
    manifest["first_stages"] = {
        stage.wanted.name: describe_vectors(stage, store)
        for stage in plan.first
        if isinstance(stage, VectorStage)
    }
    manifest["fusions"] = {
        part.wanted.name: read_choice(store.folder(part.step.kind, part.step.key))
        for part in plan.fuse
    }
    manifest["explained"] = {
        ranker.name: join_explained(
            [store.folder(p.step.kind, p.step.key) for p in plan.train if p.ranker is ranker]
        )._asdict()
        for ranker in config.rankers
    }
    report = write_results(config, folder, comparison, runs, manifest)
    tell(Event("compare and report", "finished", time.perf_counter() - begun))
    return Outcome(comparison, folder, runs, report)


def _compare(config: ExperimentConfig, runs: dict[str, Run], collection: Collection) -> Comparison:
    wanted = config.compare
    return compare(
        runs,
        collection.qrels,
        wanted.measures,
        baseline=wanted.baseline,
        test=wanted.test,
        correction=wanted.correction,
        alpha=wanted.alpha,
        permutations=wanted.permutations,
        seed=wanted.seed,
        ties=wanted.ties,
        unjudged=wanted.unjudged,
        missing=wanted.missing,
        empty=wanted.empty,
    )


def _rank(
    config: ExperimentConfig, plan: Plan, shop: _Workshop, collection: Collection, workers: int
) -> dict[str, Run]:
    """The run of every system, those of the first stages first."""
    runs = _search(config, plan, shop, collection)
    for part in plan.fuse:
        write = partial(fuse_runs, config, part.wanted, runs, collection)
        folder = shop.do(part.step, write)
        runs[part.wanted.name] = read_kept_run(part.wanted.name, collection, folder)
    if plan.features is not None:
        candidates = runs[config.candidates]
        described = shop.do(
            plan.features,
            partial(
                work.extract_features,
                config,
                candidates,
                collection.qrels,
                open_words(config.words, shop.folder(plan.index)),
                _vectors(config, plan, shop),
            ),
        )
        dataset = work.read_dataset(described)
        folders = _train(config, plan, shop, described, workers)
        candidates = candidates.replace(costs=(*candidates.costs, *read_costs(described)))
        for ranker in config.rankers:
            own = [folders[part.step.key] for part in plan.train if part.ranker is ranker]
            runs[ranker.name] = work.join_folds(ranker.name, candidates, dataset, own)
    # Answers of models are worth more than any other file here: `fresh` leaves them alone.
    stages = work.stages_of(config, runs, shop.store.root.parent / "answers.sqlite")
    kept = {part.pipeline.name: part.step for part in plan.rerank}
    for pipeline in config.pipelines:
        runs[pipeline.name] = _pipeline_run(pipeline, kept, stages, shop, collection)
    return runs


def _search(
    config: ExperimentConfig, plan: Plan, shop: _Workshop, collection: Collection
) -> dict[str, Run]:
    """The runs of all first stages, their indexes built where they are not there."""
    if plan.index is not None:
        shop.do(plan.index, partial(build_words, config, collection))
    runs = {}
    for stage in plan.first:
        if isinstance(stage, VectorStage):
            retriever = _indexed_vectors(config, stage, shop, collection)
        elif stage.wanted.index is not None:
            retriever = open_live(config, stage.wanted)
        else:
            retriever = open_words(stage.wanted, shop.folder(plan.index))
        found = shop.do(stage.search, partial(search, stage, retriever, collection))
        runs[stage.wanted.name] = read_kept_run(stage.wanted.name, collection, found)
    return runs


def _indexed_vectors(
    config: ExperimentConfig, stage: VectorStage, shop: _Workshop, collection: Collection
) -> Retriever:
    """The index of vectors that a first stage searches, made where it is not there."""
    folder = shop.do(stage.encode, partial(encode_texts, config, stage, collection))
    if stage.build is not None:
        folder = shop.do(stage.build, partial(build_structure, stage, folder))
    return open_vectors(stage, folder)


def _vectors(
    config: ExperimentConfig, plan: Plan, shop: _Workshop
) -> dict[str, SegmentedRetriever[Any]]:
    """The indexes whose scores are features: all vectors are in those that compare with all."""
    stages = {stage.wanted.name: stage for stage in plan.first if isinstance(stage, VectorStage)}
    return {
        name: open_vectors(stages[name], shop.folder(stages[name].encode))
        for name in config.features.scores
    }


def _pipeline_run(
    pipeline: PipelineConfig,
    kept: Mapping[str, Step],
    stages: Mapping[str, Stage],
    shop: _Workshop,
    collection: Collection,
) -> Run:
    """A pipeline's run, made now, or once and kept where it has a re-ranker of texts."""
    if pipeline.name not in kept:
        return work.run_pipeline(pipeline, stages, collection)
    folder = shop.do(
        kept[pipeline.name],
        lambda path: keep_run(work.run_pipeline(pipeline, stages, collection), path),
    )
    return read_kept_run(pipeline.name, collection, folder)


def _train(
    config: ExperimentConfig, plan: Plan, shop: _Workshop, described: Path, workers: int
) -> dict[str, Path]:
    """Train all folds of all rankers; what is finished when one fails or Ctrl-C comes is kept."""
    threads = max(1, (os.cpu_count() or 1) // workers)

    def work_on(part: TrainStep) -> Path:
        return shop.do(
            part.step,
            lambda path: work.train_fold(config, part.ranker, part.fold, described, path, threads),
        )

    # Two rankers of the same kind and parameters are one work.
    parts = {part.step.key: part for part in plan.train}
    pool = ThreadPoolExecutor(workers)
    try:
        jobs = {key: pool.submit(work_on, part) for key, part in parts.items()}
        return {key: job.result() for key, job in jobs.items()}
    except KeyboardInterrupt:
        shop.tell(Event("the folds in hand are finished first", "stopping"))
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
