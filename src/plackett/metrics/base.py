"""Measures as values: `nDCG @ 10`, `AP(rel=2) @ 100`.

A measure is an immutable value. `@` sets its cutoff, a call sets its parameters, its `repr` parses
back, and it prints its exact definition. New measures subclass `Measure` and register themselves.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.metrics.judged import JudgedLists

__all__ = ["Measure", "known_measures", "parse_measure", "parse_measures", "register"]

Self = TypeVar("Self", bound="Measure")


@dataclass(frozen=True, repr=False)
class Measure(ABC):
    """A measure of ranked lists.

    Class attributes
    ----------------
    name : as it is written and parsed.
    at : the parameter that `@` sets; None where a measure has no cutoff.
    higher_is_better : False for positions, such as ARP.
    averages_ties : whether `ties="average"` is defined for it.
    reference : the paper.

    >>> from plackett.metrics.graded import nDCG
    >>> nDCG @ 10
    nDCG@10
    >>> nDCG(gain="exponential") @ 10 == parse_measure("nDCG(gain='exponential')@10")
    True
    """

    name: ClassVar[str]
    at: ClassVar[str | None] = "cutoff"
    higher_is_better: ClassVar[bool] = True
    averages_ties: ClassVar[bool] = False
    reference: ClassVar[str] = ""

    cutoff: int | None = None

    def __post_init__(self) -> None:
        if self.cutoff is not None and (
            isinstance(self.cutoff, bool) or not isinstance(self.cutoff, int) or self.cutoff < 1
        ):
            raise ConfigurationError(
                f"{self.name} cutoff {self.cutoff!r} is not a positive integer."
            )
        if self.cutoff is not None and self.at != "cutoff":
            raise ConfigurationError(f"{self.name} takes no cutoff.")

    @abstractmethod
    def compute(self, lists: JudgedLists) -> npt.NDArray[np.float64]:
        """The value of every list, `float64[q]`."""

    @property
    @abstractmethod
    def definition(self) -> str:
        """The exact definition in words: gain, discount, cutoff, what counts as relevant."""

    def of_scores(
        self,
        scores: npt.ArrayLike,
        y: npt.ArrayLike,
        offsets: npt.NDArray[np.int64],
        order: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float64]:
        """The value of every query of a dataset whose rows are ranked by `scores`: `float64[q]`.

        Parameters are those of `JudgedLists.from_scores`; equal scores keep the order of the rows.

        >>> from plackett.metrics.binary import RR
        >>> RR.of_scores([0.2, 0.7, 0.1], [1, 0, 0], np.array([0, 3]))
        array([0.5])
        """
        return self.compute(JudgedLists.from_scores(scores, y, offsets, order))

    def __matmul__(self: Self, value: float) -> Self:
        if self.at is None:
            raise ConfigurationError(f"{self.name} takes no cutoff: write {self.name} without @.")
        changed: dict[str, Any] = {self.at: value}
        return dataclasses.replace(self, **changed)

    def __call__(self: Self, **parameters: Any) -> Self:
        """The same measure with other parameters; an unknown one is an error."""
        known = [field.name for field in dataclasses.fields(self)]
        for name in parameters:
            if name not in known:
                raise UnknownNameError(f"parameter of {self.name}", name, known)
        return dataclasses.replace(self, **parameters)

    def __repr__(self) -> str:
        changed = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)
            if field.name != self.at and getattr(self, field.name) != field.default
        ]
        text = self.name + (f"({', '.join(changed)})" if changed else "")
        at = None if self.at is None else getattr(self, self.at)
        return text if at is None else f"{text}@{at}"

    def __str__(self) -> str:
        return repr(self)


_REGISTRY: dict[str, Measure] = {}

Kind = TypeVar("Kind", bound=type[Measure])


def register(kind: Kind) -> Kind:
    """Class decorator: enter a measure, with its default parameters, under its name."""
    _REGISTRY[kind.name] = kind()
    return kind


def known_measures() -> dict[str, Measure]:
    """All registered measures by name, with their default parameters."""
    # The definitions register themselves when their module is read.
    from plackett.metrics import binary, diversity, graded, judgement, pairs  # noqa: F401

    return dict(sorted(_REGISTRY.items(), key=lambda item: item[0].lower()))


_GRAMMAR = re.compile(r"^([A-Za-z]\w*)\s*(?:\((.*)\))?\s*(?:@\s*([\d.]+))?$", re.DOTALL)

_TREC_EVAL = (
    (re.compile(r"^map$"), "AP"),
    (re.compile(r"^map_cut[_.](\d+)$"), "AP@{}"),
    (re.compile(r"^ndcg$"), "nDCG"),
    (re.compile(r"^ndcg_cut[_.](\d+)$"), "nDCG@{}"),
    (re.compile(r"^recip_rank$"), "RR"),
    (re.compile(r"^P[_.](\d+)$"), "P@{}"),
    (re.compile(r"^recall[_.](\d+)$"), "R@{}"),
    (re.compile(r"^success[_.](\d+)$"), "Success@{}"),
    (re.compile(r"^set_P$"), "P"),
    (re.compile(r"^set_recall$"), "R"),
    (re.compile(r"^set_F$"), "F"),
    (re.compile(r"^set_map$"), "SetAP"),
    (re.compile(r"^iprec_at_recall[_.](\d*\.\d+)$"), "IPrec@{}"),
)
"""trec_eval's own names; Rprec, bpref and infAP are the same in both."""


def parse_measure(text: str | Measure) -> Measure:
    """The measure that a text such as `AP(rel=2)@100` names; trec_eval's names are known too.

    Raises
    ------
    UnknownNameError : no such measure or parameter; the message lists those that exist.
    ConfigurationError : the text does not follow the grammar `name(parameter=value, ...)@cutoff`.

    >>> parse_measure("AP(rel=2)@100"), parse_measure("ndcg_cut_10")
    (AP(rel=2)@100, nDCG@10)
    """
    if isinstance(text, Measure):
        return text
    for pattern, form in _TREC_EVAL:
        named = pattern.match(text.strip())
        if named:
            return parse_measure(form.format(*named.groups()))
    match = _GRAMMAR.match(text.strip())
    if match is None:
        raise ConfigurationError(
            f"cannot read the measure {text!r}; write it as nDCG@10 or AP(rel=2)@100."
        )
    name, arguments, at = match.groups()
    measures = known_measures()
    if name not in measures:
        raise UnknownNameError("measure", name, measures)
    measure = measures[name]
    if arguments and arguments.strip():
        measure = measure(**_arguments(arguments, text))
    return measure if at is None else measure @ _number(at, text)


def _arguments(arguments: str, text: str) -> dict[str, Any]:
    try:
        call = ast.parse(f"_({arguments})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or any(k.arg is None for k in call.keywords):
            raise ConfigurationError(f"parameters of {text!r} must be written name=value.")
        return {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (SyntaxError, ValueError) as error:
        raise ConfigurationError(f"cannot read the parameters of {text!r}: {error}.") from error


def _number(at: str, text: str) -> float:
    try:
        return int(at) if at.isdigit() else float(at)
    except ValueError as error:
        raise ConfigurationError(f"cannot read the cutoff of {text!r}.") from error


def parse_measures(measures: str | Measure | Sequence[str | Measure]) -> tuple[Measure, ...]:
    """Several measures from a text with spaces or commas between them, or from a sequence.

    >>> parse_measures("nDCG@10 AP(rel=2), RR@10")
    (nDCG@10, AP(rel=2), RR@10)
    """
    if isinstance(measures, Measure):
        return (measures,)
    if isinstance(measures, str):
        # Commas and spaces inside parentheses belong to a measure's parameters.
        parts = re.findall(r"(?:[^\s,()]|\([^()]*(?:\([^()]*\)[^()]*)*\))+", measures)
        if not parts:
            raise ConfigurationError("no measure is given; write for example nDCG@10.")
        measures = parts
    parsed = tuple(parse_measure(measure) for measure in measures)
    if not parsed:
        raise ConfigurationError("no measure is given; write for example nDCG@10.")
    repeated = [repr(measure) for i, measure in enumerate(parsed) if measure in parsed[:i]]
    if repeated:
        raise ConfigurationError(f"measure {repeated[0]} is given twice.")
    return parsed
