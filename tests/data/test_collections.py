"""The packaged collection, and BEIR folders."""

from pathlib import Path

import pytest

from plackett.data.collections import load_collection
from plackett.errors import DataError, UnknownNameError


def test_cranfield_is_whole() -> None:
    name, corpus, queries, qrels = load_collection("cranfield")
    assert name == "cranfield"
    assert (len(corpus), len(queries), len(qrels), len(qrels.document)) == (1400, 225, 225, 1837)
    assert [identifier for identifier, text in corpus if not text.strip()] in ([], ["471", "995"])
    assert corpus.text("1").startswith("experimental investigation of the aerodynamics of a")
    assert queries.text("1").startswith("what similarity laws must be obeyed")
    assert queries.ids[224] == "225"
    grades = qrels.to_dict()
    assert grades["1"]["184"] == 3.0
    assert set(qrels.grade.tolist()) == {0.0, 1.0, 2.0, 3.0, 4.0}
    assert (qrels.document_ids.map_to(corpus.ids) >= 0).all()


@pytest.mark.shared_data
def test_a_beir_folder_is_read(shared_data: Path) -> None:
    collection = load_collection(shared_data / "scifact")
    assert (len(collection.corpus), len(collection.queries)) == (5183, 300)
    assert len(load_collection(shared_data / "scifact", split="train").queries) == 809


def test_a_folder_that_lacks_a_file_or_a_name_that_is_unknown_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Known: a BEIR folder, cranfield"):
        load_collection("cranfeild")
    with pytest.raises(DataError, match=r"no corpus\.jsonl"):
        load_collection(tmp_path)
