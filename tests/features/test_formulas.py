"""Every feature equals its formula, written naively over strings."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.features import FeatureSet, get, names
from plackett.retrievers.inverted import InvertedIndex

FIELDS = ("title", "text")
K1, B = 1.2, 0.75


class Naive:
    """The collection as lists of strings; one method a feature, straight from the formulas."""

    def __init__(self, documents, candidates, query):
        self.fields = [[field.split() for field in document] for document in documents]
        self.candidates = candidates
        everything = [list(chain.from_iterable(parts)) for parts in self.fields]
        self.everything = everything
        self.N = len(documents)
        self.cf = Counter(t for d in everything for t in d)
        self.df = Counter(t for d in everything for t in set(d))
        self.C = sum(self.cf.values())
        self.sequence = [t for t in query.split() if t in self.cf]
        self.q = Counter(self.sequence)

    def idf(self, t):
        return math.log(1 + (self.N - self.df[t] + 0.5) / (self.df[t] + 0.5))

    def tokens(self, d, f):
        return self.everything[d] if f is None else self.fields[d][f]

    def mean_length(self, f):
        return sum(len(self.tokens(d, f)) for d in range(self.N)) / self.N

    def K(self, d, f=None):
        return K1 * (1 - B + B * len(self.tokens(d, f)) / max(self.mean_length(f), 1e-12))

    def impact(self, t, d, f=None):
        tf = self.tokens(d, f).count(t)
        return self.idf(t) * tf / (tf + self.K(d, f))

    def bm25(self, d, f=None):
        return sum(n * self.impact(t, d, f) for t, n in self.q.items())

    def ql_dirichlet(self, d, f=None):
        mu, dl = 1000, len(self.tokens(d, f))
        return sum(
            n
            * (
                math.log(1 + self.tokens(d, f).count(t) / (mu * self.cf[t] / self.C))
                + math.log(mu / (dl + mu))
            )
            for t, n in self.q.items()
        )

    def share(self, t, d, f):
        tokens = self.tokens(d, f)
        return tokens.count(t) / len(tokens) if tokens else 0.0

    def ql_jelinek_mercer(self, d, f=None):
        lam = 0.4
        return sum(
            n * math.log(1 + (1 - lam) * self.share(t, d, f) / (lam * self.cf[t] / self.C))
            for t, n in self.q.items()
        )

    def dph(self, d, f=None):
        total, avgdl = 0.0, self.mean_length(f)
        for t, n in self.q.items():
            tf, dl = self.tokens(d, f).count(t), len(self.tokens(d, f))
            if tf:
                r = min(tf / dl, 0.99999)
                information = tf * math.log2(tf * avgdl / dl * self.N / self.cf[t])
                information += 0.5 * math.log2(2 * math.pi * tf * (1 - r))
                total += n * (1 - r) ** 2 / (tf + 1) * information
        return total

    def tfn(self, t, d, f):
        dl = max(len(self.tokens(d, f)), 1)
        return self.tokens(d, f).count(t) * math.log2(1 + self.mean_length(f) / dl)

    def pl2(self, d, f=None):
        total = 0.0
        for t, n in self.q.items():
            x, F = self.tfn(t, d, f), self.cf[t] / self.N
            if x:
                value = x * math.log2(1 / F) + F * math.log2(math.e)
                value += 0.5 * math.log2(2 * math.pi * x) + x * (math.log2(x) - math.log2(math.e))
                total += n / (x + 1) * value
        return total

    def inl2(self, d, f=None):
        return sum(
            n * x / (x + 1) * math.log2((self.N + 1) / (self.df[t] + 0.5))
            for t, n in self.q.items()
            for x in [self.tfn(t, d, f)]
        )

    def cosine(self, d):
        tf = Counter(self.everything[d])
        query = {t: (1 + math.log(n)) * math.log(self.N / self.df[t]) for t, n in self.q.items()}
        lengths = math.sqrt(sum((1 + math.log(n)) ** 2 for n in tf.values()))
        lengths *= math.sqrt(sum(w * w for w in query.values()))
        product = sum((1 + math.log(tf[t])) * w for t, w in query.items() if tf[t])
        return product / lengths if lengths else 0.0

    def counts(self, d, f):
        return [self.tokens(d, f).count(t) for t in self.q] or [0]

    def coverage(self, d, f=None):
        return float(np.mean(np.array(self.counts(d, f)) > 0))

    def idf_coverage(self, d, f=None):
        mass = sum(self.idf(t) for t in self.q)
        return sum(self.idf(t) for t in self.q if t in self.tokens(d, f)) / mass if mass else 0.0

    def tf_sum(self, d, f=None):
        return sum(self.counts(d, f))

    def tf_min(self, d, f=None):
        return min(self.counts(d, f))

    def tf_max(self, d, f=None):
        return max(self.counts(d, f))

    def tf_mean(self, d, f=None):
        return float(np.mean(self.counts(d, f)))

    def tf_variance(self, d, f=None):
        return float(np.var(self.counts(d, f)))

    def tf_share(self, d, f=None):
        return float(np.mean([self.share(t, d, f) for t in self.q] or [0]))

    def share_values(self, d, f):
        return [self.share(t, d, f) for t in self.q] or [0]

    def tf_share_sum(self, d, f=None):
        return sum(self.share_values(d, f))

    def tf_share_min(self, d, f=None):
        return min(self.share_values(d, f))

    def tf_share_max(self, d, f=None):
        return max(self.share_values(d, f))

    def tf_share_variance(self, d, f=None):
        return float(np.var(self.share_values(d, f)))

    def tf_idf_values(self, d, f):
        rarity = {t: math.log(self.N / self.df[t]) for t in self.q}
        return [self.tokens(d, f).count(t) * rarity[t] for t in self.q] or [0]

    def tf_idf_sum(self, d, f=None):
        return sum(self.tf_idf_values(d, f))

    def tf_idf_min(self, d, f=None):
        return min(self.tf_idf_values(d, f))

    def tf_idf_max(self, d, f=None):
        return max(self.tf_idf_values(d, f))

    def tf_idf_mean(self, d, f=None):
        return float(np.mean(self.tf_idf_values(d, f)))

    def tf_idf_variance(self, d, f=None):
        return float(np.var(self.tf_idf_values(d, f)))

    def covered_terms(self, d, f=None):
        return sum(t in self.tokens(d, f) for t in self.q)

    def all_terms(self, d, f=None):
        return float(bool(self.q) and all(t in self.tokens(d, f) for t in self.q))

    def length(self, d, f=None):
        return len(self.tokens(d, f))

    def log_length(self, d, f=None):
        return math.log(1 + len(self.tokens(d, f)))

    def pairs(self):
        return dict.fromkeys((a, b) for a, b in pairwise(self.sequence) if a != b)

    def ordered_pairs(self, d):
        total = 0.0
        for a, b in self.pairs():
            n = sum((x, y) == (a, b) for part in self.fields[d] for x, y in pairwise(part))
            total += min(self.idf(a), self.idf(b)) * math.log(1 + n)
        return total

    def unordered_pairs(self, d):
        total = 0.0
        for a, b in self.pairs():
            n = 0
            for part in self.fields[d]:
                last = {}
                for position, token in enumerate(part):
                    if token in (a, b):
                        last[token] = position
                        if len(last) == 2 and abs(last[a] - last[b]) + 1 <= 8:
                            n, last = n + 1, {}
            total += min(self.idf(a), self.idf(b)) * math.log(1 + n)
        return total

    def pair_likelihood(self, d, count):
        """f of SDM summed over the query's adjacent pairs, by how often a field has a pair."""
        mu, total = 2500, 0.0
        for pair in pairwise(self.sequence):
            counts = [sum(count(part, *pair) for part in fields) for fields in self.fields]
            if pair[0] != pair[1] and sum(counts):
                total += math.log(1 + counts[d] / (mu * sum(counts) / self.C))
                total += math.log(mu / (len(self.everything[d]) + mu))
        return total

    def sdm_ordered(self, d):
        return self.pair_likelihood(d, lambda part, *ab: sum(p == ab for p in pairwise(part)))

    def sdm_unordered(self, d):
        def count(part, a, b):
            n, last = 0, {}
            for position, token in enumerate(part):
                if token in (a, b):
                    last[token] = position
                    if len(last) == 2 and abs(last[a] - last[b]) + 1 <= 8:
                        n, last = n + 1, {}
            return n

        return self.pair_likelihood(d, count)

    def sdm(self, d):
        mu, dl, terms = 2500, len(self.everything[d]), 0.0
        for t, n in self.q.items():
            tf = self.everything[d].count(t)
            terms += n * math.log(1 + tf / (mu * self.cf[t] / self.C))
            terms += n * math.log(mu / (dl + mu))
        return 0.85 * terms + 0.1 * self.sdm_ordered(d) + 0.05 * self.sdm_unordered(d)

    def term_proximity(self, d):
        acc = Counter()
        for part in self.fields[d]:
            hits = [(i, t) for i, t in enumerate(part) if t in self.q]
            for (i, t), (j, u) in pairwise(hits):
                if t != u:
                    acc[t] += self.idf(u) / (j - i) ** 2
                    acc[u] += self.idf(t) / (j - i) ** 2
        return sum(min(1, self.idf(t)) * x / (x + self.K(d)) for t, x in acc.items())

    def window_coverage(self, d):
        best = 0.0
        for part in self.fields[d]:
            for i in range(len(part)):
                inside = set(part[i : i + 20]) & set(self.q)
                best = max(best, sum(self.idf(t) for t in inside))
        mass = sum(self.idf(t) for t in self.q)
        return best / mass if mass else 0.0

    def phrase(self, d):
        n, longest = len(self.sequence), 0
        for part in self.fields[d]:
            for i in range(n):
                for j in range(i + 1, n + 1):
                    piece = self.sequence[i:j]
                    if any(part[k : k + j - i] == piece for k in range(len(part))):
                        longest = max(longest, j - i)
        return longest / n if n else 0.0

    def span_density(self, d):
        most, best = 1, 0.0
        for part in self.fields[d]:
            has = set(part) & set(self.q)
            if len(has) < max(most, 2):
                continue
            widths = [
                j - i
                for i in range(len(part))
                for j in range(i + 1, len(part) + 1)
                if has <= set(part[i:j])
            ]
            value = len(has) / min(widths)
            best = max(best, value) if len(has) == most else value
            most = len(has)
        return best

    def exact_match(self, d, f=None):
        parts = self.fields[d] if f is None else [self.tokens(d, f)]
        return float(bool(self.sequence) and any(list(part) == self.sequence for part in parts))

    def first_position(self, d):
        tokens = self.everything[d]
        return next((i / len(tokens) for i, t in enumerate(tokens) if t in self.q), 1.0)

    def query_length(self, d):
        return len(self.sequence)

    def query_idf(self, d):
        return float(np.mean([self.idf(t) for t in self.q] or [0]))

    def weights(self, many):
        top = self.candidates[:many]
        scores = [self.bm25(d) for d in self.candidates[:10]]
        weights = scores if sum(scores) else [1.0] * len(scores)
        return dict(zip(top, weights, strict=False))

    def vector(self, d):
        raw = {
            t: (1 + math.log(n)) * math.log(self.N / self.df[t])
            for t, n in Counter(self.everything[d]).items()
        }
        return _unit(raw)

    def rm3(self, d):
        model = Counter()
        for e, weight in self.weights(10).items():
            kept = [t for t in self.everything[e] if self.df[t] <= self.N / 10]
            for t in kept:
                model[t] += weight / len(kept)
        mass = sum(model.values())
        expanded = sum(w / mass * self.impact(t, d) for t, w in model.items()) if mass else 0.0
        return 0.5 * self.bm25(d) / max(len(self.sequence), 1) + 0.5 * expanded

    def centroid(self, d, many):
        total = Counter()
        for e, weight in self.weights(many).items():
            for t, x in self.vector(e).items():
                total[t] += weight * x
        return _dot(self.vector(d), _unit(total))

    def centroid_5(self, d):
        return self.centroid(d, 5)

    def centroid_10(self, d):
        return self.centroid(d, 10)

    def top_similarity(self, d):
        others = {e: w for e, w in self.weights(5).items() if e != d}
        mass = sum(others.values())
        if mass <= 1e-9:
            return 0.0
        return sum(w * _dot(self.vector(d), self.vector(e)) for e, w in others.items()) / mass

    def neighbour_bm25(self, d):
        def of(e):
            return _unit({t: self.impact(t, e) for t in set(self.everything[e])})

        near = sorted(((_dot(of(d), of(e)), e) for e in self.candidates if e != d), reverse=True)
        # More than ten candidates could tie at the tenth place; the tests have fewer than that.
        near = [(s, e) for s, e in near[:10] if s > 0]
        mass = sum(s for s, _ in near)
        return sum(s * self.bm25(e) for s, e in near) / mass if mass else 0.0

    def bm25_with(self, d, k1, b):
        total, tokens = 0.0, self.everything[d]
        for t, n in self.q.items():
            K = k1 * (1 - b + b * len(tokens) / max(self.mean_length(None), 1e-12))
            total += n * self.idf(t) * tokens.count(t) / (tokens.count(t) + K)
        return total

    def bm25_k04_b03(self, d):
        return self.bm25_with(d, 0.4, 0.3)

    def bm25_k09_b04(self, d):
        return self.bm25_with(d, 0.9, 0.4)

    def bm25_k25_b08(self, d):
        return self.bm25_with(d, 2.5, 0.8)

    def missing_idf(self, d):
        return max([self.idf(t) for t in self.q if t not in self.everything[d]], default=0.0)

    def matched_idf(self, d):
        return max([self.idf(t) for t in self.q if t in self.everything[d]], default=0.0)

    def idf_squared_coverage(self, d):
        mass = sum(self.idf(t) ** 2 for t in self.q)
        found = sum(self.idf(t) ** 2 for t in self.q if t in self.everything[d])
        return found / mass if mass else 0.0

    def rarest(self, d, count):
        if not self.q:
            return 0.0
        least = sorted((self.idf(t) for t in self.q), reverse=True)[:count][-1]
        rare = [t for t in self.q if self.idf(t) >= least]
        return sum(t in self.everything[d] for t in rare) / len(rare)

    def rarest_1(self, d):
        return self.rarest(d, 1)

    def rarest_2(self, d):
        return self.rarest(d, 2)

    def rarest_3(self, d):
        return self.rarest(d, 3)

    def query_share(self, d, f=None):
        distinct = set(self.tokens(d, f))
        mass = sum(self.idf(t) for t in distinct)
        return sum(self.idf(t) for t in distinct & set(self.q)) / mass if mass else 0.0

    def passage(self, d, length):
        best = 0.0
        for part in self.fields[d]:
            for i in range(len(part)):
                counts = Counter(t for t in part[i : i + length] if t in self.q)
                best = max(best, sum(self.idf(t) * c / (c + 0.6) for t, c in counts.items()))
        return best

    def passage_30(self, d):
        return self.passage(d, 30)

    def passage_50(self, d):
        return self.passage(d, 50)

    def passage_100(self, d):
        return self.passage(d, 100)

    def near(self, d, e):
        """cos(d, e) of vectors of BM25 weights; 0 for itself."""
        if d == e:
            return 0.0
        of = [{t: self.impact(t, x) for t in set(self.everything[x])} for x in (d, e)]
        return _dot(_unit(of[0]), _unit(of[1]))

    def similarity_1(self, d):
        return self.near(d, self.candidates[0])

    def similarity_2(self, d):
        return self.near(d, self.candidates[1]) if len(self.candidates) > 1 else 0.0

    def similarity_3(self, d):
        return self.near(d, self.candidates[2]) if len(self.candidates) > 2 else 0.0

    def nearest_of_5(self, d):
        return max(self.near(d, e) for e in self.candidates[:5])

    def similarity_30(self, d):
        weights = {e: w for e, w in self.weights(30).items() if e != d}
        mass = sum(weights.values())
        return sum(w * self.near(d, e) for e, w in weights.items()) / mass if mass > 1e-9 else 0.0

    def mean_similarity(self, d):
        others = len(self.candidates) - 1
        return sum(self.near(d, e) for e in self.candidates) / others if others else 0.0

    def diffused_bm25(self, d):
        near = {x: {e: self.near(x, e) for e in self.candidates} for x in self.candidates}
        own = {x: self.bm25(x) for x in self.candidates}
        now = own
        for _ in range(5):
            before, now = now, {}
            for x in self.candidates:
                mass = sum(near[x].values())
                flow = sum(w * before[e] for e, w in near[x].items()) / mass if mass else 0.0
                now[x] = 0.5 * own[x] + 0.5 * flow
        return now[d]

    def rm3_wide(self, d):
        return self.rm3(d)  # that of the top 20 with 50 terms; the tests have at most 10 and 8

    def bo1(self, d):
        top = self.candidates[:5]
        merged = Counter(chain.from_iterable(self.everything[e] for e in top))
        weights = {}
        for t, f in merged.items():
            if sum(t in self.everything[e] for e in top) >= min(2, len(top)):
                p = self.cf[t] / self.N
                weights[t] = f * math.log2((1 + p) / p) + math.log2(1 + p)
        most = max(weights.values(), default=1.0)
        expanded = sum(w / most * self.impact(t, d) for t, w in weights.items())
        return self.bm25(d) / max(self.q.values(), default=1) + expanded


def _unit(vector):
    length = math.sqrt(sum(x * x for x in vector.values()))
    return {t: x / length for t, x in vector.items()} if length else {}


def _dot(a, b):
    return sum(x * b[t] for t, x in a.items() if t in b)


INDEX_FEATURES = [name for name in names() if not name.startswith("run_")]
FIELD_FEATURES = [f"title.{name}" for name in INDEX_FEATURES if get(name).by_field]

words = st.lists(st.sampled_from(list("abcdefgh")), max_size=12).map(" ".join)


@settings(max_examples=50, deadline=None)
@given(
    documents=st.lists(st.tuples(words, words), min_size=1, max_size=10),
    query=st.lists(st.sampled_from(["a", "b", "c", "d", "unknown"]), max_size=6).map(" ".join),
    data=st.data(),
)
def test_every_feature_equals_its_formula(documents, query, data):
    order = data.draw(st.permutations(range(len(documents))))
    candidates = order[: data.draw(st.integers(1, len(order)))]
    records = [{"id": str(i), "title": a, "text": b} for i, (a, b) in enumerate(documents)]
    with tempfile.TemporaryDirectory() as folder:
        index = InvertedIndex.build(
            Corpus.from_records(records), Path(folder) / "index", analyzer=str.split
        )
        run = Run.from_dict({"q": {str(d): -float(i) for i, d in enumerate(candidates)}})
        found = FeatureSet.of([*INDEX_FEATURES, *FIELD_FEATURES], index).extract(
            run, queries=Queries.from_texts({"q": query})
        )
    naive = Naive(documents, candidates, query)
    for column, name in enumerate(found.feature_names):
        field, _, feature = name.rpartition(".")
        extra = (FIELDS.index(field),) if field else ()
        expected = [getattr(naive, feature)(d, *extra) for d in candidates]
        np.testing.assert_allclose(found.X[:, column], expected, rtol=2e-5, atol=2e-6, err_msg=name)


def test_the_reference_covers_every_feature():
    assert set(INDEX_FEATURES) <= set(vars(Naive))


def _one(index, run, name):
    return FeatureSet.of([name], index).extract(run).X[:, 0]


def test_pairs_of_the_sequential_dependence_card(build_index, make_run):
    """Document "a b c a c b", query "a b": #1 = 1, #uw8 = 2 (Metzler and Croft)."""
    index = build_index({"text": ["a b c a c b", "a", "b"]})
    run = make_run({"q": "a b"}, {"q": ["d0"]})
    idf = math.log(1 + (3 - 2 + 0.5) / 2.5)
    assert _one(index, run, "ordered_pairs")[0] == pytest.approx(idf * math.log(2), rel=1e-6)
    assert _one(index, run, "unordered_pairs")[0] == pytest.approx(idf * math.log(3), rel=1e-6)


def test_letor_statistics_of_the_card(build_index, make_run):
    """Query a b, length 4, tf 2 and 0: ratio .5, sum 2, min 0, max 2, mean 1, variance 1."""
    index = build_index({"text": ["a a c c", "b"]})
    run = make_run({"q": "a b"}, {"q": ["d0"]})
    columns = ["coverage", "tf_sum", "tf_min", "tf_max", "tf_mean", "tf_variance", "tf_share"]
    found = FeatureSet.of(columns, index).extract(run).X[0]
    np.testing.assert_allclose(found, [0.5, 2, 0, 2, 1, 1, 0.25])


def test_query_likelihood_and_dfr_of_the_cards(build_index, make_run):
    """Dirichlet: mu 1000, p .01, tf 2, dl 4 gives .178330. DPH, PL2 and InL2: N 1000, F 50, tf 3,
    dl 100, avgdl 120 give 4.847054, 4.113690 and (df 40) 3.578682."""
    filler = " ".join(["x"] * 98)
    index = build_index({"text": ["a a y y", filler + " z z", " ".join(["x"] * 96)]})
    run = make_run({"q": "a"}, {"q": ["d0"]})
    assert _one(index, run, "ql_dirichlet")[0] == pytest.approx(0.178330, abs=1e-6)
    texts = ["a a a " + " ".join(["x"] * 97)]
    texts += ["a a " + " ".join(["x"] * 118)] * 8 + ["a " + " ".join(["x"] * 119)] * 31
    texts += [" ".join(["x"] * 120)] * 959 + [" ".join(["x"] * 140)]
    index = build_index({"text": texts})
    run = make_run({"q": "a"}, {"q": ["d0"]})
    assert index.document_frequency[0] == 40
    assert index.collection_frequency[0] == 50
    assert _one(index, run, "dph")[0] == pytest.approx(4.847054, abs=1e-5)
    assert _one(index, run, "pl2")[0] == pytest.approx(4.113690, abs=1e-5)
    assert _one(index, run, "inl2")[0] == pytest.approx(3.578682, abs=1e-5)


def test_a_document_of_one_term_alone_has_a_finite_dph(build_index, make_run):
    index = build_index({"text": ["a a a", "b"]})
    assert np.isfinite(_one(index, make_run({"q": "a"}, {"q": ["d0"]}), "dph")).all()
