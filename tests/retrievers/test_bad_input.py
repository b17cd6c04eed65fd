"""Bad input to every kind of index: a clear error, and what was there before is still there."""

import json
import resource
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from scipy import sparse

from plackett.data.texts import Corpus, Queries
from plackett.encoders import DenseEncoder, Encoded, SparseEncoder, TokenEncoder, TokenVectors
from plackett.errors import CorruptFileError, DataError
from plackett.retrievers import BM25, Dense, LateInteraction, Sparse
from plackett.retrievers.opening import open_index, verify_folder
from plackett.retrievers.segments.structure import parse_structure

D = 8


class _Hashed:
    """Every word has a vector of its own, drawn from its checksum."""

    identity = "hashed"
    dimension = D

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def rows(self, text: str) -> npt.NDArray[np.float32]:
        words = text.split()[:50]
        drawn = [np.random.default_rng(zlib.crc32(w.encode())).random(D) + 0.1 for w in words]
        return np.array(drawn, dtype=np.float32).reshape(-1, D)

    def encode_all(self, texts: Sequence[str], kind: str = "document") -> Encoded[Any]:
        many = np.array([len(text.split()) > 50 for text in texts], dtype=bool)
        return Encoded(self.made(texts), np.zeros(len(texts), np.int64), many)

    def made(self, texts: Sequence[str]) -> Any:
        raise NotImplementedError


class Vectors(_Hashed, DenseEncoder):
    """Their sum."""

    def made(self, texts: Sequence[str]) -> Any:
        return np.array([self.rows(text).sum(axis=0) for text in texts]).reshape(-1, D)


class Weights(_Hashed, SparseEncoder):
    """Their sum, as weights."""

    def made(self, texts: Sequence[str]) -> Any:
        return sparse.csr_matrix(Vectors().made(texts))


class Tokens(_Hashed, TokenEncoder):
    """Each of them."""

    def made(self, texts: Sequence[str]) -> Any:
        parts = [self.rows(text) for text in texts]
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
        return TokenVectors(np.concatenate([np.zeros((0, D), np.float32), *parts]), offsets)


def dense(n: int, seed: int = 1, d: int = D) -> Any:
    return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def weights(n: int, seed: int = 1, d: int = D) -> Any:
    return sparse.csr_matrix(np.abs(dense(n, seed, d)))


def tokens(n: int, seed: int = 1, d: int = D) -> Any:
    offsets = np.arange(0, 3 * n + 1, 3)
    return TokenVectors(dense(3 * n, seed, d), offsets)


class Kind(NamedTuple):
    """An index of vectors: its class, an encoder, vectors, and how it is searched."""

    retriever: type[Any]
    encoder: Any
    make: Callable[..., Any]
    structure: str | None = None


KINDS = {
    "dense": Kind(Dense, Vectors(), dense),
    "dense, short numbers": Kind(Dense, Vectors(), dense, "ScalarQuantised()"),
    "dense, cut": Kind(Dense, Vectors(), dense, "Cut(4)"),
    "dense, graph": Kind(Dense, Vectors(), dense, "HNSW(links=4)"),
    "dense, binary": Kind(Dense, Vectors(), dense, "BinaryCodes()"),
    "dense, products": Kind(Dense, Vectors(), dense, "ProductQuantised(4)"),
    "sparse": Kind(Sparse, Weights(), weights),
    "sparse, blocks": Kind(Sparse, Weights(), weights, "Seismic()"),
    "multivector": Kind(LateInteraction, Tokens(), tokens),
    "multivector, halves": Kind(LateInteraction, Tokens(), tokens, "HalfMaxSim()"),
    "multivector, centroids": Kind(LateInteraction, Tokens(), tokens, "PLAID()"),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen = KINDS[request.param]
    if chosen.structure and chosen.structure.startswith("HNSW") and find_spec("faiss") is None:
        pytest.skip("the graph needs faiss")
    return chosen


def built(kind: Kind, folder: Path, n: int = 6) -> Any:
    names = [f"d{i}" for i in range(n)]
    return kind.retriever.from_vectors(names, kind.make(n), folder, structure=kind.structure)


def answers(index: Any, queries: Any) -> list[tuple[str, float]]:
    ranking = index.search_vectors(queries, 4)
    names = index.document_ids.strings(ranking.documents).to_pylist()
    return list(zip(names, ranking.scores.tolist(), strict=True))


BIG = "wing " * 200_000
TEXTS = {"empty": "", "blank": " \n\t ", "big": BIG, "one": "x" * 1_000_000, "few": "swept wing"}
ASKED = Queries.from_texts({"words": "swept wing", "empty": "", "unknown": "zyzzyva", "big": BIG})


def test_empty_texts_and_long_ones(kind: Kind, tmp_path: Path) -> None:
    index = kind.retriever.build(
        Corpus.from_texts(TEXTS), tmp_path / "i", encoder=kind.encoder, structure=kind.structure
    )
    run = index.search(ASKED, 10)
    assert run.query_names == list(ASKED.ids)
    assert np.isfinite(run.score).all()
    assert {name for name, _ in run["words"]} >= {"big", "few"}
    assert sum(int(entry.facts["truncated"]) for entry in index.manifest.segments) == 1
    again = index.add(Corpus.from_texts({"empty": "", "more": ""})).merge().search(ASKED, 10)
    assert {name for name, _ in again["words"]} >= {"big", "few"}


def test_words_of_empty_texts_and_long_ones(tmp_path: Path) -> None:
    bm25 = BM25.build(Corpus.from_texts(TEXTS), tmp_path / "i")
    run = bm25.search(ASKED, 10).to_dict()
    assert set(run["words"]) == {"few", "big"}
    assert run["empty"] == run["unknown"] == {}
    assert int(bm25.index.document_lengths.max()) == 200_000
    assert list(run["big"]) == ["big", "few"]


@pytest.mark.parametrize("texts", [{}, {"a": "", "b": "  "}])
def test_nothing_but_empty_texts(kind: Kind, tmp_path: Path, texts: dict[str, str]) -> None:
    corpus = Corpus.from_texts(texts)
    index = kind.retriever.build(
        corpus, tmp_path / "vectors", encoder=kind.encoder, structure=kind.structure
    )
    words = BM25.build(corpus, tmp_path / "words")
    asked = ASKED.select(["words", "empty"])
    for found in (index.search(asked, 5), words.search(asked, 5)):
        assert found.query_names == ["words", "empty"]
        assert np.isfinite(found.score).all()
    assert len(open_index(tmp_path / "vectors", encoder=kind.encoder).document_ids) == len(texts)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(kind: Kind, tmp_path: Path, wrong: float) -> None:
    vectors = kind.make(3, seed=2)
    (vectors.values if isinstance(vectors, TokenVectors) else vectors)[0, 0] = wrong
    with pytest.raises(DataError, match="not finite"):
        kind.retriever.from_vectors(["a", "b", "c"], vectors, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    index = built(kind, tmp_path / "i")
    before = answers(index, kind.make(2, seed=3))
    with pytest.raises(DataError, match="not finite"):
        index.add_vectors(["x", "y", "z"], vectors)
    with pytest.raises(DataError, match="not finite"):
        index.search_vectors(vectors, 2)
    same = kind.retriever.open(tmp_path / "i", verify=True)
    assert answers(same, kind.make(2, seed=3)) == before


def test_vectors_of_zeros_are_vectors(kind: Kind, tmp_path: Path) -> None:
    vectors = kind.make(6)
    inside = vectors.values if isinstance(vectors, TokenVectors) else vectors
    inside[:3] = 0
    index = kind.retriever.from_vectors(
        [f"d{i}" for i in range(6)], vectors, tmp_path / "i", structure=kind.structure
    )
    queries = kind.make(2, seed=3)
    inside = queries.values if isinstance(queries, TokenVectors) else queries
    inside[:] = 0
    ranking = index.search_vectors(queries, 10)
    assert (ranking.scores == 0).all()
    assert np.isfinite(index.search_vectors(kind.make(2, seed=4), 10).scores).all()
    assert len(index) == 6


def test_another_dimension_is_refused(kind: Kind, tmp_path: Path) -> None:
    index = built(kind, tmp_path / "i")
    before = answers(index, kind.make(2, seed=3))
    with pytest.raises(DataError, match=f"expected n x {D}"):
        index.add_vectors(["x"], kind.make(1, d=D + 1))
    with pytest.raises(DataError, match=f"expected n x {D}"):
        index.search_vectors(kind.make(1, d=D - 1), 2)
    assert answers(kind.retriever.open(tmp_path / "i", verify=True), kind.make(2, seed=3)) == before


def with_words(folder: Path) -> None:
    BM25.build(Corpus.from_texts({"a": "swept wing", "b": "wing"}), folder)


MAKERS: dict[str, Callable[[Path], Any]] = {
    "words": with_words,
    **{name: lambda folder, name=name: built(KINDS[name], folder) for name in KINDS},
}


@pytest.fixture(params=MAKERS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An index of some kind."""
    if "graph" in request.param and find_spec("faiss") is None:
        pytest.skip("the graph needs faiss")
    MAKERS[request.param](tmp_path / "index")
    return tmp_path / "index"


@pytest.mark.parametrize("version", [0, 99, "1", None])
def test_another_version_is_told(folder: Path, version: Any) -> None:
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "version": version}))
    with pytest.raises(CorruptFileError, match=r"version .*expected version [12].*build the index"):
        open_index(folder)


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": "x"}'])
def test_a_manifest_that_is_none(folder: Path, damaged: bytes) -> None:
    (folder / "manifest.json").write_bytes(damaged)
    with pytest.raises(CorruptFileError, match="build the index again"):
        open_index(folder)


def test_a_corrupted_block_is_found_in_every_file(folder: Path) -> None:
    verify_folder(folder)
    files = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]
    files = [path for path in files if path.name != "manifest.json"]
    assert len(files) >= 3
    for path in files:
        whole = path.read_bytes()
        for place in {0, len(whole) // 2, len(whole) - 1}:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
            with pytest.raises(CorruptFileError, match=path.name):
                verify_folder(folder)
        path.write_bytes(whole)
    verify_folder(folder)


def test_a_file_that_is_missing_or_cut_is_told_at_once(folder: Path) -> None:
    for path in [path for path in folder.rglob("*.npy") if path.is_file()]:
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(CorruptFileError, match=path.name):
            open_index(folder)
        path.unlink()
        with pytest.raises(CorruptFileError, match=path.name):
            open_index(folder)
        path.write_bytes(whole)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A file that would grow above the limit fails to be written, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def sizes(folder: Path) -> list[int]:
    """Of the files of an index: with a byte less of room each is one that cannot be written."""
    return sorted({path.stat().st_size for path in folder.rglob("*") if path.is_file()} - {0})


def test_a_full_disk_loses_nothing(kind: Kind, tmp_path: Path) -> None:
    folder, names, vectors = tmp_path / "i", [f"d{i}" for i in range(100)], kind.make(100)

    def build(place: Path) -> Any:
        return kind.retriever.from_vectors(names, vectors, place, structure=kind.structure)

    index = build(folder)
    queries = kind.make(3, seed=3)
    before, files = answers(index, queries), sorted(path.name for path in folder.rglob("*"))
    added = [f"x{i}" for i in range(100)]
    for size in sizes(folder):
        for change in (
            lambda: index.add_vectors(added, vectors),
            index.merge,
            lambda: build(folder),
            lambda: build(tmp_path / "new"),
        ):
            room = files_of_at_most(size - 1)
            with room, pytest.raises(OSError, match="no room for the index") as told:
                change()
            assert str(tmp_path) in str(told.value)
            assert sorted(path.name for path in folder.rglob("*")) == files
        same = kind.retriever.open(folder, verify=True)
        assert answers(same, queries) == before
    assert not (tmp_path / "new").exists()
    assert len(index.add_vectors(["x"], kind.make(1))) == 101  # once there is room


def test_a_full_disk_loses_no_words(tmp_path: Path) -> None:
    def corpus(seed: int) -> Corpus:
        drawn = np.random.default_rng(seed).integers(0, 99, (150, 20))
        records = [
            {"id": f"d{i}", "text": " ".join(f"w{j}" for j in row), "year": 1990 + i % 9}
            for i, row in enumerate(drawn)
        ]
        return Corpus.from_records(records)

    asked = Queries.from_texts({"q": "w1 w2 w3"})
    before = BM25.build(corpus(1), tmp_path / "i", metadata=["year"]).search(asked).to_dict()
    for size in sizes(tmp_path / "i"):
        for place in ("i", "new"):
            room = files_of_at_most(size - 1)
            with room, pytest.raises(OSError, match="no room for the index"):
                BM25.build(corpus(1), tmp_path / place, metadata=["year"])
        assert not (tmp_path / "new").exists()
        bm25 = BM25.open(tmp_path / "i")
        bm25.index.verify()
        assert bm25.search(asked).to_dict() == before
        assert {path.name for path in (tmp_path / "i").iterdir()} == {"manifest.json", "a"}
    assert BM25.build(corpus(2), tmp_path / "i").search(asked).to_dict() != before


def test_other_troubles_of_writing_are_told_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="a file"):
        BM25.build(Corpus.from_texts({"a": "wing"}), tmp_path / "file")
    with pytest.raises(OSError, match="Not a directory"):
        BM25.build(Corpus.from_texts({"a": "wing"}), tmp_path / "file" / "inside")


def test_every_structure_is_among_the_kinds() -> None:
    for case in KINDS.values():
        if case.structure is not None:
            assert parse_structure(case.structure).of == case.retriever.vectors.name
