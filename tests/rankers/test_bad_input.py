"""Input that is odd or wrong, for every way of training: the right answer, or a clear error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from sklearn.base import clone

from plackett.data.dataset import RankingDataset
from plackett.errors import DataError
from plackett.rankers import CatBoostRanker, LambdaMART, LinearRanker, Ranker, XGBoostRanker
from plackett.rankers.catboost_losses import LOSSES
from plackett.rankers.neural import MLP

MakeData = Callable[..., RankingDataset]
LIGHTGBM: dict[str, Any] = {"trees": 15, "min_documents_in_leaf": 1, "threads": 1}
XGBOOST: dict[str, Any] = {"trees": 15, "min_hessian_in_leaf": 0.01, "threads": 1}
CATBOOST: dict[str, Any] = {"trees": 15, "max_depth": 3, "learning_rate": 0.2, "threads": 1}


class Member(NamedTuple):
    """A ranker, and what it takes for grades: any, whole ones up to `highest`, or up to it."""

    ranker: Ranker
    highest: float = np.inf
    whole: bool = False


MEMBERS = {
    "lambdarank": Member(LambdaMART(**LIGHTGBM), 30),
    "lambdarank linear": Member(LambdaMART(gain="linear", **LIGHTGBM)),
    "fast_lambdarank": Member(LambdaMART(objective="fast_lambdarank", **LIGHTGBM), 30),
    "fast_lambdarank linear": Member(
        LambdaMART(objective="fast_lambdarank", gain="linear", **LIGHTGBM)
    ),
    "rank_xendcg": Member(LambdaMART(objective="rank_xendcg", **LIGHTGBM), 30, True),
    "LightGBM RankNet": Member(LambdaMART(loss="RankNet", **LIGHTGBM)),
    "LightGBM ListNet": Member(LambdaMART(loss="ListNet", **LIGHTGBM)),
    "rank:ndcg": Member(XGBoostRanker(**XGBOOST), 30, True),
    "rank:ndcg linear": Member(XGBoostRanker(gain="linear", **XGBOOST)),
    "rank:ndcg unbiased": Member(XGBoostRanker(unbiased=True, **XGBOOST), 30, True),
    "rank:pairwise": Member(XGBoostRanker(objective="rank:pairwise", **XGBOOST)),
    "rank:map": Member(XGBoostRanker(objective="rank:map", **XGBOOST), 1, True),
    "XGBoost RankNet": Member(XGBoostRanker(loss="RankNet", **XGBOOST)),
    **{
        f"{loss} {target}".removesuffix(" None"): Member(
            CatBoostRanker(objective=loss, target=target, **CATBOOST),
            1 if target in ("ERR", "PFound") else 10 if loss == "QuerySoftMax" else np.inf,
        )
        for loss, target in (
            *((loss, None) for loss in LOSSES),
            ("YetiRank", "MRR"),
            ("YetiRank", "ERR"),
            ("StochasticRank", "PFound"),
        )
    },
    "YetiRank DCG exponential": Member(
        CatBoostRanker(target="DCG", gain="exponential", **CATBOOST), 30
    ),
    "coordinate_ascent": Member(LinearRanker(restarts=1, passes=2)),
    "pairwise_logistic": Member(LinearRanker(method="pairwise_logistic")),
    "MLP": Member(MLP(hidden=(8,), loss="ListNet", epochs=15, batch_lists=4, learning_rate=0.03)),
}


@pytest.fixture(params=MEMBERS)
def member(request: pytest.FixtureRequest) -> Member:
    found = MEMBERS[str(request.param)]
    return found._replace(ranker=clone(found.ranker))


@pytest.fixture
def data(member: Member, make_data: MakeData) -> RankingDataset:
    """Grades that this ranker takes: 0 to 3, or 0 and 1."""
    made = make_data()
    return changed(made, y=made.y if member.highest > 1 else np.float32(made.y > 1))


def changed(data: RankingDataset, **parts: Any) -> RankingDataset:
    """The dataset with another `X`, `y` or `qid`."""
    return RankingDataset(
        parts.get("X", data.X),
        parts.get("y", data.y),
        qid=parts.get("qid", data.query),
        feature_names=data.feature_names,
    )


def follows(ranker: Ranker, data: RankingDataset) -> float:
    """The correlation of the scores with the two features that the grades follow."""
    scores = ranker.predict(data)
    assert np.isfinite(scores).all()
    return float(np.corrcoef(scores, data.X[:, 0] - 0.5 * data.X[:, 1])[0, 1])


def test_nan_features_are_missing_values(member: Member, data: RankingDataset) -> None:
    X = data.X.copy()
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    X[:, 3] = np.nan
    member.ranker.fit(changed(data, X=X))
    assert np.isfinite(member.ranker.predict(changed(data, X=X))).all()
    assert follows(member.ranker, data) > 0.4
    nowhere = changed(data, X=np.full_like(X, np.nan))
    assert np.ptp(member.ranker.predict(nowhere)) == 0


def test_a_constant_feature_changes_nothing_in_any_score(
    member: Member, data: RankingDataset
) -> None:
    X = data.X.copy()
    X[:, 2] = 7
    member.ranker.fit(changed(data, X=X))
    assert follows(member.ranker, data) > 0.5
    if not isinstance(member.ranker, MLP):
        X[:, 2] = -3
        moved = member.ranker.predict(changed(data, X=X))
        np.testing.assert_allclose(moved, member.ranker.predict(data), atol=1e-6)


def test_features_that_are_all_constant(member: Member, data: RankingDataset) -> None:
    flat = changed(data, X=np.ones_like(data.X))
    if isinstance(member.ranker, CatBoostRanker):
        with pytest.raises(DataError, match="features are all constant") as caught:
            member.ranker.fit(flat)
        assert ".cpp" not in str(caught.value)
        return
    assert np.ptp(member.ranker.fit(flat).predict(flat)) == 0


def test_lists_without_a_relevant_document(member: Member, data: RankingDataset) -> None:
    y = data.y.copy()
    y[data.query % 2 == 0] = 0
    assert follows(member.ranker.fit(changed(data, y=y)), data) > 0.3


def test_no_relevant_document_at_all(member: Member, data: RankingDataset) -> None:
    nothing = changed(data, y=np.zeros_like(data.y))
    if "PairLogit" in repr(member.ranker):
        with pytest.raises(DataError, match="Target data is constant"):
            member.ranker.fit(nothing)
        return
    assert np.isfinite(member.ranker.fit(nothing).predict(nothing)).all()


def test_grades_up_to_a_thousand(member: Member, data: RankingDataset) -> None:
    signal = data.X[:, 0] - 0.5 * data.X[:, 1]
    many = changed(data, y=np.round(1000 * (signal - signal.min()) / np.ptp(signal)))
    if member.highest < 1000:
        with pytest.raises(DataError, match=r"grade 1000|grade [0-9]+ .*expected integers"):
            member.ranker.fit(many)
        return
    found = follows(member.ranker.fit(many), data)
    # Of these measures any grade above 0 is relevant: almost all documents are.
    if getattr(member.ranker, "target", None) not in ("MRR", "MAP"):
        assert found > 0.5


def test_grades_that_are_fractions(member: Member, data: RankingDataset) -> None:
    fractions = changed(data, y=data.y / 4)
    if member.whole:
        with pytest.raises(DataError, match=r"grade 0\.[0-9]+ .*expected integers"):
            member.ranker.fit(fractions)
        return
    assert follows(member.ranker.fit(fractions), data) > 0.5


def test_one_query(member: Member, data: RankingDataset) -> None:
    if isinstance(member.ranker, MLP):
        member.ranker.set_params(epochs=60)  # an epoch is one step
    one = changed(data, qid=np.zeros(len(data)))
    found = follows(member.ranker.fit(one), data)
    # The first relevant of 360 documents is all that the reciprocal rank sees.
    assert found > (0.1 if getattr(member.ranker, "target", None) in ("MRR", "ERR") else 0.4)


def test_duplicate_documents_get_equal_scores(member: Member, data: RankingDataset) -> None:
    thrice = changed(
        data, X=np.repeat(data.X, 3, 0), y=np.repeat(data.y, 3), qid=np.repeat(data.query, 3)
    )
    scores = member.ranker.fit(thrice).predict(thrice)
    np.testing.assert_array_equal(scores[::3], scores[1::3])
    np.testing.assert_array_equal(scores[::3], scores[2::3])
    assert follows(member.ranker, data) > 0.4


def test_duplicates_of_different_grades(member: Member, data: RankingDataset) -> None:
    twice = changed(
        data,
        X=np.tile(data.X, (2, 1)),
        y=np.concatenate([data.y, np.zeros_like(data.y)]),
        qid=np.tile(data.query, 2),
    )
    assert follows(member.ranker.fit(twice), data) > 0.3


def test_a_feature_missing_at_prediction(member: Member, data: RankingDataset) -> None:
    member.ranker.fit(data)
    fewer = RankingDataset(
        data.X[:, :3], data.y, qid=data.query, feature_names=data.feature_names[:3]
    )
    with pytest.raises(DataError, match="without feature 'noise:two'"):
        member.ranker.predict(fewer)


def test_two_runs_save_equal_bytes(member: Member, data: RankingDataset, tmp_path: Any) -> None:
    for name in ("first", "second"):
        clone(member.ranker).fit(data).save(tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "second").iterdir())
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


@pytest.mark.parametrize(
    "ranker",
    [
        LambdaMART(bagging_fraction=0.5, bagging_frequency=1, feature_fraction=0.5, **LIGHTGBM),
        LambdaMART(loss="PLRank(nDCG@5)", **LIGHTGBM),
        XGBoostRanker(bagging_fraction=0.5, feature_fraction=0.5, **XGBOOST),
        XGBoostRanker(loss="PLRank(nDCG@5)", **XGBOOST),
        CatBoostRanker(bagging_fraction=0.5, feature_fraction=0.75, **CATBOOST),
    ],
    ids=repr,
)
def test_random_choices_come_from_the_seed(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    files = [clone(ranker).set_params(seed=seed).fit(data)._save_model()[1] for seed in (3, 3, 4)]
    assert files[0] == files[1]
    assert files[0] != files[2]
