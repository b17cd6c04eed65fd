"""A collection small enough to run whole experiments on in a second."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from plackett.encoders import register_encoder
from plackett.experiment import ExperimentConfig, parse_config

EXPERIMENT = """
title = "Small"
output = "out"

[collection]
corpus = "docs.jsonl"
queries = "queries.tsv"
qrels = "qrels.txt"

[retrieve]
k = 20

[features]
names = ["bm25", "log_length", "cosine"]

[[rankers]]
name = "linear"
kind = "LinearRanker"
parameters = { method = "pairwise_logistic" }

[[rankers]]
name = "trees"
kind = "LambdaMART"
parameters = { trees = 5, leaves = 4, min_documents_in_leaf = 2 }

[[pipelines]]
name = "cascade"
stages = "bm25 % 8 >> linear % 4 >> trees"

[folds]
k = 3
seed = 7

[compare]
measures = "nDCG@5 RR"
baseline = "bm25"
"""


@pytest.fixture(scope="session")
def collection_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """docs.jsonl, queries.tsv and qrels.txt: 80 documents, 12 judged queries, one more."""
    folder = tmp_path_factory.mktemp("collection")
    rng = np.random.default_rng(5)
    words = np.array([f"word{i}" for i in range(40)])
    texts = [" ".join(rng.choice(words, rng.integers(5, 25))) for _ in range(80)]
    rows = [{"id": f"d{i:02}", "title": f"title {i}", "text": t} for i, t in enumerate(texts)]
    (folder / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    queries = [" ".join(rng.choice(words, 3, replace=False)) for _ in range(13)]
    lines = [f"q{i}\t{text}\n" for i, text in enumerate(queries)]
    (folder / "queries.tsv").write_text("".join(lines))
    judged = [
        f"q{q} 0 d{d:02} {texts[d].split().count(queries[q].split()[0]) % 3}\n"
        for q in range(12)
        for d in rng.choice(80, 30, replace=False)
    ]
    (folder / "qrels.txt").write_text("".join(judged))
    (folder / "experiment.toml").write_text(EXPERIMENT)
    return folder


@pytest.fixture
def config(collection_folder: Path) -> ExperimentConfig:
    """The experiment on that collection."""
    return parse_config(EXPERIMENT, name="experiment.toml", base=collection_folder)


@pytest.fixture
def experiment_text() -> str:
    """The experiment's TOML text."""
    return EXPERIMENT


@pytest.fixture(scope="session", autouse=True)
def hashed_encoders() -> None:
    """Encoders that need no model, known by their names."""
    # Not registered by their definition: a test runner that looks for doctests reads the file too.
    for encoder in runpy.run_path(str(Path(__file__).parent / "hashed_encoders.py"))["ENCODERS"]:
        register_encoder(encoder)
