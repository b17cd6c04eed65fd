"""The package as its users meet it: its names, its version, its data."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

import plackett as pk

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", pk.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(pk, name) is not None
    assert name in dir(pk)


def test_public_names_are_sorted_and_distinct() -> None:
    assert len(set(pk.__all__)) == len(pk.__all__)


@pytest.mark.parametrize("room", ["data", "errors", "experiment", "features", "metrics"])
def test_rooms_are_attributes(room: str) -> None:
    assert getattr(pk, room).__name__ == f"plackett.{room}"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nDGC'"):
        pk.nDGC  # noqa: B018


def test_version_is_one() -> None:
    written = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)
    assert written is not None
    assert pk.__version__ == written[1] == metadata.version("plackett")


@pytest.mark.parametrize(
    "path",
    [
        "py.typed",
        "data/cranfield/cran.all.1400.gz",
        "data/cranfield/cran.qry",
        "data/cranfield/cranqrel",
        "data/cranfield/PROVENANCE.md",
        "experiment/demo.toml",
        "metrics/report/template.html",
        "metrics/report/style.css",
    ],
)
def test_package_carries_its_data(path: str) -> None:
    assert (resources.files("plackett") / path).is_file()


def test_module_runs_where_the_script_is_not_on_the_path() -> None:
    code = "import sys; sys.argv = ['plackett', '--version']; from plackett.cli import main; main()"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == f"plackett {pk.__version__}"


def test_the_package_is_a_program() -> None:
    command = [sys.executable, "-m", "plackett", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"plackett {pk.__version__}\n"


def applies(marker: Marker | None, python: str, extra: str) -> bool:
    """Whether a requirement counts under a Python, with an extra."""
    environment = {"python_version": python, "python_full_version": f"{python}.0", "extra": extra}
    return marker is None or marker.evaluate(environment)


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
@pytest.mark.parametrize("extra", ["", "dev", "neural"])
def test_every_requirement_has_one_pin_that_satisfies_it(python: str, extra: str) -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    for wanted in map(Requirement, metadata.requires("plackett") or []):
        if applies(wanted.marker, python, extra):
            found = [
                pin for pin in pins if pin.name == wanted.name and applies(pin.marker, python, "")
            ]
            assert len(found) == 1, f"{wanted.name} has {len(found)} pins for Python {python}"
            (pinned,) = found[0].specifier
            assert pinned.operator == "==", found[0]
            assert wanted.specifier.contains(pinned.version), f"{found[0]} is not {wanted}"
