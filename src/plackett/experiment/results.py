"""What an experiment leaves behind: runs, tables, the report, and how all of it was made."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import plackett
from plackett.data.formats.atomic import atomic_write
from plackett.data.run import Run
from plackett.experiment.config import ExperimentConfig
from plackett.experiment.plan import Plan
from plackett.experiment.report import render
from plackett.metrics import Comparison
from plackett.metrics.report.charts import means_chart

__all__ = ["StepTime", "make_manifest", "write_results"]

LIBRARIES = ("numpy", "scipy", "numba", "pyarrow", "lightgbm")


@dataclass(frozen=True)
class StepTime:
    """How long a step took, now or, where it was `kept`, in an earlier run."""

    label: str
    key: str
    seconds: float
    kept: bool


def make_manifest(
    config: ExperimentConfig, plan: Plan, times: list[StepTime], seconds: float
) -> dict[str, Any]:
    """Everything that is needed to repeat the experiment: data hashes, versions, settings, times.

    Parameters
    ----------
    seconds : of this run in total.
    """
    return {
        "title": config.title,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "plackett": plackett.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "data_sha256": dict(plan.data),
        "experiment": config.model_dump(mode="json"),
        "steps": [asdict(step) for step in times],
        "seconds_in_total": round(seconds, 3),
    }


def write_results(
    config: ExperimentConfig,
    folder: Path,
    comparison: Comparison,
    runs: Mapping[str, Run],
    manifest: Mapping[str, Any],
) -> Path:
    """Write every file of the results, each atomically, and return the path of the report."""
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    for name, run in runs.items():
        run.replace(name=name).write(folder / "runs" / f"{name}.txt")
    texts = {
        "comparison.json": comparison.to_json(),
        "table.txt": f"{comparison}\n",
        "table.md": comparison.to_markdown(),
        "means.svg": means_chart(comparison, standalone=True),
        "report.html": render(config, comparison, manifest),
        "manifest.json": json.dumps(manifest, indent=2, ensure_ascii=False),
    }
    for name, text in texts.items():
        with atomic_write(folder / name) as file:
            file.write(text.encode())
    return folder / "report.html"
