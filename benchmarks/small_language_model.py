"""Five strategies with one small language model of this machine, on the first queries of DL19.

    python benchmarks/small_language_model.py FOLDER --model PATH [--queries 10] [--json FILE]

FOLDER is the collection `dl19`: `bm25/candidates.json.gz` and the qrels. PATH is a model's folder,
or a GGUF file (then without ICR, which needs attention). The first candidates of BM25, cut to so
many words once, are re-ranked by query likelihood (UPR), yes/no, pairwise prompting (PRP, sliding,
one pass), FIRST and ICR through `plackett.Reranker`. PRP shows the first 30 words of a
document: it shows every document many times. nDCG@10 (TREC's linear gain; the whole qrels,
so that what BM25 has not found counts against all alike), calls, tokens and seconds stand beside
BM25. A base model of 270M parameters was not made for this: its figures say that the path works,
not what the strategies are worth.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import time
from pathlib import Path
from typing import Any

import plackett
from plackett.llm.fitting import first_words
from plackett.llm.local.llama_cpp import LlamaCpp
from plackett.llm.local.transformers_model import Transformers

STRATEGIES: dict[str, dict[str, Any]] = {
    "upr": {},
    "yes-no": {},
    "prp": {"method": "sliding", "k": 1, "comparator": "logits", "max_words": 30},
    "first": {},
    "icr": {},
}


def read(folder: Path, queries: int, depth: int, words: int) -> list[dict[str, Any]]:
    """Query id, query and texts by document id, in BM25's order."""
    with gzip.open(folder / "bm25" / "candidates.json.gz", "rt", encoding="utf-8") as opened:
        lists = json.load(opened)
    return [
        {
            "id": str(row["hits"][0]["qid"]),
            "query": row["query"],
            "texts": {
                str(hit["docid"]): first_words(hit["content"], words) for hit in row["hits"][:depth]
            },
        }
        for row in lists[:queries]
    ]


def ndcg(rows: list[dict[str, Any]], orders: list[list[str]], qrels: plackett.Qrels) -> float:
    """Mean nDCG@10 of orders of document ids."""
    run = plackett.Run.from_dict(
        {
            row["id"]: {name: float(len(order) - i) for i, name in enumerate(order)}
            for row, order in zip(rows, orders, strict=True)
        }
    )
    # Only the queries at hand: others are not missing, they were not asked.
    found = plackett.evaluate(run, qrels, "nDCG@10", missing="skip")
    return float(found.mean["nDCG@10"])


def save(arguments: argparse.Namespace, identity: str, figures: dict[str, Any]) -> None:
    """Write what is known so far, so that a run cut short leaves its figures."""
    about = {
        "model": arguments.name or Path(arguments.model).name,
        "identity": identity,
        "dtype": arguments.dtype,
        "threads": arguments.threads,
        "queries": arguments.queries,
        "depth": arguments.depth,
        "words": arguments.words,
        "plackett": plackett.__version__,
        "python": platform.python_version(),
    }
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps({"about": about, "figures": figures}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", required=True, help="a model's folder, or a GGUF file")
    parser.add_argument("--name", help="what the figures call the model; its folder by default")
    parser.add_argument("--queries", type=int, default=10)
    parser.add_argument("--depth", type=int, default=20, help="candidates a query")
    parser.add_argument("--words", type=int, default=50, help="words of a document")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--only", nargs="*", default=list(STRATEGIES), choices=list(STRATEGIES))
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    rows = read(arguments.folder, arguments.queries, arguments.depth, arguments.words)
    qrels = plackett.Qrels.read(arguments.folder / "qrels.dl19-passage.txt")
    model = (
        LlamaCpp(arguments.model, threads=arguments.threads)
        if arguments.model.endswith(".gguf")
        else Transformers(
            arguments.model, dtype=arguments.dtype, threads=arguments.threads, batch_size=64
        )
    )
    base = ndcg(rows, [list(row["texts"]) for row in rows], qrels)
    figures: dict[str, Any] = {"bm25": {"nDCG@10": base}}
    print(f"{'':8}{'nDCG@10':>9}{'calls':>8}{'tokens':>9}{'seconds':>9}  answers")
    print(f"{'bm25':8}{base:9.4f}")
    for name in arguments.only:
        if name == "icr" and "attention" not in model.powers:
            print(f"{name:8}  {type(model).__name__} does not tell its attention")
            continue
        reranker = plackett.Reranker(name, model=model, **STRATEGIES[name])
        started = time.perf_counter()
        ranked = reranker.rank_many([row["query"] for row in rows], [row["texts"] for row in rows])
        seconds = time.perf_counter() - started
        answers: dict[str, int] = {}
        for result in ranked:
            for status, count in result.answers.items():
                answers[status] = answers.get(status, 0) + count
        figures[name] = {
            "nDCG@10": ndcg(rows, [result.ids for result in ranked], qrels),
            "calls": sum(result.calls for result in ranked),
            "tokens": sum(result.tokens for result in ranked),
            "seconds": round(seconds, 1),
            "answers": answers,
            "parameters": STRATEGIES[name],
        }
        row = figures[name]
        print(
            f"{name:8}{row['nDCG@10']:9.4f}{row['calls']:8d}{row['tokens']:9d}"
            f"{row['seconds']:9.1f}  {answers}",
            flush=True,
        )
        if arguments.json:
            save(arguments, model.identity, figures)


if __name__ == "__main__":
    main()
