"""Compare systems on the same queries: means, intervals, tests, effects, costs, provenance."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.metrics import effects, tukey
from plackett.metrics.base import Measure
from plackett.metrics.bootstrap import bootstrap_means, interval_of_means
from plackett.metrics.comparison_result import (
    Comparison,
    ComparisonSettings,
    Curve,
    Difference,
    MeasureDefinition,
    SystemMean,
    letter,
)
from plackett.metrics.corrections import get_correction
from plackett.metrics.evaluation import Empty, Evaluation, Missing, evaluate
from plackett.metrics.fingerprints import qrels_hash, run_hash, versions
from plackett.metrics.judged import Ties, Unjudged
from plackett.metrics.significance import PAIRED_TESTS, get_test

__all__ = ["compare", "compare_evaluations"]

Values = npt.NDArray[np.float64]

ALL_AT_ONCE = ("tukey", "randomised_tukey")
"""Tests of all systems together, whose p-values need no further correction."""

RESAMPLES = 10_000
POWER = 0.8
CURVE_CUTOFFS = (1, 3, 5, 10, 20, 50, 100)
CURVES = 4


def compare(
    runs: Mapping[str, Run] | Sequence[Run],
    qrels: Qrels,
    measures: str | Measure | Sequence[Measure | str] = "nDCG@10 AP RR@10 R@100",
    *,
    baseline: str | None = None,
    test: str = "t",
    correction: str = "holm",
    alpha: float = 0.05,
    permutations: int = 100_000,
    confidence: float = 0.95,
    seed: int = 0,
    ties: Ties = "trec_eval",
    unjudged: Unjudged = "nonrelevant",
    missing: Missing = "zero",
    empty: Empty = "zero",
) -> Comparison:
    """Evaluate several runs on the same judgments and test their differences.

    Parameters
    ----------
    runs : `{name: run}`, or runs that carry different names.
    baseline : the name every other system is tested against; without one all pairs are tested.
    test : "t", "wilcoxon", "randomisation", "tukey" or "randomised_tukey".
    correction : "holm", "bonferroni", "benjamini_hochberg" or "none", over the pairs tested on one
        measure. Tukey's tests are corrected by themselves.
    alpha : a corrected p-value below it is called significant.
    permutations : draws of the randomisation tests.
    confidence : level of the bootstrap (BCa, 10,000 resamples) intervals.
    ties, unjudged, missing, empty : as `evaluate` takes them; whatever they leave out, every system
        must be left with the same queries.

    Raises
    ------
    UnknownNameError : baseline, test or correction of an unknown name.
    DataError : the systems were not evaluated on the same queries.

    >>> qrels = Qrels.from_dict({"q1": {"a": 1}, "q2": {"b": 1}})
    >>> one = Run.from_dict({"q1": {"a": 2.0, "b": 1.0}, "q2": {"a": 2.0, "b": 1.0}})
    >>> other = Run.from_dict({"q1": {"a": 2.0, "b": 1.0}, "q2": {"a": 1.0, "b": 2.0}})
    >>> found = compare({"one": one, "other": other}, qrels, "RR", baseline="one")
    >>> found.difference("RR", "other").difference
    0.25
    """
    named = _named(runs)

    def evaluated(run: Run, wanted: str | Measure | Sequence[Measure | str]) -> Evaluation:
        return evaluate(
            run, qrels, wanted, ties=ties, unjudged=unjudged, missing=missing, empty=empty
        )

    compared = compare_evaluations(
        {name: evaluated(run, measures) for name, run in named.items()},
        baseline=baseline,
        test=test,
        correction=correction,
        alpha=alpha,
        permutations=permutations,
        confidence=confidence,
        seed=seed,
    )
    names = _curve_measures(compared.measures)
    means = {name: evaluated(run, names).mean for name, run in named.items()} if names else {}
    hashes = {f"sha256 of run {name}": run_hash(run) for name, run in named.items()}
    return replace(
        compared,
        curves=_curves(compared.measures, means),
        costs={name: run.costs for name, run in named.items()},
        query_texts=_query_texts(named, compared.query_ids),
        provenance={**compared.provenance, "sha256 of qrels": qrels_hash(qrels), **hashes},
    )


def compare_evaluations(
    evaluations: Mapping[str, Evaluation],
    *,
    baseline: str | None = None,
    test: str = "t",
    correction: str = "holm",
    alpha: float = 0.05,
    permutations: int = 100_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Test systems that were evaluated already, such as joined folds of a cross-validation.

    All evaluations must hold the same measures and the same queries; their order may differ. The
    parameters are those of `compare`.
    """
    if not evaluations:
        raise ConfigurationError("there is no system to compare; pass at least one.")
    if baseline is not None and baseline not in evaluations:
        raise UnknownNameError("baseline", baseline, evaluations)
    if not 0 < alpha < 1:
        raise ConfigurationError(f"alpha is {alpha}; it must lie between 0 and 1.")
    if test not in ALL_AT_ONCE and test not in PAIRED_TESTS:
        raise UnknownNameError("significance test", test, [*PAIRED_TESTS, *ALL_AT_ONCE])
    get_correction(correction)
    settings = ComparisonSettings(
        test=test,
        correction="none" if test in ALL_AT_ONCE else correction,
        alpha=alpha,
        confidence=confidence,
        permutations=permutations,
        resamples=RESAMPLES,
        seed=seed,
        power=POWER,
        evaluation=_common_options(evaluations),
    )
    measures, query_ids, values = _aligned(evaluations)
    systems = tuple(evaluations)
    pairs = _pairs(systems, baseline)
    means: list[SystemMean] = []
    differences: list[Difference] = []
    resampled = bootstrap_means(
        values.reshape(-1, len(query_ids)), resamples=RESAMPLES, seed=seed
    ).reshape(len(measures), len(systems), -1)
    for row, measure in enumerate(measures):
        found = _differences(measure, systems, pairs, values[row], resampled[row], settings)
        differences += found
        for index, system in enumerate(systems):
            low, high = interval_of_means(
                values[row, index], resampled[row, index], confidence=confidence
            )
            mean = float(values[row, index].mean())
            mark = _mark(system, found, systems, baseline, measure.higher_is_better)
            means.append(SystemMean(measure.name, system, mean, low, high, mark))
    values.flags.writeable = False
    return Comparison(
        systems=systems,
        baseline=baseline,
        measures=measures,
        query_ids=query_ids,
        values=values,
        means=tuple(means),
        differences=tuple(differences),
        settings=settings,
        provenance=versions(),
    )


def _named(runs: Mapping[str, Run] | Sequence[Run]) -> dict[str, Run]:
    if isinstance(runs, Mapping):
        return dict(runs)
    named = {run.name: run for run in runs}
    if len(named) < len(runs):
        raise ConfigurationError(
            f"two runs carry the same name among {', '.join(run.name for run in runs)}; "
            "pass a mapping of names to runs."
        )
    return named


def _common_options(evaluations: Mapping[str, Evaluation]) -> dict[str, str]:
    """How ties, unjudged documents and so on were treated: the same way for every system."""
    first_name, first = next(iter(evaluations.items()))
    for name, evaluation in evaluations.items():
        if dict(evaluation.settings) != dict(first.settings):
            raise DataError(
                f"options {dict(first.settings)} for {first_name!r} and "
                f"{dict(evaluation.settings)} for {name!r}",
                expected="the same options for every system",
            )
    return dict(first.settings)


def _aligned(
    evaluations: Mapping[str, Evaluation],
) -> tuple[tuple[MeasureDefinition, ...], tuple[str, ...], Values]:
    """The measures, the queries, and the values `[measures, systems, queries]` in one order."""
    first_name, first = next(iter(evaluations.items()))
    rows: list[Values] = []
    position = {query: i for i, query in enumerate(first.query_ids)}
    for name, evaluation in evaluations.items():
        if evaluation.measures != first.measures:
            raise DataError(
                f"different measures for {first_name!r} and {name!r}",
                expected="the same measures in the same order",
            )
        if set(evaluation.query_ids) != set(position):
            odd = sorted(set(evaluation.query_ids) ^ set(position))[0]
            raise DataError(
                f"query {odd!r} for only one of {first_name!r} and {name!r}",
                expected="the same queries for every system",
                remedy='evaluate all on the same qrels with missing="zero"',
            )
        order = np.empty(len(position), np.int64)
        order[[position[query] for query in evaluation.query_ids]] = np.arange(len(position))
        rows.append(np.asarray(evaluation.values, np.float64)[:, order])
    if not position:
        raise DataError("no query", expected="judgments of at least one query")
    values = np.stack(rows, axis=1)
    definitions = tuple(
        MeasureDefinition(repr(measure), measure.definition, measure.higher_is_better)
        for measure in first.measures
    )
    return definitions, tuple(first.query_ids), values


def _pairs(systems: tuple[str, ...], baseline: str | None) -> list[tuple[int, int]]:
    """The tested pairs (system, reference), as positions."""
    if baseline is None:
        return [(j, i) for i, j in combinations(range(len(systems)), 2)]
    reference = systems.index(baseline)
    return [(i, reference) for i in range(len(systems)) if i != reference]


def _raw_p_values(
    values: Values, pairs: list[tuple[int, int]], settings: ComparisonSettings
) -> Values:
    if not pairs:
        return np.empty(0)
    if settings.test in ALL_AT_ONCE:
        if settings.test == "tukey":
            matrix = tukey.tukey_hsd(values)
        else:
            matrix = tukey.randomised_tukey_hsd(
                values, permutations=settings.permutations, seed=settings.seed
            )
        return np.array([matrix[pair] for pair in pairs])
    test = get_test(settings.test).function
    return np.array(
        [
            test(
                values[i], values[j], permutations=settings.permutations, seed=settings.seed
            ).p_value
            for i, j in pairs
        ]
    )


def _differences(
    measure: MeasureDefinition,
    systems: tuple[str, ...],
    pairs: list[tuple[int, int]],
    values: Values,
    resampled: Values,
    settings: ComparisonSettings,
) -> list[Difference]:
    """All tested differences of one measure; `values` is `[systems, queries]`."""
    raw = _raw_p_values(values, pairs, settings)
    corrected = get_correction(settings.correction).function(raw)
    # As strict as the correction's first step, so that no promise is made that it would not keep.
    alone = settings.correction == "none" and settings.test not in ALL_AT_ONCE
    shared_alpha = settings.alpha if alone else settings.alpha / max(1, len(pairs))
    found: list[Difference] = []
    for (i, j), p_value, p_corrected in zip(pairs, raw.tolist(), corrected.tolist(), strict=True):
        per_query = values[i] - values[j]
        interval = interval_of_means(
            per_query, resampled[i] - resampled[j], confidence=settings.confidence
        )
        counts = effects.wins_ties_losses(values[i], values[j])
        wins, ties, losses = counts if measure.higher_is_better else counts[::-1]
        sd = float(per_query.std(ddof=1)) if len(per_query) > 1 else 0.0
        found.append(
            Difference(
                measure=measure.name,
                system=systems[i],
                reference=systems[j],
                difference=float(values[i].mean() - values[j].mean()),
                low=interval.low,
                high=interval.high,
                p_value=p_value,
                p_corrected=p_corrected,
                significant=p_corrected < settings.alpha,
                cohens_d=effects.cohens_d(values[i], values[j]),
                standardised_difference=effects.standardised_mean_difference(values[i], values[j]),
                wins=wins,
                ties=ties,
                losses=losses,
                detectable=effects.detectable_difference(
                    len(per_query), sd=sd, alpha=shared_alpha, power=settings.power
                ),
            )
        )
    return found


def _mark(
    system: str,
    found: list[Difference],
    systems: tuple[str, ...],
    baseline: str | None,
    higher_is_better: bool,
) -> str:
    sign = 1 if higher_is_better else -1
    marks: list[str] = []
    for entry in found:
        if not entry.significant or system not in (entry.system, entry.reference):
            continue
        better = entry.system if sign * entry.difference > 0 else entry.reference
        if baseline is not None:
            if system != baseline:
                marks.append("▲" if better == system else "▼")
        elif better == system:
            other = entry.reference if system == entry.system else entry.system
            marks.append(letter(systems.index(other)))
    return "".join(sorted(marks, key=lambda mark: (len(mark), mark)))


def _curve_measures(measures: tuple[MeasureDefinition, ...]) -> list[str]:
    bases = [found[1] for m in measures if (found := re.fullmatch(r"(.+)@\d+", m.name))]
    return [f"{base}@{k}" for base in dict.fromkeys(bases[:CURVES]) for k in CURVE_CUTOFFS]


def _curves(
    measures: tuple[MeasureDefinition, ...], means: Mapping[str, Mapping[str, float]]
) -> tuple[Curve, ...]:
    names = _curve_measures(measures)
    curves: list[Curve] = []
    for start in range(0, len(names), len(CURVE_CUTOFFS)):
        group = names[start : start + len(CURVE_CUTOFFS)]
        points = {system: tuple(float(of[name]) for name in group) for system, of in means.items()}
        curves.append(Curve(group[0].rpartition("@")[0], CURVE_CUTOFFS, points))
    return tuple(curves)


def _query_texts(runs: Mapping[str, Run], query_ids: tuple[str, ...]) -> dict[str, str]:
    for run in runs.values():
        if run.queries is not None:
            codes = run.queries.ids.codes(list(query_ids))
            known = np.flatnonzero(codes >= 0)
            texts = run.queries.texts(codes[known])
            return {query_ids[i]: text for i, text in zip(known.tolist(), texts, strict=True)}
    return {}
