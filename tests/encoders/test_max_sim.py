"""MaxSim against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.encoders import TokenVectors, max_sim
from plackett.encoders.max_sim import LANES, in_lanes
from plackett.errors import ConfigurationError, DataError


def brute_force(query: np.ndarray, documents: TokenVectors) -> list[float]:
    out = []
    for i in range(len(documents)):
        tokens = documents[i].astype(np.float64)
        out.append(sum(max(float(q @ t) for t in tokens) for q in query) if len(tokens) else 0.0)
    return out


def drawn(lengths: list[int], depth: int, seed: int) -> TokenVectors:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = np.random.default_rng(seed).normal(size=(offsets[-1], depth))
    return TokenVectors(values.astype(np.float32), offsets)


@given(
    lengths=st.lists(st.integers(0, 15), max_size=12),
    m=st.integers(0, 70),
    depth=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_max_sim_is_its_formula(lengths: list[int], m: int, depth: int, seed: int) -> None:
    documents = drawn(lengths, depth, seed)
    query = np.random.default_rng(seed + 1).normal(size=(m, depth)).astype(np.float32)
    found = max_sim(query, documents)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, brute_force(query, documents), rtol=1e-4, atol=1e-4)
    if len(lengths) > 2:
        part = TokenVectors(documents.values, documents.offsets[1:])
        np.testing.assert_array_equal(max_sim(query, part), found[1:])


@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=40),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_a_score_depends_on_its_document_alone(
    lengths: list[int], seed: int, data: st.DataObject
) -> None:
    documents = drawn(lengths, 7, seed)
    query = np.random.default_rng(seed).normal(size=(5, 7)).astype(np.float32)
    whole = max_sim(query, documents)
    rows = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=9))
    np.testing.assert_array_equal(max_sim(query, documents, rows), whole[rows])
    np.testing.assert_array_equal(max_sim(query, documents.take(rows)), whole[rows])


def test_threads_change_nothing() -> None:
    documents = drawn(list(np.random.default_rng(0).integers(0, 30, 500)), 24, 1)
    query = np.random.default_rng(2).normal(size=(40, 24)).astype(np.float32)
    one = max_sim(query, documents)
    for threads in (2, 3, 50):
        np.testing.assert_array_equal(max_sim(query, documents, threads=threads), one)


@given(lengths=st.lists(st.integers(0, 13), max_size=8), seed=st.integers(0, 99))
def test_half_precision_is_decoded_without_error(lengths: list[int], seed: int) -> None:
    documents = drawn(lengths, 19, seed)
    query = np.random.default_rng(seed + 1).normal(size=(3, 19)).astype(np.float32)
    values = documents.values.astype(np.float16)
    values[::5] *= np.float16(1e-6)  # some of them subnormal
    half = TokenVectors(values, documents.offsets)
    single = TokenVectors(values.astype(np.float32), documents.offsets)
    np.testing.assert_array_equal(max_sim(query, half), max_sim(query, single))


def test_all_products_below_zero() -> None:
    documents = TokenVectors(-np.eye(3, dtype=np.float32) - 1, np.array([0, 1, 3]))
    query = np.ones((1, 3), np.float32)
    assert max_sim(query, documents).tolist() == [-4.0, -4.0]


def test_the_card_of_the_paper() -> None:
    query = np.array([[1, 0], [0.6, 0.8]], np.float32)
    documents = TokenVectors(np.array([[0.8, 0.6], [0, 1]], np.float32), np.array([0, 2]))
    np.testing.assert_allclose(max_sim(query, documents), [1.76], rtol=1e-6)


def test_a_text_beside_itself_scores_its_number_of_tokens() -> None:
    values = np.eye(5, dtype=np.float32)
    documents = TokenVectors(values, np.array([0, 5]))
    assert max_sim(values, documents).tolist() == [5.0]


def test_values_of_any_layout() -> None:
    documents = drawn([3, 0, 4], 6, 0)
    query = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)
    wanted = max_sim(query, documents)
    columns = TokenVectors(np.asfortranarray(documents.values), documents.offsets)
    double = TokenVectors(documents.values.astype(np.float64), documents.offsets)  # type: ignore[arg-type]
    locked = documents.values.copy()
    locked.flags.writeable = False
    frozen = TokenVectors(locked, documents.offsets)
    for other in (columns, double, frozen):
        np.testing.assert_array_equal(max_sim(query, other), wanted)
    nothing = TokenVectors(np.zeros((2, 0), np.float32), np.array([0, 2]))
    assert max_sim(np.zeros((1, 0), np.float32), nothing).tolist() == [0.0]


def test_lanes_hold_vectors_side_by_side() -> None:
    vectors = np.arange(2 * 33, dtype=np.float32).reshape(33, 2)
    lanes = in_lanes(vectors)
    assert lanes.shape == (2, 2, LANES)
    np.testing.assert_array_equal(lanes[0], vectors[:32].T)
    np.testing.assert_array_equal(lanes[1, :, 0], vectors[32])
    assert not lanes[1, :, 1:].any()
    assert in_lanes(vectors[:0]).shape == (0, 2, LANES)


def test_what_does_not_fit_is_told() -> None:
    documents = TokenVectors(np.eye(5, dtype=np.float32), np.array([0, 5]))
    query = np.eye(5, dtype=np.float32)
    with pytest.raises(DataError, match="expected both of one model"):
        max_sim(np.eye(4, dtype=np.float32), documents)
    for rows in ([1], [-1], [0, 7]):
        with pytest.raises(DataError, match="rows from"):
            max_sim(query, documents, rows)
    with pytest.raises(ConfigurationError, match="threads=0"):
        max_sim(query, documents, threads=0)


def test_token_vectors_by_text() -> None:
    values = np.arange(10, dtype=np.float32).reshape(5, 2)
    tokens = TokenVectors(values, np.array([0, 2, 2, 5]))
    assert [len(tokens[i]) for i in range(3)] == [2, 0, 3]
    assert np.array_equal(tokens[-1], values[2:])
    taken = tokens.take([2, 0, 2])
    assert np.array_equal(taken.values, np.concatenate([values[2:], values[:2], values[2:]]))
    assert taken.offsets.tolist() == [0, 3, 5, 8]
    with pytest.raises(IndexError):
        tokens[3]
