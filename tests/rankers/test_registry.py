"""Rankers by name, parameters by signature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plackett import rankers
from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, UnknownNameError
from plackett.metrics.base import parse_measure
from plackett.rankers import LambdaMART, LinearRanker, registry
from plackett.rankers.saving import SavedRanker, write_folder


def test_names() -> None:
    assert rankers.get("LambdaMART") is LambdaMART
    assert {"LambdaMART", "LinearRanker", "XGBoostRanker", "MLP"} <= set(rankers.names())
    assert list(rankers.names()) == sorted(rankers.names())
    with pytest.raises(UnknownNameError, match="did you mean 'LambdaMART'"):
        rankers.get("lambdamart")


def test_a_name_is_taken_once() -> None:
    assert rankers.register(LambdaMART) is LambdaMART

    class Other(LinearRanker):
        pass

    Other.__name__ = "LambdaMART"
    with pytest.raises(ConfigurationError, match="two rankers named 'LambdaMART'"):
        rankers.register(Other)


def test_other_packages_add_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name = "Theirs"

        def load(self) -> type[LinearRanker]:
            return LinearRanker

    def entry_points(*, group: str, name: str = "Theirs") -> list[Entry]:
        return [Entry()] if (group, name) == ("plackett.rankers", "Theirs") else []

    monkeypatch.setattr("plackett._registry.entry_points", entry_points)
    monkeypatch.setattr(registry._RANKERS, "_members", dict(registry._RANKERS))
    assert "Theirs" in rankers.names()
    assert rankers.get("Theirs") is LinearRanker


def test_parse() -> None:
    ranker = rankers.parse(" LambdaMART(trees=10, gain=(0, 1.5), monotone={'a': 1}) ")
    assert isinstance(ranker, LambdaMART)
    assert (ranker.trees, ranker.gain, ranker.monotone) == (10, (0, 1.5), {"a": 1})
    assert isinstance(rankers.parse("LinearRanker"), LinearRanker)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "LambdaMART(",
        "LambdaMART(300)",
        "LambdaMART(**{})",
        "LambdaMART(trees=open('x'))",
        "os.system('x')",
        "LambdaMART(trees=1) or 1",
    ],
)
def test_nothing_else_parses(text: str) -> None:
    with pytest.raises(ConfigurationError, match="expected a name and literal"):
        rankers.parse(text)


def test_parse_names_the_unknown() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'trees'"):
        rankers.parse("LambdaMART(treess=3)")


def test_a_parameter_that_json_cannot_hold(tmp_path: Path) -> None:
    saved = SavedRanker("LinearRanker", {"seed": {1, 2}}, ("a",), "nan", {}, {})
    with pytest.raises(ConfigurationError, match="parameter seed of type set"):
        write_folder(tmp_path, saved)


def test_parameters_survive_saving(tmp_path: Path) -> None:
    """Tuples, mappings, measures and numpy's numbers; functions are left behind."""
    ranker = LambdaMART(
        trees=np.int64(2),
        gain=(0.0, 1.0, 5.0),
        monotone={"1": 1},
        measure=parse_measure("AP(rel=2)@100"),
        progress=print,
        threads=1,
    )
    ranker.fit(RankingDataset([[1.0], [2.0], [0.0]], [1, 2, 0], qid=[1, 1, 1])).save(tmp_path)
    again = rankers.load_ranker(tmp_path).get_params()
    assert again == ranker.get_params() | {"measure": "AP(rel=2)@100", "progress": None}
    assert type(again["trees"]) is int


def test_numpy_numbers_are_numbers() -> None:
    ranker = LambdaMART(trees=np.int64(3), learning_rate=np.float32(0.5))
    ranker.check_parameters()
