"""A drawing of a few shapes as SVG text: no plotting library, no script, nothing fetched.

Colours are the variables of `palette.css`, which the page or, for a file of its own, the drawing
brings along; so one drawing is legible on light and on dark ground.
"""

from __future__ import annotations

import html
import math
import re
import unicodedata
from importlib import resources

__all__ = ["SERIES", "Drawing", "escape", "palette", "shorten", "text_width", "ticks"]

SERIES = 8
"""So many series have a colour of their own."""

NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

MARGIN = 16
"""Pixels of ground around a drawing that is a file of its own."""

CHARACTER_WIDTH = 8.1
"""Pixels a character of the 12.5 px label type takes on average, in the widest of the fonts."""


def escape(text: str) -> str:
    """Text made safe for HTML and XML, also inside attributes.

    Characters that XML forbids become U+FFFD.

    >>> escape('<b a="1">')
    '&lt;b a=&quot;1&quot;&gt;'
    """
    return html.escape(NOT_IN_XML.sub("\ufffd", text), quote=True)


def palette() -> str:
    """The style sheet with the colours of both grounds."""
    return (resources.files(__package__) / "palette.css").read_text(encoding="utf-8")


def shorten(text: str, length: int) -> str:
    """The text cut in the middle to at most `length` characters, so that both ends stay readable.

    >>> shorten("bm25-with-a-long-name-k1", 11)
    'bm25-…me-k1'
    """
    if len(text) <= length:
        return text
    head = length // 2
    return text[:head] + "…" + text[len(text) - (length - head - 1) :]


def text_width(text: str) -> float:
    """The width of a label in pixels, estimated; East Asian wide characters count twice."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return (len(text) + wide) * CHARACTER_WIDTH


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers that span low to high: steps of 1, 2, 2.5 or 5 times a power of ten.

    >>> ticks(0.03, 0.97)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not high > low:
        spread = abs(high) or 1.0
        low, high = low - spread / 2, high + spread / 2
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((s * power for s in (1, 2, 2.5, 5) if s * power >= rough * 0.95), 10 * power)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def tick_label(value: float, step: float) -> str:
    """A tick's number with the digits that its step needs, and no others."""
    digits = 0
    while digits < 10 and abs(round(step, digits) - step) > 1e-9 * step:
        digits += 1
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


class Drawing:
    """Shapes collected in order, later ones on top; coordinates in pixels from the upper left.

    >>> drawing = Drawing(100, 50)
    >>> drawing.text(10, 20, "a < b")
    >>> "a &lt; b" in drawing.render(title="A label")
    True
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._shapes: list[str] = []

    def line(self, x1: float, y1: float, x2: float, y2: float, *, style: str) -> None:
        """A straight line; `style` is a class of `palette.css`."""
        self._shapes.append(
            f'<line class="{style}" x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"/>'
        )

    def rectangle(
        self, x: float, y: float, width: float, height: float, *, style: str, hover: str = ""
    ) -> None:
        """A rectangle; `hover` is shown under the pointer and read aloud."""
        shape = (
            f'<rect class="{style}" x="{_n(x)}" y="{_n(y)}" '
            f'width="{_n(width)}" height="{_n(height)}"'
        )
        self._shapes.append(self._closed(shape, "rect", hover))

    def circle(self, x: float, y: float, radius: float, *, style: str, hover: str = "") -> None:
        """A disc."""
        shape = f'<circle class="{style}" cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}"'
        self._shapes.append(self._closed(shape, "circle", hover))

    def path(self, points: list[tuple[float, float]], *, style: str) -> None:
        """A line through points."""
        joined = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
        self._shapes.append(f'<polyline class="{style}" points="{joined}"/>')

    def text(
        self, x: float, y: float, text: str, *, style: str = "label", anchor: str = "start"
    ) -> None:
        """A label; `anchor` is start, middle or end."""
        self._shapes.append(
            f'<text class="{style}" x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}">'
            f"{escape(text)}</text>"
        )

    @staticmethod
    def _closed(shape: str, tag: str, hover: str) -> str:
        return f"{shape}><title>{escape(hover)}</title></{tag}>" if hover else f"{shape}/>"

    def render(self, *, title: str, standalone: bool = False) -> str:
        """The drawing as an `<svg>` element; `standalone` adds what a file of its own needs."""
        style = f"<style>{palette()}</style>" if standalone else ""
        margin = MARGIN if standalone else 0
        width, height = _n(self.width + 2 * margin), _n(self.height + 2 * margin)
        corner = _n(-margin)
        ground = (
            f'<rect class="ground" x="{corner}" y="{corner}" width="{width}" height="{height}"/>'
            if standalone
            else ""
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" '
            f'aria-label="{escape(title)}" width="{width}" height="{height}" '
            f'viewBox="{corner} {corner} {width} {height}">'
            f"<title>{escape(title)}</title>{style}{ground}{''.join(self._shapes)}</svg>"
        )
