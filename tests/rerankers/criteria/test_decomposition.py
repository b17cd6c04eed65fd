"""Questions taken apart: the question itself always, each document once, best ranks joined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError
from plackett.llm.base import LanguageModel
from plackett.llm.oracle.model import Oracle
from plackett.llm.requests import Answer, Failure, Generate, Generation, Request
from plackett.pipeline import Retriever
from plackett.rerankers.criteria.decomposition import Decomposition
from plackett.rerankers.strategy import MalformedAnswerError
from plackett.rerankers.word_overlap import WordOverlap
from plackett.retrievers import BM25
from plackett.transport.budget import Budget, BudgetExceededError


class Scripted(LanguageModel):
    """Answers by the question's text."""

    powers = frozenset({"generate"})
    context = 10_000
    concurrency = 4

    def __init__(self, answers: dict[str, str | Failure], otherwise: str = "") -> None:
        self.answers, self.otherwise = answers, otherwise
        self.asked: list[Request] = []

    @property
    def identity(self) -> str:
        return "Scripted"

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        self.asked += requests
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Answer:
        assert isinstance(request, Generate)
        assert request.prompt.shown is not None
        answer = self.answers.get(request.prompt.shown.query, self.otherwise)
        return answer if isinstance(answer, Failure) else Generation(answer, 10, 5)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def truncate(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[:tokens])

    def __repr__(self) -> str:
        return "Scripted()"


class Lists(Retriever):
    """Finds a fixed list for each text, with scores of a scale of its own."""

    def __init__(self, lists: dict[str, str]) -> None:
        self.lists = lists
        self.searched: list[tuple[str, int]] = []

    def search(self, queries: Queries, k: int = 1000) -> Run:
        found = {}
        for name, text in queries:
            self.searched.append((text, k))
            scale = 1.0 + len(text)
            documents = self.lists.get(text, "")
            found[name] = {d: scale * (100.0 - i) for i, d in enumerate(documents)}
        return Run.from_dict(found).head(k)

    def __repr__(self) -> str:
        return "Lists()"


ANSWER = "1. Who made it?\n- Where is it?\n\nwho made it\nBoth?\n"


def test_questions_are_parsed_stripped_and_distinct() -> None:
    first = Decomposition(Scripted({"Both?": ANSWER}), Lists({}))
    assert first.questions(["Both?"]) == [("Both?", "Who made it?", "Where is it?")]
    assert first.answers == {"ok": 1} or first.answers == {"repaired": 1}


def test_at_most_five_beside_the_question() -> None:
    many = "\n".join(f"Question number {i}?" for i in range(20))
    questions = Decomposition(Scripted({"q": many}), Lists({})).questions(["q"])[0]
    assert questions == ("q", *(f"Question number {i}?" for i in range(5)))
    two = Decomposition(Scripted({"q": many}), Lists({}), most=2)
    assert len(two.questions(["q"])[0]) == 3
    asked = two.model.asked[0]  # type: ignore[union-attr]
    assert isinstance(asked, Generate)
    assert "at most 2" in asked.prompt.plain()
    assert asked.temperature == 0.8


@pytest.mark.parametrize(
    "answer",
    ["", "\n \n", "?!\n...", "<think>so many", "I'm sorry, I cannot help with that.", Failure("x")],
)
def test_garbage_leaves_the_question_alone(answer: str | Failure) -> None:
    lists = Lists({"q": "abcde"})
    first = Decomposition(Scripted({"q": answer}), lists, k=3)
    run = first.search(Queries.from_texts({"q1": "q"}))
    assert list(run.to_dict()["q1"]) == ["a", "b", "c"]
    assert lists.searched == [("q", 3)]
    assert sum(first.answers[s] for s in ("missing", "wrong_format", "refused")) == 1
    with pytest.raises(MalformedAnswerError):
        Decomposition(Scripted({"q": answer}), lists, on_malformed="strict").questions(["q"])


@given(st.text(max_size=300))
def test_the_question_is_always_the_first(answer: str) -> None:
    first = Decomposition(Scripted({}, otherwise=answer), Lists({}))
    (questions,) = first.questions(["What is it?"])
    assert questions[0] == "What is it?"
    assert 1 <= len(questions) <= 6
    assert len(set(questions)) == len(questions)


def test_lists_are_joined_by_best_rank_each_document_once() -> None:
    lists = Lists({"q": "abc", "one?": "xb", "two?": "ya"})
    first = Decomposition(Scripted({"q": "one?\ntwo?"}), lists, k=3)
    run = first.search(Queries.from_texts({"q1": "q"}))
    # First ranks a, x, y; then b; then c. Scores of the three searches do not matter.
    assert run.to_dict() == {"q1": {"a": -1.0, "x": -2.0, "y": -3.0, "b": -4.0, "c": -5.0}}
    assert list(first.search(Queries.from_texts({"q1": "q"}), 2).to_dict()["q1"]) == ["a", "x"]


@given(
    st.lists(st.text("abcdefgh", max_size=6), min_size=1, max_size=5),
    st.integers(1, 6),
)
def test_candidates_are_a_superset_of_the_plain_search(lists: list[str], k: int) -> None:
    texts = [f"question {i}" for i in range(len(lists))]
    table = {t: "".join(dict.fromkeys(d)) for t, d in zip(texts, lists, strict=True)}
    first = Decomposition(Scripted({texts[0]: "\n".join(texts[1:])}), Lists(table), k=k)
    found = set(first.search(Queries.from_texts({"q": texts[0]})).to_dict()["q"])
    assert found == {document for t in texts for document in table[t][:k]}
    assert len(found) <= k * len(texts)


def test_many_queries_those_without_results_included() -> None:
    lists = Lists({"a": "xy", "b?": "z"})
    queries = Queries.from_texts({"q2": "a", "q1": "nothing", "q3": ""})
    first = Decomposition(Scripted({"a": "b?"}), lists)
    run = first.search(queries)
    assert {q: list(d) for q, d in run.to_dict().items()} == {
        "q2": ["x", "z", "y"], "q1": [], "q3": []
    }  # fmt: skip
    assert run.query_names == ["q2", "q1", "q3"]
    assert first.log.calls == 2  # an empty question is not asked about
    assert run.costs[0].calls == 2
    assert run.costs[0].tokens == 30
    assert [cost.stage for cost in run.costs][1:] == ["Lists()"]


def test_the_next_stage_ranks_against_the_question_as_asked(tmp_path: Path) -> None:
    seen: list[str] = []

    class Noting(WordOverlap):
        async def _order_many(self, queries, candidates):  # type: ignore[no-untyped-def]
            seen.extend(queries)
            return await super()._order_many(queries, candidates)

    corpus = Corpus.from_texts({"a": "red wine", "b": "white bread", "c": "oil"})
    bm25 = BM25.build(corpus, tmp_path / "index")
    first = Decomposition(Scripted({"red bread": "wine?\nbread?"}), bm25, k=2)
    queries = Queries.from_texts({"q": "red bread"})
    run = (first % 10 >> Noting()).search(queries)
    assert seen == ["red bread"]
    assert set(run.to_dict()["q"]) == {"a", "b"}
    assert run.costs[0].calls == 1


def test_the_cache_answers_again_and_the_budget_holds(tmp_path: Path) -> None:
    cache = str(tmp_path / "answers.sqlite")
    queries = Queries.from_texts({"q1": "one", "q2": "two"})
    model = Scripted({}, otherwise="one?\ntwo?")
    before = Decomposition(model, Lists({"one": "ab"}), cache=cache).search(queries)
    again = Decomposition(model, Lists({"one": "ab"}), cache=cache)
    assert again.search(queries).to_dict() == before.to_dict()
    assert again.log.calls == 0
    with pytest.raises(BudgetExceededError):
        Decomposition(model, Lists({}), budget=Budget(calls=1)).search(queries)


def test_hostile_questions_are_text() -> None:
    queries = Queries.from_texts({"q": "{query} {documents} {0} [1]", "r": "x" * 50_000})
    first = Decomposition(Oracle({}, context=2000), Lists({}))
    assert np.diff(first.search(queries).offsets).tolist() == [0, 0]


def test_what_cannot_be_used_is_refused() -> None:
    for parameters in ({"k": 0}, {"most": 0}, {"on_malformed": "ignore"}):
        with pytest.raises(ConfigurationError):
            Decomposition("Oracle({})", Lists({}), **parameters)  # type: ignore[arg-type]


def test_repr_says_how_to_make_it() -> None:
    first = Decomposition("Oracle({})", Lists({}), k=7)
    assert repr(first) == "Decomposition('Oracle({})', Lists(), k=7)"
