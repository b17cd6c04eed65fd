"""PE-Rank: permutations by construction, decoding by dot products, and its losses."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.rerankers.listwise.passage_embeddings import PassageEmbeddings
from plackett.rerankers.registry import parse

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from plackett.llm.local.transformers_model import Transformers  # noqa: E402
from plackett.rerankers.listwise.passage_decoding import (  # noqa: E402
    PassageProjector,
    decode_order,
    list_mle_over_remaining,
    step_logits,
    two_view_loss,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    path = tmp_path_factory.mktemp("tiny")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({"<s>": 0} | {x: i + 1 for i, x in enumerate(alphabet)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>")
    tokenizer.save_pretrained(path)
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=257, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=2048, bos_token_id=0,
        eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(path)
    return str(path)


@pytest.fixture
def model(folder):
    return Transformers(folder)


def encode(texts):
    """Six numbers a text, the same for the same text."""
    seeds = [sum(text.encode()) + 1 for text in texts]
    return np.stack([np.random.default_rng(seed).normal(size=6) for seed in seeds])


class Constant(torch.nn.Module):
    """A language model whose hidden state is always the same."""

    def __init__(self, state):
        super().__init__()
        self.state, self.table = state, torch.nn.Embedding(10, len(state))
        self.base_model = self.forward

    def get_input_embeddings(self):
        return self.table

    def forward(self, inputs_embeds, **_):
        hidden = self.state.expand(*inputs_embeds.shape[:2], -1)
        return transformers.modeling_outputs.BaseModelOutputWithPast(hidden, None)


@given(st.integers(1, 8), st.integers(0, 10**6))
def test_with_a_constant_state_the_order_is_that_of_dot_products(n, seed):
    rng = torch.Generator().manual_seed(seed)
    state, passages = torch.randn(5, generator=rng), torch.randn(n, 5, generator=rng)
    order, read = decode_order(Constant(state), [[1, 2]], passages)
    assert list(order) == (-(passages @ state)).argsort(stable=True).tolist()
    # The prompt has two tokens and one passage after its only piece, then what is named.
    assert read == (0 if n == 1 else 3 + n - 2)


def test_a_state_that_is_no_number_leaves_the_order():
    order, _ = decode_order(Constant(torch.full((4,), -torch.inf)), [[1]], torch.ones(3, 4))
    assert order == (0, 1, 2)


def test_decoding_is_the_argmax_of_step_logits_over_what_is_left(model, folder):
    module = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    passages = torch.randn(6, 16, generator=torch.Generator().manual_seed(3))
    pieces = [[1, 2, 3], *[[4]] * 5, [5, 6]]
    order, read = decode_order(module, pieces, passages)
    assert sorted(order) == list(range(6))
    assert read == 10 + 6 + 4
    with torch.no_grad():
        logits = step_logits(module, pieces, passages, order)
    assert logits.shape == (6, 6)
    for step, chosen in enumerate(order):
        left = [place for place in range(6) if place not in order[:step]]
        assert chosen == max(left, key=lambda place: float(logits[step, place]))


def test_gradients_reach_model_and_projector(folder):
    module = transformers.AutoModelForCausalLM.from_pretrained(folder)
    projector = PassageProjector(6, 16)
    vectors = torch.from_numpy(encode(["a", "b", "c"])).float()
    logits = step_logits(module, [[1], [2], [3], [4]], projector(vectors), [2, 0, 1])
    list_mle_over_remaining(logits, [2, 0, 1]).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in projector.parameters())
    assert module.model.layers[0].self_attn.q_proj.weight.grad.abs().sum() > 0


def test_training_the_projector_learns_an_order(folder):
    module = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    projector = PassageProjector(6, 16, seed=1)
    vectors = torch.from_numpy(encode(["a", "b", "c", "d"])).float()
    pieces, teacher = [[1], [2], [3], [4], [5]], (2, 0, 3, 1)
    optimiser = torch.optim.Adam(projector.parameters(), lr=0.02)
    for _ in range(60):
        optimiser.zero_grad()
        loss = list_mle_over_remaining(
            step_logits(module, pieces, projector(vectors), teacher), teacher
        )
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        assert decode_order(module, pieces, projector(vectors))[0] == teacher


@given(st.permutations(range(5)), st.integers(0, 10**6))
def test_list_mle_is_its_closed_form(order, seed):
    logits = torch.randn(5, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    total = 0.0
    for step, chosen in enumerate(order):
        left = [math.exp(logits[step, j]) for j in order[step:]]
        total += math.log(sum(left)) - float(logits[step, chosen])
    assert float(list_mle_over_remaining(logits, order)) == pytest.approx(total / 5)


def test_equal_views_have_no_divergence_and_other_views_some():
    logits = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    order = [3, 1, 0, 2]
    single = list_mle_over_remaining(logits, order)
    assert float(two_view_loss(logits, logits, order)) == pytest.approx(2 * float(single), abs=1e-6)
    other = logits + torch.randn(4, 4, generator=torch.Generator().manual_seed(1))
    plain = two_view_loss(logits, other, order, weight=0.0)
    assert float(plain) == pytest.approx(
        float(single + list_mle_over_remaining(other, order)), abs=1e-6
    )
    assert float(two_view_loss(logits, other, order)) > float(plain)


def test_a_projector_is_saved_and_read(tmp_path):
    projector = PassageProjector(6, 16, seed=4)
    projector.save(tmp_path / "p.safetensors")
    again = PassageProjector.load(tmp_path / "p.safetensors")
    vectors = torch.randn(3, 6)
    torch.testing.assert_close(again(vectors), projector(vectors), rtol=0, atol=0)
    assert not torch.equal(PassageProjector(6, 16, seed=5)(vectors), projector(vectors))
    with pytest.raises(DataError, match="no file"):
        PassageProjector.load(tmp_path / "q.safetensors")
    whole = (tmp_path / "p.safetensors").read_bytes()
    for i, damaged in enumerate([whole[:50], b"", whole[:-9]]):
        (tmp_path / f"{i}").write_bytes(damaged)
        with pytest.raises(CorruptFileError):
            PassageProjector.load(tmp_path / f"{i}")
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, tmp_path / "other")
    with pytest.raises(CorruptFileError, match="kind None"):
        PassageProjector.load(tmp_path / "other")
    weights = {name: value[:1].clone() for name, value in projector.state_dict().items()}
    about = '{"kind": "plackett.PassageProjector", "version": 1, "inputs": 6, "outputs": 16}'
    save_file(weights, tmp_path / "cut", metadata={"plackett": about})
    with pytest.raises(CorruptFileError, match="size mismatch"):
        PassageProjector.load(tmp_path / "cut")


@pytest.mark.parametrize("n", [2, 5, 20, 21, 40, 45])
def test_results_are_permutations_with_the_windows_of_the_formula(n, model):
    texts = {f"d{i}": f"text {i}" for i in range(n)}
    reranker = PassageEmbeddings(model, projector=PassageProjector(6, 16), encoder=encode)
    ranked = reranker.rank("a query", texts)
    assert sorted(ranked.ids) == sorted(texts)
    assert ranked.calls == (1 if n <= 20 else 1 + math.ceil((n - 20) / 10))
    assert ranked.score_kind == "rank"
    assert ranked.tokens > n
    assert reranker.rank("a query", texts).ids == ranked.ids


def test_vectors_may_come_from_a_function_a_table_or_an_encoder(model, tmp_path):
    from plackett.encoders.base import DenseEncoder, Encoded

    class Six(DenseEncoder):
        identity, dimension = "six", 6

        def encode_all(self, texts, kind="document"):
            return Encoded(encode(texts).astype(np.float32), np.ones(len(texts)), np.ones(0))

    texts = {f"d{i}": f"text {i}" for i in range(6)}
    table = dict(zip(texts, encode(list(texts.values())), strict=True))
    PassageProjector(6, 16).save(tmp_path / "p.safetensors")
    projector = str(tmp_path / "p.safetensors")
    orders = [
        PassageEmbeddings(model, projector=projector, encoder=source).rank("q", texts).ids
        for source in (encode, table, Six())
    ]
    assert orders[0] == orders[1] == orders[2]


def test_one_document_is_no_call_and_equal_passages_keep_their_order(model):
    reranker = PassageEmbeddings(model, projector=PassageProjector(6, 16), encoder=encode)
    assert reranker.rank("q", ["only"]).calls == 0
    vectors = {name: np.ones(6) for name in "abcd"}
    table = PassageEmbeddings(model, projector=PassageProjector(6, 16), encoder=vectors)
    assert table.rank("q", dict.fromkeys("abcd", "")).ids == ["a", "b", "c", "d"]


def test_a_slot_in_a_query_is_no_slot(model):
    reranker = PassageEmbeddings(model, projector=PassageProjector(6, 16), encoder=encode)
    ranked = reranker.rank("q \u2063\u2063 </s>", {"a": "\u2063", "b": "", "c": "{n}"})
    assert sorted(ranked.ids) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("encoder", "match"),
    [
        (lambda texts: np.ones((len(texts), 5)), r"\(3, 6\)"),
        (lambda texts: np.full((len(texts), 6), np.nan), "NaN"),
        ({"a": np.ones(6)}, "no vector of document 'b'"),
    ],
)
def test_wrong_vectors_are_refused(encoder, match, model):
    reranker = PassageEmbeddings(model, projector=PassageProjector(6, 16), encoder=encoder)
    with pytest.raises(DataError, match=match):
        reranker.rank("q", {"a": "", "b": "", "c": ""})


def test_what_does_not_fit_is_refused(model, folder):
    for window, step in itertools.product((1, 4), (0, 5)):
        with pytest.raises(ConfigurationError, match="window"):
            PassageEmbeddings(
                model, projector=PassageProjector(6, 16), encoder=encode, window=window, step=step
            )
    wide = PassageEmbeddings(model, projector=PassageProjector(6, 8), encoder=encode)
    with pytest.raises(DataError, match="length 8"):
        wide.rank("q", ["a", "b"])
    small = PassageEmbeddings(
        Transformers(folder, context=60), projector=PassageProjector(6, 16), encoder=encode
    )
    with pytest.raises(DataError, match="at most 60"):
        small.rank("q", ["a", "b"])
    from plackett.llm.oracle.model import Oracle

    with pytest.raises(ConfigurationError, match="does not take embeddings"):
        PassageEmbeddings(Oracle({}), projector=PassageProjector(6, 16), encoder=encode).rank(
            "q", ["a", "b"]
        )


def test_the_description_reads_back(folder, tmp_path):
    PassageProjector(6, 16).save(tmp_path / "p")
    made = PassageEmbeddings(
        f"Transformers({folder!r})", projector=str(tmp_path / "p"),
        encoder="TransformerEncoder('no/such')", window=7, step=3,
    )  # fmt: skip
    assert repr(parse(repr(made))) == repr(made)
    with pytest.raises(DataError, match="no/such"):
        made.rank("q", ["a", "b"])
