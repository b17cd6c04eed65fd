"""The guarantees hold: by simulation, within binomial error."""

import numpy as np
import pytest
from scipy.stats import binom

from plackett.data import Qrels, Run
from plackett.errors import ConfigurationError, DataError, NotFittedError
from plackett.selection import ConformalCutoff, hoeffding_bentkus, parse_selector

DEPTH = 12


def drawn(rng: np.random.Generator, queries: int) -> tuple[Run, Qrels]:
    """Queries of varying difficulty; a few relevant documents score higher on the average."""
    good = rng.random((queries, DEPTH)) < rng.uniform(0.05, 0.5, (queries, 1))
    scores = rng.normal(rng.normal(0, 1, (queries, 1)) + 1.5 * good, 1.0)
    lists, judged = {}, {}
    for i in range(queries):
        lists[f"q{i}"] = {f"d{j}": float(scores[i, j]) for j in range(DEPTH)}
        judged[f"q{i}"] = {f"d{j}": int(good[i, j]) for j in range(DEPTH)}
    return Run.from_dict(lists), Qrels.from_dict(judged)


def risk(fitted: ConformalCutoff, run: Run, qrels: Qrels, loss: str) -> np.ndarray:
    """The loss of each query that has something relevant."""
    kept, judged = fitted(run).to_dict(), qrels.to_dict()
    losses = []
    for query, grades in judged.items():
        relevant = {name for name, grade in grades.items() if grade > 0}
        if relevant:
            missed = len(relevant - kept[query].keys()) / len(relevant)
            losses.append(float(missed > 0) if loss == "any" else missed)
    return np.array(losses)


@pytest.mark.parametrize("by", ["score", "margin", "rank"])
@pytest.mark.parametrize("loss", ["share", "any"])
def test_the_expected_loss_of_a_new_query_is_controlled(by: str, loss: str) -> None:
    rng = np.random.default_rng(7)
    level, trials = 0.2, 60
    means = []
    for _ in range(trials):
        fitted = ConformalCutoff(level, loss=loss, by=by).fit(*drawn(rng, 30))  # type: ignore[arg-type]
        means.append(risk(fitted, *drawn(rng, 40), loss).mean())
    error = np.std(means) / np.sqrt(trials)
    assert np.mean(means) <= level + 3 * error
    if by != "rank":  # steps of a rank are too coarse to come near from below
        assert np.mean(means) >= level - 1 / 25 - 0.02 - 3 * error


@pytest.mark.parametrize("loss", ["share", "any"])
def test_the_mean_loss_is_controlled_with_the_confidence_that_was_asked_for(loss: str) -> None:
    rng = np.random.default_rng(11)
    level, confidence, trials = 0.25, 0.8, 60
    population = drawn(rng, 1500)
    broken = 0
    for _ in range(trials):
        fitted = ConformalCutoff(level, loss=loss, confidence=confidence).fit(*drawn(rng, 60))  # type: ignore[arg-type]
        broken += risk(fitted, *population, loss).mean() > level
    # So many breaches are as good as impossible where each has probability 1 - confidence.
    assert broken <= binom.ppf(0.999, trials, 1 - confidence)


def test_the_guarantee_in_expectation_is_tight_on_a_known_law() -> None:
    # One relevant document a query, uniform scores: the risk is Beta distributed, its mean known.
    rng = np.random.default_rng(3)
    n, level, trials = 19, 0.1, 400
    risks = []
    for _ in range(trials):
        scores = rng.random(n)
        lists = {f"q{i}": {"a": float(s)} for i, s in enumerate(scores)}
        judged = {query: {"a": 1} for query in lists}
        fitted = ConformalCutoff(level).fit(Run.from_dict(lists), Qrels.from_dict(judged))
        risks.append(fitted.threshold_)  # the chance that a uniform score lies below it
    # The second smallest of 19 uniform scores has mean 2 / 20.
    assert np.mean(risks) == pytest.approx(0.1, abs=4 * np.std(risks) / np.sqrt(trials))


def test_too_few_queries_keep_everything() -> None:
    run = Run.from_dict({"q": {"a": 2.0, "b": 1.0}})
    fitted = ConformalCutoff(0.1).fit(run, Qrels.from_dict({"q": {"a": 1}}))
    assert fitted.threshold_ == -np.inf
    assert fitted.risk_ == 0.0
    assert fitted(run).to_dict() == run.to_dict()
    again = parse_selector(repr(fitted))
    assert again(run).to_dict() == run.to_dict()


def test_what_is_kept_does_not_shrink_as_less_may_be_missed(rng: np.random.Generator) -> None:
    run, qrels = drawn(rng, 80)
    kept = [
        int(np.diff(ConformalCutoff(miss, by="rank").fit(run, qrels)(run).offsets).sum())
        for miss in (0.02, 0.1, 0.3, 0.6)
    ]
    assert kept == sorted(kept, reverse=True)


def test_the_test_by_hoeffding_and_bentkus_is_valid_and_no_weaker_than_hoeffding() -> None:
    n, level = 50, 0.2
    for k in range(n + 1):
        p = hoeffding_bentkus(k / n, n, level)
        assert binom.cdf(k, n, level) <= p + 1e-12
        simple = np.exp(-2 * n * max(level - k / n, 0.0) ** 2)
        assert p <= simple + 1e-12
    # Under the hypothesis a level is not undercut more often than it says.
    values = np.array([hoeffding_bentkus(k / n, n, level) for k in range(n + 1)])
    assert binom.pmf(np.arange(n + 1), n, level)[values <= 0.1].sum() <= 0.1


def test_descriptions_are_read_back(rng: np.random.Generator) -> None:
    run, qrels = drawn(rng, 60)
    fitted = ConformalCutoff(0.3, loss="any", by="margin", confidence=0.5).fit(run, qrels)
    again = parse_selector(repr(fitted))
    assert repr(again) == repr(fitted)
    assert again(run).to_dict() == fitted(run).to_dict()


def test_errors_say_what_is_missing() -> None:
    run = Run.from_dict({"q": {"a": 1.0}})
    with pytest.raises(DataError, match="no judged query with a relevant"):
        ConformalCutoff(0.1).fit(run, Qrels.from_dict({"q": {"b": 1}}))
    with pytest.raises(NotFittedError):
        ConformalCutoff(0.1)(run)
    for wrong in ({"miss": 0.0}, {"miss": 0.1, "confidence": 1.0}):
        with pytest.raises(ConfigurationError, match="between 0 and 1"):
            ConformalCutoff(**wrong)
    for wrong in ({"loss": "none"}, {"by": "name"}):
        with pytest.raises(ConfigurationError, match="is not one of"):
            ConformalCutoff(0.1, **wrong)  # type: ignore[arg-type]
