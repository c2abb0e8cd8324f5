"""Kernel IR: scalar expressions over an index space.

An expression says what one element is. Loads carry an index of symbolic integers over axes; a reduction is an
expression as well.
Fusing a producer into a consumer is substituting its expression for the load. Expressions are interned, so
shared parts are one object and are emitted once, at the shallowest loop where their free axes are bound.
"""

from __future__ import annotations

import itertools
import operator
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kcompile.core import symbolic
from kcompile.core.dtypes import is_half, numpy_dtype
from kcompile.core.dynamic import Dynamic
from kcompile.core.symbolic import Atom, Int
from kcompile.ir import conditions
from kcompile.ir.graph import Interning, attribute_key

Index = tuple["int | Int", ...]
Input = Callable[[Index], "Expr"]

_axis_numbers = itertools.count()


class Axis(Atom):
    """A loop over [0, extent)."""

    __slots__ = ()

    def __init__(self, extent: int | Int, name: str = ""):
        super().__init__(f"{name or 'i'}{next(_axis_numbers):06}", 0, extent)  # terms are sorted by name

    # Each axis is itself alone.
    __eq__ = object.__eq__
    __hash__ = object.__hash__


def axis(extent: int | Int, name: str = "") -> int | Int:
    """A new axis as an index; an axis of extent 1 is the constant 0."""
    return 0 if extent == 1 else Int.of(Axis(extent, name))


def axis_of(index: int | Int) -> Axis | None:
    """The axis when an index is exactly one axis."""
    if isinstance(index, Int) and len(index.terms) == 1:
        monomial, coefficient = index.terms[0]
        if coefficient == 1 and len(monomial) == 1 and isinstance(monomial[0], Axis):
            return monomial[0]
    return None


class Expr:
    """A scalar expression. `op` is a scalar operation's name, or one of const, index, load, reduce, cast,
    select, guard, acc.
    """

    __slots__ = ("__weakref__", "args", "attr", "below", "dtype", "free_axes", "op")

    op: str
    args: tuple[Expr, ...]
    dtype: str
    attr: Any
    free_axes: frozenset[Atom]
    below: tuple[Expr, ...] | None  # what `walk` found once

    def __repr__(self) -> str:
        from kcompile.ir.loop_text import text

        return text(self)

    def substitute(self, env: Mapping[Atom, int | Int]) -> Expr:
        """The expression with axes replaced."""
        return _substitute(self, env, {})


_interning = Interning()
_interned: weakref.WeakValueDictionary[Any, Expr] = weakref.WeakValueDictionary()


def _make(op: str, args: tuple[Expr, ...], dtype: str, attr: Any, free: frozenset[Atom]) -> Expr:
    key = (op, args, dtype, attribute_key(attr))
    found = _interned.get(key)
    if found is None:
        made = Expr()
        made.op, made.args, made.dtype, made.attr, made.free_axes = op, args, dtype, attr, free
        made.below = None
        found = _interning.first(_interned, key, made)
    return found


def _free(index: int | Int) -> frozenset[Atom]:
    if isinstance(index, int):
        return frozenset()
    found: set[Atom] = set()
    for atom in index.atoms():
        if isinstance(atom, Axis):
            found.add(atom)
        elif isinstance(atom, Dynamic):
            found |= atom.expr.free_axes
    return frozenset(found)


def const(value: Any, dtype: str) -> Expr:
    kind = bool if dtype == "bool" else float if dtype.startswith(("float", "bfloat")) else int
    return _make("const", (), dtype, kind(value), frozenset())


def index(value: int | Int, dtype: str = "int64") -> Expr:
    """An index as a number."""
    return const(value, dtype) if isinstance(value, int) else _make("index", (), dtype, value, _free(value))


def load(source: Any, at: Index, dtype: str) -> Expr:
    """The element of a materialized value."""
    free = frozenset().union(*(_free(i) for i in at)) if at else frozenset()
    return _make("load", (), dtype, (source, at), free)


def apply(op: str, *args: Expr, dtype: str | None = None, attr: Any = None) -> Expr:
    """A scalar operation. The dtype is that of the first argument unless given."""
    if dtype == "bool" and (known := conditions.known(op, args)) is not None:
        return const(known, dtype)
    free = args[0].free_axes.union(*(a.free_axes for a in args[1:])) if args else frozenset()
    return _make(op, args, dtype or args[0].dtype, attr, free)


def cast(x: Expr, dtype: str) -> Expr:
    if x.dtype == dtype:
        return x
    if x.op == "const":
        return const(_rounded(x.attr, dtype) if is_half(dtype) else x.attr, dtype)
    if x.op == "cast" and is_half(dtype) and x.args[0].dtype == dtype and x.dtype in ("float32", "float64"):
        return x.args[0]  # widened and back
    return apply("cast", x, dtype=dtype)


def _rounded(value: Any, dtype: str) -> float:
    with np.errstate(over="ignore"):
        return float(np.asarray(value, numpy_dtype(dtype)))


def select(condition: Expr, a: Expr, b: Expr) -> Expr:
    if condition.op == "const":
        return a if condition.attr else b
    return a if a is b else apply("select", condition, a, b, dtype=a.dtype)


def guard(condition: Expr, a: Expr, b: Expr) -> Expr:
    """Like select, but `a` is evaluated only where the condition holds (its loads may lie outside otherwise),
    and `b` only elsewhere.
    """
    if condition.op == "const":
        return a if condition.attr else b
    return a if a is b else apply("guard", condition, a, b, dtype=a.dtype)


def reduce(kind: str, axes: tuple[int | Int, ...], body: Expr) -> Expr:
    """Reduction of `body` over axes: kind is sum, prod, max, min, any or all."""
    bound = tuple(a for a in (axis_of(x) for x in axes) if a is not None)
    if not bound:
        return body
    return reduction(kind, bound, body, None)


def partial_reduce(kind: str, axes: tuple[Axis, ...], body: Expr, part: int | Int, parts: int) -> Expr:
    """Like reduce, but the first axis runs over the `part`-th of `parts` equal shares of its range only."""
    return reduction(kind, axes, body, (part, parts))


def reduction(kind: str, axes: tuple[Axis, ...], body: Expr, part: tuple[int | Int, int] | None) -> Expr:
    free = body.free_axes - set(axes)
    if part is not None:
        free |= _free(part[0])
    return _make("reduce", (body,), body.dtype, (kind, axes, part), free)


def dynamic(value: Expr, extent: int | Int) -> int | Int:
    """A computed number as an index in [0, extent)."""
    return Int.of(Dynamic(value, extent))


def _substitute_index(value: int | Int, env: Mapping[Atom, int | Int]) -> int | Int:
    return symbolic.substitute(value, env)


def _substitute(x: Expr, env: Mapping[Atom, int | Int], memo: dict[Expr, Expr]) -> Expr:
    if not x.free_axes.intersection(env):
        return x
    if x in memo:
        return memo[x]
    if x.op == "index":
        new = index(_substitute_index(x.attr, env), x.dtype)
    elif x.op == "load":
        source, at = x.attr
        new = load(source, tuple(_substitute_index(i, env) for i in at), x.dtype)
    else:
        new = with_args(x, tuple(_substitute(a, env, memo) for a in x.args))
        if new.op == "reduce" and new.attr[2] is not None:
            kind, axes, part = new.attr
            new = reduction(kind, axes, new.args[0], (_substitute_index(part[0], env), part[1]))
    memo[x] = new
    return new


def with_args(x: Expr, args: tuple[Expr, ...]) -> Expr:
    """The same operation on other arguments."""
    if all(map(operator.is_, x.args, args)):
        return x
    if x.op == "reduce":
        kind, axes, part = x.attr
        return reduction(kind, axes, args[0], part)
    if x.op in ("select", "guard"):
        return (select if x.op == "select" else guard)(*args)
    return apply(x.op, *args, dtype=x.dtype, attr=x.attr)


def walk(x: Expr) -> tuple[Expr, ...]:
    """All distinct parts, arguments first; dynamic indices inside loads included."""
    if x.below is None:
        x.below = _below(x)
    return (*x.below, x)


def _below(x: Expr) -> tuple[Expr, ...]:
    order: dict[Expr, None] = {}
    stack = [(x, iter((*x.args, *index_parts(x))))]
    while stack:
        current, rest = stack[-1]
        part = next(rest, None)
        if part is None:
            stack.pop()
            order[current] = None
        elif part not in order:
            if part.below is not None:
                order.update(dict.fromkeys((*part.below, part)))
            else:
                stack.append((part, iter((*part.args, *index_parts(part)))))
    del order[x]
    return tuple(order)


def outermost_reductions(e: Expr, guarded: bool = True) -> list[Expr]:
    """The reductions that are not inside of another. guarded: also those that are evaluated only where a
    condition holds; elsewhere what they load may lie outside.
    """
    found: dict[Expr, None] = {}
    seen: set[Expr] = set()
    stack = [e]
    while stack:
        part = stack.pop()
        if part.op == "reduce":
            found[part] = None
        elif part not in seen:
            seen.add(part)
            stack.extend(reversed(part.args if guarded or part.op != "guard" else part.args[:1]))
    return list(found)


def index_parts(x: Expr) -> list[Expr]:
    """Expressions inside the indices of a load or an index."""
    if x.op not in ("load", "index"):
        return []
    indices = x.attr[1] if x.op == "load" else (x.attr,)
    return [a.expr for i in indices if isinstance(i, Int) for a in i.atoms() if isinstance(a, Dynamic)]


def accumulator(dtype: str) -> Expr:
    """The contraction's own element inside an epilogue."""
    return _make("acc", (), dtype, None, frozenset())
