"""Group-robust training helps the group that fares worst, and resumes like any other."""

from pathlib import Path

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.metrics import nDCG

torch = pytest.importorskip("torch")

from plackett.rankers.neural import MLP  # noqa: E402

OPTIONS = {
    "hidden": (),
    "loss": "RankNet",
    "epochs": 150,
    "learning_rate": 0.05,
    "batch_lists": 100,
}


def two_groups() -> RankingDataset:
    """Nine queries in ten want a large first feature, the others a large second one."""
    random = np.random.default_rng(0)
    queries, length = 100, 8
    group = np.repeat((np.arange(queries) % 10 == 0).astype(float), length)
    X = random.standard_normal((queries * length, 2))
    wanted = np.where(group == 1, X[:, 1] - 0.5 * X[:, 0], X[:, 0])
    y = np.clip(np.round(wanted + 1), 0, 3)
    rows = np.column_stack([X, group]).astype(np.float32)
    names = ["a", "b", "market"]
    return RankingDataset(rows, y, qid=np.repeat(np.arange(queries), length), feature_names=names)


def worst(ranker: MLP, data: RankingDataset) -> float:
    values = nDCG.of_scores(ranker.predict(data), data.y, data.offsets)
    market = data.X[data.offsets[:-1], 2]
    return min(float(values[market == kind].mean()) for kind in (0, 1))


def test_the_worst_group_gains() -> None:
    data = two_groups()
    plain = MLP(**OPTIONS).fit(data)
    robust = MLP(**OPTIONS, group_feature="market", group_step=0.1).fit(data)
    assert worst(robust, data) > worst(plain, data) + 0.05


def test_it_saves_and_resumes(tmp_path: Path) -> None:
    data = two_groups()
    options = {
        **OPTIONS,
        "epochs": 4,
        "batch_lists": 20,
        "group_feature": "market",
        "group_step": 0.5,
    }
    unbroken = MLP(**options).fit(data)

    def stop(done: int, epochs: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        MLP(**options, checkpoint=tmp_path, progress=stop).fit(data)
    resumed = MLP(**options, checkpoint=tmp_path).fit(data)
    assert resumed.predict(data).tobytes() == unbroken.predict(data).tobytes()
    resumed.save(tmp_path / "model")
    assert MLP.load(tmp_path / "model").predict(data).tobytes() == unbroken.predict(data).tobytes()


def test_wrong_uses_are_named() -> None:
    data = two_groups()
    with pytest.raises(UnknownNameError, match="country"):
        MLP(group_feature="country").fit(data)
    with pytest.raises(ConfigurationError, match="minimise `loss`"):
        MLP(group_feature="market", compiled=True).fit(data)
    many = RankingDataset(data.X, data.y, qid=np.arange(len(data)), feature_names=["a", "b", "c"])
    with pytest.raises(ConfigurationError, match="group_step"):
        MLP(group_feature="c", group_step=0.0).fit(many)
    wide = RankingDataset(
        np.arange(1200, dtype=np.float32)[:, None], np.ones(1200), qid=np.arange(1200)
    )
    with pytest.raises(DataError, match="1200 values"):
        MLP(group_feature="1", epochs=1).fit(wide)
