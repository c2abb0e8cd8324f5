"""How large a batch is while a program for any batch is traced: for what people are shown, not for what is
computed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kcompile.core.symbolic import Int


class _Thread(threading.local):
    def __init__(self) -> None:
        self.batch: int | None = None


_thread = _Thread()


@contextmanager
def present_batch(size: int) -> Iterator[None]:
    """Inside, a trace is made on the occasion of a batch of this size."""
    before, _thread.batch = _thread.batch, size
    try:
        yield
    finally:
        _thread.batch = before


def is_known() -> bool:
    return _thread.batch is not None


def present_shape(shape: Any) -> tuple[int | None, ...]:
    """A shape with the present batch in it; None for what is not known even now.

    >>> from kcompile.core.symbolic import symbol
    >>> with present_batch(5):
    ...     present_shape((symbol("batch") * 2, 3)), present_shape((None, None, 3))
    ((10, 3), (5, None, 3))
    """
    return tuple(_extent(d, axis) for axis, d in enumerate(shape))


def _extent(d: Any, axis: int) -> int | None:
    if d is None:
        return _thread.batch if axis == 0 else None
    if not isinstance(d, Int):
        return int(d)
    try:
        return d.evaluate({} if _thread.batch is None else {"batch": _thread.batch})
    except KeyError:
        return None
