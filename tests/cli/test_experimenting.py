"""demo and run: the plan, the result, a kill, Ctrl-C, and going on."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import plackett as pk
from plackett.cli import experimenting
from plackett.cli.console import progress_bar
from plackett.experiment import Event

Program = Callable[..., Any]
COMMAND = [sys.executable, "-c", "from plackett.cli import main; main()"]


def results(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((folder / "runs").iterdir())}


def test_the_plan_does_nothing(program: Program, inside: Path) -> None:
    done = program("plackett run experiment.toml --dry-run -o planned")
    assert not (inside / "planned").exists()
    lines = done.out.splitlines()
    assert lines[0] == "Small"
    assert lines[1].endswith("planned")
    assert [line.split()[1] for line in lines if line.startswith("data")] == [
        "corpus",
        "queries",
        "qrels",
    ]
    states = [line.split("  ")[0] for line in lines[5:]]
    assert states == ["to do"] * 5 + ["always"]


def test_run_again_and_plan_again(program: Program, inside: Path) -> None:
    done = program("plackett run experiment.toml -o twice")
    assert done.code == 0
    assert done.out.startswith("system")
    assert "twice/report.html" in done.out
    assert done.err.count(" s  train linear, fold") == 2
    again = program("plackett run experiment.toml -o twice")
    assert again.out == done.out
    assert again.err.count("    kept  ") == 5
    plan = program("plackett run experiment.toml -o twice --dry-run").out
    assert plan.count("kept  ") == 5
    changed = (inside / "experiment.toml").read_text().replace("k = 2\n", "k = 3\n")
    (inside / "changed.toml").write_text(changed)
    plan = program("plackett run changed.toml -o twice --dry-run").out
    assert plan.count("kept  ") == 3
    assert plan.count("to do  ") == 3
    assert plan.count("about ") == 3


def test_a_misspelt_key_says_where_and_what(program: Program, inside: Path) -> None:
    (inside / "wrong.toml").write_text('[collection]\nname = "cranfield"\n[fold]\nk = 3\n')
    done = program("plackett run wrong.toml")
    assert done.code == 2
    assert "wrong.toml is not a valid experiment" in done.err
    assert "fold: unknown key 'fold'; did you mean 'folds'?" in done.err


def test_the_file_says_where_results_go(program: Program, inside: Path) -> None:
    program("plackett run experiment.toml")
    assert (inside / "results" / "report.html").exists()


def test_the_experiment_of_the_demo_is_printed(program: Program, inside: Path) -> None:
    program("plackett demo --print > mine.toml")
    plan = program("plackett run mine.toml --dry-run").out
    assert plan.replace(str(inside), "") == program("plackett demo --dry-run").out.replace(
        str(inside), ""
    )


@pytest.mark.slow
def test_the_demo_shows_that_learned_rankers_are_better(program: Program, inside: Path) -> None:
    done = program("plackett demo -o out")
    assert done.code == 0, done.err
    manifest = json.loads((inside / "out" / "manifest.json").read_text())
    assert manifest["experiment"]["collection"]["name"] == "cranfield"
    comparison = json.loads((inside / "out" / "comparison.json").read_text())
    tested = [row for row in comparison["differences"] if row["measure"] == "nDCG@10"]
    assert {row["system"] for row in tested} == {"linear", "lambdamart"}
    for row in tested:
        assert row["difference"] > 0.05
        assert row["p_corrected"] < 0.05
    for name in ("bm25", "linear", "lambdamart"):
        assert len(pk.Run.read(inside / "out" / "runs" / f"{name}.txt")) == 225


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("patience", [0.9, 1.6])
def test_a_kill_at_any_moment_loses_nothing(
    program: Program, inside: Path, tmp_path: Path, patience: float
) -> None:
    reference = inside / "reference"
    if not reference.exists():
        program("plackett run experiment.toml -o reference")
    process = subprocess.Popen(
        [*COMMAND, "run", "experiment.toml", "-o", str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(patience)
    process.kill()
    process.wait()
    done = program(f"plackett run experiment.toml -o {tmp_path}")
    assert done.code == 0
    assert results(tmp_path) == results(reference)
    assert not list((tmp_path / "steps").glob(".*"))


@pytest.mark.skipif(os.name != "posix", reason="SIGINT")
def test_ctrl_c_says_how_to_go_on(inside: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "run", "experiment.toml", "-o", str(tmp_path / "x")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert "index" in first
    assert process.returncode == 130, err
    assert "stopped; finished steps are kept in" in err
    assert f"Go on with: plackett run experiment.toml -o {tmp_path / 'x'}" in err
    assert "Traceback" not in err


def test_progress_on_a_screen(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal what is in hand is shown, and each finished step stays as a line."""

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with experimenting._telling() as tell:
        tell(Event("index", "started"))
        tell(Event("index", "finished", 1.25))
        tell(Event("train [a]", "damaged"))
        tell(Event("the folds in hand are finished first", "stopping"))
    text = screen.getvalue()
    assert "1.2 s  index" in text
    assert "damaged  train [a]: it is done again" in text
    assert "Ctrl-C again" in text


def test_a_bar_on_a_screen(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Screen())
    with progress_bar("indexing") as progress:
        progress(1, None)
        progress(3, 3)


@pytest.mark.parametrize("output", [None, "stopped"])
def test_an_interrupt_inside_the_process(
    program: Program, monkeypatch: pytest.MonkeyPatch, output: str | None
) -> None:
    import plackett.experiment

    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(plackett.experiment, "run_experiment", interrupted)
    line = "plackett run experiment.toml" + (f" -o {output}" if output else "")
    done = program(line)
    assert done.code == 130
    assert done.err.rstrip().endswith(f"Go on with: {line}")
    assert (output or "results") in done.err
