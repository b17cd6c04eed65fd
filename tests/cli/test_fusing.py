"""`plackett fuse`: what the library fuses, chosen and weighted as the options say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import plackett as pk
from plackett.cli.fusing import numbers_of
from plackett.errors import ConfigurationError
from plackett.fusion import fuse, fusion_grid, tune_fusion

Program = Callable[..., Any]


def runs() -> list[pk.Run]:
    return [pk.Run.read(name) for name in ("run.txt", "ltr.txt")]


def test_the_command_fuses_as_the_library(program: Program, inside: Path) -> None:
    done = program("plackett fuse run.txt ltr.txt -o fused.txt")
    assert (done.code, done.out, done.err) == (0, "", "225 queries of 2 runs: fused.txt\n")
    fused = pk.Run.read("fused.txt")
    expected = fuse(runs())
    assert fused.name == "rrf"
    assert [[d for d, _ in fused[q]] for q in fused.query_names] == [
        [d for d, _ in expected[q]] for q in expected.query_names
    ]


def test_method_weights_depth_and_cutoff(program: Program, inside: Path) -> None:
    program(
        "plackett fuse run.txt ltr.txt --method \"comb_sum(normalise='z_score')\" "
        "--weights 0.3,0.7 --depth 10 -k 5 -o weighted.txt"
    )
    expected = fuse(runs(), "comb_sum", normalise="z_score", weights=[0.3, 0.7], depth=10).head(5)
    found = pk.Run.read("weighted.txt")
    assert found.query_names == expected.query_names
    for query in found.query_names:
        assert [d for d, _ in found[query]] == [d for d, _ in expected[query]]


def test_runs_come_and_go_through_pipes(program: Program, inside: Path) -> None:
    program("plackett fuse run.txt ltr.txt -o fused.txt")
    done = program("plackett fuse - ltr.txt -o - < run.txt")
    assert done.out == (inside / "fused.txt").read_text()


def test_judgments_choose_and_the_worth_is_told(program: Program, inside: Path) -> None:
    done = program("plackett fuse run.txt ltr.txt --tune qrels.txt --folds 3 --depth 20")
    tuned = tune_fusion(
        runs(), pk.Qrels.read("qrels.txt"), candidates=fusion_grid(2, depth=20), folds=3
    )
    assert done.out.startswith(f"method={tuned.fusion.method} ")
    assert f"nDCG@10 {tuned.held_out:.4f} held out, {tuned.on_all:.4f} on the queries" in done.out
    line = "plackett fuse run.txt ltr.txt --tune qrels.txt --folds 3 -m AP -o tuned.txt"
    assert "AP 0." in program(line).out
    assert len(pk.Run.read("tuned.txt")) == 225


def test_weights_are_numbers() -> None:
    assert numbers_of(None) is None
    assert numbers_of("1, 0.5") == (1.0, 0.5)
    with pytest.raises(ConfigurationError, match=r"expected numbers: 0\.7,0\.3"):
        numbers_of("a,b")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("plackett fuse run.txt -o x.txt", "two runs or more"),
        ("plackett fuse run.txt ltr.txt", "give --output FILE, or --tune"),
        ("plackett fuse run.txt ltr.txt --tune qrels.txt --method rrf", "leave --method"),
        ("plackett fuse run.txt ltr.txt -o x.txt --method comb_som", "did you mean 'comb_sum'"),
        ("plackett fuse run.txt ltr.txt -o x.txt --weights 1,2,3", "3 weights for 2 runs"),
        ("plackett fuse run.txt nowhere.txt -o x.txt", "nowhere.txt"),
    ],
)
def test_mistakes_get_one_message(program: Program, line: str, message: str) -> None:
    done = program(line)
    assert done.code == 2
    assert message in done.err
    assert not Path("x.txt").exists()
