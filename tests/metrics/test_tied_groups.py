"""Averaged ties are the mean over all orders inside the groups of equal scores."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError
from plackett.metrics import evaluate

MEASURES = (
    "AP AP@3 RR RR@2 Success@1 Success@3 P@2 P R@3 nDCG nDCG@3 DCG(gain='exponential')@2 "
    "RBP(p=0.5) Judged@2 AP(rel=2) RR(rel=2)@3"
)
LISTS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([None, 0, 1, 2])), min_size=1, max_size=6
)


def orders(scores: list[int]) -> list[tuple[int, ...]]:
    groups = [
        [i for i, score in enumerate(scores) if score == level]
        for level in sorted(set(scores), reverse=True)
    ]
    every = product(*(list(permutations(group)) for group in groups))
    return [tuple(i for part in parts for i in part) for parts in every]


@settings(max_examples=25)
@given(first=LISTS, second=LISTS)
def test_ties_are_averaged_over_all_orders(
    first: list[tuple[int, int | None]], second: list[tuple[int, int | None]]
) -> None:
    grades: dict[str, dict[str, float]] = {}
    scores: dict[str, dict[str, float]] = {}
    expected: dict[str, np.ndarray] = {}
    for name, rows in (("q1", first), ("q2", second)):
        grades[name] = {f"d{i}": g for i, (_, g) in enumerate(rows) if g is not None}
        grades[name]["elsewhere"] = 1
        scores[name] = {f"d{i}": score for i, (score, _) in enumerate(rows)}
        ranked = orders([score for score, _ in rows])
        strict = Run.from_dict(
            {f"o{n}": {f"d{i}": -place for place, i in enumerate(o)} for n, o in enumerate(ranked)}
        )
        qrels = Qrels.from_dict({f"o{n}": grades[name] for n in range(len(ranked))})
        expected[name] = evaluate(strict, qrels, MEASURES).values.mean(axis=1)
    averaged = evaluate(Run.from_dict(scores), Qrels.from_dict(grades), MEASURES, ties="average")
    for i, name in enumerate(averaged.query_ids):
        np.testing.assert_allclose(averaged.values[:, i], expected[name], rtol=1e-9, atol=1e-12)


def test_without_ties_nothing_changes(rng: np.random.Generator) -> None:
    run = Run.from_dict({"q": {f"d{i}": float(s) for i, s in enumerate(rng.permutation(500))}})
    qrels = Qrels.from_dict({"q": {f"d{i}": float(rng.integers(0, 3)) for i in range(60)}})
    np.testing.assert_allclose(
        evaluate(run, qrels, MEASURES, ties="average").values,
        evaluate(run, qrels, MEASURES).values,
        rtol=1e-9,
    )


def test_measures_without_a_closed_form_are_refused() -> None:
    run, qrels = Run.from_dict({"q": {"a": 1.0}}), Qrels.from_dict({"q": {"a": 1}})
    with pytest.raises(ConfigurationError, match="not defined for bpref, only for AP"):
        evaluate(run, qrels, "bpref", ties="average")


def test_ties_can_be_an_error() -> None:
    run = Run.from_dict({"q": {"a": 1.0, "b": 1.0}})
    with pytest.raises(DataError, match="'b' and 'a' for query 'q'"):
        evaluate(run, Qrels.from_dict({"q": {"a": 1}}), "AP", ties="error")
