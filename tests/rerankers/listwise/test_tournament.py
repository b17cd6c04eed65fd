"""Tournaments: selection by stages, Swiss rounds, knock-out."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Sequence
from itertools import combinations
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.llm import Answer, Failure, Generate, Generation, LanguageModel, Request
from plackett.llm.oracle.model import Oracle
from plackett.rerankers import parse
from plackett.rerankers.listwise.list_questions import Selection
from plackett.rerankers.listwise.rounds import Group
from plackett.rerankers.listwise.swiss_rounds import pair_neighbours, swiss_rounds
from plackett.rerankers.listwise.tournament import KnockOut, Swiss, TourRank
from plackett.rerankers.listwise.tournament_plans import knock_out, selection_points, stages_for

QUERY = "red wine"
Result = TypeVar("Result")


class Scripted(LanguageModel):
    """Answers by a function of the request."""

    powers = frozenset({"generate"})
    context = 100_000
    concurrency = 1000

    def __init__(self, say: Callable[[Generate], Answer]) -> None:
        self.say = say
        self.requests: list[Generate] = []

    @property
    def identity(self) -> str:
        return "scripted"

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        found = [request for request in requests if isinstance(request, Generate)]
        self.requests += found
        return [self.say(request) for request in found]

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def truncate(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[:tokens])

    def __repr__(self) -> str:
        return "Scripted()"


def play(
    plan: Generator[Sequence[Any], list[Any], Result], choose: Callable[[Any], Any]
) -> tuple[Result, list[list[Any]]]:
    """The result of a plan, and what it asked, round by round."""
    seen: list[list[Any]] = []
    try:
        wanted = next(plan)
        while True:
            seen.append(list(wanted))
            wanted = plan.send([choose(each) for each in wanted])
    except StopIteration as stop:
        return stop.value, seen


def shuffled(n: int, seed: int) -> list[int]:
    return random.Random(seed).sample(range(n), n)


def relevance_of(grades: Sequence[float]) -> dict[str, dict[str, float]]:
    return {QUERY: {f"d{i}": float(grade) for i, grade in enumerate(grades)}}


def texts(n: int) -> dict[str, str]:
    return {f"d{i}": f"text {i}" for i in range(n)}


def by(grades: Sequence[float]) -> Callable[[Selection], list[int]]:
    return lambda asked: sorted(asked.group, key=lambda i: -grades[i])[: asked.keep]


# Selection by stages


def test_stages_of_the_card() -> None:
    assert stages_for(100) == [(50, 5), (20, 5), (10, 1), (5, 1), (2, 1)]
    assert sum(groups for _, groups in stages_for(100)) == 13
    assert sum(keep for keep, _ in stages_for(100)) == 87
    assert stages_for(1) == []
    assert stages_for(2) == [(1, 1)]
    assert stages_for(1000)[:4] == [(500, 50), (250, 25), (125, 13), (63, 7)]


@given(st.integers(2, 3000))
def test_stages_shrink_to_two_in_groups_that_fit_and_keep_some(n: int) -> None:
    left = n
    for keep, groups in stages_for(n):
        assert 0 < keep < left
        assert groups <= keep
        assert -(-left // groups) <= 20
        left = keep
    assert left == (2 if n > 2 else 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 240), st.integers(0, 99), st.booleans())
def test_a_tournament_keeps_the_best_two_and_gives_the_points_of_its_stages(
    n: int, seed: int, mixed: bool
) -> None:
    grades = shuffled(n, seed)
    stages = stages_for(n)
    points, rounds = play(selection_points(n, stages, random.Random(seed), mixed=mixed), by(grades))
    assert len(rounds) == len(stages)
    assert points.sum() == sum(keep for keep, _ in stages)
    if n > 2:
        best = sorted(range(n), key=lambda i: -grades[i])[:2]
        assert set(np.flatnonzero(points == points.max())) == set(best)
    for asked, (keep, groups) in zip(rounds, stages, strict=True):
        assert len(asked) == groups
        assert sum(each.keep for each in asked) == keep
        members = [each for selection in asked for each in selection.group]
        assert len(set(members)) == len(members)
        assert all(each.keep < len(each.group) or keep == len(members) for each in asked)


def test_groups_of_100_take_one_of_every_five_and_are_shuffled() -> None:
    _, rounds = play(
        selection_points(100, stages_for(100), random.Random(0), mixed=False), by(range(100))
    )
    first = rounds[0]
    assert [set(each.group) for each in first] == [set(range(j, 100, 5)) for j in range(5)]
    assert all(list(each.group) != sorted(each.group) for each in first)
    assert [len(each.group) for each in rounds[1]] == [10] * 5
    assert [each.keep for each in rounds[1]] == [4] * 5
    _, mixed = play(
        selection_points(100, stages_for(100), random.Random(0), mixed=True), by(range(100))
    )
    for asked in mixed[0]:
        assert sorted(i // 5 for i in asked.group) == list(range(20))


@pytest.mark.parametrize("tournaments", [1, 3])
def test_tour_rank_makes_13_calls_a_tournament_in_5_rounds(tournaments: int) -> None:
    grades = shuffled(100, 4)
    model = Oracle(relevance_of(grades), latency=0.01, concurrency=1000)
    ranked = TourRank(model, tournaments=tournaments).rank(QUERY, texts(100))
    assert ranked.calls == 13 * tournaments
    assert 0.05 < ranked.seconds < 0.13 + 0.1
    assert sum(each.score for each in ranked) == 87 * tournaments
    best = sorted(range(100), key=lambda i: -grades[i])
    assert set(ranked.ids[:2]) == {f"d{i}" for i in best[:2]}
    assert ranked.score_kind == "wins"


def test_more_tournaments_leave_fewer_ties_and_come_nearer() -> None:
    distinct, distances = [], []
    for tournaments in (1, 3, 9):
        moves, scores = [], set()
        for seed in range(3):
            grades = shuffled(60, seed)
            reranker = TourRank(Oracle(relevance_of(grades)), tournaments=tournaments, seed=seed)
            result = reranker.rank(QUERY, texts(60))
            scores |= {each.score for each in result}
            best = sorted(range(60), key=lambda i: -grades[i])
            moves += [abs(best.index(each.position) + 1 - each.rank) for each in result]
        distinct.append(len(scores))
        distances.append(np.mean(moves))
    assert distinct == sorted(set(distinct))
    assert distances == sorted(distances, reverse=True)


def test_a_selection_is_cut_or_filled_to_its_number() -> None:
    def say(request: Generate) -> Answer:
        return Generation("[4], [3], [2], [1]" if len(model.requests) == 1 else "[4]")

    model = Scripted(say)
    ranked = TourRank(model, tournaments=2, stages=((2, 4),)).rank(QUERY, texts(4))
    assert ranked.calls == 2
    assert sum(each.score for each in ranked) == 4
    assert [request.prompt.plain().count("exactly 2") for request in model.requests] == [1, 1]


def test_without_usable_answers_the_first_stage_decides() -> None:
    for answer in (Generation("All are good."), Failure("down")):
        model = Scripted(lambda _, answer=answer: answer)
        for n in (2, 3, 33, 100):
            for reranker in (TourRank(model, tournaments=3), Swiss(model), KnockOut(model)):
                assert reranker.rank(QUERY, texts(n)).ids == list(texts(n))


# Swiss rounds


def wins_by(grades: Sequence[float]) -> Callable[[Group], float]:
    return lambda pair: 0.5 + 0.5 * float(np.sign(grades[pair[0]] - grades[pair[1]]))


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 50), st.integers(0, 999))
def test_log2_n_rounds_find_the_best(n: int, seed: int) -> None:
    grades = shuffled(n, seed)
    table, rounds = play(swiss_rounds(n, (n - 1).bit_length()), wins_by(grades))
    assert len(rounds) == (n - 1).bit_length()
    best = int(np.argmax(grades))
    assert table.order()[0] == best
    assert (table.points == table.points.max()).sum() == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 16), st.integers(1, 20), st.integers(0, 999))
def test_nobody_meets_twice_and_points_add_up(n: int, count: int, seed: int) -> None:
    generator = random.Random(seed)
    table, rounds = play(swiss_rounds(n, count), lambda _: generator.choice((0.0, 0.5, 1.0)))
    met = [tuple(sorted(pair)) for pairs in rounds for pair in pairs]
    assert len(set(met)) == len(met)
    for pairs in rounds:
        players = [each for pair in pairs for each in pair]
        assert len(set(players)) == len(players) <= n - n % 2
    assert table.wins.sum() == len(met)
    byes = table.points.sum() - table.wins.sum()
    assert 0 <= byes <= (n if n % 2 else 0)
    assert ((table.points - table.wins.sum(axis=1)) <= 1).all()  # at most one bye each
    opponents = [[b for pair in met for b in pair if x in pair and b != x] for x in range(n)]
    assert table.buchholz == pytest.approx([table.points[others].sum() for others in opponents])


def test_all_rounds_are_a_round_robin() -> None:
    for n in range(2, 13):
        _, rounds = play(swiss_rounds(n, 50), wins_by(shuffled(n, n)))
        met = {tuple(sorted(pair)) for pairs in rounds for pair in pairs}
        assert met == set(combinations(range(n), 2))


def test_first_round_pairs_neighbours_and_the_second_those_with_equal_points() -> None:
    _, rounds = play(swiss_rounds(8, 2), lambda _: 1.0)
    assert rounds == [[(0, 1), (2, 3), (4, 5), (6, 7)], [(0, 2), (4, 6), (1, 3), (5, 7)]]


def test_the_lowest_gets_the_bye_once() -> None:
    table, rounds = play(swiss_rounds(5, 3), wins_by([5, 4, 3, 2, 1]))
    assert {each for pair in rounds[0] for each in pair} == {0, 1, 2, 3}
    assert table.points.sum() == sum(len(pairs) for pairs in rounds) + 3


def test_pairing_dissolves_pairs_only_where_it_must() -> None:
    nobody: list[set[int]] = [set() for _ in range(6)]
    assert pair_neighbours(range(6), nobody) == [(0, 1), (2, 3), (4, 5)]
    last_two_met = [set(), set(), set(), set(), {5}, {4}]
    assert pair_neighbours(range(6), last_two_met) == [(0, 1), (2, 4), (3, 5)]
    all_met = [set(range(4)) - {i} for i in range(4)]
    assert pair_neighbours(range(4), all_met) == []
    assert pair_neighbours([], []) == []


@pytest.mark.parametrize("aggregate", ["bradley_terry", "points", "win_rate", "pagerank"])
def test_swiss_makes_two_calls_a_match_and_finds_the_best(aggregate: str) -> None:
    for n in (2, 3, 7, 16, 37):
        grades = shuffled(n, n)
        ranked = Swiss(Oracle(relevance_of(grades)), aggregate=aggregate).rank(QUERY, texts(n))
        assert ranked.calls == (n - n % 2) * (n - 1).bit_length()
        assert ranked.ids[0] == f"d{int(np.argmax(grades))}"
        assert ranked.score_kind == "wins"


def test_points_then_buchholz_then_first_stage() -> None:
    grades = shuffled(24, 3)
    ranked = Swiss(Oracle(relevance_of(grades)), aggregate="points").rank(QUERY, texts(24))
    table, _ = play(swiss_rounds(24, 5), wins_by(grades))
    assert [each.position for each in ranked] == table.order()


def test_more_rounds_come_nearer_and_all_of_them_are_exact() -> None:
    grades = shuffled(20, 6)
    exact = Swiss(Oracle(relevance_of(grades)), rounds=19).rank(QUERY, texts(20))
    assert exact.ids == [f"d{i}" for i in sorted(range(20), key=lambda i: -grades[i])]
    assert exact.calls == 20 * 19
    beyond = Swiss(Oracle(relevance_of(grades)), rounds=100).rank(QUERY, texts(20))
    assert (beyond.ids, beyond.calls) == (exact.ids, exact.calls)


@pytest.mark.parametrize("read", ["generation", "logits"])
def test_a_model_that_only_looks_at_places_only_draws(read: str) -> None:
    model = Oracle(relevance_of(shuffled(14, 2)), order_bias=1.0)
    for reranker in (Swiss(model, read=read), KnockOut(model, read=read)):  # type: ignore[arg-type]
        assert reranker.rank(QUERY, texts(14)).ids == list(texts(14))


# Knock-out


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 70), st.integers(1, 75), st.integers(2, 9), st.integers(0, 999))
def test_best_k_of_a_knock_out_are_exact(n: int, k: int, size: int, seed: int) -> None:
    grades = shuffled(n, seed)
    order, _ = play(knock_out(n, k, size), lambda match: max(match, key=grades.__getitem__))
    assert order[:k] == sorted(range(n), key=lambda i: -grades[i])[:k]
    assert sorted(order) == list(range(n))


def test_the_champion_takes_n_less_1_matches_in_log2_n_rounds() -> None:
    for n in (2, 3, 8, 33, 100):
        grades = shuffled(n, n)
        _, rounds = play(knock_out(n, 1, 2), lambda m, g=grades: max(m, key=g.__getitem__))
        assert sum(len(matches) for matches in rounds) == n - 1
        assert len(rounds) == (n - 1).bit_length()
        ten = sum(
            len(m)
            for m in play(knock_out(n, 10, 2), lambda m, g=grades: max(m, key=g.__getitem__))[1]
        )
        assert ten <= n - 1 + 9 * 2 * (n - 1).bit_length()


def test_the_others_follow_by_the_round_they_went_out_in() -> None:
    order, rounds = play(knock_out(8, 1, 2), max)
    assert rounds == [[(0, 4), (1, 5), (2, 6), (3, 7)], [(4, 6), (5, 7)], [(6, 7)]]
    assert order == [7, 6, 4, 5, 0, 1, 2, 3]


def test_knock_out_calls() -> None:
    grades = shuffled(64, 1)
    ranked = KnockOut(Oracle(relevance_of(grades)), k=1).rank(QUERY, texts(64))
    assert ranked.calls == 2 * 63
    in_fours = KnockOut(Oracle(relevance_of(grades)), k=1, size=4, votes=1, read="logits")
    assert in_fours.rank(QUERY, texts(64)).calls == 21
    assert ranked.ids[0] == f"d{grades.index(63)}"


def test_the_seed_decides_tournaments_and_nothing_else_does() -> None:
    relevance = relevance_of(shuffled(60, 0))
    orders = []
    for seed, batch in ((0, 1), (0, 7), (1, 1)):
        model = Oracle(relevance, noise=0.2, batch_size=batch, concurrency=batch)
        orders.append(TourRank(model, tournaments=3, seed=seed).rank(QUERY, texts(60)).ids)
    assert orders[0] == orders[1] != orders[2]


def test_descriptions_round_trip() -> None:
    model = "Oracle({'q': {'a': 1}})"
    for reranker in (
        TourRank(model, tournaments=2, stages=((20, 10), (5, 20))),
        Swiss(model, rounds=3, aggregate="points", read="logits"),
        KnockOut(model, k=3, size=4, votes=1, seed=2),
    ):
        assert repr(parse(repr(reranker))) == repr(reranker)


def test_wrong_parameters_are_refused_at_once() -> None:
    model = Oracle({})
    for wrong in (
        {"tournaments": 0},
        {"stages": ()},
        {"stages": ((10, 20), (10, 5))},
        {"stages": ((10, 1),)},
        {"prompt": "setwise"},
    ):
        with pytest.raises(ConfigurationError):
            TourRank(model, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        Swiss(model, rounds=0)
    with pytest.raises(UnknownNameError):
        Swiss(model, aggregate="glicko")
    for other in ({"k": 0}, {"size": 1}, {"votes": 0}):
        with pytest.raises(ConfigurationError):
            KnockOut(model, **other)  # type: ignore[arg-type]


def test_a_selection_prompt_must_say_how_many(tmp_path: object) -> None:
    path = f"{tmp_path}/mine.toml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            'name = "mine"\ndescription = "x"\ngrammar = "selection"\n[[messages]]\nrole = "user"\n'
            'text = "{query}\\n{documents}"\n'
        )
    with pytest.raises(ConfigurationError, match="count"):
        TourRank(Oracle({}), prompt=path)
