"""Boxes and edges as an SVG picture, with text alone: no fonts to load, no scripts, no other program."""

from __future__ import annotations

from kcompile.core.graph_layout import Placed, Point, place
from kcompile.core.markup import curve, element, number, text
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
    arrow = element(
        "marker", element("path", d="M0 0L8 4L0 8z", fill="#5b6470"), id="arrow", viewBox="0 0 8 8", refX=7.5,
        refY=4, markerWidth=7, markerHeight=7, orient="auto",
    )  # fmt: skip
    parts = [
        element("title", text(title)),
        element("style", STYLE),
        element("defs", arrow),
        element("rect", width=full[0], height=full[1], fill="#ffffff"),
        *(element("path", class_="edge", d=curve(e, turned), marker_end="url(#arrow)") for e in edges),
        *(_box(*one) for one in zip(boxes.texts, boxes.kinds, centers, sizes, strict=True)),
    ]
    asked = {"width": full[0] * scale, "height": full[1] * scale}
    view = f"0 0 {number(full[0])} {number(full[1])}"
    return (
        element("svg", *parts, xmlns="http://www.w3.org/2000/svg", role="img", viewBox=view, **asked) + "\n"
    )


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
    rectangle = element(
        "rect", class_="box", x=left, y=top, width=size[0], height=size[1], rx=5, fill=FILLS[kind]
    )
    shown = [
        element(
            "text", text(line), class_=None if k else "head", x=center[0],
            y=top + PADDING + LINE * k + 10, text_anchor="middle",
        )
        for k, line in enumerate(lines)
    ]  # fmt: skip
    return element("g", rectangle, *shown)
