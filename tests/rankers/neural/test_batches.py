"""Packing: every list once, rows where they belong, padding nowhere but in the rectangle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.dataset import RankingDataset

torch = pytest.importorskip("torch")

from plackett.rankers.neural import batches as module  # noqa: E402
from plackett.rankers.neural.batches import Lists, as_flat, as_padded, plan_batches  # noqa: E402
from plackett.rankers.neural.inputs import fit_inputs  # noqa: E402


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=80),
    st.integers(1, 9),
    st.integers(1, 200),
    st.integers(0, 5),
)
def test_a_plan_has_every_list_once_within_its_limits(
    lengths: list[int], lists: int, documents: int, seed: int
) -> None:
    array = np.array(lengths)
    plan = plan_batches(array, np.random.default_rng(seed), lists=lists, documents=documents)
    assert sorted(np.concatenate(plan).tolist()) == list(range(len(lengths)))
    for batch in plan:
        assert len(batch) <= lists
        assert len(batch) == 1 or array[batch].max() * len(batch) <= documents


def test_padding_there_and_back() -> None:
    where = torch.tensor([[True, True, False], [True, False, False]])
    flat = torch.arange(6.0).view(3, 2)
    padded = as_padded(flat, where)
    assert padded.shape == (2, 3, 2)
    assert padded[~where].abs().sum() == 0
    assert torch.equal(as_flat(padded, where, 3), flat)
    full = torch.ones(1, 3, dtype=torch.bool)
    assert torch.equal(as_flat(as_padded(flat, full), full, 3), flat)


def lists_of(data: RankingDataset) -> Lists:
    inputs = fit_inputs(data.X, data.feature_names, kind="none")
    return Lists(data, inputs, torch.device("cpu"))


def test_rows_come_with_their_lists_whatever_their_order(shuffled: RankingDataset) -> None:
    lists = lists_of(shuffled)
    batch = lists.batch(np.array([2, 0]))
    for row, number in enumerate((2, 0)):
        rows = shuffled.rows_of(shuffled.query_ids[number])
        own = batch.where[row].nonzero().squeeze(1)
        assert len(own) == len(rows)
        np.testing.assert_array_equal(batch.labels[row, own].numpy(), shuffled.y[rows])
    both = np.concatenate([shuffled.rows_of(shuffled.query_ids[i]) for i in (2, 0)])
    np.testing.assert_array_equal(batch.rows.numpy(), shuffled.X[both])


def test_inputs_made_batch_by_batch_are_the_same(
    train: RankingDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = lists_of(train).batch(np.array([1, 3]))
    monkeypatch.setattr(module, "HELD_BYTES", 0)
    made = lists_of(train).batch(np.array([1, 3]))
    assert torch.equal(held.rows, made.rows)


def test_long_lists_are_sampled_and_short_ones_are_not(train: RankingDataset) -> None:
    lists = lists_of(train)
    longest = int(lists.lengths.max())
    chosen = np.array([int(lists.lengths.argmax()), int(lists.lengths.argmin())])
    batch = lists.batch(chosen, longest=longest - 1, random=np.random.default_rng(0))
    assert batch.where.sum(dim=1).tolist() == [longest - 1, int(lists.lengths.min())]
    assert (np.diff(batch.order[: longest - 1]) > 0).all()


def test_prediction_visits_every_row_once(train: RankingDataset) -> None:
    order = np.concatenate([batch.order for batch in lists_of(train).in_order(20)])
    assert sorted(order.tolist()) == list(range(len(train)))
