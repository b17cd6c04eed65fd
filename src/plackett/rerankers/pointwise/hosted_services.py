"""The table of services that re-rank texts: its rows, checked, and how they read an answer."""

from __future__ import annotations

import sys
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from plackett.errors import UnknownNameError
from plackett.rerankers.ranked import ScoreKind

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Service", "ServiceAnswer", "service_of", "services"]


class ServiceAnswer(BaseModel):
    """What a service said of the texts of one request.

    Attributes
    ----------
    scores : one a text, in the order sent; None where it has none.
    status : "ok"; "repaired" where places were out of range, repeated or absent, or scores were no
        numbers; "wrong_format" where there is no list of results.
    tokens : tokens read, as the service counts them; None where it does not say.
    """

    scores: list[float | None]
    status: str
    tokens: int | None = None


class Service(BaseModel):
    """One row of the table; `hosted_services.toml` says what its entries are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    path: str
    documents: str = Field(min_length=1)
    model: str
    fields: dict[str, bool | int | str] = {}
    results: str
    index: str = Field(min_length=1)
    score: str = Field(min_length=1)
    tokens: str
    score_kind: ScoreKind
    most_documents: int = Field(ge=1)
    key: str

    def body(self, query: str, texts: list[str], model: str | None) -> dict[str, Any]:
        """The request for these texts."""
        named = {self.model: model} if self.model and model is not None else {}
        return {**named, "query": query, self.documents: texts, **self.fields}

    def read(self, content: object, n: int) -> ServiceAnswer:
        """What an answer says of the n texts of its request.

        A text is known by its place in the request alone: what the service repeats of the texts is
        not looked at.
        """
        rows = _found(content, self.results)
        tokens = _found(content, self.tokens) if self.tokens else None
        if (
            isinstance(tokens, bool)
            or not isinstance(tokens, int | float)
            or not 0 <= tokens < 1e15
        ):
            tokens = None
        scores: list[float | None] = [None] * n
        told = None if tokens is None else int(tokens)
        if not isinstance(rows, list):
            return ServiceAnswer(scores=scores, status="wrong_format", tokens=told)
        sound = True
        seen: set[int] = set()
        for row in rows:
            place = row.get(self.index) if isinstance(row, dict) else None
            if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < n:
                sound = False
            elif place in seen:
                sound = False  # the first one counts
            else:
                seen.add(place)
                scores[place] = _number(row.get(self.score))
        sound = sound and None not in scores
        usable = any(score is not None for score in scores)
        status = "ok" if sound else "repaired" if usable else "wrong_format"
        return ServiceAnswer(scores=scores, status=status, tokens=told)


@cache
def services() -> dict[str, Service]:
    """All rows, by name.

    >>> sorted(services())
    ['cohere', 'infinity', 'jina', 'mixedbread', 'tei', 'vllm', 'voyage']
    """
    table = (
        files("plackett.rerankers.pointwise").joinpath("hosted_services.toml").read_text("utf-8")
    )
    return {name: Service.model_validate(row) for name, row in tomllib.loads(table).items()}


def service_of(name: str) -> Service:
    """The row of this name.

    Raises
    ------
    UnknownNameError : there is none.

    >>> service_of("voyage").results
    'data'
    """
    known = services()
    if name not in known:
        raise UnknownNameError("service", name, known)
    return known[name]


def _found(content: object, path: str) -> Any:
    """What lies at a dotted path; "" is the whole."""
    for name in path.split(".") if path else []:
        if not isinstance(content, dict):
            return None
        content = content.get(name)
    return content


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # NaN and infinities are not JSON, but some servers write them.
    return float(value) if abs(value) <= sys.float_info.max else None
