"""Tiny encoders, and models that go wrong on purpose."""

import asyncio
import importlib
import os
import pkgutil
import runpy
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest

import plackett.rerankers
from plackett.llm import Answer, Failure, LanguageModel, Request
from plackett.llm.oracle.beliefs import chance
from plackett.llm.oracle.model import Oracle
from plackett.transport.cache import content_key

# Whatever is registered is asked to keep the contract, exported or not.
for _module in pkgutil.iter_modules(plackett.rerankers.__path__):
    if not _module.name.endswith(("_torch", "_kernels")):
        importlib.import_module(f"plackett.rerankers.{_module.name}")


class KilledError(Exception):
    """What a test ends a run with."""


class Watched(LanguageModel):
    """Passes requests on to an oracle, and keeps the keys of those that were answered.

    `kill_at` ends the run in place of that call (counted from 0); `failing` is the share of
    requests that fail; `latency` is at most so many seconds, another for each call.
    """

    def __init__(
        self,
        inner: LanguageModel,
        *,
        kill_at: int | None = None,
        failing: float = 0.0,
        latency: float = 0.0,
        batch_size: int = 1,
        concurrency: int = 1,
    ) -> None:
        self.inner, self.kill_at, self.failing, self.latency = inner, kill_at, failing, latency
        self.batch_size, self.concurrency = batch_size, concurrency
        self.powers, self.context = inner.powers, inner.context
        self.keys: list[str] = []
        self.calls = 0

    @property
    def identity(self) -> str:
        return self.inner.identity

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        place, self.calls = self.calls, self.calls + 1
        if place == self.kill_at:
            raise KilledError
        keys = [content_key(request.content()) for request in requests]
        if self.latency:
            await asyncio.sleep(self.latency * chance(keys[0]))
        answers = await self.inner.answer(requests)
        self.keys += keys
        return [
            Failure("no answer") if chance("fails", key) < self.failing else answer
            for key, answer in zip(keys, answers, strict=True)
        ]

    def count_tokens(self, text: str) -> int:
        return self.inner.count_tokens(text)

    def truncate(self, text: str, tokens: int) -> str:
        return self.inner.truncate(text, tokens)

    def __repr__(self) -> str:
        return repr(self.inner)


@pytest.fixture(scope="session")
def watched() -> Callable[..., Watched]:
    """`watched(grades, kill_at=3)`: an oracle by its grades, watched."""

    def make(grades: dict[str, dict[str, float]], **more: object) -> Watched:
        own = ("kill_at", "failing", "latency", "batch_size", "concurrency")
        errors = {name: value for name, value in more.items() if name not in own}
        ways = {name: value for name, value in more.items() if name in own}
        return Watched(Oracle(grades, **errors), **ways)

    return make


@pytest.fixture(scope="session")
def killed() -> type[Exception]:
    """The error that a killed run ends with."""
    return KilledError


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Folders of encoders of two layers and 32 dimensions, by kind."""
    pytest.importorskip("transformers", reason="needs the extra `text`")
    script = Path(__file__).parents[1] / "encoders" / "tiny_models.py"
    build = runpy.run_path(str(script))
    folder = tmp_path_factory.mktemp("encoders")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield SimpleNamespace(
            pair=build["write_pair_model"](folder / "pair"),
            dense=build["write_dense_model"](folder / "dense"),
            lexical=build["write_lexical_model"](folder / "lexical"),
        )
