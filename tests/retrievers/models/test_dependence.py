"""The sequential dependence model: the card's numbers, and the formula written out."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett import BM25, Corpus, Queries
from plackett.errors import ConfigurationError, DataError
from plackett.retrievers import get
from plackett.retrievers.models import Dirichlet, Lexical, SequentialDependence
from plackett.retrievers.models.pairs import PairCounts, adjacent_pairs

Documents = list[tuple[str, ...]]
WINDOW = 8


def build(folder: Path | str, documents: Documents, **options: bool) -> BM25:
    records = [
        {"id": f"d{row:02d}", **{f"f{place}": text for place, text in enumerate(fields)}}
        for row, fields in enumerate(documents)
    ]
    names = [f"f{place}" for place in range(len(documents[0]))]
    corpus = Corpus.from_records(records, fields=names)
    return BM25.build(corpus, folder, analyzer="whitespace", **options)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., BM25]:
    """`make(documents, **options)`: an index over tuples of field texts."""
    made = iter(range(100))
    return lambda documents, **options: build(
        tmp_path / str(next(made)),
        [(text,) if isinstance(text, str) else text for text in documents],
        **options,
    )


def ordered(words: list[str], pair: tuple[str, str]) -> int:
    return sum(neighbours == pair for neighbours in pairwise(words))


def unordered(words: list[str], pair: tuple[str, str], window: int) -> int:
    """As the card says it: the merged positions, swept; what lies within the window is used up."""
    places = sorted((at, word) for at, word in enumerate(words) if word in pair)
    last: dict[str, int] = {}
    count = 0
    for at, word in places:
        last[word] = at
        if len(last) == 2 and max(last.values()) - min(last.values()) + 1 <= window:
            count += 1
            last = {}
    return count


class Naive:
    """The collection as lists of words, and the formula."""

    def __init__(self, documents: Documents, weights, mu: float, window: int) -> None:
        self.fields = [[field.split() for field in fields] for fields in documents]
        self.words = [list(chain.from_iterable(fields)) for fields in self.fields]
        self.tokens = sum(map(len, self.words))
        self.cf = Counter(word for words in self.words for word in words)
        self.weights, self.mu, self.window = weights, mu, window

    def feature(self, counts: list[int], document: int) -> float:
        everywhere = sum(counts)
        if not everywhere:
            return 0.0
        mu, length = self.mu, len(self.words[document])
        full = math.log((counts[document] + mu * everywhere / self.tokens) / (length + mu))
        return full - math.log(everywhere / self.tokens)

    def score(self, query: str, document: int) -> float:
        known = [word for word in query.split() if word in self.cf]
        score = 0.0
        for word in known:
            counts = [words.count(word) for words in self.words]
            score += self.weights[0] * self.feature(counts, document)
        for pair in pairwise(known):
            if pair[0] == pair[1]:
                continue
            side = [sum(ordered(words, pair) for words in fields) for fields in self.fields]
            near = [
                sum(unordered(words, pair, self.window) for words in fields)
                for fields in self.fields
            ]
            score += self.weights[1] * self.feature(side, document)
            score += self.weights[2] * self.feature(near, document)
        return score

    def results(self, query: str) -> set[int]:
        asked = set(query.split())
        return {row for row, words in enumerate(self.words) if asked & set(words)}


def test_counts_of_the_card(make: Callable[..., BM25]) -> None:
    index = make(["a b c a c b"]).index
    a, b = index.term_code("a"), index.term_code("b")
    counts = PairCounts(index, window=8)
    assert counts.of(a, b) == (1, 1, 2, 1)
    assert counts.of(b, a) == (0, 0, 2, 1)  # the order of query terms changes #1, but not #uw


@pytest.mark.parametrize(
    ("words", "window", "side", "near"),
    [
        ("a x x x x x x b", 8, 0, 1),  # 8 tokens
        ("a x x x x x x x b", 8, 0, 0),  # 9
        ("a b", 2, 1, 1),
        ("a x b", 2, 0, 0),
        ("b a", 8, 0, 1),
        ("a a b b", 8, 1, 1),  # the first a and the last b are left alone
        ("a b a b", 8, 2, 2),
        ("a b b a", 8, 1, 2),
        ("b a b", 8, 1, 1),
        ("x", 8, 0, 0),
    ],
)
def test_occurrences_do_not_overlap(
    make: Callable[..., BM25], words: str, window: int, side: int, near: int
) -> None:
    index = make([words, "a", "b"]).index
    counts = PairCounts(index, window=window).of(index.term_code("a"), index.term_code("b"))
    assert counts == (side, side > 0, near, near > 0)


def test_fields_are_not_crossed(make: Callable[..., BM25]) -> None:
    apart = make([("a", "b"), ("b", "a"), ("x y", "y x")])
    code = apart.index.term_code
    counts = PairCounts(apart.index)
    assert counts.of(code("a"), code("b")) == (0, 0, 0, 0)
    assert counts.of(code("x"), code("y")) == (1, 1, 2, 1)
    run = SequentialDependence(apart).search(Queries.from_texts({"q": "a b"}))
    assert [name for name, _ in run["q"]] == ["d01", "d00"]  # equal: ties as trec_eval orders them
    assert run["q"][0][1] == run["q"][1][1]


WORD = st.sampled_from("abcdef")
TEXT = st.lists(WORD, max_size=25).map(" ".join)
QUERY = st.lists(st.sampled_from("abcdefz"), max_size=6).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(
    documents=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=12),
    queries=st.lists(QUERY, min_size=1, max_size=4),
    weights=st.sampled_from([(0.85, 0.1, 0.05), (1.0, 0.0, 0.0), (0.5, 1.0, 2.0)]),
    mu=st.sampled_from([3.0, 2500.0]),
    window=st.integers(2, 9),
    k=st.integers(1, 15),
)
def test_rankings_are_those_of_the_formula(documents, queries, weights, mu, window, k) -> None:
    naive = Naive(documents, weights, mu, window)
    with tempfile.TemporaryDirectory() as folder:
        bm25 = build(folder, documents)
        sdm = SequentialDependence(bm25, weights=weights, mu=mu, window=window)
        asked = Queries.from_texts({f"q{i}": text for i, text in enumerate(queries)})
        run = sdm.search(asked, k)
        assert sdm.search(asked, k, threads=3).to_dict() == run.to_dict()
        for i, text in enumerate(queries):
            scores = {row: naive.score(text, row) for row in naive.results(text)}
            found = run[f"q{i}"]
            assert len(found) == min(k, len(scores))
            for name, score in found:
                assert score == pytest.approx(scores[int(name[1:])], rel=1e-5, abs=1e-5)
            left = [s for row, s in scores.items() if f"d{row:02d}" not in dict(found)]
            assert max(left, default=-math.inf) <= min((s for _, s in found), default=0) + 1e-5
            for name, score in found:
                why = sdm.explain(text, name)
                assert why.score == score
                assert sum(part.contribution for part in why.terms) == pytest.approx(
                    score, rel=1e-5, abs=1e-5
                )


@pytest.fixture(scope="module")
def bm25(tmp_path_factory: pytest.TempPathFactory) -> BM25:
    generator = np.random.default_rng(3)
    words = [f"w{i}" for i in range(30)]
    chances = 1 / np.arange(1, 31)
    documents = [
        (" ".join(generator.choice(words, generator.integers(1, 60), p=chances / chances.sum())),)
        for _ in range(300)
    ]
    return build(tmp_path_factory.mktemp("sdm"), documents)


ASKED = Queries.from_texts({f"q{i}": f"w{i} w{i // 2} w{(i * 7) % 30}" for i in range(150)})


def test_without_pairs_it_is_query_likelihood(bm25: BM25) -> None:
    likelihood = Lexical(bm25, Dirichlet(2500))
    alone = SequentialDependence(likelihood, weights=(1, 0, 0))
    assert alone.first is likelihood
    assert alone.search(ASKED, 20).to_dict() == likelihood.search(ASKED, 20).to_dict()
    one = Queries.from_texts({f"q{i}": f"w{i}" for i in range(30)})
    found = SequentialDependence(bm25).search(one, 20)
    for query, terms in likelihood.search(one, 20).to_dict().items():
        assert found.to_dict()[query] == pytest.approx(
            {name: 0.85 * score for name, score in terms.items()}, rel=1e-6
        )


def test_pairs_change_rankings_and_their_order_matters(bm25: BM25) -> None:
    sdm = SequentialDependence(bm25, weights=(0.3, 0.5, 0.2))
    there, back = Queries.from_texts({"q": "w3 w9"}), Queries.from_texts({"q": "w9 w3"})
    assert sdm.search(there).to_dict() != sdm.search(back).to_dict()
    near = SequentialDependence(sdm.first, weights=(0.3, 0.0, 0.7))
    assert near.first is sdm.first
    assert near.search(there).to_dict() == near.search(back).to_dict()


def test_neither_threads_nor_company_change_a_ranking(bm25: BM25) -> None:
    sdm = SequentialDependence(bm25)
    run = sdm.search(ASKED, 10)  # several parts of queries
    assert sdm.search(ASKED, 10, threads=2).to_dict() == run.to_dict()
    alone = SequentialDependence(bm25).search(Queries.from_texts({"q7": ASKED.text("q7")}), 10)
    assert alone["q7"] == run["q7"]
    assert run.name == "sdm"
    assert run.costs[0].queries == 150


def test_only_the_first_documents_are_looked_into(bm25: BM25) -> None:
    asked = Queries.from_texts({"q": "w5 w9"})
    first = Lexical(bm25, Dirichlet(2500)).search(asked, 7)
    run = SequentialDependence(bm25, depth=7).search(asked, 5)
    assert {name for name, _ in run["q"]} <= {name for name, _ in first["q"]}
    deeper = SequentialDependence(bm25, depth=7).search(asked, 50)
    assert len(deeper["q"]) == 50


def test_pairs_of_the_collection_are_remembered(
    bm25: BM25, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = PairCounts(bm25.index)
    known = counts.of(3, 4)
    monkeypatch.delattr("plackett.retrievers.models.pair_kernels.count_everywhere")
    assert counts.of(3, 4) == known
    assert counts.of(4, 3).unordered == known.unordered


def test_so_many_are_remembered_and_no_more(bm25: BM25, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = PairCounts(bm25.index).of(1, 2)
    monkeypatch.setattr("plackett.retrievers.models.pairs.MOST_REMEMBERED", 0)
    assert PairCounts(bm25.index).of(1, 2) == wanted


def test_adjacent_pairs_are_counted() -> None:
    assert adjacent_pairs([]) == adjacent_pairs([1]) == adjacent_pairs([1, 1]) == {}
    assert adjacent_pairs([1, 2, 1, 2, 2, 3]) == {(1, 2): 2, (2, 1): 1, (2, 3): 1}


def test_an_explanation_names_the_pairs(make: Callable[..., BM25]) -> None:
    sdm = SequentialDependence(make(["a b c a c b", "a", "b a"]))
    why = sdm.explain("a b", "d00")
    parts = {part.term: (part.frequency, part.document_frequency) for part in why.terms}
    assert parts == {"a": (2, 3), "b": (2, 2), "#1(a b)": (1, 1), "#uw8(a b)": (2, 2)}
    with pytest.raises(DataError, match="d9"):
        sdm.explain("a b", "d9")


def test_documents_are_filtered(tmp_path: Path) -> None:
    records = [{"id": f"d{i}", "text": "a b" if i % 2 else "a", "year": 1990 + i} for i in range(9)]
    corpus = Corpus.from_records(records, fields=["text"])
    bm25 = BM25.build(corpus, tmp_path / "i", metadata=["year"], analyzer="whitespace")
    sdm = SequentialDependence(bm25)
    found = sdm.search(Queries.from_texts({"q": "a b"}), where={"year": (1995, None)})["q"]
    assert sorted(name for name, _ in found) == ["d5", "d6", "d7", "d8"]


def test_it_is_made_again_from_its_description(bm25: BM25) -> None:
    sdm = SequentialDependence(bm25, mu=100, window=12, depth=50)
    folder = str(bm25.index.folder.parent)
    assert repr(sdm) == f"SequentialDependence({folder!r}, mu=100.0, window=12, depth=50)"
    assert repr(SequentialDependence(bm25)) == f"SequentialDependence({folder!r})"
    description = sdm.describe()
    again = get(description.pop("retriever")).open(**description)  # type: ignore[attr-defined]
    assert repr(again) == repr(sdm)
    assert again.search(ASKED, 5).to_dict() == sdm.search(ASKED, 5).to_dict()


def test_nothing_to_search(make: Callable[..., BM25]) -> None:
    sdm = SequentialDependence(make(["a b", ""]))
    run = sdm.search(Queries.from_texts({"none": "", "unknown": "y z", "one": "a"}))
    assert [len(run[name]) for name in ("none", "unknown", "one")] == [0, 0, 1]
    assert len(sdm.search(Queries.from_texts({}))) == 0


def test_what_does_not_fit_is_told(bm25: BM25, make: Callable[..., BM25]) -> None:
    for options in (
        {"weights": (1.0, 0.0)},
        {"weights": (0.0, 0.0, 0.0)},
        {"weights": (1.0, -0.1, 0.0)},
        {"weights": (1.0, math.nan, 0.0)},
        {"mu": 0.0},
        {"mu": math.inf},
        {"window": 1},
        {"window": 8.0},
        {"depth": 0},
    ):
        with pytest.raises(ConfigurationError):
            SequentialDependence(bm25, **options)
    with pytest.raises(ConfigurationError, match="forward"):
        SequentialDependence(make(["a b"], forward=False))


@pytest.mark.shared_data
def test_scifact_gains_from_pairs(shared_data: Path, tmp_path: Path) -> None:
    from plackett import evaluate
    from plackett.data.collections import load_collection

    scifact = load_collection(str(shared_data / "scifact"))
    bm25 = BM25.build(scifact.corpus, tmp_path / "i")
    likelihood = Lexical(bm25, Dirichlet(2500))
    alone = evaluate(likelihood.search(scifact.queries, 100), scifact.qrels, "AP")
    with_pairs = evaluate(
        SequentialDependence(likelihood).search(scifact.queries, 100), scifact.qrels, "AP"
    )
    assert float(np.mean(with_pairs["AP"])) > float(np.mean(alone["AP"]))
