"""Training: the same bytes from a seed, from a resumed run, and what stops it."""

import json
from pathlib import Path

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, CorruptFileError

torch = pytest.importorskip("torch")

from plackett.rankers.neural import MLP, SelfAttention  # noqa: E402
from plackett.rankers.neural.training import SCHEDULES, learning_rate_factor  # noqa: E402

SMALL = {"hidden": (8,), "loss": "ListNet", "epochs": 6, "batch_lists": 5, "learning_rate": 0.02}


class Killed(BaseException):
    """What no code of ours catches."""


def weights(ranker: MLP) -> bytes:
    files = ranker._save_model()[1]
    return files["network.safetensors"]


def test_a_seed_gives_the_same_bytes(train: RankingDataset, valid: RankingDataset) -> None:
    first, second = (MLP(**SMALL, seed=3).fit(train, valid) for _ in range(2))
    assert weights(first) == weights(second)
    assert first.history_ == second.history_
    assert weights(MLP(**SMALL, seed=4).fit(train, valid)) != weights(first)


def test_the_global_generator_is_left_alone(train: RankingDataset) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    MLP(**SMALL).fit(train)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("average", ["none", "ema", "swa"])
@pytest.mark.parametrize("steps", [1, 2, 7, 13, 24])
def test_a_killed_run_goes_on_to_the_same_bytes(
    average: str, steps: int, train: RankingDataset, valid: RankingDataset, tmp_path: Path
) -> None:
    options = {**SMALL, "average": average, "early_stopping": None, "schedule": "linear"}
    unbroken = MLP(**options).fit(train, valid)
    ranker = MLP(**options, checkpoint=tmp_path, checkpoint_steps=1)
    step_loss, done = ranker._step_loss, 0

    def kill(*arguments: object) -> object:
        nonlocal done
        done += 1
        if done > steps:
            raise Killed
        return step_loss(*arguments)  # type: ignore[arg-type]

    ranker._step_loss = kill  # type: ignore[method-assign,assignment]
    with pytest.raises(Killed):
        ranker.fit(train, valid)
    del ranker._step_loss
    ranker.fit(train, valid)
    assert weights(ranker) == weights(unbroken)
    assert ranker.history_ == unbroken.history_


def test_a_finished_run_is_not_done_again(train: RankingDataset, tmp_path: Path) -> None:
    ranker = MLP(**SMALL, checkpoint=tmp_path).fit(train)
    calls: list[int] = []
    again = MLP(**SMALL, checkpoint=tmp_path, progress=lambda done, _: calls.append(done))
    assert weights(again.fit(train)) == weights(ranker)
    assert calls == []


def test_a_checkpoint_of_other_things_is_refused(
    train: RankingDataset, valid: RankingDataset, tmp_path: Path
) -> None:
    MLP(**SMALL, checkpoint=tmp_path).fit(train)
    with pytest.raises(ConfigurationError, match="another ranker"):
        MLP(**{**SMALL, "hidden": (9,)}, checkpoint=tmp_path).fit(train)
    with pytest.raises(ConfigurationError, match="other data"):
        MLP(**SMALL, checkpoint=tmp_path).fit(valid)


@pytest.mark.parametrize("kept", [0, 8, 100, -1])
def test_a_cut_checkpoint_is_named(kept: int, train: RankingDataset, tmp_path: Path) -> None:
    MLP(**SMALL, checkpoint=tmp_path).fit(train)
    path = tmp_path / "training.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CorruptFileError, match="delete it"):
        MLP(**SMALL, checkpoint=tmp_path).fit(train)


def test_ctrl_c_keeps_what_was_learned(train: RankingDataset, valid: RankingDataset) -> None:
    def stop(done: int, epochs: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    ranker = MLP(**SMALL, progress=stop)
    with pytest.raises(KeyboardInterrupt):
        ranker.fit(train, valid)
    assert len(ranker.history_) == 3
    assert np.isfinite(ranker.predict(valid)).all()


def test_early_stopping_keeps_the_best_epoch(train: RankingDataset, valid: RankingDataset) -> None:
    ranker = MLP(**{**SMALL, "epochs": 60}, early_stopping=4).fit(train, valid)
    best = int(np.argmax(ranker.history_))
    assert ranker.epochs_ == best + 1
    assert len(ranker.history_) <= best + 5
    assert ranker.score(valid) == pytest.approx(max(ranker.history_), abs=1e-6)


def test_averages_differ_from_the_last_step_and_learn(train: RankingDataset) -> None:
    plain = MLP(**SMALL).fit(train)
    for average in ("ema", "swa"):
        ranker = MLP(**{**SMALL, "epochs": 20}, average=average, average_decay=0.9).fit(train)
        assert weights(ranker) != weights(plain)
        assert ranker.score(train) > 0.7


def test_options_that_change_the_training(train: RankingDataset) -> None:
    plain = weights(MLP(**SMALL).fit(train))
    for changed in (
        {"clip_gradient": 0.01},
        {"weight_decay": 0.5},
        {"schedule": "constant"},
        {"warmup": 0.5},
        {"batch_lists": 3},
        {"batch_documents": 12},
        {"longest_list": 2},
        {"dropout": 0.0},
        {"precision": "bfloat16"},
        {"transform": "query"},
    ):
        assert weights(MLP(**{**SMALL, **changed}).fit(train)) != plain, changed


def test_mixed_precision_learns(train: RankingDataset) -> None:
    ranker = SelfAttention(
        hidden=(16,), heads=2, feed_forward=16, loss="ListNet", epochs=15, precision="bfloat16"
    )
    assert ranker.set_params(learning_rate=0.01).fit(train).score(train) > 0.8


def test_logs_hold_an_epoch_a_line(
    train: RankingDataset, valid: RankingDataset, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    log, board = tmp_path / "logs" / "log.jsonl", tmp_path / "board"
    ranker = MLP(**SMALL, early_stopping=None, log=log, tensorboard=board).fit(train, valid)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line["measure"] for line in lines] == list(ranker.history_)
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert list(board.iterdir())


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_start_at_one_and_never_rise(schedule: str) -> None:
    factors = [learning_rate_factor(schedule, 0.0, share) for share in np.linspace(0, 0.999, 50)]
    assert factors[0] == 1
    assert (np.diff(factors) <= 0).all()
    warm = [learning_rate_factor(schedule, 0.2, share) for share in (0.0, 0.1, 0.2)]
    assert warm == [0.0, 0.5, 1.0]


def test_lists_that_say_nothing_leave_the_weights(train: RankingDataset) -> None:
    nothing = RankingDataset(train.X, np.zeros(len(train)), qid=train.query)
    ranker = MLP(**{**SMALL, "loss": "LambdaRank"}).fit(nothing)
    assert np.isfinite(ranker.predict(nothing)).all()


def test_bad_input_gives_an_answer_or_a_clear_error(train: RankingDataset) -> None:
    X = train.X.copy()
    X[:, 3] = np.nan
    X[:, 2] = 1.0
    missing = RankingDataset(X, train.y, qid=train.query)
    assert MLP(**{**SMALL, "epochs": 30}).fit(missing).score(missing) > 0.8
    one_query = RankingDataset(train.X, train.y, qid=np.zeros(len(train)))
    assert np.isfinite(MLP(**SMALL).fit(one_query).predict(one_query)).all()
    twice = train.take_rows(np.repeat(np.arange(len(train)), 2))
    scores = MLP(**SMALL).fit(twice).predict(twice)
    np.testing.assert_allclose(scores[::2], scores[1::2], atol=1e-6)
    fractions = RankingDataset(train.X, train.y / 3, qid=train.query)
    assert MLP(**SMALL, measure="nDCG@10").fit(fractions).score(fractions) > 0.5


def test_a_memory_mapped_dataset_trains_to_the_same_bytes(
    train: RankingDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plackett.rankers.neural import batches

    expected = weights(MLP(**SMALL).fit(train))
    monkeypatch.setattr(batches, "HELD_BYTES", 0)
    assert weights(MLP(**SMALL).fit(train.to_memmap(tmp_path / "rows"))) == expected
