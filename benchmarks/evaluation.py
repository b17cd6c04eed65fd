"""Evaluation side by side with pytrec_eval, ir_measures and ranx, in one run.

    python benchmarks/evaluation.py --setup            # once: the peers' own environment
    python benchmarks/evaluation.py [--small] [--json FILE]

Random lists over random document ids, half of each query's judged documents retrieved. Every figure
is a median in seconds. "memory" is from a loaded run to the means, "files" from TREC files to the
means; what a peer needs to build its objects is in its "files". "first" is a whole fresh process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

HERE = Path(__file__).parent
PEERS_PYTHON = HERE / ".venv-evaluation" / "bin" / "python"
PEERS = ("pytrec_eval", "ir_measures", "ranx")
PACKAGES = ("pytrec_eval-terrier", "ir_measures", "ranx")
MEASURES = "nDCG@10 AP RR P@10 R@100"


def write_files(folder: Path, queries: int, depth: int, documents: int, judged: int) -> None:
    """A TREC run and its judgments, seeded."""
    rng = np.random.default_rng(1)
    with (folder / "run.txt").open("w") as run, (folder / "qrels.txt").open("w") as qrels:
        for query in range(queries):
            listed = np.unique(rng.integers(0, documents, depth + depth // 8))
            listed = rng.permutation(listed)[:depth]
            scores = np.sort(rng.random(len(listed)))[::-1]
            run.writelines(
                f"q{query} Q0 d{d} {rank} {score:.6f} run\n"
                for rank, (d, score) in enumerate(zip(listed, scores, strict=True), 1)
            )
            inside = rng.choice(listed, min(judged // 2, len(listed)), replace=False)
            wanted = np.unique(np.append(inside, rng.integers(0, documents, judged // 2)))
            grades = rng.integers(0, 4, len(wanted))
            qrels.writelines(f"q{query} 0 d{d} {g}\n" for d, g in zip(wanted, grades, strict=True))


def timed(work: Callable[[], object], repeats: int) -> float:
    """The median of several runs, in seconds."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return median(seconds)


def time_plackett(folder: Path, repeats: int) -> dict[str, object]:
    """Our figures, after one call that loads or compiles the kernel."""
    from plackett.data.qrels import Qrels
    from plackett.data.run import Run
    from plackett.metrics import evaluate

    def from_files() -> dict[str, float]:
        run, qrels = Run.read(folder / "run.txt"), Qrels.read(folder / "qrels.txt")
        return evaluate(run, qrels, MEASURES).mean

    values = from_files()
    run, qrels = Run.read(folder / "run.txt"), Qrels.read(folder / "qrels.txt")
    begin = time.perf_counter()
    evaluate(run, qrels, MEASURES)
    joined = time.perf_counter() - begin  # includes mapping the ids, which is then kept
    return {
        "memory_first": joined,
        "memory": timed(lambda: evaluate(run, qrels, MEASURES), repeats),
        "files": timed(from_files, max(1, repeats // 2)),
        "values": list(values.values()),
    }


PEER_SCRIPT = r"""
import json, sys, time
from statistics import median
peer, run_path, qrels_path, repeats = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])

def read(path, grade):
    lists = {}
    with open(path) as lines:
        for line in lines:
            parts = line.split()
            lists.setdefault(parts[0], {})[parts[2]] = int(parts[3]) if grade else float(parts[4])
    return lists

begin = time.perf_counter()
if peer == "ranx":
    from ranx import Qrels, Run, evaluate
    qrels = Qrels.from_file(qrels_path, kind="trec")
    run = Run.from_file(run_path, kind="trec")
    names = ["ndcg@10", "map", "mrr", "precision@10", "recall@100"]
    def work():
        means = evaluate(qrels, run, names, make_comparable=True)
        return [means[name] for name in names]
else:
    qrels, run = read(qrels_path, True), read(run_path, False)
    if peer == "pytrec_eval":
        import pytrec_eval
        names = ["ndcg_cut_10", "map", "recip_rank", "P_10", "recall_100"]
        def work():
            per = pytrec_eval.RelevanceEvaluator(qrels, set(names)).evaluate(run)
            return [sum(v[name] for v in per.values()) / len(per) for name in names]
    else:
        import ir_measures
        from ir_measures import AP, P, R, RR, nDCG
        names = [nDCG @ 10, AP, RR, P @ 10, R @ 100]
        def work():
            means = ir_measures.calc_aggregate(names, qrels, run)
            return [means[name] for name in names]
built = time.perf_counter() - begin
seconds = []
for _ in range(repeats + 1):
    begin = time.perf_counter()
    values = work()
    seconds.append(time.perf_counter() - begin)
print(json.dumps({"memory_first": seconds[0], "memory": median(seconds[1:]),
                  "files": built + median(seconds[1:]), "values": [float(v) for v in values]}))
"""

FIRST_CALL = (
    "import plackett as pk; print(pk.evaluate(pk.Run.from_dict({'q': {'a': 1.0}}), "
    "pk.Qrels.from_dict({'q': {'a': 1}}), 'nDCG@10 AP').mean)"
)


def time_peer(peer: str, folder: Path, repeats: int) -> dict[str, object]:
    """A peer's figures, measured in its own environment on the same files."""
    files = [str(folder / "run.txt"), str(folder / "qrels.txt")]
    command = [str(PEERS_PYTHON), "-c", PEER_SCRIPT, peer, *files, str(repeats)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Measure, print a table with ratios, write the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setup", action="store_true", help="make the peers' environment")
    parser.add_argument("--small", action="store_true", help="500 queries, 100 documents each")
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--depth", type=int, default=1_000)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--judged", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    if options.setup:
        subprocess.run([sys.executable, "-m", "venv", str(PEERS_PYTHON.parents[1])], check=True)
        subprocess.run([str(PEERS_PYTHON), "-m", "pip", "install", "-q", *PACKAGES], check=True)
        return
    if options.small:
        options.queries, options.depth, options.documents = 500, 100, 10_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, options.queries, options.depth, options.documents, options.judged)
        figures = {"plackett": time_plackett(folder, options.repeats)}
        for peer in options.peers:
            figures[peer] = time_peer(peer, folder, options.repeats)
    first = [sys.executable, "-c", FIRST_CALL]
    fresh = timed(lambda: subprocess.run(first, check=True, capture_output=True), 3)
    show(figures, fresh)
    if options.json:
        settings = {k: v for k, v in vars(options).items() if k not in ("json", "setup")}
        content = {"settings": settings, "fresh_process": fresh, "figures": figures}
        options.json.write_text(json.dumps(content, indent=2) + "\n")


def show(figures: dict[str, dict[str, object]], fresh: float) -> None:
    """The table: seconds, and how many times ours a peer takes."""
    ours = figures["plackett"]
    print(f"{'':12} {'first':>9} {'memory':>9} {'ratio':>7} {'files':>9} {'ratio':>7}  values")
    for name, row in figures.items():
        ratios = [float(str(row[k])) / float(str(ours[k])) for k in ("memory", "files")]
        print(
            f"{name:12} {row['memory_first']:9.3f} {row['memory']:9.3f} {ratios[0]:7.1f} "
            f"{row['files']:9.3f} {ratios[1]:7.1f}  {np.round(np.asarray(row['values']), 6)}"
        )
    print(f"first evaluation in a fresh process: {fresh:.2f} s")


if __name__ == "__main__":
    main()
