"""What lies around the box that a kernel computes."""

from __future__ import annotations

from dataclasses import dataclass

from kcompile.ir.graph import Value


@dataclass(frozen=True)
class Border:
    """A target that is larger than what is stored in it: `before` and `after` elements of each axis are
    `value`. The first axis has none.
    """

    target: Value
    before: tuple[int, ...]
    after: tuple[int, ...]
    value: float
