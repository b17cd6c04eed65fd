"""The drift report: statistics against their definitions, flags, order, table."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.features.drift import feature_drift


def dataset(columns, queries=None):
    names = list(columns)
    X = np.array([columns[name] for name in names], dtype=np.float32).T
    queries = np.arange(len(X)) // 4 if queries is None else queries
    return RankingDataset(X, np.zeros(len(X)), qid=queries, feature_names=names)


def drawn(seed=0, rows=400, **shift):
    generator = np.random.default_rng(seed)
    return dataset(
        {name: generator.normal(shift.get(name, 0.0), 1.0, rows) for name in ("bm25", "price")}
    )


def one(before, after, **options):
    return feature_drift(dataset({"x": before}), dataset({"x": after}), **options).shifts[0]


values = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=40)


several = st.lists(st.integers(-4, 4).map(float), min_size=2, max_size=40)


@settings(max_examples=80, deadline=None)
@given(before=several, after=several)
def test_kolmogorov_smirnov_is_scipys(before, after):
    found = one(before, after, unit="row")
    expected = stats.ks_2samp(before, after, method="asymp")
    assert found.ks == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(before=values, after=values, bins=st.integers(2, 12))
def test_the_stability_index_is_at_least_0_and_0_for_equal_values(before, after, bins):
    assert one(before, after, bins=bins).psi >= 0
    same = one(before, before, bins=bins)
    assert (same.psi, same.ks, same.shift, same.outside) == (0.0, 0.0, 0.0, 0.0)
    assert same.p_value == 1.0
    assert same.reasons == ()


def test_the_stability_index_of_two_bins():
    """Quantile bins of 0..9 in two are up to 4 and above; after, 2 of 8 rows lie in the first."""
    found = one(np.arange(10.0), [0, 1, 5, 6, 7, 8, 9, 9], bins=2)
    p, q = np.array([5.5, 5.5, 0.5]) / 11.5, np.array([2.5, 6.5, 0.5]) / 9.5
    assert found.psi == pytest.approx(float(((q - p) * np.log(q / p)).sum()), abs=1e-12)


def test_a_value_that_fills_a_bin_has_its_own():
    """Before: 0 in all rows. After, half of them are a little below: all of the index is there."""
    found = one([0.0] * 20, [0.0] * 10 + [-1e-6] * 10)
    p, q = np.array([0.5, 20.5, 0.5, 0.5]) / 22, np.array([10.5, 10.5, 0.5, 0.5]) / 22
    assert found.psi == pytest.approx(float(((q - p) * np.log(q / p)).sum()), abs=1e-12)
    assert "psi" in found.reasons


def test_missing_values_have_a_bin_and_are_flagged():
    nan = np.nan
    found = one([1.0, 2.0, 3.0, 4.0] * 10, [1.0, 2.0, 3.0, nan] * 10)
    assert (found.missing_before, found.missing_after) == (0.0, 0.25)
    assert found.mean_after == 2.0
    assert found.std_after == pytest.approx(np.std([1, 2, 3]))
    assert {"psi", "missing"} <= set(found.reasons)
    gone = one([1.0, 2.0, 3.0, 4.0], [nan] * 4)
    assert (gone.ks, gone.p_value, gone.missing_after) == (1.0, 0.0, 1.0)
    assert math.isnan(gone.mean_after)
    assert math.isnan(gone.shift)
    never = one([nan] * 4, [nan] * 4)
    assert (never.psi, never.ks, never.p_value, never.reasons) == (0.0, 0.0, 1.0, ())


def test_constant_queries_are_counted_whatever_the_order_of_the_rows():
    queries = ["a", "b", "a", "b", "c", "c", "d"]
    before = dataset({"x": [1, 2, 3, 4, 5, 5, 9]}, queries)
    after = dataset({"x": [1, 2, 1, 4, 5, 5, 9]}, queries)
    found = feature_drift(before, after).shifts[0]
    assert found.constant_before == pytest.approx(1 / 3)  # c; d has one row and says nothing
    assert found.constant_after == pytest.approx(2 / 3)
    assert "constant" in found.reasons
    nan = np.nan
    missing = dataset({"x": [nan, 1, nan, nan]}, ["a", "b", "a", "b"])
    assert feature_drift(missing, missing).shifts[0].constant_before == 0.5
    assert feature_drift(dataset({"x": [1]}), dataset({"x": [2]})).shifts[0].constant_after == 0.0


def test_rows_of_a_query_do_not_count_as_independent():
    before, after = drawn(0), drawn(1, price=0.15)
    by_row = {s.feature: s for s in feature_drift(before, after, unit="row").shifts}
    by_query = {s.feature: s for s in feature_drift(before, after).shifts}
    n = round(100 * 100 / 200)
    assert by_query["price"].p_value == pytest.approx(stats.kstwo.sf(by_query["price"].ks, n))
    assert by_row["price"].p_value < by_query["price"].p_value
    assert by_row["price"].ks == by_query["price"].ks


def test_mean_and_shift_are_of_both_deviations():
    found = one([0.0, 2.0], [2.0, 8.0])
    assert (found.mean_before, found.mean_after) == (1.0, 5.0)
    assert (found.std_before, found.std_after) == (1.0, 3.0)
    assert found.shift == pytest.approx(4.0 / math.sqrt(5.0))
    assert found.outside == 0.5
    assert one([1.0, 1.0], [3.0, 3.0]).shift == math.inf
    assert one([1.0, 1.0], [0.0, 0.0]).shift == -math.inf


def test_flagged_features_come_first_and_no_others_are_named():
    report = feature_drift(drawn(0), drawn(1, price=2.0))
    assert report.drifted == ("price",)
    assert report.shifts[0].feature == "price"
    assert set(report.shifts[0].reasons) == {"psi", "ks"}
    assert report.verdict.startswith("1 of 2 features drifted: 400 rows of 100 queries before")
    quiet = feature_drift(drawn(0), drawn(1))
    assert quiet.drifted == ()
    assert quiet.verdict.startswith("No drift: ")


def test_limits_decide_what_is_flagged():
    before, after = drawn(0), drawn(1, price=2.0)
    assert feature_drift(before, after, psi=99.0, ks=1.1).drifted == ()
    assert feature_drift(before, after, psi=99.0).shifts[0].reasons == ("ks",)
    assert feature_drift(before, after, psi=0.0, level=0.0).drifted == ("price", "bm25")


def test_features_are_matched_by_name():
    before = dataset({"a": [1, 2, 3, 4], "b": [5, 6, 7, 8], "old": [0, 0, 0, 0]})
    after = dataset({"b": [5, 6, 7, 8], "new": [1, 1, 1, 1], "a": [1, 2, 3, 4]})
    report = feature_drift(before, after)
    assert {s.feature: s.psi for s in report.shifts} == {"a": 0.0, "b": 0.0}
    assert (report.added, report.removed) == (("new",), ("old",))
    assert "only after: new" in str(report)
    assert "only before: old" in str(report)
    chosen = feature_drift(before, after, names=["b"])
    assert [s.feature for s in chosen.shifts] == ["b"]
    assert chosen.added == ()


def test_table_frame_and_json():
    report = feature_drift(drawn(0), drawn(1, price=2.0))
    lines = str(report).splitlines()
    assert lines[0].split()[:4] == ["feature", "PSI", "KS", "p"]
    assert lines[1].startswith("price")
    assert lines[1].endswith("psi ks")
    assert lines[-1] == report.verdict
    assert report.to_table()[0]["feature"] == "price"
    pytest.importorskip("pandas")
    assert list(report.to_frame()["feature"]) == ["price", "bm25"]
    content = json.loads(report.to_json())
    assert content["drifted"] == ["price"]
    infinite = feature_drift(dataset({"x": [1.0, 1.0]}), dataset({"x": [3.0, 3.0]}))
    assert json.loads(infinite.to_json())["shifts"][0]["shift"] is None


@pytest.mark.parametrize(
    "options", [{"bins": 1}, {"unit": "document"}, {"psi": -1.0}, {"level": math.nan}]
)
def test_limits_outside_their_range_are_refused(options):
    with pytest.raises(ConfigurationError):
        one([1.0, 2.0], [1.0, 2.0], **options)


def test_nothing_to_compare_is_an_error():
    some = dataset({"x": [1.0, 2.0]})
    with pytest.raises(DataError, match="no rows in the second"):
        feature_drift(some, some.take_rows([]))
    with pytest.raises(DataError, match="without a common feature"):
        feature_drift(some, dataset({"y": [1.0, 2.0]}))
    with pytest.raises(UnknownNameError, match="feature of both datasets 'y'"):
        feature_drift(some, some, names=["y"])
