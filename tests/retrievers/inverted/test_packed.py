"""Packed lists of postings are read as they were written, and damage is told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.data.ragged import lengths_to_offsets
from plackett.errors import CorruptFileError, DataError
from plackett.retrievers.inverted import packed as packed_module
from plackett.retrievers.inverted.packed import PackedLists, PackedWriter

LARGEST = 2**31 - 1
MANY = 2**31 - 1

postings = st.dictionaries(
    st.one_of(st.integers(0, 400), st.integers(0, LARGEST - 1)),
    st.one_of(st.integers(1, 3), st.integers(1, LARGEST)),
    max_size=300,
)


def write(folder, lists, pieces=1):
    """Write `{document: frequency}` of every term, in so many calls."""
    with PackedWriter(folder) as writer:
        for part in np.array_split(np.arange(len(lists)), pieces):
            chosen = [sorted(lists[i].items()) for i in part]
            offsets = lengths_to_offsets([len(pairs) for pairs in chosen])
            flat = np.array([pair for pairs in chosen for pair in pairs], dtype=np.int64)
            columns = flat.reshape(-1, 2).T.astype(np.int32)
            writer.append(offsets, columns[0].copy(), columns[1].copy())
        return writer.finish()


def opened(folder, lists, size, documents=MANY):
    total = sum(len(pairs) for pairs in lists)
    return PackedLists(folder, documents=documents, terms=len(lists), postings=total, size=size)


@settings(max_examples=60, deadline=None)
@given(st.lists(postings, min_size=1, max_size=6), st.integers(1, 3))
def test_lists_are_read_as_they_were_written(tmp_path_factory, lists, pieces):
    folder = tmp_path_factory.mktemp("packed")
    packed = opened(folder, lists, write(folder, lists, pieces))
    for term, pairs in enumerate(lists):
        documents, frequencies = packed.read(term, term + 1)
        assert dict(zip(documents.tolist(), frequencies.tolist(), strict=True)) == pairs
        assert (np.diff(documents) > 0).all()
    documents, _ = packed.read(0, len(lists))
    assert documents.tolist() == [d for pairs in lists for d in sorted(pairs)]


def test_consecutive_documents_of_frequency_1_take_two_bytes_a_block(tmp_path):
    lists = [dict.fromkeys(range(1000), 1)]
    assert write(tmp_path, lists) == 2 * 8 + packed_module.MARGIN


def test_lists_are_packed_piece_by_piece(tmp_path, monkeypatch):
    lists = [dict.fromkeys(range(i, 3 * i, 2), i) for i in range(1, 40)]
    whole = write(tmp_path, lists)
    (tmp_path / "small").mkdir()
    monkeypatch.setattr(packed_module, "PIECE", 5)
    assert write(tmp_path / "small", lists) == whole
    for name in ("postings.npy", "posting_counts.npy", "posting_bytes.npy"):
        assert (tmp_path / "small" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_damage_is_told_or_harmless(tmp_path):
    lists = [{5: 1, 9: 2, 400: 1}, {i: 1 + i % 3 for i in range(0, 500, 3)}]
    size = write(tmp_path, lists)
    path = tmp_path / "postings.npy"
    good = path.read_bytes()
    told = 0
    for place in range(128, len(good)):
        for value in (0, 1, 32, 255):
            path.write_bytes(good[:place] + bytes([value]) + good[place + 1 :])
            packed = opened(tmp_path, lists, size, documents=501)
            try:
                documents, _ = packed.read(0, 2)
            except CorruptFileError:
                told += 1
            else:
                assert documents.min() >= 0
                assert documents.max() < 501
    assert told > 50


def test_sizes_that_do_not_agree_are_refused(tmp_path):
    lists = [{5: 1}, {7: 2}]
    size = write(tmp_path, lists)
    with pytest.raises(CorruptFileError, match="postings"):
        PackedLists(tmp_path, documents=9, terms=2, postings=3, size=size)
    np.save(tmp_path / "posting_bytes.npy", np.array([3, 9], dtype=np.uint32))
    with pytest.raises(CorruptFileError, match="bytes"):
        opened(tmp_path, lists, size)


def test_a_list_of_more_than_4_gigabytes_is_refused(tmp_path, monkeypatch):
    from plackett.retrievers.inverted import packing_kernels

    monkeypatch.setattr(packing_kernels, "packed_sizes", lambda *a: a[-1].fill(2**32))
    with pytest.raises(DataError, match="4 GB"):
        write(tmp_path, [{1: 1}])
