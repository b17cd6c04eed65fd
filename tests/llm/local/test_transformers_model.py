"""Local models give what a plain pass over one prompt at a time gives, whatever the batch."""

import asyncio
import math

import numpy as np
import pytest

from plackett.errors import ConfigurationError
from plackett.llm.local.transformers_model import Transformers
from plackett.llm.registry import parse_model
from plackett.llm.requests import (
    Attention,
    Failure,
    Generate,
    Likelihood,
    Message,
    NextToken,
    Prompt,
)
from plackett.llm.wire import from_wire, to_wire

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

CAUSAL = ["gpt2", "llama", "gemma3", "gemma2"]
TEXTS = [
    "red wine",
    "a",
    "The longest river of the country runs from the mountains to the sea. " * 3,
    "{braces} and <tags> and \u00e9\u00e8 \U0001f600",
]


def ask(model, *requests):
    return asyncio.run(model.answer(requests))


def user(text, start=""):
    return Prompt((Message("user", text),), start)


def plain_model(folder):
    kind = (
        transformers.AutoModelForSeq2SeqLM if "t5" in folder else transformers.AutoModelForCausalLM
    )
    return kind.from_pretrained(folder).eval()


def likelihoods(answers):
    return [np.array(answer.logprobs) for answer in answers]


@pytest.fixture(params=[*CAUSAL, "t5"])
def model(request, tiny_model):
    return Transformers(tiny_model(request.param))


@pytest.mark.parametrize("kind", CAUSAL)
def test_likelihood_is_that_of_a_plain_pass(kind, tiny_model):
    model = Transformers(tiny_model(kind))
    plain = plain_model(model.path)
    for text in TEXTS:
        (answer,) = ask(model, Likelihood(user(text + " Query:"), " what goes with red wine?"))
        head = model.prompts.leading + model.prompts.ids(text + " Query:")
        tail = model.prompts.ids(" what goes with red wine?")
        with torch.no_grad():
            logits = plain(torch.tensor([head + tail])).logits[0].log_softmax(-1)
        wanted = [float(logits[len(head) + i - 1, token]) for i, token in enumerate(tail)]
        np.testing.assert_allclose(answer.logprobs, wanted, atol=1e-5)
        assert answer.input_tokens == len(head) + len(tail) - 1


def test_likelihood_of_an_encoder_decoder_scores_the_continuation_only(tiny_model):
    model = Transformers(tiny_model("t5"))
    plain = plain_model(model.path)
    (answer,) = ask(model, Likelihood(user("red wine"), " what goes"))
    source = [*model.prompts.ids("red wine"), model.prompts.tokenizer.eos_token_id]
    tail = model.prompts.ids("what goes")
    start = plain.config.decoder_start_token_id
    with torch.no_grad():
        logits = plain(
            input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([[start, *tail[:-1]]])
        ).logits[0]
    wanted = logits.log_softmax(-1)[range(len(tail)), tail]
    np.testing.assert_allclose(answer.logprobs, wanted.numpy(), atol=1e-5)


def test_likelihoods_do_not_depend_on_batch_mates(model):
    requests = [
        Likelihood(user(text, start), query)
        for text in TEXTS
        for start in ("", "Question:")
        for query in (" what?", " which of them answers the query best?")
    ]
    together = likelihoods(ask(model, *requests))
    for request, found in zip(requests, together, strict=True):
        (alone,) = likelihoods(ask(model, request))
        np.testing.assert_allclose(found, alone, atol=1e-5)


def test_next_tokens_do_not_depend_on_batch_mates_and_are_log_probabilities(model):
    requests = [NextToken(user(text + " Relevant:"), ("true", "false")) for text in TEXTS]
    together = likelihoods(ask(model, *requests))
    for request, found in zip(requests, together, strict=True):
        (alone,) = likelihoods(ask(model, request))
        np.testing.assert_allclose(found, alone, atol=1e-5)
        assert np.exp(found).sum() <= 1.0
        (swapped,) = likelihoods(ask(model, NextToken(request.prompt, request.labels[::-1])))
        np.testing.assert_array_equal(swapped[::-1], alone)


@pytest.mark.parametrize("tokens", [1, 100, 100_000])
def test_small_and_large_batches_agree(tokens, tiny_model):
    path = tiny_model("llama")
    requests = [Likelihood(user(text), " what?") for text in TEXTS]
    one = likelihoods(ask(Transformers(path, batch_tokens=1), *requests))
    for a, b in zip(
        one, likelihoods(ask(Transformers(path, batch_tokens=tokens), *requests)), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_label_counts_with_its_form_after_a_space(tiny_model):
    model = Transformers(tiny_model("llama"))
    (both,) = ask(model, NextToken(user("Relevant:"), ("yes",)))
    parts = [ask(model, Likelihood(user("Relevant:"), form))[0] for form in ("yes", " yes")]
    assert all(len(part.logprobs) == 1 for part in parts)
    total = np.logaddexp(parts[0].logprobs[0], parts[1].logprobs[0])
    assert both.logprobs[0] == pytest.approx(total, abs=1e-5)
    assert both.guessed == (False,)


def test_letters_after_a_bracket_are_labels_and_long_words_are_not(tiny_model):
    model = Transformers(tiny_model("llama"))
    (found,) = ask(model, NextToken(user("Which?", "["), ("A", "B", "C")))
    assert len(found.logprobs) == 3
    with pytest.raises(ConfigurationError, match=r"'antidisestablishment' is not one token"):
        ask(model, NextToken(user("Which?", "["), ("A", "antidisestablishment")))
    with pytest.raises(ConfigurationError, match="the same token"):
        ask(model, NextToken(user("Which?", "["), ("A", "A")))


def test_an_empty_continuation_has_no_likelihood(model):
    (answer,) = ask(model, Likelihood(user("red wine"), ""))
    assert answer.logprobs == ()


def test_without_a_first_token_the_first_word_cannot_be_told(tiny_model):
    model = Transformers(tiny_model("llama", bos=False))
    (all_of_it,) = ask(model, Likelihood(user("red"), " wine goes"))
    (but_first,) = ask(model, Likelihood(user(""), "red wine goes"))
    np.testing.assert_allclose(but_first.logprobs[-2:], all_of_it.logprobs, atol=1e-5)
    (nothing,) = ask(model, NextToken(user(""), ("A",)))
    assert isinstance(nothing, Failure)
    assert "no tokens" in nothing.reason


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_answers_do_not_depend_on_batch_mates(model, temperature):
    requests = [
        Generate(user(text), max_tokens=n, temperature=temperature, seed=seed)
        for text in TEXTS
        for n, seed in ((3, 1), (12, 1), (12, 2))
    ]
    together = ask(model, *requests)
    for request, found in zip(requests, together, strict=True):
        assert ask(model, request) == [found]
        assert found.output_tokens <= request.max_tokens


def test_rows_that_end_early_leave_the_batch_and_the_others_go_on(model):
    lengths = [2, 9, 2, 1, 14, 3]
    requests = [
        Generate(user(f"{TEXTS[0]} {i}"), max_tokens=n, logprobs=True)
        for i, n in enumerate(lengths)
    ]
    for request, found in zip(requests, ask(model, *requests), strict=True):
        (alone,) = ask(model, request)
        assert found.text == alone.text
        together, apart = ([s.logprob for s in answer.token_scores] for answer in (found, alone))
        np.testing.assert_allclose(together, apart, atol=1e-5)


def test_greedy_answers_are_those_of_the_library(tiny_model):
    for kind in [*CAUSAL, "t5"]:
        model = Transformers(tiny_model(kind))
        (found,) = ask(model, Generate(user("red wine goes"), max_tokens=10))
        ids = model.prompts.framed("red wine goes")
        with torch.no_grad():
            wanted = plain_model(model.path).generate(
                torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.int64),
                max_new_tokens=10,
                do_sample=False,
            )[0]
        written = wanted.tolist()[1 if kind == "t5" else len(ids) :]
        assert found.text.strip() == model.prompts.decode(written).strip()


def test_seeds_give_other_samples_and_the_same_seed_the_same(tiny_model):
    path = tiny_model("llama")
    asked = [Generate(user("red"), max_tokens=8, temperature=1.0, seed=seed) for seed in range(6)]
    first, again = ask(Transformers(path), *asked), ask(Transformers(path), *asked[::-1])[::-1]
    assert first == again
    assert len({answer.text for answer in first}) > 3


def test_log_probabilities_of_an_answer_are_its_likelihood(tiny_model):
    model = Transformers(tiny_model("llama"))
    (found,) = ask(model, Generate(user("red wine"), max_tokens=6, logprobs=True))
    ids = model.prompts.framed("red wine")
    plain = plain_model(model.path)
    for score in found.token_scores:
        with torch.no_grad():
            best = plain(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        assert score.logprob == pytest.approx(float(best.max()), abs=1e-5)
        assert score.alternatives[0][1] == pytest.approx(score.logprob)
        assert [value for _, value in score.alternatives] == sorted(
            (value for _, value in score.alternatives), reverse=True
        )
        ids.append(int(best.argmax()))
    assert from_wire("generate", to_wire(found)) == found


def test_an_answer_ends_at_a_stop_text(tiny_model):
    model = Transformers(tiny_model("llama"))
    (whole,) = ask(model, Generate(user("red wine"), max_tokens=10, logprobs=True))
    stop = whole.text[4:6]
    cut = whole.text.index(stop)
    (found,) = ask(model, Generate(user("red wine"), max_tokens=10, stop=(stop,), logprobs=True))
    assert found.text == whole.text[:cut]
    assert found.finish == "stop"
    assert len(found.token_scores) <= found.output_tokens < whole.output_tokens


def test_thinking_is_closed_when_its_tokens_are_spent(tiny_model):
    model = Transformers(tiny_model("llama", chat=True))
    for budget in (1, 4):
        (found,) = ask(model, Generate(user("red"), max_tokens=40, thinking_tokens=budget))
        thought, closed, answer = found.text.partition("\n</think>\n\n")
        assert closed
        assert answer
        assert len(model.prompts.ids(thought)) <= 4 * budget + 4
    (none,) = ask(model, Generate(user("red"), max_tokens=20, thinking_tokens=0))
    assert "think" not in none.text


def test_a_prompt_beyond_the_context_is_a_failure_that_names_the_remedy(model):
    long = user("red wine " * 5000)
    small = user("red")
    cases = [Likelihood(long, " what"), NextToken(long, ("true",)), Generate(long, max_tokens=2)]
    answers = ask(model, *cases, Generate(small, max_tokens=2))
    for answer in answers[:3]:
        assert isinstance(answer, Failure)
        assert "context is" in answer.reason
        assert "shorten" in answer.reason
    assert not isinstance(answers[3], Failure)


def test_an_answer_ends_with_the_context(tiny_model):
    model = Transformers(tiny_model("gpt2"), context=12)
    (found,) = ask(model, Generate(user("red wine"), max_tokens=500))
    assert found.finish == "length"
    assert found.input_tokens + found.output_tokens == 12


def test_powers_follow_the_kind_of_model(tiny_model):
    assert Transformers(tiny_model("llama")).powers == {
        "generate", "next_token", "likelihood", "attention",
    }  # fmt: skip
    model = Transformers(tiny_model("t5"))
    assert model.powers == {"generate", "next_token", "likelihood"}
    with pytest.raises(ConfigurationError, match="Take a causal model"):
        ask(model, Attention("", ("a",), "b"))


def test_the_description_reads_back_and_the_identity_is_the_contents(tiny_model):
    path = tiny_model("llama")
    model = Transformers(path, dtype="bfloat16", context=100, threads=1, chat=False)
    assert repr(parse_model(repr(model))) == repr(model)
    assert Transformers(path).identity == Transformers(path, batch_tokens=7).identity
    others = [Transformers(path, dtype="float16"), Transformers(tiny_model("gpt2")), model]
    assert len({other.identity for other in [Transformers(path), *others]}) == 4


def test_spaces_where_prompt_and_answer_meet_change_nothing(tiny_model):
    for chat in (False, True):
        model = Transformers(tiny_model("llama", chat=chat))
        forms = [("Query:", " red wine"), ("Query: ", " red wine"), ("Query: ", "red wine")]
        answers = ask(model, *(Likelihood(user("a", start), query) for start, query in forms))
        for found in likelihoods(answers[1:]):
            np.testing.assert_allclose(found, answers[0].logprobs, atol=1e-5)
        labels = ask(model, *(NextToken(user("a", start), ("yes",)) for start in ("A:", "A: ")))
        assert labels[0].logprobs == pytest.approx(labels[1].logprobs, abs=1e-5)


def test_half_precision_answers_as_well(tiny_model):
    path = tiny_model("llama")
    request = Likelihood(user("red"), " wine goes")
    half, full = (ask(Transformers(path, dtype=d), request)[0] for d in ("bfloat16", "float32"))
    np.testing.assert_allclose(half.logprobs, full.logprobs, atol=0.6)
    assert all(math.isfinite(value) for value in half.logprobs)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"context": 0}, "context = 0"),
        ({"context": 5000}, "made for 512"),
        ({"batch_tokens": 0}, "batch_tokens"),
        ({"threads": 0}, "threads"),
        ({"chat": True}, "no chat format"),
    ],
)
def test_wrong_parameters_are_refused(wrong, match, tiny_model):
    with pytest.raises(ConfigurationError, match=match):
        Transformers(tiny_model("llama"), **wrong)


def test_a_wrong_type_is_refused_when_weights_are_read(tiny_model):
    model = Transformers(tiny_model("llama"), dtype="int3")
    with pytest.raises(ConfigurationError, match="dtype = 'int3'"):
        ask(model, Likelihood(user("a"), "b"))


def test_tokens_are_counted_and_texts_cut_at_them(model):
    for text in [*TEXTS, "x \ud800 y", "</s> <pad>", ""]:
        n = model.count_tokens(text)
        assert model.truncate(text, n) == text
        for tokens in range(n + 1):
            cut = model.truncate(text, tokens)
            assert text.startswith(cut)
            assert model.count_tokens(cut) <= tokens


def test_hostile_texts_are_answered(model):
    texts = ["", "\ud800", "\x00", "</s>" * 50, "\u2063" * 9, "[A] > [B]", "<s><|system|>"]
    answers = ask(
        model,
        *(Likelihood(user("q " + text), " what?") for text in texts),
        *(Generate(user("q " + text), max_tokens=2) for text in texts),
        *(Likelihood(user("q"), " " + text + "?") for text in texts),
    )
    assert not any(isinstance(answer, Failure) for answer in answers)
