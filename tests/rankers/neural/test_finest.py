"""Rank-preserving fine-tuning: simulated damage, and lists that stay near the reference."""

from pathlib import Path

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, DataError, NotFittedError, UnknownNameError
from plackett.metrics.stability import stability
from plackett.rankers import LambdaMART
from plackett.rankers.base import Ranker, load_ranker
from plackett.rankers.perturbation import flip_grades
from plackett.rankers.registry import parse

torch = pytest.importorskip("torch")

from plackett.rankers.neural import MLP, SelfAttention  # noqa: E402
from plackett.rankers.neural.batches import Batch, Lists  # noqa: E402
from plackett.rankers.neural.finest import (  # noqa: E402
    Perturbation,
    RankPreserving,
    damaged_batch,
)

from .conftest import lists_of  # noqa: E402

KINDS = ["documents", "judgments", "replacements", "mixed"]
BASE = MLP(hidden=(8,), loss="ListNet", epochs=4, learning_rate=0.02)
SHORT = {"ranker": BASE, "fine_tune_epochs": 3, "fine_tune_learning_rate": 0.02}


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch_of(data: RankingDataset) -> Batch:
    fitted = MLP(hidden=(), transform="none", loss="ListNet", epochs=1).fit(data)
    return next(Lists(data, fitted.inputs_, torch.device("cpu")).in_order(1 << 20))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_hit_at_share_0(kind: Perturbation, train: RankingDataset) -> None:
    batch = batch_of(train)
    found = damaged_batch(batch, kind, 0.0, generator(0))
    for before, after in zip(batch, found.batch, strict=True):
        np.testing.assert_array_equal(before, after)
    assert torch.equal(found.intact, batch.where)


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_deleting_documents_leaves_those_that_stay(share: float, train: RankingDataset) -> None:
    batch = batch_of(train)
    left, intact = damaged_batch(batch, "documents", share, generator(1))
    lengths = left.where.sum(dim=1)
    assert bool((lengths >= 1).all())
    assert len(left.rows) == len(left.order) == int(lengths.sum())
    assert torch.equal(intact, left.where)
    position = np.searchsorted(batch.order, left.order, sorter=np.argsort(batch.order))
    position = np.argsort(batch.order)[position]
    assert torch.equal(left.rows, batch.rows[position])
    assert torch.equal(left.labels[left.where], batch.labels[batch.where][position])
    owner = batch.where.nonzero()[:, 0]
    assert torch.equal(left.where.nonzero()[:, 0], owner[position])
    if share == 1.0:  # each list would be emptied, so each stays whole
        assert len(left.rows) == len(batch.rows)


def test_deleting_all_judgments_leaves_the_documents(train: RankingDataset) -> None:
    batch = batch_of(train)
    left, intact = damaged_batch(batch, "judgments", 1.0, generator(1))
    assert not left.labels.any()
    assert torch.equal(left.rows, batch.rows)
    assert torch.equal(intact, batch.where)
    assert batch.labels.any()


def test_replacements_come_from_the_same_list_and_are_others(train: RankingDataset) -> None:
    batch = batch_of(train)
    left, intact = damaged_batch(batch, "replacements", 1.0, generator(2))
    assert torch.equal(left.labels, batch.labels)
    owner = batch.where.nonzero()[:, 0]
    lengths = batch.where.sum(dim=1)
    for row, of in zip(left.rows, owner, strict=True):
        assert bool((batch.rows[owner == of] == row).all(dim=1).any())
    changed = (left.rows != batch.rows).any(dim=1)
    assert torch.equal(changed, lengths[owner] > 1)
    assert torch.equal(intact[batch.where], ~changed)


def test_every_other_document_is_as_likely_a_replacement() -> None:
    data = RankingDataset(np.arange(4, dtype=np.float32)[:, None], [0, 1, 2, 3], qid=[1] * 4)
    batch = batch_of(data)
    counts = np.zeros((4, 4))
    for seed in range(900):
        rows = damaged_batch(batch, "replacements", 1.0, generator(seed)).batch.rows[:, 0]
        counts[np.arange(4), rows.long().numpy()] += 1
    assert not np.diag(counts).any()
    others = counts[~np.eye(4, dtype=bool)]
    assert np.abs(others - 300).max() < 5 * np.sqrt(200)  # five deviations of B(900, 1/3)


def test_the_share_is_that_of_the_documents() -> None:
    batch = batch_of(lists_of(5, queries=1500))
    left = damaged_batch(batch, "documents", 0.2, generator(3)).batch
    lengths = batch.where.sum(dim=1).double()
    expected = float((lengths * 0.8 + lengths * 0.2**lengths).sum())
    assert abs(len(left.rows) - expected) < 5 * np.sqrt(0.16 * len(batch.rows))


@pytest.mark.parametrize(
    "base", [BASE, SelfAttention(hidden=(8,), blocks=1, heads=2, feed_forward=8, epochs=2)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_two_fits_with_a_seed_give_equal_bytes(
    base: Ranker, kind: Perturbation, train: RankingDataset, valid: RankingDataset
) -> None:
    made = [
        RankPreserving(**{**SHORT, "ranker": base}, perturbation=kind, share=0.3, seed=seed)
        for seed in (1, 1, 2)
    ]
    scores = [ranker.fit(train, valid).predict(valid).tobytes() for ranker in made]
    assert scores[0] == scores[1] != scores[2]


def test_without_damage_and_regulariser_it_is_plain_further_training(train: RankingDataset) -> None:
    """A network whose training has no random part goes on where it was."""
    options = {"hidden": (), "loss": "ListNet", "epochs": 6, "batch_lists": 1000}
    base = MLP(**options, learning_rate=0.02, schedule="constant")
    tuned = RankPreserving(
        ranker=base, strength=0.0, share=0.0, fine_tune_epochs=1, fine_tune_learning_rate=0.5
    ).fit(train)
    plain = MLP(**base.get_params()).fit(train)
    weights = dict(plain.network_.named_parameters())
    moved = [
        (value - weights[name]).abs().flatten()
        for name, value in tuned.ranker_.network_.named_parameters()
    ]
    # The first step of a fresh AdamW has the length of the learning rate in every weight; the last
    # bias has no gradient, as the loss does not change when all scores do.
    np.testing.assert_allclose(moved[0].detach().numpy(), 0.5, rtol=1e-3)
    assert tuned.ranker_.epochs_ == plain.epochs_ + 1
    assert tuned.ranker_.records_[:-1] == plain.records_


def nearness(ranker: Ranker, other: Ranker, data: RankingDataset) -> float:
    return stability(ranker.rank(data), other.rank(data)).mean_rbo


@pytest.mark.parametrize("seed", range(3))
def test_a_strong_regulariser_keeps_the_lists_near_the_reference(seed: int) -> None:
    train, test = lists_of(10 + seed, queries=60), lists_of(20 + seed, queries=60)
    options = {"ranker": BASE, "fine_tune_epochs": 20, "fine_tune_learning_rate": 0.02}
    first = RankPreserving(**options, seed=seed).fit(train)
    changed = flip_grades(train, 0.5, seed=seed)
    before = first.predict(test).tobytes()
    held = first.set_params(strength=100.0).updated(changed)
    free = first.set_params(strength=0.0).updated(changed)
    assert first.predict(test).tobytes() == before
    assert nearness(held, first, train) > nearness(free, first, train) + 0.02
    assert nearness(held, first, test) > nearness(free, first, test)


def test_a_saved_ranker_predicts_the_same_bytes_and_can_be_updated(
    train: RankingDataset, valid: RankingDataset, tmp_path: Path
) -> None:
    fitted = RankPreserving(**SHORT).fit(train, valid)
    fitted.save(tmp_path)
    loaded = load_ranker(tmp_path)
    assert isinstance(loaded, RankPreserving)
    assert loaded.get_params() == fitted.get_params()
    assert loaded.predict(valid).tobytes() == fitted.predict(valid).tobytes()
    assert loaded.importance() == fitted.importance()
    again, other = loaded.updated(valid), fitted.updated(valid)
    assert again.predict(train).tobytes() == other.predict(train).tobytes()
    parts = loaded.contributions(valid)
    np.testing.assert_allclose(
        parts.base + parts.values.sum(axis=1), loaded.predict(valid), atol=1e-5
    )


def test_a_killed_fine_tuning_goes_on_from_its_folder(
    train: RankingDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = RankPreserving(**SHORT).fit(train).predict(train).tobytes()
    base = MLP(**{**BASE.get_params(), "checkpoint": str(tmp_path)})
    ranker = RankPreserving(**{**SHORT, "ranker": base})
    drawn = damaged_batch
    calls = []

    def killed(batch: Batch, kind: Perturbation, share: float, source: torch.Generator) -> object:
        calls.append(kind)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return drawn(batch, kind, share, source)

    with monkeypatch.context() as patch:
        patch.setattr("plackett.rankers.neural.finest.damaged_batch", killed)
        with pytest.raises(RuntimeError, match="killed"):
            ranker.fit(train)
    assert (tmp_path / "fine-tuning").is_dir()
    assert ranker.fit(train).predict(train).tobytes() == unbroken


def test_a_loss_with_several_outputs_is_ranked_by_its_relevance(train: RankingDataset) -> None:
    ranker = RankPreserving(**{**SHORT, "ranker": "MLP(loss='Ordinal', hidden=(8,), epochs=2)"})
    assert np.isfinite(ranker.fit(train).predict(train)).all()
    assert ranker.ranker_.outputs_ > 1


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"top": 0}, ConfigurationError, "top=0"),
        ({"margin": 0.0}, ConfigurationError, "margin"),
        ({"strength": -1.0}, ConfigurationError, "strength"),
        ({"strength": float("nan")}, ConfigurationError, "strength"),
        ({"share": 1.5}, ConfigurationError, "share"),
        ({"fine_tune_epochs": 0}, ConfigurationError, "fine_tune_epochs"),
        ({"fine_tune_learning_rate": 0.0}, ConfigurationError, "fine_tune_learning_rate"),
        ({"seed": -1}, ConfigurationError, "seed"),
        ({"perturbation": "document"}, UnknownNameError, "documents"),
        ({"ranker": "LambdaMART"}, ConfigurationError, "expected a network"),
        ({"ranker": "DeepQRank"}, ConfigurationError, "expected a network"),
        ({"ranker": "MLP(group_feature='1')"}, ConfigurationError, "group_feature"),
        ({"ranker": "MLP(epochs=0)"}, ConfigurationError, "epochs=0"),
    ],
)
def test_wrong_parameters_are_named(
    wrong: dict[str, object], error: type[Exception], message: str, train: RankingDataset
) -> None:
    with pytest.raises(error, match=message):
        RankPreserving(**wrong).fit(train)  # type: ignore[arg-type]


def test_a_trained_network_is_taken_as_it_is(train: RankingDataset, valid: RankingDataset) -> None:
    """`fit` is no more than a first training, and an update of it on the same data."""
    network = MLP(**BASE.get_params()).fit(train)
    before = network.predict(valid).tobytes()
    held = RankPreserving(**SHORT).around(network)
    assert held.predict(valid).tobytes() == before
    fitted = RankPreserving(**SHORT).fit(train)
    assert held.updated(train).predict(valid).tobytes() == fitted.predict(valid).tobytes()
    assert network.predict(valid).tobytes() == before
    with pytest.raises(NotFittedError):
        RankPreserving().around(MLP())
    with pytest.raises(ConfigurationError, match="expected a network"):
        RankPreserving().around(LambdaMART(trees=1).fit(train))


def test_an_update_needs_a_fitted_ranker_and_its_features(train: RankingDataset) -> None:
    with pytest.raises(NotFittedError):
        RankPreserving(**SHORT).updated(train)
    fitted = RankPreserving(**SHORT).fit(train)
    with pytest.raises(DataError, match="without feature"):
        fitted.updated(RankingDataset(train.X[:, :3], train.y, qid=train.query))
    with pytest.raises(DataError, match="empty"):
        fitted.updated(train.take_rows([]))


def test_the_text_is_the_ranker() -> None:
    ranker = RankPreserving(ranker=BASE, strength=0.5)
    again = parse(repr(ranker))
    assert repr(again) == repr(ranker)
    assert again.get_params() == ranker.get_params()
