"""Fitting: equal shares, the instruction whole, every document there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.llm.fitting import PER_TURN, first_words, fit
from plackett.llm.oracle.model import Oracle
from plackett.llm.templates import prompt_template

TEMPLATE = prompt_template("rank-gpt-single")


def model(context: int) -> Oracle:
    return Oracle({}, context=context)


def test_what_fits_is_left_alone() -> None:
    fitted = fit(model(10_000), TEMPLATE, "q", ["one", "two", ""], reserve=100)
    assert (fitted.query, fitted.texts, fitted.shortened) == ("q", ("one", "two", ""), (False,) * 3)


@given(
    lengths=st.lists(st.integers(0, 4000), min_size=1, max_size=20),
    context=st.integers(600, 4000),
    reserve=st.integers(0, 200),
)
def test_the_prompt_fits_and_nothing_is_lost(lengths, context, reserve) -> None:
    texts = ["x" * length for length in lengths]
    judge = model(context)
    fitted = fit(judge, TEMPLATE, "a query", texts, reserve=reserve)
    assert len(fitted.texts) == len(texts)
    assert all(whole.startswith(cut) for whole, cut in zip(texts, fitted.texts, strict=True))
    cut = tuple(new != old for new, old in zip(fitted.texts, texts, strict=True))
    assert fitted.shortened == cut
    # Equal shares: of two that are cut, neither has more than the other.
    assert len({len(text) for text, is_cut in zip(fitted.texts, cut, strict=True) if is_cut}) <= 1
    prompt = TEMPLATE.render(fitted.query, fitted.texts)
    assert judge.count_tokens(prompt.plain()) <= context - reserve
    last = prompt.messages[-1].text
    assert last.endswith("Write the order and nothing else.")


def test_the_share_is_the_cards_formula() -> None:
    judge, texts = model(1000), ["x" * 9000] * 5
    blank = TEMPLATE.render("", [""] * 5)
    fixed = judge.count_tokens(blank.plain()) + PER_TURN * len(blank.messages)
    share = (1000 - fixed - judge.count_tokens("a query") - 100) // 5
    fitted = fit(judge, TEMPLATE, "a query", texts, reserve=100)
    assert {judge.count_tokens(text) for text in fitted.texts} == {share}


def test_limits_of_words_and_tokens() -> None:
    judge = model(10_000)
    texts = ["one two  three four", "one"]
    fitted = fit(judge, TEMPLATE, "q", texts, reserve=0, max_words=3)
    assert (fitted.texts, fitted.shortened) == (("one two  three", "one"), (True, False))
    fitted = fit(judge, TEMPLATE, "q", texts, reserve=0, max_tokens=2)
    assert fitted.texts == ("one two ", "one")
    for limits in ({"max_words": 0}, {"max_tokens": 0}):
        with pytest.raises(ConfigurationError, match="expected 1 or more"):
            fit(judge, TEMPLATE, "q", texts, reserve=0, **limits)


def test_a_long_query_is_cut_before_documents_vanish() -> None:
    judge = model(1000)
    fitted = fit(judge, TEMPLATE, "q" * 100_000, ["x" * 8000] * 3, reserve=10)
    assert 0 < len(fitted.query) < 100_000
    assert all(fitted.texts)
    assert judge.count_tokens(TEMPLATE.render(fitted.query, fitted.texts).plain()) <= 990


def test_values_count(tmp_path) -> None:
    judge, template = model(2000), prompt_template("selection")
    short = fit(judge, template, "q", ["x" * 9000] * 3, reserve=0, values={"count": "1"})
    long = fit(judge, template, "q", ["x" * 9000] * 3, reserve=0, values={"count": "1" * 400})
    assert len(long.texts[0]) < len(short.texts[0])


def test_no_room_is_said() -> None:
    with pytest.raises(ConfigurationError, match="no room for 20 documents in prompt"):
        fit(model(150), TEMPLATE, "q", ["x"] * 20, reserve=0)
    with pytest.raises(ConfigurationError, match="Show fewer documents"):
        fit(model(1000), TEMPLATE, "q", ["x"], reserve=2000)
    assert fit(model(1), TEMPLATE, "q", [], reserve=0).texts == ()


@given(st.text(max_size=100), st.integers(1, 20))
def test_first_words_are_a_beginning(text, words) -> None:
    cut = first_words(text, words)
    assert text.startswith(cut)
    assert len(cut.split()) == min(words, len(text.split()))
