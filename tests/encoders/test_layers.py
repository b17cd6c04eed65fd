"""Mixtures of layers: their formula, what folders declare, what sentence-transformers gives."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel

from plackett.encoders import TransformerEncoder, parse_encoder
from plackett.encoders.layers import checked_layers
from plackett.encoders.tokens import TextTokenizer
from plackett.errors import ConfigurationError, DataError

TEXTS = ["red wine", "the cat. the dog of the house", ""]


def states_of(folder: str, text: str) -> np.ndarray:
    """All layers of one text, without padding: `[3, l, 32]`."""
    tokenizer = TextTokenizer(Path(folder))
    (ids,) = tokenizer.encode([text])
    joined, _ = tokenizer.template(1).join(ids)
    with torch.inference_mode():
        model = AutoModel.from_pretrained(folder).eval()
        found = model(input_ids=torch.tensor([joined]), output_hidden_states=True)
    return np.stack([state[0].numpy() for state in found.hidden_states])


@pytest.mark.parametrize("pooling", ["mean", "max", "last"])
@pytest.mark.parametrize(
    ("layers", "shares"),
    [((0, -1), [0.5, 0.0, 0.5]), ({-1: 3.0, 1: 1.0}, [0.0, 0.25, 0.75]), ([1], [0.0, 1.0, 0.0])],
)
def test_a_mixture_is_its_formula(pooling: Any, layers: Any, shares: Any, tiny: Any) -> None:
    found = TransformerEncoder(tiny.plain, pooling=pooling, layers=layers).encode(TEXTS)
    for text, vector in zip(TEXTS, found, strict=True):
        mixed = np.einsum("s,sld->ld", shares, states_of(tiny.plain, text))
        wanted = {"mean": mixed.mean(axis=0), "max": mixed.max(axis=0), "last": mixed[-1]}[pooling]
        np.testing.assert_allclose(vector, wanted, atol=1e-5)


def test_the_last_layer_alone_is_what_it_was(tiny: Any) -> None:
    plain = TransformerEncoder(tiny.plain, pooling="mean")
    last = TransformerEncoder(tiny.plain, pooling="mean", layers=(-1,))
    assert np.array_equal(plain.encode(TEXTS), last.encode(TEXTS))
    assert plain.identity == last.identity
    mixed = TransformerEncoder(tiny.plain, pooling="mean", layers={0: 0.5, -1: 0.5})
    assert mixed.identity != plain.identity
    assert mixed.identity == parse_encoder(repr(mixed)).identity


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], "expected one or more"),
        ([1, 1], "each once"),
        ([-1, 2], "layer 2 is named twice"),
        ([3], "layer 3; expected 0 to 2"),
        ([-4], "layer -4"),
        ([True], "layer True"),
        ({0: 1.0, 1: -1.0}, "with a sum"),
        ({0: float("nan")}, "finite"),
    ],
)
def test_layers_that_are_none(layers: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        checked_layers(layers, depth=2)
    assert checked_layers(None, depth=2) is None


def with_declared_layers(tiny: Any, folder: Path, *, handed_out: bool = True) -> Path:
    """A folder of sentence-transformers that mixes layers 1 and 2."""
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer, models

    base = models.Transformer(tiny.plain, max_seq_length=32)
    base.auto_model.config.output_hidden_states = handed_out
    weights = torch.nn.Parameter(torch.tensor([1.0, 3.0]))
    mixing = models.WeightedLayerPooling(32, 2, layer_start=1, layer_weights=weights)
    whole = SentenceTransformer(modules=[base, mixing, models.Pooling(32)], device="cpu")
    whole.save(str(folder))
    return folder


@pytest.mark.filterwarnings("ignore")
def test_declared_layers_are_those_of_sentence_transformers(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = with_declared_layers(tiny, tmp_path / "mixed")
    from sentence_transformers import SentenceTransformer

    wanted = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    found = TransformerEncoder(str(folder)).encode(TEXTS)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    same = TransformerEncoder(tiny.plain, pooling="mean", layers={1: 1.0, 2: 3.0}).encode(TEXTS)
    np.testing.assert_allclose(found, same, atol=1e-5)
    last = TransformerEncoder(str(folder), layers=[-1]).encode(TEXTS)
    assert np.abs(last - found).max() > 0.01

    (path,) = folder.glob("*WeightedLayerPooling/config.json")
    path.write_text(json.dumps({"layer_start": 0}))
    with pytest.raises(DataError, match="layer_weights, 3 numbers"):
        TransformerEncoder(str(folder))
    path.with_name("model.safetensors").unlink()
    with pytest.raises(DataError, match="no weights of layers"):
        TransformerEncoder(str(folder))


@pytest.mark.filterwarnings("ignore")
def test_layers_that_are_not_handed_out_are_not_mixed(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So does the library: the module passes on what it has.
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = with_declared_layers(tiny, tmp_path / "mixed", handed_out=False)
    found = TransformerEncoder(str(folder)).encode(TEXTS)
    wanted = TransformerEncoder(tiny.plain, pooling="mean").encode(TEXTS)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_depth_that_is_not_told(tiny: Any, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny.plain, folder)
    config = json.loads((folder / "config.json").read_text())
    del config["num_hidden_layers"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="no num_hidden_layers"):
        TransformerEncoder(str(folder), pooling="mean", layers=[0])
