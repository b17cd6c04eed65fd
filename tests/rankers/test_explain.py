"""Explanations add up to what they explain."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import DataError
from plackett.rankers import LambdaMART, LinearRanker, Ranker

MakeData = Callable[..., RankingDataset]


@pytest.fixture(params=["trees", "linear"])
def ranker(request: pytest.FixtureRequest, make_data: MakeData) -> Ranker:
    if request.param == "trees":
        return LambdaMART(trees=10, threads=1).fit(make_data())
    return LinearRanker(passes=2).fit(make_data())


def test_why_above(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data().take_rows(np.random.default_rng(0).permutation(360))
    documents = data.document_ids.strings(data.document).to_pylist()
    scores = dict(zip(documents, ranker.predict(data), strict=True))
    why = ranker.explain(data, "q1", above="d14", below="d20")
    assert (why.query, why.above, why.below) == ("q1", "d14", "d20")
    assert why.score_above == pytest.approx(scores["d14"], abs=1e-6)
    assert why.score_below == pytest.approx(scores["d20"], abs=1e-6)
    effects = [effect.effect for effect in why.effects]
    assert math.fsum(effects) == pytest.approx(why.score_above - why.score_below, abs=1e-12)
    assert [abs(e) for e in effects] == sorted((abs(e) for e in effects), reverse=True)
    assert {effect.feature for effect in why.effects} == set(data.feature_names)
    for effect in why.effects:
        assert effect.effect == effect.contribution_above - effect.contribution_below
    with pytest.raises(dataclasses.FrozenInstanceError):
        why.query = "other"  # type: ignore[misc]


def test_one_document(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    why = ranker.explain(data, "q1", above=15)
    assert (why.above, why.below, why.score_below) == ("d15", None, None)
    assert math.fsum(e.effect for e in why.effects) == pytest.approx(why.score_above - why.base)
    assert {e.feature: np.float32(e.value_above) for e in why.effects} == dict(
        zip(data.feature_names, data.X[15], strict=True)
    )
    best = ranker.explain(data, "q1")
    assert best.above == f"d{12 + int(np.argmax(ranker.predict(data)[12:24]))}"


def test_the_forms(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    scores = ranker.predict(data)[:12]
    high, low = f"d{scores.argmax()}", f"d{scores.argmin()}"
    why = ranker.explain(data, "q0", above=high, below=low)
    text = str(why)
    assert f"{high} ({why.score_above:.4f}) is above {low}" in text
    assert all(name in text for name in data.feature_names)
    assert "NOT above" in str(ranker.explain(data, "q0", above=low, below=high))
    assert "scores" in str(ranker.explain(data, "q0"))
    decoded = json.loads(why.to_json())
    assert decoded["above"] == high
    assert [e["effect"] for e in decoded["effects"]] == [e.effect for e in why.effects]
    frame = why.to_frame()
    assert frame["effect"].sum() == pytest.approx(why.difference)


def test_missing_values_are_named(make_data: MakeData) -> None:
    data = make_data()
    X = data.X.copy()
    X[0, 0] = np.nan
    holed = RankingDataset(X, data.y, qid=data.query)
    why = LinearRanker(passes=1).fit(holed).explain(holed, "0", above=0, below=1)
    assert "missing" in str(why)
    assert (why.above, why.below) == ("row 0", "row 1")
    values = [e["value_above"] for e in json.loads(why.to_json())["effects"]]
    assert values.count(None) == 1


def test_unknown_queries_and_documents(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    with pytest.raises(DataError, match="query 'q99'"):
        ranker.explain(data, "q99")
    with pytest.raises(DataError, match="document 'd99999'"):
        ranker.explain(data, "q0", above="d99999")
    with pytest.raises(DataError, match=r"document 'd50'.*one of the 12 documents of query 'q0'"):
        ranker.explain(data, "q0", above="d0", below="d50")
    with pytest.raises(DataError, match="row 50"):
        ranker.explain(data, "q0", above=50)
    nameless = RankingDataset(data.X, data.y, qid=data.query, feature_names=data.feature_names)
    with pytest.raises(DataError, match="without document ids"):
        ranker.explain(nameless, "0", above="d0")
