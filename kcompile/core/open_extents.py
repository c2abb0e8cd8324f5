"""Which extents fit together. In a program, open dimensions are equal only where they are the same symbol; in
the shapes of placeholders, what is unknown may turn out to be anything, and fits whatever it meets.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kcompile.core.symbolic import Int


class _Thread(threading.local):
    def __init__(self) -> None:
        self.of_placeholders = False
        self.within_tables = False
        self.invented: int | None = None


_thread = _Thread()


@contextmanager
def of_placeholders() -> Iterator[None]:
    """Inside, shapes of placeholders are computed. Nothing that is traced there will run, but what is written
    for a runtime that broadcasts by itself (ONNX).
    """
    before, _thread.of_placeholders = _thread.of_placeholders, True
    try:
        yield
    finally:
        _thread.of_placeholders = before


@contextmanager
def within_tables() -> Iterator[None]:
    """Inside, what is cut to an open extent is at least that long, and not cut to the shorter of the two."""
    before, _thread.within_tables = _thread.within_tables, True
    try:
        yield
    finally:
        _thread.within_tables = before


def is_within(position: int | Int, extent: int | Int) -> bool:
    """Is an open position taken to lie inside of a known extent?"""
    return _thread.within_tables and isinstance(position, Int) and isinstance(extent, int)


@contextmanager
def invented(extent: int | None) -> Iterator[None]:
    """Inside, this prime stands for every unknown extent (None: none does)."""
    before, _thread.invented = _thread.invented, extent
    try:
        yield
    finally:
        _thread.invented = before


def refuse_invented(shape: Sequence[int]) -> None:
    """Raise ValueError for a weight whose shape depends on an unknown extent."""
    prime = _thread.invented
    if prime is not None and any(d > 0 and d % prime == 0 for d in shape):
        raise ValueError(f"The shape of a weight depends on an unknown dimension. Received: {tuple(shape)}")


def are_of_placeholders() -> bool:
    """Are shapes of placeholders computed? What cannot be computed there needs the right shape only."""
    return _thread.of_placeholders


def fit(a: int | Int, b: int | Int) -> bool:
    """Are two extents equal, or may they be, of placeholders?

    >>> from kcompile.core.symbolic import symbol
    >>> fit(symbol("batch"), 9)
    False
    >>> with of_placeholders():
    ...     fit(symbol("batch"), 9), fit(8, 9)
    (True, False)
    """
    if a == b:
        return True
    return _thread.of_placeholders and not isinstance(a - b, int)  # one that is longer by so much never fits


def all_fit(a: Sequence[int | Int], b: Sequence[int | Int]) -> bool:
    """Do two shapes fit, dimension by dimension?"""
    return len(a) == len(b) and all(fit(d, e) for d, e in zip(a, b, strict=True))


def joined(extents: Sequence[int | Int]) -> int | Int | None:
    """What extents broadcast to: the one that is not 1, a known one before unknown ones; None if they do not.

    >>> joined([1, 3, 1]), joined([2, 3])
    (3, None)
    """
    found: int | Int = 1
    for extent in extents:
        if extent == 1 or extent == found:
            continue
        if found != 1 and not fit(extent, found):
            return None
        if found == 1 or isinstance(extent, int):
            found = extent
    return found
