"""The registry that all families share, and descriptions taken apart."""

import pytest

from plackett._registry import Registry, read_call
from plackett.errors import ConfigurationError, UnknownNameError


def test_a_name_is_one_class() -> None:
    registry: Registry[type] = Registry("number", "plackett.no_such_group")
    registry.enter("whole", int)
    registry.enter("whole", int)
    with pytest.raises(ConfigurationError, match="two numbers named 'whole': builtins"):
        registry.enter("whole", float)
    assert registry.get("whole") is int
    assert dict(registry) == {"whole": int}


def test_an_unknown_name_lists_the_known() -> None:
    registry: Registry[type] = Registry("number", "plackett.no_such_group")
    registry.enter("whole", int)
    with pytest.raises(UnknownNameError, match="did you mean 'whole'"):
        registry.get("hole")


def test_classes_of_other_packages_load_when_asked_for() -> None:
    registry: Registry[type] = Registry("ranker", "plackett.rankers")
    assert dict(registry) == {}
    assert "MLP" in registry.names()
    assert dict(registry) == {}  # a name alone loads nothing


@pytest.mark.parametrize(
    ("text", "name", "values", "named"),
    [
        ("rank-gpt", "rank-gpt", [], {}),
        (" prp ( k = 10 ) ", "prp", [], {"k": 10}),
        ("A('x', b=[1, {'c': None}])", "A", ["x"], {"b": [1, {"c": None}]}),
        ("A(-1, 'a(b)c')", "A", [-1, "a(b)c"], {}),
    ],
)
def test_calls_are_taken_apart(text: str, name: str, values: list, named: dict) -> None:
    assert read_call(text) == (name, values, named)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(",
        "A(",
        "A)(",
        "A(x)",
        "A(**{})",
        "A(*[1])",
        "A()()",
        "A(1).b",
        "A() + 1",
        "a.b()",
        "A(__import__('os'))",
        "A(b=open('x'))",
        "A(" + "(" * 5000,
        "A(1); B()",
        "1(2)",
    ],
)
def test_what_is_no_call_is_told_and_never_executed(text: str) -> None:
    assert read_call(text) is None
