"""Queries that a model writes: what it is asked, what is made of its answers."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError
from plackett.fusion import Fusing
from plackett.llm.base import LanguageModel
from plackett.llm.registry import register_model
from plackett.llm.requests import Answer, Failure, Generate, Generation, Request
from plackett.retrievers import BM25
from plackett.retrievers.query_writing import ModelWriter
from plackett.retrievers.query_writing.model_writer import queries_in


@register_model
class Dictated(LanguageModel):
    """Answers by the query that the prompt ends in; notes the prompts."""

    powers = frozenset({"generate"})
    batch_size = 8

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.prompts: list[str] = []

    @property
    def identity(self) -> str:
        return repr(self)

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        given: list[Answer] = []
        for request in requests:
            assert isinstance(request, Generate)
            text = request.prompt.plain()
            self.prompts.append(text)
            said = self.answers.get(text.rsplit(": ", 1)[-1])
            given.append(Failure("no") if said is None else Generation(said, 10, 5))
        return given

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def truncate(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[:tokens])

    def __repr__(self) -> str:
        return f"Dictated({self.answers!r})"


ANSWERS = {
    "lift and drag": "Sure, here they are:\n1. wing lift\n2) wing drag\n\n- Lift and drag\n",
    "garbage": " \n***\n---:\n",
    "many": "\n".join(f"Q{i}: part {i}" for i in range(9)),
}
QUERIES = Queries.from_texts(
    {"q1": "lift and drag", "q2": "garbage", "q3": "unanswered", "q4": "many"}
)


def test_parts_of_a_question() -> None:
    model = Dictated(ANSWERS)
    written = ModelWriter(model, most=4).write(QUERIES)
    bounds = written.offsets.tolist()
    lists = [list(written.texts[a:b]) for a, b in pairwise(bounds)]
    assert lists == [
        ["lift and drag", "wing lift", "wing drag"],
        ["garbage"],
        ["unanswered"],
        ["many", "part 0", "part 1", "part 2", "part 3"],
    ]
    assert (written.calls, written.tokens) == (4, 45)
    assert "at most 4" in model.prompts[0]
    assert model.prompts[0].endswith("Question: lift and drag")


def test_without_the_original_and_its_copies() -> None:
    written = ModelWriter(Dictated(ANSWERS), original=False, most=2).write(QUERIES)
    assert written.texts[:2] == ("wing lift", "wing drag")
    assert written.texts[2:4] == ("garbage", "unanswered")


def test_what_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    first = ModelWriter(Dictated(ANSWERS), cache=str(tmp_path / "answers.db"))
    once = first.write(QUERIES)
    model = Dictated(ANSWERS)
    again = ModelWriter(model, cache=str(tmp_path / "answers.db")).write(QUERIES)
    assert again.texts == once.texts
    assert len(model.prompts) == 1  # a failure is not kept
    assert (again.calls, again.tokens) == (1, 0)


def test_a_turn_made_whole() -> None:
    talk = [
        {"id": "1", "text": "wing {most} lift", "conversation": "c"},
        {"id": "2", "text": "its cost", "conversation": "c"},
    ]
    model = Dictated({"its cost": '"the cost of wings"'})
    writer = ModelWriter(model, prompt="rewrite", most=1)
    written = writer.write(Queries.from_records(talk, fields=["text"]))
    assert written.texts == ("wing {most} lift", "its cost", "the cost of wings")
    assert "Conversation:\n(none)\n\nLast turn: wing {most} lift" in model.prompts[0]
    assert "Conversation:\nwing {most} lift\n\nLast turn: its cost" in model.prompts[1]


def test_a_prompt_of_ones_own() -> None:
    model = Dictated({"heat": "heat transfer"})
    queries = Queries.from_texts({"q": "heat"})
    writer = ModelWriter(model, prompt="{most} synonyms of: {query}", temperature=0.5)
    assert writer.write(queries).texts == ("heat", "heat transfer")
    assert model.prompts == ["5 synonyms of: heat"]
    assert repr(writer) == (
        "ModelWriter(\"Dictated({'heat': 'heat transfer'})\", "
        "prompt='{most} synonyms of: {query}', temperature=0.5)"
    )
    described = ModelWriter(repr(model), original=False)
    assert described.write(queries).texts == ("heat transfer",)
    assert described.most == 5
    for wrong in ({"prompt": "decompse"}, {"most": 0}, {"temperature": -1.0}):
        with pytest.raises(ConfigurationError, match="expected"):
            ModelWriter(model, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("a b\nc", ["a b", "c"]),
        ("1. a\n2. a", ["a"]),
        ("(1) a\n\u2022 b\n* c\nQ4. d", ["a", "b", "c", "d"]),
        ("1984 novel\n2.5 mm wings", ["1984 novel", "2.5 mm wings"]),
        ("", []),
        ("Sub-questions:\n'what is lift?'", ["what is lift?"]),
    ],
)
def test_answers_are_read(answer: str, expected: list[str]) -> None:
    assert queries_in(answer) == expected


def test_a_pipeline_that_asks_the_parts(tmp_path: Path) -> None:
    corpus = Corpus.from_texts({"d1": "wing lift", "d2": "wing drag", "d3": "lift and drag"})
    bm25 = BM25.build(corpus, tmp_path / "index", analyzer="whitespace")
    pipeline = ModelWriter(Dictated(ANSWERS)) >> bm25 % 10 >> Fusing()
    run = pipeline.search(QUERIES)
    assert {name for name, _ in run["q1"]} == {"d1", "d2", "d3"}
    assert run["q2"] == []
    assert run.costs[0].calls == 4
    assert run.queries is QUERIES
