"""Token-budget batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.encoders.batches import padding_share, token_batches
from plackett.errors import ConfigurationError

LENGTHS = st.lists(st.integers(0, 300), max_size=60)


@given(lengths=LENGTHS, budget=st.integers(1, 2000), multiple=st.integers(1, 16))
def test_every_text_is_in_one_batch_within_the_budget(
    lengths: list[int], budget: int, multiple: int
) -> None:
    batches = token_batches(lengths, budget, multiple=multiple)
    rows = [row for batch in batches for row in batch.rows.tolist()]
    assert sorted(rows) == list(range(len(lengths)))
    assert [batch.width for batch in batches] == sorted((b.width for b in batches), reverse=True)
    for batch in batches:
        longest = max(lengths[row] for row in batch.rows)
        assert batch.width == max(1, -(-longest // multiple)) * multiple
        assert len(batch.rows) == 1 or len(batch.rows) * batch.width <= budget


@given(lengths=st.lists(st.integers(1, 300), min_size=1, max_size=60))
def test_texts_go_from_long_to_short_and_little_is_padded(lengths: list[int]) -> None:
    batches = token_batches(lengths, 2048)
    ordered = [lengths[row] for batch in batches for row in batch.rows.tolist()]
    assert ordered == sorted(lengths, reverse=True)
    # A text is at least 0.75 of the width, less what rounding to 8 adds; so is the share.
    assert padding_share(lengths, batches) >= 0.0
    for batch in batches:
        shortest = min(lengths[row] for row in batch.rows)
        assert shortest > 0.75 * batch.width - 8


def test_no_text_is_padded_beyond_what_the_model_reads() -> None:
    (batch,) = token_batches([61, 60], 1000, longest=62)
    assert batch.width == 62
    assert token_batches([70], 1000, longest=62)[0].width == 70


def test_equal_lengths_keep_their_order() -> None:
    batches = token_batches([5, 5, 5, 5], 16)
    assert [batch.rows.tolist() for batch in batches] == [[0, 1], [2, 3]]


def test_no_texts_are_no_batches() -> None:
    assert token_batches([], 100) == []
    assert padding_share([], []) == 0.0
    assert padding_share(np.array([8]), token_batches([8], 8)) == 0.0


@pytest.mark.parametrize(("budget", "multiple"), [(0, 8), (8, 0)])
def test_impossible_budgets_are_refused(budget: int, multiple: int) -> None:
    with pytest.raises(ConfigurationError, match="expected 1 or more"):
        token_batches([1], budget, multiple=multiple)
