"""Choosing a fusion on judgments: the grid, the folds, and a held-out value that is honest."""

import numpy as np
import pytest

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError
from plackett.fusion import Fusion, fusion_grid, tune_fusion
from plackett.metrics import evaluate


def collection(seed: int, queries: int = 30) -> tuple[list[Run], Qrels]:
    """A good run, and one of noise."""
    rng = np.random.default_rng(seed)
    grades, good, noise = {}, {}, {}
    for q in range(queries):
        relevant = rng.random(10) < 0.4
        relevant[0] = True
        grades[f"q{q}"] = {f"d{d}": int(relevant[d]) for d in range(10)}
        good[f"q{q}"] = {f"d{d}": float(relevant[d] + rng.normal(0, 0.7)) for d in range(10)}
        noise[f"q{q}"] = {f"d{d}": float(rng.normal()) for d in range(10)}
    return [Run.from_dict(good), Run.from_dict(noise)], Qrels.from_dict(grades)


def test_the_good_run_gets_the_weight() -> None:
    runs, qrels = collection(0)
    tuned = tune_fusion(runs, qrels, "nDCG@10")
    assert tuned.fusion.weights is not None
    assert tuned.fusion.weights[0] > tuned.fusion.weights[1]
    chosen = evaluate(tuned.fusion(runs), qrels, "nDCG@10").mean["nDCG@10"]
    assert chosen == pytest.approx(tuned.on_all)
    assert tuned.on_all == pytest.approx(tuned.means.max())
    noise = evaluate(runs[1], qrels, "nDCG@10").mean["nDCG@10"]
    assert noise < tuned.held_out <= tuned.on_all + 0.02


def test_held_out_values_are_those_of_the_choice_without_their_fold() -> None:
    runs, qrels = collection(1, queries=6)
    candidates = [Fusion("rrf", weights=w) for w in ((1.0, 0.0), (0.0, 1.0), (0.5, 0.5))]
    tuned = tune_fusion(runs, qrels, "AP", candidates=candidates, folds=6)
    values = np.stack([evaluate(c(runs), qrels, "AP").values[0] for c in candidates])
    expected = []
    for left in range(6):
        others = np.arange(6) != left
        pick = np.round(values[:, others].mean(axis=1), 12).argmax()
        expected.append(values[pick, left])
    assert tuned.held_out == pytest.approx(np.mean(expected))
    assert set(tuned.chosen) <= set(candidates)
    assert tuned.candidates == tuple(candidates)


def test_pure_noise_looks_better_on_all_than_held_out() -> None:
    gaps = []
    for seed in range(5):
        _, qrels = collection(seed, queries=20)
        rng = np.random.default_rng(seed + 100)
        runs = [
            Run.from_dict(
                {f"q{q}": {f"d{d}": float(rng.random()) for d in range(10)} for q in range(20)}
            )
            for _ in range(3)
        ]
        tuned = tune_fusion(runs, qrels, "RR")
        gaps.append(tuned.on_all - tuned.held_out)
    assert np.mean(gaps) > 0.01


def test_the_grid_is_what_it_says() -> None:
    grid = fusion_grid(3, methods=["rrf"], ks=[60.0], steps=4)
    assert len(grid) == 15
    assert len({fusion.weights for fusion in grid}) == 15
    for fusion in grid:
        assert fusion.weights is not None
        assert sum(fusion.weights) == pytest.approx(1.0)
    plain = fusion_grid(2, methods=["rrf", "comb_max", "comb_mnz"], steps=0, depth=5)
    assert [f.method for f in plain] == ["rrf", "rrf", "comb_max", "comb_max", "comb_mnz"]
    assert all(f.weights is None and f.depth == 5 for f in plain)
    assert len(fusion_grid(1)) == len({(f.method, f.normalise, f.k) for f in fusion_grid(1)})


def test_the_seed_fixes_the_folds_and_bad_input_is_refused() -> None:
    runs, qrels = collection(2, queries=10)
    assert tune_fusion(runs, qrels, seed=3).held_out == tune_fusion(runs, qrels, seed=3).held_out
    with pytest.raises(DataError):
        tune_fusion([], qrels)
    with pytest.raises(DataError):
        tune_fusion(runs, qrels, folds=11)
    with pytest.raises(ConfigurationError):
        tune_fusion(runs, qrels, candidates=[])
    with pytest.raises(ConfigurationError):
        fusion_grid(0)


def test_the_held_out_run_has_the_held_out_mean() -> None:
    runs, qrels = collection(4, queries=23)
    more = [
        Run.from_dict({**run.to_dict(), "unjudged": {"d1": 2.0, "d0": 1.0, "d9": 0.5}})
        for run in runs
    ]
    tuned = tune_fusion(more, qrels, "nDCG@5", folds=4, seed=3)
    run = tuned.held_out_run(more)
    assert evaluate(run, qrels, "nDCG@5").mean["nDCG@5"] == pytest.approx(tuned.held_out)
    assert run.query_names == tuned.fusion(more).query_names
    assert run["unjudged"] == tuned.fusion(more)["unjudged"]
    assert set(tuned.folds.values()) == {0, 1, 2, 3}
    for query, fold in tuned.folds.items():
        assert run[query] == tuned.chosen[fold](more)[query]
