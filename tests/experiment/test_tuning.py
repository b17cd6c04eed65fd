"""Searches: what is tried, what is kept, what goes on."""

import json
from pathlib import Path

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError
from plackett.experiment.grid import cross_validation
from plackett.experiment.search_space import Alternatives, Range, default_space, parse_space
from plackett.rankers import LambdaMART, LinearRanker, registry

optuna = pytest.importorskip("optuna")

from plackett.experiment.tuning import tune  # noqa: E402

TREES = LambdaMART(trees=8, threads=1)
SPACE = parse_space({"leaves": "2..20", "learning_rate": "0.01..0.3:log"})


def rows() -> RankingDataset:
    random = np.random.default_rng(0)
    X = random.standard_normal((240, 3)).astype(np.float32)
    y = np.clip(np.round(X[:, 0] * X[:, 1] + 1), 0, 3)
    return RankingDataset(X, y, qid=np.repeat(np.arange(30), 8))


def test_spaces_are_read() -> None:
    found = parse_space({"a": "1..9", "b": "0.1..1.0:log", "c": "x|2|none|true", "d": "1..2.5"})
    assert found == {
        "a": Range(1, 9, True, False),
        "b": Range(0.1, 1.0, False, True),
        "c": Alternatives(("x", 2, None, True)),
        "d": Range(1, 2.5, False, False),
    }


@pytest.mark.parametrize("text", ["5", "9..1", "a..b", "1..2:cube", "", "0..1:log", "true..false"])
def test_what_is_no_space_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="x="):
        parse_space({"x": text})


def test_defaults_name_parameters_that_exist() -> None:
    from importlib.resources import files

    text = files("plackett.experiment").joinpath("search_spaces.toml").read_text()
    kinds = [line.strip("[]") for line in text.splitlines() if line.startswith("[")]
    assert "LambdaMART" in kinds
    for kind in kinds:
        assert default_space(kind).keys() <= registry.get(kind)().get_params().keys()
    with pytest.raises(ConfigurationError, match="no default search for Nothing"):
        default_space("Nothing")


def test_the_best_trial_is_what_its_ranker_scores(tmp_path: Path) -> None:
    folds = cross_validation(rows(), 2, validation=0)
    found = tune(TREES, folds, tmp_path, space=SPACE, trials=6)
    again = [found.best.fit(fold.train).score(fold.test) for fold in folds]
    assert found.value == pytest.approx(float(np.mean(again)))
    assert found.value == max(value for value, _ in found.trials)
    assert len(found.trials) + found.pruned == 6
    assert json.loads((tmp_path / "best.json").read_text())["ranker"] == repr(found.best)
    assert "leaves" in str(found)


def test_a_search_goes_on(tmp_path: Path) -> None:
    folds = cross_validation(rows(), 2, validation=0)

    def stop(done: int, trials: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(TREES, folds, tmp_path, space=SPACE, trials=7, progress=stop)
    assert (tmp_path / "best.json").exists()
    steps: list[int] = []
    found = tune(
        TREES, folds, tmp_path, space=SPACE, trials=7, progress=lambda done, _: steps.append(done)
    )
    assert steps == [4, 5, 6, 7]
    tried = [tuple(parameters.values()) for _, parameters in found.trials]
    assert len(set(tried)) == len(tried)
    unchanged = tune(TREES, folds, tmp_path, space=SPACE, trials=7, progress=stop)
    assert unchanged.to_json() == found.to_json()


def test_another_search_does_not_mix_in(tmp_path: Path) -> None:
    folds = cross_validation(rows(), 2, validation=0)
    tune(TREES, folds, tmp_path, space=SPACE, trials=1)
    with pytest.raises(ConfigurationError, match="another search"):
        tune(TREES, folds, tmp_path, space={"leaves": SPACE["leaves"]}, trials=1)


def test_refused_parameters_are_counted(tmp_path: Path) -> None:
    folds = cross_validation(rows(), 2, validation=0)
    space = {"method": Alternatives(("pairwise_logistic", "magic"))}
    found = tune(LinearRanker(), folds, tmp_path / "a", space=space, trials=8)
    assert found.parameters == {"method": "pairwise_logistic"}
    assert found.failed >= 1
    with pytest.raises(ConfigurationError, match="all 2 trials were refused"):
        tune(
            LinearRanker(), folds, tmp_path / "b", space={"method": Alternatives(("m",))}, trials=2
        )


def test_unknown_parameters_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no parameters"):
        tune(TREES, cross_validation(rows(), 2), tmp_path, space={"x": Range(0, 1, False, False)})
