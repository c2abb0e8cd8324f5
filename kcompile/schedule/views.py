"""Operands of contractions as strided views of what lies in memory: what ops with a `view` rule do (reshape,
transpose, slice, broadcast) costs nothing there.
"""

from __future__ import annotations

from kcompile.ir.graph import Value
from kcompile.ir.views import View, contiguous


def view_of(value: Value) -> View:
    """The view that a value is of the nearest value which must lie in memory."""
    node = value.node
    if not node.op.has("view"):
        return contiguous(value)
    found: View | None = node.op.rules["view"](view_of(node.inputs[0]), value.shape, **node.attrs)
    return contiguous(value) if found is None else found
