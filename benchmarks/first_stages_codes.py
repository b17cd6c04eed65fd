"""Codes and trees beside faiss: recall against speed, bytes a document, and build time.

    python benchmarks/first_stages_dense.py --setup    # once: benchmarks/.venv-dense, the peer
    python benchmarks/first_stages_codes.py            # 50,000 documents
    python benchmarks/first_stages_codes.py --small    # 10,000 documents, within two minutes
    python benchmarks/first_stages_codes.py --documents 500000 --json results.json

The vectors are those of first_stages_dense.py: 384 components of length 1, drawn around n/100
centres. Every system runs in a process of its own with one thread; each is measured in `--rounds`
turns, system after system, and figures are medians over the turns: queries a second of all queries
in one call, by the processor's clock. Truth is the exact top 10.

- binary codes: `BinaryCodes`, beside faiss's `IndexBinaryFlat` whose candidates are rescored by
  numpy with the same whole vectors, memory-mapped: what a user of faiss writes. The candidates are
  as many on both sides.
- product quantisation, 48 bytes: `ProductQuantised`, beside `IndexPQ` by itself (oversampling 0)
  and inside `IndexRefineFlat`; with a learned rotation, beside `OPQMatrix` before `IndexPQ`.
- a routing tree of 256 leaves: `RoutingTree`, beside `IndexIVFFlat` of 256 lists.

Bytes a document are those of the codes, the whole vectors for rescoring not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from first_stages_dense import DIMENSION, PEERS, Clock, generate, held_mb, loaded, recall

K = 10
PARTS = 48
DEPTH = 8
CANDIDATES = (100, 300, 1_000)
OVERSAMPLING = (0, 2, 10)
WIDTHS = (4, 16, 64)
TRAINED_ON = 20_000
Search = Callable[[Any], Any]
Settings = Iterator[tuple[str, Search]]


def codes_of(index: Any) -> Search:
    """All of `search_vectors`, to a table of document codes."""
    return lambda queries: index.search_vectors(queries, K).documents.reshape(len(queries), -1)


def opened(data: Path, work: Path, structure: Any) -> tuple[Any, float]:
    """An index of ours, built at the first turn, and the seconds that took (0 later)."""
    from plackett.retrievers.dense import Dense

    folder = work / "index"
    if folder.exists():
        return Dense.open(folder), 0.0
    vectors, _ = loaded(data)
    clock = Clock()
    index = Dense.from_vectors([f"d{i}" for i in range(len(vectors))], vectors, folder,
                               structure=structure)  # fmt: skip
    return index, clock.seconds()[0]


def exact(data: Path, work: Path) -> tuple[float, Settings]:
    """Every document."""
    from plackett.retrievers.dense import Exact

    index, seconds = opened(data, work, Exact())
    return seconds, iter([("every document", codes_of(index))])


def binary(data: Path, work: Path) -> tuple[float, Settings]:
    """Candidates by bits; all of them rescored, or a tenth, or by their signs alone."""
    from plackett.retrievers.dense import BinaryCodes

    index, seconds = opened(data, work, BinaryCodes())

    def settings() -> Settings:
        for n in CANDIDATES:
            knobs = BinaryCodes(n, oversampling=n // K)
            yield f"{n} candidates, all rescored", codes_of(index.with_structure(knobs))
        for oversampling in (10, 0):
            knobs = BinaryCodes(1_000, oversampling)
            name = f"1000 candidates by signs, {oversampling * K} rescored"
            yield name, codes_of(index.with_structure(knobs))

    return seconds, settings()


def parts(data: Path, work: Path, *, rotated: bool = False) -> tuple[float, Settings]:
    """A byte for each of 48 parts."""
    from plackett.retrievers.dense import ProductQuantised

    knobs = ProductQuantised(PARTS, rotated=rotated, sample=TRAINED_ON)
    index, seconds = opened(data, work, knobs)

    def settings() -> Settings:
        for n in OVERSAMPLING:
            search = codes_of(index.with_structure(replace(knobs, oversampling=n)))
            yield f"{n * K} rescored", search

    return seconds, settings()


def rotated_parts(data: Path, work: Path) -> tuple[float, Settings]:
    """The same after a learned rotation."""
    return parts(data, work, rotated=True)


def tree(data: Path, work: Path) -> tuple[float, Settings]:
    """256 leaves."""
    from plackett.retrievers.dense import RoutingTree

    knobs = RoutingTree(DEPTH, sample=TRAINED_ON)
    index, seconds = opened(data, work, knobs)

    def settings() -> Settings:
        for width in WIDTHS:
            yield f"{width} of 256", codes_of(index.with_structure(replace(knobs, width=width)))

    return seconds, settings()


def kept(work: Path, make: Callable[[], Any], *, is_binary: bool = False) -> tuple[Any, float]:
    """An index of faiss, built at the first turn, and the seconds that took (0 later)."""
    import faiss

    faiss.omp_set_num_threads(1)
    read = faiss.read_index_binary if is_binary else faiss.read_index
    write = faiss.write_index_binary if is_binary else faiss.write_index
    path = str(work / "index.faiss")
    if Path(path).exists():
        return read(path), 0.0
    clock = Clock()
    index = make()
    seconds = clock.seconds()[0]
    write(index, path)
    return index, seconds


def faiss_binary(data: Path, work: Path) -> tuple[float, Settings]:
    """Hamming distances by faiss, products by numpy."""
    import faiss

    vectors, _ = loaded(data)

    def make() -> Any:
        index = faiss.IndexBinaryFlat(DIMENSION)
        index.add(np.packbits(vectors >= 0, axis=1))
        return index

    index, seconds = kept(work, make, is_binary=True)

    def searching(n: int) -> Search:
        def search(queries: Any) -> Any:
            _, rows = index.search(np.packbits(queries >= 0, axis=1), n)
            found = np.empty((len(queries), K), dtype=np.int64)
            for query, near, best in zip(queries, np.sort(rows, axis=1), found, strict=True):
                scores = vectors[near] @ query
                top = np.argpartition(-scores, K)[:K]
                best[:] = near[top[np.argsort(-scores[top])]]
            return found

        return search

    return seconds, ((f"{n} candidates, all rescored", searching(n)) for n in CANDIDATES)


def faiss_parts(data: Path, work: Path, *, rotated: bool = False) -> tuple[float, Settings]:
    """IndexPQ, by itself and refined."""
    import faiss

    vectors, _ = loaded(data)

    def make() -> Any:
        index: Any = faiss.IndexPQ(DIMENSION, PARTS, 8, faiss.METRIC_INNER_PRODUCT)
        if rotated:
            index = faiss.IndexPreTransform(faiss.OPQMatrix(DIMENSION, PARTS), index)
        index.train(vectors[:TRAINED_ON])
        index.add(vectors)
        return index

    index, seconds = kept(work, make)
    # Refining reads the vectors in memory, as a user would hold them.
    refined = faiss.IndexRefineFlat(index, faiss.swig_ptr(np.ascontiguousarray(vectors)))

    def searching(n: int) -> Search:
        if n == 0:
            return lambda queries: index.search(queries, K)[1]
        parameters = faiss.IndexRefineSearchParameters(k_factor=n)
        return lambda queries: refined.search(queries, K, params=parameters)[1]

    return seconds, ((f"{n * K} rescored", searching(n)) for n in OVERSAMPLING)


def faiss_rotated_parts(data: Path, work: Path) -> tuple[float, Settings]:
    """OPQ before IndexPQ."""
    return faiss_parts(data, work, rotated=True)


def faiss_lists(data: Path, work: Path) -> tuple[float, Settings]:
    """IndexIVFFlat: k-means for the tree."""
    import faiss

    vectors, _ = loaded(data)

    def make() -> Any:
        quantiser = faiss.IndexFlatIP(DIMENSION)
        index = faiss.IndexIVFFlat(quantiser, DIMENSION, 2**DEPTH, faiss.METRIC_INNER_PRODUCT)
        index.train(vectors[:TRAINED_ON])
        index.add(vectors)
        return index

    index, seconds = kept(work, make)

    def searching(width: int) -> Search:
        parameters = faiss.SearchParametersIVF(nprobe=width)
        return lambda queries: index.search(queries, K, params=parameters)[1]

    return seconds, ((f"{width} of 256", searching(width)) for width in WIDTHS)


SYSTEMS: dict[str, tuple[Callable[[Path, Path], tuple[float, Settings]], str, float]] = {
    # what it does, the peer that it is put beside, bytes a document
    "plackett exact": (exact, "", 4.0 * DIMENSION),
    "plackett binary": (binary, "faiss binary", DIMENSION / 8),
    "faiss binary": (faiss_binary, "", DIMENSION / 8),
    "plackett pq": (parts, "faiss pq", PARTS),
    "faiss pq": (faiss_parts, "", PARTS),
    "plackett opq": (rotated_parts, "faiss opq", PARTS),
    "faiss opq": (faiss_rotated_parts, "", PARTS),
    "plackett tree": (tree, "faiss ivf", 4),
    "faiss ivf": (faiss_lists, "", 8),
}


def measured(system: str, data: Path) -> dict[str, Any]:
    """One turn of one system, here."""
    work = data / system.replace(" ", "-")
    work.mkdir(exist_ok=True)
    seconds, settings = SYSTEMS[system][0](data, work)
    queries = loaded(data)[1]
    rows = []
    for name, search in settings:
        search(queries[:4])
        clock = Clock()
        found = search(queries)
        took = clock.seconds()[0]
        if system == "plackett exact":
            np.save(data / "truth.npy", found)
        truth = np.load(data / "truth.npy")
        rows.append({"setting": name, "recall": recall(found, truth), "qps": len(queries) / took})
    return {"build_cpu_s": seconds, "held_mb": held_mb(), "rows": rows}


def measure(system: str, data: Path) -> dict[str, Any]:
    """One turn of one system in a process of its own."""
    python = str(PEERS / "bin" / "python") if system.startswith("faiss") else sys.executable
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    done = subprocess.run(
        [python, __file__, "--measure", system, "--data", str(data)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **dict.fromkeys(names, "1")},
    )
    return json.loads(done.stdout.splitlines()[-1])


def summed(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """The medians of a system's turns."""
    rows = [
        {
            "setting": same[0]["setting"],
            "recall": same[0]["recall"],
            "qps": statistics.median(row["qps"] for row in same),
        }
        for same in zip(*(turn["rows"] for turn in turns), strict=True)
    ]
    held = statistics.median(turn["held_mb"] for turn in turns)
    return {"build_cpu_s": turns[0]["build_cpu_s"], "held_mb": held, "rows": rows}


def show(results: dict[str, dict[str, Any]]) -> None:
    """Print every system's rows, each beside the peer's of the same setting."""
    print(f"{'system':16} {'setting':38} {'recall':>7} {'q/s':>8} {'of peer':>8}  bytes  build s")
    for system, result in results.items():
        _, peer, size = SYSTEMS[system]
        beside = {row["setting"]: row["qps"] for row in results.get(peer, {"rows": []})["rows"]}
        for row in result["rows"]:
            ratio = ""
            if row["setting"] in beside:
                ratio = f"{row['qps'] / beside[row['setting']]:.2f}x"
            print(
                f"{system:16} {row['setting']:38} {row['recall']:7.4f} {row['qps']:8.0f} "
                f"{ratio:>8} {size:6.0f} {result['build_cpu_s']:8.1f}"
            )
    sys.stdout.flush()


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="10,000 documents, 200 queries")
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3, help="turns of every system")
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--measure", choices=list(SYSTEMS), help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measured(options.measure, options.data)))
        return
    documents = 10_000 if options.small else options.documents
    queries = 200 if options.small else options.queries
    systems = list(dict.fromkeys(["plackett exact", *options.systems]))
    if not PEERS.exists() and any(system.startswith("faiss") for system in systems):
        sys.exit("faiss is not installed: run first_stages_dense.py --setup first")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        generate(data, documents, queries)
        turns: dict[str, list[dict[str, Any]]] = {system: [] for system in systems}
        for _ in range(options.rounds):
            for system in systems:
                turns[system].append(measure(system, data))
    results = {system: summed(mine) for system, mine in turns.items()}
    show(results)
    if options.json:
        sizes = {"documents": documents, "queries": queries, "rounds": options.rounds}
        options.json.write_text(json.dumps({**sizes, "systems": results}, indent=1))


if __name__ == "__main__":
    main()
