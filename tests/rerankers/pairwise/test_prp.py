"""Pairwise ranking prompting with an oracle: exact calls, exact orders, biases, bad answers."""

import numpy as np
import pytest

from plackett.errors import ConfigurationError
from plackett.llm.oracle.model import Oracle
from plackett.metrics.rank_correlation import kendall_tau
from plackett.rerankers import parse
from plackett.rerankers.pairwise.prp import PRP
from plackett.transport.budget import Budget, BudgetExceededError

METHODS = ["all-pairs", "heap", "sliding", "quick"]
READINGS = ["generation", "logits", "likelihood"]


def collection(n: int, seed: int = 0) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """Grades all different, and texts."""
    grades = np.random.default_rng(seed).permutation(n)
    ids = [f"d{i}" for i in range(n)]
    return (
        {"q": {name: float(g) for name, g in zip(ids, grades, strict=True)}},
        {name: f"the text of {name}" for name in ids},
    )


def best_first(grades: dict[str, float]) -> list[str]:
    return sorted(grades, key=lambda name: -grades[name])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("reading", READINGS)
def test_a_perfect_model_gives_the_best_in_order(method: str, reading: str) -> None:
    grades, texts = collection(25)
    ranked = PRP(Oracle(grades), method=method, k=7, comparator=reading).rank("q", texts)
    best = best_first(grades["q"])
    if method in ("all-pairs", "quick"):
        assert ranked.ids == best
    assert ranked.ids[:7] == best[:7]
    assert sorted(ranked.ids) == sorted(texts)
    assert ranked.score_kind == ("wins" if method == "all-pairs" else "rank")
    assert set(ranked.answers) == {"ok"}


@pytest.mark.parametrize("reading", READINGS)
def test_calls_of_a_hundred_documents(reading: str) -> None:
    grades, texts = collection(100)
    share = 4 if reading == "likelihood" else 2
    for method, least, most in (("sliding", 945, 945), ("heap", 250, 300)):
        ranked = PRP(Oracle(grades), method=method, k=10, comparator=reading).rank("q", texts)
        assert share * least <= ranked.calls <= share * most
        assert ranked.ids[:10] == best_first(grades["q"])[:10]


def test_calls_of_all_pairs_and_of_one_order() -> None:
    grades, texts = collection(30)
    assert PRP(Oracle(grades), method="all-pairs").rank("q", texts).calls == 30 * 29
    half = PRP(Oracle(grades), method="all-pairs", rule="one-order").rank("q", texts)
    assert half.calls == 30 * 29 / 2
    assert half.ids == best_first(grades["q"])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("rule", ["agreement", "calibrated"])
def test_a_model_that_only_looks_at_places_changes_nothing(
    method: str, reading: str, rule: str
) -> None:
    grades, texts = collection(12)
    model = Oracle(grades, order_bias=1.0)
    ranked = PRP(model, method=method, comparator=reading, rule=rule).rank("q", texts)
    assert ranked.ids == list(texts)


def test_one_order_alone_is_at_the_mercy_of_the_place() -> None:
    grades, texts = collection(12)
    model = Oracle(grades, order_bias=0.6, seed=2)

    def agreement(rule: str) -> float:
        ranked = PRP(model, method="all-pairs", rule=rule).rank("q", texts)
        truth = [grades["q"][name] for name in ranked.ids]
        return kendall_tau(-np.arange(12.0), np.array(truth))

    assert agreement("agreement") > agreement("one-order")


def test_sliding_once_puts_the_best_first_and_keeps_the_rest() -> None:
    grades, texts = collection(20)
    ranked = PRP(Oracle(grades), k=1).rank("q", texts)
    assert ranked.ids[0] == best_first(grades["q"])[0]
    assert ranked.calls == 2 * 19


@pytest.mark.parametrize("method", METHODS)
def test_garbage_loses_nobody_and_is_counted(method: str) -> None:
    grades, texts = collection(9)
    ranked = PRP(Oracle(grades, malformed=1.0), method=method).rank("q", texts)
    assert sorted(ranked.ids) == sorted(texts)
    assert sum(ranked.answers.values()) == ranked.calls
    assert ranked.answers.get("ok", 0) < ranked.calls
    half = PRP(Oracle(grades, malformed=0.5), method=method).rank("q", texts)
    assert sorted(half.ids) == sorted(texts)


@pytest.mark.parametrize("method", METHODS)
def test_errors_cost_quality_and_more_comparisons_buy_it_back(method: str) -> None:
    taus = []
    for noise in (0.0, 0.15, 0.45):
        found = []
        for seed in range(3):
            grades, texts = collection(14, seed)
            model = Oracle(grades, noise=noise, seed=seed)
            ranked = PRP(model, method=method, k=14).rank("q", texts)
            truth = np.array([grades["q"][name] for name in ranked.ids])
            found.append(kendall_tau(-np.arange(14.0), truth))
        taus.append(np.mean(found))
    assert taus[0] == pytest.approx(1.0)
    assert taus[0] > taus[1] > taus[2]


def test_the_same_order_whatever_the_batches_and_the_concurrency() -> None:
    grades, texts = collection(14)
    for method in METHODS:
        orders = {
            tuple(
                PRP(
                    Oracle(grades, noise=0.3, seed=5, batch_size=batch, concurrency=width),
                    method=method,
                )
                .rank("q", texts)
                .ids
            )
            for batch, width in ((1, 1), (1, 16), (7, 3))
        }
        assert len(orders) == 1, method


def test_ids_do_not_matter_only_the_first_stage_s_order() -> None:
    grades, texts = collection(10)
    names = {name: f"x{99 - i}" for i, name in enumerate(texts)}
    renamed = {"q": {names[name]: grade for name, grade in grades["q"].items()}}
    for method in METHODS:
        one = PRP(Oracle(grades), method=method).rank("q", texts)
        other = PRP(Oracle(renamed), method=method).rank(
            "q", {names[name]: text for name, text in texts.items()}
        )
        assert other.ids == [names[name] for name in one.ids]


def test_a_run_that_stopped_goes_on_without_asking_again(tmp_path: object) -> None:
    grades, texts = collection(12)
    cache = f"{tmp_path}/answers.db"
    whole = PRP(Oracle(grades), k=3).rank("q", texts)
    with pytest.raises(BudgetExceededError):
        PRP(Oracle(grades), k=3, cache=cache, budget=Budget(calls=20)).rank("q", texts)
    again = PRP(Oracle(grades), k=3, cache=cache).rank("q", texts)
    assert again.ids == whole.ids
    assert again.cached_calls >= 20
    assert again.calls + again.cached_calls == whole.calls


def test_no_documents_and_one_are_no_call() -> None:
    model = Oracle({"q": {"a": 1.0}})
    for method in METHODS:
        assert PRP(model, method=method).rank("q", {}).calls == 0
        single = PRP(model, method=method).rank("q", {"a": ""})
        assert (single.ids, single.calls) == (["a"], 0)


def test_the_description_reads_back() -> None:
    reranker = PRP("Oracle({'q': {'a': 1.0}})", method="heap", k=3, comparator="logits")
    assert repr(parse(repr(reranker))) == repr(reranker)
    shown = PRP(Oracle({}), demonstration=("q", "good", "bad"), rule="calibrated")
    assert repr(parse(repr(shown))) == repr(shown)


def test_settings_that_cannot_be_are_refused() -> None:
    model = Oracle({})
    for wrong in (
        {"method": "bubble"},
        {"k": 0},
        {"comparator": "magic"},
        {"comparator": 3},
        {"rule": "both"},
        {"prompt": "rank-gpt"},
    ):
        with pytest.raises(ConfigurationError):
            PRP(model, **wrong)
    with pytest.raises(ConfigurationError, match="no model"):
        PRP()
    with pytest.raises(ConfigurationError, match="both a model and a function"):
        PRP(model, comparator=lambda query, first, second: 1.0)
