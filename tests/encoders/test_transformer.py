"""Encoders of single texts: what sentence-transformers and the formulas give."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, AutoModelForMaskedLM

from plackett.encoders import (
    TokenMatrixEncoder,
    TransformerEncoder,
    TransformerSparseEncoder,
    VectorCache,
    encoder_names,
    parse_encoder,
    register_encoder,
)
from plackett.encoders.tokens import TextTokenizer
from plackett.errors import ConfigurationError, DataError, UnknownNameError

TEXTS = ["red wine", "", "the cat. the dog", "white wine of the river " * 20, "red wine", "rain"]
CLASSES = [TransformerEncoder, TransformerSparseEncoder, TokenMatrixEncoder]


def make(kind: Any, tiny: Any, **parameters: Any) -> Any:
    folder = tiny.lexical if kind is TransformerSparseEncoder else tiny.dense
    return kind(folder, **parameters)


def arrays(values: Any) -> list[np.ndarray]:
    """One array a text, whatever the encoder gives."""
    if hasattr(values, "toarray"):
        return list(values.toarray())
    return [values[i] for i in range(len(values))]


def hidden_states(folder: str, text: str, longest: int = 64) -> np.ndarray:
    tokenizer = TextTokenizer(Path(folder))
    template = tokenizer.template(1)
    (ids,) = tokenizer.encode([text])
    joined, _ = template.join(ids[: longest - template.overhead])
    with torch.inference_mode():
        found = AutoModel.from_pretrained(folder).eval()(input_ids=torch.tensor([joined]))
    return np.asarray(found.last_hidden_state[0].numpy())


def test_vectors_are_those_of_sentence_transformers(tiny: Any) -> None:
    library = pytest.importorskip("sentence_transformers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        wanted = library.SentenceTransformer(tiny.dense, device="cpu").encode(TEXTS)
    found = TransformerEncoder(tiny.dense).encode_all(TEXTS)
    np.testing.assert_allclose(found.values, wanted, atol=1e-5)
    assert found.tokens.tolist() == [4, 2, 7, 32, 4, 3]
    assert found.truncated.tolist() == [False, False, False, True, False, False]
    assert TransformerEncoder(tiny.dense).dimension == 32


def test_the_declared_prompt_goes_before_queries(tiny: Any) -> None:
    encoder = TransformerEncoder(tiny.dense)
    asked = encoder.encode(["red wine"], "query")
    np.testing.assert_allclose(asked, encoder.encode(["what is red wine"]), atol=1e-6)
    plain = TransformerEncoder(tiny.dense, query_prompt="", document_prompt="the ")
    np.testing.assert_allclose(
        plain.encode(["red wine"], "query"), encoder.encode(["red wine"]), atol=1e-6
    )
    np.testing.assert_allclose(plain.encode(["cat"]), encoder.encode(["the cat"]), atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last", "max", "weighted-mean"])
def test_pooling_is_its_formula(pooling: Any, tiny: Any) -> None:
    found = TransformerEncoder(tiny.plain, pooling=pooling).encode(["red wine", "the cat . rain"])
    for text, vector in zip(["red wine", "the cat . rain"], found, strict=True):
        states = hidden_states(tiny.plain, text)
        places = np.arange(1, len(states) + 1)[:, None]
        wanted = {
            "mean": states.mean(axis=0),
            "cls": states[0],
            "last": states[-1],
            "max": states.max(axis=0),
            "weighted-mean": (places * states).sum(axis=0) / places.sum(),
        }[pooling]
        np.testing.assert_allclose(vector, wanted, atol=1e-5)


def test_sparse_weights_are_their_formula(tiny: Any) -> None:
    found = TransformerSparseEncoder(tiny.lexical).encode(TEXTS)
    model = AutoModelForMaskedLM.from_pretrained(tiny.lexical).eval()
    tokenizer = TextTokenizer(Path(tiny.lexical))
    for row, ids in enumerate(tokenizer.encode(TEXTS)):
        joined, _ = tokenizer.template(1).join(ids[:62])
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([joined])).logits[0]
        wanted = torch.log1p(torch.relu(logits)).amax(dim=0).numpy()
        np.testing.assert_allclose(found.toarray()[row], wanted, atol=1e-5)
    assert found.dtype == np.float32
    assert found.has_sorted_indices


def test_top_k_keeps_the_greatest_weights(tiny: Any) -> None:
    whole = TransformerSparseEncoder(tiny.lexical).encode(TEXTS).toarray()
    few = TransformerSparseEncoder(tiny.lexical, top_k=3).encode(TEXTS)
    assert np.diff(few.indptr).tolist() == [3] * len(TEXTS)
    for row in range(len(TEXTS)):
        np.testing.assert_allclose(
            np.sort(few.toarray()[row])[-3:], np.sort(whole[row])[-3:], atol=1e-6
        )
    with pytest.raises(ConfigurationError, match="top_k = 0"):
        TransformerSparseEncoder(tiny.lexical, top_k=0)


def test_token_vectors_are_the_hidden_states_of_the_text(tiny: Any) -> None:
    found = TokenMatrixEncoder(tiny.plain, normalise=False).encode(["red wine", ""])
    np.testing.assert_allclose(found[0], hidden_states(tiny.plain, "red wine")[1:-1], atol=1e-5)
    # A text without tokens has the special ones: there is something to match.
    np.testing.assert_allclose(found[1], hidden_states(tiny.plain, ""), atol=1e-5)
    unit = TokenMatrixEncoder(tiny.plain).encode(["red wine"])
    np.testing.assert_allclose(np.linalg.norm(unit.values, axis=1), 1.0, atol=1e-6)
    assert TokenMatrixEncoder(tiny.plain).dimension == 32


def test_punctuation_can_be_left_out(tiny: Any) -> None:
    every = TokenMatrixEncoder(tiny.plain).encode(["red, wine.", "..."])
    words = TokenMatrixEncoder(tiny.plain, keep="no-punctuation").encode(["red, wine.", "..."])
    np.testing.assert_allclose(words[0], every[0][[0, 2]], atol=1e-6)
    assert len(words[1]) == 3  # nothing else is there
    with pytest.raises(ConfigurationError, match="keep"):
        TokenMatrixEncoder(tiny.plain, keep="some")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", CLASSES)
def test_texts_do_not_depend_on_their_neighbours(kind: Any, tiny: Any) -> None:
    alone = make(kind, tiny, batch_tokens=1)
    wanted = arrays(alone.encode(TEXTS))
    for budget in (40, 4096):
        found = arrays(make(kind, tiny, batch_tokens=budget).encode(TEXTS))
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
    assert np.array_equal(wanted[0], wanted[4])
    backwards = arrays(alone.encode(TEXTS[::-1]))[::-1]
    for one, other in zip(backwards, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("kind", CLASSES)
def test_a_second_run_reads_the_cache(
    kind: Any, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "vectors.sqlite")
    first = make(kind, tiny, cache=path).encode_all(TEXTS)
    again = make(kind, tiny, cache=path)

    def refuse(*arguments: object) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr("plackett.encoders.model.TextModel.run", refuse)
    found = again.encode_all(TEXTS)
    for one, other in zip(arrays(found.values), arrays(first.values), strict=True):
        assert np.array_equal(one, other)
    assert found.tokens.tolist() == first.tokens.tolist()
    assert found.truncated.tolist() == first.truncated.tolist()
    with pytest.raises(AssertionError, match="encoded again"):
        again.encode(["another"])
    with pytest.raises(AssertionError, match="encoded again"):
        make(kind, tiny, cache=path, max_tokens=20).encode(TEXTS[:1])


@pytest.mark.parametrize("kind", CLASSES)
def test_descriptions_read_back(kind: Any, tiny: Any) -> None:
    encoder = make(kind, tiny, max_tokens=20, query_prompt="it's: ")
    assert repr(parse_encoder(repr(encoder))) == repr(encoder)
    assert kind.__name__ in encoder_names()


@pytest.mark.parametrize("kind", CLASSES)
def test_nothing_and_nonsense(kind: Any, tiny: Any) -> None:
    encoder = make(kind, tiny)
    nothing = encoder.encode_all([])
    assert arrays(nothing.values) == []
    assert nothing.tokens.shape == (0,)
    with pytest.raises(DataError, match="text 0 of type int"):
        encoder.encode([1])
    with pytest.raises(ConfigurationError, match="kind"):
        encoder.encode(["a"], "passage")
    with pytest.raises(ConfigurationError, match="batch_tokens"):
        make(kind, tiny, batch_tokens=0)


@settings(max_examples=20)
@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=6))
def test_any_text_has_a_finite_vector_of_length_one(texts: list[str], tiny: Any) -> None:
    found = TransformerEncoder(tiny.dense).encode(texts)
    assert found.shape == (len(texts), 32)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)


def test_pooling_must_be_known(tiny: Any) -> None:
    with pytest.raises(ConfigurationError, match="declares no pooling"):
        TransformerEncoder(tiny.plain)
    with pytest.raises(ConfigurationError, match="pooling = 'median'"):
        TransformerEncoder(tiny.plain, pooling="median")  # type: ignore[arg-type]


def test_a_module_that_is_not_computed_is_refused(tiny: Any, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny.dense, folder)
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"idx": 3, "name": "3", "path": "3_CNN", "type": "a.b.CNN"})
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ConfigurationError, match="module 'CNN'"):
        TransformerEncoder(str(folder))


def test_poolings_as_folders_declare_them(tiny: Any, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny.dense, folder)
    config = folder / "1_Pooling" / "config.json"
    config.write_text(json.dumps({"pooling_mode": "lasttoken"}))
    assert TransformerEncoder(str(folder))._pooling == "last"
    config.write_text(json.dumps({"pooling_mode_cls_token": True}))
    assert TransformerEncoder(str(folder))._pooling == "cls"
    two = {"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True}
    config.write_text(json.dumps(two))
    with pytest.raises(ConfigurationError, match="expected one"):
        TransformerEncoder(str(folder))


def test_a_head_for_words_that_is_missing_is_refused(tiny: Any) -> None:
    with pytest.raises(DataError, match="no weights for cls"):
        TransformerSparseEncoder(tiny.plain)


def test_the_pooler_may_be_missing_for_it_is_not_used(tiny: Any) -> None:
    # The masked language model has none; its token vectors need none.
    vectors = TransformerEncoder(tiny.lexical, pooling="mean").encode(["red"])
    assert np.isfinite(vectors).all()


def test_encoders_are_found_by_exact_description(tiny: Any) -> None:
    for wrong in ("", "TransformerEncoder", "f(x)", "f(**{})", "a.b('c')", "f('a'", "f(1 + 1)"):
        with pytest.raises(ConfigurationError):
            parse_encoder(wrong)
    with pytest.raises(UnknownNameError, match="TransformerEncoder"):
        parse_encoder("TransformersEncoder('path')")
    with pytest.raises(ConfigurationError, match="unexpected keyword"):
        parse_encoder("TransformerEncoder('path', size=3)")

    with pytest.raises(ConfigurationError, match="rename one"):

        @register_encoder
        class TransformerEncoder:  # the name is taken
            pass


def test_a_cache_object_serves_several_encoders(tiny: Any) -> None:
    cache = VectorCache()
    TransformerEncoder(tiny.dense, cache=cache).encode(["a", "b", "a"])
    TokenMatrixEncoder(tiny.dense, cache=cache).encode(["a"])
    assert len(cache) == 3
