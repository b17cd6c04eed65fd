"""Re-rankers of texts in an experiment: what a pipeline with one depends on, and its kept run."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plackett.experiment.config import ExperimentConfig
from plackett.experiment.sections import PipelineConfig, RerankerConfig
from plackett.experiment.store import digest, hash_file
from plackett.pipeline import Reranker
from plackett.rerankers import parse

__all__ = ["depends_on", "make_reranker", "rerankers_of", "stage_names"]


def stage_names(pipeline: PipelineConfig) -> set[str]:
    """The names of stages that stand in a pipeline's text.

    >>> sorted(stage_names(PipelineConfig(name="p", stages="bm25 % 10 >> ltr")))
    ['bm25', 'ltr']
    """
    tree = ast.parse(pipeline.stages.strip(), mode="eval")
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def rerankers_of(config: ExperimentConfig, pipeline: PipelineConfig) -> list[RerankerConfig]:
    """The re-rankers of texts that a pipeline names, in the file's order."""
    named = stage_names(pipeline)
    return [reranker for reranker in config.rerankers if reranker.name in named]


def depends_on(wanted: RerankerConfig) -> dict[str, Any]:
    """All that a re-ranker's scores depend on: its description, and what files it names hold.

    >>> depends_on(RerankerConfig(name="overlap", reranker="word-overlap"))
    {'reranker': 'word-overlap', 'files': {}}
    """
    files = {
        text: _hash(path)
        for text in _strings(wanted.reranker)
        if text and (path := Path(text)).exists()
    }
    return {"reranker": wanted.reranker, "files": files}


def make_reranker(wanted: RerankerConfig, answers: Path) -> Reranker:
    """The re-ranker; one whose calls cost and that has no cache keeps its answers in a file."""
    reranker = parse(wanted.reranker)
    takes = inspect.signature(type(reranker)).parameters
    # What has a budget pays for its calls; other caches hold vectors, not answers.
    if "budget" in takes and getattr(reranker, "cache", answers) is None:
        return parse(wanted.reranker, {"cache": str(answers)})
    return reranker


def _strings(description: str) -> Iterator[str]:
    """Every literal string of a description, and of descriptions inside it."""
    _, bracket, rest = description.partition("(")
    if not bracket:
        return
    try:
        tree = ast.parse(f"f({rest}", mode="eval")
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
            yield from _strings(node.value)


def _hash(path: Path) -> str:
    if path.is_file():
        return hash_file(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return digest({file.relative_to(path).as_posix(): hash_file(file) for file in files})
