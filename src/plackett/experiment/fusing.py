"""The fusions of an experiment: what they depend on, what the judgments chose, the run."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plackett.data.collections import Collection
from plackett.data.cost import Cost
from plackett.data.run import Run
from plackett.experiment.config import ExperimentConfig
from plackett.experiment.kept_runs import keep_run
from plackett.experiment.sections import FusionConfig
from plackett.experiment.steps import Step, make_step
from plackett.fusion import Fusion, TunedFusion, tune_fusion
from plackett.metrics import parse_measures

__all__ = ["FusionStep", "fuse_runs", "plan_fusions", "read_choice", "said_fusion"]

_CHOICE = "choice.json"


@dataclass(frozen=True)
class FusionStep:
    """The run of a fusion."""

    wanted: FusionConfig
    step: Step


def plan_fusions(
    config: ExperimentConfig, found: Mapping[str, Step], hashes: Mapping[str, str]
) -> tuple[FusionStep, ...]:
    """The steps of all fusions.

    Parameters
    ----------
    found : the steps of the first stages' runs, by name.
    hashes : of the data files, by their roles.
    """
    known, planned = dict(found), []
    for wanted in config.fusions:
        inputs: dict[str, Any] = {
            "of": [known[name].key for name in wanted.of],
            **wanted.model_dump(exclude={"name", "of", "measure"}),
        }
        if wanted.tuned:
            inputs |= {
                "qrels": hashes["qrels"],
                "measure": _measure(config, wanted),
                "folds": [config.folds.k, config.folds.seed],
            }
        needs = tuple(known[name].label for name in wanted.of)
        step = make_step("fuse", f"fuse {wanted.name}", needs, inputs, libraries=("numpy",))
        known[wanted.name] = step
        planned.append(FusionStep(wanted, step))
    return tuple(planned)


def fuse_runs(
    config: ExperimentConfig,
    wanted: FusionConfig,
    runs: Mapping[str, Run],
    collection: Collection,
    folder: Path,
) -> None:
    """Fuse the runs that a fusion names; writes its run, its cost, and what was chosen.

    A tuned fusion fuses each query as the judgments of the other folds prefer. Its cost is that of
    fusing, not of the choice.
    """
    parts = [runs[name] for name in wanted.of]
    tuned = None
    if wanted.tuned:
        tuned = tune_fusion(
            parts,
            collection.qrels,
            _measure(config, wanted),
            candidates=wanted.candidates(),
            folds=config.folds.k,
            seed=config.folds.seed,
        )
    fusion = wanted.fusion() if tuned is None else tuned.fusion
    started = time.perf_counter()
    fused = fusion(parts)
    seconds = time.perf_counter() - started
    run = (fused if tuned is None else tuned.held_out_run(parts)).head(wanted.k)
    own = Cost(f"{said_fusion(fusion)} of {', '.join(wanted.of)}", seconds, len(run), _rows(parts))
    keep_run(run, folder, *dict.fromkeys(cost for part in parts for cost in part.costs), own)
    choice = {} if tuned is None else _said_choice(tuned)
    (folder / _CHOICE).write_text(json.dumps(choice, indent=2), encoding="utf-8")


def _said_choice(tuned: TunedFusion) -> dict[str, Any]:
    return {
        "measure": tuned.measure,
        "chosen": said_fusion(tuned.fusion),
        "folds": [said_fusion(one) for one in tuned.chosen],
        "held_out": tuned.held_out,
        "on_all": tuned.on_all,
    }


def read_choice(folder: Path) -> dict[str, Any]:
    """What a tuned fusion chose, and on what; empty for one that was not tuned."""
    content: dict[str, Any] = json.loads((folder / _CHOICE).read_text(encoding="utf-8"))
    return content


def said_fusion(fusion: Fusion) -> str:
    """A fusion in one line: the method and what is not at its default.

    >>> said_fusion(Fusion("rrf", weights=(0.5, 0.5), k=10))
    'rrf(k=10, weights=(0.5, 0.5))'
    """
    plain = Fusion(fusion.method)
    names = ("normalise", "k", "gamma", "sigma", "persistence", "weights", "depth")
    values = [(name, getattr(fusion, name)) for name in names]
    shown = [f"{name}={value!r}" for name, value in values if value != getattr(plain, name)]
    return f"{fusion.method}({', '.join(shown)})" if shown else fusion.method


def _measure(config: ExperimentConfig, wanted: FusionConfig) -> str:
    """What a tuned fusion goes by: by default what gives the verdict of the comparison."""
    return wanted.measure or repr(parse_measures(config.compare.measures)[0])


def _rows(runs: list[Run]) -> int:
    return sum(len(run.document) for run in runs)
