"""index, search, verify, features, train, rank, explain, convert: what they do, in numbers."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plackett as pk
from plackett.cli.console import input_file, run_name
from plackett.errors import DataError

Program = Callable[..., Any]


def test_search_prints_what_the_library_finds(program: Program) -> None:
    done = program('plackett search idx "laminar boundary layer" -k 3 --corpus docs.jsonl')
    queries = pk.Queries.from_texts({"q": "laminar boundary layer"})
    expected = pk.BM25.open("idx").search(queries, k=3)["q"]
    rows = [line.split() for line in done.out.splitlines()]
    assert [(row[2], float(row[1])) for row in rows] == [
        (document, pytest.approx(score, abs=1e-4)) for document, score in expected
    ]
    assert [int(row[0]) for row in rows] == [1, 2, 3]
    assert "laminar" in done.out


def test_search_writes_json_lines(program: Program) -> None:
    done = program("plackett search idx wing -k 2 --json --corpus cranfield")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [set(row) for row in rows] == [{"query", "rank", "document", "score", "text"}] * 2
    assert rows[0]["score"] >= rows[1]["score"]


def test_search_says_when_nothing_is_found(program: Program) -> None:
    done = program("plackett search idx zyzzyva")
    assert (done.code, done.out, done.err) == (0, "", "nothing found\n")


def test_search_answers_many_queries(program: Program, inside: Path) -> None:
    done = program("plackett search idx --queries - -k 2", stdin=b"a\twing\nb\theat\nc\tzyzzyva\n")
    assert [line for line in done.out.splitlines() if line.startswith("#")] == ["# a", "# b"]
    assert "nothing found for 'c'" in done.err
    program("plackett search idx --queries cranfield -k 30 --threads 2 -o again.txt")
    assert (inside / "again.txt").read_text() == (inside / "run.txt").read_text()


def test_other_parameters_give_other_scores(program: Program, inside: Path) -> None:
    program("plackett search idx --queries queries.tsv -k 30 --k1 0.4 --b 0.1 -o other.txt")
    program("plackett index docs.jsonl -o idx2 --k1 0.4 --b 0.1 --variant lucene")
    program("plackett search idx2 --queries queries.tsv -k 30 -o other2.txt")
    assert (inside / "other.txt").read_text() == (inside / "other2.txt").read_text()
    assert (inside / "other.txt").read_text() != (inside / "run.txt").read_text()


def test_documents_come_from_standard_input(program: Program, inside: Path) -> None:
    documents = b'{"id": "x", "text": "a red fox"}\n{"id": "y", "text": "a dog"}\n'
    done = program("plackett index - -o piped", stdin=documents)
    assert "indexed 2 documents" in done.err
    assert program("plackett search piped fox").out.split()[2] == "x"
    assert program("plackett index - -o piped", stdin=documents + b"{").code == 2
    assert program("plackett search piped fox").out.split()[2] == "x"


def test_an_error_in_standard_input_says_so(
    program: Program, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = program("plackett evaluate qrels.txt -", stdin=b"1 Q0 d 1 x run\n")
    assert done.code == 2
    assert "standard input:1: found" in done.err
    (inside / "bad.txt").write_text("1 Q0 d 1 x run\n")
    assert "bad.txt:1" in program("plackett evaluate qrels.txt bad.txt").err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(DataError, match="elsewhere"), input_file(Path("-"), ".txt"):
        raise DataError("a fault", path="elsewhere")


def test_damage_to_an_index_is_found(program: Program, inside: Path) -> None:
    assert "as it was written" in program("plackett verify idx").out
    program("plackett index docs.jsonl -o hurt")
    victim = max(
        (p for p in (inside / "hurt").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size
    )
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    done = program("plackett verify hurt")
    assert done.code == 2
    assert victim.name in done.err


def test_features_are_those_of_the_library(program: Program, inside: Path) -> None:
    program(
        "plackett features idx run.txt --queries cranfield --qrels qrels.txt "
        "--names bm25,title.bm25 --normalise query_minmax -o two.parquet"
    )
    rows = pk.RankingDataset.read("two.parquet")
    features = pk.FeatureSet.of(
        ["bm25", "title.bm25"], pk.BM25.open("idx"), normalise="query_minmax"
    )
    run, qrels = pk.Run.read("run.txt"), pk.Qrels.read("qrels.txt")
    expected = features.extract(run, qrels, queries=pk.Queries.read("queries.tsv"))
    assert rows.feature_names == ("bm25", "title.bm25")
    np.testing.assert_allclose(rows.X, expected.X)
    np.testing.assert_array_equal(rows.y, expected.y)
    done = program("plackett features idx - --queries queries.tsv -o - < run.txt")
    assert done.out.splitlines()[0].startswith("0 qid:1 ")
    assert len(done.out.splitlines()) == len(rows)


def test_training_ranking_and_explaining_agree(program: Program, inside: Path) -> None:
    done = program(
        "plackett train train.parquet --ranker linearranker --set method=pairwise_logistic "
        "--set measure=AP -o linear"
    )
    shown = float(done.out.split()[-1])
    assert done.out.startswith("AP on the training rows: ")
    model = pk.load_ranker("linear")
    rows = pk.RankingDataset.read("train.parquet")
    assert model.score(rows) == pytest.approx(shown, abs=1e-4)
    program("plackett rank linear/ train.parquet -o linear.txt")
    run = pk.Run.read("linear.txt")
    assert run.name == "linear"
    (first, top), (second, next_score) = run["1"][:2]
    done = program(
        f"plackett explain linear train.parquet --query 1 --above {first} --below {second} --json"
    )
    answer = json.loads(done.out)
    effects = sum(effect["effect"] for effect in answer["effects"])
    assert effects == pytest.approx(top - next_score, abs=1e-4)
    table = program("plackett explain linear train.parquet --query 1").out
    assert table.startswith(f"query 1: {first} scores")
    shares = json.loads(program("plackett explain linear --json").out)
    assert set(shares) == set(rows.feature_names)
    listing = program("plackett explain linear").out.split()
    assert listing[0] == next(iter(shares))


def test_validation_rows_stop_the_training(program: Program, inside: Path) -> None:
    rng = np.random.default_rng(3)
    for name in ("noise.svm", "other.svm"):  # nothing can be learned from one about the other
        rows = [f"{rng.integers(3)} qid:{i // 10} 1:{rng.random():.3f}" for i in range(200)]
        (inside / name).write_text("\n".join(rows) + "\n")
    line = "plackett train noise.svm --valid other.svm --set early_stopping=2"
    program(f"{line} --set trees=300 --set learning_rate=0.9 -o stopped")
    assert pk.load_ranker("stopped").trees_ < 50  # type: ignore[attr-defined]


def test_rankers_are_listed_with_their_parameters(program: Program) -> None:
    listing = program("plackett rankers").out
    assert "LambdaMART: " in listing
    assert "    trees=300" in listing
    assert "LambdaMART" not in program("plackett rankers LinearRanker").out


@pytest.mark.parametrize(
    ("kind", "source", "middle"),
    [
        ("run", "run.txt", "c.parquet"),
        ("run", "run.txt", "c.jsonl"),
        ("qrels", "qrels.txt", "c.tsv"),
        ("dataset", "train.parquet", "c.svm"),
        ("corpus", "docs.jsonl", "c.arrow"),
        ("queries", "queries.tsv", "c.jsonl"),
    ],
)
def test_conversion_there_and_back(
    program: Program, inside: Path, kind: str, source: str, middle: str
) -> None:
    back = f"back{Path(source).suffix}"
    assert program(f"plackett convert {kind} {source} {middle}").code == 0
    assert program(f"plackett convert {kind} {middle} {back}").code == 0
    if kind == "dataset":
        first, second = (pk.RankingDataset.read(name) for name in (source, back))
        np.testing.assert_allclose(first.X, second.X, rtol=1e-6)
        np.testing.assert_array_equal(first.y, second.y)
    elif kind == "corpus":
        assert list(pk.Corpus.read(source)) == list(pk.Corpus.read(back))
    elif kind == "run":
        assert pk.Run.read(source).to_dict() == pk.Run.read(back).to_dict()
    else:
        assert (inside / source).read_text() == (inside / back).read_text()


def test_conversion_through_pipes(program: Program, inside: Path) -> None:
    done = program("plackett convert run - - < run.txt")
    assert done.out == (inside / "run.txt").read_text()
    assert "225 queries" in done.err


def test_runs_are_called_as_their_files() -> None:
    names = ["a/bm25.txt", "bm25.v2.txt.gz", "bm25", "-"]
    assert [run_name(Path(name)) for name in names] == ["bm25", "bm25.v2", "bm25", "stdin"]
