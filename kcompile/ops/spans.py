"""Slices of dimensions that only a run knows: where they begin, how long they are, and how ONNX says them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from kcompile.core import symbolic
from kcompile.core.open_extents import is_within
from kcompile.core.symbolic import Int

END = 2**63 - 1  # ONNX's end of a slice that takes all that follows
FIRST = -(2**63)  # and of one that goes backwards through the first element
FAR = 2**40  # an extent for a trial; numbers below half of it do not grow with extents
Bound = int | Int | None


def span(start: Bound, stop: Bound, step: int, extent: int | Int) -> tuple[int | Int, int | Int]:
    """The first position and the number of positions of the slice start:stop:step, as Python takes them.

    >>> n = symbolic.symbol("n")
    >>> span(None, -1, 1, n), span(None, None, -2, 5)
    ((0, n + -1), (4, 3))
    """
    if step > 0:
        first = 0 if start is None else _forwards(start, extent)
        last = extent if stop is None else _forwards(stop, extent)
    else:
        first = extent - 1 if start is None else _backwards(start, extent)
        last = -1 if stop is None else _backwards(stop, extent)
    return first, count(first, last, step)


def count(first: int | Int, last: int | Int, step: int) -> int | Int:
    """How many steps there are from first up or down to last, exclusive: none, where that lies behind.

    >>> n = symbolic.symbol("n")
    >>> count(1, n, 1), count(2, n, 1), count(5, 2, 1)
    (n + -1, min(2, n)*-1 + n, 0)
    """
    low = symbolic.minimum(first, last)
    length = last - low if step > 0 else first - low
    return symbolic.floordiv(length + (abs(step) - 1), abs(step))


def _forwards(k: int | Int, extent: int | Int) -> int | Int:
    """A bound of a slice with a positive step, from the first position to behind the last."""
    return k if is_within(k, extent) else symbolic.bound(k, extent)


def _backwards(k: int | Int, extent: int | Int) -> int | Int:
    """A bound of a slice with a negative step, from -1 to the last position."""
    if isinstance(k, Int) or k >= 0:
        return symbolic.minimum(k, extent - 1)
    return extent - symbolic.minimum(-k, extent + 1)


def fixed_bounds(first: Any, size: Any, step: int, extent: Any) -> tuple[int, int] | None:
    """Bounds for ONNX's Slice that do not depend on the extent; None where there are none.

    They are guessed from a large extent and then compared as formulas with what they stand for.

    >>> n = symbolic.symbol("n")
    >>> fixed_bounds(1, n - 1, 1, n) == (1, END), fixed_bounds(n - 3, 1, 1, n)
    (True, (-3, -2))
    """
    far: dict[str, int] = defaultdict(lambda: FAR)
    begin, count, whole = (symbolic.evaluate(x, far) for x in (first, size, extent))
    behind = begin + (count - 1) * step + (1 if step > 0 else -1)
    low = begin if begin < FAR // 2 else begin - whole
    high = behind if behind < FAR // 2 else behind - whole
    rest: list[int | None] = [None, high] if step > 0 else [None, high if high >= 0 else None]
    if step > 1 and high < 0:  # ends that the last step does not reach
        rest += range(high + 1, min(high + step, 0))
    for stop in rest:
        if _same(first, size, step, extent, low, stop):
            return low, (END if step > 0 else FIRST) if stop is None else stop
    return None


def _same(first: Any, size: Any, step: int, extent: Any, low: int, stop: int | None) -> bool:
    if stop == 0 and step > 0:  # ONNX reads 0 as the first position
        return False
    if step < 0 and low < -1:  # ONNX begins with the first position, at least; Python with nothing
        return False
    if span(low, stop, step, extent) == (first, size):
        return True
    # Positions that lie inside, as those of a valid slice do, need no clipping.
    begin = low if low >= 0 else extent + low
    end = extent if stop is None else stop if stop >= 0 else extent + stop
    return step > 0 and begin == first and symbolic.floordiv(end - begin + (step - 1), step) == size


def moved_inside(
    first: Any, size: Any, step: int, extent: Any
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Bounds of two slices, the second of what the first gives, that make a block which is moved inside where
    it would reach over an edge; None for blocks that are not, and where one slice does.

    >>> n = symbolic.symbol("n")
    >>> moved_inside(symbolic.minimum(2, n - 1), 1, 1, n) == ((0, 3), (-1, END))
    True
    >>> moved_inside(n - symbolic.minimum(2, n), 1, 1, n) == ((-2, END), (0, 1))
    True
    """
    if not isinstance(first, Int) or not isinstance(size, int) or step != 1:
        return None
    if fixed_bounds(first, size, step, extent) is not None:
        return None
    far: dict[str, int] = defaultdict(lambda: FAR)
    begin, whole = symbolic.evaluate(first, far), symbolic.evaluate(extent, far)
    if begin < FAR // 2:
        return ((0, begin + size), (-size, END)) if first == symbolic.minimum(begin, extent - size) else None
    back = whole - begin
    return (
        ((-back, END), (0, size))
        if back >= size and first == extent - symbolic.minimum(back, extent)
        else None
    )
