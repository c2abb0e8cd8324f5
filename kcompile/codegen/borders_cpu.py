"""The borders of padded targets: a run of tiles writes its share of them, one for each first index."""

from __future__ import annotations

from kcompile.codegen import scalar
from kcompile.codegen.expressions import Names, Statements
from kcompile.codegen.writer import Writer
from kcompile.core.symbolic import Int, product
from kcompile.ir.border import Border


def write_borders(
    w: Writer, s: Statements, names: Names, borders: tuple[Border, ...], tiles: int | Int
) -> None:
    """Writes those that belong to the tiles from `begin` to `end`."""
    count, first = s.integer(tiles), s.integer(borders[0].target.shape[0])
    # A run without tiles comes here, too.
    low, high = (f"index_div({first} * {place}, max({count}, 1))" for place in ("begin", "end"))
    with w.block(f"for outer in range({low}, {high}):"):
        for border in borders:
            w.line(f"around0 = outer * {s.integer(product(border.target.shape[1:]))}")
            _around(w, s, names.buffer(border.target), border, 1)


def _around(w: Writer, s: Statements, buffer: str, border: Border, axis: int) -> None:
    """Both sides of an axis, and what lies around the box along the later ones."""
    shape, base = border.target.shape, f"around{axis - 1}"
    before, after = border.before[axis], border.after[axis]
    step = product(shape[axis + 1 :])
    inside = shape[axis] - before - after
    filling = scalar.literal(border.value, border.target.dtype)
    for start, count in ((0, before), (inside + before, after)):
        if count:
            with w.block(f"for j in range({s.integer(step * count)}):"):
                w.line(f"{buffer}[{base} + {s.integer(step * start)} + j] = {filling}")
    if any(border.before[axis + 1 :]) or any(border.after[axis + 1 :]):
        with w.block(f"for r{axis} in range({s.integer(inside)}):"):
            w.line(f"around{axis} = {base} + (r{axis} + {before}) * {s.integer(step)}")
            _around(w, s, buffer, border, axis + 1)
