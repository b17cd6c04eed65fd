"""Who drives a strategy: rounds, many queries at once, errors, budgets, Ctrl-C, policies."""

import asyncio
import threading
import time

import pytest

from plackett.errors import ConfigurationError, DataError
from plackett.llm import Failure, Generate, Generation, Message, Prompt
from plackett.llm.oracle.model import Oracle
from plackett.rerankers import MalformedAnswerError, Ordering, Reranker, StrategyReranker
from plackett.rerankers.strategy import Asking
from plackett.transport.budget import Budget, BudgetExceededError
from plackett.transport.cache import AnswerCache

QUERY = "a query"
GRADES = {QUERY: {f"d{i}": float(i) for i in range(9)}}
TEXTS = {f"d{i}": f"text {i}" for i in range(9)}


class Rounds(StrategyReranker):
    """Asks `rounds` rounds of one question a document; keeps the order."""

    def __init__(self, model, rounds=2, wrong=None, **more) -> None:
        super().__init__(model, **more)
        self.rounds, self.wrong = rounds, wrong
        self.closed = 0
        self.sent: list[int] = []

    def steps(self, query, candidates, asking):
        try:
            for turn in range(self.rounds):
                answers = yield [
                    Generate(Prompt((Message("user", f"{query} {name} {turn}"),)))
                    for name in candidates.ids
                ]
                self.sent.append(len(answers))
                if self.wrong is not None:
                    raise self.wrong
            return Ordering(tuple(range(len(candidates))))
        finally:
            self.closed += 1

    def __repr__(self) -> str:
        return "Rounds()"


def test_a_round_is_asked_at_once_and_rounds_one_after_the_other(watched) -> None:
    model = watched(GRADES, concurrency=64, batch_size=4)
    reranker = Rounds(model, rounds=3)
    ranked = reranker.rank(QUERY, TEXTS)
    assert reranker.sent == [9, 9, 9]
    assert model.calls == 3 * 3
    assert (ranked.calls, ranked.cached_calls) == (27, 0)
    assert ranked.ids == list(TEXTS)
    assert ranked.score_kind == "rank"
    assert ranked.scores.tolist() == list(range(9, 0, -1))


def test_queries_go_side_by_side() -> None:
    """8 queries of 3 rounds of 0.05 s take three rounds of time, not 24."""
    reranker = Rounds(Oracle(GRADES, latency=0.05, concurrency=1000), rounds=3)
    queries = [f"{QUERY} {i}" for i in range(8)]
    started = time.perf_counter()
    ranked = reranker.rank_many(queries, [TEXTS] * 8)
    assert time.perf_counter() - started < 0.6
    assert [each.query for each in ranked] == queries
    assert all(each.calls == 27 for each in ranked)


def test_an_empty_round_is_no_call(watched) -> None:
    class Silent(Rounds):
        def steps(self, query, candidates, asking):
            answers = yield []
            assert answers == []
            return Ordering(tuple(range(len(candidates))))

    model = watched(GRADES)
    assert Silent(model).rank(QUERY, TEXTS).calls == model.calls == 0


def test_a_strategy_that_loses_a_document_is_stopped() -> None:
    class Loses(Rounds):
        def steps(self, query, candidates, asking):
            yield []
            return Ordering((0, 0, 1))

    with pytest.raises(DataError, match="an order of 3 places from Rounds"):
        Loses(Oracle(GRADES)).rank(QUERY, TEXTS)


def test_an_error_of_one_query_ends_all_and_closes_them(watched) -> None:
    model = watched(GRADES, concurrency=2, latency=0.01)
    reranker = Rounds(model, rounds=50, wrong=ArithmeticError("mine"))
    with pytest.raises(ArithmeticError, match="mine"):
        reranker.rank_many([f"{QUERY} {i}" for i in range(5)], [TEXTS] * 5)
    assert reranker.closed == 5
    calls = model.calls
    time.sleep(0.05)
    assert model.calls <= calls + 2, "nothing is asked any more"


def test_an_error_of_the_model_reaches_the_caller_and_it_can_go_on(watched, killed) -> None:
    model, cache = watched(GRADES, kill_at=5), AnswerCache()
    reranker = Rounds(model, cache=cache)
    with pytest.raises(killed):
        reranker.rank(QUERY, TEXTS)
    ranked = reranker.rank(QUERY, TEXTS)
    assert ranked.calls + ranked.cached_calls == 18
    assert ranked.cached_calls >= 5
    assert len(model.keys) == len(set(model.keys)) == 18


def test_ctrl_c_stops_what_is_under_way(watched) -> None:
    model = watched(GRADES, latency=0.05)
    reranker = Rounds(model, rounds=100)

    async def interrupted() -> None:
        work = asyncio.ensure_future(reranker.arank(QUERY, TEXTS))
        await asyncio.sleep(0.08)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(interrupted())
    time.sleep(0.1)
    calls = model.calls
    time.sleep(0.15)
    assert model.calls == calls < 100
    assert reranker.closed == 1


def test_a_budget_stops_all_queries(watched) -> None:
    model, cache = watched(GRADES, concurrency=4), AnswerCache()
    reranker = Rounds(model, cache=cache, budget=Budget(calls=20))
    with pytest.raises(BudgetExceededError, match="20 calls"):
        reranker.rank_many([f"{QUERY} {i}" for i in range(3)], [TEXTS] * 3)
    assert model.calls <= 20
    again = Rounds(model, cache=cache)
    ranked = again.rank_many([f"{QUERY} {i}" for i in range(3)], [TEXTS] * 3)
    assert sum(each.calls + each.cached_calls for each in ranked) == 54
    assert len(model.keys) == len(set(model.keys)) == 54


def test_threads_and_loops_share_one_door(watched) -> None:
    model = watched(GRADES, concurrency=8, latency=0.002)
    reranker = Rounds(model)
    found = []
    threads = [
        threading.Thread(target=lambda i=i: found.append(reranker.rank(f"{QUERY} {i}", TEXTS).ids))
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [list(TEXTS)] * 4

    async def awaited():
        return await asyncio.gather(*[reranker.arank(f"{QUERY} {i}", TEXTS) for i in range(4, 7)])

    assert [each.ids for each in asyncio.run(awaited())] == [list(TEXTS)] * 3
    assert model.calls == 7 * 18


def test_the_watcher_is_told_of_each_query() -> None:
    reranker = Rounds(Oracle(GRADES))
    told = []
    reranker.watcher = told.append
    reranker.rank_many(["x", "y"], [TEXTS, TEXTS])
    assert [outcome.calls for outcome in told] == [18, 18]


def test_a_model_may_be_a_description_and_a_cache_a_path(tmp_path) -> None:
    path = str(tmp_path / "answers.sqlite")
    for calls in (18, 0):
        ranked = Rounds(repr(Oracle(GRADES)), cache=path).rank(QUERY, TEXTS)
        assert ranked.calls == calls
        assert ranked.cached_calls == 18 - calls


# --------------------------------------------------------------------------------------- policies


@pytest.mark.parametrize(
    ("policy", "used"),
    [("repair", ["ok", "repaired"]), ("keep", ["ok"])],
)
def test_which_answers_a_policy_uses(policy, used) -> None:
    asking = Asking(Oracle({}), policy)
    statuses = ["ok", "repaired", "wrong_format", "missing", "refused"]
    assert [each for each in statuses if asking.note(each, Generation("x"))] == used
    assert asking.answers == dict.fromkeys(statuses, 1)


@pytest.mark.parametrize("status", ["repaired", "wrong_format", "missing", "refused"])
def test_strict_stops_at_the_first_bad_answer(status) -> None:
    asking = Asking(Oracle({}), "strict")
    assert asking.note("ok", Generation("x"))
    with pytest.raises(MalformedAnswerError, match=f"is {status}: 'the answer'"):
        asking.note(status, Generation("the answer"))
    with pytest.raises(MalformedAnswerError, match="no server"):
        asking.note("missing", Failure("no server"))
    with pytest.raises(MalformedAnswerError) as error:
        asking.note(status, Generation("x" * 10_000))
    assert len(str(error.value)) < 600


def test_policies_of_a_strategy() -> None:
    rubbish = Oracle(GRADES, malformed=1.0)
    assert Reranker("rank-gpt", model=rubbish).rank(QUERY, TEXTS).ids == list(TEXTS)
    with pytest.raises(MalformedAnswerError):
        Reranker("rank-gpt", model=rubbish, on_malformed="strict").rank(QUERY, TEXTS)
    with pytest.raises(ConfigurationError, match="on_malformed"):
        Reranker("rank-gpt", model=rubbish, on_malformed="mend")


def test_answers_are_counted_in_the_result() -> None:
    ranked = Reranker("yes-no", model=Oracle(GRADES, malformed=0.5), mode="generation").rank(
        QUERY, TEXTS
    )
    assert sum(ranked.answers.values()) == 9
    assert len(ranked.answers) > 1


# ------------------------------------------------------------------------------------ what is given


def test_what_can_be_given() -> None:
    reranker = Rounds(Oracle({}))
    assert reranker.rank(QUERY, ["a", "b"]).ids == ["0", "1"]
    assert reranker.rank(QUERY, ["a", "b"], ids=["x", "y"]).ids == ["x", "y"]
    assert reranker.rank(QUERY, {"x": "a", "y": "b"}, k=1).ids == ["x"]
    assert reranker.rank_many([], []) == []


@pytest.mark.parametrize(
    ("query", "documents", "more"),
    [
        (3, ["a"], {}),
        (None, ["a"], {}),
        ("q", [1, 2], {}),
        ("q", ["a", None], {}),
        ("q", "one string", {}),
        ("q", ["a", "b"], {"ids": ["x"]}),
        ("q", ["a", "b"], {"ids": ["x", "x"]}),
        ("q", ["a"], {"k": 0}),
        ("q", ["a"], {"k": True}),
    ],
)
def test_what_cannot(query, documents, more) -> None:
    with pytest.raises((DataError, ConfigurationError)):
        Rounds(Oracle({})).rank(query, documents, **more)


def test_lists_of_unequal_number() -> None:
    with pytest.raises(DataError, match="2 queries and 1 lists"):
        Rounds(Oracle({})).rank_many(["a", "b"], [TEXTS])
