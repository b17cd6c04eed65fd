"""MaxSim against brute force."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.encoders import TokenVectors, max_sim
from plackett.errors import DataError


def brute_force(query: np.ndarray, documents: TokenVectors) -> list[float]:
    out = []
    for i in range(len(documents)):
        tokens = documents[i]
        out.append(sum(max(float(q @ t) for t in tokens) for q in query) if len(tokens) else 0.0)
    return out


@given(
    lengths=st.lists(st.integers(0, 7), max_size=12),
    m=st.integers(1, 5),
    seed=st.integers(0, 99),
    rows=st.integers(1, 40),
)
def test_max_sim_is_its_formula(lengths: list[int], m: int, seed: int, rows: int) -> None:
    draws = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    documents = TokenVectors(draws.normal(size=(offsets[-1], 4)).astype(np.float32), offsets)
    query = draws.normal(size=(m, 4)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["plackett.encoders.max_sim"], "_ROWS", rows)
        found = max_sim(query, documents)
    np.testing.assert_allclose(found, brute_force(query, documents), atol=1e-4)
    if len(lengths) > 2:
        part = TokenVectors(documents.values, offsets[1:])
        np.testing.assert_allclose(max_sim(query, part), found[1:], atol=1e-5)


def test_a_text_beside_itself_scores_its_number_of_tokens() -> None:
    values = np.eye(5, dtype=np.float32)
    documents = TokenVectors(values, np.array([0, 5]))
    assert max_sim(values, documents).tolist() == [5.0]


def test_vectors_of_two_models_do_not_meet() -> None:
    documents = TokenVectors(np.eye(5, dtype=np.float32), np.array([0, 5]))
    with pytest.raises(DataError, match="expected both of one model"):
        max_sim(np.eye(4, dtype=np.float32), documents)


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
