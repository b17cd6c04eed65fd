"""Fusion of ten runs side by side with ranx: reciprocal ranks, and sums of scaled scores.

    python benchmarks/evaluation.py --setup        # once: the peers' own environment
    python benchmarks/fusion.py [--small] [--queries 10000] [--slice 100] [--repeats 3] [--json F]

Ten runs of 1,000 documents a query, drawn for each query from 3,000 of 100,000 documents, seeded;
scores are random. Each system is a process of its own with one thread; the runs are in memory
before the clock starts, and a small fusion has compiled what compiles. Seconds are the
processor's, so that a busy machine does not count.

ranx keeps a string and a table entry for every row: ten runs of 10,000 queries, 100 million rows,
are more than 24 GB of them. So it gets the same queries in slices, of which one is in memory at a
time; its seconds are those of fusing all slices, reading them not counted. plackett fuses all
queries in one call, and the same slices too. The lists of both are compared, all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).parent
PEERS = HERE / ".venv-evaluation"
METHODS = {"rrf": "rrf", "comb_sum": "sum"}
RUNS, DEPTH, POOL, CORPUS = 10, 1_000, 3_000, 100_000
CHECKED = 10
Rows = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]
Lists = dict[str, list[list[Any]]]


def rows_of(run: int, first: int, count: int) -> Rows:
    """Documents and scores of one run for some queries, `[count, DEPTH]`, best first."""
    documents = np.empty((count, DEPTH), dtype=np.int32)
    scores = np.empty((count, DEPTH), dtype=np.float32)
    for row in range(count):
        start = np.random.default_rng([0, first + row]).integers(0, CORPUS - POOL)
        rng = np.random.default_rng([1 + run, first + row])
        documents[row] = start + rng.permutation(POOL)[:DEPTH]
        # No two scores of a list are equal, so that no rule about ties decides.
        scores[row] = np.cumsum(rng.random(DEPTH, dtype=np.float32) + np.float32(0.1))[::-1]
    return documents, scores


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """The median of several runs in seconds of the processor, and the last result."""
    seconds, found = [], None
    for _ in range(repeats):
        found = None
        begin = time.process_time()
        found = work()
        seconds.append(time.process_time() - begin)
    return median(seconds), found


def plackett_runs(first: int, count: int) -> list[Any]:
    """Our runs on some queries."""
    from plackett import Run
    from plackett.data.ids import Ids

    query_ids = Ids([f"q{i}" for i in range(first, first + count)])
    document_ids = Ids([f"d{i}" for i in range(CORPUS)])
    runs = []
    for number in range(RUNS):
        documents, scores = rows_of(number, first, count)
        query = np.repeat(np.arange(count, dtype=np.int32), DEPTH)
        runs.append(
            Run.from_arrays(
                query,
                documents.reshape(-1),
                scores.reshape(-1),
                query_ids=query_ids,
                document_ids=document_ids,
            )
        )
    return runs


def ranx_runs(first: int, count: int) -> list[Any]:
    """The peer's runs on some queries."""
    from ranx import Run

    runs = []
    for number in range(RUNS):
        documents, scores = rows_of(number, first, count)
        lists = {
            f"q{first + i}": {
                f"d{d}": float(s) for d, s in zip(documents[i], scores[i], strict=True)
            }
            for i in range(count)
        }
        runs.append(Run.from_dict(lists))
    return runs


def by_plackett(runs: list[Any], method: str) -> Any:
    """Our fusion."""
    from plackett.fusion import fuse

    return fuse(runs, method)


def by_ranx(runs: list[Any], method: str) -> Any:
    """The peer's fusion."""
    from ranx import fuse

    return fuse(runs, norm=None if method == "rrf" else "min-max", method=METHODS[method])


def best_of(system: str, fused: Any, query: str) -> list[list[Any]]:
    """The first documents of one query and their scores."""
    if system == "ranx":
        pairs = sorted(dict(fused.run[query]).items(), key=lambda pair: -pair[1])
    else:
        pairs = fused[query]
    return [[name, float(score)] for name, score in pairs[:CHECKED]]


def run_system(system: str, queries: int, size: int, repeats: int) -> dict[str, Any]:
    """The seconds of both methods over all slices of the queries, and the best of each list."""
    read, fuse = (ranx_runs, by_ranx) if system == "ranx" else (plackett_runs, by_plackett)
    small = read(0, 2)
    for method in METHODS:
        fuse(small, method)
    seconds = dict.fromkeys(METHODS, 0.0)
    lists: dict[str, Lists] = {method: {} for method in METHODS}
    for first in range(0, queries, size):
        runs = read(first, min(size, queries - first))
        for method in METHODS:
            took, fused = timed(lambda name=method, runs=runs: fuse(runs, name), repeats)
            seconds[method] += took
            for query in range(first, min(first + size, queries)):
                lists[method][f"q{query}"] = best_of(system, fused, f"q{query}")
    return {"seconds": seconds, "lists": lists}


def measure(system: str, queries: int, size: int, repeats: int) -> dict[str, Any]:
    """One system in a process of its own, with one thread."""
    python = str(PEERS / "bin" / "python") if system == "ranx" else sys.executable
    one_thread = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "ARROW_NUM_THREADS"), "1")
    words = ["--measure", system, "--queries", str(queries), "--slice", str(size)]
    done = subprocess.run(
        [python, __file__, *words, "--repeats", str(repeats)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **one_thread},
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def same_lists(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether both fused alike, as far as the best of every query tell."""
    for method in METHODS:
        for query, top in ours["lists"][method].items():
            other = theirs["lists"][method][query]
            scores = [score for _, score in top], [score for _, score in other]
            if not np.allclose(*scores, rtol=1e-4):
                return False
    return True


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--slice", type=int, default=100, help="queries that ranx has in memory")
    parser.add_argument("--repeats", type=int, default=3, help="of each slice; the median counts")
    parser.add_argument("--small", action="store_true", help="200 queries, once")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--measure", choices=["plackett", "ranx"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        result = run_system(options.measure, options.queries, options.slice, options.repeats)
        result["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps(result))
        return
    if not PEERS.exists():
        sys.exit("the peer is not installed: run benchmarks/evaluation.py --setup first")
    queries, repeats = (200, 1) if options.small else (options.queries, options.repeats)
    size = min(options.slice, queries)
    figures = {
        "plackett, in one call": measure("plackett", queries, queries, repeats),
        f"plackett, {size} queries at a time": measure("plackett", queries, size, repeats),
        f"ranx, {size} queries at a time": measure("ranx", queries, size, repeats),
    }
    *ours, theirs = figures.values()
    print(f"{RUNS} runs of {queries:,} queries x {DEPTH:,} documents, one thread, seconds")
    print(f"{'':36}{'rrf':>9}{'comb_sum':>10}{'peak GB':>9}{'rrf':>8}{'comb_sum':>10}")
    for name, result in figures.items():
        seconds = [result["seconds"][method] for method in METHODS]
        ratios = [theirs["seconds"][m] / result["seconds"][m] for m in METHODS]
        print(
            f"{name:36}{seconds[0]:9.2f}{seconds[1]:10.2f}{result['peak_gb']:9.2f}"
            f"{ratios[0]:7.1f}x{ratios[1]:9.1f}x"
        )
    equal = all(same_lists(result, theirs) for result in ours)
    print(f"the same lists: {equal}")
    if options.json:
        kept = {
            name: {"seconds": result["seconds"], "peak_gb": result["peak_gb"]}
            for name, result in figures.items()
        }
        content = {"queries": queries, "documents": DEPTH, "runs": RUNS, "same_lists": equal}
        options.json.write_text(json.dumps({**content, "figures": kept}, indent=1) + "\n")


if __name__ == "__main__":
    main()
