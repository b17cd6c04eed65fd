"""Fixtures for the whole suite."""

import os
from pathlib import Path

# The workers of the suite share the cores: threads of their own would wait for one another. The
# libraries read this when they are loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# Machines of all speeds run this; a slow example is no failure.
settings.register_profile(
    "default", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The research collections that may not be shipped: $PLACKETT_SHARED_DATA or ../shared/data."""
    named = os.environ.get("PLACKETT_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no research collections at {folder}; set PLACKETT_SHARED_DATA")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(20090)
