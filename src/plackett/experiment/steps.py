"""A step of an experiment, and the key that names its result."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import plackett
from plackett.experiment.store import digest

__all__ = ["Step", "make_step"]

FORMAT = 4
"""Raised whenever a step would write something else for the same inputs."""


@dataclass(frozen=True)
class Step:
    """One step of an experiment.

    Parameters
    ----------
    kind : what sort of step it is, in one word.
    label : what it is called in messages.
    needs : the data files and steps that it is made from, as messages call them.
    inputs : all that its result depends on: hashes, keys of other steps, parameters, versions.
    """

    kind: str
    label: str
    needs: tuple[str, ...]
    inputs: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The hash of `inputs`, which names the result."""
        return digest({"step": self.kind, **self.inputs})


def make_step(
    kind: str,
    label: str,
    needs: tuple[str, ...],
    inputs: Mapping[str, Any],
    *,
    libraries: tuple[str, ...] = (),
) -> Step:
    """A step whose result depends on `inputs`, on this version and on those of the libraries."""
    versions = {name: importlib.metadata.version(name) for name in libraries}
    code = {"plackett": plackett.__version__, "format": FORMAT, "versions": versions}
    return Step(kind, label, needs, {**code, **inputs})
