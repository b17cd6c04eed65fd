"""The door: batches, concurrency, one call for one question, the cache, the budget, the records."""

import asyncio
from collections.abc import Sequence

import pytest

from plackett.errors import ConfigurationError, DataError
from plackett.llm import (
    Answer,
    Attention,
    AttentionWeights,
    Door,
    Failure,
    Generate,
    Generation,
    LabelScores,
    LanguageModel,
    Likelihood,
    Message,
    NextToken,
    Prompt,
    Request,
    Shown,
    TokenLikelihood,
    TokenScore,
)
from plackett.llm.door import Usage, expected_tokens
from plackett.llm.wire import from_wire, to_wire
from plackett.transport.budget import Budget, BudgetExceededError
from plackett.transport.cache import AnswerCache, MissingAnswerError
from plackett.transport.records import CallLog


class Echo(LanguageModel):
    """Answers with the prompt, 3 tokens in and 2 out; notes how it was asked."""

    powers = frozenset({"generate"})

    def __init__(self, *, batch_size=1, concurrency=1, fails=(), error=None, seconds=0.0) -> None:
        self.batch_size, self.concurrency = batch_size, concurrency
        self.fails, self.error, self.seconds = set(fails), error, seconds
        self.batches: list[list[str]] = []
        self.now = self.most = 0

    @property
    def identity(self) -> str:
        return "echo"

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        texts = [request.prompt.plain().strip() for request in requests]
        self.batches.append(texts)
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.seconds)
        self.now -= 1
        if self.error is not None and self.error[0] in texts:
            raise self.error[1]
        return [
            Failure("broken", 3, 0) if text in self.fails else Generation(text, 3, 2)
            for text in texts
        ]

    def count_tokens(self, text: str) -> int:
        return 3

    def truncate(self, text: str, tokens: int) -> str:
        return text

    def __repr__(self) -> str:
        return "Echo()"


def question(text: str, **more) -> Generate:
    return Generate(Prompt((Message("user", text),)), max_tokens=2, **more)


def asked(door: Door, texts: str, usage: Usage | None = None) -> list[Answer]:
    return asyncio.run(door.ask([question(text) for text in texts], usage))


def words(answers: list[Answer]) -> str:
    return "".join(answer.text for answer in answers)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 10])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_answers_come_in_the_order_of_questions(batch_size, concurrency) -> None:
    model = Echo(batch_size=batch_size, concurrency=concurrency)
    assert words(asked(Door(model), "abcdefg")) == "abcdefg"
    assert all(len(batch) <= batch_size for batch in model.batches)
    assert len(model.batches) == -(-7 // batch_size)
    assert model.most <= concurrency


def test_no_more_calls_are_under_way_than_the_model_bears() -> None:
    model = Echo(concurrency=3, seconds=0.002)
    asked(Door(model), "abcdefghij")
    assert model.most == 3


def test_questions_of_many_askers_share_batches() -> None:
    model = Echo(batch_size=4)
    door = Door(model)

    async def both() -> list[list[Answer]]:
        return await asyncio.gather(
            door.ask([question("a"), question("b")]), door.ask([question("c"), question("d")])
        )

    assert [words(answers) for answers in asyncio.run(both())] == ["ab", "cd"]
    assert model.batches == [["a", "b", "c", "d"]]


def test_one_question_is_asked_once() -> None:
    model = Echo(concurrency=4, seconds=0.002)
    assert words(asked(Door(model), "aabab")) == "aabab"
    assert sorted(batch[0] for batch in model.batches) == ["a", "b"]


def test_what_is_shown_is_not_part_of_a_question() -> None:
    prompts = [Prompt((Message("user", "a"),), shown=Shown(query)) for query in "xy"]
    requests = [Generate(prompt) for prompt in prompts]
    assert requests[0] == requests[1]
    assert requests[0].content() == requests[1].content()
    assert question("a").content() != question("a", seed=1).content()
    assert question("a").content() != question("a", temperature=0.5).content()


def test_the_cache_answers_the_second_time() -> None:
    model, cache = Echo(), AnswerCache()
    usage = Usage()
    asked(Door(model, cache=cache), "ab", usage)
    assert (usage.calls, usage.cached_calls, usage.tokens) == (2, 0, 10)
    usage = Usage()
    assert words(asked(Door(model, cache=cache), "abc", usage)) == "abc"
    assert (usage.calls, usage.cached_calls, usage.tokens) == (1, 2, 5)
    assert len(model.batches) == 3


def test_a_failure_is_an_answer_that_is_not_kept() -> None:
    model, cache = Echo(fails="b"), AnswerCache()
    door = Door(model, cache=cache)
    answers = asked(door, "ab")
    assert isinstance(answers[1], Failure)
    assert len(cache) == 1
    model.fails = set()
    assert words(asked(door, "ab")) == "ab"
    assert model.batches == [["a"], ["b"], ["b"]]


def test_an_error_reaches_the_asker_and_the_door_stays_open() -> None:
    model = Echo(error=("b", OSError("down")), concurrency=2)
    cache = AnswerCache()
    door = Door(model, cache=cache, budget=Budget(calls=10))
    with pytest.raises(OSError, match="down"):
        asked(door, "ab")
    model.error = None
    assert words(asked(door, "ab")) == "ab"
    assert door.budget.spent_calls == len(cache) == 2


def test_a_model_that_loses_an_answer_is_an_error() -> None:
    class Short(Echo):
        async def answer(self, requests):
            return (await super().answer(requests))[:-1]

    with pytest.raises(DataError, match="1 answers of Echo"):
        asked(Door(Short(batch_size=2)), "ab")


def test_a_power_that_is_missing_is_said() -> None:
    with pytest.raises(ConfigurationError, match="'next_token' is needed"):
        asyncio.run(Door(Echo()).ask([NextToken(Prompt(()), ("A",))]))


@pytest.mark.parametrize("concurrency", [1, 5])
def test_the_budget_is_never_overdrawn(concurrency) -> None:
    model, cache = Echo(concurrency=concurrency, seconds=0.001), AnswerCache()
    door = Door(model, cache=cache, budget=Budget(calls=3))
    with pytest.raises(BudgetExceededError, match="3 calls"):
        asked(door, "abcdefg")
    assert len(model.batches) <= 3
    again = Door(model, cache=cache, budget=Budget(calls=7))
    assert words(asked(again, "abcdefg")) == "abcdefg"
    assert len(model.batches) == 7


def test_tokens_are_set_aside_before_and_settled_after() -> None:
    budget = Budget(tokens=5)
    door = Door(Echo(), budget=budget)
    assert expected_tokens(door.model, question("a")) == (3, 2)
    asked(door, "a")
    assert (budget.spent_tokens, budget.spent_calls) == (5, 1)
    with pytest.raises(BudgetExceededError):
        asked(door, "b")


def test_every_call_is_recorded() -> None:
    log, cache = CallLog(), AnswerCache()
    asked(Door(Echo(fails="b"), cache=cache, log=log), "ab")
    asked(Door(Echo(), cache=cache, log=log), "a")
    assert [(each.kind, each.model, each.cached, each.failure) for each in log.records] == [
        ("generate", "echo", False, ""),
        ("generate", "echo", False, "broken"),
        ("generate", "echo", True, ""),
    ]
    assert len({each.key for each in log.records}) == 2


def test_one_who_leaves_does_not_take_the_answer_from_others() -> None:
    model = Echo(seconds=0.02)
    door = Door(model)

    async def two() -> str:
        leaver = asyncio.ensure_future(door.ask([question("a")]))
        stayer = asyncio.ensure_future(door.ask([question("a")]))
        await asyncio.sleep(0.005)
        leaver.cancel()
        return words(await stayer)

    assert asyncio.run(two()) == "a"
    assert model.batches == [["a"]]


def test_offline_a_missing_answer_is_an_error() -> None:
    model, cache = Echo(), AnswerCache()
    asked(Door(model, cache=cache), "a")
    cache.offline = True
    assert words(asked(Door(model, cache=cache), "a")) == "a"
    with pytest.raises(MissingAnswerError):
        asked(Door(model, cache=cache), "b")


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (
            "generate",
            Generation("a\x00é\ud800", 1, 2, "length", (TokenScore("a", -0.1, (("b", -2.0),)),)),
        ),
        ("next_token", LabelScores((-0.1, float("-inf")), (False, True), 3, 1)),
        ("likelihood", TokenLikelihood((-1 / 3, -1e-300), 3, 0)),
        ("attention", AttentionWeights(((0.1, 1 / 3), ()), 9, 0)),
    ],
)
def test_answers_survive_the_cache_bit_by_bit(kind, answer) -> None:
    cache = AnswerCache()
    cache.put("k", to_wire(answer), kind=kind)
    assert from_wire(kind, cache.get("k")) == answer


def test_every_kind_of_request_has_a_content_of_its_own() -> None:
    prompt = Prompt((Message("user", "a"),))
    requests = [
        Generate(prompt),
        NextToken(prompt, ("A",)),
        NextToken(prompt, ("A", "B")),
        Likelihood(prompt, "A"),
        Attention("a", ("b",), "c"),
        Attention("a", ("b", "c"), ""),
        Generate(Prompt((Message("user", "a"),), answer_start="x")),
        Generate(Prompt((Message("system", "a"),))),
    ]
    contents = [str(request.content()) for request in requests]
    assert len(set(contents)) == len(contents)
