"""BM25: the formulas, exact search against brute force, and the public face."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from plackett.data.collections import load_collection
from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.retrievers import BM25, VARIANTS, Weighting, get, names, register
from plackett.retrievers.inverted.impacts import ImpactLists

CARD = {
    "robertson": (None, 0.291900),
    "lucene": (None, 0.560474),
    "atire": (None, 1.381113),
    "bm25l": (0.5, 1.373161),
    "bm25+": (1.0, 3.129064),
}


@pytest.mark.parametrize("variant", CARD)
def test_the_worked_example_of_every_variant(variant):
    delta, expected = CARD[variant]
    weighting = Weighting(variant, k1=1.2, b=0.75)
    assert weighting.delta == delta
    found = weighting.score(tf=2, df=1, dl=4, n_documents=3, mean_length=3.0)
    assert found == pytest.approx(expected, abs=1e-6)
    assert weighting.score(tf=0, df=1, dl=4, n_documents=3, mean_length=3.0) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"k1": -1.0},
        {"b": 1.5},
        {"b": float("nan")},
        {"k1": float("inf")},
        {"k1": "1"},
        {"delta": 1.0},
        {"variant": "bm25+", "delta": -1.0},
    ],
)
def test_parameters_out_of_range(wrong):
    with pytest.raises(ConfigurationError):
        Weighting(**wrong)
    with pytest.raises(UnknownNameError, match="did you mean 'lucene'"):
        Weighting("lucence")


def brute_force(lists, terms, weights, k):
    """The defined answer: all scores in the defined order of addition, then the k best."""
    total = {}
    for term, weight in zip(terms.tolist(), weights, strict=True):
        total[term] = np.float32(total.get(term, np.float32(0)) + weight)
    ordered = sorted(total, key=lambda term: -np.float32(total[term] * lists.upper[term]))
    scores = np.zeros(len(lists.rank), dtype=np.float32)
    for term in ordered:
        rows = slice(lists.offsets[term], lists.offsets[term + 1])
        scores[lists.documents[rows]] += total[term] * lists.impacts[rows]
    best = [d for d in np.lexsort((np.arange(len(scores)), -scores)) if scores[d] > 0][:k]
    best.sort(key=lambda d: (-scores[d], -lists.rank[d]))
    return best, scores[best]


def random_lists(generator, n_documents, n_terms, density, *, levels, negative):
    """Few impact levels make ties; some terms may have negative impacts, as Robertson's."""
    matrix = sparse.random(n_terms, n_documents, density, format="csr", rng=generator)
    matrix.sort_indices()
    impacts = (1 + generator.integers(0, levels, matrix.nnz)).astype(np.float32) / np.float32(7)
    sign = np.where(generator.random(n_terms) < 0.3, -1, 1) if negative else np.ones(n_terms)
    impacts *= np.repeat(sign, np.diff(matrix.indptr)).astype(np.float32)
    return ImpactLists.from_postings(
        offsets=matrix.indptr.astype(np.int64),
        documents=matrix.indices.astype(np.int32),
        impacts=impacts,
        rank=generator.permutation(n_documents).astype(np.int32),
    )


def check_search(lists, generator, n_queries, k, *, weighted=False, threads=1):
    lengths = generator.integers(0, 7, n_queries)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    n_terms = len(lists.upper)
    # A draw that favours low codes, so that terms repeat inside a query.
    terms = (n_terms * generator.random(offsets[-1]) ** 2).astype(np.int32)
    weights = np.ones(len(terms), np.float32)
    if weighted:
        weights = generator.integers(0, 4, len(terms)).astype(np.float32) / np.float32(3)
    found = lists.search(offsets, terms, weights if weighted else None, k=k, threads=threads)
    for query in range(n_queries):
        rows = slice(offsets[query], offsets[query + 1])
        documents, scores = brute_force(lists, terms[rows], weights[rows], k)
        part = slice(found.offsets[query], found.offsets[query + 1])
        assert found.documents[part].tolist() == documents
        assert found.scores[part].tolist() == scores.tolist()  # bit for bit


@given(
    seed=st.integers(0, 2**32),
    n_documents=st.integers(1, 300),
    density=st.floats(0, 1),
    k=st.integers(1, 50),
    levels=st.sampled_from([1, 3, 1000]),
    negative=st.booleans(),
    weighted=st.booleans(),
)
def test_search_is_brute_force(seed, n_documents, density, k, levels, negative, weighted):
    generator = np.random.default_rng(seed)
    lists = random_lists(generator, n_documents, 12, density, levels=levels, negative=negative)
    check_search(lists, generator, 6, k, weighted=weighted)


@pytest.mark.parametrize("k", [1, 10, 100, 1000, 5000])
@pytest.mark.parametrize("levels", [3, 100_000])
@pytest.mark.parametrize("negative", [False, True])
def test_search_is_brute_force_over_many_windows(k, levels, negative, rng):
    parts = [
        random_lists(rng, 200_000, terms, density, levels=levels, negative=negative)
        for terms, density in ((8, 0.1), (20, 0.005), (40, 0.0002))
    ]
    lists = ImpactLists.from_postings(
        offsets=np.concatenate(
            [[0], np.cumsum(np.concatenate([np.diff(part.offsets) for part in parts]))]
        ).astype(np.int64),
        documents=np.concatenate([part.documents for part in parts]),
        impacts=np.concatenate([part.impacts for part in parts]),
        rank=parts[0].rank,
    )
    check_search(lists, rng, 12, k, weighted=True, threads=2)


def test_bounds_are_the_largest_impacts(rng):
    lists = random_lists(rng, 3000, 5, 0.6, levels=5000, negative=False)
    for term in range(5):
        ordered = np.sort(lists.impacts[lists.offsets[term] : lists.offsets[term + 1]])[::-1]
        assert lists.upper[term] == lists.extent[term] == ordered[0]
        exact = ordered[[9, 99, 999]]
        assert (lists.floors[term] <= exact).all()
        assert (lists.floors[term] >= exact - 0.0011 * ordered[0]).all()


def test_bad_searches_are_refused(rng):
    lists = random_lists(rng, 10, 3, 0.5, levels=3, negative=False)
    one = np.array([0, 1])
    term = np.array([0], dtype=np.int32)
    for k, threads in ((0, 1), (True, 1), (1.5, 1), (1, 0)):
        with pytest.raises(ConfigurationError):
            lists.search(one, term, k=k, threads=threads)
    for terms, weights in (([3], None), ([-1], None), ([0], [-1]), ([0], [np.nan]), ([0], [1, 1])):
        with pytest.raises(DataError):
            lists.search(
                one,
                np.array(terms, np.int32),
                None if weights is None else np.array(weights, np.float32),
                k=1,
            )


@pytest.fixture(scope="module")
def cranfield():
    return load_collection("cranfield")


@pytest.fixture(scope="module")
def bm25(cranfield, tmp_path_factory):
    return BM25.build(cranfield.corpus, tmp_path_factory.mktemp("cranfield") / "index")


def independent_scores(index, queries, weighting):
    """BM25 with sparse matrices, from the forward tokens alone."""
    n, v = index.n_documents, index.n_terms
    rows = np.repeat(np.arange(n), index.document_lengths)
    counts = sparse.csr_matrix((np.ones(len(rows)), (rows, index.tokens)), shape=(n, v))
    lengths = np.asarray(counts.sum(axis=1)).ravel()
    df = np.asarray((counts > 0).sum(axis=0)).ravel()
    asked = np.isin(np.arange(v), index.encode_queries(queries.texts())[1])
    coo = (counts @ sparse.diags(asked.astype(float))).tocoo()
    data = [
        weighting.score(
            tf=tf, df=int(df[t]), dl=lengths[d], n_documents=n, mean_length=lengths.mean()
        )
        for d, t, tf in zip(coo.row, coo.col, coo.data, strict=True)
    ]
    weights = sparse.csr_matrix((data, (coo.row, coo.col)), shape=(n, v))
    offsets, terms = index.encode_queries(queries.texts())
    weight = sparse.csr_matrix((np.ones(len(terms)), terms, offsets), shape=(len(queries), v))
    return (weight @ weights.T).toarray()


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_scores_cranfield_as_an_independent_bm25(bm25, cranfield, variant):
    changed = bm25.with_parameters(variant=variant, k1=0.9, b=0.4)
    opened = BM25.open(bm25.index.folder.parent, variant=variant, k1=0.9, b=0.4)
    assert repr(opened) == repr(changed)
    queries = cranfield.queries.select(list(cranfield.queries.ids)[:40])
    run = changed.search(queries, k=2000)
    expected = independent_scores(bm25.index, queries, Weighting(variant, 0.9, 0.4))
    found = np.zeros_like(expected)
    found[run.query_rows, run.document] = run.score
    np.testing.assert_allclose(found, np.maximum(expected, 0), rtol=1e-5, atol=1e-5)
    assert np.array_equal(opened.search(queries, k=2000).score, run.score)


def test_a_run_is_in_order_and_carries_its_links(bm25, cranfield):
    run = bm25.search(cranfield.queries, k=50)
    assert run.queries is cranfield.queries
    assert run.corpus is cranfield.corpus
    assert run.document_ids is cranfield.corpus.ids
    assert run.costs[0].queries == len(run) == len(cranfield.queries)
    assert run.costs[0].documents == len(run.document)
    checked = Run.from_arrays(
        run.query_rows.astype(np.int32),
        run.document,
        run.score,
        query_ids=run.query_ids,
        document_ids=run.document_ids,
        all_queries=True,
    )
    assert np.array_equal(checked.document, run.document)
    assert np.array_equal(checked.offsets, run.offsets)
    for threads in (2, 3):
        again = bm25.search(cranfield.queries, k=50, threads=threads)
        assert np.array_equal(again.document, run.document)
        assert np.array_equal(again.score, run.score)


def test_explanations_add_up(bm25, cranfield):
    run = bm25.search(cranfield.queries, k=5)
    for query in run.query_names[:20]:
        for document, score in run[query]:
            explanation = bm25.explain(cranfield.queries.text(query), document)
            assert explanation.score == score
            for entry in explanation.terms:
                assert (entry.contribution > 0) == (entry.frequency > 0)
    text = str(bm25.explain("flow flow unheardof", "1"))
    assert "in the query 2" in text
    assert "unheardof" in text
    with pytest.raises(DataError, match="'x'"):
        bm25.explain("flow", "x")


def test_repr_opens_the_same_retriever(bm25, cranfield):
    again = eval(repr(bm25), {"BM25": get("bm25")})
    assert repr(again) == repr(bm25)
    assert np.array_equal(
        again.search(cranfield.queries, 10).document, bm25.search(cranfield.queries, 10).document
    )
    plus = bm25.with_parameters(variant="bm25+")
    assert plus.describe()["delta"] == 1.0
    assert plus.with_parameters(delta=0.5).weighting.delta == 0.5
    assert plus.with_parameters(variant="lucene").weighting.delta is None


def test_the_registry():
    assert get("bm25") is BM25
    assert "bm25" in names()
    with pytest.raises(UnknownNameError, match="did you mean 'bm25'"):
        get("bm26")
    with pytest.raises(ConfigurationError, match="exists"):
        register("bm25")(type("Other", (BM25,), {}))
    assert register("bm25")(BM25) is BM25


@pytest.mark.parametrize("texts", [{}, {"d": ""}, {"d": "the of"}, {"d": "", "e": "wing"}])
def test_small_collections(texts, tmp_path):
    bm25 = BM25.build(Corpus.from_texts(texts), tmp_path)
    run = bm25.search(Queries.from_texts({"q1": "wings", "q2": "", "q3": "moon"}), k=10)
    assert run.query_names == ["q1", "q2", "q3"]
    assert {q: list(found) for q, found in run.to_dict().items() if found} == (
        {"q1": ["e"]} if "e" in texts else {}
    )
    assert len(bm25.search(Queries.from_texts({}), k=3)) == 0


def test_a_corpus_that_is_not_the_indexed_one_is_refused(tmp_path):
    corpus = Corpus.from_texts({"d": "wing", "e": "lift"})
    BM25.build(corpus, tmp_path)
    assert BM25.open(tmp_path, corpus=corpus).corpus is corpus
    for other in ({"d": "wing"}, {"e": "wing", "d": "lift"}):
        with pytest.raises(DataError, match="not those of the index"):
            BM25.open(tmp_path, corpus=Corpus.from_texts(other))


def test_queries_need_a_text(bm25):
    with pytest.raises(DataError, match="text"):
        bm25.search(Queries.from_records([{"id": "q", "number": 3}]))
    titled = Queries.from_records([{"id": "q", "title": "flow"}])
    assert len(bm25.search(titled, 3).document) == 3


def test_robertson_ignores_documents_below_zero(tmp_path):
    corpus = Corpus.from_texts({"a": "x y", "b": "x", "c": "x z"})
    bm25 = BM25.build(corpus, tmp_path, variant="robertson", analyzer="unicode")
    assert len(bm25.lists.of_terms(np.array([0], np.int32)).floors) == 0
    run = bm25.search(Queries.from_texts({"q": "x", "r": "x z", "s": "z"}))
    assert run.to_dict()["q"] == {}
    assert list(run.to_dict()["s"]) == ["c"]
    assert run.score.min(initial=1.0) > 0


def ndcg_at_10(run, qrels):
    """nDCG@10 with linear gains, averaged over the judged queries."""
    judged = qrels.to_dict()
    ranked = run.to_dict()
    values = []
    for query, grades in judged.items():
        ideal = sorted((max(grade, 0) for grade in grades.values()), reverse=True)[:10]
        gains = [max(grades.get(document, 0), 0) for document in list(ranked.get(query, {}))[:10]]
        discounts = 1 / np.log2(np.arange(2, 12))
        best = float(np.dot(ideal, discounts[: len(ideal)]))
        values.append(float(np.dot(gains, discounts[: len(gains)])) / best if best else 0.0)
    return float(np.mean(values))


@pytest.mark.shared_data
def test_scifact_figures(shared_data, tmp_path):
    import gzip
    import json

    from plackett.data.qrels import Qrels

    folder = shared_data / "scifact"
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    corpus = Corpus.from_texts([(row["_id"], f"{row['title']} {row['text']}") for row in rows])
    queries = Queries.read(folder / "queries.jsonl")
    judged: dict[str, dict[str, float]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        query, document, grade = line.split("\t")
        judged.setdefault(query, {})[document] = float(grade)
    qrels = Qrels.from_dict(judged)
    stemmed = BM25.build(corpus, tmp_path / "stemmed")
    assert 0.67 <= ndcg_at_10(stemmed.search(queries, 10), qrels) <= 0.69
    plain = BM25.build(corpus, tmp_path / "plain", analyzer="english_unstemmed")
    for bm25 in (plain, plain.with_parameters(k1=0.9, b=0.4)):
        assert 0.6615 <= ndcg_at_10(bm25.search(queries, 10), qrels) <= 0.6675
