"""Is a computation the same for every row of its inputs, so that it can be cut into blocks of rows?

The number of rows is a symbol; where it is a number, a symbol is put in its place, so that the same kernels
compute a block of any size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcompile.core.dynamic import Dynamic
from kcompile.core.errors import KCompileError
from kcompile.core.symbolic import Atom, Int, substitute, symbol
from kcompile.ir import graph as graphs
from kcompile.ir import loops
from kcompile.ir.graph import Graph, Value, depending_on, same_values
from kcompile.ir.loops import Expr, axis_of
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.schedule.lower import Elements, is_leaf, new_axes

FEWEST = 8  # rows that are worth cutting
_EXTENTS = ("shape", "size")  # attributes of ops that are extents


def with_rows(body: Graph, carries: int, slices: int) -> tuple[Graph, Atom | None, int | Int]:
    """A body that can be cut along the leading axis of what it carries: its graph, the symbol of that axis
    and its extent. None where rows depend on others.
    """
    carried = body.inputs[:carries]
    atom = independent_rows(body, carried)
    if atom is not None:
        return body, atom, Int.of(atom)
    extents = {v.shape[0] if v.shape else 0 for v in carried}
    rows = extents.pop() if len(extents) == 1 else 0
    if isinstance(rows, int) and rows >= FEWEST:
        # What else has as many rows may have to be cut, too, or may be a matrix: slices are tried first.
        for count in (carries + slices, len(body.inputs)):
            found = _opened(body, count, rows)
            atom = None if found is None else independent_rows(found, found.inputs[:carries])
            if found is not None and atom is not None:
                return found, atom, rows
    return body, None, 1


def _opened(body: Graph, count: int, rows: int) -> Graph | None:
    """The body with a symbol for the rows of its first inputs, if its other shapes follow from that."""
    extent = symbol("block_rows")
    new: dict[Value, Value] = {v: v for node in body.nodes() if node.op.leaf is not None for v in node.values}
    for v in body.inputs[:count]:
        if v.shape[:1] == (rows,):
            new[v] = make_parameter(v.node.attrs["name"], TensorType((extent, *v.shape[1:]), v.dtype))
    given = depending_on(body.outputs, body.inputs)
    for node in body.nodes():
        if node.values[0] in new:
            continue
        inputs = tuple(new[v] for v in node.inputs)
        attrs = node.attrs
        if not same_values(inputs, node.inputs) or node.values[0] not in given:
            attrs = {k: _with_extent(v, rows, extent) if k in _EXTENTS else v for k, v in attrs.items()}
        try:
            types = node.op.infer_types(tuple(v.type for v in inputs), attrs)
        except (KCompileError, ValueError, TypeError):
            return None
        for v, made in zip(node.values, graphs.node(node.op, inputs, attrs, types).values, strict=True):
            if made.shape not in (v.shape, (extent, *v.shape[1:])):
                return None
            new[v] = made
    return Graph([new[v] for v in body.inputs], [new[v] for v in body.outputs], name=body.name)


def _with_extent(value: Any, rows: int, extent: Int) -> Any:
    return (extent, *value[1:]) if isinstance(value, tuple) and value[:1] == (rows,) else value


def rows_of(graph: Graph) -> str | None:
    """The name of the symbol that counts the rows of all outputs, if they can be computed some at a time."""
    given = [v for v in graph.inputs if v.shape and isinstance(v.shape[0], Int)]
    atom = independent_rows(graph, [*given, *graph.outputs]) if given else None
    return None if atom is None else atom.name


def independent_rows(graph: Graph, carried: Sequence[Value]) -> Atom | None:
    """The symbol of the leading axis of `carried` if every value's row k depends on rows k alone, and inputs
    and outputs that have rows have them along their leading axis.
    """
    atoms = {_leading_symbol(v) for v in carried}
    atom = atoms.pop() if len(atoms) == 1 else None
    if atom is None:
        return None
    rows = _Rows(atom)
    if not all(rows.are_cut_from(v) for v in graph.outputs):
        return None
    return atom if all(rows.are_kept_by(v) for node in graph.nodes() for v in node.values) else None


def _leading_symbol(v: Value) -> Atom | None:
    first = v.shape[0] if v.shape else 0
    if not isinstance(first, Int) or len(first.terms) != 1:
        return None
    monomial, coefficient = first.terms[0]
    return monomial[0] if coefficient == 1 and len(monomial) == 1 else None


def mentions(v: Value, atom: Atom) -> bool:
    """Does an extent of v depend on the symbol?"""
    return any(isinstance(d, Int) and atom in set(d.atoms()) for d in v.shape)


class _Rows:
    """The test of single values against a symbol that counts rows.

    A value may have its rows along any axis, a number of elements for each. Its rows are kept if it is the
    same some rows further on: with its own index moved, all that it loads is found as far from where it was.
    """

    def __init__(self, atom: Atom) -> None:
        self.atom = atom
        self.extent, self.step = Int.of(atom), symbol("rows_further_on")

    def are_kept_by(self, v: Value) -> bool:
        if not self._has_fitting_shape(v.shape):
            return False
        if is_leaf(v):
            return self.are_cut_from(v)
        if not v.op.has("scalar"):
            return False
        moved = self._moved(v.shape)
        index = new_axes(v)
        expr = Elements(frozenset(v.node.inputs)).compute(v, index)
        further: dict[Atom, int | Int] = {}
        for i, distance in zip(index, moved, strict=True):
            if axis := axis_of(i):
                further[axis] = i + distance
        return all(self._keeps(part, further) for part in loops.walk(expr))

    def are_cut_from(self, v: Value) -> bool:
        """Does a block of rows lie side by side in memory that others see, or has it no rows?"""
        moved = self._moved(v.shape)
        return moved[:1] == [self.step] or not any(moved)

    def _keeps(self, part: Expr, further: Mapping[Atom, int | Int]) -> bool:
        if part.op == "reduce":
            return not any(self._mentions(a.extent or 0) for a in part.attr[1])
        if part.op == "index":
            return self._moves(part.attr, 0, further)
        if part.op != "load":
            return True
        base, at = part.attr
        return all(self._moves(i, d, further) for i, d in zip(at, self._moved(base.shape), strict=True))

    def _moves(self, index: int | Int, distance: int | Int, further: Mapping[Atom, int | Int]) -> bool:
        if self._mentions(index):
            return False
        # Numbers read from memory are looked at by themselves, as parts of the expression.
        read = [a for a in index.atoms() if isinstance(a, Dynamic)] if isinstance(index, Int) else []
        return substitute(index, {**further, **{a: Int.of(a) for a in read}}) == index + distance

    def _moved(self, shape: Sequence[int | Int]) -> list[int | Int]:
        """How far one goes along each axis for `step` rows."""
        return [self._each(d) * self.step if self._mentions(d) else 0 for d in shape]

    def _has_fitting_shape(self, shape: Sequence[int | Int]) -> bool:
        open_dims = [d for d in shape if self._mentions(d)]
        return len(open_dims) <= 1 and all(d == self._each(d) * self.extent for d in open_dims)

    def _each(self, extent: int | Int) -> int | Int:
        """Elements for each row."""
        return substitute(extent, {self.atom: 1})

    def _mentions(self, extent: int | Int) -> bool:
        return isinstance(extent, Int) and self.atom in set(extent.atoms())
