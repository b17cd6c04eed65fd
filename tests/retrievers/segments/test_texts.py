"""Indexes made of texts: encoding, streaming, encoders that must agree, costs, filters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from plackett.data.texts import Corpus, Queries
from plackett.encoders.base import DenseEncoder, Encoded, Kind, check_texts
from plackett.encoders.registry import register_encoder
from plackett.errors import ConfigurationError, DataError
from plackett.pipeline.base import Reranker
from plackett.retrievers import get
from plackett.retrievers.dense import Dense
from plackett.retrievers.sealing import sealed
from plackett.retrievers.segments.structure import get_structure, parse_structure


@register_encoder
class LetterCounts(DenseEncoder):
    """Counts of letters; texts are cut after `longest` of them."""

    def __init__(self, longest: int = 40) -> None:
        self.longest = longest

    @property
    def identity(self) -> str:
        return f"letters {self.longest}"

    @property
    def dimension(self) -> int:
        return 26

    def encode_all(
        self, texts: Sequence[str], kind: Kind = "document"
    ) -> Encoded[npt.NDArray[np.float32]]:
        cut = [text[: self.longest] for text in check_texts(texts)]
        values = np.array(
            [[text.count(chr(97 + i)) for i in range(26)] for text in cut], np.float32
        ).reshape(len(cut), 26)
        return Encoded(
            values,
            np.array([len(text) for text in cut], dtype=np.int64),
            np.array([len(text) > self.longest for text in texts], dtype=bool),
        )

    def __repr__(self) -> str:
        return f"LetterCounts(longest={self.longest})"


CORPUS = Corpus.from_records(
    [
        {"id": "a", "text": "aaa b", "year": 1990},
        {"id": "b", "text": "bbb", "year": 2000},
        {"id": "c", "text": "c" * 50, "year": 2010},
        {"id": "e", "text": "", "year": 2020},
    ]
)
QUERIES = Queries.from_texts({"q1": "a", "q2": "b", "q3": ""})


def test_search_by_text(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    index = Dense.build(
        CORPUS,
        tmp_path / "index",
        encoder="LetterCounts(longest=40)",
        metadata=["year"],
        batch_rows=3,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(3, 4), (4, 4)]
    run = index.search(QUERIES, k=2)
    assert run["q1"] == [("a", 3.0), ("b", 0.0)]
    assert run["q2"] == [("b", 3.0), ("a", 1.0)]
    assert run.corpus is CORPUS
    assert run.costs[0].queries == 3
    assert index.search(QUERIES, k=2, where={"year": (None, 1995)})["q2"] == [("a", 1.0)]
    assert index.manifest.segments[0].facts["truncated"] == 1
    again = eval(repr(index), {"Dense": Dense})
    assert again.encoder is None
    assert again.search(QUERIES, k=2).to_dict() == run.to_dict()
    assert repr(again.encoder) == "LetterCounts(longest=40)"


class _Same(Reranker):
    def rerank(self, run: Any) -> Any:
        return run

    def __repr__(self) -> str:
        return "Same()"


def test_it_stands_in_a_pipeline(tmp_path: Path) -> None:
    index = Dense.build(CORPUS, tmp_path / "index", encoder=LetterCounts())
    run = (index % 2 >> _Same()).search(QUERIES)
    assert run["q2"] == [("b", 3.0), ("a", 1.0)]
    assert len(run.costs) == 2


def test_streams_and_additions(tmp_path: Path) -> None:
    path = tmp_path / "docs.jsonl"
    CORPUS.write(path)
    whole = Dense.build(path, tmp_path / "file", encoder=LetterCounts(), metadata=["year"])
    batches = Dense.build(
        iter(CORPUS.batches(2)), tmp_path / "batches", encoder=LetterCounts(), metadata=["year"]
    )
    wanted = whole.search(QUERIES).to_dict()
    assert batches.search(QUERIES).to_dict() == wanted
    grown = whole.add(Corpus.from_records([{"id": "a", "text": "zzz", "year": 2021}]))
    assert grown.search(Queries.from_texts({"q": "z"}), k=1)["q"] == [("a", 3.0)]
    assert len(grown) == 4
    assert grown.search(QUERIES, where={"year": (2021, None)})["q1"] == [("a", 0.0)]
    with pytest.raises(DataError, match="no field 'year'"):
        grown.add(Corpus.from_texts({"z": "text"}))


def test_encoders_must_agree(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    Dense.build(CORPUS, folder, encoder=LetterCounts())
    with pytest.raises(DataError, match="letters 7; expected LetterCounts"):
        Dense.open(folder, encoder=LetterCounts(7))
    changed = folder / "manifest.json"
    content = json.loads(changed.read_text().replace("letters 40", "letters 41"))
    changed.write_text(json.dumps(sealed(content)))
    with pytest.raises(DataError, match="have changed since"):
        Dense.open(folder).search(QUERIES)


def test_an_empty_corpus(tmp_path: Path) -> None:
    empty = CORPUS.select([])
    index = Dense.build(empty, tmp_path / "index", encoder=LetterCounts())
    assert (len(index), index.search(QUERIES)["q1"]) == (0, [])
    assert index.add(CORPUS).search(QUERIES, k=1)["q1"] == [("a", 3.0)]


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="corpus of type int"):
        Dense.build(3, tmp_path / "i", encoder=LetterCounts())
    with pytest.raises(DataError, match="a batch of type int"):
        Dense.build([3], tmp_path / "i", encoder=LetterCounts())
    with pytest.raises(ConfigurationError, match="is for sparse vectors"):
        Dense.build(CORPUS, tmp_path / "i", encoder=LetterCounts(), structure="Impacts()")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="a file"):
        Dense.build(CORPUS, tmp_path / "file", encoder=LetterCounts())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    with pytest.raises(DataError, match=r"'mine\.txt' in the folder"):
        Dense.build(CORPUS, tmp_path / "other", encoder=LetterCounts())
    with pytest.raises(DataError, match="no index"):
        Dense.open(tmp_path / "nowhere")
    assert not (tmp_path / "i").exists()
    with pytest.raises(DataError, match="filter"):
        Dense.from_vectors(
            ["a"], np.ones((1, 2)), tmp_path / "i", metadata=pa.table({"x": [1]})
        ).search_vectors(np.ones((1, 2)), where={"x": (1, 2, 3)})


def test_descriptions_are_read_back() -> None:
    assert parse_structure("Exact(documents=3)").documents == 3  # type: ignore[attr-defined]
    assert repr(parse_structure("Impacts()")) == "Impacts()"
    assert get_structure("ExactMaxSim").exact
    assert [get(name).__name__ for name in ("dense", "sparse", "multivector")] == [
        "Dense", "Sparse", "LateInteraction",
    ]  # fmt: skip
