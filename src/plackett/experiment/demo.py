"""The experiment that the package carries: learned rankers against BM25 on Cranfield."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from plackett.experiment.config import ExperimentConfig, parse_config

__all__ = ["demo_config", "demo_text"]


def demo_text() -> str:
    """The experiment file itself, to start one's own from."""
    return (resources.files("plackett.experiment") / "demo.toml").read_text(encoding="utf-8")


def demo_config() -> ExperimentConfig:
    """The packaged experiment; its output goes under the current folder.

    >>> demo_config().collection.name
    'cranfield'
    """
    return parse_config(demo_text(), name="demo.toml", base=Path.cwd())
