"""The figures of whole collections against a BM25 written from the formula, on the same tokens."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from plackett.data.collections import Collection, load_collection
from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.metrics import evaluate
from plackett.retrievers import BM25
from plackett.retrievers.analysis import get_analyzer


def independent_run(collection: Collection, k1: float, b: float, k: int) -> Run:
    """BM25 with Lucene's idf over plain dictionaries; tokens by the analyzer, text by text."""
    analyze = get_analyzer("english")
    documents = {name: Counter(analyze(text)) for name, text in collection.corpus}
    lengths = {name: sum(counts.values()) for name, counts in documents.items()}
    mean = sum(lengths.values()) / len(lengths)
    frequency = Counter(term for counts in documents.values() for term in counts)
    results: dict[str, dict[str, float]] = {}
    for query, text in collection.queries:
        scores: dict[str, float] = {}
        for term in analyze(text):
            df = frequency[term]
            idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
            for name, counts in documents.items():
                tf = counts[term]
                if tf:
                    norm = k1 * (1 - b + b * lengths[name] / mean)
                    scores[name] = scores.get(name, 0.0) + idf * tf / (tf + norm)
        best = sorted(scores, key=lambda name: -scores[name])[:k]
        results[query] = {name: scores[name] for name in best}
    return Run.from_dict(results)


def agree(collection: Collection, folder: Path) -> None:
    bm25 = BM25.build(collection.corpus, folder, k1=1.2, b=0.75)
    measures = "nDCG@10 AP R@100"
    ours = evaluate(bm25.search(collection.queries, k=1000), collection.qrels, measures)
    other = evaluate(independent_run(collection, 1.2, 0.75, 1000), collection.qrels, measures)
    assert min(ours.mean.values()) > 0.1
    np.testing.assert_allclose(ours.values.mean(axis=1), other.values.mean(axis=1), atol=1e-4)


def test_cranfield(tmp_path: Path) -> None:
    agree(load_collection("cranfield"), tmp_path / "index")


@pytest.mark.shared_data
def test_cisi(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "cisi"
    rows = [line.split() for line in (folder / "CISI.REL").read_text().splitlines()]
    qrels = Qrels.from_arrays([row[0] for row in rows], [row[1] for row in rows], [1.0] * len(rows))
    queries = Queries.read(folder / "CISI.QRY", format="smart", fields=["text"])
    corpus = Corpus.read(folder / "CISI.ALL.gz", format="smart", fields=["title", "text"])
    queries = queries.select(qrels.queries)
    assert (len(corpus), len(queries), len(qrels.document)) == (1460, 76, 3114)
    agree(Collection("cisi", corpus, queries, qrels), tmp_path / "index")
