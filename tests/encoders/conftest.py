"""Tiny models, written once a session."""

import os
import runpy
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest


class TinyModels(NamedTuple):
    """Folders of models."""

    pair: str
    pair_of_two: str
    pair_of_three: str
    roberta: str
    dense: str
    plain: str
    lexical: str


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyModels]:
    """Models of two layers and 32 dimensions."""
    pytest.importorskip("transformers", reason="needs the extra `text`")
    build = runpy.run_path(str(Path(__file__).with_name("tiny_models.py")))
    folder = tmp_path_factory.mktemp("models")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield TinyModels(
            pair=build["write_pair_model"](folder / "pair"),
            pair_of_two=build["write_pair_model"](folder / "two", 2),
            pair_of_three=build["write_pair_model"](folder / "three", 3),
            roberta=build["write_roberta_pair_model"](folder / "roberta"),
            dense=build["write_dense_model"](folder / "dense"),
            plain=build["write_plain_model"](folder / "plain"),
            lexical=build["write_lexical_model"](folder / "lexical"),
        )
