"""A reliability plot as an SVG: what probabilities claim against what is observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plackett.metrics.report.svg import Drawing

if TYPE_CHECKING:
    from plackett.rerankers.calibration.calibrated import CalibrationReport, Faithfulness

__all__ = ["reliability_svg"]

SIDE, LEFT, TOP = 320.0, 48.0, 40.0
LEGEND = 190.0


def reliability_svg(report: CalibrationReport) -> str:
    """The plot as the text of an SVG file of its own, legible on light and on dark ground.

    A point a group of predictions: the farther to the right, the surer; on the diagonal, as sure as
    it should be. The area of a point is its number of documents.
    """
    drawing = Drawing(LEFT + SIDE + 24 + LEGEND, TOP + SIDE + 52)
    drawing.text(0, 18, "Reliability", style="heading")
    for tick in range(6):
        share = tick / 5
        x, y = _place(share, share)
        drawing.line(x, TOP, x, TOP + SIDE, style="grid")
        drawing.line(LEFT, y, LEFT + SIDE, y, style="grid")
        drawing.text(x, TOP + SIDE + 18, f"{share:g}", style="note", anchor="middle")
        drawing.text(LEFT - 8, y + 4, f"{share:g}", style="note", anchor="end")
    drawing.line(*_place(0.0, 0.0), *_place(1.0, 1.0), style="mean")
    middle = LEFT + SIDE / 2
    drawing.text(middle, TOP + SIDE + 38, "predicted probability", style="note", anchor="middle")
    drawing.text(LEFT, TOP - 8, "share that is relevant", style="note")
    known = [("before", report.before, 1), ("after", report.after, 0)]
    line = 0
    for name, faith, colour in known:
        if faith is not None:
            _curve(drawing, name, faith, colour)
            _legend(drawing, name, faith, colour, TOP + 16 + 66 * line)
            line += 1
    counts = f"{report.documents:,} documents, {report.queries:,} queries"
    drawing.text(LEFT + SIDE + 24, TOP + 16 + 66 * line, counts, style="note")
    return drawing.render(title="Predicted against observed relevance", standalone=True)


def _place(predicted: float, observed: float) -> tuple[float, float]:
    return LEFT + SIDE * predicted, TOP + SIDE * (1.0 - observed)


def _curve(drawing: Drawing, name: str, faith: Faithfulness, colour: int) -> None:
    curve = faith.curve
    order = curve.predicted.argsort(kind="stable")
    points = [_place(float(curve.predicted[i]), float(curve.observed[i])) for i in order]
    drawing.path(points, style=f"curve l{colour}")
    largest = float(curve.count.max())
    for i, (x, y) in zip(order, points, strict=True):
        hover = (
            f"{name}: {curve.count[i]:,} documents, predicted {curve.predicted[i]:.3f}, "
            f"observed {curve.observed[i]:.3f}"
        )
        radius = 2.0 + 4.0 * (float(curve.count[i]) / largest) ** 0.5
        drawing.circle(x, y, radius, style=f"f{colour}", hover=hover)


def _legend(drawing: Drawing, name: str, faith: Faithfulness, colour: int, top: float) -> None:
    x = LEFT + SIDE + 24
    drawing.circle(x + 5, top - 4, 5, style=f"f{colour}")
    drawing.text(x + 18, top, name)
    drawing.text(x + 18, top + 18, f"ECE {faith.ece:.3f}", style="note")
    drawing.text(x + 18, top + 35, f"Brier {faith.brier:.3f}", style="note")
