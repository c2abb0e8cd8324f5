"""Text that browsers read: elements of HTML and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

Point = tuple[float, float]


def element(tag: str, *inside: str, **attributes: object) -> str:
    """An element. `inside` is markup already; names of attributes: `_` is `-`, and `class_` is class.

    >>> element("text", text("a < b"), x=1.5, class_="head", stroke_width=None)
    '<text x="1.5" class="head">a &lt; b</text>'
    """
    shown = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(number(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return f"<{tag}{shown}>{''.join(inside)}</{tag}>"


def text(line: object) -> str:
    """Text without markup and control characters."""
    return escape("".join(c if c.isprintable() else " " for c in str(line)), quote=False)


def svg(width: float, height: float, *inside: str, **attributes: object) -> str:
    """A picture of this size."""
    return element(
        "svg", *inside, width=width, height=height, viewBox=f"0 0 {width:.0f} {height:.0f}", role="img",
        **attributes,
    )  # fmt: skip


def number(value: object) -> str:
    """A number as short as pixels need it."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def curve(points: Sequence[Point], sideways: bool = False) -> str:
    """The path of a smooth line through points, upright (or level) at each of them."""
    path = [f"M{number(points[0][0])} {number(points[0][1])}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        half = (x0 + x1) / 2 if sideways else (y0 + y1) / 2
        bends = (half, y0, half, y1) if sideways else (x0, half, x1, half)
        path.append(f"C{' '.join(map(number, (*bends, x1, y1)))}")
    return "".join(path)
