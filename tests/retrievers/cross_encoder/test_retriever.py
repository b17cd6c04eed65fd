"""The index on disk: opened again, changed, filtered, stopped, damaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.encoders.base import Encoded, PairScorer
from plackett.encoders.cache import VectorCache
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.pipeline import Reranker, parse_pipeline
from plackett.retrievers import get
from plackett.retrievers.cross_encoder import (
    AdaptiveRounds,
    CrossEncoderNeighbours,
    EveryDocument,
    FixedAnchors,
)
from plackett.retrievers.cross_encoder.anchors import AnchorScores
from plackett.retrievers.dense import Dense
from plackett.retrievers.sealing import sealed

MakeScorer = Callable[..., Any]
D, M = 80, 30


@pytest.fixture
def index(
    corpus: Corpus, anchor_queries: Queries, make_scorer: MakeScorer, tmp_path: Path
) -> CrossEncoderNeighbours:
    return CrossEncoderNeighbours.build(
        corpus,
        tmp_path / "index",
        scorer=make_scorer(4, 0.1),
        queries=anchor_queries,
        anchors=8,
        plan=AdaptiveRounds(calls=20, rounds=2),
        metadata=["year"],
    )


def exact(index: CrossEncoderNeighbours, queries: Queries) -> dict[str, dict[str, float]]:
    return index.with_plan(EveryDocument()).search(queries).to_dict()


def test_the_build_takes_a_call_a_pair(
    index: CrossEncoderNeighbours, corpus: Corpus, tmp_path: Path
) -> None:
    assert index.scorer.calls == D * M  # type: ignore[attr-defined]
    assert len(index) == D
    assert index.documents.dimension == M
    assert index.corpus is corpus
    assert index.documents.manifest.segments[0].facts["truncated"] == 1  # document 5
    held = np.array(index.documents.segments[0].vectors)
    np.testing.assert_array_equal(held, index.scorer.matrix[:M, :D].T.astype(np.float32))  # type: ignore[attr-defined]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index"]  # no scores are left
    anchors = index.anchors.anchors
    rows = [int(name[1:]) for name in anchors.ids]
    np.testing.assert_array_equal(anchors.scores, held[rows].T)


def test_it_is_found_by_name_and_opened_again(
    index: CrossEncoderNeighbours, queries: Queries
) -> None:
    assert get("cross-encoder") is CrossEncoderNeighbours
    opened = CrossEncoderNeighbours.open(index.folder, verify=True)
    assert repr(opened.scorer) == repr(index.scorer)
    assert opened.search(queries).to_dict() == index.search(queries).to_dict()
    known = {"CrossEncoderNeighbours.open": CrossEncoderNeighbours.open}
    read = parse_pipeline(repr(index % 7), known)
    assert repr(read) == repr(index % 7)
    assert read.search(queries).to_dict() == index.search(queries, 7).to_dict()  # type: ignore[union-attr]


def test_it_stands_in_a_pipeline(index: CrossEncoderNeighbours, queries: Queries) -> None:
    class Same(Reranker):
        """Sees the texts' owner."""

        def rerank(self, run: Run) -> Run:
            assert run.corpus is index.corpus
            return run

        def __repr__(self) -> str:
            return "Same()"

    run = (index % 5 >> Same()).search(queries)
    assert [len(found) for found in run.to_dict().values()] == [5] * len(queries)
    assert run.costs[0].calls == 20 * len(queries)


def test_add_replace_delete_and_merge(
    index: CrossEncoderNeighbours, queries: Queries, make_scorer: MakeScorer
) -> None:
    before = index.scorer.calls  # type: ignore[attr-defined]
    more = Corpus.from_records(
        [
            {"id": "d3", "text": "document 85", "year": 2020},
            {"id": "new", "text": "document 86", "year": None},
        ]
    )
    changed = index.add(more)
    assert changed.scorer.calls - before == 2 * M  # type: ignore[attr-defined]
    matrix = make_scorer(4, 0.1).matrix.astype(np.float32)
    column = {f"d{i}": i for i in range(D)} | {"d3": 85, "new": 86}

    def check(now: CrossEncoderNeighbours) -> None:
        wanted = {
            q: {d: float(matrix[int(q[1:]), i]) for d, i in column.items()} for q in queries.ids
        }
        got = exact(now, queries)
        assert got == wanted
        for found in got.values():
            assert list(found.values()) == sorted(found.values(), reverse=True)
        for plan in (FixedAnchors(calls=30), AdaptiveRounds(calls=30)):
            for q, found in now.with_plan(plan).search(queries, 8).to_dict().items():
                assert len(set(found) & set(list(got[q])[:8])) >= 6

    check(changed)
    gone = [*index.anchors.anchors.ids[:3], "new"]
    changed = changed.delete(gone)
    for name in gone:
        column.pop(name, None)
    check(changed)
    assert (changed.anchors.codes == -1).sum() >= 3
    check(CrossEncoderNeighbours.open(changed.folder, verify=True))
    merged = changed.merge()
    assert len(merged.documents.segments) == 1
    check(merged)
    assert len(index) == D  # the one opened before goes on as before
    with pytest.raises(DataError, match="changed since it was opened"):
        index.delete(["d0"])
    empty = merged.delete(list(merged.document_ids))
    run = empty.search(queries)
    assert run.costs[0].calls == 0
    assert set(map(len, run.to_dict().values())) == {0}


def test_a_replaced_anchor_is_no_result_under_its_old_text(
    index: CrossEncoderNeighbours, queries: Queries
) -> None:
    name = index.anchors.anchors.ids[0]
    changed = index.add(Corpus.from_records([{"id": name, "text": "document 90", "year": 1}]))
    assert changed.anchors.codes[0] == -1
    run = changed.with_plan(FixedAnchors(calls=79)).search(queries)
    for q, found in run.to_dict().items():
        if name in found:
            row = changed.scorer.matrix[int(q[1:])]  # type: ignore[attr-defined]
            assert found[name] == np.float32(row[90])


def test_a_filter_is_kept_to(index: CrossEncoderNeighbours, queries: Queries) -> None:
    whole = exact(index, queries)
    for where, allowed in (
        ({"year": 1993}, {f"d{i}" for i in range(3, D, 10)}),
        ({"year": (1990, 1996)}, {f"d{i}" for i in range(D) if i % 10 < 7}),
        ({"year": 1}, set()),
    ):
        for plan in (
            EveryDocument(),
            FixedAnchors(calls=20),
            AdaptiveRounds(calls=20, rounds=2),
            AdaptiveRounds(calls=20, temperature=1.0),
        ):
            run = index.with_plan(plan).search(queries, where=where)
            for q, found in run.to_dict().items():
                assert set(found) <= allowed
                assert found.items() <= whole[q].items()
                if len(allowed) <= 20 or isinstance(plan, EveryDocument):
                    assert set(found) == allowed
    with pytest.raises(DataError, match="filter on 'colour'"):
        index.search(queries, where={"colour": "red"})


def test_a_build_that_is_stopped_goes_on(
    corpus: Corpus,
    anchor_queries: Queries,
    make_scorer: MakeScorer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("anchors", "building"):
        monkeypatch.setattr(f"plackett.retrievers.cross_encoder.{module}.PAIRS", 5 * M)
    scorer = make_scorer(4)
    scorer.limit = D * M // 2 + 1
    folder = tmp_path / "index"
    seen: list[tuple[int, int | None]] = []
    with pytest.raises(RuntimeError, match="power"):
        CrossEncoderNeighbours.build(corpus, folder, scorer=scorer, queries=anchor_queries)
    assert [path.name for path in tmp_path.iterdir()] == ["index.scores"]
    again = make_scorer(4)
    index = CrossEncoderNeighbours.build(
        corpus,
        folder,
        scorer=again,
        queries=anchor_queries,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert again.calls == D * M // 2
    assert seen[-1] == (D, D)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    # An index that is there stays until the new one is complete.
    scorer = make_scorer(4, seed=2)
    scorer.limit = 100
    with pytest.raises(RuntimeError, match="power"):
        CrossEncoderNeighbours.build(corpus, folder, scorer=scorer, queries=anchor_queries)
    assert len(CrossEncoderNeighbours.open(folder, scorer=index.scorer, verify=True)) == D
    assert [path.name for path in tmp_path.iterdir()] == ["index"]  # nothing was scored


KILLED = """
import os, signal, sys
import numpy as np
from plackett import Corpus, Queries
from plackett.encoders import Encoded, PairScorer
from plackett.retrievers.cross_encoder import CrossEncoderNeighbours, anchors, building

class Lengths(PairScorer):
    identity = "lengths"

    def __init__(self, last):
        self.calls, self.last = 0, last

    def score(self, queries, documents):
        self.calls += len(queries)
        if self.calls > self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        n = len(queries)
        found = [len(q) * len(d) + len(d) for q, d in zip(queries, documents)]
        return Encoded(np.float32(found), np.ones(n, np.int64), np.zeros(n, bool))

anchors.PAIRS = building.PAIRS = 8
corpus = Corpus.from_texts({f"d{i}": "x" * i for i in range(20)})
queries = Queries.from_texts({"a": "y", "b": "yy", "c": "yyyy", "d": "yyyyy"})
folder = os.path.join(sys.argv[1], "index")
totals = []
for last in (24, 24, 10**6):
    child = os.fork()
    if child == 0:
        scorer = Lengths(last)
        index = CrossEncoderNeighbours.build(corpus, folder, scorer=scorer, queries=queries)
        assert len(index.search(queries, 3)["a"]) == 3
        with open(os.path.join(sys.argv[1], "calls"), "w") as out:
            out.write(str(scorer.calls - index.search(queries).costs[0].calls))
        os._exit(0)
    totals.append(os.waitpid(child, 0)[1])
    print(sorted(os.listdir(sys.argv[1])), totals[-1] != 0)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
def test_a_build_that_is_killed_goes_on(tmp_path: Path) -> None:
    """80 calls in all: twice 24 before the power went, and the rest."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    first, second, third = done.stdout.splitlines()
    for line in (first, second):
        assert "index.scores" in line
        assert line.endswith("True")
    assert third == "['calls', 'index'] False"
    opened = CrossEncoderNeighbours.open
    with pytest.raises(ConfigurationError, match="expected"):
        opened(tmp_path / "index", verify=True)  # its scorer was no registered one
    assert int((tmp_path / "calls").read_text()) == 80 - 48


@pytest.mark.parametrize("given", ["path", "open"])
def test_a_cache_of_ones_own_is_kept(
    given: str,
    corpus: Corpus,
    anchor_queries: Queries,
    make_scorer: MakeScorer,
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "scores.sqlite")
    for calls in (D * M, 0):
        scorer = make_scorer(4)
        cache: Any = path if given == "path" else VectorCache(path)
        CrossEncoderNeighbours.build(
            corpus, tmp_path / "index", scorer=scorer, queries=anchor_queries, cache=cache
        )
        assert scorer.calls == calls


def test_a_file_and_batches_are_read_as_streams(
    anchor_queries: Queries, queries: Queries, make_scorer: MakeScorer, tmp_path: Path
) -> None:
    batch = pa.RecordBatch.from_pydict(
        {"id": ["x", "y"], "title": ["document", "document"], "body": ["1", "2"], "no": ["a", "b"]}
    )
    index = CrossEncoderNeighbours.build(
        iter([batch]),
        tmp_path / "i",
        scorer="MatrixScorer(rank=4)",
        queries=["query 1", "query 2"],
        fields=["title", "body"],
    )
    assert index.documents.texts(np.array([1, 0], np.int32)) == ["document\n2", "document\n1"]
    path = tmp_path / "more.jsonl"
    path.write_text('{"_id": "z", "title": "document", "body": "3", "no": "c"}\n')
    assert set(exact(index.add(path), queries)["q30"]) == {"x", "y", "z"}


def test_an_empty_corpus_finds_nothing(
    anchor_queries: Queries, queries: Queries, make_scorer: MakeScorer, tmp_path: Path
) -> None:
    index = CrossEncoderNeighbours.build(
        Corpus.from_records([]), tmp_path / "i", scorer=make_scorer(), queries=anchor_queries
    )
    assert len(index) == 0
    assert set(map(len, index.search(queries).to_dict().values())) == {0}
    grown = index.add(Corpus.from_texts({"a": "document 3"}))
    assert next(iter(grown.search(queries)["q30"]))[0] == "a"
    assert grown.with_plan(FixedAnchors()).search(queries).costs[0].calls == len(queries)


def test_equal_texts_and_equal_scores(
    anchor_queries: Queries, queries: Queries, make_scorer: MakeScorer, tmp_path: Path
) -> None:
    """Documents that are all alike tie, in the order of runs; equal texts are scored once."""
    scorer = make_scorer()
    corpus = Corpus.from_texts({f"d{i}": "document 1" for i in range(9)})
    index = CrossEncoderNeighbours.build(
        corpus, tmp_path / "i", scorer=scorer, queries=anchor_queries, anchors=2
    )
    assert scorer.calls == M
    for plan in (FixedAnchors(calls=4), AdaptiveRounds(calls=4, rounds=2)):
        found = [d for d, _ in index.with_plan(plan).search(queries)["q30"]]
        assert len(found) == 4
        assert found == sorted(found, reverse=True)
    asked = Queries.from_texts({"1": "query 30", "2": "query 30"})
    run = index.search(asked).to_dict()
    assert run["1"] == run["2"]


def test_wrong_arguments(
    index: CrossEncoderNeighbours,
    corpus: Corpus,
    anchor_queries: Queries,
    make_scorer: MakeScorer,
    tmp_path: Path,
) -> None:
    def build(**options: Any) -> None:
        wanted = {"scorer": make_scorer(), "queries": anchor_queries} | options
        CrossEncoderNeighbours.build(corpus, tmp_path / "wrong", **wanted)

    for options, message in (
        ({"queries": []}, "no anchor queries"),
        ({"anchors": 0}, "anchors=0"),
        ({"plan": 3}, "expected a plan"),
        ({"scorer": 3}, "expected a scorer of pairs"),
        ({"structure": "Impacts()"}, "sparse vectors"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            build(**options)
    with pytest.raises(DataError, match="column 'text that is scored'"):
        build(metadata=["text that is scored"])
    with pytest.raises(DataError, match="no field 'title'"):
        build(fields=["title"])
    with pytest.raises(DataError, match="one string"):
        AnchorScores(make_scorer(), "query 1")
    with pytest.raises(ConfigurationError, match="not of queries"):
        AnchorScores(make_scorer(), ["query 1"]).encode(["x"], "query")
    assert not list(tmp_path.glob("wrong*"))
    with pytest.raises(ConfigurationError, match="k=0"):
        index.search(anchor_queries, 0)
    with pytest.raises(DataError, match="document 'z'"):
        index.delete(["z"])


def test_scores_that_are_no_numbers(
    index: CrossEncoderNeighbours,
    corpus: Corpus,
    queries: Queries,
    anchor_queries: Queries,
    make_scorer: MakeScorer,
    tmp_path: Path,
) -> None:
    index.scorer.broken = True  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="a score of nan from MatrixScorer"):
        index.search(queries)
    with pytest.raises(DataError, match="a score of nan"):
        index.add(Corpus.from_records([{"id": "a", "text": "document 1", "year": 1}]))

    class Short(PairScorer):
        """One score whatever it is asked."""

        identity = "short"

        def score(self, queries: Any, documents: Any) -> Encoded[Any]:
            return Encoded(np.zeros(1, np.float32), np.zeros(1, np.int64), np.zeros(1, bool))

    with pytest.raises(DataError, match=r"scores of shape \(1,\)"):
        CrossEncoderNeighbours.build(
            corpus, tmp_path / "short", scorer=Short(), queries=anchor_queries
        )
    assert not list(tmp_path.glob("short*"))


def test_another_scorer_another_kind_and_damage(
    index: CrossEncoderNeighbours, make_scorer: MakeScorer, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"identity matrix 3 .*the scorer that made it"):
        CrossEncoderNeighbours.open(index.folder, scorer=make_scorer(3))
    Dense.from_vectors(["a"], np.eye(1), tmp_path / "dense")
    with pytest.raises(DataError, match="kind 'dense'; expected 'cross-encoder'"):
        CrossEncoderNeighbours.open(tmp_path / "dense")
    with pytest.raises(DataError, match="kind 'cross-encoder'"):
        Dense.open(index.folder)
    with pytest.raises(DataError, match="no index"):
        CrossEncoderNeighbours.open(tmp_path / "nowhere")
    manifest = index.folder / "manifest.json"
    whole = json.loads(manifest.read_text())
    for change, message in (
        ({"anchors": {}}, "no anchors"),
        ({"anchors": {**whole["facts"]["anchors"], "scores": "???"}}, "no anchors"),
        ({"anchors": {**whole["facts"]["anchors"], "ids": []}}, "0 ids of 8 anchors"),
        ({"scorer": None}, "no scorer"),
    ):
        content = {**whole, "facts": {**whole["facts"], **change}}
        manifest.write_text(json.dumps(sealed(content)))
        with pytest.raises(CorruptFileError, match=message):
            CrossEncoderNeighbours.open(index.folder)
    manifest.write_text(json.dumps(whole))
    vectors = next(index.folder.glob("segment-*/vectors.npy"))
    data = vectors.read_bytes()
    vectors.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CorruptFileError, match="checksum"):
        CrossEncoderNeighbours.open(index.folder, verify=True)
