"""Q-learning against exact solutions of small games, and as a ranker."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError
from plackett.rankers.base import load_ranker

torch = pytest.importorskip("torch")

from plackett.rankers.neural.deep_q_rank import DeepQRank, q_targets  # noqa: E402

SMALL = {"hidden": (8,), "epochs": 3, "learning_rate": 0.02, "transitions": 4}


class StoppedError(RuntimeError):
    """What ends a training from outside."""


def exact(labels: tuple[float, ...], left: frozenset[int], action: int, discount: float) -> float:
    """Q* of placing `action` when the documents `left` remain, by enumeration of all futures."""
    step = len(labels) - len(left)
    reward = labels[action] / np.log2(step + 2)
    rest = left - {action}
    if not rest:
        return reward
    return reward + discount * max(exact(labels, rest, a, discount) for a in rest)


def one_step(
    labels: tuple[float, ...], order: tuple[int, ...], step: int, following: list[float], g: float
) -> float:
    place = torch.tensor([[order.index(i) for i in range(len(labels))]])
    where = torch.ones_like(place, dtype=torch.bool)
    found = q_targets(
        torch.tensor([labels]), where, place, torch.tensor([step]), torch.tensor([following]), g
    )
    return float(found[0])


def test_two_documents_have_the_known_values() -> None:
    last = [2.0 / np.log2(3), 1.0 / np.log2(3)]
    assert one_step((2.0, 1.0), (0, 1), 0, last, 0.99) == pytest.approx(2.624620, abs=1e-6)
    assert one_step((2.0, 1.0), (1, 0), 0, last, 0.99) == pytest.approx(2.249241, abs=1e-6)
    assert exact((2.0, 1.0), frozenset({0, 1}), 0, 0.99) == pytest.approx(2.624620, abs=1e-6)


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.99])
def test_the_exact_values_of_three_documents_satisfy_the_target(discount: float) -> None:
    labels = (1.0, 3.0, 2.0)
    for order in permutations(range(3)):
        for step in range(3):
            left = frozenset(order[step:])
            rest = left - {order[step]}
            # What was placed already, and the action itself, must not count: they get 100.
            following = [exact(labels, rest, i, discount) if i in rest else 100.0 for i in range(3)]
            found = one_step(labels, order, step, following, discount)
            assert found == pytest.approx(exact(labels, left, order[step], discount), abs=1e-5)


def test_the_target_ignores_padding() -> None:
    place = torch.tensor([[1, 0, 2]])
    found = q_targets(
        torch.tensor([[2.0, 1.0, 9.0]]),
        torch.tensor([[True, True, False]]),
        place,
        torch.tensor([1]),
        torch.full((1, 3), 50.0),
        0.99,
    )
    assert float(found) == pytest.approx(2.0 / np.log2(3))


def both_targets(discount: float) -> tuple[np.ndarray, np.ndarray]:
    """The two targets of every step of one order."""
    labels, order = torch.tensor([[1.0, 3.0, 2.0]]), (1, 0, 2)
    place = torch.tensor([[order.index(i) for i in range(3)]]).expand(3, 3)
    following = torch.tensor([[4.0, 7.0, 6.0], [5.0, 9.0, 2.0], [8.0, 8.0, 8.0]])
    maximum, published = (
        q_targets(
            labels.expand(3, 3),
            torch.ones((3, 3), dtype=torch.bool),
            place,
            torch.arange(3),
            following,
            discount,
            target,
        ).numpy()
        for target in ("maximum", "published")
    )
    return maximum, published


def test_the_published_target_reads_the_document_that_was_just_placed() -> None:
    maximum, published = both_targets(0.9)
    rewards = np.array([3.0 / np.log2(2), 1.0 / np.log2(3), 2.0 / np.log2(4)])
    # Placed are 1, 0, 2; after them remain {0, 2}, {2} and nothing.
    np.testing.assert_allclose(maximum, rewards + 0.9 * np.array([6.0, 2.0, 0.0]), rtol=1e-6)
    np.testing.assert_allclose(published, rewards + 0.9 * np.array([7.0, 5.0, 0.0]), rtol=1e-6)


def test_without_a_future_the_two_targets_are_the_discounted_grade(train: RankingDataset) -> None:
    maximum, published = both_targets(0.0)
    np.testing.assert_array_equal(maximum, published)
    scores = [
        DeepQRank(**SMALL, discount=0.0, target=target).fit(train).predict(train)
        for target in ("maximum", "published")
    ]
    np.testing.assert_array_equal(*scores)


def test_without_a_future_the_network_regresses_the_discounted_grade() -> None:
    X = np.tile(np.array([[0.0], [1.0]], dtype=np.float32), (16, 1))
    data = RankingDataset(X, y=[2, 1] * 16, qid=np.repeat(np.arange(16), 2))
    ranker = DeepQRank(
        hidden=(16,), epochs=150, learning_rate=0.02, batch_lists=4, discount=0.0, transitions=4
    ).fit(data)
    inputs = torch.from_numpy(ranker.inputs_.apply(X[:2], np.array([2])))
    online = ranker.network_.online
    for step in range(2):
        with torch.no_grad():
            found = online.at(online.documents(inputs), torch.tensor([step, step]))
        expected = np.array([2.0, 1.0]) / np.log2(step + 2)
        np.testing.assert_allclose(found.numpy(), expected, atol=0.03)


def test_the_published_target_reaches_its_own_fixed_point() -> None:
    X = np.tile(np.array([[0.0], [1.0]], dtype=np.float32), (16, 1))
    data = RankingDataset(X, y=[2, 1] * 16, qid=np.repeat(np.arange(16), 2))
    ranker = DeepQRank(
        hidden=(16,),
        epochs=150,
        learning_rate=0.02,
        batch_lists=4,
        target="published",
        target_rate=0.1,
        transitions=4,
    ).fit(data)
    inputs = torch.from_numpy(ranker.inputs_.apply(X[:2], np.array([2])))
    with torch.no_grad():
        first = ranker.network_(inputs, torch.ones((1, 2), dtype=torch.bool))
    twice = 1 + 0.99 / np.log2(3)  # the document's own grade at both steps
    np.testing.assert_allclose(first.numpy(), [2 * twice, twice], atol=0.05)


def test_the_order_places_the_document_of_greatest_value_at_each_step(
    train: RankingDataset,
) -> None:
    ranker = DeepQRank(**SMALL).fit(train)
    scores, online = ranker.predict(train), ranker.network_.online
    for query in list(train.query_ids)[:8]:
        rows = np.asarray(train.rows_of(query))
        part = np.asarray(train.X)[rows]
        inputs = torch.from_numpy(ranker.inputs_.apply(part, np.array([len(rows)])))
        left, expected = list(range(len(rows))), np.zeros(len(rows))
        for step in range(len(rows)):
            with torch.no_grad():
                values = online.at(online.documents(inputs), torch.full((len(rows),), step))
            chosen = max(left, key=lambda i: float(values[i]))
            expected[chosen] = -(step + 1)
            left.remove(chosen)
        np.testing.assert_array_equal(scores[rows], expected)


def test_training_reaches_the_exact_values() -> None:
    X = np.tile(np.array([[0.0], [1.0]], dtype=np.float32), (16, 1))
    data = RankingDataset(X, y=[2, 1] * 16, qid=np.repeat(np.arange(16), 2))
    ranker = DeepQRank(
        hidden=(16,), epochs=200, learning_rate=0.02, target_rate=0.2, transitions=4
    ).fit(data)
    inputs = torch.from_numpy(ranker.inputs_.apply(X[:2], np.array([2])))
    with torch.no_grad():
        first = ranker.network_(inputs, torch.ones((1, 2), dtype=torch.bool))
    np.testing.assert_allclose(first.numpy(), [2.624620, 2.249241], atol=0.03)


def test_it_learns_to_order(train: RankingDataset, valid: RankingDataset) -> None:
    ranker = DeepQRank(epochs=40, learning_rate=0.02, target_rate=0.05).fit(train)
    assert ranker.score(valid) > DeepQRank(**{**SMALL, "epochs": 1}).fit(train).score(valid)
    assert ranker.score(valid) > 0.85


def test_scores_are_positions(train: RankingDataset) -> None:
    scores = DeepQRank(**SMALL).fit(train).predict(train)
    for query in train.query_ids:
        own = np.sort(scores[train.rows_of(query)])[::-1]
        np.testing.assert_array_equal(own, -np.arange(1, len(own) + 1))


def test_a_list_is_ranked_alike_in_any_company(shuffled: RankingDataset) -> None:
    ranker = DeepQRank(**SMALL).fit(shuffled)
    together = ranker.predict(shuffled)
    for query in list(shuffled.query_ids)[:6]:
        rows = np.asarray(shuffled.rows_of(query))
        np.testing.assert_array_equal(ranker.predict(shuffled.take_rows(rows)), together[rows])


def test_the_target_network_survives_a_restart(
    train: RankingDataset, valid: RankingDataset, tmp_path: Path
) -> None:
    def kill(done: int, epochs: int) -> None:
        if done == 2:
            raise StoppedError

    whole = DeepQRank(**SMALL).fit(train, valid)
    with pytest.raises(StoppedError):
        DeepQRank(**SMALL, checkpoint=tmp_path, progress=kill).fit(train, valid)
    resumed = DeepQRank(**SMALL, checkpoint=tmp_path).fit(train, valid)
    weights = resumed.network_.state_dict()
    for name, value in whole.network_.state_dict().items():
        assert torch.equal(value, weights[name]), name
    assert any(name.startswith("target.") for name in weights)


def test_saved_and_seeded(train: RankingDataset, tmp_path: Path) -> None:
    fitted = DeepQRank(**SMALL).fit(train)
    fitted.save(tmp_path)
    assert load_ranker(tmp_path).predict(train).tobytes() == fitted.predict(train).tobytes()
    again = DeepQRank(**SMALL).fit(train)
    for name, value in fitted.network_.state_dict().items():
        assert torch.equal(value, again.network_.state_dict()[name])


def test_what_has_no_effect_is_refused(train: RankingDataset) -> None:
    for options in (
        {"loss": "ListNet"},
        {"hidden": ()},
        {"discount": 2.0},
        {"target_rate": 0.0},
        {"target": "mean"},
    ):
        with pytest.raises(ConfigurationError):
            DeepQRank(**options).fit(train)
    with pytest.raises(ConfigurationError, match="feature_ablation"):
        DeepQRank(**SMALL).fit(train).contributions(train)
