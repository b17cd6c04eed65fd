"""What reads a living index as one reads what an index built anew would say."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett import BM25, Corpus, Queries
from plackett.errors import ConfigurationError, DataError
from plackett.retrievers import Expanded, Lexical, SyntaxSearch
from plackett.retrievers.expansion.feedback import read_feedback
from plackett.retrievers.living import LiveBM25
from plackett.retrievers.living.live_index import LiveIndex

WORDS = [f"w{i}" for i in range(9)]
ASKED = Queries.from_texts({"q1": "w0 w4", "q2": "w8", "q3": "w1 w2 w3 nothing"})
SIGNS = Queries.from_texts(
    {
        "phrase": '"w0 w1"',
        "both": 'w2 +w1 -"w3 w3" w5^2',
        "prefix": "w* -w7",
        "near": "w11~1 w2",
    }
)


def record(number: int, version: int = 0) -> dict[str, Any]:
    generator = np.random.default_rng([number, version])
    title = " ".join(generator.choice(WORDS, generator.integers(0, 3)))
    text = " ".join(generator.choice(WORDS, generator.integers(0, 12)))
    return {"id": f"d{number}", "title": title, "text": text, "year": number}


OPTIONS: dict[str, Any] = {
    "analyzer": "whitespace",
    "fields": ["title", "text"],
    "metadata": ["year"],
}


def both(
    folder: str | Path, first: list[int], added: list[int], deleted: list[int]
) -> tuple[LiveBM25, BM25]:
    """A living index of some segments, and one built anew of the documents that are left."""
    documents = {f"d{i}": record(i) for i in first}
    live = LiveBM25.build(
        Corpus.from_records(list(documents.values())), Path(folder) / "live", **OPTIONS
    )
    for turn, number in enumerate(added, start=1):
        new = record(number, turn)
        live = live.add(Corpus.from_records([new]))
        documents.pop(f"d{number}", None)
        documents[f"d{number}"] = new
    gone = [f"d{i}" for i in deleted if f"d{i}" in documents]
    live = live.delete(gone)
    left = [entry for name, entry in documents.items() if name not in gone]
    return live, BM25.build(Corpus.from_records(left), Path(folder) / "fresh", **OPTIONS)


def same(live: Any, fresh: Any, queries: Queries, **options: Any) -> None:
    for k in (1, 4, 50):
        found, wanted = live.search(queries, k, **options), fresh.search(queries, k, **options)
        for name in queries.ids:
            scores = [score for _, score in wanted[name]]
            assert [score for _, score in found[name]] == pytest.approx(scores, rel=1e-5)
            # Scores that differ in the last bit may change places.
            if len(set(np.round(scores, 4))) == len(scores):
                assert [d for d, _ in found[name]] == [d for d, _ in wanted[name]]


CASES = st.tuples(
    st.lists(st.integers(0, 15), unique=True, min_size=3, max_size=9),
    st.lists(st.integers(0, 20), max_size=3),
    st.lists(st.integers(0, 20), unique=True, max_size=4),
)


@given(CASES)
@settings(max_examples=8, deadline=None)
def test_every_reader_finds_what_it_finds_in_a_fresh_index(
    case: tuple[list[int], list[int], list[int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        live, fresh = both(folder, *case)
        if not len(live):
            return
        for expansion in ("RM3(documents=3, common=1.0)", "Bo1(documents=2)", "KL(documents=2)"):
            ours, theirs = Expanded(live, expansion), Expanded(fresh, expansion)
            same(ours, theirs, ASKED)
            for one, other in zip(ours.queries(["w0 w4"]), theirs.queries(["w0 w4"]), strict=True):
                assert one == pytest.approx(other, rel=1e-5)
        same(SyntaxSearch(live), SyntaxSearch(fresh), SIGNS)
        same(SyntaxSearch(live), SyntaxSearch(fresh), SIGNS, where={"year": (2, 12)})
        for model in ("Dirichlet(mu=10)", "DPH"):
            same(Lexical(live, model), Lexical(fresh, model), ASKED)


@given(CASES)
@settings(max_examples=10, deadline=None)
def test_its_arrays_are_those_of_a_fresh_index(
    case: tuple[list[int], list[int], list[int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        live, built = both(folder, *case)
        fresh = built.index
        if not live.segments:
            return
        ours = LiveIndex(
            live.folder, live.segments, live.analyzer, live.document_ids, live._lists.codes
        )
        assert list(ours.document_ids) == list(fresh.document_ids)
        assert set(ours.terms) == set(fresh.terms)
        assert (ours.n_documents, ours.n_terms) == (fresh.n_documents, fresh.n_terms)
        assert (ours.n_postings, ours.n_tokens) == (fresh.n_postings, fresh.n_tokens)
        assert ours.mean_length == fresh.mean_length
        for name in ("field_lengths", "document_lengths", "document_rank", "token_offsets"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(fresh, name))
        assert ours.metadata.to_pydict() == fresh.metadata.to_pydict()
        assert [ours.terms[i] for i in ours.tokens] == [fresh.terms[i] for i in fresh.tokens]
        for term in WORDS:
            mine, theirs = ours.term_code(term), fresh.term_code(term)
            assert (mine < 0) == (theirs < 0)
            assert ours.postings(term) == fresh.postings(term)
            if mine >= 0:
                assert ours.document_frequency[mine] == fresh.document_frequency[theirs]
                assert ours.collection_frequency[mine] == fresh.collection_frequency[theirs]
        documents = np.arange(ours.n_documents)[::-1]
        tokens, lengths = ours.tokens_of(documents)
        wanted, counts = fresh.tokens_of(documents)
        assert [ours.terms[i] for i in tokens] == [fresh.terms[i] for i in wanted]
        np.testing.assert_array_equal(lengths, counts)
        lists = ours.posting_documents, ours.posting_frequencies
        assert len(lists[0]) == len(lists[1]) == ours.n_postings


def test_feedback_reads_the_tokens_of_its_documents_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, _ = both(tmp_path, [0, 1, 2, 3], [4, 5], [1])
    assert live.index.n_documents == len(live)
    read: list[int] = []
    for segment in live.segments:
        real = segment.tokens_of
        monkeypatch.setattr(
            segment, "tokens_of", lambda rows, real=real: (read.append(len(rows)), real(rows))[1]
        )
    feedback = read_feedback(live.index, np.array([4, 0], np.int32), np.ones(2, np.float32))
    assert read == [1, 1]
    assert set(feedback.document.tolist()) <= {0, 1}
    assert "tokens" not in vars(live.index)


def test_the_explanation_adds_up_to_the_score(tmp_path: Path) -> None:
    live, fresh = both(tmp_path, list(range(8)), [9, 10, 3], [1, 2])
    for text in ("w0 w4 w4", "w8", " ".join(WORDS), "unknown w1"):
        run = live.search(Queries.from_texts({"q": text}))
        for name, score in run["q"]:
            told, wanted = live.explain(text, name), fresh.explain(text, name)
            assert told.score == score
            assert {e.term: e.frequency for e in told.terms} == {
                e.term: e.frequency for e in wanted.terms
            }
            for entry in told.terms:
                other = next(e for e in wanted.terms if e.term == entry.term)
                assert entry.document_frequency == other.document_frequency
                assert entry.contribution == pytest.approx(other.contribution, rel=1e-5)
            assert str(told).startswith(f"{score:.6f}  {name}")
    for lost in ("d1", "nobody"):
        with pytest.raises(DataError, match=lost):
            live.explain("w0", lost)


def test_a_merged_index_is_its_segments(tmp_path: Path) -> None:
    live, _ = both(tmp_path, [0, 1, 2], [4], [1])
    assert isinstance(live.index, LiveIndex)
    assert live.merge().index is not live.index
    merged = live.merge()
    assert merged.index is merged.segments[0].index
    empty = merged.delete(list(merged.document_ids))
    with pytest.raises(ConfigurationError, match="add some"):
        _ = empty.index
    assert empty.search(ASKED)["q1"] == []


@pytest.mark.parametrize("variant", ["lucene", "robertson"])
def test_merging_changes_no_bit_of_a_score(variant: str, tmp_path: Path) -> None:
    """Terms of equal bounds are added up in one order, whatever their codes in a segment."""
    words = [f"t{i}" for i in range(24)]
    generator = np.random.default_rng(3)

    def texts(first: int) -> Corpus:
        drawn = [generator.permutation(words)[: generator.integers(4, 20)] for _ in range(6)]
        return Corpus.from_texts({f"d{first + i}": " ".join(row) for i, row in enumerate(drawn)})

    live = LiveBM25.build(texts(0), tmp_path, analyzer="whitespace", variant=variant)
    for first in range(6, 60, 6):
        live = live.add(texts(first))
    asked = Queries.from_texts(
        {f"q{i}": " ".join(generator.choice(words, 9, replace=False)) for i in range(60)}
    )
    before = live.search(asked)
    assert live.merge().search(asked).to_dict() == before.to_dict()
    name = before.query_names[0]
    assert live.explain(asked.text(name), before[name][0][0]).score == before[name][0][1]
