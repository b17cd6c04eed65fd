"""The sets of the public collections equal their formulas, written naively over strings."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plackett as pk
from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.features import FeatureSet, StreamParameters
from plackett.features.streams import FAMILIES
from plackett.retrievers.inverted import InvertedIndex

STREAMS = ("body", "anchor", "title", "url", "whole document")
LETOR_FIRST = {"TF": 1, "IDF": 6, "TF*IDF": 11, "DL": 16, "BM25": 21}
LETOR_FIRST |= {"LMIR.ABS": 26, "LMIR.DIR": 31, "LMIR.JM": 36}


class Naive:
    """One stream of a collection as lists of tokens; the card's formulas, one after the other."""

    def __init__(self, documents, query, given=None):
        self.documents, self.given = documents, given or StreamParameters()
        self.N, self.q = len(documents), Counter(query)
        self.df = Counter(t for d in documents for t in set(d))
        self.cf = Counter(t for d in documents for t in d)
        self.C = sum(self.cf.values())
        self.avgdl = self.C / self.N

    def idf(self, t):
        if not self.df[t]:
            return 0.0
        if self.given.idf == "plain":
            return math.log(self.N / self.df[t])
        return math.log(1 + (self.N - self.df[t] + 0.5) / (self.df[t] + 0.5))

    def summed(self, values):
        return [
            sum(values),
            min(values),
            max(values),
            float(np.mean(values)),
            float(np.var(values)),
        ]

    def row(self, d):
        """The 25 values of MSLR's blocks, in their order."""
        tokens, g = self.documents[d], self.given
        tf, dl = Counter(tokens), len(tokens)
        if not self.q:
            return [0.0, 0.0, dl, *[0.0] * 22]
        covered = sum(tf[t] > 0 for t in self.q)
        counts = [tf[t] for t in self.q]
        return [
            covered,
            covered / len(self.q),
            dl,
            sum(self.idf(t) for t in self.q),
            *self.summed(counts),
            *self.summed([x / dl if dl else 0.0 for x in counts]),
            *self.summed([tf[t] * self.idf(t) for t in self.q]),
            float(covered == len(self.q)),
            self.cosine(tf),
            self.bm25(tf, dl),
            *(
                sum(n * math.log(p) for t, n in self.q.items() if (p := smoothed(t, tf, dl, g)))
                for smoothed in (self.absolute, self.dirichlet, self.jelinek_mercer)
            ),
        ]

    def cosine(self, tf):
        kept = {t: x for t, x in tf.items() if self.given.cosine == "document" or t in self.q}
        product = sum(n * self.idf(t) * tf[t] * self.idf(t) for t, n in self.q.items())
        squares = sum((n * self.idf(t)) ** 2 for t, n in self.q.items())
        squares *= sum((x * self.idf(t)) ** 2 for t, x in kept.items())
        return product / math.sqrt(squares) if squares else 0.0

    def bm25(self, tf, dl):
        g, total = self.given, 0.0
        for t, n in self.q.items():
            if tf[t]:
                part = tf[t] * (g.k1 + 1) / (tf[t] + g.k1 * (1 - g.b + g.b * dl / self.avgdl))
                total += self.idf(t) * part * (g.k3 + 1) * n / (g.k3 + n)
        return total

    def p(self, t):
        return self.cf[t] / self.C if self.C else 0.0

    def absolute(self, t, tf, dl, g):
        if not dl:
            return self.p(t)
        unseen = g.delta * len(+tf) * self.p(t)
        return (max(tf[t] - g.delta, 0) + unseen) / dl if self.p(t) else 0.0

    def dirichlet(self, t, tf, dl, g):
        return (tf[t] + g.mu * self.p(t)) / (dl + g.mu)

    def jelinek_mercer(self, t, tf, dl, g):
        return (1 - g.lam) * (tf[t] / dl if dl else 0.0) + g.lam * self.p(t)


def expected(documents, query, candidates, parameters=None):
    """`[rows, 125]` in MSLR's order; documents as `{stream: text}`."""
    known = {t for document in documents for t in chain(*(x.split() for x in document.values()))}
    sequence = [t for t in query.split() if t in known]
    streams = [[d.get(name, "").split() for d in documents] for name in STREAMS[:4]]
    streams.append([list(chain(*(text.split() for text in d.values()))) for d in documents])
    naive = [Naive(stream, sequence, parameters) for stream in streams]
    rows = [[one.row(d) for one in naive] for d in candidates]
    return np.array(rows).transpose(0, 2, 1).reshape(len(candidates), -1)


def indexed(documents, folder):
    records = [{"id": str(i), **document} for i, document in enumerate(documents)]
    return InvertedIndex.build(Corpus.from_records(records), folder, analyzer=str.split)


def run_of(candidates, query):
    run = Run.from_dict({"q": {str(d): -float(i) for i, d in enumerate(candidates)}})
    return run.replace(queries=Queries.from_texts({"q": query}))


words = st.lists(st.sampled_from(list("abcdefgh")), max_size=12).map(" ".join)
PARAMETERS = st.sampled_from(
    [
        StreamParameters(),
        StreamParameters(idf="smoothed", cosine="document", k3=7.0, k1=1.2, b=0.3),
        StreamParameters(mu=10.0, lam=0.7, delta=0.2, cosine="document"),
    ]
)


@settings(max_examples=40, deadline=None)
@given(
    documents=st.lists(
        st.fixed_dictionaries({"title": words, "text": words, "url": words}),
        min_size=1,
        max_size=8,
    ),
    query=st.lists(st.sampled_from(["a", "b", "c", "d", "unknown"]), max_size=5).map(" ".join),
    parameters=PARAMETERS,
)
def test_every_value_equals_its_formula(documents, query, parameters):
    candidates = list(range(len(documents)))[::-1]
    with tempfile.TemporaryDirectory() as folder:
        index = indexed(documents, Path(folder) / "index")
        run = run_of(candidates, query)
        mslr = FeatureSet.mslr(index, parameters=parameters).extract(run)
        letor = FeatureSet.letor(index, parameters=parameters, normalise="none").extract(run)
    streams = [{"body" if k == "text" else k: v for k, v in d.items()} for d in documents]
    wanted = expected(streams, query, candidates, parameters)
    np.testing.assert_allclose(mslr.X[:, :125], wanted, rtol=2e-5, atol=2e-6)
    assert not mslr.X[:, 125:].any()
    # LETOR's columns are some of MSLR's, in another order.
    families = [int(c) for c in (20, 15, 70, 10, 105, 110, 115, 120)]
    same = np.concatenate([mslr.X[:, c : c + 5] for c in families], axis=1)
    np.testing.assert_array_equal(letor.X[:, :40], same)
    assert not letor.X[:, 40:].any()


def test_the_columns_are_those_of_the_public_files(small_index):
    """The numbers of the cards: 46 and 136 columns, and where each block begins."""
    letor, mslr = FeatureSet.letor(small_index).names, FeatureSet.mslr(small_index).names
    assert (len(letor), len(mslr)) == (46, 136)
    for family, first in LETOR_FIRST.items():
        assert letor[first - 1] == f"{family} of body"
        assert letor[first + 2] == f"{family} of URL"
    assert letor[40:] == (
        "PageRank",
        "Inlink number",
        "Outlink number",
        "Number of slash in URL",
        "Length of URL",
        "Number of child page",
    )
    blocks = {
        1: "covered query term number",
        6: "covered query term ratio",
        11: "stream length",
        16: "IDF",
        21: "sum of term frequency",
        41: "variance of term frequency",
        46: "sum of stream length normalized term frequency",
        71: "sum of tf*idf",
        91: "variance of tf*idf",
        96: "boolean model",
        101: "vector space model",
        106: "BM25",
        111: "LMIR.ABS",
        116: "LMIR.DIR",
        121: "LMIR.JM",
    }
    for first, family in blocks.items():
        assert mslr[first - 1 : first + 4] == tuple(f"{family} of {s}" for s in STREAMS)
    assert mslr[125:128] == ("Number of slash in URL", "Length of URL", "Inlink number")
    assert mslr[135] == "url dwell time"


def test_statistics_of_the_card(tmp_path):
    """Query a b, length 4, tf 2 and 0: covered 1, ratio .5, sum 2, min 0, max 2, mean 1, variance
    1; by length: sum .5, variance .0625."""
    index = indexed([{"body": "a a c c"}, {"body": "b"}], tmp_path / "i")
    features = FeatureSet.mslr(index)
    row = dict(zip(features.names, features.extract(run_of([0], "a b")).X[0].tolist(), strict=True))
    names = ["covered query term number", "covered query term ratio", "stream length"]
    names += [f"{how} of term frequency" for how in ("sum", "min", "max", "mean", "variance")]
    assert [row[f"{name} of body"] for name in names] == [1, 0.5, 4, 2, 0, 2, 1, 1]
    share = "of stream length normalized term frequency of body"
    assert (row[f"sum {share}"], row[f"variance {share}"]) == (0.5, 0.0625)


def test_whole_documents_sum_up_their_streams_and_query_order_does_not_matter(tmp_path):
    documents = [{"title": "a b", "body": "b c a a"}, {"title": "c", "body": ""}]
    features = FeatureSet.mslr(indexed(documents, tmp_path / "i"))
    run = run_of([0, 1], "a c b b")
    found = features.extract(run).X
    sums = [features.names.index(f"sum of term frequency of {s}") for s in STREAMS]
    np.testing.assert_array_equal(found[:, sums[:4]].sum(axis=1), found[:, sums[4]])
    other = features.extract(run, queries=Queries.from_texts({"q": "b c b a"})).X
    np.testing.assert_array_equal(found, other)


def test_language_models_are_distributions(tmp_path):
    """The probabilities of all terms of the collection sum to 1 in every document with tokens."""
    documents = [{"body": "a a b"}, {"body": "c b d d d d"}, {"body": "a"}]
    index = indexed(documents, tmp_path / "i")
    columns = [f"LMIR.{model} of body" for model in ("ABS", "DIR", "JM")]
    features = FeatureSet.mslr(index, names=columns)
    total = sum(np.exp(features.extract(run_of([0, 1, 2], term)).X) for term in "abcd")
    np.testing.assert_allclose(total, 1.0, rtol=1e-5)


def test_a_published_row_has_the_same_relations(tmp_path):
    """The first row of MSLR-WEB10K: in its body three terms occur once each in 156 tokens. There
    the cosine is 1, mean tf/dl is .00641, and BM25 over the idf sum, 12.941469 / 6.931275, is
    3.5 / (1 + 2.5 (.2 + .8 dl/avgdl)) at a mean length of 833 tokens."""
    filler = " ".join(f"x{i}" for i in range(153))
    documents = [{"body": f"a b c {filler}"}, {"body": "a y"}, {"body": "y " * 2340}]
    features = FeatureSet.mslr(indexed(documents, tmp_path / "i"))
    row = dict(
        zip(features.names, features.extract(run_of([0], "a b c")).X[0].tolist(), strict=True)
    )
    assert row["vector space model of body"] == 1.0
    shares = row["mean of stream length normalized term frequency of body"]
    assert shares == pytest.approx(0.00641, abs=5e-6)
    assert row["BM25 of body"] / row["IDF of body"] == pytest.approx(12.941469 / 6.931275, rel=1e-3)


def test_letor_is_scaled_inside_each_query_idf_included(small_index, small_run):
    found = FeatureSet.letor(small_index).extract(small_run)
    assert found.X.min() == 0.0
    assert found.X.max() == 1.0
    idf = [i for i, name in enumerate(found.feature_names) if name.startswith("IDF")]
    assert not found.X[:, idf].any()
    raw = FeatureSet.mslr(small_index, names=["IDF of title"], normalise="query_minmax")
    assert raw.extract(small_run).X.any()  # a feature of the query alone, left as it is


def test_a_stream_of_several_fields(tmp_path):
    documents = [
        {"h1": "a b", "text": "c", "abstract": "a a"},
        {"h1": "", "text": "b", "abstract": "c"},
    ]
    fields = {"title": "h1", "body": ["abstract", "text"]}
    index = indexed(documents, tmp_path / "i")
    found = FeatureSet.mslr(index, fields=fields).extract(run_of([0, 1], "a c")).X
    joined = [{"title": d["h1"], "body": f"{d['text']} {d['abstract']}"} for d in documents]
    np.testing.assert_allclose(
        found[:, :125], expected(joined, "a c", [0, 1]), rtol=2e-5, atol=2e-6
    )


def test_threads_and_queries_side_by_side_change_nothing(small_index, small_run):
    parameters = StreamParameters(cosine="document")
    one = FeatureSet.mslr(small_index, parameters=parameters, threads=1).extract(small_run).X
    many = FeatureSet.mslr(small_index, parameters=parameters, threads=3).extract(small_run).X
    np.testing.assert_array_equal(one, many)
    for segment, query in enumerate(small_run.query_ids):
        features = FeatureSet.mslr(small_index, parameters=parameters)
        alone = features.extract(small_run.select([query])).X
        np.testing.assert_array_equal(alone, one[small_run.query_rows == segment])


@pytest.fixture
def pages(tmp_path):
    corpus = Corpus.from_records(
        [
            {"id": "d1", "title": "a", "address": "http://a.b/c/d", "rank": 0.5, "links": 3},
            {"id": "d2", "title": "a b", "address": None, "rank": None, "links": 1},
        ],
        fields=["title"],
    )
    index = InvertedIndex.build(corpus, tmp_path / "pages", analyzer=str.split)
    run = Run.from_dict({"q": {"d1": 2.0, "d2": 1.0}}).replace(
        queries=Queries.from_texts({"q": "a"}), corpus=corpus
    )
    return index, run


def test_document_features_come_from_columns_functions_or_are_zero(pages, tmp_path):
    index, run = pages

    def clicks(candidates):
        return np.arange(candidates.n_rows)

    columns = {"PageRank": "rank", "Inlink number": "links", "Query-url click count": clicks}
    features = FeatureSet.mslr(index, url="address", columns=columns)
    found = features.extract(run).X[:, 125:]
    nan = np.nan
    expected = [[4, 14, 3, 0, 0.5, 0, 0, 0, 0, 0, 0], [nan, nan, 1, 0, nan, 0, 0, 0, 1, 0, 0]]
    np.testing.assert_allclose(found, expected)
    features.save(tmp_path / "model")
    name = "Query-url click count"
    again = FeatureSet.load(tmp_path / "model", index, functions={name: clicks})
    assert again.schema == features.schema
    np.testing.assert_array_equal(again.extract(run).X, features.extract(run).X)


def test_saved_sets_keep_their_streams_and_constants(small_index, small_run, tmp_path):
    for make in (FeatureSet.letor, FeatureSet.mslr):
        features = make(
            small_index,
            fields={"anchor": "title", "url": ["text"]},
            parameters=StreamParameters(mu=12.0, cosine="document"),
        )
        features.save(tmp_path)
        again = FeatureSet.load(tmp_path, small_index)
        assert again.schema == features.schema
        np.testing.assert_array_equal(again.extract(small_run).X, features.extract(small_run).X)


def test_a_saved_set_over_an_index_without_its_fields(
    small_index, small_run, tmp_path, build_index
):
    FeatureSet.mslr(small_index).save(tmp_path)
    other = build_index({"text": ["a", "b", "c", "d", "e", "f", "g"]})
    with pytest.raises(UnknownNameError, match="field of the index 'title'"):
        FeatureSet.load(tmp_path, other).extract(small_run)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fields": {"head": "title"}}, "stream 'head'"),
        ({"fields": {"body": "txet"}}, "field of the index 'txet'"),
        ({"fields": {"body": "text", "title": ["text"]}}, "in two streams"),
        ({"columns": {"Page rank": "x"}}, "document-level feature of this set 'Page rank'"),
        ({"names": ["BM52 of body"]}, "column of this set 'BM52 of body'"),
        ({"url": "address", "columns": {"Length of URL": "x"}}, "expected one of them"),
    ],
)
def test_what_is_not_there_is_said(small_index, arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        FeatureSet.mslr(small_index, **arguments)


@pytest.mark.parametrize(
    "constants",
    [
        {"k1": -1.0},
        {"b": 1.1},
        {"k3": -0.1},
        {"mu": 0.0},
        {"lam": 1.0},
        {"delta": 0.0},
        {"k1": np.nan},
        {"idf": "log"},
        {"cosine": "both"},
    ],
)
def test_constants_outside_their_range_are_refused(constants):
    with pytest.raises(ConfigurationError):
        StreamParameters(**constants)


def test_a_url_must_be_a_text(pages):
    index, run = pages
    features = FeatureSet.mslr(index, url="links", names=["Length of URL"])
    with pytest.raises(DataError, match="expected texts"):
        features.extract(run)


def test_cranfield_equals_the_formulas(tmp_path):
    """Titles and texts of Cranfield: 20 candidates of 3 queries."""
    _, corpus, queries, _ = pk.load_collection("cranfield")
    index = InvertedIndex.build(corpus, tmp_path / "cranfield", fields=["title", "text"])
    documents = [
        {
            "title": " ".join(index.analyzer(row["title"] or "")),
            "body": " ".join(index.analyzer(row["text"] or "")),
        }
        for row in corpus.table.select(["title", "text"]).to_pylist()
    ]
    chosen = np.random.default_rng(0).choice(len(documents), 20, replace=False).tolist()
    lists = {corpus.ids[d]: -float(i) for i, d in enumerate(chosen)}
    for name, cosine in zip(queries.ids, ("query", "document", "document"), strict=False):
        parameters = StreamParameters(cosine=cosine)
        run = Run.from_dict({name: lists}).replace(queries=queries)
        found = FeatureSet.mslr(index, parameters=parameters).extract(run).X[:, :125]
        query = " ".join(index.analyzer(queries.text(name)))
        wanted = expected(documents, query, chosen, parameters)
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)


def test_the_page_tells_every_formula():
    page = Path(__file__).resolve().parents[2] / "docs" / "features.md"
    if not page.is_file():
        pytest.skip("no documentation beside these tests")
    text = page.read_text(encoding="utf-8").replace("\\", "")
    for family in FAMILIES:
        if " of " not in family.name:  # the five summaries share a row
            assert f"| {family.formula} |" in text, family.name
