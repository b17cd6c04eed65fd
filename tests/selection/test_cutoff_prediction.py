"""Cutoffs learned from judgments: exact values, baselines, and the learned model."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad

from plackett.data import Qrels, Run
from plackett.errors import ConfigurationError, CorruptFileError, DataError, NotFittedError
from plackett.selection import (
    FittedThreshold,
    GreedyCutoff,
    LearnedCutoff,
    best_cutoff,
    cutoff_features,
    cutoff_values,
    expected_loss,
    mean_cutoff_value,
    oracle_cutoffs,
    parse_selector,
    standardise,
)
from plackett.selection.learned_cutoff import _loss_and_gradient

LABELS = st.lists(st.booleans(), min_size=1, max_size=12)


def made(
    rng: np.random.Generator, queries: int = 60, *, length: int = 20, scaled: bool = True
) -> tuple[Run, Qrels]:
    """Lists whose first r documents are relevant and score clearly higher; r varies, 0 included."""
    lists, judged = {}, {}
    for i in range(queries):
        r = int(rng.integers(0, 8))
        level = rng.normal(0.0, 0.3, length) + np.where(np.arange(length) < r, 3.0, 0.0)
        level = level * (10.0 ** rng.uniform(-1, 1)) + rng.uniform(-5, 5) if scaled else level
        names = [f"d{j}" for j in range(length)]
        lists[f"q{i}"] = dict(zip(names, level.tolist(), strict=True))
        judged[f"q{i}"] = {name: int(j < r) for j, name in enumerate(names)}
    return Run.from_dict(lists), Qrels.from_dict(judged)


@given(labels=LABELS, missing=st.integers(0, 3))
def test_f1_of_every_cutoff_is_that_of_the_set(labels: list[bool], missing: int) -> None:
    total = sum(labels) + missing
    values = cutoff_values(labels, total, "F1")
    for k in range(len(labels) + 1):
        hits = sum(labels[:k])
        wanted = 2 * hits / (k + total) if total else float(k == 0)
        assert values[k] == pytest.approx(wanted)


@given(labels=LABELS)
def test_recall_is_monotone_and_pushes_to_the_end(labels: list[bool]) -> None:
    values = cutoff_values(labels, value="recall")
    assert (np.diff(values) >= 0).all()
    assert values[-1] == 1.0


def test_discounted_gain_pays_for_what_is_not_relevant() -> None:
    values = cutoff_values([True, False], value="DCG")
    assert values == pytest.approx([0.0, 1.0, 1.0 - 1.0 / np.log2(3.0)])
    with pytest.raises(DataError):
        cutoff_values([True], total=0)
    with pytest.raises(DataError):
        cutoff_values([[True]])
    with pytest.raises(ConfigurationError, match="F2"):
        cutoff_values([True], value="F2")  # type: ignore[arg-type]


@given(labels=LABELS, data=st.data())
def test_the_oracle_attains_the_maximum_and_the_loss_is_least_there(
    labels: list[bool], data: st.DataObject
) -> None:
    values = cutoff_values(labels)
    best = best_cutoff(values)
    assert values[best] == values.max()
    raw = data.draw(st.lists(st.floats(0.01, 1.0), min_size=len(values), max_size=len(values)))
    p = np.array([raw]) / sum(raw)
    one_hot = np.eye(len(values))[[best]]
    assert expected_loss(one_hot, [values]) <= expected_loss(p, [values]) + 1e-12


def test_standard_scores_do_not_see_scale_or_shift(rng: np.random.Generator) -> None:
    scores = np.sort(rng.normal(size=30))[::-1]
    assert standardise(3.0 * scores - 7.0) == pytest.approx(standardise(scores))
    assert standardise([2.0, 2.0]).tolist() == [0.0, 0.0]
    assert standardise([]).tolist() == []
    assert standardise([np.inf]).tolist() == [0.0]
    assert standardise([np.inf, 1.0, 0.0, -np.inf]).tolist() == [1.0, 1.0, -1.0, -1.0]
    assert np.isfinite(standardise([1e308, -1e308])).all()


def test_greedy_k_is_the_best_constant(rng: np.random.Generator) -> None:
    run, qrels = made(rng)
    greedy = GreedyCutoff().fit(run, qrels)
    values = [mean_cutoff_value(run, run.head(k), qrels) for k in range(21)]
    assert greedy.k_ == int(np.argmax(values))
    assert repr(parse_selector(repr(greedy))) == repr(greedy)
    assert parse_selector(repr(greedy))(run).to_dict() == greedy(run).to_dict()


@given(seed=st.integers(0, 1000), standardised=st.booleans())
@settings(max_examples=20)
def test_the_fitted_threshold_is_the_best_of_all(seed: int, standardised: bool) -> None:
    rng = np.random.default_rng(seed)
    lists = {f"q{i}": {f"d{j}": float(rng.integers(0, 6)) for j in range(6)} for i in range(5)}
    judged = {q: {d: int(rng.random() < 0.3) for d in documents} for q, documents in lists.items()}
    run, qrels = Run.from_dict(lists), Qrels.from_dict(judged)
    fitted = FittedThreshold(standardised=standardised).fit(run, qrels)
    reached = mean_cutoff_value(run, fitted(run), qrels)
    seen = [standardise(s) if standardised else s for s in np.split(run.score, run.offsets[1:-1])]
    points = np.concatenate([*seen, [np.inf]])
    every = [
        mean_cutoff_value(
            run,
            FittedThreshold(standardised=standardised, threshold=float(t) - 1e-9)(run),
            qrels,
        )
        for t in points
    ]
    assert reached == pytest.approx(max(every))
    assert repr(parse_selector(repr(fitted))) == repr(fitted)


def test_a_query_without_anything_relevant_asks_for_nothing() -> None:
    run = Run.from_dict({"q": {"a": 1.0, "b": 0.5}})
    qrels = Qrels.from_dict({"q": {"a": 0}})
    assert oracle_cutoffs(run, qrels) == {"q": 0}
    assert GreedyCutoff().fit(run, qrels).k_ == 0
    fitted = FittedThreshold(value="F1", relevant=2.0).fit(run, qrels)
    assert fitted.threshold_ == np.inf
    assert repr(parse_selector(repr(fitted))) == repr(fitted)
    assert fitted(run).to_dict() == {"q": {}}


def test_a_mean_value_is_of_heads_only() -> None:
    run = Run.from_dict({"q": {"a": 2.0, "b": 1.0}})
    other = Run.from_dict({"q": {"b": 1.0}})
    with pytest.raises(DataError, match="head"):
        mean_cutoff_value(run, other, Qrels.from_dict({"q": {"a": 1}}))


def test_the_learned_cutoff_beats_the_best_constant_and_threshold_on_other_queries(
    rng: np.random.Generator,
) -> None:
    train, test = made(rng, 150), made(rng, 80)
    learned = LearnedCutoff(depth=20).fit(*train)
    value = mean_cutoff_value(test[0], learned(test[0]), test[1])
    for baseline in (
        GreedyCutoff().fit(*train),
        FittedThreshold().fit(*train),
        FittedThreshold(standardised=True).fit(*train),
    ):
        assert value > mean_cutoff_value(test[0], baseline(test[0]), test[1]) + 0.05
    oracle = oracle_cutoffs(*test)
    kept = dict(zip(test[0].query_names, learned.cutoffs(test[0]).tolist(), strict=True))
    assert np.mean([kept[query] == k for query, k in oracle.items()]) > 0.6


def test_constant_scores_lead_to_greedy_k(rng: np.random.Generator) -> None:
    lists, judged = {}, {}
    for i in range(40):
        r = int(rng.integers(1, 6))
        names = [f"d{j:02}" for j in range(10)]
        lists[f"q{i}"] = {name: 10.0 - j for j, name in enumerate(names)}
        judged[f"q{i}"] = {name: int(j < r) for j, name in enumerate(names)}
    run, qrels = Run.from_dict(lists), Qrels.from_dict(judged)
    greedy = GreedyCutoff().fit(run, qrels)
    assert set(LearnedCutoff(depth=10).fit(run, qrels).cutoffs(run).tolist()) == {greedy.k_}


def test_a_monotone_measure_is_pushed_to_the_end(rng: np.random.Generator) -> None:
    run, qrels = made(rng, 30)
    learned = LearnedCutoff(value="recall", depth=20).fit(run, qrels)
    recall = mean_cutoff_value(run, learned(run), qrels, value="recall")
    assert recall == pytest.approx(1.0, abs=0.02)


def test_variances_are_a_feature_that_can_be_learned_from(rng: np.random.Generator) -> None:
    lists, judged, spread = {}, {}, {}
    for i in range(120):
        r = int(rng.integers(1, 8))
        names = [f"d{j:02}" for j in range(10)]
        lists[f"q{i}"] = {name: 10.0 - j for j, name in enumerate(names)}
        judged[f"q{i}"] = {name: int(j < r) for j, name in enumerate(names)}
        spread[f"q{i}"] = [0.1 if j < r else 2.0 for j in range(10)]
    run, qrels = Run.from_dict(lists), Qrels.from_dict(judged)
    variance = np.concatenate([spread[query] for query in run.query_names])
    with_it = LearnedCutoff(depth=10).fit(run, qrels, variance=variance)
    kept = with_it.cutoffs(run, variance=variance)
    oracle = oracle_cutoffs(run, qrels)
    assert np.mean(kept == [oracle[query] for query in run.query_names]) > 0.9
    with pytest.raises(DataError, match="as in training"):
        with_it(run)
    with pytest.raises(DataError, match="one for"):
        LearnedCutoff(depth=10).fit(run, qrels, variance=variance[:-1])
    with pytest.raises(DataError, match="0 or more"):
        cutoff_features([2.0, 1.0], [-1.0, 1.0])


def test_the_gradient_is_that_of_the_loss(rng: np.random.Generator) -> None:
    units, m, width = 3, 5, 4
    inputs, values = rng.normal(size=(6, m, width)), rng.random((6, m))
    where = np.ones((6, m), dtype=bool)
    where[0, 3:] = False
    flat = rng.normal(size=m + width * units + 2 * units)
    arguments = (inputs, where, values, units, 0.01)
    error = check_grad(
        lambda x: _loss_and_gradient(x, *arguments)[0],
        lambda x: _loss_and_gradient(x, *arguments)[1],
        flat,
    )
    assert error < 1e-6


def test_scale_and_shift_of_a_query_change_no_cutoff(rng: np.random.Generator) -> None:
    run, qrels = made(rng, 40)
    learned = LearnedCutoff(depth=20).fit(run, qrels)
    moved = run.with_scores(run.score.astype(np.float64) * 2.0 + 1.0)
    assert learned.cutoffs(moved).tolist() == learned.cutoffs(run).tolist()
    assert learned.probabilities(run).sum(axis=1) == pytest.approx(1.0)


def test_longer_lists_and_empty_ones_are_cut(rng: np.random.Generator) -> None:
    run, qrels = made(rng, 30)
    learned = LearnedCutoff(depth=5, hidden=2).fit(run, qrels)
    assert learned.cutoffs(run).max() <= 5
    assert learned(Run.from_dict({"q": {}, "r": {"a": 1.0}})).to_dict()["q"] == {}
    assert cutoff_features([], []).shape == (1, 13)


def test_what_was_learned_is_kept_in_a_file(rng: np.random.Generator, tmp_path: Path) -> None:
    run, qrels = made(rng, 30)
    learned = LearnedCutoff(depth=20, hidden=3, seed=5).fit(run, qrels)
    assert repr(learned) == "LearnedCutoff(depth=20, hidden=3, seed=5)"
    path = tmp_path / "cutoff.json"
    learned.save(path)
    again = parse_selector(repr(LearnedCutoff.load(path)))
    assert isinstance(again, LearnedCutoff)
    assert again.cutoffs(run).tolist() == learned.cutoffs(run).tolist()
    content = json.loads(path.read_text())
    for change in ({"version": 2}, {"centre": [0.0]}, {"parameters": {"width": 3}}):
        path.write_text(json.dumps({**content, **change}))
        with pytest.raises(CorruptFileError, match="no learned cutoff"):
            LearnedCutoff.load(path)
    path.write_text("{")
    with pytest.raises(CorruptFileError, match="no learned cutoff"):
        LearnedCutoff.load(path)


def test_nothing_is_cut_before_it_is_learned(tmp_path: Path) -> None:
    run = Run.from_dict({"q": {"a": 1.0}})
    for unfitted in (GreedyCutoff(), FittedThreshold(), LearnedCutoff()):
        with pytest.raises(NotFittedError, match="call fit"):
            unfitted(run)
    with pytest.raises(NotFittedError):
        LearnedCutoff().save(tmp_path / "x.json")
    with pytest.raises(ConfigurationError):
        LearnedCutoff(depth=0)
