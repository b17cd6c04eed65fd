"""BM25 by columns: what is found is what is left of all results when the others are taken out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.texts import Corpus, Queries
from plackett.errors import CorruptFileError, DataError
from plackett.retrievers import BM25, Expanded, Lexical, SyntaxSearch

N = 120
WORDS = np.array([f"w{i}" for i in range(15)])


def records() -> list[dict[str, object]]:
    rng = np.random.default_rng(3)
    return [
        {
            "id": f"d{i}",
            "text": " ".join(rng.choice(WORDS, rng.integers(0, 12))),
            "year": None if i % 17 == 0 else 1990 + i % 30,
            "language": ["en", "de", "fr"][i % 3],
            "price": float(rng.random()),
        }
        for i in range(N)
    ]


COLUMNS = ["year", "language", "price"]
QUERIES = Queries.from_texts({"a": "w1 w2", "b": "w3", "c": "w4 w5 w6 w6", "d": "nothing"})


@pytest.fixture(scope="module")
def bm25(tmp_path_factory: pytest.TempPathFactory) -> BM25:
    folder = tmp_path_factory.mktemp("filtered") / "index"
    return BM25.build(Corpus.from_records(records()), folder, metadata=COLUMNS)


def agrees(record: dict[str, object], where: dict[str, object]) -> bool:
    for name, wanted in where.items():
        value = record[name]
        if wanted == (None, None):  # no limit at all
            continue
        if value is None:
            return False
        if isinstance(wanted, tuple):
            low, high = wanted
            if (low is not None and value < low) or (high is not None and value > high):
                return False
        elif value not in (wanted if isinstance(wanted, list | set) else [wanted]):
            return False
    return True


limits = st.one_of(st.none(), st.integers(1985, 2025))
wheres = st.fixed_dictionaries(
    {},
    optional={
        "year": st.one_of(st.integers(1985, 2025), st.tuples(limits, limits)),
        "language": st.one_of(
            st.sampled_from(["en", "de", "xx"]), st.sets(st.sampled_from(["en", "fr"]))
        ),
        "price": st.tuples(st.none(), st.floats(0, 1)),
    },
)


@given(wheres, st.integers(1, N), st.integers(1, 3))
def test_a_filter_is_what_is_left_of_all_results(
    bm25: BM25, where: dict[str, object], k: int, threads: int
) -> None:
    everything = bm25.search(QUERIES, N).to_dict()
    kept = {str(row["id"]) for row in records() if agrees(row, where)}
    found = bm25.search(QUERIES, k, where=where, threads=threads).to_dict()
    for query, results in everything.items():
        left = {name: score for name, score in results.items() if name in kept}
        assert len(found[query]) == min(k, len(left))
        # Documents that tie for the last place are as good as one another.
        assert sorted(found[query].values()) == sorted(left.values(), reverse=True)[:k][::-1]
        assert found[query].items() <= left.items()


@pytest.mark.parametrize("rows", [7, 1000])
def test_a_stream_keeps_the_same_columns(bm25: BM25, tmp_path: Path, rows: int) -> None:
    Corpus.from_records(records()).write(tmp_path / "docs.jsonl")
    built = BM25.build(
        tmp_path / "docs.jsonl", tmp_path / "index", metadata=COLUMNS, batch_rows=rows
    )
    assert built.index.fields == bm25.index.fields == ("text",)
    assert built.index.metadata.to_pylist() == bm25.index.metadata.to_pylist()
    where = {"year": (2000, 2010), "language": ["en", "fr"]}
    assert (
        built.search(QUERIES, where=where).to_dict() == bm25.search(QUERIES, where=where).to_dict()
    )
    built.index.verify()


def test_columns_that_come_late_are_empty_before(tmp_path: Path) -> None:
    batches = [
        pa.record_batch({"id": ["a"], "text": ["wine"], "year": pa.array([None], pa.null())}),
        pa.record_batch({"id": ["b"], "text": ["wine"], "year": [1990]}),
    ]
    index = BM25.build(batches, tmp_path / "index", metadata=["year"])
    asked = Queries.from_texts({"q": "wine"})
    assert list(index.search(asked, where={"year": (None, 2000)}).to_dict()["q"]) == ["b"]


def test_a_text_field_may_be_a_column_too(tmp_path: Path) -> None:
    index = BM25.build(
        Corpus.from_records(records()),
        tmp_path / "index",
        fields=["text", "language"],
        metadata=["language"],
    )
    assert index.index.fields == ("text", "language")
    asked = Queries.from_texts({"q": "fr"})
    assert len(index.search(asked, where={"language": "fr"}).to_dict()["q"]) == N // 3
    assert index.search(asked, where={"language": "en"}).to_dict() == {"q": {}}


def test_what_cannot_be_asked(bm25: BM25, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"filter on 'colour'.*one of year, language, price"):
        bm25.search(QUERIES, where={"colour": "red"})
    with pytest.raises(DataError, match="values of the columns' types"):
        bm25.search(QUERIES, where={"year": ["x", 1990]})
    corpus = Corpus.from_records(records())
    with pytest.raises(DataError, match="no field 'yaer'"):
        BM25.build(corpus, tmp_path / "x", metadata=["yaer"])
    with pytest.raises(DataError, match="a list of names"):
        BM25.build(corpus, tmp_path / "x", metadata="year")
    assert not (tmp_path / "x").exists()
    plain = BM25.build(corpus, tmp_path / "plain", fields=["text"])
    with pytest.raises(DataError, match="metadata="):
        plain.search(QUERIES, where={"year": 1990})
    assert plain.search(QUERIES, where={}).to_dict() == plain.search(QUERIES).to_dict()


def test_an_index_of_before_columns_opens_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    built = BM25.build(Corpus.from_records(records()), folder, fields=["text"])
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    assert manifest.pop("metadata") == []
    del manifest["crc32"]  # such a manifest has no checksum of itself
    path.write_text(json.dumps(manifest))
    again = BM25.open(folder)
    assert again.search(QUERIES).to_dict() == built.search(QUERIES).to_dict()
    assert again.index.metadata.num_columns == 0


def test_an_index_without_documents_has_no_columns(tmp_path: Path) -> None:
    index = BM25.build([], tmp_path / "index", metadata=["year"])
    assert index.index.metadata.num_columns == 0
    assert index.search(QUERIES, where={}).to_dict() == {"a": {}, "b": {}, "c": {}, "d": {}}


def test_damage_to_the_columns_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    BM25.build(Corpus.from_records(records()), folder, metadata=COLUMNS)
    file = next(folder.rglob("metadata.arrow"))
    whole = file.read_bytes()
    file.write_bytes(b"?" * len(whole))
    with pytest.raises(CorruptFileError, match="no table"):
        BM25.open(folder).search(QUERIES, where={"year": 1990})
    file.write_bytes(whole[:-1])
    with pytest.raises(CorruptFileError, match="bytes"):
        BM25.open(folder)


@pytest.mark.parametrize(
    "make",
    [
        lambda bm25: Lexical(bm25, "Dirichlet(mu=5)"),
        lambda bm25: Lexical(bm25, "DPH"),
        lambda bm25: Expanded(bm25, "RM3(common=1.0, original=1.0)"),
        SyntaxSearch,
    ],
)
def test_other_ways_to_search_are_filtered_alike(
    make: Callable[[BM25], Any], tmp_path: Path
) -> None:
    records = [
        {"id": f"d{i}", "text": " ".join(["wing"] * (i % 4) + ["heat"] * (i % 3)), "year": i}
        for i in range(40)
    ]
    corpus = Corpus.from_records(records)
    bm25 = BM25.build(corpus, tmp_path / "i", fields=["text"], metadata=["year"])
    way = make(bm25)
    queries = Queries.from_texts({"q": "wing heat", "none": "moon"})
    whole = way.search(queries, 1000)
    found = way.search(queries, 5, where={"year": (10, 30)})
    wanted = {name: score for name, score in whole["q"] if 10 <= int(name[1:]) <= 30}
    assert [score for _, score in found["q"]] == sorted(wanted.values(), reverse=True)[:5]
    assert all(score == wanted[name] for name, score in found["q"])
    assert found["none"] == []
