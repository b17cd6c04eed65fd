"""Networks of lists: equivariant, blind to padding, equal to simpler ones where they must be."""

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, UnknownNameError

torch = pytest.importorskip("torch")

from plackett.rankers.neural import MLP, SelfAttention  # noqa: E402
from plackett.rankers.neural.networks import Attention, InputLayer  # noqa: E402
from plackett.rankers.neural.self_attention import sinusoids  # noqa: E402
from plackett.rankers.objective import MeanMeasure  # noqa: E402

SMALL = {"epochs": 2, "loss": "ListNet", "learning_rate": 0.01}
RANKERS = {
    "MLP": MLP(hidden=(8,), **SMALL),
    "SelfAttention": SelfAttention(hidden=(8,), heads=2, feed_forward=8, **SMALL),
}


@pytest.mark.parametrize("name", RANKERS)
def test_scores_follow_the_documents(name: str, train: RankingDataset) -> None:
    ranker = RANKERS[name].fit(train)
    order = np.random.default_rng(5).permutation(len(train))
    shuffled = train.take_rows(order)
    np.testing.assert_allclose(ranker.predict(shuffled), ranker.predict(train)[order], atol=1e-6)


@pytest.mark.parametrize("name", RANKERS)
def test_other_lists_of_the_batch_change_nothing(name: str, train: RankingDataset) -> None:
    ranker = RANKERS[name].fit(train)
    together = ranker.predict(train)
    for query in list(train.query_ids)[:6]:
        rows = train.rows_of(query)
        alone = ranker.predict(train.take_rows(rows))
        np.testing.assert_allclose(alone, together[rows], atol=1e-6)


def test_attention_depends_on_the_list_and_the_mlp_does_not(train: RankingDataset) -> None:
    rows = max((train.rows_of(query) for query in train.query_ids), key=len)
    for name, changes in (("MLP", False), ("SelfAttention", True)):
        ranker = RANKERS[name].fit(train)
        alone = ranker.predict(train.take_rows(rows[:1]))
        together = ranker.predict(train.take_rows(rows))[:1]
        assert (abs(alone - together) > 1e-4).any() == changes


def test_attention_is_softmax_of_scaled_products() -> None:
    torch.manual_seed(0)
    attention = Attention(6, 2, 0.0).eval()
    rows, where = (
        torch.randn(5, 6),
        torch.tensor([[True] * 3 + [False], [True, True] + [False] * 2]),
    )
    found = attention(rows, where)
    start = 0
    for length in (3, 2):
        own = attention.project(rows[start : start + length]).view(length, 3, 2, 3)
        query, key, value = (own[:, i].transpose(0, 1) for i in range(3))
        weights = torch.softmax(query @ key.transpose(1, 2) / 3**0.5, dim=-1)
        mixed = (weights @ value).transpose(0, 1).reshape(length, 6)
        torch.testing.assert_close(found[start : start + length], attention.out(mixed))
        start += length


def test_no_blocks_are_a_feed_forward_network(train: RankingDataset) -> None:
    ranker = SelfAttention(hidden=(8,), blocks=0, heads=1, **SMALL).fit(train)
    rows = max((train.rows_of(query) for query in train.query_ids), key=len)
    alone = ranker.predict(train.take_rows(rows[:1]))
    np.testing.assert_allclose(alone, ranker.predict(train)[rows[:1]], atol=1e-6)


@pytest.mark.parametrize("positions", ["fixed", "learned"])
def test_positions_make_the_order_of_the_rows_count(positions: str, train: RankingDataset) -> None:
    ranker = SelfAttention(
        hidden=(8,), heads=2, feed_forward=8, positions=positions, longest_position=4, **SMALL
    ).fit(train)
    rows = max((train.rows_of(query) for query in train.query_ids), key=len)
    forward = ranker.predict(train.take_rows(rows))
    backward = ranker.predict(train.take_rows(rows[::-1]))[::-1]
    assert np.abs(forward - backward).max() > 1e-4


def test_sinusoids_are_the_paper_s() -> None:
    table = sinusoids(7, 6)
    for position in range(7):
        for i in range(3):
            angle = position / 10_000 ** (2 * i / 6)
            assert table[position, 2 * i] == pytest.approx(np.sin(angle), abs=1e-5)
            assert table[position, 2 * i + 1] == pytest.approx(np.cos(angle), abs=1e-5)


@pytest.mark.parametrize("multiplexed", [None, 5])
def test_embeddings_follow_the_numbers(multiplexed: int | None) -> None:
    layer = InputLayer(2, (3, 4), 2, multiplexed)
    rows = torch.tensor([[0.5, -1.0, 2.0, 3.0], [0.5, -1.0, 2.0, 1.0]])
    found = layer(rows)
    assert found.shape == (2, 6) == (2, layer.width)
    assert torch.equal(found[:, :2], rows[:, :2])
    assert torch.equal(found[0, 2:4], found[1, 2:4])
    assert not torch.equal(found[0, 4:], found[1, 4:])


@pytest.mark.parametrize("multiplexed", [None, 16])
def test_categories_can_be_learned_from(multiplexed: int | None) -> None:
    random = np.random.default_rng(0)
    kind = random.integers(0, 6, 600)
    y = np.array([3, 0, 2, 0, 1, 0])[kind]
    data = RankingDataset(
        kind[:, None], y, qid=np.repeat(np.arange(60), 10), feature_names=["kind"]
    )
    options = {"hidden": (8,), "dropout": 0.0, "epochs": 60, "learning_rate": 0.03}
    ranker = MLP(loss="ListNet", categorical=("kind",), multiplexed=multiplexed, **options)
    assert ranker.fit(data).score(data) > 0.99


def test_an_output_a_threshold_ranks_by_their_sum(train: RankingDataset) -> None:
    ranker = MLP(hidden=(16,), loss="Ordinal", epochs=80, learning_rate=0.03, dropout=0.0)
    ranker.fit(train)
    assert ranker.outputs_ == int(train.y.max())
    best = MeanMeasure("nDCG@10", train.y, train.offsets)(train.y)
    assert ranker.score(train) > 0.97 * best


@pytest.mark.parametrize(
    ("ranker", "message"),
    [
        (MLP(hidden=(0,)), "hidden"),
        (MLP(dropout=1.0), "dropout"),
        (SelfAttention(hidden=()), "hidden"),
        (SelfAttention(heads=3), "heads=3 does not divide"),
        (MLP(epochs=0), "epochs"),
        (MLP(checkpoint_steps=3), "checkpoint"),
        (MLP(warmup=2.0), "warmup"),
        (MLP(clip_gradient=0.0), "clip_gradient"),
        (MLP(longest_list=0), "longest_list"),
    ],
)
def test_wrong_parameters_are_refused(ranker: MLP, message: str, train: RankingDataset) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ranker.fit(train)


def test_unknown_names_are_refused(train: RankingDataset) -> None:
    for changed, message in (
        ({"function": "swish"}, "activation"),
        ({"schedule": "wave"}, "schedule"),
        ({"loss": "Listnet"}, "loss"),
        ({"transform": "rank"}, "transform"),
        ({"average": "mean"}, "average"),
        ({"precision": "half"}, "precision"),
    ):
        with pytest.raises(UnknownNameError, match=message):
            MLP(**changed).fit(train)
    with pytest.raises(ConfigurationError, match="device"):
        MLP(device="abacus", epochs=1).fit(train)
