"""Boxes and edges as an SVG picture, with text alone: no fonts to load, no scripts, no other program."""

from __future__ import annotations

from html import escape
from itertools import pairwise

from kcompile.core.graph_layout import Placed, Point, place
from kcompile.utils.model_boxes import Boxes

CHARACTER, LINE = 7.3, 17.0  # pixels of a character and of a line, at 12 pixels of a fixed-width font
PADDING, MARGIN = 10.0, 20.0
FILLS = {"input": "#dcebfa", "layer": "#f7f7f7"}
DIRECTIONS = ("TB", "BT", "LR", "RL")
STYLE = (
    "text{font:12px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1b1b1b}"
    ".head{font-weight:600}rect.box{stroke:#5b6470;stroke-width:1}path.edge{fill:none;stroke:#5b6470;stroke-width:1.4}"
)


def svg_of(boxes: Boxes, title: str, rankdir: str = "TB", scale: float = 1.0) -> str:
    """The picture as the text of an SVG file.

    Args:    rankdir: where edges run, "TB" (down), "BT" (up), "LR" (right) or "RL" (left).
             scale: of the width and height that the picture asks for.
    """
    turned = rankdir in ("LR", "RL")
    sizes = [_size(lines) for lines in boxes.texts]
    placed = place([(h, w) if turned else (w, h) for w, h in sizes], list(boxes.edges))
    centers, edges, width, height = _turned(placed, rankdir)
    full = width + 2 * MARGIN, height + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{_n(full[0] * scale)}" '
        f'height="{_n(full[1] * scale)}" viewBox="0 0 {_n(full[0])} {_n(full[1])}">',
        f"<title>{_text(title)}</title><style>{STYLE}</style>",
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#5b6470"/></marker></defs>',
        f'<rect width="{_n(full[0])}" height="{_n(full[1])}" fill="#ffffff"/>',
        *(_edge(points, turned) for points in edges),
    ]
    for lines, kind, center, size in zip(boxes.texts, boxes.kinds, centers, sizes, strict=True):
        parts.append(_box(lines, kind, center, size))
    return "\n".join([*parts, "</svg>", ""])


def _turned(placed: Placed, rankdir: str) -> tuple[list[Point], list[list[Point]], float, float]:
    """Places from rows that run downwards, turned to where `rankdir` says, and moved by the margin."""
    width, height = placed.width, placed.height
    if rankdir in ("LR", "RL"):
        width, height = height, width

    def turn(point: Point) -> Point:
        x, y = point if rankdir in ("TB", "BT") else (point[1], point[0])
        x = width - x if rankdir == "RL" else x
        y = height - y if rankdir == "BT" else y
        return x + MARGIN, y + MARGIN

    return [turn(p) for p in placed.centers], [[turn(p) for p in e] for e in placed.edges], width, height


def _size(lines: list[str]) -> Point:
    return max(map(len, lines)) * CHARACTER + 2 * PADDING, len(lines) * LINE + 2 * PADDING - 4


def _box(lines: list[str], kind: str, center: Point, size: Point) -> str:
    left, top = center[0] - size[0] / 2, center[1] - size[1] / 2
    parts = [
        f'<g><rect class="box" x="{_n(left)}" y="{_n(top)}" width="{_n(size[0])}" height="{_n(size[1])}" '
        f'rx="5" fill="{FILLS[kind]}"/>'
    ]
    for number, line in enumerate(lines):
        y = top + PADDING + LINE * number + 10
        head = ' class="head"' if number == 0 else ""
        parts.append(f'<text{head} x="{_n(center[0])}" y="{_n(y)}" text-anchor="middle">{_text(line)}</text>')
    return "".join([*parts, "</g>"])


def _edge(points: list[Point], turned: bool) -> str:
    """A smooth curve that leaves and meets boxes at right angles."""
    path = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        if turned:
            half = (x0 + x1) / 2
            path.append(f"C{_n(half)} {_n(y0)} {_n(half)} {_n(y1)} {_n(x1)} {_n(y1)}")
        else:
            half = (y0 + y1) / 2
            path.append(f"C{_n(x0)} {_n(half)} {_n(x1)} {_n(half)} {_n(x1)} {_n(y1)}")
    return f'<path class="edge" d="{"".join(path)}" marker-end="url(#arrow)"/>'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(line: str) -> str:
    """Text that XML takes: no markup, and no control characters."""
    return escape("".join(c if c.isprintable() else "?" for c in line))
