"""Plans: put to a model, side by side, and with a memory."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import pytest

from plackett.llm import Answer, Generate, Generation, Message, Prompt, Request
from plackett.rerankers.listwise.rounds import asked, one_round, remembering, together

Texts = Generator[Sequence[str], list[str], list[str]]


class Shout:
    """A question that takes as many requests as its text has letters."""

    def requests(self, asked: str) -> Sequence[Request]:
        return [Generate(Prompt((Message("user", letter),))) for letter in asked]

    def read(self, asked: str, answers: Sequence[Answer]) -> str:
        assert len(answers) == len(asked)
        return "".join(a.text for a in answers if isinstance(a, Generation))


def upper(requests: Sequence[Request]) -> list[Answer]:
    texts = [r.prompt.messages[0].text for r in requests if isinstance(r, Generate)]
    return [Generation(text.upper()) for text in texts]


def two_rounds(first: str, second: str) -> Texts:
    heard = yield [first, second]
    heard += yield [second]
    return heard


def test_asked_puts_each_answer_to_its_question() -> None:
    steps = asked(two_rounds("ab", "c"), Shout())
    requests = next(steps)
    assert len(requests) == 3
    requests = steps.send(upper(requests))
    assert len(requests) == 1
    with pytest.raises(StopIteration) as stop:
        steps.send(upper(requests))
    assert stop.value.value == ["AB", "C", "C"]


def test_one_round_is_one_round() -> None:
    plan = one_round(["a", "b"])
    assert next(plan) == ["a", "b"]
    with pytest.raises(StopIteration) as stop:
        plan.send([1, 2])
    assert stop.value.value == [1, 2]


def counting(rounds: int) -> Generator[Sequence[int], list[int], int]:
    total = 0
    for _ in range(rounds):
        total += sum((yield list(range(rounds))))
    return total


def test_plans_side_by_side_take_the_rounds_of_the_longest() -> None:
    lengths = [0, 3, 1, 2]
    plan = together([counting(length) for length in lengths])
    sizes = []
    try:
        wanted = next(plan)
        while True:
            sizes.append(len(wanted))
            wanted = plan.send([10 * each for each in wanted])
    except StopIteration as stop:
        results = stop.value
    assert sizes == [3 + 1 + 2, 3 + 2, 3]
    assert results == [10 * n * sum(range(n)) for n in lengths]


def test_together_of_nothing_asks_nothing() -> None:
    with pytest.raises(StopIteration) as stop:
        next(together([]))
    assert stop.value.value == []


def test_remembering_asks_the_first_of_equal_sets_and_leaves_out_known_rounds() -> None:
    def plan() -> Generator[Sequence[tuple[int, ...]], list[str], list[str]]:
        heard = yield [(1, 2), (2, 1), (3,)]
        heard += yield [(3,), (2, 1)]
        heard += yield [(4, 3), (3,)]
        return heard

    seen: list[list[tuple[int, ...]]] = []
    steps = remembering(plan())
    try:
        wanted = next(steps)
        while True:
            seen.append(list(wanted))
            wanted = steps.send([str(sorted(group)) for group in wanted])
    except StopIteration as stop:
        heard = stop.value
    assert seen == [[(1, 2), (3,)], [(4, 3)]]
    assert heard == ["[1, 2]", "[1, 2]", "[3]", "[3]", "[1, 2]", "[3, 4]", "[3]"]
