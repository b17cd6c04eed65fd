"""Constructor parameters as scikit-learn wants them, without importing scikit-learn."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.metrics.base import Measure

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Parameters", "check_choice", "check_number", "has_text_form"]


class Parameters:
    """`get_params`, `set_params` and a `repr` that evaluates back, read from the constructor.

    The constructor of a subclass stores each of its keyword parameters, unchanged, under its own
    name and does nothing else; so `sklearn.base.clone` and grid search work.
    """

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        """Every constructor parameter with its default, in order."""
        signature = inspect.signature(cls)
        return {name: parameter.default for name, parameter in signature.parameters.items()}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's parameters; `deep` is accepted for scikit-learn and changes nothing."""
        return {name: getattr(self, name) for name in self._defaults()}

    def set_params(self, **parameters: Any) -> Self:
        """Set constructor parameters by name.

        Raises
        ------
        UnknownNameError : the constructor has no such parameter; nothing is set.
        """
        known = self._defaults()
        for name in parameters:
            if name not in known:
                raise UnknownNameError(f"parameter of {type(self).__name__}", name, known)
        for name, value in parameters.items():
            setattr(self, name, value)
        return self

    def describe_params(self) -> dict[str, Any]:
        """The parameters that differ from their defaults, as plain values.

        Measures and losses become their text and functions are left out, so that the description
        can stand in an experiment file.
        """
        described = {}
        for name, default in self._defaults().items():
            value = getattr(self, name)
            if callable(value) and not has_text_form(value):
                continue
            value, default = _plain(value), _plain(default)
            if value != default or type(value) is not type(default):
                described[name] = value
        return described

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.describe_params().items())
        return f"{type(self).__name__}({shown})"

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn's model selection asks of an estimator."""
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            input_tags=InputTags(allow_nan=True),
        )


def has_text_form(value: Any) -> bool:
    """Is it a measure or a loss, whose `repr` parses back?"""
    # Where no loss module has been read, no value can be a loss; torch stays unloaded.
    losses = sys.modules.get("plackett.losses.base")
    return isinstance(value, Measure) or (losses is not None and isinstance(value, losses.Loss))


def _plain(value: Any) -> Any:
    """A measure or a loss as its text, a mapping as a dict; anything else as it is."""
    if has_text_form(value):
        return repr(value)
    return dict(value) if isinstance(value, Mapping) else value


def check_number(
    name: str,
    value: Any,
    *,
    low: float,
    high: float = float("inf"),
    integer: bool = False,
    above: bool = False,
) -> None:
    """Check that parameter `name` is a number from `low` to `high`.

    Parameters
    ----------
    integer : it must be an integer.
    above : it must exceed `low`.

    Raises
    ------
    ConfigurationError : it is not.

    >>> check_number("trees", 0, low=1, integer=True)
    Traceback (most recent call last):
    plackett.errors.ConfigurationError: trees=0; expected an integer of at least 1.
    """
    kind = "an integer" if integer else "a number"
    bounds = f"above {low:g}" if above else f"of at least {low:g}"
    if high != float("inf"):
        bounds += f" and at most {high:g}"
    # numpy's integers and floats register with `int` and `float` only through __index__/__float__.
    numeric = hasattr(value, "__index__") if integer else hasattr(value, "__float__")
    if isinstance(value, bool) or not numeric or not (low <= value <= high):
        raise ConfigurationError(f"{name}={value!r}; expected {kind} {bounds}.")
    if above and value == low:
        raise ConfigurationError(f"{name}={value!r}; expected {kind} {bounds}.")


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Check that parameter `name` is one of `choices`.

    Raises
    ------
    UnknownNameError : it is not; the message lists them.
    """
    if value not in choices:
        raise UnknownNameError(name, str(value), choices)
