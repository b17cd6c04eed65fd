"""Boosting of networks: Newton steps, stages, corrective steps, restarts."""

from pathlib import Path

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError
from plackett.rankers.base import load_ranker

torch = pytest.importorskip("torch")

from plackett.losses import ListNet, RankNet, SquaredError, parse_loss  # noqa: E402
from plackett.losses.base import Loss  # noqa: E402
from plackett.rankers.neural.batches import Batch  # noqa: E402
from plackett.rankers.neural.grow_net import GrowNet, newton_parts  # noqa: E402

SMALL = {"stages": 3, "hidden": 8, "learning_rate": 0.02, "batch_lists": 6}


class StoppedError(RuntimeError):
    """What ends a training from outside."""


def stop_after(stage: int, error: type[BaseException]) -> object:
    def progress(done: int, stages: int) -> None:
        if done == stage:
            raise error

    return progress


def parts(loss: Loss, scores: list[float], labels: list[float]) -> tuple[list[float], list[float]]:
    where = torch.ones((1, len(scores)), dtype=torch.bool)
    batch = Batch(
        torch.zeros((len(scores), 1)),
        where,
        torch.tensor([labels], dtype=torch.float64),
        np.zeros(1, dtype=np.int64),
        np.arange(len(scores)),
    )
    values = torch.tensor([scores], dtype=torch.float64)
    found = newton_parts(loss, values, batch, torch.Generator())
    return found[0][0].tolist(), found[1][0].tolist()


def test_the_newton_step_of_the_logistic_loss() -> None:
    # log(1 + exp(-2 y F)) is the cross-entropy at the score 2 F.
    (slope,), (bend,) = parts(parse_loss("BinaryCrossEntropy"), [0.6], [1.0])
    assert 2 * slope == pytest.approx(-0.708687, abs=1e-6)
    assert 4 * bend == pytest.approx(0.915137, abs=1e-6)
    assert -2 * slope / (4 * bend) == pytest.approx(0.774406, abs=1e-6)


def test_the_newton_step_of_the_i_divergence() -> None:
    (slope,), (bend,) = parts(parse_loss("IDivergence"), [0.5], [2.0])
    assert slope == pytest.approx(-1.351279, abs=1e-6)
    assert bend == pytest.approx(1.648721, abs=1e-6)
    assert -slope / bend == pytest.approx(0.819592, abs=1e-6)


def test_the_newton_step_of_squared_errors_is_the_residual() -> None:
    slopes, bends = parts(SquaredError(), [0.5, -1.0], [2.0, 1.0])
    assert [-s / b for s, b in zip(slopes, bends, strict=True)] == pytest.approx([1.5, 2.0])


def test_the_curvature_has_a_floor() -> None:
    _, bends = parts(RankNet(), [100.0, -100.0], [1.0, 0.0])
    assert bends == [1e-6, 1e-6]


def test_one_stage_of_squared_errors_is_regression_from_the_mean() -> None:
    random = np.random.default_rng(0)
    X = random.standard_normal((200, 2)).astype(np.float32)
    y = np.clip(np.round(X[:, 0] + 2), 0, 4)
    data = RankingDataset(X, y, qid=np.repeat(np.arange(40), 5))
    options = {"stages": 1, "hidden": 16, "corrective_epochs": 0, "stage_epochs": 60}
    ranker = GrowNet(**options, loss="SquaredError", learning_rate=0.02, batch_lists=10).fit(data)
    assert float(ranker.network_.start) == pytest.approx(float(y.mean()), abs=1e-4)
    assert float(ranker.network_.rate.detach()) == 1.0
    assert np.mean((ranker.predict(data) - y) ** 2) < 0.15


def test_the_start_of_the_i_divergence_is_the_best_constant() -> None:
    data = RankingDataset(
        np.zeros((40, 1), dtype=np.float32), [0, 1, 2, 4] * 10, qid=np.repeat(np.arange(10), 4)
    )
    ranker = GrowNet(**{**SMALL, "stages": 1}).fit(data)
    assert float(ranker.network_.start) == pytest.approx(np.log(2.75), abs=1e-4)
    pairwise = GrowNet(**{**SMALL, "stages": 1}, loss="RankNet").fit(data)
    assert float(pairwise.network_.start) == 0.0


def test_corrective_steps_lower_the_loss(train: RankingDataset) -> None:
    options = {**SMALL, "learning_rate": 0.002, "stages": 1, "batch_lists": 24}
    losses = []
    for corrective in (1, 10, 30):
        ranker = GrowNet(**options, corrective_epochs=corrective).fit(train)
        losses.append(ranker.records_[-1]["loss"])
    assert losses[0] > losses[1] > losses[2]


@pytest.mark.parametrize("loss", ["IDivergence", "SquaredError", "RankNet", "ListNet"])
def test_it_learns_to_order(loss: str, train: RankingDataset, valid: RankingDataset) -> None:
    ranker = GrowNet(**{**SMALL, "stages": 4}, loss=loss, corrective_epochs=3, stage_epochs=3)
    assert ranker.fit(train).score(valid) > 0.85


def test_the_stage_is_chosen_by_the_measure(train: RankingDataset, valid: RankingDataset) -> None:
    ranker = GrowNet(**{**SMALL, "stages": 5}, loss="RankNet").fit(train, valid)
    assert ranker.epochs_ == int(np.argmax(ranker.history_)) + 1
    assert int(ranker.network_.used) == ranker.epochs_
    assert ranker.score(valid) == pytest.approx(max(ranker.history_))


def test_a_killed_training_ends_with_the_same_bytes(
    train: RankingDataset, valid: RankingDataset, tmp_path: Path
) -> None:
    whole = GrowNet(**SMALL).fit(train, valid)
    with pytest.raises(StoppedError):
        GrowNet(**SMALL, checkpoint=tmp_path, progress=stop_after(2, StoppedError)).fit(
            train, valid
        )
    resumed = GrowNet(**SMALL, checkpoint=tmp_path).fit(train, valid)
    assert resumed.predict(valid).tobytes() == whole.predict(valid).tobytes()
    assert resumed.history_ == whole.history_
    assert resumed.records_ == whole.records_


def test_an_interrupt_keeps_the_finished_stages(train: RankingDataset) -> None:
    ranker = GrowNet(**SMALL, progress=stop_after(2, KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        ranker.fit(train)
    assert ranker.epochs_ == int(ranker.network_.used) == 2
    assert ranker.records_ == GrowNet(**SMALL).fit(train).records_[:2]
    assert np.ptp(ranker.predict(train)) > 0


def test_lists_of_one_document_are_no_obstacle(train: RankingDataset) -> None:
    ranker = GrowNet(**{**SMALL, "batch_lists": 1}).fit(train)
    assert np.isfinite(ranker.predict(train)).all()


def test_a_list_is_scored_alike_in_any_company(shuffled: RankingDataset) -> None:
    ranker = GrowNet(**SMALL).fit(shuffled)
    together = ranker.predict(shuffled)
    for query in list(shuffled.query_ids)[:6]:
        rows = np.asarray(shuffled.rows_of(query))
        np.testing.assert_allclose(
            ranker.predict(shuffled.take_rows(rows)), together[rows], atol=1e-5
        )


def test_saved_and_seeded(train: RankingDataset, valid: RankingDataset, tmp_path: Path) -> None:
    fitted = GrowNet(**SMALL, loss=ListNet(), log=tmp_path / "log").fit(train, valid)
    fitted.save(tmp_path / "model")
    loaded = load_ranker(tmp_path / "model")
    assert loaded.predict(train).tobytes() == fitted.predict(train).tobytes()
    again = GrowNet(**SMALL, loss=ListNet()).fit(train, valid)
    assert again.predict(train).tobytes() == fitted.predict(train).tobytes()
    assert len((tmp_path / "log").read_text().splitlines()) == 3
    assert set(fitted.importance()) == set(train.feature_names)


@pytest.mark.parametrize(
    "options", [{"epochs": 5}, {"average": "ema"}, {"stages": 0}, {"loss": "Ordinal"}]
)
def test_what_has_no_effect_is_refused(options: dict[str, object], train: RankingDataset) -> None:
    with pytest.raises(ConfigurationError):
        GrowNet(**{**SMALL, **options}).fit(train)
