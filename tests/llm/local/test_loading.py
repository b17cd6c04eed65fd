"""Models that cannot answer are refused before they do."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from plackett.errors import ConfigurationError
from plackett.llm.local.loading import content_digest, find_folder
from plackett.llm.local.transformers_model import Transformers
from plackett.llm.requests import Likelihood, Message, Prompt

pytest.importorskip("transformers")


def test_a_base_model_has_no_head(without_head):
    with pytest.raises(ConfigurationError, match=r"LlamaModel, which has no language-model head"):
        Transformers(str(without_head("base")))


@pytest.mark.filterwarnings("ignore")
def test_missing_weights_of_a_head_are_refused(without_head):
    model = Transformers(str(without_head("cut")))
    with pytest.raises(ConfigurationError, match=r"lack 1 weights .* lm_head"):
        asyncio.run(model.answer([Likelihood(Prompt((Message("user", "a"),)), "b")]))


def test_damaged_weights_are_refused(tiny_model, tmp_path):
    shutil.copytree(tiny_model("llama"), tmp_path / "m")
    weights = tmp_path / "m" / "model.safetensors"
    weights.unlink()
    with pytest.raises(ConfigurationError, match="the weights in"):
        asyncio.run(
            Transformers(str(tmp_path / "m")).answer(
                [Likelihood(Prompt((Message("user", "a"),)), "b")]
            )
        )


def test_unknown_kinds_of_model_are_refused(without_head):
    with pytest.raises(ConfigurationError, match="the configuration in"):
        Transformers(str(without_head("unnamed")))


def test_a_folder_without_a_tokenizer_is_refused(tiny_model, tmp_path):
    for name in ("config.json", "model.safetensors"):
        shutil.copy(Path(tiny_model("llama")) / name, tmp_path)
    with pytest.raises(ConfigurationError, match="the tokenizer in"):
        Transformers(str(tmp_path))


def test_a_path_is_a_folder_or_a_known_name(tmp_path):
    with pytest.raises(ConfigurationError, match=r"no model 'no/such'.*download=True"):
        find_folder("no/such", revision=None, download=False)
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    with pytest.raises(ConfigurationError, match="LlamaCpp reads GGUF"):
        find_folder(str(file), revision=None, download=False)


def test_the_digest_is_that_of_the_content(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({"x": 1}))
        with (tmp_path / name / "model.safetensors").open("wb") as opened:
            opened.truncate(6 << 20)
        (tmp_path / name / "README.md").write_text(name)
    a, b = (content_digest(tmp_path / name) for name in ("a", "b"))
    assert a == b
    with (tmp_path / "b" / "model.safetensors").open("r+b") as opened:
        opened.seek(-5, 2)
        opened.write(b"z")
    assert content_digest(tmp_path / "b") != a
