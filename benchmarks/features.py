"""Features of one query's candidates: milliseconds, by the set of features.

    python benchmarks/features.py [--documents 500000] [--json benchmarks/results/features.json]

The collection is drawn from Zipf's law (200,000 words, 60 tokens a document in four fields: title
8, anchor 12, url 4, text 36); a query has four distinct words whose ranks are uniform on a
logarithmic scale from 10 to 2,000. BM25's first 1,000 documents of a query are its candidates; one
call with one query extracts their features, with one thread. Medians over the queries; "first ms"
is the first call of a set, which counts what its statistics need and loads compiled code.

- mslr: `FeatureSet.mslr`, the 136 columns of the MSLR collections, the four fields as streams;
- mslr_cosine: the same with cosines of whole documents, whose terms all need their idf;
- letor: `FeatureSet.letor`, the 46 of LETOR 4.0, scaled inside each query;
- plain: `FeatureSet.full` without the columns that need the other candidates (feedback);
- full: all columns of `FeatureSet.full`;
- lexical: `FeatureSet.lexical`, the small set with feedback;
- bm25: one column, what a call costs at least.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from plackett.data.texts import Queries
from plackett.features import FeatureSet, StreamParameters
from plackett.retrievers import BM25

WORDS = 200_000
FIELDS = {"title": 8, "anchor": 12, "url": 4, "text": 36}
DEPTH = 1_000


def batches(documents: int) -> Iterator[pa.RecordBatch]:
    """The documents, ten thousand at a time."""
    generator = np.random.default_rng(0)
    mass = np.cumsum(1.0 / np.arange(1, WORDS + 1))
    words = np.array([f"w{i}" for i in range(WORDS)])
    for first in range(0, documents, 10_000):
        rows = min(10_000, documents - first)
        columns = {"id": [f"d{first + i}" for i in range(rows)]}
        for field, tokens in FIELDS.items():
            draws = np.searchsorted(mass, generator.random((rows, tokens)) * mass[-1])
            columns[field] = [" ".join(row) for row in words[draws]]
        yield pa.RecordBatch.from_pydict(columns)


def queries(count: int) -> Queries:
    """Four distinct words each, neither the most frequent nor rare ones."""
    generator = np.random.default_rng(1)
    texts = {}
    for i in range(count):
        ranks: set[int] = set()
        while len(ranks) < 4:
            ranks.add(int(10 * 200 ** generator.random()))
        texts[f"q{i}"] = " ".join(f"w{rank}" for rank in sorted(ranks))
    return Queries.from_texts(texts)


def feature_sets(bm25: BM25) -> dict[str, FeatureSet]:
    """What is timed."""
    full = FeatureSet.full(bm25, threads=1)
    plain = [one for one in full.features if "feedback" not in one.definition.needs]
    cosines = StreamParameters(cosine="document")
    return {
        "mslr": FeatureSet.mslr(bm25, threads=1),
        "mslr_cosine": FeatureSet.mslr(bm25, parameters=cosines, threads=1),
        "letor": FeatureSet.letor(bm25, threads=1),
        "plain": FeatureSet(plain, bm25, threads=1),
        "full": full,
        "lexical": FeatureSet.lexical(bm25, threads=1),
        "bm25": FeatureSet.of(["bm25"], bm25, threads=1),
    }


def main() -> None:
    """Index, search, extract by each set in turn, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=500_000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bm25 = BM25.build(batches(chosen.documents), Path(folder) / "index", analyzer="whitespace")
        asked = queries(chosen.queries)
        runs = [bm25.search(asked.select([name]), DEPTH) for name in asked.ids.values.to_pylist()]
        sets = feature_sets(bm25)
        taken: dict[str, list[float]] = {name: [] for name in sets}
        for run in (runs[0], *runs):
            for name, features in sets.items():
                start = time.perf_counter()
                features.extract(run)
                taken[name].append(1000 * (time.perf_counter() - start))
    rows = []
    print("set          columns  candidates  median ms  p95 ms  first ms")
    for name, features in sets.items():
        times = taken[name][1:]
        row = {
            "set": name,
            "columns": len(features),
            "candidates": statistics.median(len(run.document) for run in runs),
            "median_ms": statistics.median(times),
            "p95_ms": float(np.percentile(times, 95)),
            "first_ms": taken[name][0],
        }
        rows.append(row)
        print(
            f"{name:<12} {row['columns']:>7}  {row['candidates']:>10.0f}  {row['median_ms']:>9.2f}"
            f"  {row['p95_ms']:>6.2f}  {row['first_ms']:>8.0f}"
        )
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps({"documents": chosen.documents, "rows": rows}, indent=1))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
