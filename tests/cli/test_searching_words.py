"""`plackett search` on BM25's index: other models, longer queries, queries with signs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import plackett as pk
from plackett.retrievers import Expanded, Lexical, SyntaxSearch

Program = Callable[..., Any]
QUERY = "laminar boundary layer"


def found(program: Program, command: str) -> list[tuple[str, float]]:
    done = program(f"{command} --json -k 5")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in done.out.splitlines()]
    return [(row["document"], row["score"]) for row in rows]


@pytest.mark.parametrize(
    ("option", "make"),
    [
        ("--model DPH", lambda bm25: Lexical(bm25, "DPH")),
        ('--model "Dirichlet(mu=200)"', lambda bm25: Lexical(bm25, "Dirichlet(mu=200)")),
        ("--expand RM3", lambda bm25: Expanded(bm25, "RM3")),
        ('--expand "Bo1(documents=5)" --b 0.4', lambda bm25: Expanded(bm25, "Bo1(documents=5)")),
        ("--signs", SyntaxSearch),
    ],
)
def test_options_search_as_python_does(
    option: str, make: Callable[[pk.BM25], Any], program: Program, inside: Path
) -> None:
    bm25 = pk.BM25.open(inside / "idx", b=0.4 if "--b" in option else None)
    wanted = make(bm25).search(pk.Queries.from_texts({"query": QUERY}), 5)["query"]
    rows = found(program, f'plackett search idx "{QUERY}" {option}')
    assert [name for name, _ in rows] == [name for name, _ in wanted]
    assert [score for _, score in rows] == pytest.approx([score for _, score in wanted])


def test_signs_are_read(program: Program, inside: Path) -> None:
    rows = found(program, "plackett search idx '+\"boundary layer\" -laminar' --signs")
    corpus = pk.load_collection("cranfield").corpus
    assert rows
    for document, _ in rows:
        row = int(corpus.ids.codes([document])[0])
        text = " ".join(str(corpus.column(field)[row]) for field in corpus.fields).lower()
        assert "boundary" in text
        assert "laminar" not in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--model DPX", "did you mean 'DPH'"),
        ("--expand RM4", "Known: Bo1, KL, RM3"),
        ("--model DPH --signs", "do not go together"),
        ('--model "Dirichlet(mu=0)"', "mu=0"),
    ],
)
def test_what_does_not_fit_is_told(
    options: str, message: str, program: Program, inside: Path
) -> None:
    done = program(f"plackett search idx wing {options}")
    assert done.code != 0
    assert message in " ".join(done.err.split())


def test_neighbours_count_more(program: Program, inside: Path) -> None:
    asked = pk.Queries.from_texts({"q": "boundary layer flow"})
    expected = pk.retrievers.SequentialDependence(pk.BM25.open("idx")).search(asked, 5)["q"]
    rows = found(program, 'plackett search idx "boundary layer flow" --proximity')
    assert [name for name, _ in rows] == [name for name, _ in expected]


def test_vectors_have_no_models(program: Program, inside: Path) -> None:
    done = program("plackett search vectors wing --model DPH")
    assert "--model is for BM25" in " ".join(done.err.split())


def test_an_index_that_lives(program: Program, inside: Path, tmp_path: Path) -> None:
    records = [
        {"id": f"d{i}", "text": "wing " * i + "heat", "year": 1990 + i, "note": "x"}
        for i in range(6)
    ]
    pk.Corpus.from_records(records).write(tmp_path / "first.jsonl")
    pk.Corpus.from_records([{"id": "d2", "text": "flow", "year": 2020, "note": "y"}]).write(
        tmp_path / "more.jsonl"
    )
    folder = tmp_path / "live"
    built = program(
        f"plackett index {tmp_path / 'first.jsonl'} -o {folder} --kind live-bm25 --fields text "
        "--metadata year --k1 0.9"
    )
    assert built.code == 0, built.err
    assert "6 documents, to live" in built.err
    assert program(f"plackett documents add {folder} {tmp_path / 'more.jsonl'}").code == 0
    assert program(f"plackett documents delete {folder} d5").code == 0
    rows = found(program, f'plackett search {folder} "wing"')
    assert [name for name, _ in rows] == ["d4", "d3", "d1"]
    assert [
        name for name, _ in found(program, f"plackett search {folder} wing --where year=..1993")
    ] == [
        "d3",
        "d1",
    ]
    facts = json.loads(program(f"plackett documents stats {folder} --json").out)
    assert (facts["documents"], facts["deleted"], facts["segments"]) == (5, 2, 2)
    assert facts["kind"] == "live-bm25"
    assert len(found(program, f"plackett search {folder} wing --model DPH")) == 3
    assert program(f"plackett documents merge {folder}").code == 0
    assert len(found(program, f"plackett search {folder} wing --model DPH")) == 3
    assert program(f"plackett verify {folder}").code == 0
    assert len(found(program, f'plackett search {folder} "+wing -flow" --signs')) == 3
    assert len(found(program, f"plackett search {folder} wing --expand 'RM3(documents=2)'")) > 2
    wrong = program(f"plackett documents add {folder} {tmp_path / 'more.jsonl'} --encoder x")
    assert "has words" in wrong.err
    assert type(pk.retrievers.open_index(folder)).__name__ == "LiveBM25"
