"""BM25 beside tantivy and bm25s: indexing from text, and exact search, on one thread.

    python benchmarks/bm25.py --setup          # once: makes benchmarks/.venv-bm25 with the peers
    python benchmarks/bm25.py                  # 500,000 documents of 60 tokens, 1,000 queries
    python benchmarks/bm25.py --small --json results.json

The collection is drawn from Zipf's law (exponent 1, 200,000 words); a query is 3 to 6 distinct
words whose ranks are uniform on a logarithmic scale from 10 to 20,000, or, with `--law zipf`, drawn
as those of documents are, so that most queries hold words of very long lists. Every system reads
the same text file, cuts it at spaces, and searches each query on its own through its Python
interface, in a process of its own that is restricted to one thread.

- plackett: `BM25.build` (analyzer "whitespace", forward tokens kept); one query at a time from its
  text to arrays of documents and scores, and all queries at once by `BM25.search`, to a Run.
- tantivy: whitespace tokenizer, term frequencies without positions, nothing stored, an integer fast
  field as id, one writer thread with 1 GB of memory, one segment.
- bm25s: numba backend, method "lucene", its own tokenizer split at spaces.
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
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PEERS = HERE / ".venv-bm25"
PACKAGES = ["tantivy", "bm25s", "numba", "numpy"]
DEPTHS = (10, 1000)
FULL = {"documents": 500_000, "words": 200_000, "queries": 1_000}
SMALL = {"documents": 20_000, "words": 20_000, "queries": 100}
TOKENS = 60


def generate(folder: Path, size: dict[str, int], law: str) -> None:
    """Write `docs.txt` (a document a line) and `queries.txt`."""
    import numpy as np

    rng = np.random.default_rng(0)
    mass = np.cumsum(1.0 / np.arange(1, size["words"] + 1))
    words = np.array([f"w{i}" for i in range(size["words"])])
    with open(folder / "docs.txt", "w") as file:
        for first in range(0, size["documents"], 10_000):
            rows = min(10_000, size["documents"] - first)
            draws = np.searchsorted(mass, rng.random((rows, TOKENS)) * mass[-1])
            file.writelines(" ".join(row) + "\n" for row in words[draws])
    highest = np.log(size["words"] / 100)
    with open(folder / "queries.txt", "w") as file:
        for _ in range(size["queries"]):
            draws = rng.random(rng.integers(3, 7))
            if law == "zipf":
                ranks = np.searchsorted(mass, draws * mass[-1])
            else:
                ranks = (np.exp(draws * highest) * 10).astype(int)
            file.write(" ".join(words[np.unique(ranks)]) + "\n")


def lines_of(path: Path) -> list[str]:
    """The lines of a text file."""
    return path.read_text().splitlines()


def folder_bytes(folder: Path) -> int:
    """The size of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def time_each(search: Any, queries: list[Any], k: int) -> dict[str, float]:
    """Queries a second, p50 and p99 in milliseconds, of one call a query."""
    for query in queries[:20]:
        search(query, k)
    seconds = []
    for query in queries:
        start = time.perf_counter()
        search(query, k)
        seconds.append(time.perf_counter() - start)
    seconds.sort()
    n = len(seconds)
    return {
        "queries_per_second": n / sum(seconds),
        "p50_ms": 1000 * seconds[n // 2],
        "p99_ms": 1000 * seconds[min(n - 1, n * 99 // 100)],
    }


def run_plackett(data: Path, work: Path) -> dict[str, Any]:
    """Our own figures."""
    import pyarrow as pa

    from plackett import BM25, Corpus, Queries

    warm = Corpus.from_texts({"d": "a b"})
    BM25.build(warm, work / "warm", analyzer="whitespace").search(Queries.from_texts({"q": "a"}))
    start = time.perf_counter()
    texts = lines_of(data / "docs.txt")
    ids = pa.array(range(len(texts))).cast(pa.string())
    corpus = Corpus.from_table(pa.table({"id": ids, "text": pa.array(texts, pa.large_string())}))
    bm25 = BM25.build(corpus, work / "index", analyzer="whitespace")
    result: dict[str, Any] = {"build_seconds": time.perf_counter() - start}
    result["index_bytes"] = folder_bytes(work / "index")
    texts = lines_of(data / "queries.txt")
    queries = Queries.from_texts({f"q{i}": text for i, text in enumerate(texts)})
    encode, search = bm25.index.encode_queries, bm25.lists.search

    def search_one(text: str, k: int) -> None:
        offsets, terms = encode([text])
        search(offsets, terms, k=k)

    for k in DEPTHS:
        result[str(k)] = time_each(search_one, texts, k)
        start = time.perf_counter()
        bm25.search(queries, k)
        result[str(k)]["at_once"] = len(texts) / (time.perf_counter() - start)
    return result


def run_tantivy(data: Path, work: Path) -> dict[str, Any]:
    """tantivy's figures."""
    import tantivy

    schema = (
        tantivy.SchemaBuilder()
        .add_text_field("body", stored=False, tokenizer_name="whitespace", index_option="freq")
        .add_integer_field("id", stored=False, fast=True)
        .build()
    )
    start = time.perf_counter()
    index = tantivy.Index(schema, path=str(work))
    writer = index.writer(heap_size=1_000_000_000, num_threads=1)
    for number, text in enumerate(lines_of(data / "docs.txt")):
        writer.add_document(tantivy.Document(body=text, id=number))
    writer.commit()
    writer.wait_merging_threads()
    result: dict[str, Any] = {"build_seconds": time.perf_counter() - start}
    result["index_bytes"] = folder_bytes(work)
    index.reload()
    searcher = index.searcher()
    queries = [index.parse_query(text, ["body"]) for text in lines_of(data / "queries.txt")]
    for k in DEPTHS:
        result[str(k)] = time_each(
            lambda query, k: searcher.search(query, limit=k, count=False), queries, k
        )
    return result


def run_bm25s(data: Path, work: Path) -> dict[str, Any]:
    """bm25s's figures."""
    import bm25s

    def tokens_of(lines: list[str], **options: Any) -> Any:
        return bm25s.tokenize(
            lines, lower=False, token_pattern=r"\S+", stopwords=None, show_progress=False, **options
        )

    start = time.perf_counter()
    retriever = bm25s.BM25(method="lucene", k1=1.2, b=0.75, backend="numba")
    retriever.index(tokens_of(lines_of(data / "docs.txt")), show_progress=False)
    retriever.save(str(work))
    result: dict[str, Any] = {"build_seconds": time.perf_counter() - start}
    result["index_bytes"] = folder_bytes(work)
    queries = [tokens_of([text], return_ids=False) for text in lines_of(data / "queries.txt")]
    for k in DEPTHS:
        result[str(k)] = time_each(
            lambda query, k: retriever.retrieve(query, k=k, show_progress=False, n_threads=1),
            queries,
            k,
        )
    return result


SYSTEMS = {"plackett": run_plackett, "tantivy": run_tantivy, "bm25s": run_bm25s}


def measure(system: str, data: Path) -> dict[str, Any]:
    """One system in a process of its own, with one thread."""
    peer = PEERS / "bin" / "python"
    python = sys.executable if system == "plackett" else str(peer)
    one_thread = dict.fromkeys(
        ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS", "ARROW_NUM_THREADS"), "1"
    )
    done = subprocess.run(
        [python, __file__, "--measure", system, "--data", str(data)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **one_thread},
    )
    return json.loads(done.stdout.splitlines()[-1])


def median_of(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of every figure."""
    return {
        key: median_of([result[key] for result in results])
        if isinstance(value, dict)
        else statistics.median(result[key] for result in results)
        for key, value in results[0].items()
    }


def show(figures: dict[str, dict[str, Any]]) -> None:
    """Print the table, and our ratios to each peer."""
    print(f"{'':10}{'build s':>9}{'index MB':>10}", end="")
    for k in DEPTHS:
        print(f"{f'q/s @{k}':>12}{'p50 ms':>9}{'p99 ms':>9}", end="")
    print()
    for system, result in figures.items():
        print(
            f"{system:10}{result['build_seconds']:9.2f}{result['index_bytes'] / 1e6:10.0f}", end=""
        )
        for k in DEPTHS:
            row = result[str(k)]
            print(
                f"{row['queries_per_second']:12.0f}{row['p50_ms']:9.2f}{row['p99_ms']:9.2f}", end=""
            )
        print()
    ours = figures["plackett"]
    for k in DEPTHS:
        print(f"plackett, all queries in one call @{k}: {ours[str(k)]['at_once']:.0f} q/s")
    for peer in [name for name in figures if name != "plackett"]:
        theirs = figures[peer]
        ratios = [f"build {theirs['build_seconds'] / ours['build_seconds']:.1f}x"]
        for k in DEPTHS:
            faster = ours[str(k)]["queries_per_second"] / theirs[str(k)]["queries_per_second"]
            tail = theirs[str(k)]["p99_ms"] / ours[str(k)]["p99_ms"]
            ratios.append(f"@{k} {faster:.1f}x, p99 {tail:.1f}x")
        print(f"plackett against {peer}: {'; '.join(ratios)}")


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setup", action="store_true", help="make the peers' environment")
    parser.add_argument("--small", action="store_true", help="20,000 documents, 100 queries")
    parser.add_argument(
        "--law", choices=["log", "zipf"], default="log", help="how query words are drawn"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--measure", choices=list(SYSTEMS), help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.setup:
        venv.create(PEERS, with_pip=True)
        subprocess.run(
            [PEERS / "bin" / "python", "-m", "pip", "install", "-q", *PACKAGES], check=True
        )
        return
    if options.measure:
        with tempfile.TemporaryDirectory() as work:
            print(json.dumps(SYSTEMS[options.measure](options.data, Path(work))))
        return
    if not PEERS.exists() and set(options.systems) != {"plackett"}:
        sys.exit("the peers are not installed: run with --setup first")
    systems = list(dict.fromkeys(["plackett", *options.systems]))
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), SMALL if options.small else FULL, options.law)
        runs = [
            {system: measure(system, Path(folder)) for system in systems}
            for _ in range(options.repeats)
        ]
    figures = {system: median_of([run[system] for run in runs]) for system in systems}
    show(figures)
    if options.json:
        options.json.write_text(json.dumps({"runs": runs, "median": figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
