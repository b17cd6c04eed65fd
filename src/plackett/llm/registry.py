"""Language models by description."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from plackett._registry import Registry

if TYPE_CHECKING:
    from plackett.llm.base import LanguageModel

__all__ = ["model_names", "parse_model", "register_model"]

_MODELS: Registry[type[LanguageModel]] = Registry("back end", "plackett.llm")

ModelClass = TypeVar("ModelClass", bound="type[LanguageModel]")


def register_model(model: ModelClass) -> ModelClass:
    """Class decorator: make a back end known under the name of its class.

    Raises
    ------
    ConfigurationError : another class has the name.
    """
    _MODELS.enter(model.__name__, model)
    return model


def model_names() -> tuple[str, ...]:
    """The names of all back ends, those of other packages included, in order."""
    return _MODELS.names()


def parse_model(text: str) -> LanguageModel:
    """The model that a text describes, as its `repr` does: a back end and literal arguments.

    `Transformers('path/to/model')`, `OpenAI('gpt-4o-mini', url='http://localhost:8000/v1')`,
    `LlamaCpp('model.gguf')`, `Oracle({})`. Nothing is executed. Back ends of other packages come
    by the entry-point group `plackett.llm`.

    Raises
    ------
    ConfigurationError : the text is no such description, or an argument does not fit.
    UnknownNameError : no back end has the name.

    >>> parse_model("OpenAI('gpt-4o-mini', concurrency=4)")
    OpenAI('gpt-4o-mini', concurrency=4)
    """
    made: LanguageModel = _MODELS.make(text, example="Transformers('path/to/model')")
    return made
