"""LLM-RankFusion: calibrated matrices, several sorts and models, contradictions reported."""

import numpy as np
import pytest

from plackett.errors import ConfigurationError
from plackett.fusion import calibrated_preference, cyclic_triads, inconsistency
from plackett.llm.oracle.model import Oracle
from plackett.metrics.rank_correlation import kendall_tau
from plackett.rerankers import parse
from plackett.rerankers.pairwise.pair_sorting import pair_sort, replay
from plackett.rerankers.pairwise.rank_fusion import RankFusion
from plackett.rerankers.ranked import Candidates
from plackett.transport.budget import Budget, BudgetExceededError

SORTS = ("all-pairs", "heap", "sliding", "quick")


def collection(n: int, seed: int = 0) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    grades = np.random.default_rng(seed).permutation(n)
    ids = [f"d{i}" for i in range(n)]
    return (
        {"q": {name: float(g) for name, g in zip(ids, grades, strict=True)}},
        {name: f"the text of {name}" for name in ids},
    )


@pytest.mark.parametrize("reading", ["logits", "likelihood", "generation"])
def test_a_perfect_model_gives_the_order_and_each_pair_is_asked_once(reading: str) -> None:
    grades, texts = collection(15)
    ranked = RankFusion(Oracle(grades), comparator=reading).rank("q", texts)
    assert ranked.ids == sorted(texts, key=lambda name: -grades["q"][name])
    assert ranked.calls == 15 * 14 * (2 if reading == "likelihood" else 1)
    assert ranked.score_kind == "wins"
    assert ranked.answers == {"ok": 15 * 14}


def test_several_models_each_say_their_part() -> None:
    grades, texts = collection(12)
    models = [Oracle(grades, noise=0.2, seed=seed) for seed in range(3)]
    ranked = RankFusion(models).rank("q", texts)
    assert ranked.calls == 3 * 12 * 11
    assert ranked.answers == {"ok": 3 * 12 * 11}


def quality(ids: list[str], grades: dict[str, float]) -> float:
    return kendall_tau(-np.arange(float(len(ids))), np.array([grades[name] for name in ids]))


def test_models_together_are_better_than_the_mean_of_them() -> None:
    alone, together = [], []
    for seed in range(4):
        grades, texts = collection(12, seed)
        models = [Oracle(grades, noise=0.25, seed=10 * seed + each) for each in range(3)]
        alone += [quality(RankFusion(m).rank("q", texts).ids, grades["q"]) for m in models]
        together.append(quality(RankFusion(models).rank("q", texts).ids, grades["q"]))
    assert np.mean(together) > np.mean(alone)


@pytest.mark.parametrize("reading", ["logits", "likelihood", "generation"])
def test_a_bias_towards_the_first_cancels(reading: str) -> None:
    grades, texts = collection(10)
    only_places = RankFusion(Oracle(grades, order_bias=1.0), comparator=reading)
    assert only_places.rank("q", texts).ids == list(texts)
    report = inconsistency(only_places.matrices("q", texts)[0])
    assert report.order_rate == 1.0
    assert report.first_preferred == 1.0
    assert report.cyclic_triads == 0


def test_part_of_a_bias_leaves_those_pairs_to_the_others() -> None:
    grades, texts = collection(20)
    found = []
    for bias in (0.0, 0.3, 1.0):
        ranked = RankFusion(Oracle(grades, order_bias=bias, seed=1)).rank("q", texts)
        found.append(quality(ranked.ids, grades["q"]))
    assert found[0] == pytest.approx(1.0)
    assert found[0] > found[1] > found[2] + 0.3


def test_matrices_are_what_the_model_said() -> None:
    grades, texts = collection(8)
    fusion = RankFusion([Oracle(grades), Oracle(grades, noise=0.4, seed=3)])
    clean, noisy = fusion.matrices("q", texts)
    assert np.isnan(np.diag(clean)).all()
    off = ~np.eye(8, dtype=bool)
    values = np.array([grades["q"][name] for name in texts])
    np.testing.assert_array_equal((clean > 0.5)[off], (values[:, None] > values[None, :])[off])
    assert inconsistency(clean).cyclic_triads == 0
    assert inconsistency(noisy).cyclic_triads > 0
    assert inconsistency(noisy).order_rate == 0.0
    single = fusion.matrices("q", Candidates(("a",), ("t",)))
    assert [matrix.shape for matrix in single] == [(1, 1), (1, 1)]


def test_sorts_agree_exactly_where_nothing_goes_in_circles() -> None:
    for seed in range(6):
        grades, texts = collection(12, seed)
        for noise in (0.0, 0.3):
            model = Oracle(grades, noise=noise, seed=seed)
            preference = calibrated_preference(RankFusion(model).matrices("q", texts)[0])
            orders = {
                replay(pair_sort(sort, 12, 12), lambda i, j, p=preference: float(p[i, j])).order
                for sort in SORTS
            }
            assert (len(orders) == 1) == (cyclic_triads(preference) == 0)


def test_garbage_leaves_the_order_and_is_counted() -> None:
    grades, texts = collection(6)
    ranked = RankFusion(Oracle(grades, malformed=1.0)).rank("q", texts)
    assert ranked.ids == list(texts)
    assert ranked.answers == {"missing": 30}


def test_answers_are_kept_for_all_models_and_the_budget_is_one(tmp_path: object) -> None:
    grades, texts = collection(6)
    models = [Oracle(grades, noise=0.1, seed=seed) for seed in (1, 2)]
    cache = f"{tmp_path}/answers.db"
    with pytest.raises(BudgetExceededError):
        RankFusion(models, cache=cache, budget=Budget(calls=40)).rank("q", texts)
    ranked = RankFusion(models, cache=cache).rank("q", texts)
    assert ranked.calls + ranked.cached_calls == 60
    assert ranked.cached_calls == 40
    assert ranked.ids == RankFusion(models).rank("q", texts).ids


def test_one_document_and_none_are_no_call_and_the_log_has_every_call() -> None:
    grades, texts = collection(4)
    fusion = RankFusion([Oracle(grades), Oracle(grades, seed=1)])
    assert fusion.rank("q", {}).calls == 0
    assert fusion.rank("q", {"d0": "t"}).ids == ["d0"]
    told = []
    fusion.watcher = told.append
    fusion.rank("q", texts)
    assert len(told) == 1
    assert told[0].calls == 24


def test_demonstrations_and_limits_reach_the_prompt() -> None:
    grades, texts = collection(3)
    ranked = RankFusion(
        Oracle(grades), demonstration=("which fruit", "an apple", "a car"), max_words=2
    ).rank("q", texts)
    assert ranked.truncated == 3
    plain = RankFusion(Oracle(grades), max_words=2).rank("q", texts)
    assert ranked.tokens > plain.tokens


def test_the_description_reads_back_and_bad_settings_are_refused() -> None:
    for model in ("Oracle({})", ["Oracle({})", Oracle({"q": {"a": 1.0}})]):
        reranker = RankFusion(model, sorts=("heap", "quick"))
        assert repr(parse(repr(reranker))) == repr(reranker)
    for wrong in ({"sorts": ()}, {"sorts": ("bogo",)}, {"comparator": "magic"}):
        with pytest.raises(ConfigurationError):
            RankFusion(Oracle({}), **wrong)
    with pytest.raises(ConfigurationError):
        RankFusion([])
