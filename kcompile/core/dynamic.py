"""Indices that are computed while a kernel runs, as atoms of symbolic integers."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Mapping
from typing import Any

from kcompile.core.symbolic import Atom, Int

_numbers: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
_next_number = itertools.count()


def _number_of(expr: Any) -> int:
    """A number that counts expressions in the order in which they were met: names made of it do not depend on
    where things lie in memory.
    """
    if expr not in _numbers:
        _numbers[expr] = next(_next_number)
    return _numbers[expr]


class Dynamic(Atom):
    """An integer computed by a scalar expression (an index read from memory). `expr` has `key`, `free_axes`
    and `substitute`.
    """

    __slots__ = ("expr",)

    def __init__(self, expr: Any, extent: int | Int | None = None):
        super().__init__(f"dyn{_number_of(expr):06}", 0, extent)
        self.expr = expr

    def substitute(self, env: Mapping[Atom, int | Int]) -> int | Int:
        if self in env:
            return env[self]
        expr = self.expr.substitute(env)
        return Int.of(self) if expr is self.expr else Int.of(Dynamic(expr, self.extent))
