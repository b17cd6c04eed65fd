"""Grids: the table is what the cells say, cells are not done twice, and workers change nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, UnknownNameError
from plackett.experiment import grid as module
from plackett.experiment.grid import Fold, cross_validation, grid_systems, run_grid
from plackett.metrics import parse_measure
from plackett.rankers import LambdaMART, LinearRanker
from plackett.rankers.objective import MeanMeasure

TREES = LambdaMART(trees=5, min_documents_in_leaf=3, threads=1)
LINEAR = LinearRanker(method="pairwise_logistic")


def rows(seed: int = 0, queries: int = 30) -> RankingDataset:
    random = np.random.default_rng(seed)
    X = random.standard_normal((queries * 6, 3)).astype(np.float32)
    y = np.clip(np.round(X[:, 0] + 0.7 * random.standard_normal(len(X)) + 1), 0, 3)
    return RankingDataset(X, y, qid=np.repeat([f"q{i}" for i in range(queries)], 6))


def native(systems: list[module.System]) -> list[module.System]:
    return [system for system in systems if " " not in system.name]


SYSTEMS = native(grid_systems([TREES, LINEAR], []))


def test_folds_are_of_whole_queries_and_cover_them_once() -> None:
    data = rows()
    folds = cross_validation(data, 3, validation=0.25, seed=1)
    tested = [query for fold in folds for query in fold.test.query_ids]
    assert sorted(tested) == sorted(data.query_ids)
    for train, valid, test in folds:
        parts = [set(part.query_ids) for part in (train, valid, test)]
        assert sum(map(len, parts)) == 30
        assert not parts[0] & parts[1]
        assert not (parts[0] | parts[1]) & parts[2]
    assert cross_validation(data, 3, validation=0)[0].valid is None
    with pytest.raises(ConfigurationError, match="share"):
        cross_validation(data, 3, validation=1.0)


def test_every_ranker_meets_every_loss() -> None:
    pytest.importorskip("torch")
    from plackett.losses import ListNet
    from plackett.rankers.neural import MLP

    names = [s.name for s in grid_systems([LINEAR, MLP()], ["ListNet", ListNet(temperature=2.0)])]
    assert names == ["LinearRanker", "MLP ListNet", "MLP ListNet(temperature=2.0)"]
    with pytest.raises(ConfigurationError, match="twice"):
        grid_systems([LINEAR, LinearRanker()], [])
    with pytest.raises(ConfigurationError, match="empty"):
        grid_systems([MLP()], [])


def test_the_table_is_what_the_rankers_give(tmp_path: Path) -> None:
    data, test = rows(0), rows(1)
    folds = [Fold(data, None, test)]
    found = run_grid(folds, SYSTEMS, tmp_path, seeds=(0, 1), measures="nDCG@5 AP")
    values = {}
    for system in SYSTEMS:
        scores = [
            MeanMeasure("nDCG@5", test.y, test.offsets, test.order).per_query(
                system.ranker.set_params(seed=seed).fit(data).predict(test)
            )
            for seed in (0, 1)
        ]
        values[system.name] = np.mean(scores, axis=0)
        mean = found.comparison.mean("nDCG@5", system.name).mean
        assert mean == pytest.approx(values[system.name].mean(), abs=1e-12)
    (entry,) = (e for e in found.comparison.differences if e.measure == "nDCG@5")
    expected = stats.ttest_rel(values["LinearRanker"], values["LambdaMART"]).pvalue
    assert entry.p_value == pytest.approx(expected)
    assert found.comparison.baseline == "LambdaMART"


def test_finished_cells_are_kept_and_others_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds = cross_validation(rows(), 2)
    done: list[str] = []
    work = module.run_cell

    def counted(cell: object, root: Path) -> str:
        done.append(cell.system)  # type: ignore[attr-defined]
        if len(done) == 3:
            raise KeyboardInterrupt
        return work(cell, root)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "run_cell", counted)
    with pytest.raises(KeyboardInterrupt):
        run_grid(folds, SYSTEMS, tmp_path, seeds=(0,))
    first = run_grid(folds, SYSTEMS, tmp_path, seeds=(0,))
    assert len(done) == 3 + 2
    again = run_grid(folds, SYSTEMS, tmp_path, seeds=(0,))
    assert len(done) == 5
    assert str(again) == str(first)
    run_grid(folds, SYSTEMS, tmp_path, seeds=(0, 1))
    assert len(done) == 9


def test_workers_change_nothing_but_the_times(tmp_path: Path) -> None:
    folds = cross_validation(rows(), 2)
    alone = run_grid(folds, SYSTEMS, tmp_path / "one", seeds=(0,))
    steps: list[tuple[int, int]] = []
    shared = run_grid(
        folds,
        SYSTEMS,
        tmp_path / "two",
        seeds=(0,),
        workers=2,
        progress=lambda done, total: steps.append((done, total)),
    )
    np.testing.assert_array_equal(alone.comparison.values, shared.comparison.values)
    assert steps == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


def test_results_are_written(tmp_path: Path) -> None:
    found = run_grid(cross_validation(rows(), 2), SYSTEMS, tmp_path, seeds=(0, 1))
    report = found.write(tmp_path)
    assert {"grid.json", "table.txt", "pareto.svg", "report.html"} <= {
        path.name for path in tmp_path.iterdir()
    }
    content = json.loads((tmp_path / "grid.json").read_text())
    assert [row["system"] for row in content["costs"]] == ["LambdaMART", "LinearRanker"]
    assert content["front"] == list(found.front)
    assert "Quality and cost" in report.read_text()
    lines = str(found).splitlines()
    assert len(lines) == 4
    measure = parse_measure("nDCG@10")
    assert found.rows[0].seed_deviation(measure) >= 0


def test_the_front_has_no_system_that_another_beats(tmp_path: Path) -> None:
    found = run_grid(cross_validation(rows(), 2), SYSTEMS, tmp_path, seeds=(0,))
    points = {
        row.system: (found.comparison.mean("nDCG@10", row.system).mean, -row.milliseconds)
        for row in found.rows
    }
    for system, point in points.items():
        beaten = any(o != point and o[0] >= point[0] and o[1] >= point[1] for o in points.values())
        assert beaten != (system in found.front)


def test_wrong_parameters_are_found_before_anything_is_trained(tmp_path: Path) -> None:
    systems = native(grid_systems([LambdaMART(trees=0)], []))
    with pytest.raises(ConfigurationError, match="trees"):
        run_grid(cross_validation(rows(), 2), systems, tmp_path)
    assert not (tmp_path / "folds").exists()
    with pytest.raises(UnknownNameError, match="baseline"):
        run_grid(cross_validation(rows(), 2), SYSTEMS, tmp_path, seeds=(0,), baseline="bm25")
