"""Features of the other candidates where lists are longer than what they read, and `full`."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from plackett.features import FeatureSet
from plackett.features.feature_set import SCALED_ALIKE
from plackett.features.neighbours import EXPANSIONS, SIZES

FEW, MANY, NEIGHBOURS, STEPS = SIZES
COLUMNS = ["bm25", "similarity_30", "diffused_bm25", "rm3_wide", "bo1", "nearest_of_5"]


@pytest.fixture(scope="module")
def texts():
    """60 documents of 5 to 40 words out of 300, all of different lengths and words."""
    random = np.random.default_rng(5)
    mass = 1.0 / np.arange(1, 301)
    return [
        " ".join(
            f"w{i}" for i in random.choice(300, size=random.integers(5, 41), p=mass / mass.sum())
        )
        for _ in range(60)
    ]


@pytest.fixture
def found(build_index, make_run, texts):
    """The columns for one query and all documents in order, and the collection in Python."""
    index = build_index({"text": texts})
    run = make_run({"q": "w3 w7 w7 w20"}, {"q": [f"d{row}" for row in range(60)]})
    X = FeatureSet.of(COLUMNS, index, threads=1).extract(run).X.astype(np.float64)
    documents = [Counter(text.split()) for text in texts]
    df = Counter(term for document in documents for term in document)
    idf = {t: math.log(1 + (60 - n + 0.5) / (n + 0.5)) for t, n in df.items()}
    mean = sum(sum(d.values()) for d in documents) / 60
    impacts = [
        {t: idf[t] * n / (n + 1.2 * (0.25 + 0.75 * sum(d.values()) / mean)) for t, n in d.items()}
        for d in documents
    ]
    return dict(zip(COLUMNS, X.T, strict=True)), documents, df, impacts


def cosines(impacts):
    terms = sorted({t for impact in impacts for t in impact})
    matrix = np.array([[impact.get(t, 0.0) for t in terms] for impact in impacts])
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    product = matrix @ matrix.T
    np.fill_diagonal(product, 0.0)
    return product


def test_the_best_are_the_first_of_the_run(found):
    columns, _, _, impacts = found
    near, score = cosines(impacts), columns["bm25"]
    weights = np.tile(np.where(np.arange(60) < MANY, score, 0.0), (60, 1))
    np.fill_diagonal(weights, 0.0)
    expected = (near * weights).sum(axis=1) / weights.sum(axis=1)
    np.testing.assert_allclose(columns["similarity_30"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(columns["nearest_of_5"], near[:, :FEW].max(axis=1), rtol=1e-5)


def test_scores_flow_from_the_nearest_only(found):
    columns, _, _, impacts = found
    near, score = cosines(impacts), columns["bm25"]
    tenth = np.sort(near, axis=1)[:, [-NEIGHBOURS]]
    near = np.where(near >= tenth, near, 0.0)
    flow = score
    for _ in range(STEPS):
        flow = 0.5 * score + 0.5 * (near @ flow) / near.sum(axis=1)
    np.testing.assert_allclose(columns["diffused_bm25"], flow, rtol=1e-5)


def kept(weights, count):
    """The `count` heaviest terms, with those that equal the last."""
    least = sorted(weights.values(), reverse=True)[:count][-1]
    return {t: w for t, w in weights.items() if w >= least * (1 - 1e-12)}


def test_the_expansions_keep_their_heaviest_terms(found):
    columns, documents, df, impacts = found
    score, (n_rm3, terms_rm3, n_bo1, terms_bo1) = columns["bm25"], EXPANSIONS
    model = Counter()
    for document, weight in list(zip(documents, score, strict=True))[:n_rm3]:
        may = {t: n for t, n in document.items() if df[t] <= 6}
        for t, n in may.items():
            model[t] += weight * n / sum(may.values())
    assert len(model) > terms_rm3
    model = kept(model, terms_rm3)
    mass = sum(model.values())
    expected = [
        0.5 * own / 4 + 0.5 * sum(model[t] / mass * x for t, x in impact.items() if t in model)
        for own, impact in zip(score, impacts, strict=True)
    ]
    np.testing.assert_allclose(columns["rm3_wide"], expected, rtol=1e-5)
    top = documents[:n_bo1]
    weights = {}
    for t in {t for document in top for t in document}:
        if sum(t in document for document in top) >= 2:
            p = sum(document[t] for document in documents) / 60
            within = sum(document[t] for document in top)
            weights[t] = within * math.log2((1 + p) / p) + math.log2(1 + p)
    weights = kept(weights, terms_bo1)
    most = max(weights.values())
    expected = [
        own / 2 + sum(weights[t] / most * x for t, x in impact.items() if t in weights)
        for own, impact in zip(score, impacts, strict=True)
    ]
    np.testing.assert_allclose(columns["bo1"], expected, rtol=1e-5)


@pytest.mark.parametrize("normalise", ["query_minmax", "query_zscore"])
def test_the_full_set_leaves_out_what_scaling_makes_equal(small_index, small_run, normalise):
    every, scaled = FeatureSet.full(small_index), FeatureSet.full(small_index, normalise=normalise)
    left_out = set(every.names) - set(scaled.names)
    assert left_out == {
        *SCALED_ALIKE,
        "title.covered_terms",
        "text.covered_terms",
    }
    twins = dict(zip(SCALED_ALIKE, ("coverage", "tf_idf_mean", "tf_share", "tf_mean"), strict=True))
    for name, twin in twins.items():
        pair = FeatureSet.of([name, twin], small_index, normalise=normalise).extract(small_run).X
        np.testing.assert_allclose(pair[:, 0], pair[:, 1], atol=1e-6)
