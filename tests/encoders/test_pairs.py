"""Cross-encoders: what transformers computes, whatever the batches; and what is refused."""

import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

from plackett.encoders import CrossEncoder, parse_encoder
from plackett.encoders.pairs import TokenPair, score_of_logits
from plackett.encoders.torch_backend import TorchBackend, load_head
from plackett.encoders.torch_modules import PackedLinear, packed
from plackett.errors import ConfigurationError, DataError

WORDS = ["red", "white", "wine", "bread", "the", "cat", ".", "zebra", "of"]
QUERY = "what is red wine"
DOCUMENTS = [
    "red wine and bread",
    "",
    "the cat. the dog",
    "white wine of the river house " * 12,
    "wine",
    "rain",
    "a bird in the tree and the sky",
]


def reference(folder: str, queries: list[str], documents: list[str], longest: int = 64) -> Any:
    """Logits by transformers, a pair at a time, without padding."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{folder}/tokenizer.json")
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    typed = model.config.type_vocab_size > 1
    out = []
    for query, document in zip(queries, documents, strict=True):
        encoding = tokenizer(
            [query], [document], truncation="only_second", max_length=longest, return_tensors="pt"
        )
        given = {"input_ids": encoding["input_ids"]}
        if typed:
            types = tokenizer.backend_tokenizer.encode(query, document).type_ids
            given["token_type_ids"] = torch.tensor([types[: encoding["input_ids"].shape[1]]])
        with torch.inference_mode():
            out.append(model(**given).logits[0].numpy())
    return np.array(out)


@pytest.mark.parametrize(("name", "longest"), [("pair", 64), ("roberta", 63)])
def test_scores_are_those_of_transformers(name: str, longest: int, tiny: Any) -> None:
    encoder = CrossEncoder(getattr(tiny, name), max_query_tokens=16)
    found = encoder.score([QUERY] * len(DOCUMENTS), DOCUMENTS)
    wanted = reference(getattr(tiny, name), [QUERY] * len(DOCUMENTS), DOCUMENTS, longest)[:, 0]
    np.testing.assert_allclose(found.values, wanted, atol=1e-5)
    assert found.values.std() > 0.01  # or the comparison says nothing
    assert found.truncated.tolist() == [False, False, False, True, False, False, False]
    assert found.tokens.max() == longest


@settings(max_examples=15)
@given(
    texts=st.lists(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join), min_size=1),
    budget=st.integers(1, 400),
    seed=st.integers(0, 5),
)
def test_scores_do_not_depend_on_batch_mates_or_order(
    texts: list[str], budget: int, seed: int, tiny: Any
) -> None:
    alone = CrossEncoder(tiny.pair, max_query_tokens=16, batch_tokens=1)
    together = CrossEncoder(tiny.pair, max_query_tokens=16, batch_tokens=budget)
    wanted = alone.score([QUERY] * len(texts), texts).values
    np.testing.assert_allclose(
        together.score([QUERY] * len(texts), texts).values, wanted, atol=1e-5
    )
    order = np.random.default_rng(seed).permutation(len(texts))
    shuffled = together.score([QUERY] * len(texts), [texts[i] for i in order]).values
    np.testing.assert_allclose(shuffled, wanted[order], atol=1e-5)


def test_the_same_texts_give_the_same_scores_to_the_last_bit(tiny: Any) -> None:
    encoder = CrossEncoder(tiny.pair, max_query_tokens=16)
    first = encoder.score([QUERY] * len(DOCUMENTS), DOCUMENTS).values
    again = CrossEncoder(tiny.pair, max_query_tokens=16).score([QUERY] * len(DOCUMENTS), DOCUMENTS)
    assert first.tolist() == again.values.tolist()


def test_what_is_cut_off_changes_nothing(tiny: Any) -> None:
    encoder = CrossEncoder(tiny.pair, max_query_tokens=16)
    long = "red wine " * 40
    found = encoder.score([QUERY] * 2, [long, long + "cat dog " * 500])
    assert found.values[0] == found.values[1]
    assert found.truncated.all()


def test_a_long_query_is_cut_and_leaves_the_document_its_room(tiny: Any) -> None:
    encoder = CrossEncoder(tiny.pair, max_query_tokens=8)
    query = "red wine " * 40
    found = encoder.score([query, query + "cat"], ["bread", "bread"])
    assert found.values[0] == found.values[1]
    assert found.tokens.tolist() == [8 + 1 + 3] * 2
    assert not found.truncated.any()
    (ids,) = encoder.tokens([query])
    assert encoder.room(encoder.cut_query(ids)) == 64 - 3 - 8


def test_the_last_token_of_room_goes_to_the_document(tiny: Any) -> None:
    encoder = CrossEncoder(tiny.pair, max_query_tokens=60)
    found = encoder.score(["red " * 200], ["bread cheese"])
    assert found.tokens.tolist() == [64]
    with pytest.raises(ConfigurationError, match="1 to 60"):
        CrossEncoder(tiny.pair, max_query_tokens=61)


def test_no_pairs_are_no_scores(tiny: Any) -> None:
    encoder = CrossEncoder(tiny.pair, max_query_tokens=16)
    assert encoder.score([], []).values.shape == (0,)
    assert encoder.score_tokens([]).shape == (0,)


def test_strange_texts_are_scored(tiny: Any) -> None:
    encoder = CrossEncoder(tiny.pair, max_query_tokens=16)
    strange = [
        "\ud800 half a pair",
        "{query} {0} %s",
        "\0\n\t",
        "日本語",
        "[SEP] [CLS]",
        "x" * 10_000,
    ]
    assert np.isfinite(encoder.score(["", *[QUERY] * 5], strange).values).all()
    with pytest.raises(DataError, match="text 1 of type int"):
        encoder.score([QUERY, QUERY], ["a", 3])  # type: ignore[list-item]
    with pytest.raises(DataError, match="1 queries and 2 documents"):
        encoder.score([QUERY], ["a", "b"])
    with pytest.raises(DataError, match="one string"):
        encoder.score("a", "b")


def test_two_labels_give_the_difference_and_three_must_be_chosen(tiny: Any) -> None:
    logits = reference(tiny.pair_of_two, [QUERY], [DOCUMENTS[0]])
    two = CrossEncoder(tiny.pair_of_two, max_query_tokens=16).score([QUERY], DOCUMENTS[:1])
    np.testing.assert_allclose(two.values, logits[:, 1] - logits[:, 0], atol=1e-5)
    logits = reference(tiny.pair_of_three, [QUERY], [DOCUMENTS[0]])
    third = CrossEncoder(tiny.pair_of_three, max_query_tokens=16, label=2)
    np.testing.assert_allclose(third.score([QUERY], DOCUMENTS[:1]).values, logits[:, 2], atol=1e-5)
    assert third.identity.endswith(":label 2")
    with pytest.raises(ConfigurationError, match="3 labels"):
        CrossEncoder(tiny.pair_of_three, max_query_tokens=16).score([QUERY], ["a"])
    with pytest.raises(ConfigurationError, match="labels 0 to 2"):
        CrossEncoder(tiny.pair_of_three, max_query_tokens=16, label=3).score([QUERY], ["a"])


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_the_difference_of_two_logits_is_the_log_odds(a: float, b: float) -> None:
    found = score_of_logits(np.array([[a, b]], dtype=np.float64))[0]
    assert found == pytest.approx(b - a)


@pytest.mark.parametrize(
    "parameters",
    [
        {"backend": "tensorflow"},
        {"threads": 0},
        {"batch_tokens": 0},
        {"max_tokens": 4},
        {"max_tokens": 65},
        {"max_query_tokens": 0},
    ],
)
def test_impossible_parameters_are_refused(parameters: dict[str, Any], tiny: Any) -> None:
    with pytest.raises(ConfigurationError):
        CrossEncoder(tiny.pair, **{"max_query_tokens": 16, **parameters})


def test_a_model_without_a_head_is_refused(tiny: Any) -> None:
    with pytest.raises(DataError, match=r"no weights for classifier\.bias, classifier\.weight"):
        CrossEncoder(tiny.plain, max_query_tokens=16)


def test_refusing_a_head_leaves_the_random_numbers_alone(tiny: Any) -> None:
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    with pytest.raises(DataError):
        CrossEncoder(tiny.plain, max_query_tokens=16)
    assert torch.equal(torch.rand(2), wanted)


def test_weights_that_are_not_numbers_are_refused(tiny: Any, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(tiny.pair, folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        model.classifier.weight[0, 3] = float("nan")
    model.save_pretrained(folder)
    with pytest.raises(DataError, match=r"classifier\.weight that are not finite"):
        CrossEncoder(str(folder), max_query_tokens=16)


def test_broken_folders_are_refused(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="downloads nothing"):
        CrossEncoder("no-such/model")
    with pytest.raises(DataError, match="downloads nothing"):
        CrossEncoder("no such model at all//")
    with pytest.raises(DataError, match=r"no config\.json"):
        CrossEncoder(str(tmp_path))
    shutil.copytree(tiny.pair, tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(DataError, match="cannot load"):
        CrossEncoder(str(tmp_path / "cut"), max_query_tokens=16)
    (tmp_path / "cut" / "config.json").write_text("{")
    with pytest.raises(DataError, match="no JSON"):
        CrossEncoder(str(tmp_path / "cut"), max_query_tokens=16)


def test_nothing_is_asked_of_the_network(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    encoder = CrossEncoder(tiny.pair, max_query_tokens=16)
    assert len(encoder.score([QUERY], ["a"]).values) == 1
    with pytest.raises(DataError, match="downloads nothing"):
        CrossEncoder("nobody/nothing")


def test_code_in_a_folder_is_not_run(tiny: Any, tmp_path: Path) -> None:
    folder = tmp_path / "code"
    shutil.copytree(tiny.pair, folder)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForSequenceClassification": "trap.Trap"}
    config["model_type"] = "trap"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "trap.py").write_text("raise SystemExit('run')")
    with pytest.raises(DataError, match="cannot load"):
        CrossEncoder(str(folder), max_query_tokens=16)
    assert "trap" not in sys.modules


def test_a_description_reads_back(tiny: Any) -> None:
    encoder = CrossEncoder(tiny.pair, max_query_tokens=16, batch_tokens=100)
    again = parse_encoder(repr(encoder))
    assert repr(again) == repr(encoder)
    assert repr(encoder) == f"CrossEncoder({tiny.pair!r}, max_query_tokens=16, batch_tokens=100)"
    assert again.identity == encoder.identity


def test_identity_tells_models_and_limits_apart(tiny: Any) -> None:
    names = {
        CrossEncoder(tiny.pair, max_query_tokens=16).identity,
        CrossEncoder(tiny.pair, max_query_tokens=15).identity,
        CrossEncoder(tiny.pair, max_query_tokens=16, max_tokens=40).identity,
        CrossEncoder(tiny.pair_of_two, max_query_tokens=16).identity,
    }
    assert len(names) == 4


def test_threads_are_set_while_it_runs_and_put_back(tiny: Any) -> None:
    encoder = CrossEncoder(tiny.pair, max_query_tokens=16)
    backend = TorchBackend(encoder._text.folder, "pair", threads=2)
    before = torch.get_num_threads()
    with backend.running():
        assert torch.get_num_threads() == 2
        assert torch.is_inference_mode_enabled()
    assert torch.get_num_threads() == before


def test_packed_layers_give_what_the_plain_ones_give(tiny: Any) -> None:
    encoder = CrossEncoder(tiny.pair, max_query_tokens=16)
    head = load_head(encoder._text.folder, "pair")
    fast = packed(head)
    if fast is head:
        pytest.skip("torch has no packed linear layers here")
    kinds = [type(module) for module in fast.modules()]
    assert kinds.count(PackedLinear) == 2 * 6 + 2  # queries, keys, values, output, two of the MLP
    assert not any(isinstance(module, PackedLinear) for module in head.modules())
    ids = torch.arange(1, 25).reshape(2, 12)
    given = (ids, torch.ones_like(ids), torch.zeros_like(ids))
    with torch.inference_mode():
        torch.testing.assert_close(fast(*given), head(*given), atol=1e-5, rtol=0.0)
    assert packed(head.to(torch.float64)) is not fast


def test_layers_that_cannot_be_packed_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = torch.nn.Sequential(torch.nn.Linear(4, 4))
    assert packed(layers.to(torch.float64)) is layers
    layers = layers.to(torch.float32)
    monkeypatch.setattr(PackedLinear, "forward", lambda self, x: x * 0 + 1e3)
    assert packed(layers) is layers

    def broken(self: PackedLinear, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("could not create a primitive")

    monkeypatch.setattr(PackedLinear, "forward", broken)
    assert packed(layers) is layers
    monkeypatch.setattr("plackett.encoders.torch_modules._available", lambda: False)
    assert packed(layers) is layers


def test_scores_that_are_not_numbers_are_an_error(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = CrossEncoder(tiny.pair, max_query_tokens=16)
    monkeypatch.setattr(
        TorchBackend, "__call__", lambda self, inputs: np.full((len(inputs.ids), 1), np.nan)
    )
    query, document = encoder.tokens(["a", "b"])
    with pytest.raises(DataError, match="a score of nan"):
        encoder.score_tokens([TokenPair(query, document)])
