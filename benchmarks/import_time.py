"""How long `import plackett` takes, beside a Python that imports nothing.

    python benchmarks/import_time.py [--json FILE]

Every figure is the median over fresh processes that are started in turn. The difference of the two
is the price of the import; the target is below 0.2 s.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = {
    "python -c pass": "pass",
    "import plackett": "import plackett",
    "import plackett; plackett.Run": "import plackett; plackett.Run",
    "import numpy": "import numpy",
}
TARGET = 0.2


def seconds(program: str) -> float:
    """Wall-clock seconds of one fresh process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Time all programs in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--small", action="store_true", help="5 repeats")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    repeats = 5 if options.small else options.repeats
    for program in PROGRAMS.values():  # compile and cache what is new
        seconds(program)
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(repeats):
        for name, program in PROGRAMS.items():
            times[name].append(seconds(program))
    medians = {name: statistics.median(values) for name, values in times.items()}
    price = medians["import plackett"] - medians["python -c pass"]
    print(f"{'':<32}  median s   least s")
    for name, values in times.items():
        print(f"{name:<32}  {medians[name]:8.3f}  {min(values):8.3f}")
    print(f"the import itself: {price:.3f} s (target: below {TARGET} s), {repeats} processes each")
    if options.json is not None:
        result = {"medians": medians, "import_seconds": price, "target": TARGET, "times": times}
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
