"""What every index in segments keeps to, whatever its vectors and its structure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from scipy import sparse

from plackett.encoders.base import TokenVectors
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.retrievers.dense import (
    HNSW,
    BinaryCodes,
    Cut,
    Dense,
    ProductQuantised,
    RoutingTree,
    ScalarQuantised,
)
from plackett.retrievers.late import PLAID, HalfMaxSim, LateInteraction
from plackett.retrievers.segments.base import SegmentedRetriever
from plackett.retrievers.segments.store import verify_index
from plackett.retrievers.sparse import Seismic, Sparse

D = 8


def dense(n: int, seed: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((n, D)).astype(np.float32)


def weights(n: int, seed: int) -> Any:
    drawn = np.random.default_rng(seed).random((n, D), dtype=np.float32)
    return sparse.csr_matrix(np.where(drawn > 0.6, drawn, 0))


def tokens(n: int, seed: int) -> TokenVectors:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(0, 5, n)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return TokenVectors(generator.standard_normal((offsets[-1], D)).astype(np.float32), offsets)


def dense_scores(queries: Any, documents: Any) -> npt.NDArray[np.float64]:
    return np.asarray(queries, np.float64) @ np.asarray(documents, np.float64).T


def sparse_scores(queries: Any, documents: Any) -> npt.NDArray[np.float64]:
    return dense_scores(queries.toarray(), documents.toarray())


def token_scores(queries: TokenVectors, documents: TokenVectors) -> npt.NDArray[np.float64]:
    scores = np.zeros((len(queries), len(documents)))
    for q in range(len(queries)):
        for d in range(len(documents)):
            if len(documents[d]):
                scores[q, d] = dense_scores(queries[q], documents[d]).max(axis=1).sum()
    return scores


class WholeSeismic(Sparse):
    """The approximate structure with nothing left out."""

    @classmethod
    def default_structure(cls) -> Any:
        return Seismic(postings=10**6, energy=1.0, summary_cut=10**6, query_cut=D, heap_factor=1.0)


class Graph(Dense):
    """A graph, whose walks are longer than these indexes."""

    @classmethod
    def default_structure(cls) -> Any:
        return HNSW(links=4)


class Small(Dense):
    """Short numbers, with so many candidates that none is missed."""

    @classmethod
    def default_structure(cls) -> Any:
        return ScalarQuantised("int8", oversampling=30)


class Short(Dense):
    """Short vectors, with so many candidates that none is missed."""

    @classmethod
    def default_structure(cls) -> Any:
        return Cut(3, "float16", oversampling=30)


class Signs(Dense):
    """Binary codes, with so many candidates that none is missed."""

    @classmethod
    def default_structure(cls) -> Any:
        return BinaryCodes(candidates=10, oversampling=30)


class Parts(Dense):
    """Product quantisation, with so many candidates that none is missed."""

    @classmethod
    def default_structure(cls) -> Any:
        return ProductQuantised(3, oversampling=30, rounds=1)


class Leaves(Dense):
    """A routing tree, all of whose leaves are looked at."""

    @classmethod
    def default_structure(cls) -> Any:
        return RoutingTree(depth=3, width=8, copies=2, steps=1)


class Centroids(LateInteraction):
    """Centroids and residuals, with so many candidates that none is missed."""

    @classmethod
    def default_structure(cls) -> Any:
        return PLAID(oversampling=30)


class Halves(LateInteraction):
    """Short numbers, with so many candidates that none is missed."""

    @classmethod
    def default_structure(cls) -> Any:
        return HalfMaxSim(oversampling=30)


class Case(NamedTuple):
    """A retriever, vectors for it, and the scores by definition."""

    retriever: type[SegmentedRetriever[Any]]
    make: Callable[[int, int], Any]
    scores: Callable[[Any, Any], npt.NDArray[np.float64]]
    positive: bool = False


CASES = {
    "dense": Case(Dense, dense, dense_scores),
    "graph": Case(Graph, dense, dense_scores),
    "small numbers": Case(Small, dense, dense_scores),
    "short vectors": Case(Short, dense, dense_scores),
    "binary codes": Case(Signs, dense, dense_scores),
    "product quantisation": Case(Parts, dense, dense_scores),
    "routing tree": Case(Leaves, dense, dense_scores),
    "sparse": Case(Sparse, weights, sparse_scores, positive=True),
    "seismic": Case(WholeSeismic, weights, sparse_scores, positive=True),
    "multivector": Case(LateInteraction, tokens, token_scores),
    "centroids": Case(Centroids, tokens, token_scores),
    "halves": Case(Halves, tokens, token_scores),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def names(n: int, start: int = 0) -> list[str]:
    return [f"d{i}" for i in range(start, start + n)]


def expected(
    case: Case, queries: Any, known: dict[str, tuple[Any, int]], k: int
) -> list[dict[str, float]]:
    """The best k by definition; `known` maps an id to vectors and a row."""
    wanted = []
    for q in range(case.retriever.vectors.count(queries)):
        query = case.retriever.vectors.take(queries, np.array([q]))
        scored = {}
        for name, (vectors, row) in known.items():
            one = case.retriever.vectors.take(vectors, np.array([row]))
            score = float(case.scores(query, one)[0, 0])
            if score > 0 or not case.positive:
                scored[name] = score
        best = sorted(scored.items(), key=lambda item: -item[1])[:k]
        wanted.append(dict(best))
    return wanted


def found(
    index: SegmentedRetriever[Any], queries: Any, k: int, **options: Any
) -> list[dict[str, float]]:
    ranking = index.search_vectors(queries, k, **options)
    results = []
    for q in range(len(ranking.offsets) - 1):
        part = slice(ranking.offsets[q], ranking.offsets[q + 1])
        strings = index.document_ids.strings(ranking.documents[part]).to_pylist()
        scores = ranking.scores[part].tolist()
        assert scores == sorted(scores, reverse=True)
        assert len(set(strings)) == len(strings)
        results.append(dict(zip(strings, scores, strict=True)))
    return results


def check(index: SegmentedRetriever[Any], case: Case, known: dict[str, tuple[Any, int]]) -> None:
    queries = case.make(5, 99)
    for k in (1, 4, 100):
        for got, wanted in zip(
            found(index, queries, k), expected(case, queries, known, k), strict=True
        ):
            assert list(got) == list(wanted)
            np.testing.assert_allclose(
                list(got.values()), list(wanted.values()), rtol=1e-4, atol=1e-5
            )
    assert len(index) == len(known)


def test_it_finds_what_the_definition_says(case: Case, tmp_path: Path) -> None:
    vectors = case.make(30, 1)
    index = case.retriever.from_vectors(names(30), vectors, tmp_path / "index")
    known = {name: (vectors, row) for row, name in enumerate(names(30))}
    check(index, case, known)
    check(case.retriever.open(tmp_path / "index", verify=True), case, known)


def test_add_replace_delete_and_merge(case: Case, tmp_path: Path) -> None:
    first, second = case.make(20, 1), case.make(10, 2)
    index = case.retriever.from_vectors(names(20), first, tmp_path / "index")
    before = index
    index = index.add_vectors(names(10, start=15), second)  # d15 to d19 are replaced
    known = {name: (first, row) for row, name in enumerate(names(15))}
    known |= {name: (second, row) for row, name in enumerate(names(10, start=15))}
    check(index, case, known)
    index = index.delete(["d0", "d24"])
    del known["d0"], known["d24"]
    check(index, case, known)
    check(case.retriever.open(tmp_path / "index", verify=True), case, known)
    assert len(index.segments) == 2
    index = index.merge(batch_rows=7)
    assert len(index.segments) == 1
    check(index, case, known)
    verify_index(tmp_path / "index")
    assert len(before) == 20  # the one opened before goes on as before
    everything = index.delete(list(known))
    assert found(everything, case.make(2, 3), 5) == [{}, {}]
    assert len(everything.merge()) == 0


def test_a_filter_allows_what_agrees(case: Case, tmp_path: Path) -> None:
    vectors = case.make(30, 1)
    columns = pa.table(
        {"year": [1990 + i if i else None for i in range(30)], "kind": ["a", "b", "c"] * 10}
    )
    index = case.retriever.from_vectors(names(30), vectors, tmp_path / "i", metadata=columns)
    queries = case.make(4, 5)
    for where, rows in (
        ({"kind": "a"}, range(0, 30, 3)),
        ({"kind": ["a", "b"], "year": (2000, 2009)}, [i for i in range(10, 20) if i % 3 < 2]),
        ({"year": (None, 1993)}, [1, 2, 3]),
        ({"kind": "z"}, []),
    ):
        known = {f"d{i}": (vectors, i) for i in rows}
        got = found(index, queries, 6, where=where)
        assert [list(g) for g in got] == [list(w) for w in expected(case, queries, known, 6)]
    with pytest.raises(DataError, match="filter on 'colour'"):
        index.search_vectors(queries, 3, where={"colour": "red"})
    with pytest.raises(DataError, match="values of the columns' types"):
        index.search_vectors(queries, 3, where={"year": (["x"], None)})
    assert found(index.delete(["d0"]), queries, 30, where={"kind": "a"})[0].keys() <= {
        f"d{i}" for i in range(3, 30, 3)
    }


def test_hostile_vectors(case: Case, tmp_path: Path) -> None:
    vectors = case.make(3, 1)
    kind = case.retriever
    with pytest.raises(DataError, match="twice"):
        kind.from_vectors(["a", "a", "b"], vectors, tmp_path / "twice")
    assert not (tmp_path / "twice").exists()
    with pytest.raises(DataError, match="3 vectors; expected one of each of 2 ids"):
        kind.from_vectors(["a", "b"], vectors, tmp_path / "few")
    broken = case.make(3, 1)
    inside = broken.values if isinstance(broken, TokenVectors) else getattr(broken, "data", None)
    target = inside if isinstance(inside, np.ndarray) else broken
    target[0] = np.nan
    with pytest.raises(DataError, match="not finite"):
        kind.from_vectors(["a", "b", "c"], broken, tmp_path / "nan")
    index = kind.from_vectors(["a", "b", "c"], vectors, tmp_path / "index")
    wide: Any = np.ones((1, D + 1), np.float32)
    if issubclass(kind, LateInteraction):
        wide = TokenVectors(wide, np.array([0, 1]))
    with pytest.raises(DataError, match="shape"):
        index.search_vectors(wide, 2)
    with pytest.raises(DataError, match="document 'z'"):
        index.delete(["z"])
    with pytest.raises(ConfigurationError, match="no encoder"):
        index.add([])
    with pytest.raises(ConfigurationError, match="k=0"):
        index.search_vectors(vectors, 0)


def test_damage_is_told(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    index = case.retriever.from_vectors(names(9), case.make(9, 1), folder)
    for file in sorted((folder / index.manifest.segments[0].name).iterdir()):
        whole = file.read_bytes()
        file.write_bytes(whole[:-1])
        with pytest.raises(CorruptFileError, match="bytes"):
            case.retriever.open(folder)
        file.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        with pytest.raises(CorruptFileError):
            case.retriever.open(folder, verify=True)
        file.unlink()
        with pytest.raises(CorruptFileError, match="nothing"):
            case.retriever.open(folder)
        file.write_bytes(whole)
    manifest = folder / "manifest.json"
    content = json.loads(manifest.read_text())
    for changes, message in (
        ({"version": 9}, "version 9"),
        ({"format": "x"}, "something else"),
        ({"segments": [{**content["segments"][0], "name": "../x"}]}, "segment name"),
        ({"segments": None}, "lacks a part"),
    ):
        manifest.write_text(json.dumps({**content, **changes}))
        with pytest.raises(CorruptFileError, match=message):
            case.retriever.open(folder)
    manifest.write_text(json.dumps(content))
    case.retriever.open(folder, verify=True)
    other = Sparse if issubclass(case.retriever, Dense) else Dense
    with pytest.raises(DataError, match="index of kind"):
        other.open(folder)


def test_two_writers_do_not_meet(case: Case, tmp_path: Path) -> None:
    index = case.retriever.from_vectors(names(4), case.make(4, 1), tmp_path / "index")
    index.delete(["d0"])
    with pytest.raises(DataError, match="changed since it was opened"):
        index.delete(["d1"])


KILLED = """
import json, os, signal, sys
import numpy as np
from plackett.retrievers.dense import (
    HNSW,
    BinaryCodes,
    Cut,
    Dense,
    ProductQuantised,
    RoutingTree,
    ScalarQuantised,
)

fsync, replace = os.fsync, os.replace

def counted(function, calls, last):
    def inner(*args, **kwargs):
        calls.append(1)
        if len(calls) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return inner

vectors = np.eye(8, dtype=np.float32)
for number in range(1, 100):
    folder = os.path.join(sys.argv[1], str(number))
    ids = [f"d{i}" for i in range(4)]
    index = Dense.from_vectors(ids, vectors[:4], folder, structure=sys.argv[2])
    child = os.fork()
    if child == 0:
        calls = []
        os.fsync, os.replace = counted(fsync, calls, number), counted(replace, calls, number)
        index.add_vectors(["x", "d1"], vectors[:2]).delete(["d2"]).merge()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    index = Dense.open(folder, verify=True)
    held = sorted(index.document_ids)
    merged = index.merge()
    left = sorted(set(os.listdir(folder)) - {merged.manifest.segments[0].name})
    print(json.dumps({"whole": status == 0, "held": held, "left": left}))
    if status == 0:
        break
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
@pytest.mark.parametrize(
    "structure",
    ["Exact()", "HNSW()", "BinaryCodes()", "ProductQuantised(4, rounds=1)", "RoutingTree()"],
)
def test_a_kill_at_every_write_leaves_one_of_the_states(structure: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), structure],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) > 10
    assert rows[-1]["whole"]
    states = {tuple(row["held"]) for row in rows}
    assert states == {
        ("d0", "d1", "d2", "d3"),
        ("d0", "d1", "d2", "d3", "x"),
        ("d0", "d1", "d3", "x"),
    }
    # What a killed change left is swept away by the next one.
    assert {tuple(row["left"]) for row in rows} == {(".lock", "manifest.json")}


def test_readers_filter_after_a_merge_has_removed_their_files(tmp_path: Path) -> None:
    years = pa.table({"year": [1990, 2000, 2010, 2020]})
    before = Dense.from_vectors(names(4), np.eye(4), tmp_path / "index", metadata=years)
    before.delete(["d0"]).merge()
    found = before.search_vectors(np.ones((1, 4)), 4, where={"year": (None, 2000)})
    assert [before.document_ids[int(code)] for code in found.documents] == ["d0", "d1"]
