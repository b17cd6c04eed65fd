"""The runs of finished steps and what they cost, on disk."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from plackett.data.collections import Collection
from plackett.data.cost import Cost
from plackett.data.run import Run

__all__ = ["keep_costs", "keep_run", "read_costs", "read_kept_run"]

_RUN = "run.parquet"
_COSTS = "costs.json"


def keep_run(run: Run, folder: Path, *costs: Cost) -> None:
    """Write a run into the folder of a step, with the costs given, or else its own."""
    run.write(folder / _RUN)
    keep_costs(folder, *(costs or run.costs))


def keep_costs(folder: Path, *costs: Cost) -> None:
    """Write what a step cost into its folder."""
    rows = [asdict(cost) for cost in costs]
    (folder / _COSTS).write_text(json.dumps(rows, indent=2), encoding="utf-8")


def read_costs(folder: Path) -> tuple[Cost, ...]:
    """The costs kept in the folder of a finished step."""
    rows = json.loads((folder / _COSTS).read_text(encoding="utf-8"))
    return tuple(Cost(**row) for row in rows)


def read_kept_run(name: str, collection: Collection, folder: Path) -> Run:
    """The run of a finished step with a list for every query, its texts and its costs."""
    run = Run.read(folder / _RUN, name=name)
    asked = collection.queries.ids
    linked = Run.from_arrays(
        run.query_ids.map_to(asked)[run.query][run.query_rows],
        run.document,
        run.score,
        query_ids=asked,
        document_ids=run.document_ids,
        all_queries=True,
        name=run.name,
    )
    return linked.replace(
        queries=collection.queries, corpus=collection.corpus, costs=read_costs(folder)
    )
