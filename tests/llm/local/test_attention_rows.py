"""Attention read row by row is that of full maps."""

import asyncio

import numpy as np
import pytest

from plackett.errors import ConfigurationError
from plackett.llm.local.transformers_model import Transformers
from plackett.llm.requests import Attention, AttentionWeights, Failure

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

CAUSAL = ["gpt2", "llama", "gemma3", "gemma2"]
DOCUMENTS = (
    "[1] Red wine goes with cheese.\n\n",
    "[2] White bread is baked in an oven, and so on and on.\n\n",
    "[3] \u00e9.\n\n",
    "[4] The longest river runs to the sea.",
)
QUERY = Attention("Here are paragraphs.\n\n", DOCUMENTS, "\n\nQuery: what goes with red wine?")
FREE = Attention(QUERY.before, DOCUMENTS, "\n\nQuery: N/A")


def ask(model, *requests):
    return asyncio.run(model.answer(requests))


def rows(answer):
    return np.concatenate([np.array(row) for row in answer.weights])


def full_maps(model, request):
    """The definition: all attention maps of an eager pass over the whole prompt."""
    plain = transformers.AutoModelForCausalLM.from_pretrained(
        model.path, attn_implementation="eager"
    ).eval()
    tokens, starts = model.prompts.spans(request)
    with torch.no_grad():
        maps = plain(torch.tensor([tokens]), output_attentions=True).attentions
    total = sum(layer[0, :, starts[-1] :].mean(dim=1).sum(dim=0) for layer in maps).numpy()
    return total[starts[0] : starts[-1]]


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("kind", CAUSAL)
def test_attention_is_that_of_full_eager_maps(kind, chat, tiny_model):
    model = Transformers(tiny_model(kind, chat=chat))
    for request, answer in zip((QUERY, FREE), ask(model, QUERY, FREE), strict=True):
        np.testing.assert_allclose(rows(answer), full_maps(model, request), atol=1e-5)
        assert len(answer.weights) == len(DOCUMENTS)


@pytest.mark.parametrize("kind", CAUSAL)
def test_documents_read_once_give_what_documents_read_again_give(kind, tiny_model):
    model = Transformers(tiny_model(kind))
    together = ask(model, FREE, QUERY)
    for request, answer in zip((FREE, QUERY), together, strict=True):
        (alone,) = ask(model, request)
        np.testing.assert_allclose(rows(answer), rows(alone), atol=1e-5)
    tokens, starts = model.prompts.spans(QUERY)
    assert together[1].input_tokens == len(tokens) - starts[-1]
    assert together[0].input_tokens > len(tokens) // 2


def test_attention_over_all_tokens_sums_to_layers_times_heads(tiny_model):
    model = Transformers(tiny_model("llama", bos=False))
    (answer,) = ask(model, Attention("", DOCUMENTS, "?"))
    assert rows(answer).sum() < 2 * 4
    one = ask(model, Attention("", (" ".join(DOCUMENTS),), "?"))[0]
    assert len(one.weights) == 1


def test_other_powers_are_as_before_after_attention_was_read(tiny_model):
    from plackett.llm.requests import Likelihood, Message, Prompt

    model = Transformers(tiny_model("gemma3"))
    request = Likelihood(Prompt((Message("user", "red"),)), " wine")
    before = ask(model, request)
    mixed = ask(model, QUERY, request)
    assert isinstance(mixed[0], AttentionWeights)
    np.testing.assert_allclose(mixed[1].logprobs, before[0].logprobs, atol=1e-6)
    assert ask(model, request) == before


def test_too_long_and_empty_requests_are_failures(tiny_model):
    model = Transformers(tiny_model("llama"))
    long = Attention("a", ("red wine " * 2000,), "b")
    nothing = Attention("a", ("b",), "")
    answers = ask(model, long, nothing, QUERY, Attention(QUERY.before, DOCUMENTS, ""))
    assert isinstance(answers[0], Failure)
    assert "context" in answers[0].reason
    assert isinstance(answers[1], Failure)
    assert isinstance(answers[2], AttentionWeights)
    assert "nothing stands after" in answers[3].reason


def test_a_layer_that_hides_tokens_or_its_attention_is_refused(tiny_model, monkeypatch):
    from plackett.llm.local import attention_rows

    with pytest.raises(ConfigurationError, match="over 3 of 4 tokens"):
        attention_rows.AttentionRows(4, 1, torch.device("cpu")).add(torch.ones(1, 2, 1, 3))
    model = Transformers(tiny_model("llama"))
    monkeypatch.setattr(attention_rows, "_choose", lambda model, implementation: None)
    with pytest.raises(ConfigurationError, match="makes its attention by itself"):
        ask(model, QUERY)


def test_a_mask_cut_to_a_window_is_refused():
    from plackett.llm.local import attention_rows

    state = torch.zeros(1, 2, 3, 4)
    mask = torch.zeros(1, 1, 3, 2)
    with pytest.raises(ConfigurationError, match="beyond a sliding window"):
        attention_rows._attend(torch.nn.Identity(), state, state, state, mask)


def test_sinks_and_biases_are_in_the_softmax():
    from plackett.llm.local import attention_rows

    torch.manual_seed(0)
    query, key, value = torch.randn(1, 4, 2, 8), torch.randn(1, 2, 5, 8), torch.randn(1, 2, 5, 8)
    sink, bias = torch.randn(4), torch.randn(1, 4, 2, 5)
    collector = attention_rows.AttentionRows(5, 2, torch.device("cpu"))
    token = attention_rows._COLLECTING.set(collector)
    output, _ = attention_rows._attend(
        torch.nn.Identity(), query, key, value, None, s_aux=sink, position_bias=bias
    )
    attention_rows._COLLECTING.reset(token)
    keys, values = key.repeat_interleave(2, 1), value.repeat_interleave(2, 1)
    logits = query @ keys.transpose(2, 3) / 8**0.5 + bias
    logits[..., 0, 4] = -torch.inf  # the first of the last two tokens does not see the last
    full = torch.cat([logits, sink.view(1, 4, 1, 1).expand(1, 4, 2, 1)], -1).softmax(-1)
    weights = full[..., :-1]
    torch.testing.assert_close(collector.total, weights[0].mean(1).sum(0))
    torch.testing.assert_close(output, (weights @ values).transpose(1, 2))


def test_weights_are_made_for_the_attending_tokens_only(tiny_model, monkeypatch):
    from plackett.llm.local import attention_rows

    shapes = []
    add = attention_rows.AttentionRows.add
    monkeypatch.setattr(
        attention_rows.AttentionRows,
        "add",
        lambda self, weights: (shapes.append(tuple(weights.shape)), add(self, weights))[1],
    )
    model = Transformers(tiny_model("llama"))
    ask(model, QUERY)
    tokens, starts = model.prompts.spans(QUERY)
    assert shapes == [(1, 4, len(tokens) - starts[-1], len(tokens))] * 2
