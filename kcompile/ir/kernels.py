"""Kernel IR: the kinds of kernel, of which `Loop` and `Contract` store scalar expressions (`ir.loops`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kcompile.core.symbolic import Atom, Int
from kcompile.ir.border import Border
from kcompile.ir.graph import Value
from kcompile.ir.loops import Axis, Expr, Index, walk


@dataclass(frozen=True)
class Store:
    """target[index] = expr, for all values of the axes in the index."""

    target: Value
    index: Index
    expr: Expr


@dataclass(frozen=True)
class Loop:
    """Stores over shared outer axes; each store may have further inner axes of its own."""

    axes: tuple[Axis, ...]
    stores: tuple[Store, ...]
    name: str
    fused: tuple[str, ...] = ()

    @property
    def reads(self) -> set[Any]:
        return _loaded(self.stores)


@dataclass(frozen=True)
class Contract:
    """A contraction and its consumers. Inside `stores`, whose axes are `index`, the contraction's own element
    is `acc`.

    contraction: operands and axis roles (`schedule.contraction.Contraction`). b_memory: the value that B is
    read from. part: the axis over parts of the reduction, where it is shared out. borders: of padded targets.
    """

    contraction: Any
    b_memory: Value
    index: Index
    stores: tuple[Store, ...]
    part: Axis | None
    name: str
    fused: tuple[str, ...] = ()
    borders: tuple[Border, ...] = ()

    @property
    def reads(self) -> set[Any]:
        return {self.contraction.a.base, self.b_memory} | _loaded(self.stores)


@dataclass(frozen=True)
class Pack:
    """B of a contraction copied to the panels that its micro-kernel reads."""

    contraction: Any
    target: Value
    name: str
    fused: tuple[str, ...] = ()

    @property
    def reads(self) -> set[Any]:
        return {self.contraction.b.base}


@dataclass(frozen=True)
class Finish:
    """Partial results of a contraction, summed over its parts and brought into the output's form."""

    contraction: Any
    source: Value
    target: Value
    name: str
    fused: tuple[str, ...] = ()

    @property
    def reads(self) -> set[Any]:
        return {self.source}


@dataclass(frozen=True)
class Scan:
    """A `loop` node: the kernels of its body (`plan`, a `schedule.plan.Plan`), repeated for every step.

    packed: memory that its body reads and other kernels fill. rows: the symbol of `extent` rows that do not
    depend on each other: blocks of them run through all steps side by side.
    """

    node: Any
    plan: Any
    packed: tuple[Value, ...]
    rows: Atom | None
    extent: int | Int
    name: str
    fused: tuple[str, ...] = ()

    @property
    def reads(self) -> set[Any]:
        return {*self.node.inputs, *self.packed}


@dataclass(frozen=True)
class Sort:
    """The order of each row of `source`: the positions of its elements, `target`'s first ones, NaN last."""

    source: Value
    target: Value
    descending: bool
    name: str
    fused: tuple[str, ...] = ()

    @property
    def reads(self) -> set[Any]:
        return {self.source}


Kernel = Loop | Contract | Pack | Finish | Scan | Sort


def writes(kernel: Kernel) -> tuple[Value, ...]:
    if isinstance(kernel, Scan):
        return tuple(kernel.node.values)
    if isinstance(kernel, (Pack, Finish, Sort)):
        return (kernel.target,)
    return tuple(s.target for s in kernel.stores)


def _loaded(stores: tuple[Store, ...]) -> set[Any]:
    return {part.attr[0] for s in stores for part in walk(s.expr) if part.op == "load"}
