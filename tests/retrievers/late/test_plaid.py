"""Search by centroids and residuals, compared with exact search and stage by stage with numpy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plackett.encoders.base import TokenVectors
from plackett.encoders.max_sim import LANES, in_lanes
from plackett.errors import ConfigurationError, CorruptFileError
from plackett.retrievers.late import PLAID, ExactMaxSim, LateInteraction
from plackett.retrievers.late.plaid import Depths
from plackett.retrievers.late.plaid_kernels import (
    centroid_scores,
    mark_listed,
    nearest_lists,
    scores_by_centroids,
    scores_by_residuals,
)
from plackett.retrievers.segments.structure import parse_structure

Opened = Callable[[Any, Any], Any]
Recall = Callable[..., float]
FEW: dict[str, Any] = {"centroids": 256, "oversampling": 1}
WIDE: dict[str, Any] = {**FEW, "probes": 8, "threshold": -1.0, "candidates": 1_024}


def test_recall_rises_with_the_candidates(drawn: Any, opened: Opened, recall: Recall) -> None:
    recalls = [
        recall(opened(PLAID(**FEW, probes=8, threshold=-1.0, candidates=n), drawn.documents), drawn)
        for n in (40, 80, 160, 320, 6_000)
    ]
    assert recalls == sorted(recalls)
    assert recalls[0] > 0.35
    assert recalls[3] > 0.85
    assert recalls[4] == 1.0


def test_recall_rises_with_the_bits(drawn: Any, opened: Opened, recall: Recall) -> None:
    recalls = [
        recall(opened(PLAID(**WIDE, bits=bits), drawn.documents), drawn) for bits in (1, 2, 4, 8)
    ]
    assert recalls == sorted(recalls)
    assert recalls[0] > 0.75
    assert recalls[3] > 0.97


def test_recall_rises_with_the_centroids(drawn: Any, opened: Opened, recall: Recall) -> None:
    recalls = [
        recall(opened(PLAID(centroids, probes=8), drawn.documents), drawn)
        for centroids in (64, 256, 1_024)
    ]
    assert recalls == sorted(recalls)
    assert recalls[2] > 0.98


def test_recall_by_the_probes(drawn: Any, opened: Opened, recall: Recall) -> None:
    # More candidates may push a good one out of the rough stages, but not often.
    knobs = {**WIDE, "bits": 8, "candidates": 4_000}
    recalls = [
        recall(opened(PLAID(**{**knobs, "probes": n}), drawn.documents), drawn)
        for n in (1, 8, 100, 256)
    ]
    assert min(recalls) > 0.95
    assert recalls[-1] > 0.98


def test_recall_rises_with_what_is_rescored(drawn: Any, opened: Opened, recall: Recall) -> None:
    recalls = [
        recall(opened(PLAID(**{**WIDE, "bits": 1, "oversampling": n}), drawn.documents), drawn)
        for n in (1, 2, 4)
    ]
    assert recalls == sorted(recalls)
    assert recalls[-1] > 0.97


def test_a_threshold_that_drops_all_leaves_lists_whole(
    drawn: Any, opened: Opened, recall: Recall
) -> None:
    searcher = opened(PLAID(**FEW, threshold=2.0), drawn.documents)
    found = searcher.search(drawn.queries, 10, allowed=None, threads=1)
    assert np.diff(found.offsets).tolist() == [10] * len(drawn.queries)
    loose = recall(opened(PLAID(**FEW, threshold=0.3), drawn.documents), drawn)
    assert loose > recall(searcher, drawn)


@pytest.mark.parametrize("k", [1, 10, 60, 2_000])
def test_scores_are_exact_and_lists_are_whole(k: int, drawn: Any, opened: Opened) -> None:
    exact = opened(ExactMaxSim(), drawn.documents).search(
        drawn.queries, 1_500, allowed=None, threads=1
    )
    score = np.empty((len(drawn.queries), 1_500), np.float32)
    for i in range(len(drawn.queries)):
        part = slice(exact.offsets[i], exact.offsets[i + 1])
        score[i, exact.documents[part]] = exact.scores[part]
    searcher = opened(PLAID(**FEW), drawn.documents)
    allowed = np.random.default_rng(2).random(1_500) < 0.5
    for mask in (None, allowed):
        found = searcher.search(drawn.queries, k, allowed=mask, threads=1)
        count = min(k, 1_500 if mask is None else int(mask.sum()))
        assert np.diff(found.offsets).tolist() == [count] * len(drawn.queries)
        for i in range(len(drawn.queries)):
            part = slice(found.offsets[i], found.offsets[i + 1])
            rows, scores = found.documents[part], found.scores[part]
            np.testing.assert_array_equal(scores, score[i, rows])
            assert len(set(rows.tolist())) == count
            assert np.lexsort((rows, -scores)).tolist() == list(range(count))
            assert mask is None or mask[rows].all()


def test_a_narrow_filter_and_a_deep_list_are_exact(drawn: Any, opened: Opened) -> None:
    exact, searcher = (
        opened(structure, drawn.documents) for structure in (ExactMaxSim(), PLAID(**FEW))
    )
    narrow = np.random.default_rng(3).permutation(1_500) < 64
    for k, allowed in ((10, narrow), (1_500, None)):
        wanted = exact.search(drawn.queries, k, allowed=allowed, threads=1)
        found = searcher.search(drawn.queries, k, allowed=allowed, threads=1)
        np.testing.assert_array_equal(found.documents, wanted.documents)
        np.testing.assert_array_equal(found.scores, wanted.scores)


def test_threads_change_nothing(drawn: Any, opened: Opened) -> None:
    searcher = opened(PLAID(**FEW), drawn.documents)
    one = searcher.search(drawn.queries, 10, allowed=None, threads=1)
    for threads in (2, 3, 100):
        several = searcher.search(drawn.queries, 10, allowed=None, threads=threads)
        np.testing.assert_array_equal(several.documents, one.documents)
        np.testing.assert_array_equal(several.scores, one.scores)
    alone = searcher.search(drawn.queries.take([7]), 10, allowed=None, threads=1)
    np.testing.assert_array_equal(alone.documents, one.documents[70:80])
    np.testing.assert_array_equal(alone.scores, one.scores[70:80])


def test_probes_are_added_until_enough_is_found(opened: Opened) -> None:
    rng = np.random.default_rng(0)
    values = np.eye(200, dtype=np.float32)[rng.permutation(200)]
    documents = TokenVectors(values, np.arange(201))  # each token is its own centroid
    searcher = opened(PLAID(200, probes=1, candidates=4, oversampling=1), documents)
    query = TokenVectors(np.eye(200, dtype=np.float32)[:1], np.array([0, 1]))
    for k in (1, 3, 30, 100):
        found = searcher.search(query, k, allowed=None, threads=1)
        assert len(set(found.documents.tolist())) == k
        assert found.scores[0] == 1.0


def test_documents_without_tokens_come_before_those_below_zero(opened: Opened) -> None:
    rng = np.random.default_rng(0)
    values = -np.abs(rng.standard_normal((400, 6))).astype(np.float32)
    values[:7] *= -1  # the first seven documents are above
    offsets = np.concatenate([[0], np.cumsum(np.repeat([1, 0], [400, 5]))])
    documents = TokenVectors(values, offsets)
    structure = PLAID(40, candidates=40, oversampling=1)
    query = TokenVectors(np.ones((1, 6), np.float32), np.array([0, 1]))
    found = opened(structure, documents).search(query, 12, allowed=None, threads=1)
    assert sorted(found.documents[:7].tolist()) == list(range(7))
    assert found.documents[7:].tolist() == list(range(400, 405))


def test_zero_vectors_duplicates_and_queries_without_tokens(opened: Opened) -> None:
    values = np.zeros((300, 4), np.float32)
    values[100:] = 0.5
    documents = TokenVectors(values, np.arange(0, 301, 2))
    queries = TokenVectors(np.ones((1, 4), np.float32), np.array([0, 1, 1]))
    structure = PLAID(16, candidates=20, oversampling=1)
    found = opened(structure, documents).search(queries, 5, allowed=None, threads=1)
    assert found.documents.tolist() == [50, 51, 52, 53, 54, 0, 1, 2, 3, 4]
    assert found.scores.tolist() == [2.0] * 5 + [0.0] * 5
    nothing = TokenVectors(np.zeros((0, 4), np.float32), np.zeros(301, np.int64))
    empty = opened(structure, nothing).search(queries, 3, allowed=None, threads=1)
    assert empty.documents.tolist() == [0, 1, 2] * 2


def test_vectors_of_other_lengths(drawn: Any, opened: Opened) -> None:
    rng = np.random.default_rng(4)
    scale = rng.uniform(0.5, 4, (len(drawn.documents.values), 1)).astype(np.float32)
    documents = TokenVectors(drawn.documents.values * scale, drawn.documents.offsets)
    exact = opened(ExactMaxSim(), documents).search(drawn.queries, 10, allowed=None, threads=1)
    searcher = opened(PLAID(256, bits=4, probes=16, candidates=2_000), documents)
    found = searcher.search(drawn.queries, 10, allowed=None, threads=1)
    pairs = zip(
        found.documents.reshape(-1, 10).tolist(),
        exact.documents.reshape(-1, 10).tolist(),
        strict=True,
    )
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in pairs]) > 0.95


def test_the_stages_are_their_formulas(drawn: Any, tmp_path: Path) -> None:
    documents, query = drawn.documents, np.asarray(drawn.queries[3])
    rows = np.flatnonzero(np.diff(documents.offsets))[:200]
    m, c, bits = len(query), 90, 2
    facts = PLAID(centroids=c).build(documents, tmp_path, progress=None)
    assert facts["unit"]
    files = {path.stem: np.load(path) for path in tmp_path.iterdir()}
    centroids, weights = files["plaid_centroids"].reshape(c, 24), files["plaid_weights"]
    codes, packed = files["plaid_codes"], files["plaid_residuals"].reshape(-1, 6)
    products = centroids @ query.T  # [c, m]
    columns = in_lanes(query)
    scores = np.empty((c, len(columns), LANES), np.float32)
    centroid_scores(centroids, columns, scores)
    np.testing.assert_allclose(scores.reshape(c, -1)[:, :m], products, atol=1e-5)
    chosen = np.empty((m, 5), np.int32)
    nearest_lists(scores, m, chosen)
    best = np.argsort(-scores.reshape(c, -1)[:, :m], axis=0, kind="stable")[:5].T
    np.testing.assert_array_equal(chosen, best)
    marks, seen = np.zeros(1_500, np.bool_), np.zeros(c, np.bool_)
    mark_listed(files["plaid_starts"], files["plaid_listed"], chosen, seen, marks)
    for d in range(1_500):
        mine = codes[documents.offsets[d] : documents.offsets[d + 1]]
        assert marks[d] == bool(np.isin(mine, chosen).any())
    greatest = scores.reshape(c, -1)[:, :m].max(axis=1)
    parts = [packed >> (bits * part) & 3 for part in range(4)]
    vectors = centroids[codes] + weights[np.concatenate(parts, axis=1)]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rough, pruned, fine = (np.empty(200, np.float32) for _ in range(3))
    common = (codes, documents.offsets, rows)
    low = np.float32(-np.inf)
    scores_by_centroids(*common, scores, greatest, low, low, m, rough)
    scores_by_centroids(*common, scores, greatest, np.float32(0.5), np.float32(0), m, pruned)
    scores_by_residuals(*common, centroids, packed, weights, bits, True, columns, m, fine)
    for i, row in enumerate(rows):
        part = slice(documents.offsets[row], documents.offsets[row + 1])
        mine = products[codes[part]]
        assert rough[i] == pytest.approx(mine.max(axis=0).sum(), abs=1e-4)
        left = mine[greatest[codes[part]] >= 0.5]
        wanted = np.maximum(left.max(axis=0, initial=0), 0).sum()
        assert pruned[i] == pytest.approx(wanted, abs=1e-4)
        finer = (vectors[part] @ query.T).max(axis=0).sum()
        assert fine[i] == pytest.approx(finer, abs=1e-4)


def test_how_deep_a_search_goes() -> None:
    # The defaults of the paper, by k.
    assert PLAID().depths(10) == Depths(1, 0.5, 256, 64, 20)
    assert PLAID().depths(100) == Depths(2, 0.45, 1_024, 256, 200)
    assert PLAID().depths(1_000) == Depths(4, 0.4, 4_096, 2_000, 2_000)
    assert PLAID().depths(5_000) == Depths(4, 0.4, 20_000, 10_000, 10_000)
    assert PLAID().depths(10, unit=False).threshold is None
    assert PLAID(threshold=0.2).depths(10, unit=False).threshold == 0.2
    assert PLAID(probes=9, candidates=8, oversampling=1).depths(5) == Depths(9, 0.5, 8, 5, 5)


def test_an_index_may_be_searched_otherwise(drawn: Any, tmp_path: Path) -> None:
    ids = [f"d{i}" for i in range(1_500)]
    built = PLAID(128)
    index = LateInteraction.from_vectors(ids, drawn.documents, tmp_path / "i", structure=built)
    exact = index.with_structure(ExactMaxSim())
    wanted = exact.search_vectors(drawn.queries, 10)
    all_of_them = index.with_structure(PLAID(probes=128, candidates=6_000))
    np.testing.assert_array_equal(
        all_of_them.search_vectors(drawn.queries, 10).scores, wanted.scores
    )
    grown = exact.add_vectors(["new", "d3"], drawn.documents.take([8, 9])).delete(["d5"])
    merged = grown.merge(batch_rows=400)
    assert LateInteraction.open(tmp_path / "i", verify=True).structure == built
    again = merged.with_structure(built).search_vectors(drawn.queries, 10)
    best = merged.search_vectors(drawn.queries, 10)
    hits = np.isin(again.documents, best.documents).mean()
    assert hits > 0.9
    with pytest.raises(CorruptFileError, match="residuals of 2 bits; expected 4"):
        merged.with_structure(PLAID(bits=4))
    plain = LateInteraction.from_vectors(ids, drawn.documents, tmp_path / "plain")
    with pytest.raises(CorruptFileError, match="residuals of no bits"):
        plain.with_structure(PLAID())


def test_more_centroids_than_two_bytes_count() -> None:
    from plackett.retrievers.late.plaid_build import code_type

    assert code_type(1 << 16) == np.uint16
    assert code_type((1 << 16) + 1) == np.int32


def test_what_does_not_fit_is_told() -> None:
    for structure in (PLAID(), PLAID(64, bits=4, threshold=-1.0, probes=3), PLAID(seed=9)):
        assert parse_structure(repr(structure)) == structure
    for options in (
        {"bits": 3},
        {"centroids": 0},
        {"probes": 0},
        {"candidates": 0},
        {"oversampling": 0},
        {"build_threads": 0},
        {"iterations": -1},
        {"seed": -1},
    ):
        with pytest.raises(ConfigurationError, match=next(iter(options))):
            PLAID(**options)  # type: ignore[arg-type]


KILLED = """
import json, os, signal, sys
import numpy as np
from plackett.encoders.base import TokenVectors
from plackett.retrievers.late import LateInteraction

fsync, replace = os.fsync, os.replace

def counted(function, calls, last):
    def inner(*args, **kwargs):
        calls.append(1)
        if len(calls) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return inner

def tokens(n):
    return TokenVectors(np.eye(8, dtype=np.float32)[:n], np.arange(n + 1))

for number in range(1, 200):
    folder = os.path.join(sys.argv[1], str(number))
    index = LateInteraction.from_vectors(["a", "b"], tokens(2), folder, structure="PLAID()")
    child = os.fork()
    if child == 0:
        calls = []
        os.fsync, os.replace = counted(fsync, calls, number), counted(replace, calls, number)
        index.add_vectors(["b", "c"], tokens(2)).merge()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    held = LateInteraction.open(folder, verify=True)
    found = held.search_vectors(tokens(1), 5)
    print(json.dumps({"held": sorted(held.document_ids), "found": len(found.documents)}))
    if status == 0:
        break
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
def test_a_kill_at_every_write_leaves_one_of_the_states(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) > 20
    assert {tuple(row["held"]) for row in rows} == {("a", "b"), ("a", "b", "c")}
    assert all(row["found"] == len(row["held"]) for row in rows)
