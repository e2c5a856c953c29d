"""Drawing for a page: escaped SVG elements, round ticks, and a plot with two axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

WIDTH = 360
"""Units of every drawing's width: about the pixels of a phone, so that text keeps its size there;
wider screens set several drawings side by side."""
LETTER = 7.2
"""Width of a letter of 12 units, on average: of DejaVu Sans, the widest of the fonts that the page
names; measured on names of rules and rounded up."""


def number(value: float) -> str:
    """Coordinate with a tenth of a unit."""
    return f"{value:.1f}".removesuffix(".0")


def element(name: str, content: str = "", /, **attributes: object) -> Markup:
    """One element; attributes and plain text are escaped, `Markup` content is not.

    Examples
    --------
    >>> element("text", "a < b", text_anchor="end")
    Markup('<text text-anchor="end">a &lt; b</text>')
    """
    named = (
        f' {key.rstrip("_").replace("_", "-")}="{escape(_attribute(value))}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{''.join(named)}>{escape(content)}</{name}>")


def _attribute(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)


def shortened(text: str, width: float) -> str:
    """Text that fits a width, cut in the middle."""
    letters = max(3, int(width / LETTER))
    if len(text) <= letters:
        return text
    head = (letters - 1) // 2
    return f"{text[:head]}…{text[len(text) - (letters - 1 - head) :]}"


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two ends.

    Examples
    --------
    >>> ticks(0, 1)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    if not high > low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


@dataclass(frozen=True)
class Scale:
    """Linear map from values to units of the drawing."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """Place of a value."""
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return self.start + share * (self.stop - self.start)


@dataclass
class Plot:
    """A plot area with axes.

    Parameters
    ----------
    x, y : (float, float)
        Lowest and highest value along each axis.
    height : float
    left, bottom : float
        Room for the labels.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    height: float = 200
    left: float = 46
    right: float = 10
    top: float = 8
    bottom: float = 36
    _parts: list[Markup] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.to_x = Scale(*self.x, self.left, WIDTH - self.right)
        self.to_y = Scale(*self.y, self.height - self.bottom, self.top)

    def add(self, part: Markup) -> None:
        """Put an element on top."""
        self._parts.append(part)

    def band(self, low: float, high: float, class_: str, vertical: bool = False) -> None:
        """Shade between two values of y, or of x if `vertical`."""
        if vertical:
            x0, x1 = self.to_x(max(low, self.x[0])), self.to_x(min(high, self.x[1]))
            y0, y1 = self.to_y.stop, self.to_y.start
        else:
            x0, x1 = self.to_x.start, self.to_x.stop
            y0, y1 = self.to_y(min(high, self.y[1])), self.to_y(max(low, self.y[0]))
        size = {"width": float(max(x1 - x0, 0)), "height": float(max(y1 - y0, 0))}
        self.add(element("rect", x=float(x0), y=float(y0), **size, class_=class_))

    def rule(self, value: float, class_: str, vertical: bool = False) -> None:
        """Draw a line at a value of y, or of x if `vertical`."""
        ends = [(value, self.y[0]), (value, self.y[1])]
        if not vertical:
            ends = [(self.x[0], value), (self.x[1], value)]
        self.line(ends, class_)

    def line(self, points: Iterable[tuple[float, float]], class_: str) -> None:
        """Join points by a line."""
        places = [f"{number(self.to_x(x))} {number(self.to_y(y))}" for x, y in points]
        if places:
            self.add(element("path", d="M" + "L".join(places), class_=class_))

    def dots(self, points: Iterable[tuple[float, float]], class_: str) -> None:
        """Draw points, as one path of lines without length: a tenth of the bytes of circles."""
        places = (f"M{number(self.to_x(x))} {number(self.to_y(y))}h0" for x, y in points)
        path = "".join(places)
        if path:
            self.add(element("path", d=path, class_=f"dots {class_}"))

    def square(self, x: float, y: float, class_: str, half: float = 4.5) -> None:
        """Draw a square around a place of the drawing, in its units."""
        size = {"width": 2 * half, "height": 2 * half}
        self.add(element("rect", x=x - half, y=y - half, **size, class_=f"square {class_}"))

    def circle(self, x: float, y: float, class_: str) -> None:
        """Draw a circle at values of x and y."""
        place = {"cx": float(self.to_x(x)), "cy": float(self.to_y(y))}
        self.add(element("circle", **place, r=4.5, class_=class_))

    def across(self, left: float, right: float, y: float, height: float, class_: str) -> None:
        """Draw a lying bar between two values of x, its upper edge at y of the drawing."""
        x0, x1 = self.to_x(left), self.to_x(right)
        if x1 > x0:
            size = {"width": float(x1 - x0), "height": float(height)}
            self.add(element("rect", x=float(x0), y=float(y), **size, class_=class_))

    def upright(self, x: float, y: float, half: float, class_: str) -> None:
        """Draw a short upright line at a value of x, around y of the drawing."""
        path = f"M{number(self.to_x(x))} {number(y - half)}v{number(2 * half)}"
        self.add(element("path", d=path, class_=class_))

    def bar(self, left: float, right: float, value: float, class_: str = "bar") -> None:
        """Draw an upright bar from 0 to a value of y."""
        x0, x1 = self.to_x(left), self.to_x(right)
        y0, y1 = self.to_y(value), self.to_y(0)
        size = {"width": float(max(x1 - x0 - 1, 1)), "height": float(y1 - y0)}
        self.add(element("rect", x=float(x0), y=float(y0), **size, class_=class_))

    def label(self, x: float, y: float, text: str, anchor: str = "start", class_: str = "") -> None:
        """Write at a place of the drawing, in its units."""
        more = {"class_": class_} if class_ else {}
        self.add(element("text", text, x=float(x), y=float(y), text_anchor=anchor, **more))

    def x_axis(self, title: str, marks: Sequence[tuple[float, str]] | None = None) -> None:
        """Ticks and title below; of round numbers unless marks are given."""
        base = self.to_y.start
        for value, text in marks or _marks(self.x):
            at = self.to_x(value)
            self.add(element("path", d=f"M{number(at)} {number(base)}v4", class_="axis"))
            self.label(at, base + 16, text, "middle", "tick")
        self.line([(self.x[0], self.y[0]), (self.x[1], self.y[0])], "axis")
        self.label((self.to_x.start + self.to_x.stop) / 2, self.height - 4, title, "middle")

    def y_axis(self, marks: Sequence[tuple[float, str]] | None = None) -> None:
        """Ticks and pale lines; of round numbers unless marks are given."""
        for value, text in marks or _marks(self.y):
            at = self.to_y(value)
            self.rule(value, "grid")
            self.label(self.left - 6, at + 4, text, "end", "tick")

    def drawn(self, title: str) -> Markup:
        """Give the drawing; `title` is what a screen reader says."""
        return drawing(self.height, title, self._parts)


def drawing(height: float, title: str, parts: Iterable[Markup]) -> Markup:
    """Put elements into an SVG of `WIDTH` units, which scales with the page."""
    content = Markup("").join([element("title", title), *parts])
    box = f"0 0 {WIDTH} {number(float(height))}"
    return element("svg", content, viewBox=box, role="img", aria_label=title)


def _marks(ends: tuple[float, float]) -> list[tuple[float, str]]:
    return [(value, f"{value:.4g}") for value in ticks(*ends)]
