"""Scalar expressions as statements: each is emitted once, in the block where it is first needed or hoisted
to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product as combinations

from kcompile.codegen import scalar
from kcompile.codegen.writer import Writer
from kcompile.core import symbolic
from kcompile.core.dynamic import Dynamic
from kcompile.core.symbolic import Atom, FloorDiv, Int, Min
from kcompile.ir import loops
from kcompile.ir.graph import Value
from kcompile.ir.loops import Axis, Expr
from kcompile.ir.views import flat_offset

UNROLL = 16  # a reduction of at most so many known elements is written out
WINDOW = 25  # ... if it is over several axes: a window of 5 x 5
FEW = 4  # ... even where each takes an exponential, which a masked vector computes for all at once
CONSTANT_EXTENT = 32  # longer loops take their bound from the argument block, so that kernels are shared


Scope = dict[Expr | str, str]  # names of expressions, and of sums in the text of offsets


class Names:
    """Buffers and integers of a kernel's argument block."""

    def __init__(self, aliases: Mapping[Value, Value]) -> None:
        self.aliases = aliases  # values that live in another value's memory: an assigned variable's
        self.buffers: dict[Value, str] = {}
        self.numbers: dict[int | Int, str] = {}

    def memory(self, value: Value) -> Value:
        return self.aliases.get(value, value)

    def buffer(self, value: Value) -> str:
        return self.buffers.setdefault(self.memory(value), f"x{len(self.buffers)}")

    def number(self, value: int | Int) -> str:
        return self.numbers.setdefault(value, f"n{len(self.numbers)}")


class Statements:
    """Emits expressions into a writer, remembering in which scope each one has a name."""

    is_brief = False  # of the kernel's source

    def __init__(self, writer: Writer, names: Names, offsets: dict[tuple[Value, loops.Index], int | Int]):
        self.w, self.names, self.offsets = writer, names, offsets
        self.scopes: list[Scope] = [{}]
        self.axis_names: dict[Atom, str] = {}
        self.steps: dict[Atom, int | Int] = {}  # where along an axis one of several steps is
        self.kept: dict[
            Expr, tuple[Value, Expr, int | Int]
        ] = {}  # what reductions store of their steps, where

    @contextmanager
    def scope(self, known: Mapping[Expr | str, str] | None = None) -> Iterator[Scope]:
        """A block; yields the names given in it. known: those of a block before it that still hold."""
        self.scopes.append(dict(known or {}))
        yield self.scopes[-1]
        self.scopes.pop()

    @contextmanager
    def step(self, axis: Axis, name: str, place: int | Int) -> Iterator[None]:
        """At one of several steps of an axis: `place` in terms of the axis, `name` in the text."""
        self.axis_names[axis], self.steps[axis] = name, place
        yield
        del self.axis_names[axis], self.steps[axis]

    def known(self, e: Expr | str) -> str | None:
        for scope in reversed(self.scopes):
            if e in scope:
                return scope[e]
        return None

    def bind(self, e: Expr | str, text: str) -> None:
        self.scopes[-1][e] = text

    # -- integers ----------------------------------------------------------------------------------------

    def integer(self, value: int | Int) -> str:
        text = symbolic.code(self._at_step(value), self._atom)
        return f"({text})" if " " in text else text  # safe before and after any operator

    def place(self, value: Value, offset: int | Int) -> str:
        """An element in memory. What changes of the offset is computed once in a scope: elements side by side
        share it, which Numba would type and lower again for each of them.
        """
        changing, constant = _split_constant(self._at_step(offset))
        text = symbolic.code(changing, self._atom)
        if " " in text:
            text = self.known(text) or self._assign(text, text, "at")
        if constant:
            text = f"{text} + {constant}" if constant > 0 else f"{text} - {-constant}"
        return f"{self.names.buffer(value)}[{text}]"

    def _at_step(self, x: int | Int) -> int | Int:
        """x with the numbers of steps in it added up, unless it is computed with elements of memory."""
        if not self.steps or isinstance(x, int) or any(isinstance(atom, Dynamic) for atom in x.atoms()):
            return x
        return symbolic.substitute(x, self.steps)

    def _atom(self, atom: Atom) -> str:
        if isinstance(atom, FloorDiv):
            numerator, divisor = self.integer(atom.numerator), self.integer(atom.divisor)
            if symbolic.is_nonnegative(atom.numerator):
                return f"index_div({numerator}, {divisor})"
            return f"(({numerator}) // ({divisor}))"
        if isinstance(atom, Min) and not self.axis_names.keys().isdisjoint(atom.atoms()):
            return f"min({self.integer(atom.first)}, {self.integer(atom.second)})"
        if isinstance(atom, Dynamic):
            return f"i64({self.emit(atom.expr)})"
        if atom in self.axis_names:
            return self.axis_names[atom]
        return self.names.number(Int.of(atom))

    def bound(self, extent: int | Int) -> str:
        """A loop bound: short ones are constants, others arguments."""
        if isinstance(extent, int) and extent <= CONSTANT_EXTENT:
            return str(extent)
        return self.names.number(extent)

    # -- expressions -------------------------------------------------------------------------------------

    def emit(self, e: Expr) -> str:
        """A name or literal for the expression, with the statements it needs."""
        found = self.known(e)
        if found is not None:
            return found
        if e.op == "const":
            return scalar.literal(e.attr, e.dtype)
        if e.op == "index":
            text = f"{scalar.register(e.dtype)}({self.integer(e.attr)})"
        elif e.op == "load":
            text = self.element(e)
        elif e.op == "reduce":
            return self._reduce(e)
        elif e.op == "guard":
            return self._guard(e)
        else:
            text = scalar.expression(e, [self.emit(a) for a in e.args])
        return self._assign(e, text)

    def element(self, e: Expr) -> str:
        """What a load reads."""
        return self.place(e.attr[0], self.offsets[e.attr])

    def _assign(self, e: Expr | str, text: str, prefix: str = "v") -> str:
        name = self.w.name(prefix)
        self.w.line(f"{name} = {text}")
        self.bind(e, name)
        return name

    def _guard(self, e: Expr) -> str:
        condition, inside, outside = e.args
        test = self.emit(condition)
        name = self.w.name("g")
        with self.w.block(f"if {test}:"), self.scope():
            self.w.line(f"{name} = {self.emit(inside)}")
        with self.w.block("else:"), self.scope():
            self.w.line(f"{name} = {self.emit(outside)}")
        self.bind(e, name)
        return name

    def _reduce(self, e: Expr) -> str:
        for part in hoistable(e.args[0], set(self.axis_names)):
            self.emit(part)  # what is the same in all its steps: the maximum inside of a sum of exponentials
        if is_unrolled(e, self.is_brief):
            return self._assign(e, self._written_out(e))
        name = self.w.name("acc")
        self.w.line(f"{name} = {scalar.initial(e.attr[0], e.dtype)}")
        self._reduce_loops(e, e.attr[1], name)
        self.bind(e, name)
        return name

    def _written_out(self, e: Expr) -> str:
        kind, axes, _ = e.attr
        total = None
        for position in combinations(*(range(a.extent) for a in axes)):
            part = self.emit(
                resolve(e.args[0].substitute(dict(zip(axes, position, strict=True))), self.offsets)
            )
            total = part if total is None else self._temporary(scalar.combine(kind, e.dtype, total, part))
        return scalar.initial(kind, e.dtype) if total is None else total

    def _temporary(self, text: str) -> str:
        name = self.w.name("v")
        self.w.line(f"{name} = {text}")
        return name

    def _reduce_loops(self, e: Expr, axes: tuple[Axis, ...], name: str) -> None:
        if not axes:
            self.w.line(f"{name} = {scalar.combine(e.attr[0], e.dtype, name, self.emit(e.args[0]))}")
            if e in self.kept:
                target, part, offset = self.kept[e]
                self.w.line(f"{self.place(target, offset)} = {self.emit(part)}")
            return
        with self.loop(axes[0], self.part_range(e, axes[0])), self.scope():
            bound = set(self.axis_names)
            for part in hoistable(e.args[0], bound):
                self.emit(part)
            self._reduce_loops(e, axes[1:], name)

    def part_range(self, e: Expr, axis: Axis) -> tuple[str, str] | None:
        """The range of a reduction's first axis where only one part of it is wanted."""
        _, axes, part = e.attr
        if part is None or axis is not axes[0]:
            return None
        index, parts = self.integer(part[0]), part[1]
        extent = self.bound(axis.extent if axis.extent is not None else 1)
        return f"{extent} * ({index}) // {parts}", f"{extent} * ({index} + 1) // {parts}"

    @contextmanager
    def loop(self, axis: Axis, span: tuple[str, str] | None = None, step: int = 1) -> Iterator[str]:
        """A loop over an axis, or over a part of it, some steps at a time; yields its variable."""
        name = self.w.name("r")
        low, high = span or ("0", self.bound(axis.extent if axis.extent is not None else 1))
        limits = high if low == "0" and step == 1 else f"{low}, {high}"
        with self.w.block(f"for {name} in range({limits}{f', {step}' if step > 1 else ''}):"):
            self.axis_names[axis] = name
            yield name
        del self.axis_names[axis]


def _split_constant(x: int | Int) -> tuple[int | Int, int]:
    """x as a sum of what changes and a constant."""
    terms = x.terms if isinstance(x, Int) else (((), x),)
    constant = sum(coefficient for atoms, coefficient in terms if not atoms)
    return x - constant, constant


def is_unrolled(e: Expr, is_brief: bool = False) -> bool:
    """Is a reduction short enough to be written out, and no better as a vector loop of its own?

    is_brief: in a kernel where a longer text would take longer to compile than it ever saves.
    """
    _, axes, part = e.attr
    total = size_of(axes)
    if part is not None or not isinstance(total, int):
        return False
    if not 0 < total <= (UNROLL if len(axes) == 1 else WINDOW):
        return False
    return total <= FEW or not (is_brief or _is_costly_row(e))


def _is_costly_row(e: Expr) -> bool:
    """Does a reduction compute something costly of elements that lie side by side?"""
    _, axes, _ = e.attr
    parts = loops.walk(e.args[0])
    beside = any(p.op == "load" and p.attr[1] and loops.axis_of(p.attr[1][-1]) is axes[-1] for p in parts)
    return len(axes) == 1 and beside and any(p.op in scalar.COSTLY for p in parts)


def size_of(axes: Iterable[Atom]) -> int | Int:
    """How many points axes span."""
    return symbolic.product(1 if a.extent is None else a.extent for a in axes)


def hoistable(e: Expr, bound: set[Atom]) -> list[Expr]:
    """The largest parts of e whose axes are all bound; what only a guard's branch needs stays there."""
    found: list[Expr] = []
    seen: set[Expr] = set()  # parts are shared, those of computed indices many times over

    def visit(part: Expr) -> None:
        if part.op == "const" or part in seen:
            return
        seen.add(part)
        if all(a in bound for a in part.free_axes):
            found.append(part)
            return
        inner = part.args[:1] if part.op == "guard" else (*part.args, *loops.index_parts(part))
        for a in inner:
            visit(a)

    visit(e)
    return found


def resolve(e: Expr, offsets: dict[tuple[Value, loops.Index], int | Int]) -> Expr:
    """Note the memory offset of each load in an expression made by substitution."""
    for part in loops.walk(e):
        if part.op == "load" and part.attr not in offsets:
            offsets[part.attr] = flat_offset(*part.attr)
    return e
