"""Fusions as texts: what they say is what is fused, and what is said twice is a mistake."""

import pytest

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.fusion import Fusion, parse_fusion


def test_a_text_and_what_is_said_beside_it() -> None:
    assert parse_fusion("rrf") == Fusion("rrf")
    assert parse_fusion("rrf(k=10)", depth=5) == Fusion("rrf", k=10, depth=5)
    assert parse_fusion("comb_sum(weights=[1, 2])").weights == (1, 2)
    assert parse_fusion("borda", weights=[1.0, 2.0]) == Fusion("borda", weights=(1.0, 2.0))
    assert parse_fusion("comb_sum", normalise="three_sigma").normalise == "three_sigma"
    assert parse_fusion("rbc(persistence=0.9)").persistence == 0.9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rrf(10)", "expected a method"),
        ("rrf(", "expected a method"),
        ("r r f", "expected a method"),
        ("rrf(depth=3)", "depth is said twice"),
        ("rrf(kk=3)", "unexpected keyword"),
        ("rrf(normalise='max')", "looks at ranks only"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_fusion(text, depth=3)


def test_an_unknown_method() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'rrf'"):
        parse_fusion("rrff")
