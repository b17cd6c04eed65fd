"""The decomposition: exact where the rank allows it, bounded where it does not."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, DataError
from plackett.retrievers.cross_encoder.mixture import mixture

Floats = npt.NDArray[np.float64]


def low_rank(rank: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((40, rank)) @ rng.standard_normal((rank, 120))


def guess(scores: Floats, anchors: object, ridge: float = 0.0) -> Floats:
    """What the first 30 rows say of the others, from some columns."""
    known = scores[:30]
    found = mixture(known[:, anchors], scores[30:, anchors], ridge)  # type: ignore[index]
    return found.weights @ known + found.offset[:, None]


def test_the_numbers_of_the_card() -> None:
    """Rank 4 and 8 anchors: an error near 1e-14. Three anchors: their own columns are exact."""
    scores = low_rank(4, 0)
    assert np.abs(guess(scores, slice(8)) - scores[30:]).max() < 1e-12
    few = guess(scores, slice(3))
    assert np.abs(few[:, :3] - scores[30:, :3]).max() < 1e-12
    assert np.abs(few[:, 3:] - scores[30:, 3:]).max() > 0.5


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 10_000))
def test_one_more_anchor_than_ranks_makes_it_exact(rank: int, more: int, seed: int) -> None:
    scores = low_rank(rank, seed)
    anchors = np.random.default_rng(seed).choice(120, rank + more, replace=False)
    centred = scores[:30, anchors] - scores[:30, anchors].mean(axis=1, keepdims=True)
    small = np.linalg.svd(centred, compute_uv=False)[rank - 1]
    bound = 1e-10 * np.abs(scores).max() ** 2 / small  # what rounding can become
    assert np.abs(guess(scores, anchors) - scores[30:]).max() < bound


@given(st.integers(1, 12), st.integers(1, 12), st.floats(1e-4, 10), st.integers(0, 1000))
def test_it_is_the_ridge_regression(m: int, a: int, ridge: float, seed: int) -> None:
    """By the normal equations with an intercept that costs nothing."""
    rng = np.random.default_rng(seed)
    block, scores = rng.standard_normal((m, a)), rng.standard_normal((3, a))
    found = mixture(block, scores, ridge)
    centred = block - block.mean(axis=1, keepdims=True)
    cost = ridge * np.linalg.norm(centred, 2) ** 2
    design = np.vstack([block, np.ones(a)])
    penalty = np.diag([cost] * m + [0.0])
    wanted = np.linalg.lstsq(design @ design.T + penalty, design @ scores.T, rcond=None)[0].T
    if a > 1:
        np.testing.assert_allclose(found.weights, wanted[:, :-1], atol=1e-8, rtol=1e-6)
        np.testing.assert_allclose(found.offset, wanted[:, -1], atol=1e-8, rtol=1e-6)
    else:  # one document says how high the scores are, and nothing of the mixture
        np.testing.assert_allclose(found.weights, 0)
        np.testing.assert_allclose(found.offset, scores[:, 0])


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000))
def test_without_a_ridge_it_is_the_pseudo_inverse(m: int, a: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    block, scores = rng.standard_normal((m, a)), rng.standard_normal((3, a))
    centred = block - block.mean(axis=1, keepdims=True)
    levelled = scores - scores.mean(axis=1, keepdims=True)
    wanted = levelled @ np.linalg.pinv(centred, rcond=1e-12)
    np.testing.assert_allclose(mixture(block, scores, 0).weights, wanted, atol=1e-7, rtol=1e-5)
    nearly = mixture(block, scores, 1e-13).weights @ centred
    np.testing.assert_allclose(nearly, wanted @ centred, atol=1e-3)


def test_an_offset_is_free() -> None:
    """What is added to all scores of a query changes its offset and nothing else."""
    scores = low_rank(6, 2)
    plain = mixture(scores[:30, :20], scores[30:, :20])
    raised = mixture(scores[:30, :20] + 7, scores[30:, :20] - 3)
    np.testing.assert_allclose(raised.weights, plain.weights, atol=1e-10)


def test_a_ridge_keeps_weights_small() -> None:
    """A block that is nearly singular: its inverse is huge without one."""
    rng = np.random.default_rng(3)
    block = np.outer(rng.standard_normal(5), rng.standard_normal(5))
    block += 1e-7 * rng.standard_normal((5, 5))
    scores = rng.standard_normal((1, 5))
    assert np.abs(mixture(block, scores, 0).weights).max() > 1e5
    assert np.abs(mixture(block, scores).weights).max() < 10
    sizes = [np.linalg.norm(mixture(block, scores, r).weights) for r in (1e-3, 1e-2, 0.1, 1.0)]
    assert sizes == sorted(sizes, reverse=True)


def test_nothing_known_and_zeros_give_no_weights() -> None:
    empty = mixture(np.zeros((3, 0)), np.zeros((2, 0)))
    assert empty.weights.tolist() == [[0.0] * 3] * 2
    flat = mixture(np.zeros((3, 4)), np.ones((1, 4)))
    assert flat.weights.tolist() == [[0.0] * 3]
    assert flat.offset.tolist() == [1.0]


def test_wrong_arguments() -> None:
    with pytest.raises(DataError, match="as many columns"):
        mixture(np.ones((3, 4)), np.ones((1, 5)))
    for wrong in (-0.1, float("inf"), float("nan")):
        with pytest.raises(ConfigurationError, match="ridge="):
            mixture(np.ones((3, 4)), np.ones((1, 4)), wrong)
