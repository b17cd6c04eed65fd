"""The profit-aware ranker: tokens, lists, bounds, and the first part trained before."""

from pathlib import Path

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError
from plackett.rankers.base import load_ranker

torch = pytest.importorskip("torch")

from plackett.rankers.neural.profit_aware import ProfitAwareRanker  # noqa: E402

SMALL = {
    "width": 8,
    "feature_blocks": 1,
    "feature_heads": 2,
    "list_blocks": 1,
    "list_heads": 2,
    "list_feed_forward": 8,
    "epochs": 2,
    "learning_rate": 0.01,
}


class StoppedError(RuntimeError):
    """What ends a training from outside."""


def test_tokens_are_the_summary_then_one_of_each_input(train: RankingDataset) -> None:
    X = train.X.copy()
    X[:, 3] = np.round(X[:, 3])
    data = RankingDataset(X, train.y, qid=train.query)
    ranker = ProfitAwareRanker(**SMALL, categorical=("4",)).fit(data)
    encoder = ranker.network_.encoder
    rows = torch.tensor([[2.0, 0.0, -1.0, 1.0]])
    with torch.no_grad():
        tokens = encoder.tokens(rows)
    assert tokens.shape == (1, 5, 8)
    torch.testing.assert_close(tokens[0, 0], encoder.summary)
    torch.testing.assert_close(tokens[0, 1], 2 * encoder.weight[0] + encoder.bias[0])
    torch.testing.assert_close(tokens[0, 2], encoder.bias[1])
    torch.testing.assert_close(tokens[0, 4], encoder.categories.tables[0].weight[1])


@pytest.mark.parametrize("options", [{}, {"pretraining_epochs": 10}])
def test_it_learns_to_order(
    options: dict[str, int], train: RankingDataset, valid: RankingDataset
) -> None:
    ranker = ProfitAwareRanker(**{**SMALL, "epochs": 25}, **options).fit(train)
    scores = ranker.predict(valid)
    assert ranker.score(valid) > 0.8
    assert (np.abs(scores) <= 1).all()


def test_the_first_part_is_frozen_after_its_own_training(train: RankingDataset) -> None:
    fitted = [
        ProfitAwareRanker(**{**SMALL, "epochs": epochs}, pretraining_epochs=2).fit(train)
        for epochs in (1, 3)
    ]
    one, three = (ranker.network_.encoder.state_dict() for ranker in fitted)
    assert all(torch.equal(value, three[name]) for name, value in one.items())
    ends = [ranker.network_.last.weight for ranker in fitted]
    assert not torch.equal(*ends)
    untrained = ProfitAwareRanker(**SMALL)._fresh_network(fitted[0].inputs_, 1)
    assert not torch.equal(untrained.encoder.weight, fitted[0].network_.encoder.weight)


def test_a_restart_gives_the_same_bytes(train: RankingDataset, tmp_path: Path) -> None:
    def stop(done: int, epochs: int) -> None:
        raise StoppedError

    options = {**SMALL, "pretraining_epochs": 2}
    whole = ProfitAwareRanker(**options).fit(train)
    with pytest.raises(StoppedError):
        ProfitAwareRanker(**options, checkpoint=tmp_path, progress=stop).fit(train)
    resumed = ProfitAwareRanker(**options, checkpoint=tmp_path).fit(train)
    assert resumed.predict(train).tobytes() == whole.predict(train).tobytes()


def test_scores_follow_their_documents_and_not_the_company(shuffled: RankingDataset) -> None:
    ranker = ProfitAwareRanker(**SMALL).fit(shuffled)
    together = ranker.predict(shuffled)
    for query in list(shuffled.query_ids)[:6]:
        rows = np.asarray(shuffled.rows_of(query))[::-1]
        np.testing.assert_allclose(
            ranker.predict(shuffled.take_rows(rows)), together[rows], atol=1e-5
        )


def test_saved_and_seeded(train: RankingDataset, tmp_path: Path) -> None:
    fitted = ProfitAwareRanker(**SMALL, pretraining_epochs=1).fit(train)
    fitted.save(tmp_path)
    assert load_ranker(tmp_path).predict(train).tobytes() == fitted.predict(train).tobytes()
    again = ProfitAwareRanker(**SMALL, pretraining_epochs=1).fit(train)
    assert again.predict(train).tobytes() == fitted.predict(train).tobytes()


def test_features_explain_the_scores(train: RankingDataset) -> None:
    small = train.take_rows(np.arange(20))
    ranker = ProfitAwareRanker(**SMALL, pretraining_epochs=1).fit(small)
    found = ranker.contributions(small)
    np.testing.assert_allclose(
        found.base + found.values.sum(axis=1), ranker.predict(small), atol=1e-5
    )
    assert set(ranker.importance()) == set(small.feature_names)


@pytest.mark.parametrize(
    "options", [{"feature_heads": 3}, {"list_heads": 3}, {"width": 0}, {"loss": "Ordinal"}]
)
def test_parameters_that_do_not_fit_are_refused(
    options: dict[str, object], train: RankingDataset
) -> None:
    with pytest.raises(ConfigurationError):
        ProfitAwareRanker(**{**SMALL, **options}).fit(train)
