"""A first stage over an index that lives: searched as it is when the experiment runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import plackett as pk
from plackett.errors import ConfigurationError, DataError
from plackett.experiment import Event, Outcome, parse_config, run_experiment
from plackett.retrievers import LiveBM25

TEXT = """
title = "Live"
output = "out"
[collection]
corpus = "docs.jsonl"
queries = "queries.tsv"
qrels = "qrels.txt"
[[retrieve]]
name = "live"
kind = "live-bm25"
index = "living"
k = 5
[[retrieve]]
name = "flat"
kind = "live-bm25"
index = "living"
b = 0.0
k = 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    texts = {f"d{i}": " ".join(["wing"] * (i % 3) + ["lift"] * (i % 4) + ["air"]) for i in range(9)}
    rows = "".join(f'{{"id": "{name}", "text": "{text}"}}\n' for name, text in texts.items())
    (tmp_path / "docs.jsonl").write_text(rows)
    (tmp_path / "queries.tsv").write_text("q1\twing lift\nq2\tair wing\n")
    (tmp_path / "qrels.txt").write_text("q1 0 d2 1\nq2 0 d5 1\nq2 0 d8 1\n")
    LiveBM25.build(pk.Corpus.from_texts(texts), tmp_path / "living")
    return tmp_path


def run(folder: Path, text: str = TEXT) -> tuple[Outcome, list[Event]]:
    told: list[Event] = []
    return run_experiment(parse_config(text, name="e.toml", base=folder), tell=told.append), told


def test_it_is_searched_as_it_is(folder: Path) -> None:
    outcome, _ = run(folder)
    queries = pk.Queries.read(folder / "queries.tsv")
    live = LiveBM25.open(folder / "living")
    assert outcome.runs["live"].to_dict() == live.search(queries, 5).to_dict()
    flat = LiveBM25.open(folder / "living", b=0.0)
    assert outcome.runs["flat"].to_dict() == flat.search(queries, 5).to_dict()
    assert "BM25 over the living index living" in outcome.report.read_text("utf-8")
    told = run(folder)[1]
    assert {event.status for event in told if "retrieve" in event.label} == {"kept"}
    live = live.delete(["d2"])
    outcome, told = run(folder)
    assert {event.status for event in told if "retrieve" in event.label} == {"started", "finished"}
    assert outcome.runs["live"].to_dict() == live.search(queries, 5).to_dict()


def test_words_of_features_are_another_index(folder: Path) -> None:
    text = (
        TEXT
        + '[[rankers]]\nname = "linear"\nkind = "LinearRanker"\n[folds]\nk = 2\nvalidation = 0.0\n'
    )
    assert set(run(folder, text)[0].runs) == {"live", "flat", "linear"}


def test_what_does_not_fit_is_told(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="needs an index"):
        parse_config(TEXT.replace('index = "living"\n', ""), name="e.toml", base=folder)
    with pytest.raises(ConfigurationError, match="index is not for a first stage of kind 'bm25'"):
        parse_config(TEXT.replace("live-bm25", "bm25"), name="e.toml", base=folder)
    with pytest.raises(DataError, match="no index"):
        run(folder, TEXT.replace('"living"', '"nowhere"'))
