"""A comparison as a table: aligned plain text, Markdown, LaTeX."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from plackett.metrics.report import words

if TYPE_CHECKING:
    from plackett.metrics.comparison_result import Comparison, Difference

__all__ = [
    "DIFFERENCE_HEADER",
    "best_systems",
    "difference_cells",
    "latex",
    "markdown",
    "plain_text",
]

DIFFERENCE_HEADER = (
    "measure",
    "system",
    "difference",
    "interval",
    "p",
    "p corrected",
    "Cohen's d",
    "wins/ties/losses",
    "detectable",
)
PAIRS_SHOWN = 28
"""Without a baseline: all pairs of up to eight systems on the first measure."""

LATEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
}
LATEX_MARKS = {"▲": r"\blacktriangle", "▼": r"\blacktriangledown"}


def best_systems(comparison: Comparison) -> set[tuple[str, str]]:
    """The (measure, system) with the best mean of each measure; all of them where they tie."""
    found: set[tuple[str, str]] = set()
    for measure in comparison.measures:
        means = [mean for mean in comparison.means if mean.measure == measure.name]
        choose = max if measure.higher_is_better else min
        best = choose(mean.mean for mean in means)
        found |= {(measure.name, mean.system) for mean in means if mean.mean == best}
    return found


def shown_differences(comparison: Comparison) -> list[Difference]:
    """The differences a table has room for: all to a baseline, else the first measure's pairs."""
    if comparison.baseline is not None:
        return list(comparison.differences)
    first = comparison.measures[0].name
    return [entry for entry in comparison.differences if entry.measure == first][:PAIRS_SHOWN]


def difference_cells(entry: Difference) -> tuple[str, ...]:
    """One difference as the cells under `DIFFERENCE_HEADER`."""
    return (
        entry.measure,
        f"{entry.system} {words.MINUS} {entry.reference}",
        words.signed(entry.difference),
        words.interval(entry.low, entry.high),
        words.p_value(entry.p_value).removeprefix("p ").removeprefix("= "),
        words.p_value(entry.p_corrected).removeprefix("p ").removeprefix("= "),
        words.signed(entry.cohens_d, 2),
        f"{entry.wins}/{entry.ties}/{entry.losses}",
        words.number(entry.detectable),
    )


def _labels(comparison: Comparison) -> dict[str, str]:
    """How each system is called in the first column: with its letter where letters are used."""
    if comparison.baseline is not None or not comparison.comparisons:
        return {name: name for name in comparison.systems}
    return {name: f"{letter} {name}" for name, letter in comparison.letters.items()}


def _aligned(rows: list[tuple[str, ...]], left: int) -> list[str]:
    """Rows of cells as lines; the first `left` columns flush left, the others flush right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _grid_lines(comparison: Comparison) -> list[str]:
    """Systems down, measures across; marks hang behind the figures so that the points align."""
    labels = _labels(comparison)
    columns = [measure.name for measure in comparison.measures]
    rows = [("system", *columns)]
    marks = {
        name: max(len(comparison.mean(name, system).mark) for system in comparison.systems)
        for name in columns
    }
    for system in comparison.systems:
        cells = []
        for name in columns:
            mean = comparison.mean(name, system)
            space = "" if comparison.baseline is not None else " "
            cells.append(words.number(mean.mean) + space + mean.mark.ljust(marks[name]))
        rows.append((labels[system], *cells))
    return _aligned(rows, left=len(rows[0]))


def plain_text(comparison: Comparison) -> str:
    """Means with marks, the differences, the verdict, the footnote."""
    lines = _grid_lines(comparison)
    blocks = ["\n".join(lines)]
    shown = shown_differences(comparison)
    if shown:
        rows = [DIFFERENCE_HEADER, *(difference_cells(entry) for entry in shown)]
        blocks.append("\n".join(_aligned(rows, left=2)))
    blocks.append(comparison.verdict)
    blocks.append("\n".join(words.footnote(comparison)))
    return "\n\n".join(blocks)


def _markdown_escape(text: str) -> str:
    escaped = re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text)
    return escaped.replace("\n", " ")


def _markdown_table(rows: list[tuple[str, ...]], left: int) -> str:
    rule = [":--" if i < left else "--:" for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join(rule) + " |")
    return "\n".join(lines)


def markdown(comparison: Comparison) -> str:
    """Two GitHub tables, means and differences, with the verdict above and the footnote below."""
    labels, best = _labels(comparison), best_systems(comparison)
    columns = [measure.name for measure in comparison.measures]
    rows = [("system", *map(_markdown_escape, columns))]
    for system in comparison.systems:
        cells = []
        for name in columns:
            mean = comparison.mean(name, system)
            figure = words.number(mean.mean)
            figure = f"**{figure}**" if (name, system) in best else figure
            mark = mean.mark
            cells.append(figure + (f"<sup>{mark}</sup>" if mark else ""))
        rows.append((_markdown_escape(labels[system]), *cells))
    blocks = [_markdown_escape(comparison.verdict), _markdown_table(rows, left=1)]
    shown = shown_differences(comparison)
    if shown:
        cells_of = [tuple(map(_markdown_escape, difference_cells(entry))) for entry in shown]
        blocks.append(_markdown_table([DIFFERENCE_HEADER, *cells_of], left=2))
    blocks.append("\n".join(f"- {_markdown_escape(line)}" for line in words.footnote(comparison)))
    return "\n\n".join(blocks) + "\n"


def _latex_escape(text: str) -> str:
    escaped = "".join(LATEX_SPECIAL.get(character, character) for character in text)
    escaped = escaped.replace(words.MINUS, "$-$").replace("∞", r"$\infty$")
    for mark, command in LATEX_MARKS.items():
        escaped = escaped.replace(mark, f"${command}$")
    return escaped.replace("\n", " ")


def _latex_mark(mark: str) -> str:
    if not mark:
        return ""
    content = LATEX_MARKS.get(mark) or r"\mathrm{" + mark + "}"
    return f"$^{{{content}}}$"


def latex(comparison: Comparison, *, caption: str = "", label: str = "") -> str:
    """A booktabs table of the means with their marks; the footnote is the end of the caption."""
    labels, best = _labels(comparison), best_systems(comparison)
    columns = [measure.name for measure in comparison.measures]
    lines = [r"\begin{table}", r"\centering", r"\begin{tabular}{l" + "l" * len(columns) + "}"]
    header = " & ".join(["system", *map(_latex_escape, columns)])
    lines += [r"\toprule", header + r" \\", r"\midrule"]
    for system in comparison.systems:
        cells = [_latex_escape(labels[system])]
        for name in columns:
            mean = comparison.mean(name, system)
            figure = _latex_escape(words.number(mean.mean))
            figure = r"\textbf{" + figure + "}" if (name, system) in best else figure
            cells.append(figure + _latex_mark(mean.mark))
        lines.append(" & ".join(cells) + r" \\")
    note = " ".join(_latex_escape(line) for line in words.footnote(comparison))
    start = caption or _latex_escape(comparison.verdict)
    lines += [r"\bottomrule", r"\end{tabular}", r"\caption{" + f"{start} {note}" + "}"]
    if label:
        lines.append(r"\label{" + label + "}")
    lines.append(r"\end{table}")
    return "\n".join(lines) + "\n"
