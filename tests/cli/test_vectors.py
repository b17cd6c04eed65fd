"""Indexes of vectors from the command line: built, searched, filtered, fused, changed, verified."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import plackett as pk
from plackett.cli.vectors import parse_where
from plackett.errors import ConfigurationError, UnknownNameError
from plackett.fusion import fuse
from plackett.retrievers import Dense, LateInteraction, Sparse
from plackett.retrievers.opening import open_index

Program = Callable[..., Any]

RECORDS = [
    {"id": "a", "text": "red wine and bread", "year": 1990, "language": "en"},
    {"id": "b", "text": "white wine", "year": 2000, "language": "de"},
    {"id": "c", "text": "the cat and the dog " * 20, "year": 2010, "language": "en"},
    {"id": "e", "text": "", "year": 2020, "language": "fr"},
]


@pytest.fixture
def small(inside: Path, tmp_path: Path) -> Path:
    """Four documents with columns, and an index of their vectors."""
    pk.Corpus.from_records(RECORDS).write(tmp_path / "small.jsonl")
    encoder = str(inside / "encoder")
    Dense.build(
        tmp_path / "small.jsonl",
        tmp_path / "small",
        encoder=f"TransformerEncoder({encoder!r})",
        metadata=["year", "language"],
    )
    return tmp_path


def listed(done: Any) -> list[str]:
    assert done.code == 0, done.err
    return [line.split()[2] for line in done.out.splitlines()]


@pytest.mark.parametrize(
    ("kind", "model", "of"),
    [
        ("dense", "encoder", Dense),
        ("sparse", "lexical", Sparse),
        ("multivector", "encoder", LateInteraction),
    ],
)
def test_every_kind_is_built_and_searched(
    program: Program, small: Path, kind: str, model: str, of: Any
) -> None:
    done = program(
        f"plackett index {small}/small.jsonl -o {small}/{kind} --kind {kind} --encoder {model} "
        "--metadata year,language --fields text"
    )
    assert done.code == 0, done.err
    assert f"indexed 4 documents, {kind} by " in done.err
    index = open_index(small / kind)
    assert type(index) is of
    asked = pk.Queries.from_texts({"query": "red wine"})
    expected = [document for document, _ in index.search(asked, 2)["query"]]
    assert listed(program(f"plackett search {small}/{kind} 'red wine' -k 2")) == expected
    recent = listed(program(f"plackett search {small}/{kind} 'wine and cat' --where year=2000.."))
    assert set(recent) <= {"b", "c", "e"}
    assert recent
    assert "as it was written" in program(f"plackett verify {small}/{kind}").out


def test_texts_that_are_cut_are_counted(program: Program, small: Path) -> None:
    line = f"plackett index {small}/small.jsonl -o {small}/cut --kind dense --encoder encoder"
    assert "1 text cut short" in program(f"{line} --fields text --structure Exact").err
    assert open_index(small / "cut").structure == Dense.default_structure()  # type: ignore[union-attr]


def test_a_packaged_collection_and_a_run_file(program: Program, inside: Path) -> None:
    done = program("plackett search vectors --queries queries.tsv -k 7 -o - --threads 2")
    assert done.code == 0
    run = open_index("vectors").search(pk.Queries.read("queries.tsv"), 7)
    assert len(done.out.splitlines()) == len(run.document)
    assert done.out.split()[2] == run[run.query_names[0]][0][0]


def test_filters_choose_documents(program: Program, small: Path) -> None:
    search = f"plackett search {small}/small wine"
    assert set(listed(program(f"{search} --where language=en"))) == {"a", "c"}
    assert set(listed(program(f"{search} --where 'language=en|de' --where year=..2000"))) == {
        "a",
        "b",
    }
    assert listed(program(f"{search} --where year=2020")) == ["e"]
    for where, message in [
        ("year=old", "'year' is a column of int64; 'old' is none"),
        ("yaer=1990", "did you mean 'year'"),
        ("year", "write column=value"),
    ]:
        done = program(f"{search} --where {where}")
        assert done.code == 2
        assert message in done.err


def test_words_are_filtered_too(program: Program, small: Path) -> None:
    line = f"plackett index {small}/small.jsonl -o {small}/words --metadata year,language"
    assert program(line).code == 0
    search = f"plackett search {small}/words 'wine cat'"
    assert set(listed(program(search))) == {"a", "b", "c"}
    assert set(listed(program(f"{search} --where language=en"))) == {"a", "c"}
    assert listed(program(f"{search} --where year=1995..2005")) == ["b"]
    assert program(f"{search} --where year=2020").err == "nothing found\n"
    assert "did you mean 'year'" in program(f"{search} --where yaer=1990").err
    both = f"{search} --fuse {small}/small --where language=de"
    assert listed(program(both)) == ["b"]


def test_an_index_is_searched_otherwise(program: Program, small: Path) -> None:
    pytest.importorskip("faiss", reason="the graph needs faiss")
    line = f"plackett index {small}/small.jsonl -o {small}/graph --kind dense --encoder encoder"
    assert program(f"{line} --structure HNSW").code == 0
    search = f"plackett search {small}/graph wine"
    walked = program(f"{search} --structure 'HNSW(width=8)'")
    assert listed(walked) == listed(program(f"{search} --structure Exact"))
    fused = f"{search} --fuse {small}/lexical --structure Exact"
    index = f"plackett index {small}/small.jsonl -o {small}/lexical --kind sparse"
    assert program(f"{index} --encoder lexical").code == 0
    assert len(listed(program(fused))) == 4


def test_filters_are_read_as_the_columns_are() -> None:
    columns = {"day": pa.date32(), "open": pa.bool_(), "price": pa.float64(), "name": pa.string()}
    where = parse_where(["day=2020-01-31..", "open=true", "price=1.5|2", "name=10"], columns)
    assert str(where["day"][0]) == "2020-01-31"
    assert where["day"][1] is None
    assert (where["open"], where["price"], where["name"]) == (True, [1.5, 2.0], "10")
    with pytest.raises(ConfigurationError, match="filtered twice"):
        parse_where(["name=a", "name=b"], columns)
    with pytest.raises(UnknownNameError, match="column"):
        parse_where(["nothing=1"], columns)


def test_several_indexes_are_fused(program: Program, inside: Path) -> None:
    program("plackett index few.jsonl -o few")
    line = "plackett search few --fuse vectors --queries queries.tsv -k 10"
    assert program(f"{line} -o hybrid.txt").code == 0
    queries = pk.Queries.read("queries.tsv")
    parts = [open_index(name).search(queries, 1000) for name in ("few", "vectors")]
    expected = fuse(parts).head(10)
    found = pk.Run.read("hybrid.txt")
    assert found.name == "rrf"
    for query in expected.query_names:
        assert [d for d, _ in found[query]] == [d for d, _ in expected[query]]
    assert program(f"{line} --method comb_sum --weights 1,0 --depth 10 -o one.txt").code == 0
    shallow = fuse([part.head(10) for part in parts], "comb_sum", weights=[1, 0]).head(10)
    again = pk.Run.read("one.txt")
    assert [d for d, _ in again["1"]] == [d for d, _ in shallow["1"]]
    assert program(f"{line} --k1 0.4 -o other.txt").code == 0
    assert (inside / "other.txt").read_text() != (inside / "hybrid.txt").read_text()


def test_documents_come_and_go(program: Program, small: Path) -> None:
    folder = small / "small"
    more = [{**RECORDS[1], "text": "red wine"}, {**RECORDS[0], "id": "f", "text": "rice"}]
    pk.Corpus.from_records(more).write(small / "more.jsonl")
    done = program(f"plackett documents add {folder} {small}/more.jsonl")
    assert done.err.startswith("5 documents in 2 segments, 4 before, in ")
    assert set(listed(program(f"plackett search {folder} wine"))) == set("abcef")
    done = program(f"plackett documents delete {folder} a --ids -", stdin=b"f\n\na\n")
    assert done.err == f"2 documents deleted; 3 documents in 2 segments: {folder}\n"
    before = program(f"plackett search {folder} wine").out
    facts = json.loads(program(f"plackett documents stats {folder} --json").out)
    assert (facts["documents"], facts["deleted"], facts["segments"]) == (3, 3, 2)
    assert program(f"plackett documents merge {folder}").err.startswith(
        "2 segments merged; 3 documents in 1 segment, in "
    )
    assert program(f"plackett search {folder} wine").out == before
    table = program(f"plackett documents stats {folder}").out
    assert "kind        dense" in table
    assert "columns     year (int64), language (" in table
    assert "deleted     0" in table


def test_an_index_whose_model_has_moved(program: Program, small: Path, inside: Path) -> None:
    shutil.copytree(inside / "encoder", small / "first")
    line = f"plackett index {small}/small.jsonl -o {small}/moved --kind dense"
    assert program(f"{line} --encoder {small}/first").code == 0
    expected = program(f"plackett search {small}/moved wine").out
    shutil.move(small / "first", small / "second")
    assert program(f"plackett search {small}/moved wine").code == 2
    now = program(f"plackett search {small}/moved wine --encoder {small}/second")
    assert now.out == expected
    pk.Corpus.from_records(RECORDS[:1]).write(small / "one.jsonl")
    added = program(
        f"plackett documents add {small}/moved {small}/one.jsonl --encoder {small}/second"
    )
    assert added.code == 0, added.err


def test_damage_to_vectors_is_found(program: Program, small: Path) -> None:
    victim = next((small / "small").rglob("vectors.npy"))
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    done = program(f"plackett verify {small}/small")
    assert done.code == 2
    assert "vectors.npy" in done.err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("plackett index few.jsonl -o x --kind dense", "needs --encoder"),
        ("plackett index few.jsonl -o x --kind dense --encoder no", "no model 'no'"),
        ("plackett index few.jsonl -o x --kind dens --encoder encoder", "did you mean 'dense'"),
        ("plackett index few.jsonl -o x --encoder encoder", "--encoder is not for"),
        ("plackett index few.jsonl -o x --kind dense --k1 1", "--k1 is not for"),
        ("plackett index few.jsonl -o x --kind dense --encoder 'Nothing(1)'", "'Nothing'"),
        (
            "plackett index few.jsonl -o x --kind dense --encoder encoder --structure Exakt",
            "did you mean 'Exact'",
        ),
        ("plackett index few.jsonl -o x --kind dense --encoder encoder --metadata y", "'y'"),
        ("plackett search vectors wing --k1 2", "is for BM25"),
        ("plackett search idx wing --encoder encoder", "is for an index of vectors"),
        ("plackett search idx wing --structure Exact", "--structure is for an index of vectors"),
        ("plackett search vectors wing --structure Impacts", "Impacts() is for sparse vectors"),
        ("plackett search vectors wing --structure HNSW", "vectors"),
        ("plackett search idx wing --where author=a", "keeps none; build it with"),
        ("plackett search idx wing --method rrf", "go with --fuse"),
        ("plackett search idx wing --fuse nowhere", "nowhere"),
        ("plackett documents add idx few.jsonl", "whose documents are not changed one by one"),
        ("plackett documents delete vectors zz", "document 'zz'"),
        ("plackett documents delete vectors", "give the ids"),
        ("plackett documents stats nowhere", "nowhere"),
    ],
)
def test_mistakes_get_one_message(program: Program, inside: Path, line: str, message: str) -> None:
    done = program(line)
    assert done.code == 2, done.out
    assert message in done.err
    assert done.out == ""
    assert not (inside / "x").exists()
