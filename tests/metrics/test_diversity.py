"""Diversity measures against definitions written naively."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.errors import ConfigurationError
from plackett.metrics import ERR_IA, StRecall, alpha_nDCG, evaluate

DOCUMENTS = ["a", "b", "c", "d", "e"]
judgments = st.dictionaries(
    st.tuples(st.sampled_from(DOCUMENTS), st.sampled_from(["s1", "s2", "s3"])),
    st.integers(0, 2),
    min_size=1,
)
rankings = st.permutations(DOCUMENTS).map(lambda order: order[:4])


def collection(rows: dict, ranking: list[str]) -> tuple[Run, Qrels, dict[str, set[str]]]:
    qrels = Qrels.from_arrays(
        ["q"] * len(rows),
        [document for document, _ in rows],
        list(rows.values()),
        subtopic=[subtopic for _, subtopic in rows],
    )
    run = Run.from_dict({"q": {d: float(-i) for i, d in enumerate(ranking)}})
    covers = {d: {s for (e, s), g in rows.items() if e == d and g >= 1} for d in DOCUMENTS}
    return run, qrels, covers


def gains(order: list[str], covers: dict[str, set[str]], alpha: float) -> list[float]:
    seen: dict[str, int] = {}
    result = []
    for document in order:
        result.append(sum((1 - alpha) ** seen.get(s, 0) for s in covers[document]))
        for subtopic in covers[document]:
            seen[subtopic] = seen.get(subtopic, 0) + 1
    return result


def discounted(values: list[float]) -> float:
    return sum(value / math.log2(rank + 1) for rank, value in enumerate(values, 1))


@given(judgments, rankings, st.integers(1, 4))
def test_alpha_ndcg(rows: dict, ranking: list[str], k: int) -> None:
    run, qrels, covers = collection(rows, ranking)
    # The greedy order takes the first of equally good documents in the order of the judgments.
    order, left = [], [d for d in qrels.document_ids if covers[d]]
    while left:
        best = max(left, key=lambda d: gains([*order, d], covers, 0.5)[-1])
        order.append(best)
        left.remove(best)
    ideal = discounted(gains(order, covers, 0.5)[:k])
    expected = discounted(gains(ranking[:k], covers, 0.5)) / ideal if ideal else 0.0
    assert evaluate(run, qrels, [alpha_nDCG @ k]).values[0, 0] == pytest.approx(expected)


@given(judgments, rankings, st.integers(1, 4))
def test_err_ia(rows: dict, ranking: list[str], k: int) -> None:
    run, qrels, covers = collection(rows, ranking)
    subtopics = set().union(*covers.values())
    total = 0.0
    for subtopic in subtopics:
        arrive = 1.0
        for rank, document in enumerate(ranking[:k], 1):
            stop = 0.5 if subtopic in covers[document] else 0.0
            total += arrive * stop / rank
            arrive *= 1 - stop
    expected = total / len(subtopics) if subtopics else 0.0
    assert evaluate(run, qrels, [ERR_IA @ k]).values[0, 0] == pytest.approx(expected)


@given(judgments, rankings, st.none() | st.integers(1, 4))
def test_subtopic_recall(rows: dict, ranking: list[str], k: int | None) -> None:
    run, qrels, covers = collection(rows, ranking)
    subtopics = set().union(*covers.values())
    reached = set().union(*(covers[document] for document in ranking[:k]))
    expected = len(reached) / len(subtopics) if subtopics else 0.0
    assert evaluate(run, qrels, [StRecall(cutoff=k)]).values[0, 0] == pytest.approx(expected)


def test_the_example_of_a_redundant_and_a_novel_order() -> None:
    rows = {("a", "s1"): 1, ("b", "s1"): 1, ("c", "s2"): 1}
    redundant = evaluate(*collection(rows, ["a", "b", "c"])[:2], "alpha_nDCG@2").values[0, 0]
    novel = evaluate(*collection(rows, ["a", "c", "b"])[:2], "alpha_nDCG@2").values[0, 0]
    ideal = 1 + 1 / math.log2(3)
    assert novel == pytest.approx(1.0)
    assert redundant == pytest.approx((1 + 0.5 / math.log2(3)) / ideal)


def test_judgments_without_subtopics_are_refused() -> None:
    qrels = Qrels.from_dict({"q": {"a": 1}})
    run = Run.from_dict({"q": {"a": 1.0}})
    for name in ("alpha_nDCG@5", "ERR_IA@5", "StRecall@5"):
        with pytest.raises(ConfigurationError, match="needs judgments by subtopic"):
            evaluate(run, qrels, name)
    diverse = Qrels.from_arrays(["q"], ["a"], [1], subtopic=["s"])
    with pytest.raises(ConfigurationError, match="not defined for subtopic"):
        evaluate(run, diverse, "StRecall", unjudged="remove")
    assert np.array_equal(evaluate(run, diverse, "AP RR").values, [[1.0], [1.0]])
