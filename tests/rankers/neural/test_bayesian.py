"""The distribution of scores: closed form against sampling, and the risk."""

from pathlib import Path

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError
from plackett.metrics.risk import risk_aware_scores
from plackett.rankers.base import load_ranker

torch = pytest.importorskip("torch")

from plackett.rankers.neural.bayesian import BayesianMLP  # noqa: E402

SMALL = {"hidden": (12, 8), "loss": "ListNet", "epochs": 5, "learning_rate": 0.02, "dropout": 0.2}


@pytest.mark.parametrize("shared", [True, False])
def test_sampling_agrees_with_the_closed_form(train: RankingDataset, shared: bool) -> None:
    ranker = BayesianMLP(**SMALL).fit(train)
    mean, variance = ranker.predict_distribution(train)
    samples = 4000
    drawn = ranker.sample_scores(train, samples=samples, seed=3, shared=shared)
    error = np.sqrt(variance / samples)
    assert (np.abs(drawn.mean(axis=0) - mean) < 4.5 * error + 1e-6).all()
    np.testing.assert_allclose(drawn.var(axis=0), variance, rtol=0.25)


def test_shared_masks_move_documents_together(train: RankingDataset) -> None:
    ranker = BayesianMLP(**SMALL).fit(train)
    drawn = ranker.sample_scores(train, samples=2000, shared=False)
    correlation = np.corrcoef(drawn[:, :2].T)[0, 1]
    assert abs(correlation) < 0.1
    twice = ranker.sample_scores(train.take_rows(np.array([0])), samples=5, shared=True)
    np.testing.assert_allclose(
        twice[:, 0], ranker.sample_scores(train, samples=5)[:, 0], rtol=1e-4, atol=1e-5
    )


def test_the_mean_is_the_score_without_dropout(train: RankingDataset) -> None:
    ranker = BayesianMLP(**SMALL).fit(train)
    mean, variance = ranker.predict_distribution(train)
    np.testing.assert_allclose(mean, ranker.predict(train), atol=1e-6)
    assert (variance >= 0).all()


@pytest.mark.parametrize("tail", ["lower", "upper"])
@pytest.mark.parametrize("risk", [0.1, 0.5, 0.9, 1.0])
def test_risk_is_the_conditional_value_at_risk(
    train: RankingDataset, tail: str, risk: float
) -> None:
    ranker = BayesianMLP(**SMALL).fit(train)
    mean, variance = ranker.predict_distribution(train)
    scores = ranker.set_params(risk=risk, tail=tail).predict(train)
    expected = risk_aware_scores(mean, variance, risk, tail=tail)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    if risk == 1.0:
        np.testing.assert_allclose(scores, mean, atol=1e-5)


def test_it_learns_to_order(train: RankingDataset, valid: RankingDataset) -> None:
    options = {**SMALL, "epochs": 40}
    assert BayesianMLP(**options).fit(train).score(valid) > 0.85
    assert BayesianMLP(**options, risk=0.3).fit(train).score(valid) > 0.85


def test_a_list_is_scored_alike_in_any_company(shuffled: RankingDataset) -> None:
    ranker = BayesianMLP(**SMALL, risk=0.3).fit(shuffled)
    together = ranker.predict(shuffled)
    mean, variance = ranker.predict_distribution(shuffled)
    for query in list(shuffled.query_ids)[:6]:
        rows = np.asarray(shuffled.rows_of(query))
        part = shuffled.take_rows(rows)
        np.testing.assert_allclose(ranker.predict(part), together[rows], atol=1e-6)
        own_mean, own_variance = ranker.predict_distribution(part)
        np.testing.assert_allclose(own_mean, mean[rows], atol=1e-6)
        np.testing.assert_allclose(own_variance, variance[rows], atol=1e-6)


def test_saved_and_seeded(train: RankingDataset, tmp_path: Path) -> None:
    fitted = BayesianMLP(**SMALL, risk=0.2).fit(train)
    fitted.save(tmp_path)
    loaded = load_ranker(tmp_path)
    assert isinstance(loaded, BayesianMLP)
    assert loaded.predict(train).tobytes() == fitted.predict(train).tobytes()
    np.testing.assert_array_equal(
        loaded.predict_distribution(train)[1], fitted.predict_distribution(train)[1]
    )
    again = BayesianMLP(**SMALL, risk=0.2).fit(train)
    assert again.predict(train).tobytes() == fitted.predict(train).tobytes()


def test_contributions_of_a_risk_score_are_finite(train: RankingDataset) -> None:
    ranker = BayesianMLP(**SMALL, risk=0.2).fit(train)
    found = ranker.contributions(train)
    np.testing.assert_allclose(
        found.base + found.values.sum(axis=1), ranker.predict(train), atol=1e-5
    )


@pytest.mark.parametrize(
    "options", [{"dropout": 0.0}, {"risk": 0.0}, {"risk": 1.5}, {"tail": "middle"}]
)
def test_parameters_out_of_range_are_refused(
    options: dict[str, object], train: RankingDataset
) -> None:
    with pytest.raises(ConfigurationError):
        BayesianMLP(**{**SMALL, **options}).fit(train)


def test_a_loss_of_several_outputs_is_refused(train: RankingDataset) -> None:
    with pytest.raises(ConfigurationError, match="needs a loss with one"):
        BayesianMLP(**{**SMALL, "loss": "Ordinal"}).fit(train)
