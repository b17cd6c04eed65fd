"""Late interaction: MaxSim beside other ways to compute it, and searches by centroids.

    python benchmarks/first_stages_late.py --setup     # once: benchmarks/.venv-late with pylate
    python benchmarks/first_stages_late.py             # both parts
    python benchmarks/first_stages_late.py --small --json late.json

Part "maxsim": one query of 32 tokens against 1,000 documents of 180 tokens, 128 components, one
thread. Ways are taken in turns, so that a busy moment hits all; the time is the median of the
turns. Ratios are of the processor's clock, since machines are not always quiet. All must give the
same scores to 1e-3.

- plackett: `max_sim`, from float32 and from float16 vectors.
- numpy: one flat product and a segmented maximum (`np.maximum.reduceat`).
- torch: documents padded to one length, one product, padding at minus infinity.
- pylate: `colbert_scores` of padded documents with a mask, and `rerank` from a list of matrices, in
  an environment of its own, in a process of its own.

Part "search": documents and queries whose tokens lie near those of words, or a real index of token
vectors (`--index FOLDER --queries FILE.npz`, arrays "values" and "offsets"). Of each structure:
seconds and bytes of the build, recall of the exact top k, and milliseconds a query of the
processor's clock, one thread. fast-plaid, which pylate searches by, indexes the same matrices; it
draws its own sample, and its scores are those of the compressed vectors.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
PEERS = HERE / ".venv-late"
PACKAGES = ["pylate==1.6.0"]
ONE_THREAD = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
DIMENSION = 128
QUERY_TOKENS = 32
Ways = dict[str, Callable[[], Any]]


def drawn(documents: int, tokens: int, queries: int) -> dict[str, Any]:
    """Token vectors of texts, and queries made of some tokens of a document, with noise."""
    rng = np.random.default_rng(0)
    words = rng.standard_normal((4_000, 48)).astype(np.float32)
    spread = rng.standard_normal((48, DIMENSION)).astype(np.float32)
    mass = np.cumsum(1 / np.arange(1, 201))

    def unit(vectors: Any) -> Any:
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    lengths = rng.integers(tokens // 2, tokens * 3 // 2 + 1, documents)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    topic = np.repeat(rng.integers(0, max(4, documents // 50), documents), lengths)
    rank = np.searchsorted(mass, rng.random(offsets[-1]) * mass[-1])
    latent = words[(topic * 7919 + rank * 31) % len(words)]
    latent = latent + 0.45 * rng.standard_normal(latent.shape, dtype=np.float32)
    values = unit(latent @ spread)
    asked = []
    for source in rng.integers(0, documents, queries):
        own = values[offsets[source] : offsets[source + 1]]
        noise = 0.05 * rng.standard_normal((QUERY_TOKENS, DIMENSION), dtype=np.float32)
        asked.append(own[rng.integers(0, len(own), QUERY_TOKENS)] + noise)
    return {
        "values": values,
        "offsets": offsets,
        "query_values": unit(np.concatenate(asked)),
        "query_offsets": np.arange(queries + 1) * QUERY_TOKENS,
    }


def in_turns(ways: Ways, turns: int) -> dict[str, dict[str, float]]:
    """Median and least milliseconds of each way, on the clocks of the wall and of the processor."""
    for way in ways.values():
        way()
        way()
    walls: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, way in ways.items():
            begin, began = time.perf_counter(), time.process_time()
            way()
            walls[name].append(1000 * (time.perf_counter() - begin))
            processor[name].append(1000 * (time.process_time() - began))
    return {
        name: {
            "p50_ms": statistics.median(walls[name]),
            "least_ms": min(walls[name]),
            "cpu_ms": statistics.median(processor[name]),
        }
        for name in ways
    }


def padded(data: dict[str, Any]) -> tuple[Any, Any]:
    """Documents of one length, `[n, longest, d]`, and where they have tokens."""
    lengths = np.diff(data["offsets"])
    block = np.zeros((len(lengths), int(lengths.max()), DIMENSION), np.float32)
    where = np.arange(block.shape[1]) < lengths[:, None]
    block[where] = data["values"]
    return block, where


def ways_here(data: dict[str, Any]) -> Ways:
    """Ours, numpy and torch."""
    import torch

    from plackett.encoders import TokenVectors, max_sim

    torch.set_num_threads(1)
    values, offsets = data["values"], data["offsets"]
    query = data["query_values"][:QUERY_TOKENS]
    whole = TokenVectors(values, offsets)
    half = TokenVectors(values.astype(np.float16), offsets)
    block, where = (torch.from_numpy(array) for array in padded(data))
    asked = torch.from_numpy(query)

    def flat() -> Any:
        products = values @ query.T
        return np.maximum.reduceat(products, offsets[:-1], axis=0).sum(axis=1)

    def torch_padded() -> Any:
        products = torch.matmul(block, asked.T)
        products = products.masked_fill(~where[:, :, None], -torch.inf)
        return products.amax(dim=1).sum(dim=1).numpy()

    return {
        "plackett float32": lambda: max_sim(query, whole),
        "plackett float16": lambda: max_sim(query, half),
        "numpy flat + reduceat": flat,
        "torch padded": torch_padded,
    }


def ways_of_peer(data: dict[str, Any]) -> Ways:
    """pylate's scores."""
    import torch
    from pylate import rank, scores

    torch.set_num_threads(1)
    query = torch.from_numpy(data["query_values"][None, :QUERY_TOKENS])
    block, where = (torch.from_numpy(array) for array in padded(data))
    offsets = data["offsets"]
    matrices = [data["values"][a:b] for a, b in pairwise(offsets)]
    ids = list(range(len(matrices)))

    def reranked() -> Any:
        found = rank.rerank(
            documents_ids=[ids],
            queries_embeddings=[data["query_values"][:QUERY_TOKENS]],
            documents_embeddings=[matrices],
        )
        out = np.zeros(len(ids), np.float32)
        for one in found[0]:
            out[one["id"]] = one["score"]
        return out

    def masked() -> Any:
        return scores.colbert_scores(query, block, documents_mask=where.float())[0].numpy()

    return {"pylate colbert_scores": masked, "pylate rerank": reranked}


def measured_ways(data_file: Path, turns: int, peer: bool) -> dict[str, Any]:
    """Times and scores of the ways of this process."""
    data = dict(np.load(data_file))
    ways = ways_of_peer(data) if peer else ways_here(data)
    figures: dict[str, Any] = in_turns(ways, turns)
    for name, way in ways.items():
        figures[name]["scores"] = np.asarray(way()).tolist()
    return figures


def measured_peer_search(data_file: Path, k: int, work: Path) -> dict[str, Any]:
    """fast-plaid on the same matrices."""
    import torch
    from fast_plaid import search

    torch.set_num_threads(1)
    data = dict(np.load(data_file))
    offsets, asked = data["offsets"], data["query_offsets"]
    matrices = [torch.from_numpy(data["values"][a:b]) for a, b in pairwise(offsets)]
    index = search.FastPlaid(index=str(work), device="cpu")
    began, begin = time.process_time(), time.perf_counter()
    index.create(documents_embeddings=matrices, nbits=2)
    build = {"build_cpu_s": time.process_time() - began, "build_s": time.perf_counter() - begin}
    build["bytes"] = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    queries = torch.from_numpy(data["query_values"].reshape(len(asked) - 1, -1, DIMENSION))
    rows = []
    for knobs in ({}, {"n_ivf_probe": 8, "n_full_scores": 4_096}):
        index.search(queries_embeddings=queries[:1], top_k=k, **knobs)
        began, begin = time.process_time(), time.perf_counter()
        found = [index.search(queries_embeddings=q[None], top_k=k, **knobs)[0] for q in queries]
        rows.append(
            {
                "setting": f"fast-plaid {knobs or ''}".strip(),
                "cpu_ms": 1000 * (time.process_time() - began) / len(queries),
                "ms": 1000 * (time.perf_counter() - begin) / len(queries),
                "found": [[row for row, _ in one] for one in found],
            }
        )
    return {"fast-plaid": {**build, "rows": rows}}


def in_process(python: str, options: list[str]) -> dict[str, Any]:
    """This script's hidden part in a process of one thread; its last line is the answer."""
    done = subprocess.run(
        [python, __file__, *options],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **dict.fromkeys(ONE_THREAD, "1")},
    )
    return json.loads(done.stdout.splitlines()[-1])


def part_maxsim(folder: Path, options: argparse.Namespace, peers: bool) -> dict[str, Any]:
    """Print and return the times of all ways."""
    documents = 100 if options.small else 1_000
    file = folder / "maxsim.npz"
    np.savez(file, **drawn(documents, 180, 1))
    shared = ["--data", str(file), "--turns", str(5 if options.small else options.turns)]
    results = in_process(sys.executable, ["--measure", "ways", *shared])
    if peers:
        results |= in_process(str(PEERS / "bin" / "python"), ["--measure", "peer-ways", *shared])
    truth = np.array(results["numpy flat + reduceat"].pop("scores"))
    base = results["plackett float32"]["cpu_ms"]
    print(f"MaxSim of 32 tokens x {documents} documents of 180 tokens x 128, one thread")
    for name, row in results.items():
        wrong = np.abs(np.array(row.pop("scores", truth)) - truth).max()
        row["error"], row["ratio"] = float(wrong), row["cpu_ms"] / base
        print(
            f"  {name:24} p50 {row['p50_ms']:7.2f} ms  least {row['least_ms']:7.2f}  "
            f"processor {row['cpu_ms']:7.2f}  {row['ratio']:5.2f}x  error {wrong:.1e}"
        )
        sys.stdout.flush()
    return results


def searched(searcher: Any, queries: Any, k: int) -> tuple[Any, dict[str, float]]:
    """What is found, a query at a time, and milliseconds a query."""
    parts = [queries.take([i]) for i in range(len(queries))]
    searcher.search(parts[0], k, allowed=None, threads=1)
    began, begin = time.process_time(), time.perf_counter()
    found = [searcher.search(part, k, allowed=None, threads=1).documents for part in parts]
    return np.stack(found), {
        "cpu_ms": 1000 * (time.process_time() - began) / len(parts),
        "ms": 1000 * (time.perf_counter() - begin) / len(parts),
    }


def recall(found: Any, truth: Any) -> float:
    """The part of the true top k that was found."""
    hits = [len(set(a) & set(b)) for a, b in zip(list(found), truth.tolist(), strict=True)]
    return sum(hits) / truth.size


def measured_search(data_file: Path, k: int, work: Path) -> dict[str, Any]:
    """Every structure of ours, its knobs of search swept."""
    from dataclasses import replace

    from plackett.encoders import TokenVectors
    from plackett.retrievers.late import PLAID, ExactMaxSim, HalfMaxSim

    data = dict(np.load(data_file))
    documents = TokenVectors(data["values"], data["offsets"])
    queries = TokenVectors(data["query_values"], data["query_offsets"])
    truth, results = None, {}
    knobs: list[dict[str, Any]] = [
        {},
        {"probes": 4, "candidates": 1_024},
        {"probes": 4, "candidates": 1_024, "threshold": 0.3},
        {"probes": 8, "candidates": 4_096, "threshold": -1.0},
    ]
    built = {"ExactMaxSim()": ExactMaxSim(), "HalfMaxSim()": HalfMaxSim()}
    built |= {f"PLAID(bits={bits})": PLAID(bits=bits) for bits in (1, 2, 4)}
    for name, structure in built.items():
        folder = work / name
        folder.mkdir()
        began, begin = time.process_time(), time.perf_counter()
        facts = structure.build(documents, folder, progress=None)
        result: dict[str, Any] = {
            "build_cpu_s": time.process_time() - began,
            "build_s": time.perf_counter() - begin,
            "bytes": sum(path.stat().st_size for path in folder.iterdir()),
            "rows": [],
        }
        for more in knobs if isinstance(structure, PLAID) else [{}]:
            chosen = replace(structure, **more)
            found, figures = searched(chosen.open(documents, folder, facts), queries, k)
            truth = found if truth is None else truth
            result["rows"].append(
                {"setting": repr(more or "defaults"), **figures, "recall": recall(found, truth)}
            )
        results[name] = result
    return {"results": results, "truth": truth.tolist(), "tokens": len(documents.values)}


def part_search(folder: Path, options: argparse.Namespace, peers: bool) -> dict[str, Any]:
    """Print and return the rows of every structure."""
    file, k = folder / "search.npz", options.k
    if options.index:
        data = real_vectors(options.index, options.queries)
    else:
        data = drawn(300 if options.small else options.documents, 100, options.asked)
    np.savez(file, **data)
    shared = ["--data", str(file), "-k", str(k), "--work"]
    (folder / "ours").mkdir()
    done = in_process(sys.executable, ["--measure", "search", *shared, str(folder / "ours")])
    results, truth = done["results"], np.array(done["truth"])
    if peers and data["values"].shape[1] == DIMENSION:
        python = str(PEERS / "bin" / "python")
        theirs = str(folder / "theirs")
        found = in_process(python, ["--measure", "peer-search", *shared, theirs])
        for row in found["fast-plaid"]["rows"]:
            row["recall"] = recall(row.pop("found"), truth)
        results |= found
    print(f"\nSearch for {k}: {len(data['offsets']) - 1} documents, {done['tokens']} tokens")
    for name, result in results.items():
        each = result["bytes"] / done["tokens"]
        print(f"{name}: build {result['build_cpu_s']:.1f} s of processor, {each:.1f} bytes a token")
        for row in result["rows"]:
            print(
                f"  {row['setting']:60} recall {row['recall']:.4f}  "
                f"{row['cpu_ms']:8.2f} ms of processor (wall {row['ms']:.2f})"
            )
        sys.stdout.flush()
    return results


def real_vectors(index: Path, queries: Path) -> dict[str, Any]:
    """The token vectors of an index, and of queries that its encoder made."""
    from plackett.retrievers.late import LateInteraction

    held = LateInteraction.open(index).segments[0].vectors
    asked = np.load(queries)
    return {
        "values": np.asarray(held.values),
        "offsets": np.asarray(held.offsets),
        "query_values": asked["values"],
        "query_offsets": asked["offsets"],
    }


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setup", action="store_true", help="make the peer's environment")
    parser.add_argument("--small", action="store_true", help="a quick look")
    parser.add_argument("--part", nargs="+", choices=["maxsim", "search"])
    parser.add_argument("--turns", type=int, default=21)
    parser.add_argument("--documents", type=int, default=10_000, help="of the search")
    parser.add_argument("--asked", type=int, default=100, help="queries of the search")
    parser.add_argument("-k", type=int, default=10, help="results of the search")
    parser.add_argument("--index", type=Path, help="an index of token vectors to search instead")
    parser.add_argument("--queries", type=Path, help="its queries' vectors, .npz")
    parser.add_argument("--no-peers", action="store_true", help="leave pylate out")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.setup:
        venv.create(PEERS, with_pip=True)
        python = str(PEERS / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
        return
    hidden = {
        "ways": lambda: measured_ways(options.data, options.turns, peer=False),
        "peer-ways": lambda: measured_ways(options.data, options.turns, peer=True),
        "search": lambda: measured_search(options.data, options.k, options.work),
        "peer-search": lambda: measured_peer_search(options.data, options.k, options.work),
    }
    if options.measure:
        print(json.dumps(hidden[options.measure]()))
        return
    peers = PEERS.exists() and not options.no_peers
    if not peers:
        print("pylate is left out (--setup installs it)")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for part in options.part or ["maxsim", "search"]:
            run = part_maxsim if part == "maxsim" else part_search
            results[part] = run(Path(folder), options, peers)
            if options.json:
                options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
