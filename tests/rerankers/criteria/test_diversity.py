"""Diverse orders: against brute force, at the ends of their weights, and on odd input."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data import Corpus, Qrels, Queries, Run
from plackett.errors import ConfigurationError, DataError
from plackett.metrics import evaluate
from plackett.rerankers import Reranker, parse
from plackett.rerankers.criteria.diversity import (
    DPP,
    MMR,
    VectorSimilarity,
    XQuAD,
    scaled_relevance,
    word_similarity,
)
from plackett.rerankers.criteria.diversity_orders import dpp_order, mmr_order, xquad_order
from plackett.rerankers.ranked import Candidates

SEEDS = st.integers(0, 10_000)


def problem(seed: int, n: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, n + 1))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return rng.random(n), unit @ unit.T


@given(seed=SEEDS, weight=st.floats(0, 1))
def test_mmr_takes_the_best_at_every_step(seed: int, weight: float) -> None:
    relevance, similarity = problem(seed)
    order = mmr_order(relevance, similarity, weight=weight)
    assert sorted(order) == list(range(6))
    for place, taken in enumerate(order):
        above = order[:place]
        values = {
            d: weight * relevance[d]
            - (1 - weight) * max((similarity[d, s] for s in above), default=0)
            for d in set(range(6)) - set(above)
        }
        assert values[taken] == pytest.approx(max(values.values()))


@given(seed=SEEDS, weight=st.floats(0, 1))
def test_xquad_takes_the_best_at_every_step(seed: int, weight: float) -> None:
    rng = np.random.default_rng(seed)
    relevance, coverage, aspects = rng.random(6), rng.random((6, 3)), rng.random(3)
    order = xquad_order(relevance, coverage, aspects, weight=weight)
    for place, taken in enumerate(order):
        above = order[:place]
        values = {
            d: (1 - weight) * relevance[d]
            + weight
            * sum(
                aspects[a] * coverage[d, a] * np.prod([1 - coverage[s, a] for s in above])
                for a in range(3)
            )
            for d in set(range(6)) - set(above)
        }
        assert values[taken] == pytest.approx(max(values.values()))


def determinant(relevance: np.ndarray, similarity: np.ndarray, kept: list[int], sharpness: float):
    quality = np.exp(sharpness * relevance)
    kernel = quality[:, None] * similarity * quality[None, :]
    return np.linalg.det(kernel[np.ix_(kept, kept)]) if kept else 1.0


@given(seed=SEEDS, sharpness=st.floats(0, 3))
def test_the_dpp_takes_the_largest_determinant_at_every_step(seed: int, sharpness: float) -> None:
    relevance, similarity = problem(seed)
    order = dpp_order(relevance, similarity, sharpness=sharpness)
    assert sorted(order) == list(range(6))
    for place in range(4):
        above = order[:place]
        values = {
            d: determinant(relevance, similarity, [*above, d], sharpness)
            for d in set(range(6)) - set(above)
        }
        assert values[order[place]] == pytest.approx(max(values.values()), rel=1e-6)


@given(seed=SEEDS)
def test_with_nothing_alike_the_greedy_set_is_the_best_set(seed: int) -> None:
    relevance, _ = problem(seed)
    greedy = dpp_order(relevance, np.eye(6), k=3)[:3]
    sets = [list(s) for s in combinations(range(6), 3)]
    best = max(sets, key=lambda s: determinant(relevance, np.eye(6), s, 1.0))
    assert set(greedy) == set(best)
    assert greedy == sorted(greedy, key=lambda d: -relevance[d])


def test_the_greedy_set_is_seldom_far_from_the_best() -> None:
    shares = []
    for seed in range(50):
        relevance, similarity = problem(seed)
        greedy = determinant(relevance, similarity, dpp_order(relevance, similarity, k=3)[:3], 1.0)
        best = max(
            determinant(relevance, similarity, list(s), 1.0) for s in combinations(range(6), 3)
        )
        assert greedy <= best * (1 + 1e-9)
        shares.append(greedy / best)
    assert np.mean(shares) > 0.95


@given(seed=SEEDS)
def test_at_the_end_of_relevance_the_order_is_by_relevance(seed: int) -> None:
    relevance, similarity = problem(seed)
    wanted = sorted(range(6), key=lambda d: -relevance[d])
    assert mmr_order(relevance, similarity, weight=1.0) == wanted
    assert xquad_order(relevance, np.zeros((6, 1)), [1.0], weight=0.0) == wanted
    assert dpp_order(relevance, np.eye(6)) == wanted


def test_copies_come_last_in_the_order_given() -> None:
    alike = np.ones((4, 4))
    assert dpp_order([0.1, 0.9, 0.5, 0.2], alike) == [1, 0, 2, 3]
    assert dpp_order([5e5, -5e5], np.eye(2), sharpness=100) == [0, 1]
    assert dpp_order([], np.zeros((0, 0))) == mmr_order([], np.zeros((0, 0))) == []


def test_only_the_first_k_are_chosen() -> None:
    relevance, similarity = problem(1)
    for order, whole in (
        (mmr_order(relevance, similarity, k=2), mmr_order(relevance, similarity)),
        (dpp_order(relevance, similarity, k=2), dpp_order(relevance, similarity)),
    ):
        assert order[:2] == whole[:2]
        assert order[2:] == sorted(order[2:])


def test_words_resemble_by_their_cosine() -> None:
    given = Candidates(("a", "b", "c", "d"), ("A b b", "b a b", "", "c"))
    found = word_similarity(given)
    assert found == pytest.approx(
        np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    )
    assert np.linalg.eigvalsh(found).min() > -1e-9


def test_relevance_is_scaled_and_odd_scores_are_borne() -> None:
    texts = ("", "", "")
    names = ("a", "b", "c")
    for scores, wanted in (
        ([4.0, 3.0, 2.0], [1.0, 0.5, 0.0]),
        ([np.inf, 1.0, 0.0], [1.0, 1.0, 0.0]),
        ([1.0, np.nan, 0.0], [1.0, 0.0, 0.0]),
        ([np.nan, np.nan, np.nan], [0.0, 0.0, 0.0]),
        ([2.0, 2.0, 2.0], [1.0, 1.0, 1.0]),
        ([1e308, 0.0, -1e308], [1.0, 0.5, 0.0]),
    ):
        given = Candidates(names, texts, np.array(scores))
        assert scaled_relevance(given).tolist() == wanted


TEXTS = {"a": "jaguar car speed", "b": "car jaguar speed", "c": "jaguar cat", "d": "jaguar guitar"}
ASPECTS = {"jaguar": {"car": 0.5, "cat": 0.3, "guitar": 0.2}}


@pytest.mark.parametrize(
    "stage",
    [MMR(weight=0.3), DPP(sharpness=0.2), XQuAD(ASPECTS, weight=0.9)],
    ids=["mmr", "dpp", "xquad"],
)
def test_every_subtopic_is_reached_sooner_than_by_relevance(stage) -> None:
    run = Run.from_dict({"q": {"a": 4.0, "b": 3.9, "c": 3.0, "d": 2.5}}).replace(
        queries=Queries.from_texts({"q": "jaguar"}), corpus=Corpus.from_texts(TEXTS)
    )
    qrels = Qrels.from_arrays(
        ["q"] * 4, ["a", "b", "c", "d"], [1] * 4, subtopic=["1", "1", "2", "3"]
    )
    before = evaluate(run, qrels, "alpha_nDCG@3").mean["alpha_nDCG@3"]
    after = evaluate(stage(run), qrels, "alpha_nDCG@3 StRecall@3").mean
    assert after["alpha_nDCG@3"] > before
    assert after["StRecall@3"] == 1.0
    assert set(stage(run).to_dict()["q"]) == set(TEXTS)


def test_descriptions_are_read_back() -> None:
    for stage in (MMR(weight=0.3, k=5), DPP(sharpness=2.0), XQuAD(ASPECTS, k=2), Reranker("mmr")):
        assert repr(parse(repr(stage))) == repr(stage)


def test_aspects_come_from_a_table_by_text_or_id_or_from_a_function() -> None:
    by_id = Candidates(tuple(TEXTS), tuple(TEXTS.values()), query_id="q7")
    wanted = XQuAD(ASPECTS, weight=1.0).rank("jaguar", TEXTS).ids
    assert XQuAD({"q7": ASPECTS["jaguar"]}, weight=1.0).rank("jaguar", by_id).ids == wanted
    assert XQuAD(lambda query: ["car", "cat"], weight=1.0).rank("jaguar", TEXTS).ids[1] == "c"
    assert XQuAD({}).rank("jaguar", TEXTS).ids == list(TEXTS)
    own = XQuAD(
        ASPECTS,
        weight=1.0,
        coverage=lambda aspect, given: [float(aspect in t) for t in given.texts],
    )
    assert own.rank("jaguar", TEXTS).ids == wanted
    assert XQuAD({"jaguar": ["", "?"]}).rank("jaguar", TEXTS).ids == list(TEXTS)


def test_vectors_resemble_by_their_cosine() -> None:
    vectors = {"a": [1.0, 0.0], "b": [3.0, 0.0], "c": [0.0, 1.0], "d": [0.0, 0.0]}
    ranked = MMR(weight=0.4, similarity=VectorSimilarity(vectors)).rank("q", TEXTS)
    assert ranked.ids[:2] == ["a", "c"]
    assert ranked.score_kind == "rank"
    with pytest.raises(DataError, match="'a' without a vector"):
        MMR(similarity=VectorSimilarity({})).rank("q", TEXTS)


def test_bad_input_is_refused() -> None:
    for wrong in (lambda: MMR(weight=2.0), lambda: DPP(sharpness=-1), lambda: XQuAD({}, k=0)):
        with pytest.raises(ConfigurationError):
            wrong()
    with pytest.raises(ConfigurationError, match='"words" or a function'):
        MMR(similarity="letters").rank("q", TEXTS)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="n rows of n"):
        mmr_order([1.0], [[1.0, 0.0]])
    with pytest.raises(DataError, match="not finite"):
        dpp_order([np.nan], [[1.0]])
    with pytest.raises(DataError, match="documents by 2 aspects"):
        xquad_order([1.0], [[1.0]], [0.5, 0.5])
    with pytest.raises(DataError, match="outside 0 to 1"):
        xquad_order([1.0], [[1.5]], [1.0])
