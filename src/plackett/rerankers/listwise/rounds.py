"""Plans: sorting methods as generators of questions, apart from what a question is.

A plan yields rounds, each a list of questions that do not depend on each other, is sent one reading
a question, and returns its result. What a question is, a plan does not know: a group of positions
that a language model orders, or that a test orders by a function.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol, TypeAlias, TypeVar

from plackett.llm import Answer, Request

__all__ = ["Group", "Plan", "Question", "asked", "one_round", "remembering", "together"]

Group: TypeAlias = tuple[int, ...]
"""Positions of candidates, in the order in which they are shown."""

Asked = TypeVar("Asked")
Reading = TypeVar("Reading")
Result = TypeVar("Result")

Plan: TypeAlias = Generator[Sequence[Asked], list[Reading], Result]


class Question(Protocol[Asked, Reading]):  # type: ignore[misc]  # Asked is read only
    """How to put something to a language model: requests to send, and what the answers say."""

    def requests(self, asked: Asked) -> Sequence[Request]:
        """The requests for it, all independent of each other."""
        ...

    def read(self, asked: Asked, answers: Sequence[Answer]) -> Reading:
        """What the answers to these requests say."""
        ...


def asked(
    plan: Plan[Asked, Reading, Result], question: Question[Asked, Reading]
) -> Generator[Sequence[Request], list[Answer], Result]:
    """A plan whose questions are put to a language model: rounds of requests, answers in return."""
    try:
        wanted = next(plan)
        while True:
            parts = [question.requests(each) for each in wanted]
            answers = yield [request for part in parts for request in part]
            readings: list[Reading] = []
            start = 0
            for each, part in zip(wanted, parts, strict=True):
                readings.append(question.read(each, answers[start : start + len(part)]))
                start += len(part)
            wanted = plan.send(readings)
    except StopIteration as stop:
        result: Result = stop.value
        return result


def one_round(questions: Sequence[Asked]) -> Plan[Asked, Reading, list[Reading]]:
    """The plan that asks all at once; its result is the readings."""
    return (yield questions)


def together(
    plans: Sequence[Plan[Asked, Reading, Result]],
) -> Plan[Asked, Reading, list[Result]]:
    """Several plans side by side: each round holds the next round of every plan that is not done.

    >>> def ask_thrice(question):
    ...     answers = []
    ...     for _ in range(3):
    ...         answers += yield [question]
    ...     return answers
    >>> plan = together([ask_thrice("a"), ask_thrice("b")])
    >>> next(plan)
    ['a', 'b']
    >>> plan.send([1, 2]), plan.send([3, 4])
    (['a', 'b'], ['a', 'b'])
    >>> try:
    ...     plan.send([5, 6])
    ... except StopIteration as done:
    ...     print(done.value)
    [[1, 3, 5], [2, 4, 6]]
    """
    results: dict[int, Result] = {}
    wanted: dict[int, Sequence[Asked]] = {}
    for i, plan in enumerate(plans):
        try:
            wanted[i] = next(plan)
        except StopIteration as stop:
            results[i] = stop.value
    while wanted:
        readings = yield [each for part in wanted.values() for each in part]
        start, following = 0, {}
        for i, part in wanted.items():
            try:
                following[i] = plans[i].send(readings[start : start + len(part)])
            except StopIteration as stop:
                results[i] = stop.value
            start += len(part)
        wanted = following
    return [results[i] for i in range(len(plans))]


def remembering(plan: Plan[Group, Reading, Result]) -> Plan[Group, Reading, Result]:
    """A plan that asks about the same set of documents once, in whatever order it shows them.

    Rounds of which everything is known already are left out.

    >>> def ask_twice():
    ...     first = yield [(1, 2)]
    ...     return first + (yield [(2, 1)])
    >>> plan = remembering(ask_twice())
    >>> next(plan)
    [(1, 2)]
    >>> try:
    ...     plan.send([2])
    ... except StopIteration as done:
    ...     print(done.value)
    [2, 2]
    """
    known: dict[frozenset[int], Reading] = {}
    try:
        wanted = next(plan)
        while True:
            unknown = {frozenset(group): group for group in reversed(wanted)}
            new = [key for key in reversed(unknown) if key not in known]
            if new:
                readings = yield [unknown[key] for key in new]
                known.update(zip(new, readings, strict=True))
            wanted = plan.send([known[frozenset(group)] for group in wanted])
    except StopIteration as stop:
        result: Result = stop.value
        return result
