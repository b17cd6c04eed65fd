"""Declared experiments: validated, resumable, and reported with their provenance."""

from plackett.experiment.config import ExperimentConfig, parse_config, read_config
from plackett.experiment.demo import demo_config
from plackett.experiment.plan import Plan, make_plan
from plackett.experiment.runner import Event, Outcome, run_experiment

__all__ = [
    "Event",
    "ExperimentConfig",
    "Outcome",
    "Plan",
    "demo_config",
    "make_plan",
    "parse_config",
    "read_config",
    "run_experiment",
]
