"""A drawing of boxes and edges as SVG."""

from __future__ import annotations

from kcompile.core.graph_layout import Point, place
from kcompile.core.markup import curve, element, svg, text
from kcompile.explain.boxes import Box, Drawing
from kcompile.explain.wording import Layers

CHARACTER, LINE, PADDING, MARGIN = 6.7, 15.0, 8.0, 16.0  # pixels, of a fixed-width font of 11 pixels


def graph_picture(drawing: Drawing, layers: Layers, name: str) -> str:
    """The picture at its own size; boxes carry the numbers of their kernels."""
    sizes = [_size(box) for box in drawing.boxes]
    placed = place(sizes, list(drawing.edges))
    edges = [element("path", class_="edge", d=curve(points)) for points in placed.edges]
    boxes = [_box(*one, layers) for one in zip(drawing.boxes, placed.centers, sizes, strict=True)]
    arrow = element(
        "marker", element("path", d="M0 0L8 4L0 8z"), id=f"arrow-{name}", viewBox="0 0 8 8", refX=7, refY=4,
        markerWidth=6, markerHeight=6, orient="auto",
    )  # fmt: skip
    moved = element("g", *edges, *boxes, transform=f"translate({MARGIN:.0f} {MARGIN:.0f})")
    return svg(
        placed.width + 2 * MARGIN, placed.height + 2 * MARGIN, element("defs", arrow), moved,
        class_="graph", style=f"--arrow:url(#arrow-{name})",
    )  # fmt: skip


def _size(box: Box) -> Point:
    width = max([len(box.title) + 1, *(len(line) for _, line in box.lines)])
    return width * CHARACTER + 2 * PADDING, (1 + len(box.lines)) * LINE + PADDING


def _box(box: Box, center: Point, size: Point, layers: Layers) -> str:
    left, top = center[0] - size[0] / 2, center[1] - size[1] / 2
    lines = [("head", box.title), *box.lines]
    shown = [
        element("text", text(line), x=left + PADDING, y=top + LINE * (k + 1) - 1, class_=kind)
        for k, (kind, line) in enumerate(lines)
    ]
    rectangle = element("rect", x=left, y=top, width=size[0], height=size[1], rx=4)
    title = element("title", text(box.origin or "of no layer"))
    return element(
        "g", title, rectangle, *shown, class_="box input" if box.is_input else "box",
        style=layers.style(box.origin), data_k=box.kernel,
    )  # fmt: skip
