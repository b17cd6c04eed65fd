"""Errors say what was found, what was expected, and the remedy."""

import pytest

from plackett import _optional
from plackett.errors import DataError, OptionalDependencyError, PlackettError, UnknownNameError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DataError("a"), "found a."),
        (DataError("a", expected="b"), "found a; expected b."),
        (DataError("a", expected="b", remedy="c"), "found a; expected b. Remedy: c."),
        (DataError("a", path="f"), "f: found a."),
        (DataError("a", path="f", line=3), "f:3: found a."),
        (DataError("a", line=3), "line 3: found a."),
        (UnknownNameError("measure", "ndgc", ["nDCG"]), "did you mean 'nDCG'? Known: nDCG."),
        (UnknownNameError("measure", "zzz", []), "unknown measure 'zzz'; Known: none."),
    ],
)
def test_messages(error: PlackettError, message: str) -> None:
    assert str(error).endswith(message)
    assert isinstance(error, ValueError)


def test_a_missing_extra_is_named() -> None:
    with pytest.raises(OptionalDependencyError, match=r"pip install 'plackett\[text\]'"):
        _optional.require("no_such_module.part", extra="text", purpose="encode texts")
    assert _optional.require("json", extra="text", purpose="read").loads("1") == 1


def test_a_broken_module_is_not_called_missing(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_module.py").write_text("import no_such_dependency")  # type: ignore[operator]
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        _optional.require("broken_module", extra="text", purpose="read")
