"""A pipeline as text: what its `repr` says, read back."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.pipeline.base import Reranker, Retriever, Stage
from plackett.pipeline.query_writing import QueryWriter

__all__ = ["parse_pipeline"]

Step: TypeAlias = Stage | QueryWriter
Known: TypeAlias = Mapping[str, Step | Callable[..., Step]]

_SHAPE = "stages joined by %, >> and |, such as bm25 % 1000 >> ltr % 100"


def parse_pipeline(text: str, stages: Known) -> Stage:
    """The pipeline that `text` describes.

    The `repr` of a pipeline of stages that name themselves, such as
    `BM25.open('index', variant='lucene', k1=1.2, b=0.75) % 1000`, comes back as an equal one.
    Nothing of the text is executed: it is taken apart, and only what `stages` holds is called.

    Parameters
    ----------
    text : stages joined by the operators; a stage is a name, or a name (dots allowed) with literal
        arguments in parentheses.
    stages : what the names mean: a stage, or a function that makes one from the arguments.

    Raises
    ------
    UnknownNameError : a name that `stages` lacks.
    ConfigurationError : anything else than stages, operators and literal values.

    >>> from plackett.data.run import Run
    >>> class Halve(Reranker):
    ...     def __init__(self, power=1):
    ...         self.power = power
    ...
    ...     def rerank(self, run):
    ...         return run.with_scores(run.score / 2**self.power)
    ...
    ...     def __repr__(self):
    ...         return f"Halve(power={self.power})"
    >>> parse_pipeline("half % 10 >> Halve(power=3)", {"half": Halve(), "Halve": Halve})
    Halve(power=1) % 10 >> Halve(power=3)
    """
    try:
        expression = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigurationError(
            f"cannot read the pipeline {text!r}; expected {_SHAPE}."
        ) from error
    made = _stage(expression, text, stages)
    if isinstance(made, QueryWriter):
        raise ConfigurationError(
            f"the pipeline {text!r} finds nothing; put a retriever behind it: {text} >> bm25."
        )
    return made


def _stage(node: ast.expr, text: str, stages: Known) -> Step:
    if isinstance(node, ast.BinOp):
        return _composed(node, text, stages)
    if isinstance(node, ast.Call):
        return _made(node, text, stages)
    name = _dotted(node)
    if name is None:
        raise _unreadable(node, text)
    known = _look_up(name, stages)
    if not isinstance(known, (Retriever, Reranker, QueryWriter)):
        raise ConfigurationError(f"stage {name!r} needs its arguments: {name}(...), in {text!r}.")
    return known


def _composed(node: ast.BinOp, text: str, stages: Known) -> Step:
    left = _stage(node.left, text, stages)
    if isinstance(node.op, ast.Mod) and not isinstance(left, QueryWriter):
        cutoff = node.right.value if isinstance(node.right, ast.Constant) else None
        if not isinstance(cutoff, int):
            raise _unreadable(node.right, text)
        return left % cutoff
    right = _stage(node.right, text, stages)
    if isinstance(node.op, ast.RShift):
        if isinstance(left, QueryWriter) and isinstance(right, Retriever):
            return left >> right
        if not isinstance(left, QueryWriter) and isinstance(right, Reranker):
            return left >> right
    join = isinstance(node.op, ast.BitOr)
    if join and isinstance(left, Retriever) and isinstance(right, Retriever):
        return left | right
    if isinstance(node.op, (ast.RShift, ast.BitOr)):
        sides = (
            ">> needs a re-ranker on its right, and a retriever behind what writes queries; "
            "| needs retrievers on both sides"
        )
        raise ConfigurationError(f"cannot join {left!r} and {right!r}: {sides}, in {text!r}.")
    raise _unreadable(node, text)


def _made(node: ast.Call, text: str, stages: Known) -> Step:
    name = _dotted(node.func)
    if name is None:
        raise _unreadable(node.func, text)
    make = _look_up(name, stages)
    if isinstance(make, (Retriever, Reranker, QueryWriter)):
        raise ConfigurationError(f"stage {name!r} is made already; leave out its arguments.")
    values = [_literal(value, text) for value in node.args]
    named = {str(pair.arg): _literal(pair.value, text) for pair in node.keywords if pair.arg}
    if len(named) < len(node.keywords):
        raise _unreadable(node, text)
    try:
        return make(*values, **named)
    except TypeError as error:
        raise ConfigurationError(f"cannot make stage {name!r}: {error}, in {text!r}.") from error


def _literal(node: ast.expr, text: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError) as error:
        raise _unreadable(node, text) from error


def _look_up(name: str, stages: Known) -> Step | Callable[..., Step]:
    if name not in stages:
        raise UnknownNameError("stage", name, stages)
    return stages[name]


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return None if before is None else f"{before}.{node.attr}"
    return None


def _unreadable(node: ast.expr, text: str) -> ConfigurationError:
    return ConfigurationError(
        f"cannot read {ast.unparse(node)!r} in the pipeline {text!r}; expected {_SHAPE}."
    )
