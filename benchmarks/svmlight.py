"""Reading SVMlight on one core: plackett against scikit-learn, side by side on the same file.

python benchmarks/svmlight.py --json benchmarks/results/svmlight.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.datasets import load_svmlight_file

from plackett.data import formats


def generate(path: Path, rows: int, features: int, seed: int = 0) -> None:
    """Write a file that looks like MSLR-WEB30K: counts, ratios, and some long fractions."""
    generator = np.random.default_rng(seed)
    kinds = generator.integers(0, 3, features)
    with open(path, "w", encoding="ascii") as file:
        for row in range(rows):
            values = np.where(
                kinds == 0,
                generator.integers(0, 300, features),
                np.where(kinds == 1, generator.random(features), generator.normal(0, 20, features)),
            )
            cells = " ".join(
                f"{index}:{value:.0f}" if kind == 0 else f"{index}:{value:.6f}"
                for index, (kind, value) in enumerate(zip(kinds, values, strict=True), 1)
            )
            file.write(f"{generator.integers(0, 5)} qid:{row // 100 + 1} {cells}\n")


def seconds(read: Callable[[], object], repeats: int) -> list[float]:
    """Wall-clock seconds of each of some calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        read()
        times.append(time.perf_counter() - start)
    return times


def main() -> None:
    """Generate, check that both read the same, time both in turn, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=45_000)
    parser.add_argument("--features", type=int, default=136)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.svm"
        generate(path, options.rows, options.features)
        megabytes = path.stat().st_size / 1e6
        out = Path(folder) / "X.npy"
        readers: dict[str, Callable[[], object]] = {
            "plackett": lambda: formats.read_dataset(path),
            "plackett, streamed to a memory-mapped file": lambda: formats.read_dataset(
                path, out=out
            ),
            "scikit-learn": lambda: load_svmlight_file(str(path), query_id=True, zero_based=False),
        }
        first = seconds(readers["plackett"], 1)[0]
        ours, theirs = formats.read_dataset(path), load_svmlight_file(str(path), zero_based=False)
        np.testing.assert_array_equal(ours.X, theirs[0].toarray().astype(np.float32))
        del ours, theirs
        medians = {
            name: statistics.median(seconds(read, options.repeats))
            for name, read in readers.items()
        }
    base = medians["scikit-learn"]
    print(f"{megabytes:.1f} MB, {options.rows} rows, {options.features} features, one thread")
    print(f"{'reader':44} {'seconds':>8} {'MB/s':>7} {'times':>6}")
    for name, median in medians.items():
        print(f"{name:44} {median:8.3f} {megabytes / median:7.1f} {base / median:6.2f}")
    print(f"first call in this process: {first:.2f} s")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        figures = {
            "megabytes": megabytes,
            "rows": options.rows,
            "features": options.features,
            "repeats": options.repeats,
            "cores": os.cpu_count(),
            "first_call_seconds": first,
            "readers": {
                name: {
                    "median_seconds": median,
                    "megabytes_per_second": megabytes / median,
                    "ratio_to_scikit_learn": base / median,
                }
                for name, median in medians.items()
            },
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
