"""Models of terms: the cards' numbers, and each formula written out over a small collection."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plackett import BM25, Corpus, Queries, Run, evaluate
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.retrievers.models import (
    BM25F,
    DPH,
    PL2,
    AbsoluteDiscounting,
    Dirichlet,
    FieldBM25,
    InL2,
    JelinekMercer,
    Lexical,
    LuceneBM25,
    TermModel,
    parse_term_model,
    term_model_names,
)
from plackett.retrievers.models.base import posting_blocks
from plackett.retrievers.models.lucene import coarse_lengths

WORDS = [f"w{i:02d}" for i in range(25)]
Fields = dict[str, list[str]]


def collection() -> dict[str, Fields]:
    """Documents of a title and a text; some have no title, one has nothing."""
    generator = np.random.default_rng(5)
    chances = 1 / np.arange(1, 26)
    chances /= chances.sum()
    documents: dict[str, Fields] = {}
    for i in range(120):
        title = generator.choice(WORDS, generator.integers(0, 4), p=chances).tolist()
        text = generator.choice(WORDS, generator.integers(1, 90), p=chances).tolist()
        documents[f"d{i:03d}"] = {"title": title, "text": text}
    documents["empty"] = {"title": [], "text": []}
    return documents


DOCUMENTS = collection()
TOKENS = {name: [*fields["title"], *fields["text"]] for name, fields in DOCUMENTS.items()}
N = len(TOKENS)
LENGTH = {name: len(tokens) for name, tokens in TOKENS.items()}
TOTAL = sum(LENGTH.values())
MEAN = TOTAL / N
CF = Counter(word for tokens in TOKENS.values() for word in tokens)
DF = Counter(word for tokens in TOKENS.values() for word in set(tokens))
QUERIES = ["w00 w03", "w10 w10 w24", "w20", "w00 w01 w02 w03 w04 unknown", "unknown", ""]


@pytest.fixture(scope="module")
def bm25(tmp_path_factory: pytest.TempPathFactory) -> BM25:
    records = [
        {"id": name, **{field: " ".join(words) for field, words in fields.items()}}
        for name, fields in DOCUMENTS.items()
    ]
    folder = tmp_path_factory.mktemp("index")
    return BM25.build(Corpus.from_records(records), folder, analyzer="whitespace")


def share(word: str) -> float:
    return CF[word] / TOTAL


def dirichlet(word: str, name: str) -> float:
    tf = TOKENS[name].count(word)
    full = math.log((tf + 1000 * share(word)) / (LENGTH[name] + 1000))
    return full - math.log(share(word))


def jelinek_mercer(word: str, name: str) -> float:
    likelihood = TOKENS[name].count(word) / LENGTH[name]
    return math.log((0.9 * likelihood + 0.1 * share(word)) / (0.1 * share(word)))


def absolute(word: str, name: str) -> float:
    tf, distinct = TOKENS[name].count(word), len(set(TOKENS[name]))
    given = 0.7 * distinct * share(word)
    return math.log((max(tf - 0.7, 0) + given) / LENGTH[name]) - math.log(share(word))


def dph(word: str, name: str) -> float:
    tf, dl = TOKENS[name].count(word), LENGTH[name]
    if not tf:
        return 0.0
    r = min(tf / dl, 0.99999)
    inside = tf * math.log2(tf * MEAN / dl * N / CF[word])
    return (1 - r) ** 2 / (tf + 1) * (inside + 0.5 * math.log2(2 * math.pi * tf * (1 - r)))


def normalised(word: str, name: str) -> float:
    return TOKENS[name].count(word) * math.log2(1 + MEAN / max(LENGTH[name], 1))


def pl2(word: str, name: str) -> float:
    tfn, f = normalised(word, name), CF[word] / N
    if not tfn:
        return 0.0
    value = tfn * math.log2(1 / f) + f * math.log2(math.e) + 0.5 * math.log2(2 * math.pi * tfn)
    return (value + tfn * (math.log2(tfn) - math.log2(math.e))) / (tfn + 1)


def inl2(word: str, name: str) -> float:
    tfn = normalised(word, name)
    return tfn / (tfn + 1) * math.log2((N + 1) / (DF[word] + 0.5))


def idf(df: float, n: float) -> float:
    return math.log(1 + (n - df + 0.5) / (df + 0.5))


def coarse(n: int) -> int:
    return int(coarse_lengths(np.array([n]))[0])


def lucene(word: str, name: str) -> float:
    tf = TOKENS[name].count(word)
    norm = 0.9 * (0.6 + 0.4 * coarse(LENGTH[name]) / MEAN)
    return idf(DF[word], N) * tf / (tf + norm) if tf else 0.0


def bm25f(word: str, name: str) -> float:
    x = 0.0
    for field, weight, b in (("title", 3.0, 0.5), ("text", 1.0, 0.75)):
        words = DOCUMENTS[name][field]
        mean = sum(len(fields[field]) for fields in DOCUMENTS.values()) / N
        x += weight * words.count(word) / (1 - b + b * len(words) / mean)
    return idf(DF[word], N) * x / (1.2 + x)


def by_field(word: str, name: str) -> float:
    total = 0.0
    for field, weight in (("title", 2.0), ("text", 1.0)):
        having = [fields[field] for fields in DOCUMENTS.values() if fields[field]]
        df = sum(word in words for words in having)
        mean = sum(map(len, having)) / len(having)
        words = DOCUMENTS[name][field]
        tf = words.count(word)
        if tf:
            norm = 0.9 * (0.6 + 0.4 * coarse(len(words)) / mean)
            total += weight * idf(df, len(having)) * tf / (tf + norm)
    return total


CASES: list[tuple[TermModel, Callable[[str, str], float]]] = [
    (Dirichlet(), dirichlet),
    (JelinekMercer(), jelinek_mercer),
    (AbsoluteDiscounting(), absolute),
    (DPH(), dph),
    (PL2(), pl2),
    (InL2(), inl2),
    (LuceneBM25(), lucene),
    (BM25F({"title": 3.0, "text": 1.0}, b={"title": 0.5}), bm25f),
    (FieldBM25({"title": 2.0, "text": 1.0}), by_field),
]


@pytest.mark.parametrize(
    ("model", "formula"), CASES, ids=lambda value: getattr(value, "__name__", type(value).__name__)
)
@pytest.mark.parametrize("k", [1, 7, 1000])
def test_rankings_are_those_of_the_formula(
    model: TermModel, formula: Callable[[str, str], float], k: int, bm25: BM25
) -> None:
    queries = Queries.from_texts({f"q{i}": text for i, text in enumerate(QUERIES)})
    run = Lexical(bm25, model).search(queries, k)
    matched = model.constants(bm25.index) is None
    for i, text in enumerate(QUERIES):
        words = [word for word in text.split() if word in CF]
        scores = {
            name: sum(formula(word, name) for word in words)
            for name in TOKENS
            if any(word in TOKENS[name] for word in words)
        }
        if matched:  # only sums above 0 are results
            scores = {name: score for name, score in scores.items() if score > 1e-9}
        found = dict(run[f"q{i}"])
        assert len(found) == min(k, len(scores))
        for name, score in found.items():
            assert score == pytest.approx(scores[name], rel=2e-5, abs=2e-5)
        worst = min(found.values(), default=0.0)
        left = [score for name, score in scores.items() if name not in found]
        assert max(left, default=-math.inf) <= worst + 2e-5
        assert list(found.values()) == sorted(found.values(), reverse=True)


@pytest.mark.parametrize(
    ("model", "formula"), CASES, ids=lambda value: getattr(value, "__name__", type(value).__name__)
)
def test_neither_threads_nor_company_change_a_ranking(
    model: TermModel, formula: Callable[[str, str], float], bm25: BM25
) -> None:
    queries = Queries.from_texts({f"q{i}": text for i, text in enumerate(QUERIES)})
    retriever = Lexical(bm25.index, model)
    run = retriever.search(queries, 20)
    assert retriever.search(queries, 20, threads=3).to_dict() == run.to_dict()
    alone = retriever.search(Queries.from_texts({"q1": QUERIES[1]}), 20)
    assert alone["q1"] == run["q1"]
    deeper = retriever.search(queries, 50)
    for i in range(6):  # of equal scores at the cutoff, other documents may be in
        wanted = [score for _, score in deeper[f"q{i}"][:20]]
        assert [score for _, score in run[f"q{i}"]] == wanted
    assert parse_term_model(repr(model)) == model
    assert run.name == type(model).__name__.lower()
    assert run.costs[0].queries == 6


class OnePosting:
    """The index of the card's examples: one term, one document that has it."""

    n_postings, n_tokens = 1, 0
    posting_offsets = np.array([0, 1])
    posting_documents = np.array([0], dtype=np.int32)

    def __init__(self, *, n: int, cf: int, tf: int, dl: int, mean: float, df: int = 1) -> None:
        self.n_documents, self.mean_length = n, mean
        self.collection_frequency = np.array([cf])
        self.document_frequency = np.array([df])
        self.posting_frequencies = np.array([tf])
        self.document_lengths = np.array([dl])


def only_impact(model: TermModel, index: Any) -> float:
    return float(model.impacts(index)[0])


def test_the_numbers_of_the_cards() -> None:
    random: Any = OnePosting(n=1000, cf=50, tf=3, dl=100, mean=120, df=40)
    assert only_impact(DPH(), random) == pytest.approx(4.847054, abs=1e-5)
    assert only_impact(PL2(), random) == pytest.approx(4.113690, abs=1e-5)
    assert only_impact(InL2(), random) == pytest.approx(3.578682, abs=1e-5)
    likely: Any = OnePosting(n=10, cf=10, tf=2, dl=4, mean=4)
    likely.n_tokens = 1000
    constants = Dirichlet().constants(likely)
    assert only_impact(Dirichlet(), likely) + float(constants[0]) == pytest.approx(
        0.178330, abs=1e-5
    )
    assert only_impact(JelinekMercer(), likely) == pytest.approx(6.111467, abs=1e-5)
    full: Any = OnePosting(n=10, cf=4, tf=4, dl=4, mean=4)
    assert math.isfinite(only_impact(DPH(), full))


@pytest.mark.parametrize(
    ("length", "kept"),
    [(0, 0), (23, 23), (39, 39), (40, 40), (41, 40), (57, 56), (100, 96), (1000, 984)],
)
def test_lengths_are_kept_as_lucene_keeps_them(length: int, kept: int) -> None:
    assert coarse(length) == kept


def test_coarse_lengths_never_grow_nor_change_their_order() -> None:
    lengths = np.arange(5_000)
    kept = coarse_lengths(lengths)
    assert (kept <= lengths).all()
    assert (np.diff(kept) >= 0).all()
    assert (kept >= 0.88 * lengths).all()
    np.testing.assert_array_equal(coarse_lengths(kept), kept)


WEIGHTED: dict[str, dict[str, float]] = {
    "q0": {"w00": 2.0, "w03": 0.5},
    "q1": {"w10": 0.25, "w24": 3.0, "unknown": 7.0},
    "q2": {"w20": 1.0, "w01": 0.0},
    "q3": {},
}


@pytest.mark.parametrize(
    ("model", "formula"), CASES, ids=lambda value: getattr(value, "__name__", type(value).__name__)
)
def test_terms_are_weighted(
    model: TermModel, formula: Callable[[str, str], float], bm25: BM25
) -> None:
    retriever = Lexical(bm25, model)
    run = retriever.search_terms(WEIGHTED, 10)
    assert retriever.search_terms(WEIGHTED, 10, threads=2).to_dict() == run.to_dict()
    assert run.name == type(model).__name__.lower()
    for query, asked in WEIGHTED.items():
        words = {word: weight for word, weight in asked.items() if word in CF}
        scores = {
            name: sum(weight * formula(word, name) for word, weight in words.items())
            for name in TOKENS
            if any(weight and word in TOKENS[name] for word, weight in words.items())
        }
        if model.constants(bm25.index) is None:
            scores = {name: score for name, score in scores.items() if score > 1e-9}
        found = dict(run[query])
        assert len(found) == min(10, len(scores))
        for name, score in found.items():
            assert score == pytest.approx(scores[name], rel=2e-5, abs=2e-5)
        left = [score for name, score in scores.items() if name not in found]
        assert max(left, default=-math.inf) <= min(found.values(), default=0.0) + 2e-5


@pytest.mark.parametrize(
    ("model", "formula"), CASES, ids=lambda value: getattr(value, "__name__", type(value).__name__)
)
def test_explanations_add_up(
    model: TermModel, formula: Callable[[str, str], float], bm25: BM25
) -> None:
    text = "w00 w10 w10 w03 unknown"
    retriever = Lexical(bm25, model)
    found = dict(retriever.search(Queries.from_texts({"q": text}))["q"])
    for name in ("d000", "d001", "d050", "d119", "empty"):
        why = retriever.explain(text, name)
        parts = {part.term: part for part in why.terms}
        if name in found:
            assert why.score == found[name]
        assert why.score == pytest.approx(
            sum(part.contribution for part in why.terms), rel=1e-5, abs=1e-5
        )
        assert parts["unknown"].contribution == 0.0
        assert parts["unknown"].document_frequency == 0
        for word, occurrences in (("w00", 1), ("w10", 2), ("w03", 1)):
            part = parts[word]
            assert part.occurrences == occurrences
            assert part.frequency == TOKENS[name].count(word)
            assert part.document_frequency == DF[word]
            if name != "empty":  # no share of an empty document is defined
                wanted = occurrences * formula(word, name)
                assert part.contribution == pytest.approx(wanted, rel=2e-5, abs=2e-5)
    with pytest.raises(DataError, match="d999"):
        retriever.explain(text, "d999")


def test_smoothed_models_give_probabilities(bm25: BM25) -> None:
    for formula in (dirichlet, absolute):
        for name in ("d000", "d050"):
            total = sum(math.exp(formula(word, name)) * share(word) for word in CF)
            assert total == pytest.approx(1.0, abs=1e-9)


def test_postings_come_in_blocks(bm25: BM25, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = DPH().impacts(bm25.index)
    monkeypatch.setattr("plackett.retrievers.models.base._BLOCK", 7)
    assert sum(len(block.tf) for block in posting_blocks(bm25.index)) == bm25.index.n_postings
    np.testing.assert_array_equal(DPH().impacts(bm25.index), whole)
    np.testing.assert_array_equal(
        BM25F().impacts(bm25.index), BM25F({"title": 1.0, "text": 1.0}).impacts(bm25.index)
    )


def test_an_index_without_documents(tmp_path: Path) -> None:
    empty = BM25.build(Corpus.from_texts({}), tmp_path / "i")
    queries = Queries.from_texts({"q": "wing"})
    for model, _ in CASES:
        if not isinstance(model, (BM25F, FieldBM25)):
            assert Lexical(empty, model).search(queries)["q"] == []


def test_what_does_not_fit_is_told(bm25: BM25, tmp_path: Path) -> None:
    assert "BM25F" in term_model_names()
    with pytest.raises(UnknownNameError, match="DPH"):
        Lexical(bm25, "DPI")
    with pytest.raises(UnknownNameError, match="title"):
        Lexical(bm25, BM25F({"titel": 1.0}))
    for make in (
        lambda: Dirichlet(mu=0),
        lambda: JelinekMercer(share=1.0),
        lambda: AbsoluteDiscounting(delta=1.5),
        lambda: PL2(c=0.0),
        lambda: BM25F({"title": -1.0}),
        lambda: FieldBM25(b=2.0),
        lambda: LuceneBM25(k1=-1.0),
    ):
        with pytest.raises(ConfigurationError):
            make()
    without = BM25.build(Corpus.from_texts({"d": "wing"}), tmp_path / "i", forward=False)
    with pytest.raises(ConfigurationError, match="forward"):
        Lexical(without, "BM25F")


def test_a_folder_is_opened(bm25: BM25, tmp_path: Path) -> None:
    retriever = Lexical(bm25.index.folder.parent, "DPH")
    queries = Queries.from_texts({"q": "w10"})
    assert retriever.search(queries).to_dict() == Lexical(bm25, DPH()).search(queries).to_dict()
    assert repr(retriever) == f"Lexical({str(bm25.index.folder.parent)!r}, DPH())"


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("model", "published"), [(LuceneBM25(), 0.679), (FieldBM25(), 0.665)], ids=repr
)
def test_scifact_is_as_published_for_anserini(
    model: TermModel, published: float, shared_data: Path, tmp_path: Path
) -> None:
    from plackett.data.collections import load_collection

    scifact = load_collection(str(shared_data / "scifact"))
    bm25 = BM25.build(scifact.corpus, tmp_path / "i")
    run: Run = Lexical(bm25, model).search(scifact.queries, 100)
    found = evaluate(run, scifact.qrels, "nDCG@10")["nDCG@10"]
    assert float(np.mean(found)) == pytest.approx(published, abs=0.005)
