"""k-means, codes, residuals and lists against plain numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.encoders.base import TokenVectors
from plackett.retrievers.late.centroid_kernels import encode_residuals
from plackett.retrievers.late.centroids import (
    learn_centroids,
    nearest_centroids,
    residual_buckets,
    residual_bytes,
)
from plackett.retrievers.late.plaid_build import usual_centroids, write_centroids


@given(
    t=st.integers(0, 200),
    c=st.integers(1, 70),
    d=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_the_nearest_centroid_is_the_nearest(t: int, c: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((t, d)).astype(np.float32)
    centroids = rng.standard_normal((c, d)).astype(np.float32)
    codes = nearest_centroids(values, centroids, threads=1)
    distances = ((values[:, None].astype(np.float64) - centroids) ** 2).sum(axis=2)
    found = distances[np.arange(t), codes] if t else np.zeros(0)
    np.testing.assert_allclose(found, distances.min(axis=1, initial=np.inf), atol=1e-4)


def test_of_equal_centroids_the_first_is_taken() -> None:
    centroids = np.repeat(np.eye(3, dtype=np.float32), 40, axis=0)
    codes = nearest_centroids(np.eye(3, dtype=np.float32), centroids, threads=1)
    assert codes.tolist() == [0, 40, 80]


def test_k_means_is_its_definition() -> None:
    rng = np.random.default_rng(3)
    sample = rng.standard_normal((400, 5)).astype(np.float32)
    begin = learn_centroids(sample, 12, iterations=0, unit=False, seed=1, threads=1)
    assert {row.tobytes() for row in begin} <= {row.tobytes() for row in sample}
    wanted = begin.astype(np.float64)
    for _ in range(3):
        nearest = ((sample[:, None] - wanted) ** 2).sum(axis=2).argmin(axis=1)
        wanted = np.stack(
            [sample[nearest == c].mean(axis=0) if (nearest == c).any() else wanted[c]
             for c in range(12)]
        )  # fmt: skip
    found = learn_centroids(sample, 12, iterations=3, unit=False, seed=1, threads=1)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    other = learn_centroids(sample, 12, iterations=3, unit=False, seed=2, threads=1)
    assert not np.array_equal(found, other)


def test_threads_change_no_centroid() -> None:
    sample = np.random.default_rng(3).standard_normal((9_000, 6)).astype(np.float32)
    one = learn_centroids(sample, 50, iterations=2, unit=False, seed=1, threads=1)
    two = learn_centroids(sample, 50, iterations=2, unit=False, seed=1, threads=2)
    np.testing.assert_array_equal(one, two)


def test_spherical_centroids_have_length_one() -> None:
    sample = np.random.default_rng(3).standard_normal((200, 6)).astype(np.float32)
    sample /= np.linalg.norm(sample, axis=1, keepdims=True)
    centroids = learn_centroids(sample, 9, iterations=2, unit=True, seed=1, threads=1)
    np.testing.assert_allclose(np.linalg.norm(centroids, axis=1), 1, rtol=1e-5)
    opposite = np.array([[1, 0], [-1, 0]], np.float32)  # their mean has no direction
    one = learn_centroids(opposite, 1, iterations=1, unit=True, seed=1, threads=1)
    assert one.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("d", [1, 5, 24])
def test_residuals_by_their_definition(bits: int, d: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((300, d)).astype(np.float32)
    centroids = rng.standard_normal((7, d)).astype(np.float32)
    codes = nearest_centroids(values, centroids, threads=1)
    cutoffs, weights = residual_buckets(values, codes, centroids, bits)
    steps = 1 << bits
    assert (len(cutoffs), len(weights)) == (steps - 1, steps)
    residuals = values - centroids[codes]
    np.testing.assert_allclose(
        weights, np.quantile(residuals, (np.arange(steps) + 0.5) / steps), atol=1e-6
    )
    size = residual_bytes(d, bits)
    packed = np.zeros((300, size), np.uint8)
    encode_residuals(values, codes, centroids, cutoffs, bits, packed)
    parts = [packed >> (bits * part) & (steps - 1) for part in range(8 // bits)]
    buckets = np.concatenate(parts, axis=1)[:, :d]
    np.testing.assert_array_equal(buckets, np.searchsorted(cutoffs, residuals, side="right"))
    if d > 1:  # every bucket holds about as many components
        counts = np.bincount(buckets.ravel(), minlength=steps)
        assert counts.max() <= 2 + 1.2 * residuals.size / steps


def test_more_bits_leave_less_error() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((500, 16)).astype(np.float32)
    centroids = values[:20]
    codes = nearest_centroids(values, centroids, threads=1)
    errors = []
    for bits in (1, 2, 4, 8):
        cutoffs, weights = residual_buckets(values, codes, centroids, bits)
        residuals = values - centroids[codes]
        decoded = weights[np.searchsorted(cutoffs, residuals, side="right")]
        errors.append(float(((decoded - residuals) ** 2).mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[1] < 0.2 * float((residuals**2).mean())


def test_how_many_centroids() -> None:
    # The card: 2^floor(log2(16 sqrt(t))).
    assert [usual_centroids(t) for t in (1, 256, 1_024, 10**6, 10**8)] == [
        1, 256, 512, 8_192, 131_072,
    ]  # fmt: skip


def test_what_is_written(drawn: Any, tmp_path: Path) -> None:
    done: list[tuple[int, int | None]] = []
    facts = write_centroids(
        drawn.documents, tmp_path, count=100, bits=2, iterations=2, seed=0, threads=2,
        progress=lambda n, total: done.append((n, total)),
    )  # fmt: skip
    tokens = len(drawn.documents.values)
    assert done == [(tokens, tokens)]
    assert (facts["centroids"], facts["bits"], facts["unit"]) == (100, 2, True)
    files = {path.stem: np.load(path) for path in tmp_path.iterdir()}
    centroids = files["plaid_centroids"].reshape(100, 24)
    codes = nearest_centroids(drawn.documents.values, centroids, threads=1)
    np.testing.assert_array_equal(files["plaid_codes"], codes)
    assert files["plaid_codes"].dtype == np.uint16
    assert files["plaid_residuals"].shape == (tokens * 24 * 2 // 8,)
    starts, listed = files["plaid_starts"], files["plaid_listed"]
    assert len(listed) == facts["entries"]
    offsets = drawn.documents.offsets
    document = np.repeat(np.arange(1_500), np.diff(offsets))
    for c in range(100):
        wanted = np.unique(document[codes == c])
        np.testing.assert_array_equal(listed[starts[c] : starts[c + 1]], wanted)


def test_the_same_seed_makes_the_same_bytes(drawn: Any, tmp_path: Path) -> None:
    written = []
    for name, seed, threads in (("a", 0, 1), ("b", 0, 3), ("c", 1, 1)):
        (tmp_path / name).mkdir()
        write_centroids(
            drawn.documents, tmp_path / name, count=64, bits=1, iterations=1, seed=seed,
            threads=threads, progress=None,
        )  # fmt: skip
        written.append({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()})
    assert written[0] == written[1]
    assert written[0] != written[2]


def test_texts_without_tokens(tmp_path: Path) -> None:
    nothing = TokenVectors(np.zeros((0, 4), np.float32), np.zeros(4, np.int64))
    facts = write_centroids(
        nothing, tmp_path, count=None, bits=2, iterations=2, seed=0, threads=1, progress=None
    )
    assert facts == {"centroids": 0, "bits": 2, "entries": 0, "unit": True}
