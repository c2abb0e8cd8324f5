"""The memory plan over time: a rectangle for every intermediate value, from its first command to its last."""

from __future__ import annotations

from kcompile.core.markup import element, svg, text
from kcompile.explain.program import Measured
from kcompile.explain.wording import Layers, memory_text, scaled

WIDTH, HEIGHT = 620.0, 400.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 16.0, 34.0, 44.0


def memory_picture(program: Measured, layers: Layers) -> str:
    """Commands run to the right, addresses of the arena upwards."""
    count = max(1, len(program.kernels))
    top = max([r.offset + r.size for r in program.arena], default=1)
    across, up = (WIDTH - LEFT - RIGHT) / count, (HEIGHT - TOP - BOTTOM) / max(top, 1)
    bottom = HEIGHT - BOTTOM
    shown = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = bottom - share * top * up
        shown.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        shown.append(element("text", scaled(share * top, "B", 1024), x=LEFT - 6, y=y + 4, text_anchor="end"))
    step = max(1, round(count / 12))
    for k in range(0, count, step):
        x = LEFT + (k + 0.5) * across
        shown.append(element("text", str(k), x=x, y=bottom + 16, text_anchor="middle"))
    shown.append(element("text", "kernel", x=(LEFT + WIDTH) / 2, y=HEIGHT - 8, text_anchor="middle"))
    shown.append(element("text", "address in the arena", x=6, y=TOP - 18))
    for r in program.arena:
        kernel = program.kernels[r.first]
        maker = f"{r.first} {layers.shown(kernel.name)}"
        told = f"{scaled(r.size, 'B', 1024)}, {r.value.type!r}: made by {maker}, last read by {r.last}"
        rectangle = element(
            "rect", element("title", text(told)), x=LEFT + r.first * across + 0.5,
            y=bottom - (r.offset + r.size) * up, width=max(1.0, (r.last - r.first + 1) * across - 1),
            height=max(0.7, r.size * up - 0.5), class_="range", data_k=r.first,
            style=layers.style(kernel.name),
        )  # fmt: skip
        shown.append(rectangle)
    return svg(WIDTH, HEIGHT, *shown)


def memory_words(program: Measured) -> str:
    """How many values share the arena, and the plan beside what was measured."""
    return f"{len(program.arena)} intermediate values; {memory_text(program.footprint)}"
