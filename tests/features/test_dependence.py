"""Features of pairs of terms: those of the sequential dependence model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from plackett.data.run import Run
from plackett.errors import ConfigurationError
from plackett.features import FeatureSet
from plackett.retrievers.models import SequentialDependence
from plackett.retrievers.models.pairs import PairCounts

SDM = ("sdm", "sdm_ordered", "sdm_unordered")


def test_the_feature_is_the_retrievers_score(small_index: Any, small_run: Run) -> None:
    found = FeatureSet.of(["sdm"], small_index).extract(small_run).X[:, 0]
    run = SequentialDependence(small_index).search(small_run.queries)
    scores = {query: dict(run[query]) for query in run.query_names}
    checked = row = 0
    for query in small_run.query_names:
        for name, _ in small_run[query]:
            if name in scores[query]:  # a document without a term is no result
                assert found[row] == pytest.approx(scores[query][name], rel=1e-5, abs=1e-7)
                checked += 1
            row += 1
    assert checked > 10


def test_pairs_of_the_collection_are_counted_once(
    small_index: Any, small_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = FeatureSet.of(SDM, small_index)
    first = features.extract(small_run).X
    monkeypatch.setattr(PairCounts, "_count", lambda *args: pytest.fail("counted again"))
    np.testing.assert_array_equal(features.extract(small_run).X, first)


def test_threads_change_nothing(small_index: Any, small_run: Run) -> None:
    one, many = (
        FeatureSet.of(SDM, small_index, threads=threads).extract(small_run).X for threads in (1, 3)
    )
    np.testing.assert_array_equal(one, many)


def test_the_full_set_leaves_them_to_who_asks(small_index: Any) -> None:
    assert not set(SDM) & set(FeatureSet.full(small_index).names)


def test_an_index_without_postings_is_refused(
    build_index: Callable[..., Any], make_run: Callable[..., Run]
) -> None:
    index = build_index({"text": ["a b", "b a"]})

    class Forward:
        """All that other features read."""

        def __getattr__(self, name: str) -> Any:
            if name in ("postings_of", "index"):
                raise AttributeError(name)
            return getattr(index, name)

    run = make_run({"q": "a b"}, {"q": ["d0", "d1"]})
    assert FeatureSet.of(["ordered_pairs"], Forward()).extract(run).X.shape == (2, 1)
    with pytest.raises(ConfigurationError, match="Forward"):
        FeatureSet.of(["sdm"], Forward()).extract(run)
