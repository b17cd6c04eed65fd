"""The lexical engine beside tantivy and bm25s: indexing, memory, exact search, one and two threads.

    python benchmarks/lexical.py --setup        # once: makes benchmarks/.venv-bm25 with the peers
    python benchmarks/lexical.py                # 500,000 documents of 60 tokens, 1,000 queries
    python benchmarks/lexical.py --documents 5000000 --repeats 1 --json results.json
    python benchmarks/lexical.py --small

The collection is drawn from Zipf's law (exponent 1, 200,000 words) and written to a file, a
document a line; a query is 3 to 6 distinct words whose ranks are uniform on a logarithmic scale
from 10 to 20,000, or, with `--law zipf`, drawn as those of documents are, so that most queries hold
words of very long lists. Every system reads the same file in its own way, cuts it at spaces, and
holds frequencies, but neither positions nor texts.

- plackett: `BM25.build(forward=False)`, analyzer "whitespace", from batches of 10,000 lines; one
  query at a time from its text to arrays of documents and scores, and all at once by `BM25.search`.
- tantivy: whitespace tokenizer, an integer fast field as id, one writer thread with 1 GB of memory,
  as many segments as that makes of them; a query at a time, already parsed.
- bm25s: numba backend, method "lucene", its own tokenizer split at spaces, which wants all lines in
  memory; a query at a time as a list of tokens, and all at once by `retrieve(n_threads=)`.

A build is a process of its own, and so is a search with one or with two threads, each bound to as
many processors. With two threads every Python thread asks every other query; bm25s, whose kernels
run one at a time, is asked for all queries at once instead. "first" is the first pass over the
queries after the index is opened (k = 10, nothing remembered, kernels warm from another index);
all other figures are of later passes. Memory is the peak of the process (VmHWM), pages of mapped
files included, and what of it no file backs after the searches. A child that needs more memory than
`--memory-limit` fails, and the table says so.

The best ten of every query must agree: those of bm25s with ours to rounding, those of tantivy with
ours under its one-byte lengths (`LuceneBM25`); documents may differ where scores tie for the tenth
place.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from lexical_systems import BEST, BUILD, K1, LINES, OPEN, B, Opened, lines_of, open_plackett

HERE = Path(__file__).parent
PEERS = HERE / ".venv-bm25"
PACKAGES = ["tantivy", "bm25s", "numba", "numpy"]
SYSTEMS = ("plackett", "tantivy", "bm25s")
DEPTHS = (BEST, 1000)
TOKENS = 60
COMPARED = 200
COLUMNS = (
    ("queries_per_second", 12, 0),
    ("p50_ms", 9, 3),
    ("p99_ms", 9, 3),
    ("at_once", 10, 0),
)
# A score is above another where rounding cannot have made it so.
ABOVE = 1 + 1e-5
GIGABYTE = 1 << 30
Best = list[tuple[list[int], list[float]]]


def generate(folder: Path, documents: int, words: int, queries: int, law: str) -> None:
    """Write `docs.txt` (a document a line) and `queries.txt`."""
    import numpy as np

    rng = np.random.default_rng(0)
    mass = np.cumsum(1.0 / np.arange(1, words + 1))
    spelt = np.array([f"w{i}" for i in range(words)])
    with open(folder / "docs.txt", "w") as file:
        for first in range(0, documents, LINES):
            rows = min(LINES, documents - first)
            draws = np.searchsorted(mass, rng.random((rows, TOKENS)) * mass[-1])
            file.writelines(" ".join(row) + "\n" for row in spelt[draws])
    highest = np.log(words / 100)
    with open(folder / "queries.txt", "w") as file:
        for _ in range(queries):
            draws = rng.random(rng.integers(3, 7))
            if law == "zipf":
                ranks = np.searchsorted(mass, draws * mass[-1])
            else:
                ranks = (np.exp(draws * highest) * 10).astype(int)
            file.write(" ".join(spelt[np.unique(ranks)]) + "\n")


def status_mb(name: str) -> float:
    """A figure of /proc/self/status in MB: "VmHWM" the peak, "RssAnon" what no file backs."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise KeyError(name)


def figures_of(seconds: list[float], wall: float) -> dict[str, float]:
    """Queries a second, p50 and p99 in milliseconds."""
    seconds, n = sorted(seconds), len(seconds)
    return {
        "queries_per_second": n / wall,
        "p50_ms": 1000 * seconds[n // 2],
        "p99_ms": 1000 * seconds[min(n - 1, n * 99 // 100)],
    }


def time_each(opened: Opened, k: int, threads: int) -> dict[str, float]:
    """One call a query; with two threads, every thread takes every other query."""

    def ask(queries: list[Any]) -> list[float]:
        seconds = []
        for query in queries:
            start = time.perf_counter()
            opened.one(query, k)
            seconds.append(time.perf_counter() - start)
        return seconds

    shares = [opened.queries[i::threads] for i in range(threads)]
    start = time.perf_counter()
    if threads == 1:
        seconds = ask(shares[0])
    else:
        with ThreadPoolExecutor(threads) as pool:
            seconds = [second for part in pool.map(ask, shares) for second in part]
    return figures_of(seconds, time.perf_counter() - start)


def build_phase(system: str, data: Path, work: Path) -> dict[str, Any]:
    """Seconds, peak memory and size of one build."""
    (work / "warm").mkdir(parents=True)
    (work / "index").mkdir()
    tiny = work / "tiny"
    tiny.mkdir()
    (tiny / "docs.txt").write_text("w1 w2 w3\nw2 w3\n" * 2)
    BUILD[system](tiny, work / "warm")  # compiled kernels are no part of a build
    before = status_mb("VmHWM")
    start = time.perf_counter()
    BUILD[system](data, work / "index")
    seconds = time.perf_counter() - start
    files = [path for path in (work / "index").rglob("*") if path.is_file()]
    return {
        "build_seconds": seconds,
        "build_peak_mb": status_mb("VmHWM"),
        "imports_mb": before,
        "index_bytes": sum(path.stat().st_size for path in files),
    }


def search_phase(system: str, data: Path, work: Path, threads: int) -> dict[str, Any]:
    """Everything about search with so many threads, and the best ten of the first queries."""
    texts = list(lines_of(data / "queries.txt"))
    warm = OPEN[system](work / "warm", ["w1 w2", "w3"])
    for k in (1, 2):
        time_each(warm, k, 1)
        if warm.many:
            warm.many(k, threads)
    start = time.perf_counter()
    opened = OPEN[system](work / "index", texts)
    result: dict[str, Any] = {"open_seconds": time.perf_counter() - start}
    result["segments"] = opened.segments
    passes = threads if opened.one_by_threads else 1
    result["first"] = time_each(opened, BEST, passes) if passes == threads else {}
    for k in DEPTHS:
        result[str(k)] = time_each(opened, k, passes) if passes == threads else {}
        if opened.many:
            start = time.perf_counter()
            opened.many(k, threads)
            result[str(k)]["at_once"] = len(texts) / (time.perf_counter() - start)
    result["search_peak_mb"] = status_mb("VmHWM")
    result["anonymous_mb"] = status_mb("RssAnon")
    if threads == 1:
        result["best"] = [opened.best(query) for query in opened.queries[:COMPARED]]
    return result


def coarse_phase(data: Path, work: Path) -> dict[str, Any]:
    """Our best ten as tantivy's one-byte lengths make them."""
    texts = list(islice(lines_of(data / "queries.txt"), COMPARED))
    opened = open_plackett(work / "index", texts, f"LuceneBM25(k1={K1}, b={B})")
    return {"best": [opened.best(text) for text in texts]}


def child(system: str, phase: str, data: Path, threads: int, limit: float) -> dict[str, Any]:
    """Run one phase in a process of its own; what failed is told under "failed"."""
    python = sys.executable if system == "plackett" else str(PEERS / "bin" / "python")
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS", "ARROW_NUM_THREADS")
    command = [python, __file__, "--phase", phase, "--system", system, "--data", str(data)]
    processors = set(sorted(os.sched_getaffinity(0))[:threads])

    def restrict() -> None:
        os.sched_setaffinity(0, processors)
        resource.setrlimit(resource.RLIMIT_DATA, (int(limit * GIGABYTE),) * 2)

    done = subprocess.run(
        [*command, "--threads", str(threads)],
        capture_output=True,
        text=True,
        env={**os.environ, **dict.fromkeys(names, str(threads))},
        preexec_fn=restrict,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"ended by signal {-done.returncode}"]
        return {"failed": said[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def run_phase(options: argparse.Namespace) -> dict[str, Any]:
    """What a child does."""
    work = options.data / options.system
    if options.phase == "build":
        return {**build_phase(options.system, options.data, work), **versions_of(options.system)}
    if options.phase == "coarse":
        return coarse_phase(options.data, work)
    return search_phase(options.system, options.data, work, options.threads[0])


def versions_of(system: str) -> dict[str, str]:
    """The versions of a system and of Python."""
    return {"version": version(system), "python": platform.python_version()}


def agreement(ours: Best, theirs: Best, factor: float) -> dict[str, float]:
    """How far two lists of best tens agree; scores of theirs are `factor` times ours.

    "scores" is the greatest relative difference of scores at equal ranks, "documents" the share of
    the documents ahead of the tenth's score, where no tie decides, that are in both lists.
    """
    furthest, common, total = 0.0, 0, 0
    for (mine, scores), (other, others) in zip(ours, theirs, strict=True):
        found = [score / factor for score in others if score > 0]
        if len(scores) != len(found):
            raise SystemExit(f"{len(scores)} results here, {len(found)} there")
        for a, b in zip(scores, found, strict=True):
            furthest = max(furthest, abs(a - b) / a)
        clear = {name for name, a in zip(mine, scores, strict=True) if a > scores[-1] * ABOVE}
        common += len(clear & set(other))
        total += len(clear)
    return {"scores": furthest, "documents": common / max(total, 1)}


def median_of(results: list[Any]) -> Any:
    """The median of every figure."""
    if isinstance(results[0], dict):
        return {key: median_of([result[key] for result in results]) for key in results[0]}
    return statistics.median(results) if isinstance(results[0], int | float) else results[0]


def measure(system: str, data: Path, options: argparse.Namespace) -> dict[str, Any]:
    """All figures of one system."""
    built = child(system, "build", data, 1, options.memory_limit)
    if "failed" in built:
        return {"failed": f"build: {built['failed']}"}
    result: dict[str, Any] = {"build": built, "search": {}}
    for threads in options.threads:
        runs = []
        for _ in range(options.repeats):
            runs.append(child(system, "search", data, threads, options.memory_limit))
            if "failed" in runs[-1]:
                return {**result, "failed": f"search: {runs[-1]['failed']}"}
        if threads == 1:
            result["best"] = [run.pop("best") for run in runs][-1]
        result["search"][str(threads)] = median_of(runs)
    return result


def check(figures: dict[str, dict[str, Any]], data: Path, limit: float) -> dict[str, Any]:
    """The agreement of each peer's best tens with ours."""
    told = {}
    ours = figures["plackett"].pop("best", None)
    for peer in SYSTEMS[1:]:
        theirs = figures.get(peer, {}).pop("best", None)
        if ours is None or theirs is None:
            continue
        if peer == "tantivy":  # its tf part has the factor k1 + 1
            coarse = child("plackett", "coarse", data, 1, limit)
            if "failed" in coarse:
                told[peer] = coarse
                continue
            told[peer] = agreement(coarse["best"], theirs, K1 + 1)
        else:
            told[peer] = agreement(ours, theirs, 1.0)
    return told


def cell(row: dict[str, float], name: str, width: int, digits: int) -> str:
    """A figure of a table, or a dash where it was not measured."""
    return f"{row[name]:{width}.{digits}f}" if name in row else f"{'-':>{width}}"


def show(figures: dict[str, dict[str, Any]], agreements: dict[str, Any]) -> None:
    """Print the tables, our ratios to each peer, and how far the results agree."""
    print(
        f"{'':10}{'build s':>9}{'peak MB':>9}{'index MB':>10}{'open s':>8}"
        f"{'search peak MB':>16}{'segments':>10}"
    )
    for system, result in figures.items():
        if "search" not in result:
            print(f"{system:10}  {result['failed']}")
            continue
        build, search = result["build"], next(iter(result["search"].values()), None)
        print(
            f"{system:10}{build['build_seconds']:9.2f}{build['build_peak_mb']:9.0f}"
            f"{build['index_bytes'] / 1e6:10.1f}",
            end="",
        )
        if search:
            print(f"{search['open_seconds']:8.2f}{search['search_peak_mb']:16.0f}", end="")
            print(f"{search['segments']:10.0f}", end="")
        print(f"  {result.get('failed', '')}")
    for threads in figures["plackett"].get("search", {}):
        print(f"\nthreads {threads:3}{'first q/s':>12}", end="")
        for k in DEPTHS:
            print(f"{f'q/s @{k}':>12}{'p50 ms':>9}{'p99 ms':>9}{'at once':>10}", end="")
        print()
        for system, result in figures.items():
            row = result.get("search", {}).get(threads)
            if row is None:
                continue
            print(f"{system:10}{cell(row['first'], 'queries_per_second', 12, 0)}", end="")
            for k in DEPTHS:
                for name, width, digits in COLUMNS:
                    print(cell(row[str(k)], name, width, digits), end="")
            print()
    print()
    for peer in figures:
        if peer != "plackett" and "search" in figures["plackett"] and "search" in figures[peer]:
            print(f"plackett against {peer}: {ratios(figures['plackett'], figures[peer])}")
    for peer, found in agreements.items():
        if "failed" in found:
            print(f"best tens beside {peer}: {found['failed']}")
        else:
            print(
                f"best tens beside {peer}: scores differ by {found['scores']:.1e} at most, "
                f"{found['documents']:.2%} of the documents that no tie decides are the same"
            )


def ratios(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """How many times faster and smaller we are."""
    mine, other = ours["build"], theirs["build"]
    parts = [
        f"build {other['build_seconds'] / mine['build_seconds']:.2f}x the speed, "
        f"{mine['build_peak_mb'] / other['build_peak_mb']:.2f}x the memory",
        f"index {mine['index_bytes'] / other['index_bytes']:.2f}x the bytes",
    ]
    for threads, row in ours["search"].items():
        peer = theirs["search"].get(threads)
        if peer is None:
            continue
        for k in DEPTHS:
            name = "queries_per_second" if "queries_per_second" in peer[str(k)] else "at_once"
            faster = row[str(k)][name] / peer[str(k)][name]
            part = f"{threads} thread{'s' * (threads != '1')} @{k} {faster:.1f}x the queries/s"
            if "p99_ms" in peer[str(k)]:
                part += f", p99 {row[str(k)]['p99_ms'] / peer[str(k)]['p99_ms']:.2f}x"
            parts.append(part)
    return "; ".join(parts)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setup", action="store_true", help="make the peers' environment")
    parser.add_argument("--small", action="store_true", help="20,000 documents, 100 queries")
    parser.add_argument("--documents", type=int, default=500_000)
    parser.add_argument("--words", type=int, default=200_000, help="distinct words")
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument(
        "--law", choices=["log", "zipf"], default="log", help="how query words are drawn"
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3, help="of the searches; builds run once")
    parser.add_argument("--memory-limit", type=float, default=20.0, help="GB, of each process")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--temporary", type=Path, help="where collection and indexes are written")
    parser.add_argument("--json", type=Path, help="write the figures here")
    for hidden in ("--phase", "--system"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Parse the command line and run."""
    options = parse()
    if options.setup:
        venv.create(PEERS, with_pip=True)
        pip = [PEERS / "bin" / "python", "-m", "pip", "install", "-q"]
        subprocess.run([*pip, *PACKAGES], check=True)
        return
    if options.phase:
        print(json.dumps(run_phase(options)))
        return
    if not PEERS.exists() and set(options.systems) != {"plackett"}:
        sys.exit("the peers are not installed: run with --setup first")
    if options.small:
        options.documents, options.words, options.queries = 20_000, 20_000, 100
    systems = [name for name in SYSTEMS if name == "plackett" or name in options.systems]
    with tempfile.TemporaryDirectory(dir=options.temporary) as folder:
        data = Path(folder)
        generate(data, options.documents, options.words, options.queries, options.law)
        figures = {system: measure(system, data, options) for system in systems}
        agreements = check(figures, data, options.memory_limit)
    show(figures, agreements)
    if options.json:
        setting = {
            name: getattr(options, name) for name in ("documents", "words", "queries", "law")
        }
        told = {"setting": setting, "systems": figures, "best tens": agreements}
        options.json.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
