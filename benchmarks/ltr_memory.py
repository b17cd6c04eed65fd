"""Memory that LambdaMART needs to train from a memory-mapped file.

    python benchmarks/ltr_memory.py FOLDER [--rows 10000000] [--json FILE]

Makes a dataset in FOLDER, some rows at a time, unless one is there (10 million rows x 136 features:
5.4 GB, and as much again while it is made), and trains a few trees from it in a process of its own,
which may not hold more than `--limit` gigabytes of memory that is its own (RLIMIT_DATA). Two
figures are given: the peak of that memory (RssAnon), and the peak of all resident pages
(ru_maxrss), which has the pages of the file that happen to be in the system's cache too.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from plackett.data.dataset import RankingDataset
from plackett.rankers import LambdaMART

LIST = 100
ROWS_AT_ONCE = 100_000


def make(folder: Path, rows: int, features: int) -> None:
    """Write a dataset of lists of 100 rows, grades by three of the features."""
    scratch = folder.with_name(folder.name + ".X.npy")
    X = np.lib.format.open_memmap(scratch, "w+", np.float32, (rows, features))
    y = np.empty(rows, dtype=np.float32)
    generator = np.random.default_rng(0)
    for start in range(0, rows, ROWS_AT_ONCE):
        part = generator.standard_normal((min(ROWS_AT_ONCE, rows - start), features), np.float32)
        signal = part[:, 0] + part[:, 1] * part[:, 2] + generator.standard_normal(len(part))
        y[start : start + len(part)] = np.digitize(signal, [0.0, 1.5, 2.5, 3.5])
        X[start : start + len(part)] = part
    X.flush()
    del X
    mapped = np.load(scratch, mmap_mode="r")
    RankingDataset(mapped, y, qid=np.arange(rows) // LIST).to_memmap(folder)
    scratch.unlink()


def train(folder: Path, trees: int, threads: int, objective: str, limit: float) -> dict[str, Any]:
    """Train under the limit, and look at the memory all the while."""
    allowed = int(limit * 1e9)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
    peak = {"RssAnon": 0, "RssFile": 0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            for line in Path("/proc/self/status").read_text().splitlines():
                name, _, value = line.partition(":")
                if name in peak:
                    peak[name] = max(peak[name], int(value.split()[0]) * 1024)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.perf_counter()
    data = RankingDataset.open(folder, verify=False)
    opened = time.perf_counter()
    LambdaMART(objective=objective, trees=trees, threads=threads).fit(data)  # type: ignore[arg-type]
    ended = time.perf_counter()
    done.set()
    watcher.join()
    return {
        "rows": data.shape[0],
        "features": data.shape[1],
        "objective": objective,
        "trees": trees,
        "limit of own memory, GB": limit,
        "peak of own memory (RssAnon), GB": peak["RssAnon"] / 1e9,
        "peak of mapped file pages (RssFile), GB": peak["RssFile"] / 1e9,
        "peak of all resident pages (ru_maxrss), GB": 1024
        * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        / 1e9,
        "seconds to open": opened - started,
        "seconds to train": ended - opened,
    }


def main() -> None:
    """Make the file if need be, train in another process, print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--features", type=int, default=136)
    parser.add_argument("--trees", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--objective", default="fast_lambdarank")
    parser.add_argument("--limit", type=float, default=8.0, help="gigabytes")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--here", action="store_true", help="train in this process")
    options = parser.parse_args()
    if options.here:
        figures = train(
            options.folder, options.trees, options.threads, options.objective, options.limit
        )
        print(json.dumps(figures))
        return
    if not (options.folder / "manifest.json").exists():
        make(options.folder, options.rows, options.features)
    command = [sys.executable, __file__, *sys.argv[1:], "--here"]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    figures = json.loads(finished.stdout)
    for name, value in figures.items():
        print(f"{name:44} {value:.2f}" if isinstance(value, float) else f"{name:44} {value}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
