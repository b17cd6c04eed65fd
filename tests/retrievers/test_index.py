"""The inverted index on disk: what it holds, and what befalls it."""

import json
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.texts import Corpus
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.retrievers import BM25, InvertedIndex
from plackett.retrievers.analysis import get_analyzer

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), max_size=8).map(" ".join)


def corpus_of(titles, texts):
    return Corpus.from_records(
        [
            {"id": f"d{i}", "title": title, "text": text}
            for i, (title, text) in enumerate(zip(titles, texts, strict=True))
        ]
    )


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@given(rows=st.lists(st.tuples(WORDS, WORDS), max_size=6), rows_at_a_time=st.integers(1, 4))
def test_postings_and_tokens_are_those_of_the_texts(rows, rows_at_a_time, tmp_path_factory):
    titles, texts = [row[0] for row in rows], [row[1] for row in rows]
    corpus = corpus_of(titles, texts) if rows else Corpus.from_texts({})
    folder = tmp_path_factory.mktemp("index")
    index = InvertedIndex.build(corpus, folder, analyzer="unicode", batch_rows=rows_at_a_time)
    every = [f"{title} {text}".split() for title, text in rows]
    assert index.n_documents == len(rows)
    assert index.document_lengths.tolist() == [len(words) for words in every]
    names = list(index.terms)
    assert names == list(dict.fromkeys(word for words in every for word in words))
    for code, name in enumerate(names):
        expected = {f"d{i}": words.count(name) for i, words in enumerate(every) if name in words}
        assert index.postings(name) == expected
        assert index.document_frequency[code] == len(expected)
        assert index.collection_frequency[code] == sum(expected.values())
        assert index.term_code(name) == code
    assert index.term_code("z") == -1
    assert [names[token] for token in index.tokens] == [word for words in every for word in words]
    if rows:
        assert index.fields == ("title", "text")
        fields = [len(part.split()) for row in rows for part in row]
        assert index.field_lengths.reshape(-1).tolist() == fields
        assert np.diff(index.token_offsets).tolist() == fields
    index.verify()


def test_the_same_corpus_gives_the_same_bytes(tmp_path):
    corpus = corpus_of(["a b", "", "c"], ["b c d", "e", "日本 x"])
    for folder, rows in (("one", 1), ("two", 1000)):
        BM25.build(corpus, tmp_path / folder, batch_rows=rows)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_a_file_and_batches_are_read_as_the_corpus_is(tmp_path):
    corpus = corpus_of(["a b", "", "c"], ["b c d", "e", "x"])
    path = tmp_path / "docs.jsonl"
    path.write_text(
        "".join(json.dumps(row) + "\n" for row in corpus.table.to_pylist()), encoding="utf-8"
    )
    steps = []
    BM25.build(corpus, tmp_path / "one", progress=lambda done, total: steps.append((done, total)))
    BM25.build(path, tmp_path / "two")
    BM25.build(iter(corpus.batches(2)), tmp_path / "three")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two") == files_of(tmp_path / "three")
    assert steps == [(3, 3)]


def test_fields_are_chosen_in_order(tmp_path):
    index = InvertedIndex.build(
        corpus_of(["a"], ["b"]), tmp_path / "i", fields=["text", "title"], analyzer="unicode"
    )
    assert [index.terms[token] for token in index.tokens] == ["b", "a"]
    for fields, found in ((["body"], "body"), ("text", "text"), ([], "text")):
        if fields == []:
            continue
        with pytest.raises(DataError, match=found):
            InvertedIndex.build(corpus_of(["a"], ["b"]), tmp_path / "j", fields=fields)
    assert not (tmp_path / "j").exists()


def test_forward_tokens_can_be_left_out(tmp_path):
    index = InvertedIndex.build(corpus_of(["a"], ["b"]), tmp_path, forward=False)
    with pytest.raises(ConfigurationError, match="forward=True"):
        index.tokens  # noqa: B018
    index.verify()


def test_frequencies_beyond_16_bits(tmp_path):
    index = InvertedIndex.build(
        Corpus.from_texts({"a": "x " * 70_000 + "y"}), tmp_path, analyzer="unicode"
    )
    assert index.posting_frequencies.tolist() == [70_000, 1]


def test_queries_are_encoded(tmp_path):
    index = InvertedIndex.build(Corpus.from_texts({"d": "wings lift"}), tmp_path)
    encoded = index.analyze_queries(["lift the moon lifting", "", "wing"])
    assert encoded.offsets.tolist() == [0, 2, 2, 3]
    assert encoded.terms.tolist() == [1, 1, 0]
    assert encoded.unknown.tolist() == [1, 0, 0]
    with pytest.raises(DataError, match="text"):
        index.encode_queries([None])


def test_a_function_as_analyzer_is_asked_for_again(tmp_path):
    corpus = Corpus.from_texts({"d": "ab c"})
    index = InvertedIndex.build(corpus, tmp_path, analyzer=list)
    assert list(index.terms) == ["a", "b", " ", "c"]
    with pytest.raises(ConfigurationError, match="list"):
        InvertedIndex.open(tmp_path)
    assert InvertedIndex.open(tmp_path, analyzer=list).encode_queries(["b"])[1].tolist() == [1]
    assert get_analyzer("english") == InvertedIndex.build(corpus, tmp_path).analyzer


def test_duplicate_ids_leave_the_old_index_whole(tmp_path):
    corpus = Corpus.from_texts({"d": "ab c"})
    BM25.build(corpus, tmp_path)
    before = files_of(tmp_path)
    batches = [batch for _ in range(2) for batch in corpus.batches(10)]
    with pytest.raises(DataError, match="'d' twice"):
        BM25.build(batches, tmp_path)
    assert files_of(tmp_path) == before


@pytest.mark.parametrize(
    "corpus",
    [
        3,
        [{"id": "d"}],
        [pa.record_batch({"text": ["a"]})],
        [pa.record_batch({"id": ["a"]})],
        [pa.record_batch({"id": ["a"], "text": [1]})],
        [pa.record_batch({"id": pa.array([None], pa.string()), "text": ["a"]})],
    ],
    ids=str,
)
def test_what_is_no_corpus_is_refused(corpus, tmp_path):
    with pytest.raises(DataError):
        InvertedIndex.build(corpus, tmp_path / "index")
    with pytest.raises(DataError):
        InvertedIndex.build(corpus, tmp_path / "index", fields=["text"])
    assert not (tmp_path / "index").exists()


def test_other_peoples_folders_are_left_alone(tmp_path):
    corpus = Corpus.from_texts({"d": "a"})
    (tmp_path / "thesis.tex").write_text("dear to me")
    with pytest.raises(DataError, match=r"thesis\.tex"):
        BM25.build(corpus, tmp_path)
    with pytest.raises(DataError, match="a file"):
        BM25.build(corpus, tmp_path / "thesis.tex")
    with pytest.raises(DataError, match="no index"):
        BM25.open(tmp_path)
    with pytest.raises(DataError, match="batch_rows"):
        BM25.build(corpus, tmp_path / "new", batch_rows=0)


def test_an_open_index_survives_its_replacement(tmp_path):
    old = InvertedIndex.build(Corpus.from_texts({"d": "a a"}), tmp_path, analyzer="unicode")
    new = InvertedIndex.build(Corpus.from_texts({"e": "b"}), tmp_path, analyzer="unicode")
    assert (old.postings("a"), new.postings("b")) == ({"d": 2}, {"e": 1})
    assert len(list(tmp_path.iterdir())) == 2


@pytest.fixture
def folder(tmp_path):
    BM25.build(corpus_of(["a b", "c"], ["b c d", "e"]), tmp_path / "index")
    return tmp_path / "index"


def test_every_truncated_file_is_noticed_at_open(folder):
    for path in sorted((folder / "a").iterdir()):
        whole = path.read_bytes()
        for damaged in (whole[:-1], b"", whole + b"x"):
            path.write_bytes(damaged)
            with pytest.raises(CorruptFileError, match="build the index again"):
                BM25.open(folder)
        path.unlink()
        with pytest.raises(CorruptFileError, match=path.name):
            BM25.open(folder)
        path.write_bytes(whole)
    BM25.open(folder).index.verify()


def test_every_changed_byte_is_noticed_by_verify(folder):
    index = InvertedIndex.open(folder)
    for path in sorted((folder / "a").iterdir()):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(CorruptFileError, match=path.name):
            index.verify()
        path.write_bytes(whole)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "x"},
        {"version": 1},
        {"generation": "../a"},
        {"generation": "/etc"},
        {"files": None},
        {"files": {"../x.npy": {"bytes": 0, "crc32": ""}}},
        {"files": {"/etc/passwd": {"bytes": 0, "crc32": ""}}},
        {"files": {"x.npy": 3}},
        {"statistics": {}},
        {"statistics": {"documents": -1, "terms": 1, "postings": 1, "tokens": 1, "table_slots": 1}},
        {"statistics": {"documents": 3, "terms": 5, "postings": 6, "tokens": 7, "table_slots": 16}},
        {"fields": [1]},
        {"statistics": {"documents": 3, "terms": 5, "postings": 6, "tokens": 7}},
        {"analyzer": {"tokenizer": "x"}},
        {"weighting": None},
        {"weighting": {"variant": "lucene"}},
    ],
    ids=str,
)
def test_a_changed_manifest_is_refused(folder, change):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CorruptFileError):
        BM25.open(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"format": 1}'])
def test_a_manifest_that_is_none_is_refused(folder, content):
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(CorruptFileError):
        BM25.open(folder)


def test_files_that_are_not_what_they_claim(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in (
        "tokens.npy",
        "postings.npy",
        "posting_counts.npy",
        "terms.arrow",
        "documents.arrow",
    ):
        path = folder / "a" / name
        whole = path.read_bytes()
        path.write_bytes(b"x" * len(whole))
        with pytest.raises(CorruptFileError, match=name):
            InvertedIndex.open(folder).tokens  # noqa: B018
        path.write_bytes(whole)
    assert manifest["files"].keys() == {path.name for path in (folder / "a").iterdir()}


def test_strings_with_a_changed_byte_are_told_or_read(folder):
    """Without `verify`, whatever byte it is: nothing is read outside of the file."""
    path = folder / "a" / "terms.arrow"
    whole = path.read_bytes()
    told = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        try:
            terms = list(InvertedIndex.open(folder).terms)
        except CorruptFileError:
            told += 1
        else:
            assert len(terms) == 4
    assert told > 100


@pytest.mark.parametrize(("name", "code"), [("document_rank", 2), ("term_table", 4)])
@pytest.mark.parametrize("wrong", [None, -5])
def test_codes_that_are_none_are_told(folder, name, code, wrong):
    path = folder / "a" / f"{name}.npy"
    codes = np.load(path)
    codes[0] = code if wrong is None else wrong
    np.save(path, codes)
    with pytest.raises(CorruptFileError, match=name):
        InvertedIndex.open(folder)


KILLED = """
import os, pathlib, sys
from plackett.data.texts import Corpus
from plackett.retrievers import InvertedIndex
from plackett.retrievers.analysis import token_kernels
from plackett.retrievers.inverted import build_kernels

target = sys.argv[1]
events = {"open", "os.rename", "os.mkdir", "shutil.rmtree", "os.remove"}

def build(name):
    return InvertedIndex.build(Corpus.from_texts({name: "a"}), target, analyzer=str.split)

def build_and_die(step):
    calls = [0]
    def watch(event, arguments):
        if event in events and target in str(arguments[0]):
            calls[0] += 1
            if calls[0] == step:
                os._exit(9)
    sys.addaudithook(watch)
    build("new")
    os._exit(0)

seen = set()
for step in range(1, 1000):
    if step % 10 == 1:
        build("old")
    child = os.fork()
    if child == 0:
        build_and_die(step)
    _, status = os.waitpid(child, 0)
    index = InvertedIndex.open(target, analyzer=str.split)
    index.verify()
    seen.update(index.document_ids)
    if status == 0:
        break
assert seen == {"old", "new"}, seen
build("next")
assert len(list(pathlib.Path(target).iterdir())) == 2  # the manifest and one generation
print(step)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_build_killed_at_any_step_leaves_the_old_index_or_the_new_one(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path / "index")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20  # files opened, renamed and removed, each of them a step


def test_ctrl_c_leaves_nothing_behind(tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    corpus = Corpus.from_texts({"d": "a"})
    with pytest.raises(KeyboardInterrupt):
        BM25.build(corpus, tmp_path / "new", progress=interrupt)
    assert not (tmp_path / "new").exists()
    BM25.build(corpus, tmp_path / "old")
    before = files_of(tmp_path / "old")
    with pytest.raises(KeyboardInterrupt):
        BM25.build(corpus, tmp_path / "old", progress=interrupt)
    assert files_of(tmp_path / "old") == before


def test_a_build_in_progress_is_not_swept_away(folder):
    other = folder / f"building-{os.getppid()}-00000000"
    other.mkdir()
    (folder / "building-99999999-00000000").mkdir()
    (folder / ".manifest.json.00000000.partial").write_text("")
    BM25.build(Corpus.from_texts({"d": "a"}), folder)
    assert {path.name for path in folder.iterdir()} == {other.name, "manifest.json", "b"}


def test_counts_agree_with_a_counter(tmp_path):
    texts = {f"d{i}": " ".join(f"t{j % (i + 2)}" for j in range(i * 3)) for i in range(40)}
    index = InvertedIndex.build(
        Corpus.from_texts(texts), tmp_path, analyzer="unicode", batch_rows=7
    )
    expected = Counter(word for text in texts.values() for word in text.split())
    assert dict(zip(index.terms, index.collection_frequency.tolist(), strict=True)) == expected
    assert repr(index) == "InvertedIndex(40 documents, 41 terms, fields text)"
