"""Exported networks give what torch gives; in 8 bits, nearly."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau
from transformers import AutoModelForSequenceClassification

from plackett.encoders import (
    CrossEncoder,
    TokenMatrixEncoder,
    TransformerEncoder,
    TransformerSparseEncoder,
    to_onnx,
)
from plackett.encoders.folders import ModelFolder
from plackett.errors import ConfigurationError, DataError

pytest.importorskip("onnxscript", reason="needs the extra `export`")
pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")

QUERY = "what is red wine"
TEXTS = ["red wine and bread", "", "the cat. the dog", "white wine of the river " * 20, "rain"]
MANY = [f"{a} {b} {c}" for a in ("red", "cat", "soup") for b in ("of", "is") for c in "xyzwv"]


@pytest.fixture(scope="module")
def pair(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cross-encoder that `to_onnx` wrote."""
    return str(to_onnx(tiny.pair, tmp_path_factory.mktemp("onnx") / "pair", task="pair"))


def test_a_pair_has_the_same_score(pair: str, tiny: Any) -> None:
    queries = [QUERY] * len(TEXTS)
    wanted = CrossEncoder(tiny.pair, max_query_tokens=16).score(queries, TEXTS)
    for budget in (1, 4096):
        encoder = CrossEncoder(pair, backend="onnx", max_query_tokens=16, batch_tokens=budget)
        found = encoder.score(queries, TEXTS)
        np.testing.assert_allclose(found.values, wanted.values, atol=1e-4)
        assert found.truncated.tolist() == wanted.truncated.tolist()


def test_eight_bits_keep_the_order_roughly(pair: str, tiny: Any) -> None:
    queries = [QUERY] * len(MANY)
    wanted = CrossEncoder(tiny.pair, max_query_tokens=16).score(queries, MANY).values
    encoder = CrossEncoder(pair, backend="onnx-int8", max_query_tokens=16)
    found = encoder.score(queries, MANY).values
    assert kendalltau(found, wanted).statistic > 0.8
    assert not np.array_equal(found, wanted)


@pytest.mark.slow
def test_vectors_are_the_same_with_pooling_and_prompts(tiny: Any, tmp_path: Path) -> None:
    folder = str(to_onnx(tiny.dense, tmp_path / "dense", task="hidden"))
    wanted = TransformerEncoder(tiny.dense)
    found = TransformerEncoder(folder, backend="onnx", threads=1)
    for kind in ("query", "document"):
        np.testing.assert_allclose(
            found.encode(TEXTS, kind),  # type: ignore[arg-type]
            wanted.encode(TEXTS, kind),  # type: ignore[arg-type]
            atol=1e-4,
        )
    near = TransformerEncoder(folder, backend="onnx-int8").encode(TEXTS)
    assert (np.einsum("nd,nd->n", near, wanted.encode(TEXTS)) > 0.95).all()
    tokens = TokenMatrixEncoder(folder, backend="onnx").encode_all(TEXTS)
    exact = TokenMatrixEncoder(tiny.dense).encode_all(TEXTS)
    np.testing.assert_allclose(tokens.values.values, exact.values.values, atol=1e-4)
    assert tokens.values.offsets.tolist() == exact.values.offsets.tolist()
    assert tokens.truncated.tolist() == exact.truncated.tolist()
    rough = TokenMatrixEncoder(folder, backend="onnx-int8", batch_tokens=64).encode(TEXTS)
    cosines = np.einsum("td,td->t", rough.values, exact.values.values)
    assert cosines.mean() > 0.97
    assert cosines.min() > 0.85
    assert not np.array_equal(rough.values, exact.values.values)
    with pytest.raises(ConfigurationError, match=r"computes layers last, asked for .*layers="):
        TransformerEncoder(folder, layers=(0, -1), backend="onnx")


@pytest.mark.slow
def test_sparse_weights_are_the_same(tiny: Any, tmp_path: Path) -> None:
    folder = str(to_onnx(tiny.lexical, tmp_path / "lexical", task="lexical"))
    wanted = TransformerSparseEncoder(tiny.lexical).encode_all(TEXTS)
    found = TransformerSparseEncoder(folder, backend="onnx").encode_all(TEXTS)
    exact = wanted.values.toarray()
    np.testing.assert_allclose(found.values.toarray(), exact, atol=1e-4)
    assert found.truncated.tolist() == wanted.truncated.tolist()
    rough = TransformerSparseEncoder(folder, backend="onnx-int8").encode(TEXTS)
    assert rough.min() >= 0
    values = rough.toarray()
    scale = np.linalg.norm(values, axis=1) * np.linalg.norm(exact, axis=1)
    assert (np.einsum("nv,nv->n", values, exact) / scale > 0.95).all()
    assert not np.array_equal(values, exact)
    few = TransformerSparseEncoder(folder, backend="onnx-int8", top_k=3).encode(TEXTS)
    assert np.diff(few.indptr).tolist() == [3] * len(TEXTS)


@pytest.mark.slow
def test_a_mixture_of_layers_is_written_into_the_network(tiny: Any, tmp_path: Path) -> None:
    layers = {-1: 0.75, 0: 0.25}
    folder = str(to_onnx(tiny.dense, tmp_path / "mixed", task="hidden", layers=layers, int8=False))
    wanted = TransformerEncoder(tiny.dense, layers=layers).encode(TEXTS)
    found = TransformerEncoder(folder, layers=layers, backend="onnx").encode(TEXTS)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    for other in (None, (0, 1)):
        with pytest.raises(ConfigurationError, match="computes layers"):
            TransformerEncoder(folder, layers=other, backend="onnx")
    with pytest.raises(ConfigurationError, match="of task 'lexical'"):
        to_onnx(tiny.lexical, tmp_path / "no", task="lexical", layers=layers)


@pytest.mark.slow
def test_a_trained_pooling_is_written_into_the_network(tiny: Any, tmp_path: Path) -> None:
    from plackett.encoders.latent_pooling_torch import LatentPooling
    from plackett.encoders.latent_training import write_pooled_model

    pooling = LatentPooling(32, layers=3, latents=2)
    with torch.no_grad():
        for parameter in pooling.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    pooled = str(write_pooled_model(tiny.dense, pooling, tmp_path / "pooled"))
    folder = str(to_onnx(pooled, tmp_path / "network", task="pooled", int8=False))
    wanted = TransformerEncoder(pooled).encode(TEXTS)
    found = TransformerEncoder(folder, backend="onnx", batch_tokens=64).encode(TEXTS)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_what_is_not_there_is_said(pair: str, tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no model\.onnx.*to_onnx"):
        CrossEncoder(tiny.pair, backend="onnx")
    with pytest.raises(DataError, match=r"no model_int8\.onnx"):
        TransformerSparseEncoder(tiny.lexical, backend="onnx-int8")
    with pytest.raises(DataError, match="a network that gives logits; expected last_hidden_state"):
        TransformerEncoder(pair, pooling="mean", backend="onnx")
    with pytest.raises(DataError, match="a network already"):
        to_onnx(tiny.pair, pair, task="pair")
    with pytest.raises(DataError, match=r"no weights for classifier"):
        to_onnx(tiny.plain, tmp_path / "new", task="pair")
    assert not (tmp_path / "new").exists()
    with pytest.raises(ConfigurationError, match="task = 'scores'"):
        to_onnx(tiny.plain, tmp_path / "new", task="scores")  # type: ignore[arg-type]


def test_a_cut_network_is_refused(pair: str, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(pair, folder)
    path = folder / "onnx" / "model.onnx"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match="cannot be loaded"):
        CrossEncoder(str(folder), backend="onnx", max_query_tokens=16)


def test_a_network_that_differs_is_not_given_back(
    pair: str, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export(head: Any, path: Path, task: str) -> None:
        shutil.copyfile(f"{pair}/onnx/model.onnx", path)

    monkeypatch.setattr("plackett.encoders.onnx_export._export", export)
    with pytest.raises(DataError, match=r"that gives \(2, 1\); expected \(2, 2\)"):
        to_onnx(tiny.pair_of_two, tmp_path / "two", task="pair")
    other = tmp_path / "other"
    shutil.copytree(tiny.pair, other)
    model = AutoModelForSequenceClassification.from_pretrained(other)
    with torch.no_grad():
        model.classifier.bias += 1.0
    model.save_pretrained(other)
    with pytest.raises(DataError, match="1 away from the model"):
        to_onnx(str(other), tmp_path / "new", task="pair")
    assert not (tmp_path / "new" / "onnx" / "model.onnx").exists()


def test_another_network_is_another_identity(pair: str, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(pair, folder)
    assert ModelFolder(folder).digest == ModelFolder(Path(pair)).digest
    path = folder / "onnx" / "model.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    assert ModelFolder(folder).digest != ModelFolder(Path(pair)).digest
