"""Paired tests, Tukey's tests, corrections, intervals, effects and power, against mathematics."""

from __future__ import annotations

import inspect
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.metrics.bootstrap import bootstrap_interval, bootstrap_means
from plackett.metrics.corrections import CORRECTIONS, get_correction
from plackett.metrics.effects import (
    cliffs_delta,
    cohens_d,
    detectable_difference,
    power_of_t_test,
    sample_size,
    standardised_mean_difference,
    win_rate,
    wins_ties_losses,
)
from plackett.metrics.significance import (
    PAIRED_TESTS,
    get_test,
    paired_differences,
    randomisation_test,
    t_test,
    wilcoxon_test,
)
from plackett.metrics.tukey import randomised_tukey_hsd, tukey_hsd

GENERATOR = np.random.default_rng(7)
FIRST = GENERATOR.beta(2, 2, 40)
SECOND = np.clip(FIRST + GENERATOR.normal(0.05, 0.2, 40), 0, 1)

# Grades on a coarse grid, so that ties and zeros are common.
pairs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12).map(
    lambda rows: np.array(rows, float).T / 6
)
p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def enumerated(first, second, statistic):
    """The share of all sign patterns with a statistic at least as extreme."""
    differences = first - second
    observed = statistic(differences)
    patterns = itertools.product((-1, 1), repeat=len(differences))
    extreme = [statistic(differences * np.array(signs)) >= observed - 1e-9 for signs in patterns]
    return float(np.mean(extreme))


def rank_imbalance(differences):
    kept = differences[np.abs(differences) > 1e-12]
    if not len(kept):
        return 0.0
    ranks = stats.rankdata(np.round(np.abs(kept), 9))
    return abs(float(ranks[kept > 0].sum() - ranks[kept < 0].sum()))


@pytest.mark.parametrize("name", sorted(PAIRED_TESTS))
class TestEveryPairedTest:
    @settings(max_examples=25, deadline=None)
    @given(values=pairs, seed=st.integers(0, 100))
    def test_symmetry_and_query_order(self, name, values, seed):
        test = get_test(name).function
        first, second = values
        p = test(first, second, permutations=200, seed=3).p_value
        order = np.random.default_rng(seed).permutation(len(first))
        assert 0 <= p <= 1
        assert test(second, first, permutations=200, seed=3).p_value == pytest.approx(p)
        shuffled = test(first[order], second[order], permutations=200, seed=3).p_value
        assert shuffled == pytest.approx(p)

    def test_no_difference_at_all(self, name):
        assert get_test(name).function(FIRST, FIRST).p_value == 1.0

    def test_one_query_proves_nothing(self, name):
        assert get_test(name).function([1.0], [0.0]).p_value == 1.0

    def test_the_same_difference_everywhere_is_no_chance(self, name):
        result = get_test(name).function(FIRST + 1, FIRST)
        assert result.p_value < 1e-4

    def test_rounding_errors_are_no_differences(self, name):
        assert get_test(name).function([0.1 + 0.2] * 5, [0.3] * 5).p_value == 1.0

    @pytest.mark.parametrize(
        ("first", "second"),
        [([1.0, 2.0], [1.0]), ([], []), ([[1.0]], [[1.0]]), ([np.nan], [0.0]), ([np.inf], [0.0])],
    )
    def test_bad_values(self, name, first, second):
        with pytest.raises(DataError):
            get_test(name).function(first, second)


def test_unknown_names_list_the_known():
    with pytest.raises(UnknownNameError, match="wilcoxon"):
        get_test("wilcox")
    with pytest.raises(UnknownNameError, match="did you mean 'holm'"):
        get_correction("hol")


def test_t_is_scipys():
    expected = stats.ttest_rel(FIRST, SECOND)
    found = t_test(FIRST, SECOND)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-10)


@pytest.mark.parametrize(("n", "method"), [(12, "exact"), (40, "exact"), (150, "approx")])
def test_wilcoxon_is_scipys(n, method):
    generator = np.random.default_rng(n)
    differences = generator.normal(0.1, 1, n)
    expected = stats.wilcoxon(differences, method=method)
    found = wilcoxon_test(differences, np.zeros(n))
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(values=pairs.filter(lambda v: v.shape[1] <= 9))
def test_wilcoxon_is_exact_with_ties(values):
    expected = enumerated(*values, rank_imbalance)
    assert wilcoxon_test(*values).p_value == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(values=pairs.filter(lambda v: v.shape[1] <= 10))
def test_randomisation_enumerates_small_cases(values):
    expected = enumerated(*values, lambda d: abs(float(d.mean())))
    assert randomisation_test(*values).p_value == pytest.approx(expected)


def test_randomisation_enumerates_more_than_one_byte_of_signs():
    first, second = FIRST[:11], SECOND[:11]
    expected = enumerated(first, second, lambda d: abs(float(d.mean())))
    assert randomisation_test(first, second).p_value == pytest.approx(expected)


def test_drawn_permutations_come_close_to_the_enumeration():
    first, second = FIRST[:16], SECOND[:16]
    exact = randomisation_test(first, second, permutations=2**16).p_value
    drawn = randomisation_test(first, second, permutations=2**16 - 1).p_value
    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=5 * math.sqrt(exact / 2**16))


def test_a_drawn_p_is_never_zero_and_depends_on_the_seed_alone():
    ahead = SECOND + 1
    assert randomisation_test(ahead, SECOND, permutations=999).p_value == 1 / 1000
    one = randomisation_test(FIRST, SECOND, permutations=999, seed=1)
    assert one == randomisation_test(FIRST, SECOND, permutations=999, seed=1)
    assert one != randomisation_test(FIRST, SECOND, permutations=999, seed=2)


@pytest.mark.parametrize("test", [randomisation_test])
def test_permutations_must_be_positive(test):
    with pytest.raises(ConfigurationError, match="permutations"):
        test(FIRST, SECOND, permutations=0)
    with pytest.raises(ConfigurationError, match="permutations"):
        randomised_tukey_hsd([FIRST, SECOND], permutations=0)


class TestTukey:
    TABLE = np.stack([FIRST, SECOND, np.clip(FIRST + 0.1, 0, 1), FIRST[::-1]])

    def test_two_systems_are_the_paired_t_test(self):
        p = tukey_hsd(self.TABLE[:2])
        assert p[0, 1] == pytest.approx(t_test(FIRST, SECOND).p_value, abs=1e-6)

    def test_the_two_way_layout_with_centred_queries(self):
        # With the queries' effects removed the one-way test of scipy has the same residuals, and
        # only its degrees of freedom differ.
        centred = self.TABLE - self.TABLE.mean(axis=0)
        s, q = centred.shape
        residuals = centred - centred.mean(axis=1, keepdims=True)
        error = math.sqrt((residuals**2).sum() / ((s - 1) * (q - 1)) / q)
        distance = abs(centred[0].mean() - centred[2].mean())
        expected = stats.studentized_range.sf(distance / error, s, (s - 1) * (q - 1))
        assert tukey_hsd(self.TABLE)[0, 2] == pytest.approx(expected)
        assert tukey_hsd(self.TABLE)[0, 2] <= stats.tukey_hsd(*self.TABLE).pvalue[0, 2]

    def test_two_systems_randomised_are_the_randomisation_test(self):
        p = randomised_tukey_hsd(self.TABLE[:2], permutations=20_000)[0, 1]
        assert p == pytest.approx(randomisation_test(FIRST, SECOND).p_value, abs=0.01)

    def test_randomised_is_close_to_the_studentised_range(self):
        p = randomised_tukey_hsd(self.TABLE, permutations=5_000, seed=5)
        assert np.abs(p - tukey_hsd(self.TABLE)).max() < 0.05

    @pytest.mark.parametrize(
        "test", [tukey_hsd, lambda table: randomised_tukey_hsd(table, permutations=300)]
    )
    def test_symmetry_and_invariance(self, test):
        p = test(self.TABLE)
        assert np.array_equal(p, p.T)
        assert np.all(np.diag(p) == 1)
        queries = np.random.default_rng(1).permutation(40)
        assert np.allclose(test(self.TABLE[:, queries]), p)
        assert np.allclose(test(self.TABLE[::-1]), p[::-1, ::-1])
        # What a query adds to all systems says nothing about the systems.
        assert np.allclose(tukey_hsd(self.TABLE + queries), tukey_hsd(self.TABLE))

    @pytest.mark.parametrize("test", [tukey_hsd, randomised_tukey_hsd])
    def test_degenerate_tables(self, test):
        assert np.all(test([FIRST, FIRST, FIRST]) == 1)
        assert np.all(test([[0.1], [0.9]]) == 1)
        for bad in ([FIRST], FIRST, [[], []], [[np.nan, 1.0], [1.0, 1.0]]):
            with pytest.raises(DataError):
                test(bad)

    def test_without_any_residual(self):
        p = tukey_hsd([FIRST, FIRST + 0.5, FIRST])
        assert p[0, 1] == 0
        assert p[0, 2] == 1


class TestCorrections:
    @settings(max_examples=40, deadline=None)
    @given(p=p_lists)
    def test_benjamini_hochberg_is_scipys(self, p):
        found = get_correction("benjamini_hochberg").function(p)
        assert np.allclose(found, stats.false_discovery_control(p, method="bh"))

    @settings(max_examples=40, deadline=None)
    @given(p=p_lists, alpha=st.floats(0.001, 0.5))
    def test_holm_rejects_what_its_steps_reject(self, p, alpha):
        rejected = set()
        for step, i in enumerate(np.argsort(p, kind="stable").tolist()):
            if p[i] * (len(p) - step) >= alpha:
                break
            rejected.add(i)
        found = get_correction("holm").function(p)
        assert set(np.flatnonzero(found < alpha).tolist()) == rejected

    @pytest.mark.parametrize("name", sorted(CORRECTIONS))
    @settings(max_examples=25, deadline=None)
    @given(p=p_lists, seed=st.integers(0, 9))
    def test_order_bounds_and_monotony(self, name, p, seed):
        function = get_correction(name).function
        found = function(p)
        order = np.random.default_rng(seed).permutation(len(p))
        assert np.allclose(function(np.array(p)[order]), found[order])
        assert np.all(found >= np.array(p) - 1e-15)
        assert np.all(found <= 1)
        by_size = found[np.argsort(p, kind="stable")]
        assert np.all(np.diff(by_size) >= -1e-15)
        assert np.all(found <= get_correction("bonferroni").function(p) + 1e-15)

    def test_one_p_value_needs_none(self):
        for correction in CORRECTIONS.values():
            assert correction.function([0.03]).tolist() == [0.03]
            assert correction.function([]).tolist() == []

    @pytest.mark.parametrize("bad", [[-0.1], [1.1], [np.nan], [[0.5]]])
    def test_bad_p_values(self, bad):
        with pytest.raises(DataError):
            get_correction("holm").function(bad)


class TestBootstrap:
    @pytest.mark.parametrize("method", ["bca", "percentile"])
    def test_close_to_scipys(self, method):
        # scipy renamed the argument in 1.15.
        name = "rng" if "rng" in inspect.signature(stats.bootstrap).parameters else "random_state"
        seed = {name: np.random.default_rng(0)}
        expected = stats.bootstrap((FIRST**3,), np.mean, method=method, n_resamples=10_000, **seed)
        low, high = bootstrap_interval(FIRST**3, method=method)
        assert low == pytest.approx(expected.confidence_interval.low, abs=0.004)
        assert high == pytest.approx(expected.confidence_interval.high, abs=0.004)

    def test_close_to_the_normal_interval(self):
        values = np.random.default_rng(3).normal(1.0, 2.0, 2_000)
        low, high = bootstrap_interval(values, confidence=0.9)
        half = 1.6449 * values.std(ddof=1) / math.sqrt(2_000)
        assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)

    def test_differences_of_resampled_means_are_resampled_differences(self):
        together = bootstrap_means(np.stack([FIRST, SECOND, FIRST - SECOND]), resamples=50, seed=4)
        assert np.allclose(together[0] - together[1], together[2])
        assert np.allclose(together[:1], bootstrap_means(FIRST, resamples=50, seed=4))

    def test_chunks_do_not_show(self, monkeypatch):
        whole = bootstrap_means(FIRST, resamples=100, seed=2)
        monkeypatch.setattr("plackett.metrics.bootstrap.CHUNK", 7 * 40)
        assert np.allclose(bootstrap_means(FIRST, resamples=100, seed=2), whole)

    def test_constants_and_one_value(self):
        assert bootstrap_interval([0.5] * 9) == (0.5, 0.5)
        assert bootstrap_interval([0.25]) == (0.25, 0.25)

    def test_an_outlier_that_biases_every_resample(self):
        low, high = bootstrap_interval([0.0, 1.0], resamples=1, seed=0)
        assert 0 <= low <= high <= 1

    def test_bad_input(self):
        for values in ([], [np.nan]):
            with pytest.raises(DataError):
                bootstrap_interval(values)
        with pytest.raises(ConfigurationError, match="resamples"):
            bootstrap_interval([1.0], resamples=0)
        with pytest.raises(ConfigurationError, match="confidence"):
            bootstrap_interval([1.0], confidence=95)
        with pytest.raises(ConfigurationError, match="method"):
            bootstrap_interval([1.0], method="normal")


class TestEffects:
    @settings(max_examples=30, deadline=None)
    @given(values=pairs)
    def test_swapping_the_systems(self, values):
        first, second = values
        for effect in (cohens_d, standardised_mean_difference, cliffs_delta):
            assert effect(first, second) == pytest.approx(-effect(second, first))
        assert win_rate(first, second) + win_rate(second, first) == pytest.approx(1)
        assert wins_ties_losses(first, second) == wins_ties_losses(second, first)[::-1]
        assert sum(wins_ties_losses(first, second)) == len(first)

    def test_cohens_d_is_t_over_root_n(self):
        assert cohens_d(FIRST, SECOND) * math.sqrt(40) == pytest.approx(
            t_test(FIRST, SECOND).statistic
        )

    def test_without_spread(self):
        assert cohens_d([1.0, 1.0], [0.0, 0.0]) == math.inf
        assert cohens_d([0.0], [1.0]) == -math.inf
        assert cohens_d([1.0, 1.0], [1.0, 1.0]) == 0
        assert standardised_mean_difference([1.0], [1.0]) == 0

    def test_differences_are_checked(self):
        with pytest.raises(DataError, match="same queries"):
            paired_differences([1.0], [1.0, 2.0])


class TestPower:
    def test_power_is_the_share_of_simulated_rejections(self):
        draws = np.random.default_rng(0).normal(0.5, 1.0, (20_000, 20))
        p = stats.ttest_1samp(draws, 0.0, axis=1).pvalue
        expected = float((p < 0.05).mean())
        assert power_of_t_test(0.5, n=20, sd=1.0) == pytest.approx(expected, abs=0.012)

    @settings(max_examples=25, deadline=None)
    @given(
        n=st.integers(2, 3000),
        sd=st.floats(0.001, 10),
        alpha=st.floats(0.0001, 0.2),
        power=st.floats(0.3, 0.99),
    )
    def test_detectable_is_the_inverse_of_power(self, n, sd, alpha, power):
        difference = detectable_difference(n, sd=sd, alpha=alpha, power=power)
        assert power_of_t_test(difference, n=n, sd=sd, alpha=alpha) == pytest.approx(
            power, abs=1e-6
        )

    @pytest.mark.parametrize("difference", [0.02, 0.1, 0.5, 3.0])
    def test_sample_size_is_the_smallest(self, difference):
        n = sample_size(difference, sd=0.3)
        assert power_of_t_test(difference, n=n, sd=0.3) >= 0.8
        assert n == 2 or power_of_t_test(difference, n=n - 1, sd=0.3) < 0.8

    def test_no_difference_has_power_alpha(self):
        assert power_of_t_test(0.0, n=30, sd=1.0, alpha=0.07) == pytest.approx(0.07)
        assert power_of_t_test(0.0, n=30, sd=0.0, alpha=0.07) == 0.07

    def test_limits(self):
        assert power_of_t_test(1.0, n=1, sd=1.0) == 0
        assert power_of_t_test(1.0, n=5, sd=0.0) == 1
        assert power_of_t_test(100.0, n=500, sd=0.1) == 1
        assert detectable_difference(1, sd=1.0) == math.inf
        assert detectable_difference(9, sd=0.0) == 0
        assert detectable_difference(9, sd=1.0, alpha=0.5, power=0.3) == 0

    def test_bad_parameters(self):
        with pytest.raises(ConfigurationError, match="n = 0"):
            power_of_t_test(0.1, n=0, sd=1.0)
        with pytest.raises(ConfigurationError, match="alpha"):
            detectable_difference(10, sd=1.0, alpha=5)
        with pytest.raises(ConfigurationError, match="difference of 0"):
            sample_size(0.0, sd=1.0)
