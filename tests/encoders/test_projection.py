"""Linear layers behind a transformer, and sparse heads, as sentence-transformers declares them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from plackett.encoders import TokenMatrixEncoder, TransformerEncoder, TransformerSparseEncoder
from plackett.errors import ConfigurationError, DataError

library = pytest.importorskip("sentence_transformers", reason="needs the extra `text`")
safetensors = pytest.importorskip("safetensors.numpy")

TEXTS = ["red wine", "the cat. the dog of the house", "", "rain"]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def projected(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mean, a layer by tanh to 12 numbers, one without bias to 5, length 1."""
    from sentence_transformers import SentenceTransformer, models

    torch.manual_seed(1)
    first = models.Dense(32, 12)
    second = models.Dense(12, 5, bias=False, activation_function=torch.nn.Identity())
    parts = [models.Transformer(tiny.plain), models.Pooling(32), first, second, models.Normalize()]
    folder = tmp_path_factory.mktemp("projected")
    SentenceTransformer(modules=parts, device="cpu").save(str(folder))
    return folder


def test_vectors_are_those_of_sentence_transformers(projected: Path, tiny: Any) -> None:
    wanted = library.SentenceTransformer(str(projected), device="cpu").encode(TEXTS)
    encoder = TransformerEncoder(str(projected))
    found = encoder.encode(TEXTS)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert (encoder.dimension, encoder.normalised, found.shape) == (5, True, (4, 5))


def test_another_layer_is_another_identity(projected: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(projected, folder)
    (path,) = folder.glob("2_Dense/model.safetensors")
    arrays = safetensors.load_file(path)
    safetensors.save_file({name: 2 * array for name, array in arrays.items()}, path)
    before, after = TransformerEncoder(str(projected)), TransformerEncoder(str(folder))
    assert before.identity != after.identity
    assert not np.allclose(before.encode(TEXTS), after.encode(TEXTS))


def over_tokens(tiny: Any, folder: Path, **config: Any) -> str:
    """A folder whose layer reads token vectors."""
    shutil.copytree(tiny.plain, folder)
    rng = np.random.default_rng(0)
    (folder / "1_Dense").mkdir()
    weight = rng.normal(size=(6, 32)).astype(np.float32)
    safetensors.save_file({"linear.weight": weight}, folder / "1_Dense" / "model.safetensors")
    names = {"module_input_name": "token_embeddings"}
    activation = {"activation_function": "torch.nn.modules.linear.Identity"}
    (folder / "1_Dense" / "config.json").write_text(json.dumps(names | activation | config))
    kinds = [("Transformer", ""), ("Dense", "1_Dense")]
    modules = [{"path": path, "type": f"sentence_transformers.{kind}"} for kind, path in kinds]
    (folder / "modules.json").write_text(json.dumps(modules))
    return str(folder)


def test_token_vectors_are_projected(tiny: Any, tmp_path: Path) -> None:
    folder = over_tokens(tiny, tmp_path / "late")
    encoder = TokenMatrixEncoder(folder, normalise=False)
    found = encoder.encode(TEXTS)
    whole = TokenMatrixEncoder(tiny.plain, normalise=False).encode(TEXTS)
    weight = safetensors.load_file(Path(folder) / "1_Dense" / "model.safetensors")["linear.weight"]
    np.testing.assert_allclose(found.values, whole.values @ weight.T, atol=1e-4)
    assert encoder.dimension == 6
    unit = TokenMatrixEncoder(folder).encode(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(unit.values, axis=1), 1.0, atol=1e-5)
    assert TokenMatrixEncoder(folder).encode([]).values.shape == (0, 6)
    with pytest.raises(ConfigurationError, match="a layer from 'token_embeddings'"):
        TransformerEncoder(folder, pooling="mean")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"activation_function": "torch.nn.modules.activation.GELU"}, "activation 'GELU'"),
        ({"use_residual": True}, "with a residual"),
        ({"module_output_name": "other"}, "to 'other'"),
    ],
)
def test_layers_that_are_not_computed(config: Any, message: str, tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TokenMatrixEncoder(over_tokens(tiny, tmp_path / "late", **config))


def test_weights_that_do_not_fit(tiny: Any, tmp_path: Path) -> None:
    folder = over_tokens(tiny, tmp_path / "late")
    path = Path(folder) / "1_Dense" / "model.safetensors"
    right = safetensors.load_file(path)["linear.weight"]
    cases = [
        ({"linear.weight": right[:, :3].copy()}, r"shape \(6, 3\); expected one from 32"),
        ({"other": right}, "shape None"),
        (
            {"linear.weight": right, "linear.bias": np.ones(2, np.float32)},
            r"a bias of shape \(2,\)",
        ),
        ({"linear.weight": right * np.float32("inf")}, "not finite"),
    ]
    for arrays, message in cases:
        safetensors.save_file(arrays, path)
        with pytest.raises(DataError, match=message):
            TokenMatrixEncoder(folder)
    path.unlink()
    with pytest.raises(DataError, match="no weights of a layer"):
        TokenMatrixEncoder(folder)


@pytest.mark.filterwarnings("ignore")
def test_sparse_folders_of_sentence_transformers(tiny: Any, tmp_path: Path) -> None:
    from sentence_transformers.sparse_encoder import SparseEncoder

    folder = tmp_path / "sparse"
    peer = SparseEncoder(tiny.lexical, device="cpu")
    peer.save(str(folder))
    wanted = peer.encode(TEXTS).to_dense().numpy()
    found = TransformerSparseEncoder(str(folder)).encode(TEXTS).toarray()
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    (path,) = folder.glob("*SpladePooling/config.json")
    config = json.loads(path.read_text())
    for name, other in (("pooling_strategy", "sum"), ("activation_function", "log1p_relu")):
        path.write_text(json.dumps({**config, name: other}))
        with pytest.raises(ConfigurationError, match=f"{name} '{other}'"):
            TransformerSparseEncoder(str(folder))
