"""Hostile input to the lexical engine: a clear error, or the answer that a plain reading gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plackett import BM25, Corpus, Queries
from plackett.errors import ConfigurationError, CorruptFileError, DataError, PlackettError
from plackett.retrievers.expansion import KL, RM3, Bo1, Expanded
from plackett.retrievers.living import LiveBM25
from plackett.retrievers.models import (
    BM25F,
    BM25S,
    PL2,
    AbsoluteDiscounting,
    Dirichlet,
    FieldBM25,
    InL2,
    JelinekMercer,
    Lexical,
    LuceneBM25,
)
from plackett.retrievers.sealing import sealed
from plackett.retrievers.syntax import SyntaxSearch, parse_query, suggestions

RECORDS = [
    {"id": "d1", "title": "a wing", "text": "lift of a wing and its flow", "year": 1},
    {"id": "d2", "title": "", "text": "boundary layer of a wing", "year": 2},
    {"id": "d3", "title": "heat", "text": "", "year": 3},
    {"id": "d\x004", "title": "", "text": "heat\x00shield wing", "year": None},
]
QUERIES = Queries.from_texts({"q": 'wing "boundary layer"', "none": "unknown", "empty": ""})


def corpus() -> Corpus:
    return Corpus.from_records(RECORDS)


def build(folder: Path, **options: Any) -> BM25:
    return BM25.build(corpus(), folder, fields=["title", "text"], metadata=["year"], **options)


def build_live(folder: Path) -> LiveBM25:
    first, rest = Corpus.from_records(RECORDS[:2]), Corpus.from_records(RECORDS[2:])
    live = LiveBM25.build(first, folder, fields=["title", "text"], metadata=["year"])
    return live.add(rest)


@pytest.fixture(scope="module")
def bm25(tmp_path_factory: pytest.TempPathFactory) -> BM25:
    return build(tmp_path_factory.mktemp("words") / "index")


WAYS: dict[str, Callable[[BM25], Any]] = {
    "bm25": lambda bm25: bm25,
    "likelihood": lambda bm25: Lexical(bm25, "Dirichlet"),
    "randomness": lambda bm25: Lexical(bm25, "DPH"),
    "bm25s": lambda bm25: Lexical(bm25, "BM25S('bm25+')"),
    "fields": lambda bm25: Lexical(bm25, "BM25F"),
    "expanded": lambda bm25: Expanded(bm25, "RM3(common=1.0)"),
    "signs": SyntaxSearch,
    "living": lambda bm25: build_live(bm25.index.folder.parents[1] / "live"),
}


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A retriever, each of its kind."""
    return WAYS[request.param](build(tmp_path_factory.mktemp("way") / "index"))


WRONG = [np.nan, np.inf, -np.inf, -1.0, "x", 2j, 10**400, [1.0], True]
NUMBERS: dict[str, Callable[[Any], Any]] = {
    "Dirichlet.mu": Dirichlet,
    "JelinekMercer.share": JelinekMercer,
    "AbsoluteDiscounting.delta": AbsoluteDiscounting,
    "PL2.c": PL2,
    "InL2.c": InL2,
    "LuceneBM25.k1": lambda value: LuceneBM25(k1=value),
    "LuceneBM25.b": lambda value: LuceneBM25(b=value),
    "BM25F.weights": BM25F,
    "BM25F.weight": lambda value: BM25F({"title": value}),
    "BM25F.k1": lambda value: BM25F(k1=value),
    "BM25F.b": lambda value: BM25F(b=value),
    "BM25F.b of a field": lambda value: BM25F(b={"title": value}),
    "FieldBM25.weight": lambda value: FieldBM25({"title": value}),
    "FieldBM25.k1": lambda value: FieldBM25(k1=value),
    "BM25S.k1": lambda value: BM25S(k1=value),
    "BM25S.delta": lambda value: BM25S("bm25+", delta=value),
    "RM3.original": lambda value: RM3(original=value),
    "RM3.common": lambda value: RM3(common=value),
    "Bo1.beta": lambda value: Bo1(beta=value),
    "KL.beta": lambda value: KL(beta=value),
}
COUNTS: dict[str, Callable[[Any], Any]] = {
    "RM3.documents": lambda value: RM3(documents=value),
    "RM3.terms": lambda value: RM3(terms=value),
    "RM3.shortest": lambda value: RM3(shortest=value),
    "RM3.longest": lambda value: RM3(longest=value),
    "Bo1.documents": lambda value: Bo1(documents=value),
    "Bo1.terms": lambda value: Bo1(terms=value),
    "Bo1.least": lambda value: Bo1(least=value),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_parameter_that_is_no_number_is_refused(name: str) -> None:
    for value in WRONG:
        with pytest.raises(ConfigurationError):
            NUMBERS[name](value)


@pytest.mark.parametrize("name", COUNTS)
def test_a_parameter_that_is_no_count_is_refused(name: str) -> None:
    for value in [np.nan, np.inf, -1, 2.5, "x", None, True]:
        with pytest.raises(ConfigurationError, match="whole number"):
            COUNTS[name](value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, "x", 10**400, True])
def test_parameters_of_bm25_that_are_no_numbers(value: Any, bm25: BM25, tmp_path: Path) -> None:
    folder = bm25.index.folder.parent
    for name in ("k1", "b"):
        for make in (
            lambda changed: build(tmp_path / "new", **changed),
            lambda changed: BM25.open(folder, **changed),
            lambda changed: bm25.with_parameters(**changed),
            lambda changed: LiveBM25.build(corpus(), tmp_path / "new", **changed),
        ):
            with pytest.raises(ConfigurationError, match=name):
                make({name: value})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "()",
        "DPH(",
        "(" * 5000,
        "x" * 10_000,
        "Nothing()",
        "DPH(3)",
        "Dirichlet(1, 2)",
        "Dirichlet(mu='x')",
        "Dirichlet(nu=1)",
        "Dirichlet(mu=__import__('os'))",
        "BM25S('bm26')",
        "BM25S('lucene', delta=0.7)",
        "BM25F({'titel': 1.0})",
        "BM25F(b={'titel': 0.5})",
        "BM25F(['title'])",
        # What overflows or divides by 0 is no ranking.
        "PL2(c=1e-300)",
        "FieldBM25({'text': 1e300})",
        "BM25S('bm25+', delta=1e300)",
    ],
)
def test_descriptions_that_make_no_model(text: str, bm25: BM25) -> None:
    with pytest.raises(ConfigurationError):
        Lexical(bm25, text)
    with pytest.raises(ConfigurationError):
        Expanded(bm25, text)


@pytest.mark.parametrize(
    "text",
    ["Dirichlet(mu=1e300)", "Dirichlet(mu=1e-300)", "BM25F({'text': 1e300})", "PL2(c=1e300)"],
)
def test_extreme_parameters_give_numbers(text: str, bm25: BM25) -> None:
    for _, score in Lexical(bm25, text).search(QUERIES)["q"]:
        assert np.isfinite(score)


def test_what_no_search_can_be_asked(way: Any) -> None:
    for k in (0, -1, 1.5, np.nan, np.inf, None, "3", True):
        with pytest.raises(ConfigurationError):
            way.search(QUERIES, k)
    for threads in (0, -1, 1.5, None, True):
        with pytest.raises(ConfigurationError):
            way.search(QUERIES, 3, threads=threads)
    for where in ("x", 3, ["a"], {"x": 1}, {1: 2}, {"year": "x"}, {"year": (1, 2, 3)}):
        with pytest.raises(DataError):
            way.search(QUERIES, 3, where=where)
    for queries in ("wing", ["wing"], {"q": "wing"}, None):
        with pytest.raises(DataError, match="Queries"):
            way.search(queries, 3)


def test_a_huge_k_is_all_documents(way: Any) -> None:
    every = way.search(QUERIES, 4).to_dict()
    assert len(every["q"]) >= 3
    assert every["none"] == every["empty"] == {}
    for k in (2**31, 2**63, 10**30, np.int64(5)):
        assert way.search(QUERIES, k).to_dict() == every
    assert len(way.search(Queries.from_texts({}), 3)) == 0


def test_gigantic_queries(way: Any) -> None:
    texts = {
        "words": "wing " * 50_000,
        "distinct": " ".join(f"x{i}" for i in range(10_000)) + " wing",
        "letters": "wing " + "x" * 200_000,
        "blank": " \n\t" * 50_000,
        "short": "wing",
    }
    run = way.search(Queries.from_texts(texts), 10)
    wanted = [name for name, _ in run["short"]]
    assert len(wanted) >= 3
    for name in ("words", "distinct", "letters"):
        assert sorted(document for document, _ in run[name]) == sorted(wanted)
        assert all(np.isfinite(score) for _, score in run[name])
    assert run["blank"] == []


@pytest.mark.parametrize("sign", ['"', "+", "-", "~", "^", "*", "^1", "~2", '"a', "+-", '"^', "a*"])
def test_signs_by_the_thousand(sign: str, bm25: BM25) -> None:
    for text in (sign * 3_000, f"wing {sign * 3_000}", f"{sign * 3_000} wing"):
        run = SyntaxSearch(bm25).search(Queries.from_texts({"q": text}), 3)
        assert all(np.isfinite(score) for _, score in run["q"])


@pytest.mark.parametrize("weight", ["9" * 400, "9" * 38, "1000001", "٩" * 30, "0." + "0" * 400])
def test_weights_of_clauses_stay_numbers(weight: str, bm25: BM25) -> None:
    for text in (f"wing^{weight}", f'"boundary layer"^{weight}', f"wing^{weight} win*^{weight}"):
        assert all(0 <= clause.weight <= 1e6 for clause in parse_query(text))
        run = SyntaxSearch(bm25).search(Queries.from_texts({"q": text}), 3)
        assert all(np.isfinite(score) for _, score in run["q"])


def test_half_a_surrogate_pair_is_told(bm25: BM25, tmp_path: Path) -> None:
    for half in ("\ud800", "wing\udfff"):
        for make in (
            lambda text: Queries.from_texts({"q": text}),
            lambda text: Corpus.from_texts({"d": text}),
            lambda text: Corpus.from_texts({text: "d"}),
            lambda text: Corpus.from_records([{"id": "d", "text": text}]),
            lambda text: bm25.explain("wing", text),
        ):
            with pytest.raises(DataError, match="characters"):
                make(half)
        # Where texts come one by one, half a pair is no letter of a word.
        assert bm25.index.postings(half) == {}
        assert bm25.index.term_code(half) == -1
        assert bm25.explain(half, "d1").score == bm25.explain(half[:-1], "d1").score
        assert suggestions(bm25.index, half) == suggestions(bm25.index, half[:-1])
    (tmp_path / "docs.jsonl").write_text('{"id": "a", "text": "\\ud800 wing"}\n')
    with pytest.raises(DataError):
        BM25.build(tmp_path / "docs.jsonl", tmp_path / "i")
    assert not (tmp_path / "i").exists()


@pytest.mark.parametrize("made", [[None], 3, ["wing", 3], ["\ud800"], None, [b"wing"]], ids=repr)
def test_a_function_that_makes_no_terms(made: Any, tmp_path: Path) -> None:
    for kind in (BM25, LiveBM25):
        with pytest.raises(DataError, match="expected a list of terms"):
            kind.build(corpus(), tmp_path / "i", analyzer=lambda text: made)
        assert not (tmp_path / "i").exists()


def test_a_nul_is_a_character_like_others(way: Any, tmp_path: Path) -> None:
    run = way.search(Queries.from_texts({"q": "heat\x00shield", "one": "shield"}), 10)
    assert run["one"][0][0] == "d\x004"
    assert run["q"][0][0] == "d\x004"
    index = BM25.build(corpus(), tmp_path / "i", fields=["text"], analyzer="whitespace").index
    assert index.postings("heat\x00shield") == {"d\x004": 1}
    assert index.postings("heat") == {}


def test_an_id_that_occurs_twice_is_told(tmp_path: Path) -> None:
    twice = [("a", "wing"), ("b", "lift"), ("a", "wing")]
    file = tmp_path / "docs.jsonl"
    file.write_text("".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in twice))
    for kind in (BM25, LiveBM25):
        for source in (lambda: Corpus.from_texts(twice), lambda: file):
            for rows in (1, 10_000):
                with pytest.raises(DataError, match="a"):
                    kind.build(source(), tmp_path / "i", batch_rows=rows)
                assert not (tmp_path / "i").exists()
    live = LiveBM25.build(Corpus.from_texts({"b": "lift"}), tmp_path / "live")
    with pytest.raises(DataError, match="a"):
        live.add(file)
    assert list(LiveBM25.open(tmp_path / "live", verify=True).document_ids) == ["b"]


def leaves(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every value of a JSON text, folders included."""
    if path:
        yield path
    if isinstance(content, dict | list):
        for key in content if isinstance(content, dict) else range(len(content)):
            yield from leaves(content[key], (*path, key))


def replaced(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The content with another value at a path."""
    if not path:
        return value
    inner = dict(content) if isinstance(content, dict) else list(content)
    inner[path[0]] = replaced(inner[path[0]], path[1:], value)
    return inner


class Disk:
    """An index on disk, and what it answered before it was damaged."""

    def __init__(self, folder: Path, kind: Any) -> None:
        self.folder, self.kind = folder, kind
        self.manifest = folder / "manifest.json"
        self.whole = self.manifest.read_bytes()
        self.before = self.answers(kind.open(folder))

    def answers(self, opened: Any) -> Any:
        within = opened.search(QUERIES, where={"year": (1, 2)}).to_dict()
        return opened.search(QUERIES).to_dict(), within

    def under(self, content: bytes) -> Any:
        """The answers under another manifest; None where it is refused."""
        self.manifest.write_bytes(content)
        try:
            return self.answers(self.kind.open(self.folder))
        except PlackettError:
            return None


@pytest.fixture(params=[BM25, LiveBM25], ids=["fixed", "living"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    (build if request.param is BM25 else build_live)(tmp_path / "index")
    return Disk(tmp_path / "index", request.param)


def test_a_byte_of_the_manifest_that_changes(disk: Disk) -> None:
    whole = disk.whole
    step = 1 + len(whole) // 500
    for place in range(0, len(whole), step):
        flipped = whole[place] ^ (1 << place // step % 8)
        content = whole[:place] + bytes([flipped]) + whole[place + 1 :]
        assert disk.under(content) in (None, disk.before), content
    for place in range(0, len(whole) - 1, 1 + len(whole) // 100):
        disk.manifest.write_bytes(whole[:place])
        with pytest.raises(PlackettError):
            disk.kind.open(disk.folder)


def test_a_value_of_the_manifest_that_is_another(disk: Disk) -> None:
    """Somebody who writes a checksum anew gets another index or an error, and nothing else."""
    content = json.loads(disk.whole)
    for path in leaves(content):
        if "files" not in path[:-1]:
            for value in (None, -1, 10**18, 0.5, "x", [], {}):
                disk.under(json.dumps(sealed(replaced(content, path, value))).encode())


def test_a_file_that_is_cut_or_longer(disk: Disk) -> None:
    files = [path for path in disk.folder.rglob("*") if path.is_file()]
    files = [path for path in files if path != disk.manifest]
    assert len(files) >= 8
    for path in files:
        whole = path.read_bytes()
        if path.name == ".lock":
            continue
        for content in (b"", whole[:1], whole[: len(whole) // 2], whole[:-1], whole + b"\0"):
            path.write_bytes(content)
            with pytest.raises(CorruptFileError, match=path.name):
                disk.kind.open(disk.folder)
        path.unlink()
        with pytest.raises(CorruptFileError, match=path.name):
            disk.kind.open(disk.folder)
        path.write_bytes(whole)
    assert disk.answers(disk.kind.open(disk.folder)) == disk.before


@pytest.mark.parametrize("version", [0, 99, -1, 1.5, "2", None, [], 10**400])
def test_another_version_is_told(disk: Disk, version: Any) -> None:
    content = json.loads(disk.whole)
    disk.manifest.write_text(json.dumps({**content, "version": version}))
    with pytest.raises(CorruptFileError, match="version"):
        disk.kind.open(disk.folder)
