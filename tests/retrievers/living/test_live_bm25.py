"""A living index answers as one that is built anew of the documents that are left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett import BM25, Corpus, Queries
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.retrievers.living import LiveBM25

WORDS = [f"w{i}" for i in range(12)]
QUERIES = Queries.from_texts(
    {"q1": "w0", "q2": "w1 w2 w9", "q3": "w3 w3 w11", "q4": "unknown", "q5": " ".join(WORDS)}
)


def record(number: int, version: int = 0) -> dict[str, Any]:
    """A document of few words, the frequent ones first."""
    generator = np.random.default_rng([number, version])
    words = generator.choice(WORDS, generator.integers(0, 15), p=_CHANCES)
    title = generator.choice(WORDS, generator.integers(0, 3), p=_CHANCES)
    return {"id": f"d{number}", "title": " ".join(title), "text": " ".join(words), "year": number}


_CHANCES = (1 / np.arange(1, 13)) / (1 / np.arange(1, 13)).sum()


def corpus(records: list[dict[str, Any]]) -> Corpus:
    return Corpus.from_records(records)


def build(records: list[dict[str, Any]], folder: Path, **options: Any) -> LiveBM25:
    return LiveBM25.build(
        corpus(records),
        folder,
        analyzer="whitespace",
        fields=["title", "text"],
        metadata=["year"],
        **options,
    )


def fresh(records: list[dict[str, Any]], folder: Path, **options: Any) -> BM25:
    return BM25.build(
        corpus(records),
        folder,
        analyzer="whitespace",
        fields=["title", "text"],
        metadata=["year"],
        **options,
    )


def check(live: LiveBM25, documents: dict[str, dict[str, Any]], **options: Any) -> None:
    """The rankings are those of a fresh build of these documents, in the index's order."""
    assert set(live.document_ids) == set(documents)
    ordered = [documents[name] for name in live.document_ids]
    if not ordered:
        assert all(live.search(QUERIES)[name] == [] for name in QUERIES.ids)
        return
    with tempfile.TemporaryDirectory() as folder:
        built = fresh(ordered, Path(folder) / "fresh", **options)
        for k in (1, 4, 1000):
            found, wanted = live.search(QUERIES, k), built.search(QUERIES, k)
            for name in QUERIES.ids:
                ours, theirs = found[name], wanted[name]
                assert [d for d, _ in ours] == [d for d, _ in theirs]
                scores = [score for _, score in theirs]
                assert [score for _, score in ours] == pytest.approx(scores, rel=1e-6)
        within = {"year": (3, 30)}
        some = live.search(QUERIES, 5, where=within)
        assert [d for d, _ in some["q5"]] == [
            d for d, _ in built.search(QUERIES, 5, where=within)["q5"]
        ]


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("add"), st.lists(st.integers(0, 25), min_size=1, unique=True, max_size=8)
        ),
        st.tuples(st.just("delete"), st.lists(st.integers(0, 25), unique=True, max_size=6)),
        st.tuples(st.just("merge"), st.just([])),
    ),
    max_size=7,
)


@given(st.lists(st.integers(0, 25), unique=True, max_size=15), OPERATIONS)
@settings(max_examples=40, deadline=None)
def test_any_changes_give_what_a_fresh_build_gives(
    first: list[int], operations: list[tuple[str, list[int]]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        documents = {f"d{i}": record(i) for i in first}
        live = build(list(documents.values()), Path(folder) / "live")
        for turn, (what, numbers) in enumerate(operations, start=1):
            if what == "add":
                added = [record(i, turn) for i in numbers]
                live = live.add(corpus(added))
                documents |= {entry["id"]: entry for entry in added}
            elif what == "delete":
                known = [f"d{i}" for i in numbers if f"d{i}" in documents]
                live = live.delete(known)
                documents = {name: d for name, d in documents.items() if name not in known}
            else:
                live = live.merge()
                assert len(live.segments) <= 1
        check(live, documents)
        check(LiveBM25.open(live.folder, verify=True), documents)
        check(live.merge(), documents)


@pytest.mark.parametrize("variant", ["robertson", "lucene", "atire", "bm25l", "bm25+"])
def test_every_variant_lives(variant: str, tmp_path: Path) -> None:
    records = [record(i) for i in range(30)]
    live = build(records[:20], tmp_path / "live", variant=variant, k1=0.9, b=0.4)
    live = live.add(corpus(records[20:])).delete(["d3", "d25"])
    left = {entry["id"]: entry for entry in records if entry["id"] not in ("d3", "d25")}
    check(live, left, variant=variant, k1=0.9, b=0.4)
    other = LiveBM25.open(live.folder, k1=2.0, b=0.1)
    check(other, left, variant=variant, k1=2.0, b=0.1)
    assert repr(other) == f"LiveBM25.open({str(live.folder)!r}, k1=2.0, b=0.1)"
    assert other.delete(["d4"]).weighting.k1 == 2.0


def test_readers_keep_their_snapshot(tmp_path: Path) -> None:
    records = {entry["id"]: entry for entry in (record(i) for i in range(10))}
    before = build(list(records.values()), tmp_path / "live")
    after = before.delete(["d1"]).add(corpus([record(50), record(2, 7)])).merge()
    check(before, records)
    changed = {name: entry for name, entry in records.items() if name != "d1"}
    check(after, {**changed, "d50": record(50), "d2": record(2, 7)})
    assert (
        after.add(corpus([record(2, 7)])).search(QUERIES, 3).to_dict()
        == after.search(QUERIES, 3).to_dict()
        or len(after.segments) == 1
    )


def test_threads_and_company_change_nothing(tmp_path: Path) -> None:
    live = build([record(i) for i in range(20)], tmp_path / "live")
    live = live.add(corpus([record(i) for i in range(20, 30)])).delete(["d0"])
    run = live.search(QUERIES, 5)
    assert live.search(QUERIES, 5, threads=3).to_dict() == run.to_dict()
    alone = LiveBM25.open(live.folder).search(QUERIES.select(["q5"]), 5)
    assert alone["q5"] == run["q5"]
    assert run.name == "bm25"
    assert run.costs[0].queries == 5
    assert len(live) == 29
    assert repr(live) == f"LiveBM25.open({str(live.folder)!r})"


def test_features_and_other_models_read_it_merged_or_not(tmp_path: Path) -> None:
    from plackett import FeatureSet
    from plackett.retrievers import Lexical

    records = [record(i) for i in range(12)]
    live = build(records[:8], tmp_path / "live").add(corpus(records[8:])).delete(["d2"])
    built = fresh([entry for entry in records if entry["id"] != "d2"], tmp_path / "fresh")
    wanted = FeatureSet.lexical(built).extract(built.search(QUERIES, 5)).X
    likely = Lexical(built, "DPH").search(QUERIES, 5).to_dict()
    for index in (live, live.merge()):
        features = FeatureSet.lexical(index.index)
        np.testing.assert_allclose(features.extract(index.search(QUERIES, 5)).X, wanted, rtol=1e-6)
        found = Lexical(index, "DPH").search(QUERIES, 5).to_dict()
        assert {q: list(d) for q, d in found.items()} == {q: list(d) for q, d in likely.items()}


def test_merging_analyses_nothing_again(tmp_path: Path) -> None:
    seen: list[str] = []

    def analyzer(text: str) -> list[str]:
        seen.append(text)
        return text.split()

    records = [record(i) for i in range(6)]
    live = LiveBM25.build(
        corpus(records[:3]), tmp_path / "live", analyzer=analyzer, fields=["text"]
    ).add(corpus(records[3:]))
    count = len(seen)
    told: list[tuple[int, int | None]] = []
    live = live.merge(batch_rows=2, progress=lambda done, total: told.append((done, total)))
    assert len(seen) == count
    assert told[-1] == (6, 6)
    with pytest.raises(ConfigurationError, match="pass it again"):
        LiveBM25.open(live.folder)
    again = LiveBM25.open(live.folder, analyzer=analyzer)
    assert list(again.document_ids) == list(live.document_ids)


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    live = build([record(i) for i in range(5)], tmp_path / "live")
    with pytest.raises(DataError, match="'nobody'"):
        live.delete(["nobody"])
    with pytest.raises(DataError, match="twice"):
        live.add([*corpus([record(7)]).batches(1)] * 2)
    with pytest.raises(DataError, match="no field 'year'"):
        live.add(Corpus.from_texts({"x": "w1"}))
    live.delete(["d0"])
    with pytest.raises(DataError, match="changed since it was opened"):
        live.delete(["d1"])
    with pytest.raises(DataError, match="no index"):
        LiveBM25.open(tmp_path / "nowhere")
    from plackett.retrievers import Dense

    Dense.from_vectors(["a"], np.eye(1), tmp_path / "dense")
    with pytest.raises(DataError, match="of kind 'dense'"):
        LiveBM25.open(tmp_path / "dense")


@pytest.mark.parametrize("what", ["weighting", "analyzer", "index"])
def test_a_damaged_manifest_is_told(what: str, tmp_path: Path) -> None:
    folder = build([record(i) for i in range(5)], tmp_path / "live").folder
    manifest = json.loads((folder / "manifest.json").read_text())
    if what == "index":
        manifest["segments"][0]["facts"]["index"] = None
    else:
        manifest["facts"][what] = None
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CorruptFileError):
        LiveBM25.open(folder)


def test_every_damaged_file_is_told(tmp_path: Path) -> None:
    live = build([record(i) for i in range(9)], tmp_path / "live").delete(["d3"])
    segment = live.folder / live.manifest.segments[0].name
    for file in sorted(segment.iterdir()):
        whole = file.read_bytes()
        file.write_bytes(whole[:-1])
        with pytest.raises(CorruptFileError):
            LiveBM25.open(live.folder)
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 255]))
        with pytest.raises(CorruptFileError):
            LiveBM25.open(live.folder, verify=True)
        file.write_bytes(whole)
    assert len(LiveBM25.open(live.folder, verify=True)) == 8


KILLED = """
import json, os, shutil, signal, sys
from plackett import Corpus, Queries
from plackett.retrievers.living import LiveBM25

WATCHED = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")
start = os.path.join(sys.argv[1], "start")
texts = {f"d{i}": " ".join(["wing"] * i + ["heat", "flow"]) for i in range(6)}
LiveBM25.build(Corpus.from_texts(texts), start, analyzer="whitespace")
asked = Queries.from_texts({"q": "wing heat"})
LiveBM25.open(start).search(asked)
number = 0
while True:
    number += 1
    folder = os.path.join(sys.argv[1], "index")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(start, folder)
    child = os.fork()
    if child == 0:
        index = LiveBM25.open(folder)
        left = [number]

        def hook(event, args):
            if event in WATCHED and str(args[0]).startswith(folder):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        index = index.add(Corpus.from_texts({"x": "wing", "d1": "heat"})).delete(["d2"]).merge()
        index.add(Corpus.from_texts({"y": "wing wing"})).delete(["y"])
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    index = LiveBM25.open(folder, verify=True)
    row = {"whole": status == 0, "held": sorted(index.document_ids)}
    row["found"] = index.search(asked).to_dict()["q"]
    merged = index.merge()
    row["left"] = sorted(set(os.listdir(folder)) - {merged.manifest.segments[0].name})
    row["same"] = list(merged.search(asked).to_dict()["q"]) == list(row["found"])
    print(json.dumps(row), flush=True)
    if status == 0:
        break
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
def test_a_kill_at_any_touch_of_a_file_leaves_one_of_the_states(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) > 200
    assert rows[-1]["whole"]
    six = tuple(f"d{i}" for i in range(6))
    added = tuple(sorted((*six, "x")))
    less = tuple(name for name in added if name != "d2")
    assert {tuple(row["held"]) for row in rows} == {six, added, less, tuple(sorted((*less, "y")))}
    assert all(row["same"] for row in rows)
    assert {tuple(row["left"]) for row in rows} == {(".lock", "manifest.json")}


def test_it_is_known_by_its_name_and_composes(tmp_path: Path) -> None:
    from plackett.retrievers import get

    kind: Callable[..., Any] = get("live-bm25")
    assert kind is LiveBM25
    live = build([record(i) for i in range(9)], tmp_path / "live")
    assert len((live % 2).search(QUERIES)["q5"]) == 2


def test_a_merge_reads_a_batch_of_documents_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plackett.retrievers.living.live_segment import LiveSegment

    live = build([record(i) for i in range(20)], tmp_path / "live")
    live = live.add(corpus([record(i) for i in range(20, 35)])).delete(["d3", "d30"])
    read: list[int] = []
    real = LiveSegment.tokens_of

    def tokens_of(self: LiveSegment, rows: Any) -> Any:
        read.append(len(rows))
        return real(self, rows)

    monkeypatch.setattr(LiveSegment, "tokens_of", tokens_of)
    merged = live.merge(batch_rows=4, memory="1MB")
    assert (max(read), sum(read)) == (4, 33)
    assert len(merged) == 33
    with pytest.raises(ConfigurationError, match="memory"):
        merged.merge(memory="nothing")
