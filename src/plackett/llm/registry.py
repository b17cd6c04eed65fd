"""Language models by description."""

from __future__ import annotations

import ast
import inspect
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, TypeVar

from plackett.errors import ConfigurationError, UnknownNameError

if TYPE_CHECKING:
    from plackett.llm.base import LanguageModel

__all__ = ["model_names", "parse_model", "register_model"]

ENTRY_POINTS = "plackett.llm"

_MODELS: dict[str, type[LanguageModel]] = {}

ModelClass = TypeVar("ModelClass", bound="type[LanguageModel]")


def register_model(model: ModelClass) -> ModelClass:
    """Class decorator: make a back end known under the name of its class.

    Raises
    ------
    ConfigurationError : another class has the name.
    """
    name = model.__name__
    known = _MODELS.setdefault(name, model)
    if (known.__module__, known.__qualname__) != (model.__module__, model.__qualname__):
        raise ConfigurationError(
            f"two back ends named {name!r}: {known.__module__} and {model.__module__}; rename one."
        )
    return model


def model_names() -> tuple[str, ...]:
    """The names of all back ends, those of other packages included, in order."""
    plugins = {entry.name for entry in entry_points(group=ENTRY_POINTS)}
    return tuple(sorted(plugins | set(_MODELS)))


def parse_model(text: str) -> LanguageModel:
    """The model that a text describes, as its `repr` does: a back end and literal arguments.

    `Transformers('path/to/model')`, `OpenAI('gpt-4o-mini', url='http://localhost:8000/v1')`,
    `LlamaCpp('model.gguf')`, `Oracle('qrels.txt', noise=0.1)`. Nothing is executed.

    Raises
    ------
    ConfigurationError : the text is no such description, or an argument does not fit.
    UnknownNameError : no back end has the name.
    """
    wrong = ConfigurationError(
        f"model {text!r}; expected a back end and literal arguments, such as "
        "Transformers('path/to/model')."
    )
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise wrong
        if any(pair.arg is None for pair in call.keywords):
            raise wrong
        values = [ast.literal_eval(value) for value in call.args]
        named = {str(pair.arg): ast.literal_eval(pair.value) for pair in call.keywords}
    except (SyntaxError, ValueError, TypeError) as error:
        raise wrong from error
    kind = _get(call.func.id)
    try:
        inspect.signature(kind).bind(*values, **named)
    except TypeError as error:
        raise ConfigurationError(f"model {text!r}: {error}.") from error
    return kind(*values, **named)


def _get(name: str) -> type[LanguageModel]:
    if name not in _MODELS:
        for entry in entry_points(group=ENTRY_POINTS, name=name):
            _MODELS[name] = entry.load()
    if name not in _MODELS:
        raise UnknownNameError("back end", name, model_names())
    return _MODELS[name]
