"""Graded labels: the grade and the probability of its token, log-odds, explained labels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.llm.base import LanguageModel
from plackett.llm.oracle.model import Oracle
from plackett.llm.requests import (
    Answer,
    Failure,
    Generate,
    Generation,
    LabelScores,
    NextToken,
    Request,
    TokenScore,
)
from plackett.rerankers.pointwise.graded import ERank, InteRank, ProRank
from plackett.rerankers.pointwise.score_tokens import expected_grade, grade_probability
from plackett.rerankers.ranked import Candidates
from plackett.rerankers.registry import parse
from plackett.rerankers.strategy import Asking, MalformedAnswerError, StrategyReranker


class Scripted(LanguageModel):
    """Answers the k-th question about a document whose id is "k" by the k-th answer."""

    powers = frozenset({"next_token", "generate"})
    concurrency = 4

    def __init__(self, answers: Sequence[Answer], context: int = 100_000) -> None:
        self.answers, self.context = list(answers), context
        self.asked: list[Generate | NextToken] = []

    @property
    def identity(self) -> str:
        return "Scripted"

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        found = []
        for request in requests:
            assert isinstance(request, NextToken | Generate)
            assert request.prompt.shown is not None
            self.asked.append(request)
            found.append(self.answers[int(request.prompt.shown.documents[0])])
        return found

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def truncate(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[:tokens])

    def __repr__(self) -> str:
        return "Scripted()"


def texts(n: int) -> list[str]:
    return [f"text {i}" for i in range(n)]


def written(
    *pieces: tuple[str, float], text: str | None = None, others: dict[str, float] | None = None
) -> Generation:
    """An answer of tokens with probabilities; `others` could stand where the last token does."""
    tokens = [TokenScore(piece, math.log(p)) for piece, p in pieces]
    if others is not None:
        told = tuple((token, math.log(p)) for token, p in others.items())
        tokens[-1] = TokenScore(tokens[-1].token, tokens[-1].logprob, told)
    whole = "".join(piece for piece, _ in pieces)
    return Generation(whole if text is None else text, token_scores=tuple(tokens))


# --- ERank


def test_the_score_is_grade_times_its_probability() -> None:
    sure, unsure, none = written(("5", 0.95)), written(("9", 0.5)), written(("0", 0.99))
    ranked = ERank(Scripted([unsure, sure, none])).rank("query", texts(3))
    assert ranked.ids == ["1", "0", "2"]  # not monotone in belief, as the card says
    np.testing.assert_allclose(ranked.scores, [4.75, 4.5, 0.0], atol=1e-9)
    assert ranked.score_kind == "grade"


@given(st.floats(0.01, 1.0), st.permutations(range(11)))
def test_monotone_in_the_grade_at_equal_probability(p: float, grades: list[int]) -> None:
    answers = [written((str(grade), p)) for grade in grades if grade < 10]
    ranked = ERank(Scripted(answers)).rank("query", texts(len(answers)))
    shown = [grade for grade in grades if grade < 10]
    assert [shown[document.position] for document in ranked] == sorted(shown, reverse=True)


def test_ten_may_be_two_tokens() -> None:
    two = written(("<answer>", 1.0), ("1", 0.9), ("0", 0.5), ("</answer>", 1.0))
    one = written(("<answer>", 1.0), ("10", 0.4), ("</answer>", 1.0))
    ranked = ERank(Scripted([one, two])).rank("query", texts(2))
    np.testing.assert_allclose(ranked.scores, [4.5, 4.0])
    assert ranked.ids == ["1", "0"]


def test_digits_of_the_thinking_are_not_the_score() -> None:
    thought = written(
        ("<think>", 1.0), ("7", 0.1), (" or ", 1.0), ("8", 0.1), ("?</think>", 1.0),
        ("<answer>", 1.0), (" 7", 0.5), ("</answer>", 1.0), (" of 7", 0.9),
    )  # fmt: skip
    assert grade_probability(thought.token_scores, 7) == pytest.approx(0.5)
    ranked = ERank(Scripted([thought, written(("3", 1.0))])).rank("query", texts(2))
    np.testing.assert_allclose(ranked.scores, [3.5, 3.0])


def test_thinking_that_the_server_took_out_of_the_text_does_not_shift_the_token() -> None:
    stripped = written(
        ("<think>", 1.0), ("6", 0.2), ("</think>", 1.0), ("<answer>", 1.0), ("6", 0.8),
        ("</answer>", 1.0), text="<answer>6</answer>",
    )  # fmt: skip
    only_answer = Generation(
        "<think>6</think><answer>6</answer>", token_scores=(TokenScore("6", math.log(0.8)),)
    )
    ranked = ERank(Scripted([stripped, only_answer])).rank("query", texts(2))
    np.testing.assert_allclose(ranked.scores, [4.8, 4.8])


def test_a_grade_without_probabilities_is_repaired_to_itself() -> None:
    ranked = ERank(Scripted([Generation("4"), written(("6", 0.5))])).rank("query", texts(2))
    assert ranked.scores.tolist() == [4.0, 3.0]
    assert ranked.answers == {"repaired": 1, "ok": 1}
    plain = ERank(Scripted([Generation("4"), Generation("6")]), score_mode="argmax")
    ranked = plain.rank("query", texts(2))
    assert ranked.answers == {"ok": 2}
    assert not any(isinstance(r, Generate) and r.logprobs for r in _model(plain).asked)


def _model(reranker: StrategyReranker) -> Scripted:
    assert isinstance(reranker.model, Scripted)
    return reranker.model


@pytest.mark.parametrize(
    "bad",
    [
        Generation("no number here"), Generation(""), Generation("<think>8"), Failure("down"),
        Generation("42"), Generation("7.5"), Generation("I'm sorry, I cannot do that."),
        LabelScores((0.0,)),
    ],
)  # fmt: skip
def test_what_cannot_be_read_gets_the_fail_score(bad: Answer) -> None:
    zero = written(("0", 1.0))
    ranked = ERank(Scripted([bad, zero])).rank("query", texts(2))
    assert ranked.ids == ["1", "0"]
    assert ranked.scores.tolist() == [0.0, -1.0]
    assert ranked.answers["ok"] == 1
    with pytest.raises(MalformedAnswerError):
        ERank(Scripted([bad, zero]), on_malformed="strict").rank("query", texts(2))


def test_expectation_is_the_grade_where_one_has_all_the_mass() -> None:
    for grade in (0, 3, 10):
        certain = written((str(grade), 1.0))
        assert expected_grade(certain.token_scores, grade, (0, 10)) == grade
        modes = ("argmax", "expectation")
        scores = [
            ERank(Scripted([certain] * 2), score_mode=mode).rank("q", texts(2)).scores.tolist()  # type: ignore[arg-type]
            for mode in modes
        ]
        assert scores[0] == scores[1]


def test_expectation_by_hand() -> None:
    answer = written(("8", 0.5), others={"8": 0.5, "6": 0.2, " 6": 0.1, "maybe": 0.1, "11": 0.1})
    assert expected_grade(answer.token_scores, 8, (0, 10)) == pytest.approx((4 + 1.8) / 0.8)
    # "1" is the beginning of 1 and of 10; what follows divides its mass.
    ten = Generation(
        "10",
        token_scores=(
            TokenScore("1", math.log(0.8), (("5", math.log(0.2)),)),
            TokenScore("0", math.log(0.75), (("</answer>", math.log(0.25)),)),
        ),
    )
    assert expected_grade(ten.token_scores, 10, (0, 10)) == pytest.approx(
        0.6 * 10 + 0.2 * 1 + 0.2 * 5
    )
    one = Generation(
        "1.",
        token_scores=(
            TokenScore("1", math.log(0.8)),
            TokenScore(".", math.log(0.75), (("0", math.log(0.25)),)),
        ),
    )
    assert expected_grade(one.token_scores, 1, (0, 10)) == pytest.approx(0.25 * 10 + 0.75)
    assert expected_grade((), 1, (0, 10)) is None
    assert expected_grade((TokenScore("1", math.nan),), 1, (0, 10)) is None


def test_the_hybrid_adds_standard_scores_of_the_first_stage() -> None:
    answers = [Generation("2"), Generation("6"), Generation("4")]
    first = np.array([30.0, 20.0, 10.0])
    candidates = Candidates(("0", "1", "2"), tuple(texts(3)), first)
    ranked = ERank(Scripted(answers), score_mode="argmax", first_stage_weight=0.2).rank(
        "query", candidates
    )
    z = math.sqrt(1.5)
    expected = {"0": -0.8 * z + 0.2 * z, "1": 0.8 * z, "2": -0.2 * z}
    assert {d.id: d.score for d in ranked} == pytest.approx(expected)
    assert ranked.score_kind == "standard"
    with pytest.raises(DataError, match="first-stage scores"):
        ERank(Scripted(answers), first_stage_weight=0.2).rank("query", texts(3))


def test_hybrid_of_equal_or_infinite_scores_is_finite() -> None:
    answers = [Generation("5")] * 3
    for first in ([1.0, 1.0, 1.0], [math.inf, 1.0, 0.0], [-math.inf] * 3):
        candidates = Candidates(("0", "1", "2"), tuple(texts(3)), np.array(first))
        ranked = ERank(Scripted(answers), score_mode="argmax", first_stage_weight=0.5).rank(
            "query", candidates
        )
        assert np.isfinite(ranked.scores).all()


def test_documents_are_cut_at_their_tokens() -> None:
    model = Scripted([written(("5", 1.0))] * 2)
    ranked = ERank(model, document_tokens=50).rank("query", ["word " * 3000, "word"])
    assert ranked.truncated == 1
    assert model.count_tokens(model.asked[0].prompt.plain()) < 200


# --- ProRank


@given(st.lists(st.tuples(st.floats(-20, 0), st.floats(-20, 0)), min_size=2, max_size=6))
def test_pro_rank_orders_by_log_odds(pairs: list[tuple[float, float]]) -> None:
    ranked = ProRank(Scripted([LabelScores(pair) for pair in pairs])).rank(
        "query", texts(len(pairs))
    )
    odds = np.array([one - zero for one, zero in pairs])
    by_odds = np.lexsort((np.arange(len(odds)), -odds)).tolist()
    assert [document.position for document in ranked] == by_odds
    np.testing.assert_allclose(ranked.scores, odds[by_odds])
    share = np.array([math.exp(one - np.logaddexp(one, zero)) for one, zero in pairs])
    assert (np.diff(share[by_odds]) <= 1e-12).all()
    assert ranked.score_kind == "logit"


def test_pro_rank_gives_documents_the_context() -> None:
    """Neither the query nor a share of its own takes room that a document needs."""
    model = Scripted([LabelScores((-1.0, -2.0))] * 2, context=8192)
    ranked = ProRank(model).rank("query", ["word " * 8000, "word " * 9000])
    assert ranked.truncated == 1
    assert model.count_tokens(model.asked[1].prompt.plain()) > 8000


def test_prompts_are_chosen_by_exact_name() -> None:
    for name in ("owner/pro-rank", "Pro-Rank", "pro"):
        with pytest.raises(UnknownNameError, match="pro-rank"):
            ProRank(Oracle({}), template=name).rank("query", texts(2))


# --- InteRank


def test_ties_stay_in_first_stage_order() -> None:
    labels = ["1", "2", "1", "0", "2"]
    answers = [Generation(f"Relevance label: {label}") for label in labels]
    ranked = InteRank(Scripted(answers)).rank("query", texts(5))
    assert ranked.ids == ["1", "4", "0", "2", "3"]


def test_the_same_text_twice_is_two_documents() -> None:
    answers = [Generation(f"Relevance label: {label}") for label in "001"]
    ranked = InteRank(Scripted(answers)).rank("query", ["same", "same", "other"])
    assert ranked.ids == ["2", "0", "1"]


def test_the_expected_label_breaks_ties() -> None:
    answers = [
        written(("Relevance label: ", 1.0), ("1", 0.6), others={"1": 0.6, "0": 0.4}),
        written(("Relevance label: ", 1.0), ("1", 0.6), others={"1": 0.6, "2": 0.4}),
    ]
    ranked = InteRank(Scripted(answers), score_mode="expectation").rank("query", texts(2))
    assert ranked.ids == ["1", "0"]
    np.testing.assert_allclose(ranked.scores, [1.4, 0.6])


def test_label_only_is_the_same_path_with_another_prompt() -> None:
    oracle = Oracle({"query": {"b": 2.0, "c": 1.0}})
    documents = {name: f"text of {name}" for name in "abc"}
    explained = InteRank(oracle).rank("query", documents)
    label_only = InteRank(oracle, template="inte-rank-label").rank("query", documents)
    assert explained.ids == label_only.ids == ["b", "c", "a"]
    assert explained.calls == label_only.calls == 3


def test_documents_are_cut_at_words_not_characters() -> None:
    model = Scripted([Generation("1")] * 2)
    words = "supercalifragilistic " * 3000
    ranked = InteRank(model).rank("query", [words, words * 2])
    assert ranked.truncated == 1  # 3,000 words of 63,000 characters are whole
    assert model.asked[0].prompt.plain().count("supercalifragilistic") == 3000
    assert model.asked[1].prompt.plain().count("supercalifragilistic") == 4000


# --- all three


@pytest.mark.parametrize("kind", [ERank, ProRank, InteRank])
def test_a_perfect_oracle_gives_the_perfect_order_in_one_round(
    kind: type[ERank] | type[ProRank] | type[InteRank],
) -> None:
    oracle = Oracle({"query": {"b": 2.0, "d": 1.0}})
    documents = {name: f"text of {name} {{query}} [1]" for name in "abcd"}
    ranked = kind(oracle).rank("query", documents)
    assert ranked.ids == ["b", "d", "a", "c"]
    assert ranked.calls == 4
    assert ranked.answers == {"ok": 4}
    candidates = Candidates(tuple(documents), tuple(documents.values()))
    assert len(next(kind(oracle).steps("query", candidates, Asking(oracle)))) == 4


@pytest.mark.parametrize("kind", [ERank, ProRank, InteRank])
def test_garbage_leaves_every_document(
    kind: type[ERank] | type[ProRank] | type[InteRank],
) -> None:
    ranked = kind(Oracle({}, malformed=1.0)).rank("query", texts(6))
    assert ranked.ids == ["0", "1", "2", "3", "4", "5"]
    assert set(ranked.answers) <= {"missing", "wrong_format", "refused"}


def test_what_cannot_be_used_is_refused() -> None:
    for make in (
        lambda: ERank("Oracle({})", score_mode="other"),  # type: ignore[arg-type]
        lambda: InteRank("Oracle({})", score_mode="other"),  # type: ignore[arg-type]
        lambda: ERank("Oracle({})", first_stage_weight=1.5),
    ):
        with pytest.raises(ConfigurationError):
            make()


def test_repr_reads_back() -> None:
    oracle = Oracle({"q": {"a": 1.0}})
    for reranker in (
        ERank(oracle, score_mode="expectation"),
        ProRank(oracle, seed=1),
        InteRank(oracle, document_words=100),
    ):
        assert repr(parse(repr(reranker))) == repr(reranker)
