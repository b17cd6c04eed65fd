"""Query likelihood against the language models of retrieval, whose orders are closed forms."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.llm.base import LanguageModel
from plackett.llm.oracle.model import Oracle
from plackett.llm.requests import (
    Answer,
    Failure,
    LabelScores,
    Likelihood,
    Request,
    TokenLikelihood,
)
from plackett.rerankers.pointwise.query_likelihood import UPR, RankingGPT
from plackett.rerankers.ranked import Candidates
from plackett.rerankers.registry import parse
from plackett.rerankers.strategy import Asking, MalformedAnswerError

WORDS = ("red", "wine", "bread", "cheese", "oil")
Smoothing = Callable[[int, int, float], float]


def dirichlet(count: int, length: int, background: float, mu: float = 3.0) -> float:
    return (count + mu * background) / (length + mu)


def jelinek_mercer(count: int, length: int, background: float, share: float = 0.4) -> float:
    return (1 - share) * (count / length if length else 0.0) + share * background


class Unigram(LanguageModel):
    """p(word | prompt) from the counts of the passage in it, smoothed by a background."""

    powers = frozenset({"likelihood"})
    concurrency = 4

    def __init__(
        self, smoothing: Smoothing = dirichlet, *, context: int = 1000, batch_size: int = 1
    ) -> None:
        self.smoothing, self.context, self.batch_size = smoothing, context, batch_size
        self.asked: list[Likelihood] = []

    @property
    def identity(self) -> str:
        return f"Unigram {self.smoothing.__name__}"

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Answer:
        assert isinstance(request, Likelihood)
        self.asked.append(request)
        found = re.search(
            r"(?:Passage|Document): (.*?)\s*(?:\n\n|Query:|$)", request.prompt.plain(), re.S
        )
        assert found is not None
        passage = [word for word in found.group(1).split() if word in WORDS]
        counts = Counter(passage)
        return TokenLikelihood(
            tuple(
                math.log(self.smoothing(counts[word], len(passage), 1 / len(WORDS)))
                for word in request.continuation.split()
            )
        )

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def truncate(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[:tokens])

    def __repr__(self) -> str:
        return "Unigram()"


passages = st.lists(st.lists(st.sampled_from(WORDS), max_size=8), min_size=2, max_size=6)
queries = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4)


@pytest.mark.parametrize("kind", [UPR, RankingGPT])
@pytest.mark.parametrize("smoothing", [dirichlet, jelinek_mercer])
@given(passages=passages, query=queries)
def test_a_unigram_model_gives_the_order_of_smoothed_query_likelihood(
    kind: type[UPR], smoothing: Smoothing, passages: list[list[str]], query: list[str]
) -> None:
    expected = np.array(
        [
            sum(
                math.log(smoothing(passage.count(word), len(passage), 1 / len(WORDS)))
                for word in query
            )
            for passage in passages
        ]
    )
    ranked = kind(Unigram(smoothing)).rank(" ".join(query), [" ".join(p) for p in passages])
    scores = np.empty(len(passages))
    for document in ranked:
        scores[document.position] = document.score
    # The mean over the query's tokens; the sum gives the same order.
    np.testing.assert_allclose(scores, expected / len(query))
    assert (scores <= 0).all()
    assert ranked.score_kind == "log_probability"


def test_identical_documents_have_equal_scores_and_stay_in_order() -> None:
    ranked = RankingGPT(Unigram()).rank("red wine", ["wine oil"] * 4)
    assert len(set(ranked.scores)) == 1
    assert ranked.ids == ["0", "1", "2", "3"]


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_scores_do_not_depend_on_batches(batch_size: int) -> None:
    texts = [" ".join(np.random.default_rng(i).choice(WORDS, 5)) for i in range(12)]
    single = UPR(Unigram()).rank("red wine", texts)
    batched = UPR(Unigram(batch_size=batch_size)).rank("red wine", texts)
    assert batched.ids == single.ids
    np.testing.assert_array_equal(batched.scores, single.scores)


def test_the_document_is_cut_and_never_the_instruction() -> None:
    model = Unigram(context=60)
    ranked = UPR(model).rank("red wine", ["bread " * 500 + "red wine", "red wine"])
    assert ranked.ids == ["1", "0"]  # what lies behind the cut is not seen
    assert ranked.truncated == 1
    for request in model.asked:
        prompt = request.prompt.plain()
        assert "Write one question that this passage answers." in prompt
        assert prompt.endswith("Question:")
        assert model.count_tokens(prompt + request.continuation) <= 60


def test_text_after_the_cut_changes_nothing() -> None:
    texts = ["bread " * 100, "wine " * 100]
    short = UPR(Unigram(context=60)).rank("red wine", texts)
    longer = UPR(Unigram(context=60)).rank("red wine", [text + "red " * 50 for text in texts])
    assert short.ids == longer.ids
    np.testing.assert_array_equal(short.scores, longer.scores)


def test_ranking_gpt_keeps_to_its_length_and_halves_long_queries() -> None:
    model = Unigram(context=10_000)
    RankingGPT(model, length=64).rank("red wine", ["oil " * 500, "red"])
    RankingGPT(model, length=64).rank("red " * 200, ["oil " * 500, "red"])
    lengths = [model.count_tokens(r.continuation) for r in model.asked]
    assert lengths == [2, 2, 32, 32]
    for request in model.asked:
        whole = request.prompt.plain() + request.continuation
        assert model.count_tokens(whole) <= 64
        assert request.prompt.plain().endswith("Query:")


def test_upr_scores_at_most_128_tokens_of_a_query() -> None:
    model = Unigram(context=10_000)
    UPR(model).rank("red " * 200, ["oil", "red"])
    assert {model.count_tokens(request.continuation) for request in model.asked} == {128}


def test_the_query_follows_the_prompt_after_a_space() -> None:
    model = Unigram()
    UPR(model).rank("  red wine ", ["a", "b"])
    assert {request.continuation for request in model.asked} == {" red wine"}
    assert all(not r.prompt.plain()[-1].isspace() for r in model.asked)


@pytest.mark.parametrize("query", ["", "  \n"])
def test_a_query_without_words_is_no_question(query: str) -> None:
    ranked = UPR(Oracle({})).rank(query, ["a", "b"])
    assert (ranked.ids, ranked.calls, ranked.score_kind) == (["0", "1"], 0, "rank")


class Fixed(Unigram):
    """Answers in the order asked."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        super().__init__()
        self.concurrency = 1
        self.answers = list(answers)

    def _answer(self, request: Request) -> Answer:
        return self.answers.pop(0)


def test_answers_without_a_likelihood_come_last() -> None:
    answers = [
        Failure("timed out"),
        TokenLikelihood(()),
        TokenLikelihood((math.nan,)),
        LabelScores((0.0,)),
        TokenLikelihood((-math.inf,)),
        TokenLikelihood((-9.0, -11.0)),
    ]
    ranked = UPR(Fixed(answers)).rank("query", [f"text {i}" for i in range(6)])
    assert ranked.ids == ["5", "4", "0", "1", "2", "3"]
    assert ranked[0].score == -10.0
    assert ranked.answers == {"missing": 3, "wrong_format": 1, "ok": 2}
    with pytest.raises(MalformedAnswerError):
        UPR(Fixed([Failure("x")] * 2), on_malformed="strict").rank("query", ["a", "b"])


@pytest.mark.parametrize("kind", [UPR, RankingGPT])
def test_a_perfect_oracle_gives_the_perfect_order_in_one_round_of_n_calls(
    kind: type[UPR],
) -> None:
    oracle = Oracle({"red wine": {"c": 2.0, "b": 1.0}})
    ranked = kind(oracle).rank("red wine", {"a": "x", "b": "y {query}", "c": "z [1]"})
    assert ranked.ids == ["c", "b", "a"]
    assert ranked.calls == 3
    steps = kind(oracle).steps("red wine", Candidates(tuple("ab"), ("x", "y")), Asking(oracle))
    assert len(next(steps)) == 2


def test_lengths_that_are_none_are_refused() -> None:
    for parameters in ({"query_tokens": 0}, {"length": 0}):
        with pytest.raises(ConfigurationError, match="expected 1 or more"):
            UPR("Oracle({})", **parameters)


def test_repr_reads_back() -> None:
    oracle = Oracle({"q": {"a": 1.0}})
    for reranker in (UPR(oracle, query_tokens=64), RankingGPT(oracle, length=None)):
        assert repr(parse(repr(reranker))) == repr(reranker)
