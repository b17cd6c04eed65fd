"""What features are worth."""

import json

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError
from plackett.rankers import LambdaMART, LinearRanker
from plackett.rankers.ablation import feature_ablation


def data() -> RankingDataset:
    random = np.random.default_rng(0)
    X = random.standard_normal((800, 4)).astype(np.float32)
    X[:, 3] = 1.0
    y = np.clip(np.round(2 * X[:, 0] + X[:, 1]), 0, 3)
    return RankingDataset(X, y, qid=np.repeat(np.arange(80), 10))


@pytest.mark.parametrize("ranker", [LinearRanker(), LambdaMART(trees=20, threads=1)])
def test_the_feature_that_decides_is_worth_most(ranker: LinearRanker) -> None:
    rows = data()
    found = feature_ablation(ranker.fit(rows), rows)
    assert [worth.feature for worth in found.features[:2]] == ["1", "2"]
    worth = {worth.feature: worth for worth in found.features}
    assert worth["4"].loss == 0.0
    assert worth["1"].low > 0
    assert found.value == pytest.approx(float(ranker.score(rows)), abs=1e-12)


def test_it_repeats_and_prints_and_becomes_json() -> None:
    rows = data()
    ranker = LinearRanker().fit(rows)
    first, second = (feature_ablation(ranker, rows, "AP", repeats=2, seed=4) for _ in range(2))
    assert first == second
    assert str(first).startswith("AP = ")
    assert json.loads(first.to_json())["features"][0]["feature"] == "1"
    with pytest.raises(ConfigurationError, match="repeats"):
        feature_ablation(ranker, rows, repeats=0)


def test_where_lower_is_better_a_loss_is_a_rise() -> None:
    rows = data()
    found = feature_ablation(LinearRanker().fit(rows), rows, "ARP")
    assert found.features[0].loss > 0


def test_each_feature_is_shuffled_alone() -> None:
    rows = data()
    ranker = LinearRanker(method="pairwise_logistic").fit(rows)
    found = {part.feature: part.loss for part in feature_ablation(ranker, rows, repeats=1).features}
    order = np.random.default_rng(0).permutation(len(rows))
    for f, name in enumerate(rows.feature_names):
        X = rows.X.copy()
        X[:, f] = X[order, f]
        changed = RankingDataset(X, rows.y, qid=rows.query, feature_names=rows.feature_names)
        assert found[name] == pytest.approx(ranker.score(rows) - ranker.score(changed), abs=1e-12)
