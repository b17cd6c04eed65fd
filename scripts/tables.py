"""Write the tables of the site that the code itself defines: measures and features.

    python scripts/tables.py

A test fails where a page and the code differ.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from plackett.features import get, names
from plackett.metrics import known_measures, parse_measure

DOCS = Path(__file__).resolve().parents[1] / "docs"

USUAL = {
    "DCG": "DCG@10",
    "ERR": "ERR@20",
    "IPrec": "IPrec@0.5",
    "Judged": "Judged@10",
    "P": "P@10",
    "R": "R@100",
    "RR": "RR@10",
    "Success": "Success@10",
    "alpha_nDCG": "alpha_nDCG@20",
    "nDCG": "nDCG@10",
    "nERR": "nERR@20",
}
"""How a measure is usually asked for, where that is not its bare name."""


def cell(text: str) -> str:
    """A text that is safe in a Markdown table."""
    return re.sub(r"([|*_\[\]])", r"\\\1", text).replace("<", "&lt;")


def measures() -> str:
    """One row a measure: as it is asked for, its parameters, its definition, its paper."""
    lines = ["| Measure | Parameters | Definition | Source |", "| :-- | :-- | :-- | :-- |"]
    for name in known_measures():
        measure = parse_measure(USUAL.get(name, name))
        parameters = ", ".join(
            f"`{field.name}={field.default!r}`"
            for field in dataclasses.fields(measure)
            if field.name not in ("cutoff", measure.at)
        )
        row = (f"`{measure!r}`", parameters, cell(measure.definition), cell(measure.reference))
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def features() -> str:
    """One row a feature: its name, what it is, its formula."""
    lines = ["| Feature | What | Formula | Fields |", "| :-- | :-- | :-- | :-- |"]
    for name in names():
        feature = get(name)
        fields = "yes" if feature.by_field else ""
        row = (f"`{name}`", cell(feature.description), cell(feature.formula), fields)
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


TABLES: Mapping[str, Callable[[], str]] = {"measures": measures, "features": features}


def main() -> None:
    """Fill each page between its markers."""
    for name, table in TABLES.items():
        page = DOCS / f"{name}.md"
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        head, _, rest = page.read_text(encoding="utf-8").partition(begin)
        _, found, tail = rest.partition(end)
        if not found:
            raise SystemExit(f"{page.name} has no place for its table: {begin.strip()} ... {end}")
        page.write_text(f"{head}{begin}\n{table()}\n\n{end}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
