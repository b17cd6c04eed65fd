"""Neural PG-RANK: its losses, learning, and draws from the policy."""

from pathlib import Path

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError
from plackett.rankers.base import load_ranker

torch = pytest.importorskip("torch")

from plackett.rankers.neural.policy_gradient import PGRank  # noqa: E402

SMALL = {"hidden": (8,), "epochs": 3, "learning_rate": 0.02, "dropout": 0.0}


@pytest.mark.parametrize("loss", ["PolicyGradient(nDCG@10, samples=8)", "PLRank(nDCG@10)"])
def test_it_learns_to_order(loss: str, train: RankingDataset, valid: RankingDataset) -> None:
    assert PGRank(**{**SMALL, "epochs": 40}, loss=loss).fit(train).score(valid) > 0.85


def test_draws_follow_the_plackett_luce_model() -> None:
    X = np.array([[1.0], [0.0], [-1.0]], dtype=np.float32)
    data = RankingDataset(X, y=[2, 1, 0], qid=["q"] * 3, documents=["a", "b", "c"])
    ranker = PGRank(**SMALL, loss="PLRank(nDCG@10, temperature=0.5)").fit(data)
    weights = np.exp(ranker.predict(data).astype(float) / 0.5)
    samples = 800
    runs = ranker.rank_sampled(data, samples=samples, seed=5)
    firsts = [run["q"][0][0] for run in runs]
    for name, weight in zip("abc", weights / weights.sum(), strict=True):
        error = np.sqrt(weight * (1 - weight) / samples)
        assert abs(firsts.count(name) / samples - weight) < 4 * error


def test_more_draws_do_not_change_the_first(train: RankingDataset) -> None:
    ranker = PGRank(**SMALL).fit(train)
    first = ranker.rank_sampled(train, samples=1, seed=2)[0].to_dict()
    assert first == ranker.rank_sampled(train, samples=3, seed=2)[0].to_dict()
    assert first != ranker.rank_sampled(train, samples=1, seed=3)[0].to_dict()


def test_a_list_is_scored_alike_in_any_company(shuffled: RankingDataset) -> None:
    ranker = PGRank(**SMALL).fit(shuffled)
    together = ranker.predict(shuffled)
    for query in list(shuffled.query_ids)[:6]:
        rows = np.asarray(shuffled.rows_of(query))
        np.testing.assert_allclose(
            ranker.predict(shuffled.take_rows(rows)), together[rows], atol=1e-6
        )


def test_saved_and_seeded(train: RankingDataset, tmp_path: Path) -> None:
    fitted = PGRank(**SMALL).fit(train)
    fitted.save(tmp_path)
    assert load_ranker(tmp_path).predict(train).tobytes() == fitted.predict(train).tobytes()
    assert PGRank(**SMALL).fit(train).predict(train).tobytes() == fitted.predict(train).tobytes()


def test_another_loss_is_refused(train: RankingDataset) -> None:
    with pytest.raises(ConfigurationError, match="MLP takes any loss"):
        PGRank(**SMALL, loss="ListNet").fit(train)
    with pytest.raises(ConfigurationError):
        PGRank(**SMALL).fit(train).rank_sampled(train, samples=0)
