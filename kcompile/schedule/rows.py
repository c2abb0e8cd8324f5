"""Is a computation the same for every row of its inputs, so that it can be cut into blocks of rows?"""

from __future__ import annotations

from collections.abc import Sequence

from kcompile.core.symbolic import Atom, Int
from kcompile.ir import loops
from kcompile.ir.graph import Graph, Value
from kcompile.ir.loops import Expr, Index
from kcompile.schedule.lower import Elements, is_leaf, new_axes


def independent_rows(graph: Graph, carried: Sequence[Value]) -> Atom | None:
    """The symbol of the leading axis of `carried` if every value's row k depends on rows k alone."""
    atoms = {_leading_symbol(v) for v in carried}
    atom = atoms.pop() if len(atoms) == 1 else None
    if atom is None:
        return None
    rows = _Rows(atom)
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
    """The test of single values against a symbol that counts rows."""

    def __init__(self, atom: Atom) -> None:
        self.atom, self.extent = atom, Int.of(atom)

    def are_kept_by(self, v: Value) -> bool:
        has_rows = v.shape[:1] == (self.extent,)
        if any(self._mentions(d) for d in (v.shape[1:] if has_rows else v.shape)):
            return False
        if is_leaf(v):
            return True
        if not v.op.has("scalar"):
            return False
        index = new_axes(v)
        expr = Elements(frozenset(v.node.inputs)).compute(v, index)
        return all(self._keeps(part, index[0] if has_rows else None) for part in loops.walk(expr))

    def _keeps(self, part: Expr, row: int | Int | None) -> bool:
        if part.op == "reduce":
            return not any(self._mentions(a.extent or 0) for a in part.attr[1])
        if part.op == "index":
            return not self._depends(part.attr, row)
        if part.op != "load":
            return True
        base, at = part.attr
        if base.shape[:1] != (self.extent,):
            return not any(self._depends(i, row) for i in at)
        rest: Index = at[1:]
        return at[0] == row and not any(self._depends(i, row) for i in rest)

    def _depends(self, index: int | Int, row: int | Int | None) -> bool:
        atoms = set(row.atoms()) if isinstance(row, Int) else set()
        return self._mentions(index) or (isinstance(index, Int) and not atoms.isdisjoint(index.atoms()))

    def _mentions(self, extent: int | Int) -> bool:
        return isinstance(extent, Int) and self.atom in set(extent.atoms())
