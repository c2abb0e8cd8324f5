"""The roofline plot: each kernel's speed beside what the machine can do with as much arithmetic per byte.

Williams, Waterman, Patterson: Roofline (2009). Both axes are logarithmic, all figures are those of one core.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from kcompile.core.markup import element, svg, text
from kcompile.explain.program import Measured
from kcompile.explain.wording import Layers, time_text

WIDTH, HEIGHT = 620.0, 400.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 16.0, 34.0, 44.0
LABELLED = 0.04  # share of the time from which on a point has its number beside it


@dataclass(frozen=True)
class Axis:
    """Powers of ten from `low` to `high`, drawn between two pixels."""

    low: int
    high: int
    begin: float
    end: float

    def at(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    @property
    def ticks(self) -> list[float]:
        return [10.0**k for k in range(self.low, self.high + 1)]


def roofline(program: Measured, layers: Layers) -> str:
    """The plot. Kernels without arithmetic have no place in it."""
    points = [(k, p) for k, p in enumerate(program.kernels) if p.flops and p.bytes and p.nanoseconds]
    ridge = program.core_gflops / program.core_gbytes
    x = _axis([p.flops / p.bytes for _, p in points] + [ridge], LEFT, WIDTH - RIGHT)
    y = _axis([p.gflops for _, p in points] + [program.core_gflops], HEIGHT - BOTTOM, TOP)
    return svg(WIDTH, HEIGHT, *_grid(x, y), *_roofs(program, x, y), *_points(program, points, x, y, layers))


def _axis(values: list[float], begin: float, end: float) -> Axis:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values) * 1.3))
    return Axis(low, max(high, low + 1), begin, end)


def _grid(x: Axis, y: Axis) -> list[str]:
    lines = [_line(x.at(t), y.begin, x.at(t), y.end) for t in x.ticks]
    lines += [_line(x.begin, y.at(t), x.end, y.at(t)) for t in y.ticks]
    numbers = [_label(x.at(t), y.begin + 16, f"{t:g}", "middle") for t in x.ticks]
    numbers += [_label(x.begin - 6, y.at(t) + 4, f"{t:g}", "end") for t in y.ticks]
    names = [
        _label((x.begin + x.end) / 2, HEIGHT - 8, "FLOP per byte", "middle"),
        _label(6, TOP - 18, "GFLOP/s of one core", "start"),
    ]
    return [*lines, *numbers, *names]


def _roofs(program: Measured, x: Axis, y: Axis) -> list[str]:
    """What memory and arithmetic allow."""
    flops, gbytes = program.core_gflops, program.core_gbytes
    ridge, left, right = flops / gbytes, 10.0**x.low, 10.0**x.high
    first = max(left, 10.0**y.low / gbytes)
    path = (
        f"M{x.at(first):.1f} {y.at(first * gbytes):.1f}L{x.at(ridge):.1f} {y.at(flops):.1f}H{x.at(right):.1f}"
    )
    middle = math.sqrt(first * ridge)
    return [
        element("path", d=path, class_="roof"),
        _label(x.end - 4, y.at(flops) - 6, f"{flops:.0f} GFLOP/s", "end", "roof-name"),
        _label(x.at(middle) - 8, y.at(middle * gbytes) - 8, f"{gbytes:.0f} GB/s", "end", "roof-name"),
    ]


def _points(program: Measured, points: list, x: Axis, y: Axis, layers: Layers) -> list[str]:
    shown = []
    for number, p in sorted(points, key=lambda one: -one[1].nanoseconds):  # small ones on top
        share = p.nanoseconds / program.nanoseconds
        cx, cy, radius = x.at(p.flops / p.bytes), y.at(p.gflops), 3.5 + 14 * math.sqrt(share)
        spent = f"{time_text(p.nanoseconds)}, {100 * share:.0f}%"
        told = f"{number} {layers.shown(p.name)}: {p.gflops:.1f} GFLOP/s, {spent}"
        parts = [element("title", text(told)), element("circle", cx=cx, cy=cy, r=radius)]
        if share >= LABELLED:
            parts.append(_label(cx, cy + 4, str(number), "middle", "point-name"))
        style = layers.style(p.name)
        shown.append(element("g", *parts, class_="point", style=style, data_k=number))
    return shown


def _line(x0: float, y0: float, x1: float, y1: float) -> str:
    return element("line", x1=x0, y1=y0, x2=x1, y2=y1, class_="grid")


def _label(x: float, y: float, line: str, anchor: str, class_: str | None = None) -> str:
    return element("text", text(line), x=x, y=y, text_anchor=anchor, class_=class_)
