"""Templates must give what the tokenizer itself gives."""

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from plackett.encoders.tokens import TextTokenizer
from plackett.errors import DataError

TEXTS = ["red wine", "", "the cat, and a dog!", "   ", "wine " * 40, "zebra 12"]


@pytest.mark.parametrize("name", ["pair", "roberta"])
def test_pairs_are_joined_as_the_tokenizer_joins_them(name: str, tiny: object) -> None:
    folder = Path(getattr(tiny, name))
    ours = TextTokenizer(folder)
    theirs = Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs.no_truncation()
    theirs.no_padding()
    template = ours.template(2)
    for left, a in zip(TEXTS, ours.encode(TEXTS), strict=True):
        for right, b in zip(TEXTS, ours.encode(TEXTS), strict=True):
            ids, types = template.join(a, b)
            wanted = theirs.encode(left, right)
            assert ids == wanted.ids
            assert types == wanted.type_ids
            assert len(ids) == len(a) + len(b) + template.overhead


def test_single_texts_are_surrounded_as_the_tokenizer_does(tiny: object) -> None:
    folder = Path(tiny.dense)  # type: ignore[attr-defined]
    ours = TextTokenizer(folder)
    template = ours.template(1)
    assert template.overhead == 2
    theirs = Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs.no_truncation()
    theirs.no_padding()
    for text, ids in zip(TEXTS, ours.encode(TEXTS), strict=True):
        assert template.join(ids)[0] == theirs.encode(text).ids


def test_a_batch_is_padded_on_the_right(tiny: object) -> None:
    ours = TextTokenizer(Path(tiny.pair), pad=7)  # type: ignore[attr-defined]
    a, b = ours.encode(["red", "white wine"])
    inputs = ours.padded(ours.template(2), [(a, b), (a, a)], 8)
    assert inputs.mask.tolist() == [[1, 1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0]]
    assert (inputs.ids[inputs.mask == 0] == 7).all()
    assert inputs.types.tolist()[0] == [0, 0, 0, 1, 1, 1, 0, 0]
    assert {part.dtype for part in inputs} == {np.dtype(np.int64)}


def test_words_of_the_vocabulary_and_back(tiny: object) -> None:
    ours = TextTokenizer(Path(tiny.pair))  # type: ignore[attr-defined]
    assert len(ours.token_ids(["red", "nothing such", "."])) == 2
    assert ours.decode(ours.encode(["red wine"])[0]) == "red wine"


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no tokenizer\.json.*Remedy"):
        TextTokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text(json.dumps({"version": "1.0"}))
    with pytest.raises(DataError, match="cannot be read"):
        TextTokenizer(tmp_path)
