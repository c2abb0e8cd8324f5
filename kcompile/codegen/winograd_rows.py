"""Rows of squares of Winograd convolutions: which image one is of, and a copy of the pixels that it reads."""

from __future__ import annotations

from kcompile.codegen.expressions import Statements
from kcompile.codegen.winograd_cut import FLOAT
from kcompile.codegen.writer import Writer
from kcompile.kernels.winograd import TILE
from kcompile.schedule.roles import AxisRole
from kcompile.schedule.winograd import Window


def write_row_position(w: Writer, s: Statements, window: Window, row: str) -> list[str]:
    """Where a row of squares lies: `top`, its first row of pixels; returns names for where it is along each
    axis of images.
    """
    w.line(f"image = index_div({row}, {window.tile_rows})")
    w.line(f"top = ({row} - image * {window.tile_rows}) * {TILE}")
    names = [f"image{k}" for k in range(len(window.images))]
    rest = "image"
    for name, r in reversed(list(zip(names, window.images, strict=True))):
        if name == "image0":
            w.line(f"image0 = {rest}")
            continue
        extent = s.integer(r.extent)
        w.line(f"before_{name} = index_div({rest}, {extent})")
        w.line(f"{name} = {rest} - before_{name} * {extent}")
        rest = f"before_{name}"
    return names


def image_offset(s: Statements, images: tuple[AxisRole, ...], names: list[str], operand: str) -> str:
    """Bytes from the first image of an operand to that at the position `names`."""
    terms = [
        f"{name} * {s.integer(getattr(r, operand) * FLOAT)}" for name, r in zip(names, images, strict=True)
    ]
    return " + ".join(terms) or "0"


def step_offset(step: str, axes: tuple[AxisRole, ...], operand: str) -> str:
    """Bytes from where an operand begins to where it is at a step of these axes, counted through."""
    terms, inner = [], 1
    for r in reversed(axes):
        position = step if inner == 1 else f"index_div({step}, {inner})"
        position = position if r is axes[0] else f"{position} % {r.extent}"
        terms.append(f"{position} * {int(getattr(r, operand)) * FLOAT}")
        inner *= int(r.extent)
    return " + ".join(terms) or "0"


def copy_patch(
    w: Writer,
    into: str,
    source: str,
    rows: int,
    pixels: int,
    channels: int,
    limits: tuple[int, int],
    steps: tuple[int, int],
) -> None:
    """Copy `rows` image rows from row `top` on to memory `into`, zero beyond the image's limits (rows,
    columns).
    """
    height, width = limits
    row, col = steps
    w.line(f"into = buffer_f32({into}, 102)")
    w.line(f"pixel = buffer_f32({source}, 103)")
    with w.block(f"for i in range({rows}):"):
        w.line(f"inside = {min(width, pixels)} if top + i < {height} else 0")
        if col == channels:  # pixels lie side by side: a row is one copy
            with w.block(f"for j in range(inside * {channels}):"):
                w.line(f"into[i * {pixels * channels} + j] = pixel[(top + i) * {row} + j]")
        else:
            with w.block("for j in range(inside):"), w.block(f"for c in range({channels}):"):
                w.line(
                    f"into[(i * {pixels} + j) * {channels} + c] = pixel[(top + i) * {row} + j * {col} + c]"
                )
        with w.block(f"for j in range(inside * {channels}, {pixels * channels}):"):
            w.line(f"into[i * {pixels * channels} + j] = f32(0.0)")
