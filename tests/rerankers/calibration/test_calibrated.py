"""Calibration: closed forms, order kept, refusals, files, and errors measured on other queries."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data import Corpus, Qrels, Queries, Run
from plackett.errors import ConfigurationError, CorruptFileError, DataError, UnknownNameError
from plackett.metrics.calibration import brier_score
from plackett.rerankers import Reranker, parse
from plackett.rerankers.calibration.calibrated import (
    Calibrated,
    calibration_report,
    fit_calibrator,
    judged_scores,
)
from plackett.rerankers.calibration.calibrators import (
    INSIDE_ONE_LIST,
    Calibrator,
    Isotonic,
    Platt,
    Temperature,
    log_odds,
)
from plackett.rerankers.calibration.reading import (
    calibrator_names,
    get_calibrator,
    load_calibrator,
    parse_calibrator,
)
from plackett.rerankers.ranked import Ordering, Ranked, RankedDocument

FITTED = [
    Platt(1.7, -0.4),
    Temperature(2.5),
    Isotonic((-2.0, 0.0, 1.0), (0.1, 0.1, 0.8)),
]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def drawn(
    rng: np.random.Generator, n: int = 20_000, slope: float = 0.5, shift: float = -1.0
) -> tuple[np.ndarray, np.ndarray]:
    scores = rng.normal(0.0, 3.0, n)
    return scores, (rng.random(n) < sigmoid(slope * scores + shift)).astype(float)


def test_platt_finds_the_law_that_made_the_labels(rng: np.random.Generator) -> None:
    fitted = Platt.fit(*drawn(rng))
    assert fitted.slope == pytest.approx(0.5, abs=0.03)
    assert fitted.intercept == pytest.approx(-1.0, abs=0.06)


def test_temperature_finds_the_law_that_made_the_labels(rng: np.random.Generator) -> None:
    fitted = Temperature.fit(*drawn(rng, shift=0.0))
    assert fitted.temperature == pytest.approx(2.0, abs=0.1)


def test_platt_has_no_gradient_left_at_its_fit(rng: np.random.Generator) -> None:
    scores, labels = drawn(rng, 300)
    fitted = Platt.fit(scores, labels)
    positive = labels.sum()
    targets = np.where(
        labels == 1, (positive + 1) / (positive + 2), 1 / (len(labels) - positive + 2)
    )
    error = fitted.probabilities(scores) - targets
    assert error.mean() == pytest.approx(0.0, abs=1e-6)
    assert (error * scores).mean() == pytest.approx(0.0, abs=1e-5)


def test_separable_scores_stay_finite() -> None:
    for kind in (Platt, Temperature):
        fitted = kind.fit([-2.0, -1.0, 1.0, 2.0], [0, 0, 1, 1])
        probability = fitted.probabilities([-2.0, 2.0])
        assert 0 < probability[0] < 0.5 < probability[1] < 1


@given(
    pairs=st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=9).filter(
        lambda p: 0 < sum(y for _, y in p) < len(p)
    )
)
def test_isotonic_is_the_best_of_all_functions_that_never_fall(
    pairs: list[tuple[int, bool]],
) -> None:
    scores, labels = np.array(pairs, dtype=float).T
    try:
        fitted = Isotonic.fit(scores, labels)
    except DataError:
        return  # a constant is best
    found = fitted.probabilities(scores)
    order = np.argsort(scores)
    assert (np.diff(found[order]) >= -1e-12).all()
    # The min-max formula of isotonic regression.
    levels = np.unique(scores)
    means = {
        (a, b): labels[(scores >= a) & (scores <= b)].mean()
        for a in levels
        for b in levels
        if a <= b
    }
    for x, p in zip(scores, found, strict=True):
        wanted = max(min(means[a, b] for b in levels if b >= x) for a in levels if a <= x)
        assert p == pytest.approx(wanted)


@pytest.mark.parametrize("calibrator", FITTED, ids=lambda c: c.name)
@given(scores=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_no_calibrator_turns_an_order_round(calibrator: Calibrator, scores: list[float]) -> None:
    ordered = np.sort(scores)
    probability = calibrator.probabilities(ordered)
    assert (np.diff(probability) >= 0).all()
    assert ((probability >= 0) & (probability <= 1)).all()


@pytest.mark.parametrize("calibrator", FITTED, ids=lambda c: c.name)
def test_a_missing_score_stays_missing(calibrator: Calibrator) -> None:
    found = calibrator.probabilities([np.nan, 1.0])
    assert np.isnan(found).tolist() == [True, False]


def test_probabilities_are_calibrated_as_log_odds() -> None:
    p = np.array([0.1, 0.5, 0.9])
    assert Temperature(1.0, "probability").probabilities(p) == pytest.approx(p)
    assert Platt(1.0, 0.0, "log_probability").probabilities(np.log(p)) == pytest.approx(p)
    assert np.isfinite(log_odds([0.0, 1.0], "probability")).all()


@pytest.mark.parametrize("kind", INSIDE_ONE_LIST)
def test_scores_of_one_list_only_are_refused_with_a_remedy(kind: str) -> None:
    for name in calibrator_names():
        with pytest.raises(ConfigurationError, match=r'ConformalCutoff\(by="rank"\)'):
            get_calibrator(name).fit([0.0, 1.0], [0, 1], score_kind=kind)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="inside one list only"):
        Calibrated("word-overlap", Platt(1.0, 0.0, kind))  # type: ignore[arg-type]


def test_a_temperature_needs_a_zero() -> None:
    with pytest.raises(ConfigurationError, match="platt or isotonic"):
        Temperature.fit([0.0, 1.0], [0, 1], score_kind="cosine")


@pytest.mark.parametrize("name", ["platt", "isotonic"])
def test_scores_that_point_the_wrong_way_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="relevance"):
        get_calibrator(name).fit([3.0, 2.0, 1.0, 0.0], [0, 0, 1, 1])


@pytest.mark.parametrize(
    ("scores", "labels", "match"),
    [
        ([1.0, 2.0], [1, 1], "unjudged="),
        ([1.0, 2.0], [0, 2], "other labels"),
        ([1.0], [0, 1], "one length"),
        ([np.nan, 1.0], [0, 1], "not finite"),
    ],
)
def test_bad_judgments_are_refused(scores: list, labels: list, match: str) -> None:
    with pytest.raises(DataError, match=match):
        Platt.fit(scores, labels)


@pytest.mark.parametrize("calibrator", FITTED, ids=lambda c: c.name)
def test_calibrators_are_kept_in_files_and_in_text(calibrator: Calibrator, tmp_path: Path) -> None:
    path = tmp_path / "calibrator.json"
    calibrator.save(path)
    assert load_calibrator(path) == parse_calibrator(str(path)) == calibrator
    assert parse_calibrator(repr(calibrator)) == calibrator


def test_files_that_are_no_calibrator_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "calibrator.json"
    Platt(1.0, 0.0).save(path)
    content = json.loads(path.read_text())
    for change in ({"version": 9}, {"kind": "magic"}, {"slopes": 1.0}):
        path.write_text(json.dumps({**content, **change}))
        with pytest.raises(CorruptFileError, match="no calibrator"):
            load_calibrator(path)
    path.write_text("[]")
    with pytest.raises(CorruptFileError):
        load_calibrator(path)
    for text in ("Platt(1, 2)", "Platt(", "Other(slope=1)", "Platt(slope=1, twist=2)", "7"):
        with pytest.raises(ConfigurationError, match="expected a path"):
            parse_calibrator(text)
    with pytest.raises(UnknownNameError, match="Known: isotonic, platt, temperature"):
        get_calibrator("platts")


def run_of(rng: np.random.Generator, queries: int = 40) -> tuple[Run, Qrels]:
    lists, judged = {}, {}
    for i in range(queries):
        scores, labels = drawn(rng, 20)
        names = [f"d{j}" for j in range(20)]
        lists[f"q{i}"] = dict(zip(names, scores.tolist(), strict=True))
        judged[f"q{i}"] = dict(zip(names, labels.tolist(), strict=True))
    return Run.from_dict(lists), Qrels.from_dict(judged)


@pytest.mark.parametrize("name", ["platt", "isotonic"])
def test_the_report_sees_the_error_fall_on_other_queries(
    name: str, rng: np.random.Generator
) -> None:
    run, qrels = run_of(rng)
    report = calibration_report(name, run, qrels, score_kind="logit")
    assert report.before is not None
    assert report.after.ece < 0.5 * report.before.ece
    assert report.after.brier < report.before.brier
    assert report.after.brier < report.base_rate * (1 - report.base_rate)
    assert (report.documents, report.queries) == (800, 40)
    svg = report.svg()
    assert svg.startswith("<svg")
    assert f"ECE {report.before.ece:.3f}" in svg
    assert f"ECE {report.after.ece:.3f}" in svg
    again = calibration_report(name, run, qrels, score_kind="logit")
    assert again.svg() == svg


def test_no_query_is_predicted_by_its_own_judgments(rng: np.random.Generator) -> None:
    """Labels that scores do not tell: fitted on itself, isotonic would look better than chance."""
    lists, judged = {}, {}
    for i in range(30):
        names = [f"d{j}" for j in range(4)]
        lists[f"q{i}"] = {name: float(rng.normal()) for name in names}
        judged[f"q{i}"] = {name: int(rng.random() < 0.5) for name in names}
    run, qrels = Run.from_dict(lists), Qrels.from_dict(judged)
    base = judged_scores(run, qrels, score_kind="logit")
    own = fit_calibrator("isotonic", run, qrels, score_kind="logit")
    flattering = brier_score(own.probabilities(base.scores), base.labels)
    report = calibration_report("isotonic", run, qrels, score_kind="logit", folds=3)
    assert flattering < report.base_rate * (1 - report.base_rate) <= report.after.brier + 0.01
    with pytest.raises(ConfigurationError, match="folds=31"):
        calibration_report("platt", run, qrels, score_kind="logit", folds=31)


def test_scores_that_claim_nothing_have_no_before(rng: np.random.Generator) -> None:
    run, qrels = run_of(rng)
    report = calibration_report("platt", run, qrels, score_kind="dot_product")
    assert report.before is None
    assert "before" not in report.svg()
    low = run.with_scores(-np.exp(-run.score.astype(float) / 3))
    assert calibration_report("platt", low, qrels, score_kind="log_probability").before is not None
    share = run.with_scores(sigmoid(run.score.astype(float)))
    assert calibration_report("temperature", share, qrels, score_kind="probability").before


def ranked(scores: dict[str, float], kind: str = "logit") -> Ranked:
    documents = tuple(
        RankedDocument(name, "", score, i + 1, i) for i, (name, score) in enumerate(scores.items())
    )
    return Ranked("a query", documents, kind)  # type: ignore[arg-type]


def test_results_say_what_their_scores_are() -> None:
    results = {"q": ranked({"a": 2.0, "b": float("nan"), "c": -1.0, "d": 0.5}), "r": ranked({})}
    qrels = Qrels.from_dict({"q": {"a": 1, "b": 1, "c": 0}})
    judged = judged_scores(results, qrels)
    assert (judged.scores.tolist(), judged.labels.tolist()) == ([2.0, -1.0], [1.0, 0.0])
    every = judged_scores(results, qrels, unjudged="nonrelevant")
    assert every.labels.tolist() == [1.0, 0.0, 0.0]
    with pytest.raises(ConfigurationError, match="expected one kind"):
        judged_scores({**results, "s": ranked({"a": 1.0}, "cosine")}, qrels)
    with pytest.raises(ConfigurationError, match="pass score_kind"):
        judged_scores(Run.from_dict({"q": {"a": 1.0}}), qrels)
    with pytest.raises(ConfigurationError, match="is not one of skip"):
        judged_scores(results, qrels, unjudged="guess")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no scored document that is judged"):
        judged_scores(results, Qrels.from_dict({"other": {"a": 1}}))


TEXTS = {"a": "red wine", "b": "wine", "c": "water", "d": "bread", "e": "white wine"}


def test_the_order_is_the_rerankers_own_also_where_steps_make_ties() -> None:
    steps = Isotonic((0.0, 0.4, 0.6), (0.2, 0.2, 0.9), "grade")
    plain = Reranker("word-overlap").rank("red wine now", TEXTS)
    calibrated = Calibrated("word-overlap", steps).rank("red wine now", TEXTS)
    assert calibrated.ids == plain.ids
    assert calibrated.score_kind == "probability"
    assert calibrated.scores == pytest.approx(steps.probabilities(plain.scores))


def test_a_calibrated_reranker_is_a_stage_that_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "platt.json"
    Platt(4.0, -2.0, "grade").save(path)
    stage = Calibrated(Reranker("word-overlap"), str(path))
    again = parse(repr(stage))
    run = Run.from_dict({"q": dict.fromkeys(TEXTS, 1.0)}).replace(
        queries=Queries.from_texts({"q": "red wine"}), corpus=Corpus.from_texts(TEXTS)
    )
    assert again(run).to_dict() == stage(run).to_dict()
    assert repr(again) == repr(parse(repr(again)))
    told = []
    stage.watcher = told.append
    stage.rank("red wine", TEXTS)
    assert len(told) == 1


def test_another_kind_of_scores_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="fitted on 'logit'"):
        Calibrated("word-overlap", Platt(1.0, 0.0)).rank("red", TEXTS)


def test_orders_without_scores_cannot_be_calibrated() -> None:
    calibrated = Calibrated("word-overlap", Platt(1.0, 0.0))
    with pytest.raises(ConfigurationError, match="inside one list only"):
        calibrated._mapped(Ordering((0, 1)))
