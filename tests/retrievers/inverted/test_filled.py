"""Lists that are filled when asked for give the rankings of lists that are all there."""

import numpy as np
import pytest

from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.retrievers import BM25
from plackett.retrievers.inverted.filled import FilledLists
from plackett.retrievers.inverted.impacts import ImpactLists
from plackett.retrievers.inverted.inverting import memory_bytes
from plackett.retrievers.weighting import VARIANTS, Weighting


def collection(documents=300, words=40):
    rng = np.random.default_rng(0)
    names = np.array([f"w{i}" for i in range(words)])
    mass = 1.0 / np.arange(1, words + 1)
    draws = rng.choice(words, p=mass / mass.sum(), size=(documents, 12))
    return Corpus.from_texts({f"d{i}": " ".join(names[row]) for i, row in enumerate(draws)})


QUERIES = Queries.from_texts(
    {f"q{i}": f"w{i} w{(7 * i) % 40} w{(11 * i + 3) % 40} w1" for i in range(30)}
)


@pytest.fixture(scope="module")
def bm25(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled") / "index"
    return BM25.build(collection(), folder, analyzer="whitespace")


def eager(index, weighting):
    """All impacts computed at once, as the formula says."""
    impacts = np.empty(index.n_postings, dtype=np.float32)
    weighting.impacts(
        index.posting_offsets,
        index.posting_documents,
        index.posting_frequencies,
        index.document_lengths,
        index.mean_length,
        impacts,
    )
    return ImpactLists.from_postings(
        offsets=index.posting_offsets,
        documents=index.posting_documents,
        impacts=impacts,
        rank=index.document_rank,
    )


def same(a, b):
    for name in ("offsets", "documents", "scores"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize("variant", sorted(VARIANTS))
@pytest.mark.parametrize("threads", [1, 3])
def test_rankings_and_impacts_are_those_of_eager_lists(bm25, variant, threads):
    index = bm25.index
    weighting = Weighting(variant, 0.9, 0.4)
    offsets, terms = index.encode_queries([text for _, text in QUERIES])
    whole, filled = eager(index, weighting), FilledLists(index, weighting)
    for k in (1, 10, 1000):
        same(
            whole.search(offsets, terms, k=k, threads=threads),
            filled.search(offsets, terms, k=k, threads=threads),
        )
    everything = np.arange(index.n_terms, dtype=np.int32)
    np.testing.assert_array_equal(filled.of_terms(everything).impacts, whole.impacts)
    np.testing.assert_array_equal(filled.of_terms(everything).documents, whole.documents)
    np.testing.assert_array_equal(filled.of_terms(everything).upper, whole.upper)


def test_a_small_memory_changes_nothing_but_time(bm25, monkeypatch):
    index = bm25.index
    offsets, terms = index.encode_queries([text for _, text in QUERIES])
    small = FilledLists(index, Weighting())
    small.memory = 8 * 700
    assert len(small._parts(offsets, terms)) > 5
    for k in (1, 10, 1000):
        same(bm25.lists.search(offsets, terms, k=k), small.search(offsets, terms, k=k))
        assert 0 < small._room.filled <= 700
    weights = np.linspace(0.1, 2.0, len(terms)).astype(np.float32)
    same(
        bm25.lists.search(offsets, terms, weights, k=5),
        small.search(offsets, terms, weights, k=5),
    )


def test_a_reader_keeps_lists_that_are_dropped(bm25):
    lists = FilledLists(bm25.index, Weighting())
    lists.memory = 8
    first = lists.of_terms(np.array([0], dtype=np.int32))
    kept = first.impacts[first.offsets[0] : first.offsets[1]].copy()
    assert lists.of_terms(np.array([1], dtype=np.int32)) is not first
    np.testing.assert_array_equal(first.impacts[first.offsets[0] : first.offsets[1]], kept)


@pytest.mark.parametrize("threads", [1, 2])
def test_all_lists_can_be_filled_beforehand(bm25, threads, monkeypatch):
    from plackett.retrievers.inverted import filled

    monkeypatch.setattr(filled, "FEW_POSTINGS", 1)
    lists = FilledLists(bm25.index, Weighting())
    lists.fill(threads)
    assert lists._room.known.all()
    np.testing.assert_array_equal(lists._room.lists.impacts, eager(bm25.index, Weighting()).impacts)
    lists = FilledLists(bm25.index, Weighting())
    lists.memory = 8 * 400
    lists.fill()
    assert 0 < lists._room.filled <= 400


def test_terms_that_are_none_are_refused(bm25):
    for code in (-1, bm25.index.n_terms):
        with pytest.raises(DataError, match="term"):
            bm25.lists.of_terms(np.array([code], dtype=np.int32))


def test_a_damaged_list_is_told_when_it_is_asked_for(tmp_path):
    bm25 = BM25.build(Corpus.from_texts({"d1": "a b", "d2": "a"}), tmp_path / "i")
    path = next(tmp_path.rglob("postings.npy"))
    data = bytearray(path.read_bytes())
    data[128] = 40
    path.write_bytes(bytes(data))
    opened = BM25.open(tmp_path / "i")
    with pytest.raises(CorruptFileError, match="postings"):
        opened.search(Queries.from_texts({"q": "b"}))
    del bm25


@pytest.mark.parametrize("memory", ["1MB", 1_000_000, "2 gb", "1.5MiB"])
def test_memory_of_a_build_does_not_change_the_index(tmp_path, memory, monkeypatch):
    from plackett.retrievers.inverted import inverting

    BM25.build(collection(), tmp_path / "a")
    monkeypatch.setattr(inverting, "BYTES_A_POSTING", 2_000)
    monkeypatch.setattr(inverting, "TOKENS_AT_A_TIME", 50)
    BM25.build(collection(), tmp_path / "b", memory=memory)
    names = sorted(path.name for path in (tmp_path / "a" / "a").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b" / "a").iterdir())
    for name in names:
        assert (tmp_path / "a" / "a" / name).read_bytes() == (
            tmp_path / "b" / "a" / name
        ).read_bytes()


@pytest.mark.parametrize("memory", ["", "much", "10", 5, "3 furlongs", "-1GB", None])
def test_an_amount_that_is_none_is_refused(memory):
    with pytest.raises(ConfigurationError, match="1 MB"):
        memory_bytes(memory)
