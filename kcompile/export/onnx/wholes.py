"""Whole numbers in floats, such as the pixels of images: what rounding and casts leave as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kcompile.core import dtypes
from kcompile.export.onnx.graph import OnnxNode

if TYPE_CHECKING:
    from kcompile.export.onnx.simplify import Around

ROUNDS = ("Round", "Floor", "Ceil")
BETWEEN = ("linear", "nearest")  # modes of Resize whose results lie between the numbers that they are made of


def cast_there_and_back(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """Whole numbers that are made ints, which hold them, and then the floats again that they were."""
    there = around.made(node.inputs[0], "Cast")
    limits = None if there is None else _limits(around, there.inputs[0])
    if there is None or limits is None:
        return None
    ints, before, after = (around.dtype(name) for name in (*there.outputs, *there.inputs, *node.outputs))
    if before != "float32" or after != before or not dtypes.is_int(ints):
        return None
    held = np.iinfo(ints)
    fits = held.min <= limits[0] and limits[1] <= held.max
    return [OnnxNode("Identity", there.inputs, node.outputs)] if fits else None


def _limits(around: Around, name: str) -> tuple[float, float] | None:
    """Between which whole numbers the elements lie, where they are such; None where that is not known."""
    rounded = around.makers.get(name)
    if rounded is not None and rounded.op == "Clip":
        bounds = [around.array(bound) for bound in rounded.inputs[1:]]
        if len(bounds) == 2 and all(b is not None and b.size == 1 and b.item() % 1 == 0 for b in bounds):
            inside = around.makers.get(rounded.inputs[0])
            if inside is not None and inside.op in ROUNDS:
                low, high = (float(b.item()) for b in bounds if b is not None)
                return low, high
        return None
    return _enlarged(around, rounded) if rounded is not None and rounded.op in ROUNDS else None


def _enlarged(around: Around, rounded: OnnxNode) -> tuple[float, float] | None:
    """Between which numbers the rounded pixels of an image of ints lie that was made larger or smaller.

    Before they are rounded they lie a little outside of them: 255.00002, which Ceil makes 256.
    """
    resized = around.makers.get(rounded.inputs[0]) if rounded.op == "Round" else None
    if resized is None or resized.op != "Resize" or resized.attrs.get("mode") not in BETWEEN:
        return None
    if resized.attrs.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        return None
    cast = around.makers.get(resized.inputs[0])
    ints = around.dtype(cast.inputs[0]) if cast is not None and cast.op == "Cast" else ""
    if ints not in ("uint8", "int8"):
        return None
    return float(np.iinfo(ints).min), float(np.iinfo(ints).max)


def limited_already(around: Around, node: OnnxNode) -> list[OnnxNode] | None:
    """Limits of what does not reach them: pixels between pixels need none."""
    rounded = around.made(node.inputs[0], *ROUNDS)
    limits = None if rounded is None else _enlarged(around, rounded)
    bounds = [around.array(name) for name in node.inputs[1:]]
    if limits is None or len(bounds) != 2 or any(b is None or b.size != 1 for b in bounds):
        return None
    low, high = (float(b.item()) for b in bounds if b is not None)
    return (
        [OnnxNode("Identity", node.inputs[:1], node.outputs)]
        if low <= limits[0] and limits[1] <= high
        else None
    )
