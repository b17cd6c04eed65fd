"""Names and texts of losses: what reads, what is refused, and that nothing is executed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.losses.base import Loss
from plackett.losses.combining import MultiObjective, WeightedSum
from plackett.losses.pointwise import BinaryCrossEntropy, Ordinal, SquaredError
from plackett.losses.registry import described, get, names, parse_loss, register


def test_names_are_of_losses_in_order() -> None:
    assert list(names()) == sorted(names())
    assert {"SquaredError", "BinaryCrossEntropy", "Ordinal", "MultiObjective"} <= set(names())
    assert all(issubclass(get(name), Loss) for name in names())


@pytest.mark.parametrize(
    ("text", "loss"),
    [
        ("SquaredError", SquaredError()),
        (" SquaredError() ", SquaredError()),
        ("SquaredError(4.0)", SquaredError(scale=4.0)),
        ("BinaryCrossEntropy(threshold=None)", BinaryCrossEntropy()),
        ("Ordinal(thresholds=[-1, 0.5])", Ordinal(thresholds=(-1, 0.5))),
        ("0.5 * SquaredError", WeightedSum(((0.5, SquaredError()),))),
        (
            "MultiObjective((SquaredError, Ordinal()), weights=(1, 2))",
            MultiObjective((SquaredError(), Ordinal()), weights=(1, 2)),
        ),
    ],
)
def test_texts_of_losses(text: str, loss: Loss) -> None:
    assert parse_loss(text) == loss
    assert parse_loss(loss) is loss
    assert parse_loss(repr(loss)) == loss


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SquaredError(",
        "SquaredError - SquaredError",
        "SquaredError + 1",
        "SquaredError()()",
        "SquaredError(**{})",
        "SquaredError(1, 2)",
        "SquaredError if 1 else 2",
        "torch.load('x')",
        "SquaredError.__class__",
        "3",
        "'SquaredError'",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_loss(text)


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'SquaredError'"):
        parse_loss("SquareError")
    with pytest.raises(UnknownNameError, match="scale"):
        parse_loss("SquaredError(scael=2)")
    with pytest.raises(UnknownNameError):
        parse_loss("__import__('os')")
    with pytest.raises(UnknownNameError):
        get("squarederror")


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="above 0"):
        parse_loss("SquaredError(scale=-1)")


def test_a_description_shows_what_differs() -> None:
    @dataclasses.dataclass(frozen=True)
    class Part:
        """A part with a required parameter."""

        required: int
        optional: float = 1.0
        made: tuple[int, ...] = dataclasses.field(default_factory=tuple)

    assert described(Part(3)) == "Part(3)"
    assert described(Part(3, optional=2.0, made=(1,))) == "Part(3, optional=2.0, made=(1,))"


def test_two_parts_cannot_share_a_name() -> None:
    assert register(SquaredError) is SquaredError
    with pytest.raises(ConfigurationError, match="rename one"):
        register(type("SquaredError", (), {}))


def test_the_page_of_losses_lists_every_loss() -> None:
    page = (Path(__file__).parents[2] / "docs" / "losses.md").read_text(encoding="utf-8")
    table = page.partition("\n## All losses\n")[2]
    first_cells = "".join(line.split(" | ")[0] for line in table.splitlines())
    assert [name for name in names() if f"`{name}`" not in first_cells] == []


def test_a_loss_that_needs_a_measure_says_so() -> None:
    with pytest.raises(ConfigurationError, match=r"PLRank needs measure: write PLRank\(measure="):
        parse_loss("PLRank")
    with pytest.raises(ConfigurationError, match="needs measure"):
        parse_loss("ListNet + 0.5 * PLRank")
