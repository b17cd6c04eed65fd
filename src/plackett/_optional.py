"""The one door to packages that only an extra installs."""

from __future__ import annotations

import importlib
from types import ModuleType

from plackett.errors import OptionalDependencyError

__all__ = ["require"]


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import `module`, or say which extra to install.

    Parameters
    ----------
    module : dotted name of the module.
    extra : the extra of plackett that installs it.
    purpose : what it is needed for, as it reads after "to".

    >>> require("not_a_module", extra="text", purpose="encode texts")
    Traceback (most recent call last):
    plackett.errors.OptionalDependencyError: plackett needs 'not_a_module' to encode texts. \
Install it with: pip install 'plackett[text]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # A module that exists but misses one of its own imports is a different fault.
        if error.name is not None and not (module + ".").startswith(error.name + "."):
            raise
        raise OptionalDependencyError(
            f"plackett needs {module!r} to {purpose}. "
            f"Install it with: pip install 'plackett[{extra}]'"
        ) from error
