"""Static embeddings are the mean of a table's rows, as model2vec and sentence-transformers say."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.data import Corpus, Queries
from plackett.encoders import StaticEncoder, TransformerEncoder, encoder_names, parse_encoder
from plackett.errors import ConfigurationError, DataError
from plackett.retrievers import Dense

pytest.importorskip("tokenizers", reason="needs the extra `static`")
safetensors = pytest.importorskip("safetensors.numpy", reason="needs the extra `static`")

VOCABULARY = ["[UNK]", "red", "white", "wine", "bread", "cat", "dog", "house", "."]
SIZE = 5
TEXTS = ["red wine", "", "cat dog cat .", "zebra red", "zebra", "red wine", "house " * 600]


def write_tokenizer(folder: Path, unigram: bool = False) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    if unigram:
        pieces = [(word, -float(i)) for i, word in enumerate(VOCABULARY)]
        tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    else:
        ids = {word: i for i, word in enumerate(VOCABULARY)}
        tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    # Special tokens that a tokenizer would add, and cuts and padding, have no part in a mean.
    tokenizer.post_processor = processors.TemplateProcessing(
        single="dog $A dog", special_tokens=[("dog", VOCABULARY.index("dog"))]
    )
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=16)
    tokenizer.save(str(folder / "tokenizer.json"))


def table_of(seed: int = 0, rows: int = len(VOCABULARY)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, SIZE)).astype(np.float32)


@pytest.fixture(scope="module")
def model2vec(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder as model2vec writes it."""
    folder = tmp_path_factory.mktemp("model2vec")
    write_tokenizer(folder)
    safetensors.save_file({"embeddings": table_of()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"normalize": True, "model_type": "model2vec"}))
    return str(folder)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder as sentence-transformers writes it: the table apart, a prompt, no length 1."""
    folder = tmp_path_factory.mktemp("static")
    inner = folder / "0_StaticEmbedding"
    inner.mkdir()
    write_tokenizer(inner)
    safetensors.save_file({"embedding.weight": table_of()}, inner / "model.safetensors")
    kind = "sentence_transformers.models.StaticEmbedding"
    modules = [{"idx": 0, "name": "0", "path": "0_StaticEmbedding", "type": kind}]
    (folder / "modules.json").write_text(json.dumps(modules))
    prompts = {"prompts": {"query": "red ", "document": ""}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    return str(folder)


def mean_of(text: str, table: np.ndarray, *, drop_unknown: bool, longest: int) -> np.ndarray:
    """The formula, a token at a time."""
    ids = [VOCABULARY.index(w) if w in VOCABULARY else 0 for w in text.split()][:longest]
    ids = [i for i in ids if i or not drop_unknown]
    total = np.zeros(SIZE)
    for i in ids:
        total += table[i]
    return total / max(len(ids), 1)


def test_model2vec_leaves_out_unknown_tokens_and_reads_512(model2vec: str) -> None:
    encoder = StaticEncoder(model2vec)
    found = encoder.encode_all(TEXTS)
    for text, vector in zip(TEXTS, found.values, strict=True):
        wanted = mean_of(text, table_of(), drop_unknown=True, longest=512)
        length = np.linalg.norm(wanted)
        np.testing.assert_allclose(vector, wanted / length if length else wanted, atol=1e-5)
    assert found.tokens.tolist() == [2, 0, 4, 1, 0, 2, 512]
    assert found.truncated.tolist() == [False] * 6 + [True]
    assert (encoder.dimension, encoder.normalised) == (SIZE, True)
    assert not found.values[[1, 4]].any()


def test_static_embedding_keeps_unknown_tokens_and_reads_all(library: str) -> None:
    encoder = StaticEncoder(library)
    found = encoder.encode_all(TEXTS)
    for text, vector in zip(TEXTS, found.values, strict=True):
        wanted = mean_of(text, table_of(), drop_unknown=False, longest=10_000)
        np.testing.assert_allclose(vector, wanted, atol=1e-5)
    assert found.tokens.tolist() == [2, 0, 4, 2, 1, 2, 600]
    assert not found.truncated.any()
    assert not encoder.normalised
    np.testing.assert_allclose(
        encoder.encode(["wine"], "query"), encoder.encode(["red wine"]), atol=1e-6
    )


def test_vectors_are_those_of_sentence_transformers(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = pytest.importorskip("sentence_transformers")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # Its own tokenizer cuts as the file says, which is for whole inputs.
    wanted = peer.SentenceTransformer(library, device="cpu").encode(["red wine", "cat", "dog ."])
    found = StaticEncoder(library).encode(["red wine", "cat", "dog ."])
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_smaller_table_is_unfolded(model2vec: str, tmp_path: Path) -> None:
    folder = tmp_path / "folded"
    shutil.copytree(model2vec, folder)
    few = table_of(1, rows=3)
    mapping = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2])
    weights = np.linspace(0.5, 1.5, len(VOCABULARY)).astype(np.float32)
    safetensors.save_file(
        {"embeddings": few.astype(np.float16), "mapping": mapping, "weights": weights},
        folder / "model.safetensors",
    )
    found = StaticEncoder(str(folder), normalise=False).encode(TEXTS[:4])
    table = few.astype(np.float16).astype(np.float32)[mapping] * weights[:, None]
    for text, vector in zip(TEXTS[:4], found, strict=True):
        wanted = mean_of(text, table, drop_unknown=True, longest=512)
        np.testing.assert_allclose(vector, wanted, atol=1e-6)


def test_the_unknown_token_of_a_unigram_model(model2vec: str, tmp_path: Path) -> None:
    folder = tmp_path / "unigram"
    shutil.copytree(model2vec, folder)
    write_tokenizer(folder, unigram=True)
    encoder = StaticEncoder(str(folder))
    np.testing.assert_allclose(encoder.encode(["red 77"]), encoder.encode(["red"]), atol=1e-6)


def test_limits_and_declarations_can_be_overruled(model2vec: str, tmp_path: Path) -> None:
    short = StaticEncoder(model2vec, max_tokens=1, normalise=False, document_prompt="cat ")
    found = short.encode_all(["red wine", "dog"])
    np.testing.assert_allclose(found.values, table_of()[[5, 5]], atol=1e-6)
    assert found.truncated.tolist() == [True, True]
    folder = tmp_path / "declared"
    shutil.copytree(model2vec, folder)
    (folder / "config.json").write_text(json.dumps({"max_length": None}))
    whole = StaticEncoder(str(folder)).encode_all(TEXTS)
    assert whole.tokens.tolist()[-1] == 600
    assert not whole.truncated.any()
    with pytest.raises(ConfigurationError, match="max_tokens = 0"):
        StaticEncoder(model2vec, max_tokens=0)
    with pytest.raises(ConfigurationError, match="kind = 'passage'"):
        short.encode(["a"], "passage")  # type: ignore[arg-type]


def test_other_encoders_say_who_reads_it(library: str) -> None:
    with pytest.raises(ConfigurationError, match="StaticEncoder reads such a folder"):
        TransformerEncoder(library)


def test_folders_that_are_none(model2vec: str, tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="module 'Transformer'"):
        StaticEncoder(tiny.dense)
    with pytest.raises(DataError, match=r"arrays .*expected a matrix 'embeddings'"):
        StaticEncoder(tiny.plain)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no model\.safetensors"):
        StaticEncoder(str(tmp_path / "empty"))
    folder = tmp_path / "wrong"
    shutil.copytree(model2vec, folder)
    path = folder / "model.safetensors"
    table = table_of()
    cases = [
        ({"embeddings": table[:4]}, "a table of 4 vectors.*9 tokens"),
        ({"embeddings": table[0]}, "arrays embeddings"),
        ({"embeddings": table * np.float32("nan")}, "not finite"),
        ({"embeddings": table, "mapping": np.array([99])}, "a mapping to row 99"),
        ({"embeddings": table, "weights": np.ones(2, np.float32)}, r"weights of shape \(2,\)"),
    ]
    for arrays, message in cases:
        safetensors.save_file(arrays, path)
        with pytest.raises(DataError, match=message):
            StaticEncoder(str(folder))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match="cannot be read"):
        StaticEncoder(str(folder))


def test_descriptions_and_identities(model2vec: str, library: str) -> None:
    encoder = StaticEncoder(model2vec, max_tokens=7)
    assert repr(parse_encoder(repr(encoder))) == repr(encoder)
    assert "StaticEncoder" in encoder_names()
    others = [StaticEncoder(model2vec), StaticEncoder(library)]
    assert len({encoder.identity, *(other.identity for other in others)}) == 3


@settings(max_examples=30)
@given(texts=st.lists(st.text(max_size=30), max_size=6))
def test_a_text_does_not_depend_on_its_neighbours(texts: list[str], model2vec: str) -> None:
    encoder = StaticEncoder(model2vec)
    together = encoder.encode(texts)
    assert together.shape == (len(texts), SIZE)
    for text, vector in zip(texts, together, strict=True):
        assert np.array_equal(vector, encoder.encode([text])[0])


def test_an_index_of_static_vectors(model2vec: str, tmp_path: Path) -> None:
    corpus = Corpus.from_texts({"a": "red wine", "b": "white bread", "c": "the dog"})
    index = Dense.build(corpus, tmp_path / "index", encoder=f"StaticEncoder({model2vec!r})")
    found = index.search(Queries.from_texts({"q": "bread"}), k=1)
    assert found["q"][0][0] == "b"
    assert Dense.open(tmp_path / "index").needed_encoder().identity == index.encoder.identity
