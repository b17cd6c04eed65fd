"""What folders declare."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from plackett.encoders import CrossEncoder, TransformerEncoder
from plackett.encoders.folders import NO_LIMIT, ModelFolder
from plackett.errors import DataError


def write(folder: Path, **files: dict[str, Any]) -> ModelFolder:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return ModelFolder(folder)


def test_the_longest_input_is_the_least_of_what_is_said(tmp_path: Path) -> None:
    bert = {"model_type": "bert", "max_position_embeddings": 512}
    assert write(tmp_path, config=bert).longest == 512
    limit = {"model_max_length": 128}
    assert write(tmp_path, config=bert, tokenizer_config=limit).longest == 128
    none = {"model_max_length": int(1e30)}
    assert write(tmp_path, config=bert, tokenizer_config=none).longest == 512
    assert write(tmp_path, config={"model_type": "x"}, tokenizer_config={}).longest == NO_LIMIT


def test_some_positions_of_roberta_cannot_be_used(tmp_path: Path) -> None:
    config = {"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1}
    folder = write(tmp_path, config=config)
    assert (folder.longest, folder.pad) == (512, 1)


def test_token_types_are_given_where_they_mean_something(tmp_path: Path) -> None:
    two = {"type_vocab_size": 2}
    assert write(tmp_path, config=two).takes_types
    assert not write(tmp_path, config={"type_vocab_size": 1}).takes_types
    assert not write(tmp_path, config={}).takes_types
    names = {"model_input_names": ["input_ids", "attention_mask"]}
    assert not write(tmp_path, config=two, tokenizer_config=names).takes_types


def test_a_transformer_may_have_a_folder_of_its_own(tiny: Any, tmp_path: Path) -> None:
    inner = tmp_path / "0_Transformer"
    shutil.copytree(tiny.dense, inner)
    for name in ("modules.json", "config_sentence_transformers.json"):
        shutil.move(inner / name, tmp_path / name)
    shutil.move(inner / "1_Pooling", tmp_path / "1_Pooling")
    modules = json.loads((tmp_path / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    texts = ["red wine", "the cat"]
    found = TransformerEncoder(str(tmp_path)).encode(texts, "query")
    assert (found == TransformerEncoder(tiny.dense).encode(texts, "query")).all()


def test_the_digest_is_that_of_the_content(tiny: Any, tmp_path: Path) -> None:
    shutil.copytree(tiny.pair, tmp_path / "copy")
    copy = ModelFolder(tmp_path / "copy")
    assert copy.digest == ModelFolder(Path(tiny.pair)).digest
    assert copy.digest != ModelFolder(Path(tiny.pair_of_two)).digest
    config = json.loads((tmp_path / "copy" / "config.json").read_text())
    (tmp_path / "copy" / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 0.1}))
    assert ModelFolder(tmp_path / "copy").digest != copy.digest


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[")
    with pytest.raises(DataError, match=r"config\.json: found no JSON"):
        _ = ModelFolder(tmp_path).config
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(DataError, match=r"no config\.json"):
        _ = ModelFolder(tmp_path).config


def test_a_model_that_reads_less_is_not_told_to_read_more(tiny: Any) -> None:
    encoder = CrossEncoder(tiny.roberta, max_query_tokens=16)
    assert encoder.score(["a"], ["b " * 500]).tokens.tolist() == [63]
