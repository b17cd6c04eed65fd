"""The join of runs and judgments, and the measures against naive definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.errors import ConfigurationError
from plackett.metrics import JudgedLists, evaluate, judged, nDCG, parse_measure

DOCUMENTS = [f"d{i}" for i in range(12)]
GRADES = st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(-1, 3), min_size=1)
SCORES = st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(0, 4))


def naive(scores: dict[str, int], grades: dict[str, int], k: int) -> dict[str, float]:
    """Every measure straight from its definition, for one query."""
    # Equal scores stand by document id, descending.
    ranked = sorted(sorted(scores, reverse=True), key=lambda d: -scores[d])
    held = [grades.get(d) for d in ranked]
    relevant = [g is not None and g >= 1 for g in held]
    n = sum(g >= 1 for g in grades.values())
    others = sum(g == 0 for g in grades.values())
    precision = [sum(relevant[: i + 1]) / (i + 1) for i in range(len(held))]
    gained = [max(g or 0, 0) for g in held]
    best = sorted((max(g, 0) for g in grades.values()), reverse=True)

    def dcg(gains: list[int], depth: int) -> float:
        return sum(g / math.log2(i + 2) for i, g in enumerate(gains[:depth]))

    def err(gains: list[int], depth: int) -> float:
        total, arrive = 0.0, 1.0
        for i, g in enumerate(gains[:depth]):
            stop = (2**g - 1) / 2**4
            total += arrive * stop / (i + 1)
            arrive *= 1 - stop
        return total

    def over(a: float, b: float) -> float:
        return a / b if b else 0.0

    found = sum(relevant)
    p_all, r_all = over(found, len(held)), over(found, n)
    bpref = 0.0
    for i, is_relevant in enumerate(relevant):
        if is_relevant:
            above = min(sum(g == 0 for g in held[:i]), n)
            bpref += 1 - (above / min(others, n) if above else 0)
    first = [i for i, r in enumerate(relevant) if r]
    missed = sum(best) - sum(gained)
    arp = sum(g * (i + 1) for i, g in enumerate(gained)) + missed * (len(held) + 1)
    pairs = [
        (a, b)
        for i, a in enumerate(held)
        for b in held[i + 1 :]
        if a is not None and b is not None and min(a, b) >= 0 and a != b
    ]
    return {
        "AP": over(sum(p for p, r in zip(precision, relevant, strict=True) if r), n),
        f"P@{k}": sum(relevant[:k]) / k,
        f"R@{k}": over(sum(relevant[:k]), n),
        "P": p_all,
        "R": r_all,
        "F": over(2 * p_all * r_all, p_all + r_all),
        "SetAP": p_all * r_all,
        "RR": 1 / (first[0] + 1) if first else 0.0,
        f"Success@{k}": float(any(relevant[:k])),
        "Rprec": over(sum(relevant[:n]), n),
        "IPrec@0.0": max((p for p, r in zip(precision, relevant, strict=True) if r), default=0.0),
        "bpref": over(bpref, n),
        f"DCG@{k}": dcg(gained, k),
        f"nDCG@{k}": over(dcg(gained, k), dcg(best, k)),
        "nDCG": over(dcg(gained, 99), dcg(best, 99)),
        f"ERR@{k}": err(gained, k),
        f"nERR@{k}": over(err(gained, k), err(best, k)),
        "RBP": sum(0.2 * 0.8**i for i, r in enumerate(relevant) if r),
        f"Judged@{k}": over(sum(g is not None and g >= 0 for g in held[:k]), len(held[:k])),
        "ARP": over(arp, sum(best)),
        "PairAccuracy": over(sum(a > b for a, b in pairs), len(pairs)),
    }


@given(first=SCORES, second=SCORES, grades=GRADES, other=GRADES, k=st.integers(1, 6))
def test_every_measure_is_its_definition(
    first: dict[str, int],
    second: dict[str, int],
    grades: dict[str, int],
    other: dict[str, int],
    k: int,
) -> None:
    wanted = {"q1": naive(first, grades, k), "q2": naive(second, other, k)}
    run = Run.from_dict({"q2": second, "unjudged": {"d1": 1.0}, "q1": first})
    qrels = Qrels.from_dict({"q1": grades, "q2": other})
    got = evaluate(run, qrels, list(wanted["q1"])).per_query
    for query, values in wanted.items():
        for name, value in values.items():
            mine = got[query][repr(parse_measure(name))]
            assert mine == pytest.approx(value, abs=1e-9), (query, name)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_the_compiled_join_equals_the_numpy_join(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 200))
    keys = rng.choice(9 * 40, size=min(size, 360), replace=False)
    run = Run.from_arrays(keys // 40, keys % 40, rng.random(len(keys)))
    judged_keys = rng.choice(12 * 50, size=120, replace=False)
    grades = rng.integers(-1, 4, 120)
    qrels = Qrels.from_arrays(judged_keys // 50, judged_keys % 50, grades)
    start, stop = judged._list_bounds(run, qrels)
    codes = qrels.document_ids.map_to(run.document_ids)[qrels.document]
    small = judged._join_small(run, qrels, start, stop, codes)
    large = judged._join_large(run, qrels, start, stop, codes)
    for ours, theirs in zip(small, large, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_scikit_learn_agrees(rng: np.random.Generator) -> None:
    y, score = rng.integers(0, 4, 40), rng.random(40)
    offsets = np.array([0, 40])
    ndcg = (nDCG @ 10).of_scores(score, y, offsets)
    assert ndcg[0] == pytest.approx(ndcg_score([y], [score], k=10))
    ap = parse_measure("AP(rel=2)").of_scores(score, y, offsets)
    assert ap[0] == pytest.approx(average_precision_score(y >= 2, score))


def test_condensed_lists_skip_what_is_not_judged() -> None:
    run = Run.from_dict({"q": {"a": 3.0, "b": 2.0, "c": 1.0}})
    qrels = Qrels.from_dict({"q": {"b": 0, "c": 1, "z": -1}})
    assert evaluate(run, qrels, "RR").mean == {"RR": pytest.approx(1 / 3)}
    assert evaluate(run, qrels, "RR", unjudged="remove").mean == {"RR": 0.5}
    with pytest.raises(ConfigurationError, match="cannot be combined"):
        evaluate(run, qrels, "RR", ties="average", unjudged="remove")
    with pytest.raises(ConfigurationError, match="unjudged='no'"):
        JudgedLists.from_run(run, qrels, unjudged="no")  # type: ignore[arg-type]


def test_missing_and_empty_queries() -> None:
    run = Run.from_dict({"q1": {"a": 1.0}, "q3": {"a": 1.0}})
    qrels = Qrels.from_dict({"q1": {"a": 1}, "q2": {"a": 1}, "q3": {"a": 0}})
    assert evaluate(run, qrels, "AP").mean["AP"] == pytest.approx(1 / 3)
    assert evaluate(run, qrels, "AP", missing="skip").mean["AP"] == 0.5
    assert evaluate(run, qrels, "AP", empty="one").mean["AP"] == pytest.approx(2 / 3)
    assert evaluate(run, qrels, "AP", empty="skip").query_ids == ("q1", "q2")
    with pytest.raises(ConfigurationError, match="missing='drop'"):
        evaluate(run, qrels, "AP", missing="drop")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    ["nDCG@10", "AP(rel=2)@100", "nDCG(gain='exponential')@10", "IPrec@0.1", "RBP(p=0.5)"],
)
def test_repr_parses_back(text: str) -> None:
    measure = parse_measure(text)
    assert repr(measure) == text
    assert parse_measure(repr(measure)) == measure
    assert hash(parse_measure(text)) == hash(measure)
    assert measure.definition
