"""What ops ask of their arguments in the same words: a number for each dimension, and ranks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kcompile.core.errors import ArgumentError, ShapeError, message
from kcompile.core.wholes import whole


def for_each(op: str, name: str, value: Any, count: int) -> tuple[int, ...]:
    """One whole number for each of `count` dimensions, from a number for all or one for each.

    >>> for_each("max_pool", "strides", 2, 3)
    (2, 2, 2)
    """
    if not isinstance(value, (tuple, list)):
        return (whole(name, value, of=op),) * count
    if len(value) != count:
        raise ArgumentError(f"{op}: `{name}` must have {count} numbers. Received: {name}={value!r}")
    return tuple(whole(name, v, of=op, received=value) for v in value)


def check_rank(op: str, name: str, x: Any, low: int, high: int | None = None) -> None:
    """Raises ShapeError unless x has at least `low` and at most `high` dimensions."""
    rank = len(x.shape)
    if rank < low or (high is not None and rank > high):
        wanted = f"{low}" if high == low else f"at least {low}" if high is None else f"{low} to {high}"
        raise ShapeError(
            message(
                f"{op}: `{name}` has the wrong number of dimensions.",
                expected=f"rank {wanted}",
                received=f"shape {tuple(x.shape)}",
            )
        )


def check_not_empty(op: str, x: Any, axes: Iterable[int]) -> None:
    """Raises ShapeError where there is nothing along one of the axes."""
    for axis in axes:
        if x.shape[axis] == 0:
            raise ShapeError(message(f"{op}: axis {axis} has no elements.", received=f"{x!r}"))
