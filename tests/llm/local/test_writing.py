"""An answer under way, spelt by logits that the test makes up."""

import numpy as np
import pytest

from plackett.llm.local.writing import Writing
from plackett.llm.requests import Generate, Message, Prompt

END = 0
PROMPT = Prompt((Message("user", "q"),))


class Letters:
    """Every letter is a token."""

    def ids(self, text):
        return [ord(letter) for letter in text]

    def decode(self, tokens):
        return "".join(chr(token) for token in tokens if token != END)

    def token_text(self, token):
        return chr(token)


def spell(request, script, *, begun="", limit=None):
    """Write with a model that wants to say `script`, whatever it was made to say."""
    writing = Writing(
        request,
        Letters(),
        [ord("q")],
        begun=begun,
        limit=request.max_tokens if limit is None else limit,
        ends=frozenset({END}),
    )
    place = 0
    while writing.finish is None:
        logits = np.zeros(128, dtype=np.float32)
        wanted = ord(script[place]) if place < len(script) else END
        logits[wanted] = 20.0
        place += writing.take(logits) == wanted
    return writing.answer(1)


def test_an_answer_ends_at_its_end_or_at_its_limit():
    found = spell(Generate(PROMPT, max_tokens=10), "word")
    assert (found.text, found.finish, found.output_tokens) == ("word", "stop", 5)
    found = spell(Generate(PROMPT, max_tokens=3), "word")
    assert (found.text, found.finish, found.output_tokens) == ("wor", "length", 3)
    found = spell(Generate(PROMPT, max_tokens=3), "word", limit=0)
    assert (found.text, found.finish, found.output_tokens) == ("", "length", 0)


def test_the_earliest_stop_text_cuts_the_answer_and_its_scores():
    request = Generate(PROMPT, max_tokens=50, stop=("##", "\n"), logprobs=True)
    found = spell(request, "one##two\n")
    assert (found.text, found.finish) == ("one", "stop")
    assert [score.token for score in found.token_scores] == ["o", "n", "e"]
    assert spell(request, "one#two").text == "one#two"


@pytest.mark.parametrize("begun", ["", "<think>\n"])
def test_thoughts_are_cut_at_their_budget_and_the_answer_goes_on(begun):
    request = Generate(PROMPT, max_tokens=80, thinking_tokens=5)
    script = ("" if begun else "<think>") + "a" * 30
    found = spell(request, script, begun=begun)
    thought, closed, answer = found.text.removeprefix("<think>").partition("\n</think>\n\n")
    assert thought == "aaaaa"
    assert closed
    assert answer == "a" * 25


def test_thoughts_within_their_budget_are_left_alone():
    request = Generate(PROMPT, max_tokens=80, thinking_tokens=20)
    text = "<think>short</think>answer <think>"
    assert spell(request, text).text == text
    unlimited = Generate(PROMPT, max_tokens=80)
    assert spell(unlimited, "<think>" + "a" * 40).text == "<think>" + "a" * 40
    done = spell(Generate(PROMPT, max_tokens=30, thinking_tokens=0), "abc", begun="<think></think>")
    assert done.text == "abc"


def test_no_thinking_closes_a_thought_at_once():
    found = spell(Generate(PROMPT, max_tokens=60, thinking_tokens=0), "<think>aa")
    assert found.text == "<think>\n</think>\n\naa"


def test_samples_follow_the_softmax_at_the_temperature():
    logits = np.log(np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32))
    for temperature in (0.5, 1.0, 2.0):
        shares = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
        request = Generate(PROMPT, max_tokens=4000, temperature=temperature, seed=3)
        writing = Writing(request, Letters(), [1], begun="", limit=4000, ends=frozenset())
        drawn = np.bincount([writing.take(logits) for _ in range(3000)], minlength=4) / 3000
        np.testing.assert_allclose(drawn, shares, atol=4 * np.sqrt(0.25 / 3000))


def test_scores_are_log_probabilities_with_the_likeliest_beside_them():
    found = spell(Generate(PROMPT, max_tokens=10, logprobs=True), "hi")
    for score in found.token_scores:
        assert score.logprob == pytest.approx(20.0 - np.logaddexp(20.0, np.log(127)), abs=1e-4)
        assert len(score.alternatives) == 20
        assert score.alternatives[0] == (score.token, score.logprob)
