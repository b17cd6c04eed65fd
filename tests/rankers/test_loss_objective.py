"""Losses as what trees learn by: packing, gradients, curvature, and the models they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, DataError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.registry import names
from plackett.rankers import LambdaMART, Ranker
from plackett.rankers.catboost_ranker import CatBoostRanker
from plackett.rankers.loss_objective import ELEMENTS, LossObjective, _batches, parsed_loss
from plackett.rankers.xgboost_ranker import XGBoostRanker

MakeData = Callable[..., RankingDataset]
Y = np.array([1, 3, 0, 2], dtype=np.float32)
S = np.array([2.0, 1.0, 0.5, -1.0])
ONE = np.array([0, 4])


@dataclass(frozen=True, repr=False)
class SquaredError(Loss):
    """Half the squared error, with or without its curvature; with noise where asked for."""

    newton: bool = True
    noise: float = 0.0
    factor: float = 1.0
    wide: bool = False

    def _values(self, batch: Scored) -> ListValues:
        noise = self.noise * torch.randn(batch.labels.shape, generator=batch.generator)
        off = torch.where(batch.where, batch.scores - batch.labels + noise, 0.0)
        return ListValues(self.factor * (off**2).sum(-1) / 2, batch.where.any(-1))

    def _curvature(self, batch: Scored) -> torch.Tensor | None:
        return self.factor * batch.where.to(batch.scores) if self.newton else None

    def outputs(self, highest_label: float) -> int:
        return int(highest_label) if self.wide else 1


def ragged(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(1, 40, 200))])
    return rng.integers(0, 5, offsets[-1]).astype(np.float32), offsets, rng.normal(size=offsets[-1])


def test_every_row_is_packed_once() -> None:
    y, offsets, _ = ragged()
    rows = np.concatenate([batch.rows[batch.where].numpy() for batch in _batches(y, offsets)])
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(y)))


def test_batches_are_bounded_and_lists_whole() -> None:
    lengths = np.array([ELEMENTS + 5, *[1000] * 200, 1, 2, 3])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    batches = _batches(np.zeros(offsets[-1], dtype=np.float32), offsets)
    assert all(batch.rows.numel() <= ELEMENTS for batch in batches[:-1])
    assert batches[-1].rows.shape == (1, ELEMENTS + 5)
    for batch in batches:
        for rows, where in zip(batch.rows.numpy(), batch.where.numpy(), strict=True):
            np.testing.assert_array_equal(rows[where], rows[0] + np.arange(where.sum()))
            assert rows[0] in offsets


def test_newton_derivatives() -> None:
    y, offsets, scores = ragged()
    gradient, curvature = LossObjective(SquaredError(factor=3.0), y, offsets)(scores)
    np.testing.assert_allclose(gradient, 3 * (scores - y), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(curvature, np.full(len(y), 3.0))


def test_without_curvature_the_first_gradient_sets_the_unit() -> None:
    y, offsets, scores = ragged()
    objectives = [LossObjective(SquaredError(False, 0.0, f), y, offsets) for f in (1.0, 1e-6, 1e4)]
    for at in (scores, scores / 2):
        gradient, curvature = objectives[0](at)
        size = np.sqrt(np.mean((scores - y) ** 2))
        np.testing.assert_allclose(gradient, (at - y) / size, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(curvature, np.ones(len(y)))
        for other in objectives[1:]:
            np.testing.assert_allclose(other(at).gradient, gradient, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["RankNet()", "ListNet()", "ListMLE()", "ApproxNDCG()"])
def test_gradients_of_losses_are_their_finite_differences(name: str) -> None:
    from plackett.losses.registry import parse_loss

    loss = parse_loss(name)
    objective = LossObjective(loss, Y, ONE)
    objective._scaled = lambda gradient: gradient  # type: ignore[method-assign]
    gradient = objective(S).gradient

    def value(scores: np.ndarray) -> float:
        return float(loss(torch.from_numpy(scores), torch.from_numpy(Y), reduction="sum"))

    steps = 1e-5 * np.eye(4)
    expected = [(value(S + step) - value(S - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(gradient, expected, atol=2e-4)


def test_noise_is_drawn_anew_for_each_tree_from_the_seed() -> None:
    y, offsets, scores = ragged()
    one, same, other = (
        LossObjective(SquaredError(noise=1.0), y, offsets, seed=seed) for seed in (0, 0, 1)
    )
    first, second = one(scores).gradient, one(scores).gradient
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(same(scores).gradient, first)
    np.testing.assert_array_equal(same(scores).gradient, second)
    assert not np.array_equal(other(scores).gradient, first)


def test_lists_that_say_nothing() -> None:
    y = np.zeros(5, dtype=np.float32)
    gradient, curvature = LossObjective(SquaredError(), y, np.array([0, 1, 5]))(np.zeros(5))
    assert not gradient.any()
    assert np.isfinite(curvature).all()


def test_a_gradient_that_is_not_finite() -> None:
    with pytest.raises(DataError, match="not finite"):
        LossObjective(SquaredError(factor=1e30), Y, ONE)(S * 1e20)


def test_a_loss_that_is_flat_where_trees_start(make_data: MakeData) -> None:
    """Equal scores have no deviation to be standardised by."""
    for kind in (LambdaMART, XGBoostRanker, CatBoostRanker):
        with pytest.raises(ConfigurationError, match=r"ZLoss\(.*no gradient where trees start"):
            kind(loss="ZLoss", trees=3, threads=1).fit(make_data())
    with_part = LambdaMART(loss="ZLoss + 0.1 * ListNet", trees=10, threads=1).fit(make_data())
    assert with_part.score(make_data()) > 0.8


def test_a_loss_of_several_outputs() -> None:
    with pytest.raises(ConfigurationError, match="3 outputs"):
        LossObjective(SquaredError(wide=True), Y, ONE)


@pytest.mark.parametrize(
    "ranker",
    [
        LambdaMART(trees=40, min_documents_in_leaf=1, learning_rate=0.3, threads=1),
        XGBoostRanker(trees=40, l2=0.0, learning_rate=0.3, threads=1),
        CatBoostRanker(trees=40, l2=0.0, learning_rate=0.3, threads=1),
    ],
    ids=["LightGBM", "XGBoost", "CatBoost"],
)
@pytest.mark.parametrize("newton", [True, False])
def test_trees_minimise_the_loss(ranker: Ranker, newton: bool, make_data: MakeData) -> None:
    data = make_data()
    ranker.set_params(loss=SquaredError(newton)).fit(data)
    assert np.mean((ranker.predict(data) - data.y) ** 2) < 0.2 * np.var(data.y)


# Neither of scores, nor of one score a document; flat where trees start.
NOT_FOR_TREES = ("ContextualSimilarity", "Ordinal", "ZLoss")
# What these need in brackets.
BRACKETS = {
    **dict.fromkeys(("Approx", "NeuralSort", "PLRank", "PolicyGradient"), "nDCG@5"),
    "Gumbel": "ListNet, samples=2",
    "MultiObjective": "[RankNet, ListNet]",
    "Reweighted": "RankNet",
}


@pytest.mark.parametrize("name", names())
def test_trees_lower_every_loss(name: str, make_data: MakeData) -> None:
    made = make_data(queries=40)
    grades = made.y if name == "Ordinal" else (made.y > 1).astype(np.float32)
    data = RankingDataset(made.X, grades, qid=made.query)
    ranker = LambdaMART(loss=f"{name}({BRACKETS.get(name, '')})", trees=20, threads=1)
    if name in NOT_FOR_TREES:
        with pytest.raises(ConfigurationError, match="expected"):
            ranker.fit(data)
        return
    loss = parsed_loss(f"{name}({BRACKETS.get(name, '')})")
    labels = torch.from_numpy(data.y.reshape(40, -1))
    scores = torch.from_numpy(ranker.fit(data).predict(data).reshape(40, -1))
    assert loss(scores, labels) < loss(torch.zeros_like(labels), labels)


IDLE: list[dict[str, Any]] = [{"gain": "linear"}, {"normalise": False}]


@pytest.mark.parametrize("parameters", [*IDLE, {"truncation": 10}, {"sigmoid": 2.0}])
def test_options_that_lambdamart_would_not_read(
    parameters: dict[str, Any], make_data: MakeData
) -> None:
    for chosen in ({"loss": SquaredError()}, {"objective": "rank_xendcg"}):
        with pytest.raises(ConfigurationError, match="does not read it"):
            LambdaMART(**chosen, **parameters).fit(make_data())  # type: ignore[arg-type]


@pytest.mark.parametrize("parameters", [*IDLE, {"pairs": 3}, {"unbiased": True}])
def test_options_that_xgboost_would_not_read(
    parameters: dict[str, Any], make_data: MakeData
) -> None:
    with pytest.raises(ConfigurationError, match="does not read it"):
        XGBoostRanker(loss=SquaredError(), **parameters).fit(make_data())


def test_an_objective_and_a_loss(make_data: MakeData) -> None:
    with pytest.raises(ConfigurationError, match="one of them"):
        LambdaMART(objective="rank_xendcg", loss=SquaredError()).fit(make_data())
    with pytest.raises(ConfigurationError, match="one of them"):
        XGBoostRanker(objective="rank:map", loss=SquaredError()).fit(make_data())
    with pytest.raises(ConfigurationError, match="one of them"):
        CatBoostRanker(objective="PairLogit", loss=SquaredError()).fit(make_data())


@pytest.mark.parametrize("parameters", [{"target": "NDCG"}, {"top": 3}, {"max_pairs": 3}])
def test_options_that_catboost_would_not_read(
    parameters: dict[str, Any], make_data: MakeData
) -> None:
    with pytest.raises(ConfigurationError, match="does not read it"):
        CatBoostRanker(loss=SquaredError(), **parameters).fit(make_data())


def test_a_leaf_of_catboost_is_a_newton_step(make_data: MakeData) -> None:
    """-sum g / (sum h + l2 mean h) of the rows of a leaf, times the learning rate."""
    data = make_data()
    ranker = CatBoostRanker(
        loss="RankNet", trees=1, learning_rate=0.2, l2=2.0, max_depth=3, threads=1
    ).fit(data)
    scores = ranker.predict(data).astype(np.float64)
    found = LossObjective(parsed_loss("RankNet"), data.y, data.offsets)(np.zeros(len(data)))
    for value in np.unique(scores):
        leaf = scores == value
        bend = found.curvature[leaf].sum() + 2.0 * found.curvature.mean()
        assert value == pytest.approx(-0.2 * found.gradient[leaf].sum() / bend, rel=1e-4)


def test_trees_of_catboost_see_those_before_them(make_data: MakeData) -> None:
    """Early stopping keeps the best prefix, and one more tree leaves the others as they were."""
    train, valid = make_data(seed=0), make_data(seed=1)
    short = CatBoostRanker(loss="ListNet", trees=5, threads=1).fit(train)
    long = CatBoostRanker(loss="ListNet", trees=6, threads=1).fit(train)
    np.testing.assert_allclose(
        long.model_.predict(train.X, ntree_end=5), short.model_.predict(train.X), rtol=1e-12
    )
    stopped = CatBoostRanker(
        loss="ListNet", trees=60, learning_rate=0.5, early_stopping=3, threads=1
    ).fit(train, valid)
    assert stopped.trees_ == 1 + int(np.argmax(stopped.history_)) == stopped.model_.tree_count_
    assert stopped.score(valid) == pytest.approx(max(stopped.history_), abs=1e-6)


def test_ctrl_c_keeps_the_trees_that_catboost_grew(make_data: MakeData) -> None:
    def stop(grown: int, trees: int) -> None:
        if grown == 2:
            raise KeyboardInterrupt

    ranker = CatBoostRanker(loss="ListNet", trees=5, threads=1, progress=stop)
    with pytest.raises(KeyboardInterrupt):
        ranker.fit(make_data())
    assert ranker.trees_ == 2


@pytest.mark.parametrize("kind", [LambdaMART, XGBoostRanker, CatBoostRanker])
def test_the_loss_is_saved_as_its_text(
    kind: type[Ranker], make_data: MakeData, tmp_path: Any
) -> None:
    from plackett.losses.registry import parse_loss

    ranker = kind(loss=parse_loss("RankNet()"), trees=3, threads=1)  # type: ignore[call-arg]
    assert repr(ranker) == f"{kind.__name__}(loss='RankNet()', trees=3, threads=1)"
    ranker.fit(make_data()).save(tmp_path / "model")
    again = kind.load(tmp_path / "model")
    assert repr(again) == repr(ranker)
    np.testing.assert_array_equal(again.predict(make_data()), ranker.predict(make_data()))
