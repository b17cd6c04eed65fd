"""Re-rankers by name: exact names, descriptions that read back, nothing that is executed."""

import pytest

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.llm.oracle.model import Oracle
from plackett.rerankers import Reranker, WordOverlap, get, names, parse, register
from plackett.rerankers.registry import _RERANKERS, name_of


def test_names_are_known_and_exact() -> None:
    assert "word-overlap" in names()
    assert names() == tuple(sorted(names()))
    assert get("word-overlap") is WordOverlap
    for wrong in ("Word-Overlap", "word_overlap", "", "gpt"):
        with pytest.raises(UnknownNameError, match="word-overlap"):
            get(wrong)
    with pytest.raises(UnknownNameError, match="did you mean 'word-overlap'"):
        Reranker("word-overlab")


def test_one_name_is_one_class() -> None:
    register("word-overlap")(WordOverlap)  # the same again is no other

    class Another(WordOverlap):
        pass

    with pytest.raises(ConfigurationError, match="two re-rankers named 'word-overlap'"):
        register("word-overlap")(Another)
    assert _RERANKERS.get("word-overlap") is WordOverlap


def test_a_class_without_a_name_has_its_own() -> None:
    class Nameless(WordOverlap):
        pass

    assert name_of(Nameless()) == "Nameless"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"model": "x", "windw": 3}, "windw.*its parameters are model"),
        ({}, "missing.*model"),
    ],
)
def test_parameters_are_those_of_the_class(parameters, message) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Reranker("rank-gpt", **parameters)


@pytest.mark.parametrize(
    "text",
    ["word-overlap", "word-overlap()", " word-overlap ", "Reranker('word-overlap')"],
)
def test_descriptions_are_read(text) -> None:
    assert repr(parse(text)) == "Reranker('word-overlap')"


def test_models_inside_descriptions() -> None:
    reranker = parse("rank-gpt(model=\"Oracle({'q': {'d': 1}}, noise=0.1)\", window=4, stride=2)")
    assert (reranker.window, reranker.stride) == (4, 2)
    assert isinstance(reranker.door.model, Oracle)
    assert reranker.door.model.noise == 0.1
    assert parse(repr(reranker)).window == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(",
        "word-overlap(",
        "word-overlap)",
        "word-overlap(1)",
        "Reranker()",
        "Reranker('word-overlap', 1)",
        "rank-gpt(**{'model': 'x'})",
        "rank-gpt(model=open('x'))",
        "rank-gpt(model=__import__('os').getcwd())",
        "rank-gpt(model=x)",
        "word-overlap(a=1) or 1",
        "word-overlap\x00",
    ],
)
def test_anything_else_is_refused_and_never_run(text) -> None:
    with pytest.raises(ConfigurationError):
        parse(text)
