"""Means of weights: what they equal, what they refuse."""

from pathlib import Path

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import DataError, NotFittedError
from plackett.rankers import LambdaMART
from plackett.rankers.base import load_ranker
from plackett.rankers.objective import MeanMeasure

torch = pytest.importorskip("torch")

from plackett.rankers.neural import MLP, GrowNet, NeuralRanker, SelfAttention  # noqa: E402
from plackett.rankers.neural.soups import greedy_soup, uniform_soup  # noqa: E402

from .conftest import lists_of  # noqa: E402

SMALL = {"hidden": (8,), "loss": "ListNet", "epochs": 3, "learning_rate": 0.02}
RATES = (0.003, 0.01, 0.03, 0.1, 1.0)


def trained(train: RankingDataset, **options: object) -> list[MLP]:
    return [
        MLP(**{**SMALL, "learning_rate": rate, **options}).fit(train)  # type: ignore[arg-type]
        for rate in RATES
    ]


@pytest.mark.parametrize("copies", [1, 2, 3, 7])
@pytest.mark.parametrize(
    "ranker", [MLP(**SMALL), SelfAttention(**SMALL, heads=2, feed_forward=8)], ids=["mlp", "sa"]
)
def test_a_soup_of_identical_networks_is_that_network(
    ranker: NeuralRanker, copies: int, train: RankingDataset, valid: RankingDataset
) -> None:
    fitted = ranker.fit(train)
    soup = uniform_soup([fitted] * copies)
    assert soup.predict(valid).tobytes() == fitted.predict(valid).tobytes()
    assert soup is not fitted
    assert soup.network_ is not fitted.network_


def test_the_soup_of_linear_networks_scores_with_the_mean(
    train: RankingDataset, valid: RankingDataset
) -> None:
    rankers = trained(train, hidden=())
    before = [ranker.predict(valid) for ranker in rankers]
    found = uniform_soup(rankers).predict(valid)
    np.testing.assert_allclose(found, np.mean(before, axis=0), atol=1e-5)
    for ranker, scores in zip(rankers, before, strict=True):
        assert ranker.predict(valid).tobytes() == scores.tobytes()


def test_weights_are_the_mean_and_the_order_of_rankers_does_not_matter(
    train: RankingDataset,
) -> None:
    rankers = trained(train)
    soup, turned = uniform_soup(rankers), uniform_soup(rankers[::-1])
    for name, value in soup.network_.state_dict().items():
        values = torch.stack([ranker.network_.state_dict()[name] for ranker in rankers])
        torch.testing.assert_close(value, values.double().mean(dim=0).float())
        torch.testing.assert_close(value, turned.network_.state_dict()[name])


@pytest.mark.parametrize("measure", ["nDCG@10", "RR", "ARP"])
@pytest.mark.parametrize("seed", range(3))
def test_the_greedy_soup_is_never_worse_than_the_best(
    measure: str, seed: int, train: RankingDataset
) -> None:
    valid = lists_of(100 + seed)
    rankers = trained(train)
    objective = MeanMeasure(measure, valid.y, valid.offsets, valid.order)
    values = [objective(ranker.predict(valid)) for ranker in rankers]
    soup = greedy_soup(rankers, valid, measure)
    assert objective(soup.predict(valid)) >= max(values)
    assert soup.records_[0]["network"] == int(np.argmax(values))
    kept = [rankers[row["network"]] for row in soup.records_ if row["kept"]]
    assert uniform_soup(kept).predict(valid).tobytes() == soup.predict(valid).tobytes()
    assert sorted(row["network"] for row in soup.records_) == list(range(len(rankers)))


def test_a_bad_network_stays_out(train: RankingDataset, valid: RankingDataset) -> None:
    good = MLP(**{**SMALL, "hidden": (), "epochs": 30}).fit(train)
    bad = uniform_soup([good])
    with torch.no_grad():
        for parameter in bad.network_.parameters():
            parameter.mul_(-3.0)
    soup = greedy_soup([bad, good], valid)
    assert [row["kept"] for row in soup.records_] == [True, False]
    assert soup.predict(valid).tobytes() == good.predict(valid).tobytes()


def test_a_soup_is_saved_like_any_ranker(
    train: RankingDataset, valid: RankingDataset, tmp_path: Path
) -> None:
    soup = greedy_soup(trained(train), valid)
    soup.save(tmp_path)
    loaded = load_ranker(tmp_path)
    assert loaded.predict(valid).tobytes() == soup.predict(valid).tobytes()
    assert isinstance(loaded, MLP)
    assert loaded.records_ == soup.records_


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": (9,)}, "hidden"),
        ({"function": "tanh"}, "function"),
        ({"transform": "query"}, "transform"),
        ({"loss": "Ordinal"}, "outputs"),
    ],
)
def test_networks_that_are_not_alike_are_refused(
    options: dict[str, object], message: str, train: RankingDataset
) -> None:
    first = MLP(**SMALL).fit(train)
    second = MLP(**{**SMALL, **options}).fit(train)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=f"networks 0 and 1 with different .*{message}"):
        uniform_soup([first, second])


def test_input_transforms_of_other_rows_are_refused(
    train: RankingDataset, valid: RankingDataset
) -> None:
    rankers = [MLP(**SMALL).fit(data) for data in (train, train, valid)]
    with pytest.raises(DataError, match="networks 0 and 2 with different input transforms"):
        greedy_soup(rankers, valid)


def test_other_wrong_uses(train: RankingDataset) -> None:
    with pytest.raises(DataError, match="no ranker"):
        uniform_soup([])
    with pytest.raises(NotFittedError):
        uniform_soup([MLP(**SMALL)])
    with pytest.raises(DataError, match="classes"):
        uniform_soup([MLP(**SMALL).fit(train), SelfAttention(**SMALL, feed_forward=8).fit(train)])
    with pytest.raises(DataError, match="statistics"):
        uniform_soup([GrowNet(stages=1, hidden=4).fit(train)])
    with pytest.raises(DataError, match="a LambdaMART"):
        uniform_soup([LambdaMART(trees=1)])  # type: ignore[type-var]
