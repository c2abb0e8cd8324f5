"""A loop whose conditions fall alike over stretches of its axis is written as one loop for each stretch.

The gradient of a concatenation or of gates cut from one product is a sum of padded parts, and padding asks at
each element whether it lies inside. Along a stretch the answer is known, and what remains is a vector loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from kcompile.core import symbolic
from kcompile.core.symbolic import Int
from kcompile.ir import loops
from kcompile.ir.conditions import COMPARISONS
from kcompile.ir.loops import Axis, Expr

MOST = 8  # stretches; more would be too much code
LEAST = 8  # elements of an average stretch
LONGEST = 1 << 16  # axis that is looked through

_TESTS: dict[str, Callable[..., Any]] = {**COMPARISONS, "and": np.logical_and, "or": np.logical_or}


@dataclass(frozen=True)
class Section:
    """A stretch [low, high) of an axis, and how each condition falls on it."""

    low: int
    high: int
    outcomes: tuple[tuple[Expr, bool], ...]


def sections_of(exprs: Iterable[Expr], axis: Axis) -> list[Section] | None:
    """The stretches along which no condition of a guard changes; None where that is too many."""
    if not isinstance(axis.extent, int) or axis.extent > LONGEST:
        return None
    guards = (g for e in exprs for g in loops.walk(e) if g.op == "guard")
    tests = dict.fromkeys(g.args[0] for g in guards if g.args[0].free_axes == {axis})
    points = np.arange(axis.extent)
    found = [(test, _values(test, axis, points)) for test in tests]
    known = [(test, np.broadcast_to(v, points.shape)) for test, v in found if v is not None]
    if not known:
        return None
    changes = np.flatnonzero(np.any([v[1:] != v[:-1] for _, v in known], axis=0)) + 1
    edges = [0, *changes.tolist(), axis.extent]
    if len(edges) - 1 > min(MOST, axis.extent // LEAST):
        return None
    return [
        Section(low, high, tuple((test, bool(v[low])) for test, v in known)) for low, high in pairwise(edges)
    ]


def _values(e: Expr, axis: Axis, points: np.ndarray) -> Any:
    """What an expression is at each point of the axis; None where that is not known."""
    if e.op == "const":
        return np.asarray(e.attr)
    if e.op == "index" and isinstance(e.attr, Int) and all(a is axis for a in e.attr.atoms()):
        return symbolic.evaluate(e.attr, {axis.name: points})  # type: ignore[dict-item]
    args = [_values(a, axis, points) for a in e.args]
    if e.op not in _TESTS or any(a is None for a in args):
        return None
    return _TESTS[e.op](*args)
