"""What lies around the box that a kernel computes."""

from __future__ import annotations

from dataclasses import dataclass

from kcompile.ir.graph import Node, Value


@dataclass(frozen=True)
class Border:
    """A target that is larger than what is stored in it: `before` and `after` elements of each axis are
    `value`. The first axis has none.
    """

    target: Value
    before: tuple[int, ...]
    after: tuple[int, ...]
    value: float


def border_of(padding: Node) -> Border | None:
    """What a padding puts around its input; None where that is no plain border behind the first axis."""
    attrs = padding.attrs
    before, after = tuple(attrs["before"]), tuple(attrs["after"])
    if any(attrs["inner"]) or not all(isinstance(n, int) and n >= 0 for n in (*before, *after)):
        return None
    if len(before) < 2 or before[0] or after[0]:
        return None
    return Border(padding.values[0], before, after, attrs["value"])
