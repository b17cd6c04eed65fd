"""Setwise re-ranking and Rank-R1: the best k by choices of one from a few."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.llm import Answer, Failure, Generate, Generation, LanguageModel, Request
from plackett.llm.oracle.model import Oracle
from plackett.rerankers import parse
from plackett.rerankers.listwise.rounds import Group, Plan
from plackett.rerankers.listwise.setwise import RankR1, Setwise
from plackett.rerankers.listwise.setwise_sorting import bubble_top, heap_top

QUERY = "red wine"
SORTS = [heap_top, bubble_top]


class Scripted(LanguageModel):
    """Answers by a function of the request."""

    powers = frozenset({"generate"})
    context = 100_000

    def __init__(self, say: Callable[[Request], Answer]) -> None:
        self.say = say
        self.requests: list[Request] = []

    @property
    def identity(self) -> str:
        return "scripted"

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        self.requests += requests
        return [self.say(request) for request in requests]

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def truncate(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[:tokens])

    def __repr__(self) -> str:
        return "Scripted()"


def play(
    plan: Plan[Group, int, list[int]], choose: Callable[[Group], int]
) -> tuple[list[int], int, int]:
    """The result of a plan, its questions and its rounds."""
    questions = rounds = 0
    try:
        wanted = next(plan)
        while True:
            questions, rounds = questions + len(wanted), rounds + 1
            wanted = plan.send([choose(group) for group in wanted])
    except StopIteration as stop:
        return stop.value, questions, rounds


def shuffled(n: int, seed: int) -> list[int]:
    return random.Random(seed).sample(range(n), n)


def relevance_of(grades: Sequence[float]) -> dict[str, dict[str, float]]:
    return {QUERY: {f"d{i}": float(grade) for i, grade in enumerate(grades)}}


def texts(n: int) -> dict[str, str]:
    return {f"d{i}": f"text {i}" for i in range(n)}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_best_k_are_exact(data: st.DataObject) -> None:
    sort = data.draw(st.sampled_from(SORTS))
    n = data.draw(st.integers(1, 60), label="n")
    k = data.draw(st.integers(1, 70), label="k")
    children = data.draw(st.integers(1, 25), label="children")
    grades = shuffled(n, data.draw(st.integers(0, 999), label="seed"))
    best, _, _ = play(sort(n, min(k, n), children), lambda g: max(g, key=grades.__getitem__))
    assert best == sorted(range(n), key=lambda i: -grades[i])[:k]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_answers_give_k_different_documents(data: st.DataObject) -> None:
    sort = data.draw(st.sampled_from(SORTS))
    n, k = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    generator = random.Random(data.draw(st.integers(0, 999)))
    children = data.draw(st.integers(1, 6))
    best, _, _ = play(sort(n, min(k, n), children), generator.choice)
    assert len(set(best)) == len(best) == min(k, n)


def one_after_the_other(n: int, k: int, children: int) -> Plan[Group, int, list[int]]:
    """Heap sort as it is usually written: nothing is asked before the last answer is in."""
    heap = list(range(n))

    def sift(node: int, size: int) -> Plan[Group, int, None]:
        while children * node + 1 < size:
            below = heap[children * node + 1 : min(size, children * (node + 1) + 1)]
            (winner,) = yield [(heap[node], *below)]
            if winner == heap[node]:
                return
            child = heap.index(winner, node + 1)
            heap[node], heap[child] = heap[child], heap[node]
            node = child

    for node in reversed(range(n // children + 1)):
        yield from sift(node, n)
    best: list[int] = []
    for size in range(n - 1, n - 1 - min(k, n), -1):
        best.append(heap[0])
        heap[0] = heap[size]
        if len(best) < k:
            yield from sift(0, size)
    return best


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_heap_is_that_of_one_question_after_the_other_whatever_is_answered(
    data: st.DataObject,
) -> None:
    n = data.draw(st.integers(1, 50), label="n")
    k = data.draw(st.integers(1, 55), label="k")
    children = data.draw(st.integers(1, 7), label="children")
    seed = data.draw(st.integers(0, 9999), label="seed")

    def choose(group: Group) -> int:
        return random.Random(f"{seed} {group}").choice(group)

    slow, slow_questions, slow_rounds = play(one_after_the_other(n, k, children), choose)
    fast, questions, rounds = play(heap_top(n, k, children), choose)
    assert fast == slow
    assert questions <= slow_questions
    assert rounds <= slow_rounds


@pytest.mark.parametrize(("children", "most", "rounds"), [(3, 85, 36), (9, 36, 28), (19, 25, 21)])
def test_calls_of_a_heap_over_100_documents(children: int, most: int, rounds: int) -> None:
    found = []
    for seed in range(60):
        grades = shuffled(100, seed)
        choose = functools.partial(max, key=grades.__getitem__)
        _, questions, waited = play(heap_top(100, 10, children), choose)
        _, usual, _ = play(one_after_the_other(100, 10, children), choose)
        assert questions <= usual <= most
        assert waited <= rounds
        found.append(questions)
    assert 0.85 * most < np.mean(found) < most


def test_calls_and_rounds_of_bubble_sort_over_100_documents() -> None:
    for seed in range(5):
        grades = shuffled(100, seed)
        _, questions, rounds = play(
            bubble_top(100, 10, 3), lambda g, grades=grades: max(g, key=grades.__getitem__)
        )
        assert (questions, rounds) == (318, 48)
        ranked = Setwise(Oracle(relevance_of(grades)), method="bubble").rank(QUERY, texts(100))
        assert ranked.calls <= 318
        assert ranked.ids[:10] == [
            f"d{i}" for i in sorted(range(100), key=lambda i: -grades[i])[:10]
        ]


def test_one_child_compares_pairs() -> None:
    sizes: set[int] = set()

    def choose(group: Group) -> int:
        sizes.add(len(group))
        return min(group)

    for sort in SORTS:
        best, _, _ = play(sort(12, 12, 1), choose)
        assert best == list(range(12))
    assert sizes == {2}


@pytest.mark.parametrize("method", ["heap", "bubble"])
@pytest.mark.parametrize("read", ["generation", "logits"])
def test_setwise_orders_the_best_k_and_leaves_the_rest(method: str, read: str) -> None:
    for n in (2, 3, 4, 5, 11, 50):
        grades = shuffled(n, n)
        model = Oracle(relevance_of(grades))
        ranked = Setwise(model, method=method, read=read, k=4).rank(QUERY, texts(n))  # type: ignore[arg-type]
        best = sorted(range(n), key=lambda i: -grades[i])[:4]
        assert ranked.ids == [f"d{i}" for i in (*best, *sorted(set(range(n)) - set(best)))]
        assert ranked.score_kind == "rank"


def test_words_and_probabilities_agree_where_the_model_does() -> None:
    for seed in range(4):
        model = Oracle(relevance_of(shuffled(40, seed)), noise=0.2, seed=seed)
        by_words = Setwise(model, children=9).rank(QUERY, texts(40))
        by_logits = Setwise(model, children=9, read="logits").rank(QUERY, texts(40))
        assert by_words.ids == by_logits.ids
        assert by_words.calls == by_logits.calls


def test_k_of_n_and_more_sorts_everything() -> None:
    grades = shuffled(23, 5)
    for k in (23, 100):
        ranked = Setwise(Oracle(relevance_of(grades)), k=k).rank(QUERY, texts(23))
        assert ranked.ids == [f"d{i}" for i in sorted(range(23), key=lambda i: -grades[i])]


def test_equal_grades_need_not_be_set_apart() -> None:
    ranked = Setwise(Oracle(relevance_of([1.0] * 20))).rank(QUERY, texts(20))
    assert sorted(ranked.ids) == sorted(texts(20))


@pytest.mark.parametrize("answer", [Generation("neither"), Generation(""), Failure("timeout")])
@pytest.mark.parametrize("method", ["heap", "bubble"])
def test_without_usable_answers_nothing_moves(answer: Answer, method: str) -> None:
    model = Scripted(lambda _: answer)
    for reranker in (Setwise(model, method=method), RankR1(model, method=method)):  # type: ignore[arg-type]
        ranked = reranker.rank(QUERY, texts(40))
        assert ranked.ids == list(texts(40))
        assert not ranked.answers.get("ok")


def test_rank_r1_makes_20_to_25_calls_of_up_to_20_documents_in_tags() -> None:
    grades = shuffled(100, 8)
    model = Oracle(relevance_of(grades))
    ranked = RankR1(model).rank(QUERY, texts(100))
    assert 20 <= ranked.calls <= 25
    assert ranked.ids[:10] == [f"d{i}" for i in sorted(range(100), key=lambda i: -grades[i])[:10]]


def test_rank_r1_reads_the_answer_tag_only() -> None:
    def say(request: Request) -> Answer:
        assert isinstance(request, Generate)
        assert request.max_tokens > request.thinking_tokens == 2048
        shown = request.prompt.shown
        assert shown is not None
        wanted = shown.documents.index("d2") + 1
        return Generation(f"<think>[9] and [1] are no good.</think> <answer>[{wanted}]</answer>")

    ranked = RankR1(Scripted(say), k=1).rank(QUERY, texts(3))
    assert ranked.ids == ["d2", "d0", "d1"]
    assert ranked.answers == {"ok": 1}


def test_rank_r1_shuffles_by_the_seed_and_setwise_does_not() -> None:
    def shown(reranker: Setwise | RankR1, model: Scripted) -> list[tuple[str, ...]]:
        model.requests.clear()
        reranker.rank(QUERY, texts(8))
        return [
            request.prompt.shown.documents
            for request in model.requests
            if isinstance(request, Generate) and request.prompt.shown
        ]

    model = Scripted(lambda _: Generation("A"))
    in_order = shown(Setwise(model, children=7, k=1), model)
    assert in_order == [tuple(texts(8))]
    draws = [shown(RankR1(model, k=1, seed=seed), model) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    assert sorted(draws[0][0]) == sorted(texts(8))


def test_majority_of_votes_decides() -> None:
    said = iter(["B", "A", "A"])  # of the orders (0, 1, 2, 3), its reverse, and one at random
    heard: list[str] = []

    def say(request: Request) -> Answer:
        assert isinstance(request, Generate)
        shown = request.prompt.shown
        assert shown is not None
        letter = next(said)
        heard.append(shown.documents[shown.labels.index(letter)])
        return Generation(letter)

    ranked = Setwise(Scripted(say), votes=3, k=1).rank(QUERY, texts(4))
    counts = {name: heard.count(name) for name in heard}
    most = max(counts.values())
    assert ranked.calls == 3
    assert ranked.ids[0] == min(name for name in heard if counts[name] == most)


def test_votes_cancel_a_model_that_only_looks_at_places() -> None:
    for reader in ("generation", "logits"):
        model = Oracle(relevance_of(shuffled(30, 1)), order_bias=1.0)
        reranker = Setwise(model, children=1, votes=2, method="bubble", read=reader)  # type: ignore[arg-type]
        assert reranker.rank(QUERY, texts(30)).ids == list(texts(30))


def test_descriptions_round_trip() -> None:
    model = "Oracle({'q': {'a': 1}})"
    for reranker in (
        Setwise(model, method="bubble", children=5, k=3, read="logits", votes=2),
        RankR1(model, votes=3, thinking=500, temperature=0.5, seed=7),
    ):
        assert repr(parse(repr(reranker))) == repr(reranker)


def test_wrong_parameters_are_refused_at_once() -> None:
    model = Oracle({})
    with pytest.raises(ConfigurationError, match="heap or bubble"):
        Setwise(model, method="quick")  # type: ignore[arg-type]
    for wrong in ({"children": 0}, {"k": 0}, {"votes": 0}):
        with pytest.raises(ConfigurationError):
            Setwise(model, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="26"):
        Setwise(model, children=26)
    with pytest.raises(ConfigurationError, match="generation or logits"):
        Setwise(model, read="both")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="grammar"):
        RankR1(model, prompt="rank-gpt")
