"""The oracle: answers that every grammar reads back, one belief under four powers, its errors."""

import asyncio
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.llm import (
    Attention,
    Failure,
    Generate,
    Likelihood,
    NextToken,
    Prompt,
    Shown,
    parse_model,
)
from plackett.llm.oracle.beliefs import Beliefs, chance, log_sigmoid
from plackett.llm.oracle.model import Oracle
from plackett.llm.parsing.parser import Form, Grammar, parse_answer
from plackett.llm.templates import prompt_template

QUERY = "red wine"
GRADES = {"a": 0.0, "b": 3.0, "c": 1.0, "d": 2.0}
ORACLE = Oracle({QUERY: GRADES})


def ask(oracle, *requests):
    return asyncio.run(oracle.answer(requests))


def prompt(name="rank-gpt", ids="abcd", **values):
    return prompt_template(name).render(QUERY, [f"text {i}" for i in ids], ids=ids, values=values)


def written(oracle, name="rank-gpt", ids="abcd", **values) -> str:
    return ask(oracle, Generate(prompt(name, ids, **values)))[0].text


@pytest.mark.parametrize(
    ("name", "ids", "text"),
    [
        ("rank-gpt", "abcd", "[2] > [4] > [3] > [1]"),
        ("rank-gpt", "dcba", "[3] > [1] > [2] > [4]"),
        ("first", "abcd", "B] > [D] > [C] > [A]"),
        ("rank-k", "abcd", "[2] > [4] > [3] > [1]"),
        ("setwise", "abcd", "B"),
        ("pairwise", "ca", "A"),
        ("yes-no", "b", "Yes"),
        ("yes-no", "a", "No"),
        ("graded", "b", "10"),
        ("graded", "c", "3"),
        ("grades", "abcd", '{"[1]": 0, "[2]": 10, "[3]": 3, "[4]": 7}'),
    ],
)
def test_what_it_writes(name, ids, text) -> None:
    assert written(ORACLE, name, ids) == text


def test_ties_and_selections() -> None:
    level = Oracle({QUERY: {"a": 1, "b": 2, "c": 2, "d": 1}})
    assert written(level, "rank-k") == "[2] = [3] > [1] = [4]"
    assert written(level) == "[2] > [3] > [1] > [4]"
    assert written(ORACLE, "selection", count="2") == "[2], [4]"
    assert written(ORACLE, "dps") == "[2], [4], [3]"
    assert written(Oracle({}), "dps") == "none"


@pytest.mark.parametrize("grammar", Grammar.__args__)
@given(
    grades=st.lists(st.integers(0, 5), min_size=2, max_size=12),
    noise=st.sampled_from([0.0, 0.3]),
    bias=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_every_answer_is_as_asked(grammar, grades, noise, bias) -> None:
    ids = tuple(f"d{i}" for i in range(len(grades)))
    oracle = Oracle({QUERY: dict(zip(ids, grades, strict=True))}, noise, bias)
    labels = tuple(str(i + 1) for i in range(len(ids)))
    request = Generate(Prompt((), shown=Shown(QUERY, ids, labels, grammar)))
    text = ask(oracle, request)[0].text
    parsed = parse_answer(text, len(ids), Form(grammar))
    assert (parsed.status, parsed.faults) == ("ok", ())
    if grammar in ("order", "tiers") and noise == bias == 0.0:
        found = [grades[i] for i in parsed.positions]
        assert found == sorted(grades, reverse=True)


# ---------------------------------------------------------------------------- one belief, four ways


@pytest.mark.parametrize("noise", [0.0, 0.4])
@pytest.mark.parametrize("bias", [0.0, 0.3, 1.0])
def test_probabilities_of_labels_agree_with_what_is_written(noise, bias) -> None:
    for seed in range(20):
        oracle = Oracle({QUERY: GRADES}, noise, bias, seed=seed)
        parsed = prompt_template("first").parse(written(oracle, "first"), 4)
        scores = ask(oracle, NextToken(prompt("first"), ("A", "B", "C", "D")))[0].logprobs
        assert math.fsum(map(math.exp, scores)) == pytest.approx(1.0)
        assert sorted(range(4), key=lambda i: (-scores[i], i)) == list(parsed.positions)
        spelled = ask(oracle, NextToken(prompt("first"), (" [A]", " B", "C]", "Passage D")))[0]
        assert spelled.logprobs == scores
        best = written(oracle, "setwise")
        assert best == "ABCD"[int(np.argmax(scores))]
        ends = [ask(oracle, Likelihood(prompt("setwise"), f"Passage {x}"))[0] for x in "ABCD"]
        assert [sum(end.logprobs) for end in ends] == pytest.approx(scores)


def test_worth_of_one_document_four_ways() -> None:
    yes, grade, query, weight = [], [], [], []
    order = "acdb"
    for each in order:
        yes.append(ask(ORACLE, NextToken(prompt("yes-no", each), ("Yes", "No")))[0].logprobs[0])
        labels = tuple(map(str, range(11)))
        scores = ask(ORACLE, NextToken(prompt("graded", each), labels))[0].logprobs
        grade.append(sum(math.exp(score) * i for i, score in enumerate(scores)))
        assert str(int(np.argmax(scores))) == written(ORACLE, "graded", each)
        query.append(np.mean(ask(ORACLE, Likelihood(prompt("upr", each), QUERY))[0].logprobs))
    request = Attention("x", ("one", "two", "three", "four"), "?", Shown(QUERY, tuple(order)))
    weight = [sum(row) for row in ask(ORACLE, request)[0].weights]
    for scores in (yes, grade, query, weight):
        assert list(scores) == sorted(scores)
        assert len(set(scores)) == 4
    assert all(score < 0 for score in yes + query)


def test_words_and_grades_by_likelihood_are_those_of_the_next_token() -> None:
    for name, words in (("yes-no", ("Yes", "No")), ("graded", tuple(map(str, range(11))))):
        asked = prompt(name, "c")
        scores = ask(ORACLE, NextToken(asked, words))[0].logprobs
        ends = [ask(ORACLE, Likelihood(asked, f" {word}"))[0].logprobs for word in words]
        assert [sum(end) for end in ends] == pytest.approx(scores)


def test_yes_of_two_documents_is_that_the_first_is_better() -> None:
    for ids, wanted in (("ba", "Yes"), ("ab", "No")):
        shown = Shown(QUERY, tuple(ids), ("", ""), "yes-no")
        asked = Prompt((), shown=shown)
        assert ask(ORACLE, Generate(asked))[0].text == wanted
        yes, no = ask(ORACLE, NextToken(asked, ("Yes", "No")))[0].logprobs
        assert (yes > no) == (wanted == "Yes")


def test_attention_without_a_query_shows_the_bias_of_places() -> None:
    documents = ("one", "two " * 20)
    biased = Oracle({QUERY: {"a": 1.0, "b": 1.0}}, order_bias=0.5)
    asked, blank = (
        [sum(row) for row in ask(biased, Attention("", documents, "", shown))[0].weights]
        for shown in (Shown(QUERY, ("a", "b")), Shown("N/A", ("a", "b")))
    )
    assert blank[0] > blank[1]
    assert asked[0] - blank[0] == asked[1] - blank[1] > 0


def test_tokens_of_an_answer_and_their_alternatives() -> None:
    answer = ask(ORACLE, Generate(prompt("graded", "c"), logprobs=True))[0]
    (score,) = answer.token_scores
    assert score.token == answer.text == "3"
    assert score.alternatives[0] == (score.token, score.logprob)
    assert len(score.alternatives) == 11
    answer = ask(ORACLE, Generate(prompt(), logprobs=True))[0]
    assert "".join(each.token for each in answer.token_scores) == answer.text.replace(" ", "")
    left = [len(each.alternatives) for each in answer.token_scores if each.alternatives]
    assert left == [4, 3, 2, 1]
    yes = ask(ORACLE, Generate(prompt("yes-no", "b"), logprobs=True))[0].token_scores[0]
    assert [word for word, _ in yes.alternatives] == ["Yes", "No"]


def test_answers_end_where_they_must() -> None:
    answer = ask(ORACLE, Generate(prompt(), max_tokens=5))[0]
    assert (answer.text, answer.finish, answer.output_tokens) == ("[2] > [", "length", 5)
    thinks = ask(ORACLE, Generate(prompt(), max_tokens=1000, thinking_tokens=900))[0]
    assert thinks.output_tokens == 900 + 15
    assert thinks.finish == "stop"
    assert ask(ORACLE, Generate(prompt(), max_tokens=50, thinking_tokens=900))[0].text == ""


# ------------------------------------------------------------------------------------- its errors


def test_noise_flips_as_many_pairs_as_it_says() -> None:
    grades = {f"d{i}": float(i) for i in range(60)}
    oracle = Oracle({QUERY: grades}, noise=0.2, seed=4)
    wrong = total = 0
    for i in range(60):
        for j in range(i):
            pair = [(f"d{i}", f"d{j}"), (f"d{j}", f"d{i}")]
            firsts = [written(oracle, "pairwise", ids) == "A" for ids in pair]
            assert firsts[0] != firsts[1], "both orders agree"
            wrong += not firsts[0]
            total += 1
    assert wrong / total == pytest.approx(0.2, abs=0.03)


def test_single_grades_are_perturbed_as_much_as_pairs_are() -> None:
    beliefs = Beliefs({QUERY: {f"d{i}": i % 2 for i in range(2000)}}, 0.2, 0.0, 0)
    shares = [beliefs.share(QUERY, f"d{i}") for i in range(2000)]
    wrong = np.mean([shares[i] > shares[i + 1] for i in range(0, 2000, 2)])
    assert wrong == pytest.approx(0.2, abs=0.04)


def test_a_bias_of_one_only_sees_places() -> None:
    biased = Oracle({QUERY: GRADES}, order_bias=1.0)
    for ids in ("abcd", "dcba"):
        assert written(biased, ids=ids) == "[1] > [2] > [3] > [4]"
        assert written(biased, "setwise", ids) == "A"


def test_bias_is_a_probability() -> None:
    grades = {f"d{i}": float(i) for i in range(40)}
    oracle = Oracle({QUERY: grades}, order_bias=0.3)
    worse_first = [(f"d{j}", f"d{i}") for i in range(40) for j in range(i)]
    share = np.mean([written(oracle, "pairwise", ids) == "A" for ids in worse_first])
    assert share == pytest.approx(0.3, abs=0.05)


def test_rubbish_is_never_an_answer_and_of_many_kinds() -> None:
    statuses, texts = set(), set()
    for grammar in ("order", "label", "grade", "yes-no", "grades", "selection"):
        for seed in range(40):
            oracle = Oracle({QUERY: GRADES}, malformed=1.0, seed=seed)
            shown = Shown(QUERY, tuple("abcd"), tuple("1234"), grammar)
            answer = ask(oracle, Generate(Prompt((), shown=shown)))[0]
            parsed = parse_answer(answer.text, 4, Form(grammar))
            assert parsed.status != "ok"
            assert parsed.positions in ((), (0, 1, 2, 3))
            statuses.add(parsed.status)
            texts.add(answer.text)
    assert statuses == {"repaired", "wrong_format", "missing", "refused"}
    assert len(texts) > 10
    for request in (NextToken(prompt("first"), ("A",)), Likelihood(prompt("upr", "a"), "q")):
        assert isinstance(ask(Oracle({}, malformed=1.0), request)[0], Failure)
    assert isinstance(ask(Oracle({}, malformed=1.0), Attention("", ("a",), ""))[0], Failure)


def test_rubbish_is_as_frequent_as_it_says() -> None:
    oracle = Oracle({QUERY: GRADES}, malformed=0.25)
    requests = [Generate(prompt(), seed=seed) for seed in range(800)]
    bad = [answer.text != "[2] > [4] > [3] > [1]" for answer in ask(oracle, *requests)]
    assert np.mean(bad) == pytest.approx(0.25, abs=0.04)


def test_the_same_question_has_the_same_answer_alone_and_among_others() -> None:
    oracle = Oracle({QUERY: GRADES}, 0.3, 0.2, 0.3, seed=1)
    requests = [Generate(prompt(ids=ids)) for ids in ("abcd", "dcba", "bd", "ca")]
    together = ask(oracle, *requests)
    assert [ask(oracle, each)[0] for each in reversed(requests)] == together[::-1]
    other = Oracle({QUERY: GRADES}, 0.3, 0.2, 0.3, seed=2)
    assert oracle.identity != other.identity


# ------------------------------------------------------------------------------- making and reading


@pytest.mark.parametrize(
    "more",
    [{}, {"noise": 0.1, "seed": 3}, {"latency": 0.5, "batch_size": 4, "concurrency": 2}],
)
def test_a_description_reads_back(more) -> None:
    oracle = Oracle({QUERY: GRADES}, **more)
    again = parse_model(repr(oracle))
    assert repr(again) == repr(oracle)
    assert again.identity == oracle.identity


def test_grades_from_files(tmp_path) -> None:
    qrels, queries = tmp_path / "qrels.txt", tmp_path / "queries.jsonl"
    qrels.write_text("q1 0 a 0\nq1 0 b 3\nq1 0 c 1\nq1 0 d 2\nq2 0 a 1\n")
    queries.write_text(json.dumps({"id": "q1", "text": QUERY}) + "\n")
    oracle = Oracle(str(qrels), queries=str(queries))
    assert written(oracle) == "[2] > [4] > [3] > [1]"
    assert oracle.identity == ORACLE.identity
    assert "q1" in Oracle(str(qrels))._beliefs.relevance


@pytest.mark.parametrize(
    "more", [{"noise": 0.6}, {"noise": -0.1}, {"order_bias": 2}, {"malformed": 1.5}]
)
def test_probabilities_have_bounds(more) -> None:
    with pytest.raises(ConfigurationError):
        Oracle({}, **more)


def test_latency_is_waited_once_a_call() -> None:
    async def timed() -> float:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await Oracle({}, latency=0.05).answer([Generate(prompt())] * 4)
        return loop.time() - started

    assert 0.04 < asyncio.run(timed()) < 0.19


@given(st.text(max_size=60), st.integers(0, 20))
def test_tokens_are_counted_and_cut_alike(text, tokens) -> None:
    cut = ORACLE.truncate(text, tokens)
    assert ORACLE.count_tokens(cut) <= tokens
    if text.isprintable():
        assert text.startswith(cut)


def test_numbers() -> None:
    assert log_sigmoid(0.0) == pytest.approx(math.log(0.5))
    assert log_sigmoid(-800.0) == -800.0
    assert all(0 <= chance("x", i) < 1 for i in range(100))
    assert np.mean([chance("x", i) for i in range(2000)]) == pytest.approx(0.5, abs=0.03)
