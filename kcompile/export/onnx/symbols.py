"""Symbolic dimensions in ONNX: names for `dim_param`, and tensors that hold them at run time."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core.symbolic import Atom, FloorDiv, Int, Min, is_nonnegative, symbol
from kcompile.ir.types import Shape


class Symbols:
    """Names of dimensions, and where each symbol can be read: (graph input, axis).

    multiples: symbols of which only a multiple is a dimension -> how much, and the name of that.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, Int] = {}
        self.sources: dict[str, tuple[str, int]] = {}
        self.multiples: dict[str, tuple[int, str]] = {}
        self._made_up: set[str] = set()
        self._unknown = 0

    def declare(self, name: str, shape: Shape) -> None:
        """A graph input of this shape: its dimensions that are symbols, or multiples, can be read from it."""
        for axis, dim in enumerate(shape):
            if isinstance(dim, Int):
                self.sources.setdefault(self.name_of(dim), (name, axis))
                (monomial, coefficient), *others = dim.terms
                if coefficient > 1 and len(monomial) == 1 and not others:
                    self.multiples.setdefault(monomial[0].name, (coefficient, self.name_of(dim)))

    def measure(self, name: str, shape: Shape) -> None:
        """A tensor of this shape is there: dimensions that only inference has names for are read from it."""
        for axis, dim in enumerate(shape):
            if isinstance(dim, Int) and self.name_of(dim) in self._made_up:
                self.sources.setdefault(self.name_of(dim), (name, axis))

    def name_of(self, dim: Int) -> str:
        """The `dim_param` of a dimension."""
        name = readable(dim)
        self.by_name[name] = dim
        return name

    def dim_of(self, name: str) -> Int:
        """The dimension that a `dim_param` stands for; one that inference made up is a new symbol."""
        if name not in self.by_name:
            self.by_name[name] = symbol(name)
            self._made_up.add(name)
        return self.by_name[name]

    def unknown(self) -> Int:
        """A dimension of which nothing is known."""
        self._unknown += 1
        return self.dim_of(f"unknown_{self._unknown}")


def readable(dim: int | Int) -> str:
    """A dimension as one would write it by hand, in Python and without spaces.

    >>> n = symbol("n")
    >>> readable((n + 1) // 2 - 1), readable(2 * n), readable(3 - n * n), readable(2 * (n // 3))
    ('(n+1)//2-1', '2*n', '3-n*n', '2*(n//3)')
    """
    if isinstance(dim, int):
        return str(dim)
    found = ""
    for monomial, coefficient in sorted(dim.terms, key=lambda term: (term[1] < 0, not term[0])):
        sign = "-" if coefficient < 0 else "+" if found else ""
        found += sign + _product_text(monomial, abs(coefficient))
    return found


def _product_text(monomial: tuple[Atom, ...], coefficient: int) -> str:
    numbers = [str(coefficient)] if coefficient != 1 or not monomial else []
    alone = len(monomial) == 1 and not numbers
    return "*".join([*numbers, *(_atom_text(atom, alone) for atom in monomial)])


def _atom_text(atom: Atom, alone: bool) -> str:
    if isinstance(atom, Min):
        return f"min({readable(atom.first)},{readable(atom.second)})"
    if not isinstance(atom, FloorDiv):
        return atom.name
    sides = [readable(d) for d in (atom.numerator, atom.divisor)]
    text = "//".join(side if side.isidentifier() or side.isdigit() else f"({side})" for side in sides)
    return text if alone else f"({text})"


def dims_tensor(g: Any, shape: Shape) -> str:
    """A 1-d int64 tensor of dimensions: a constant, or computed from the shapes of the graph's inputs."""
    parts, k = [], 0
    while k < len(shape):
        dim = shape[k]
        if isinstance(dim, int):
            count = next((j for j, d in enumerate(shape[k:]) if isinstance(d, Int)), len(shape) - k)
            parts.append(str(g.constant(np.array(shape[k : k + count], np.int64))))
        else:
            source = g.symbols.sources.get(g.symbols.name_of(dim))
            count = 1 if source is None else _run(shape[k:], g.shape(source[0])[source[1] :])
            parts.append(dim_tensor(g, dim) if source is None else _read(g, source[0], source[1], count))
        k += count
    if not parts:
        return str(g.constant(np.zeros(0, np.int64)))
    return parts[0] if len(parts) == 1 else str(g.once("Concat", *parts, axis=0))


def _run(shape: Shape, given: Shape) -> int:
    """How many dimensions at the front of both are the same."""
    same = [a == b for a, b in zip(shape, given, strict=False)]
    return same.index(False) if False in same else len(same)


def dim_tensor(g: Any, dim: int | Int) -> str:
    """One dimension as a tensor of one element."""
    if isinstance(dim, int):
        return str(g.constant(np.array([dim], np.int64)))
    source = g.symbols.sources.get(g.symbols.name_of(dim))
    if source is not None:
        return _read(g, *source)
    for atom in (a for monomial, _ in dim.terms for a in monomial if isinstance(a, FloorDiv)):
        rest = atom.numerator - atom.divisor * Int.of(atom)  # of the division
        for op, left in (("Add", dim - rest), ("Sub", dim + rest)):
            if not isinstance(left, Int) or len(left.terms) < len(dim.terms) - 1:
                remainder = g.once("Mod", *(dim_tensor(g, d) for d in (atom.numerator, atom.divisor)))
                if left == 0 and op == "Add":
                    return str(remainder)
                return str(g.once(op, dim_tensor(g, left), remainder))
    terms = [_term(g, monomial, coefficient) for monomial, coefficient in dim.terms]
    total = terms[0]
    for term in terms[1:]:
        total = g.once("Add", total, term)
    return total


def _term(g: Any, monomial: tuple[Atom, ...], coefficient: int) -> str:
    factors = [_atom(g, atom) for atom in monomial]
    if coefficient != 1 or not factors:
        factors.append(dim_tensor(g, coefficient))
    product = factors[0]
    for factor in factors[1:]:
        product = g.once("Mul", product, factor)
    return product


def _atom(g: Any, atom: Atom) -> str:
    if isinstance(atom, Min):
        return str(g.once("Min", dim_tensor(g, atom.first), dim_tensor(g, atom.second)))
    if isinstance(atom, FloorDiv):
        return _floordiv(g, atom)
    source = g.symbols.sources.get(atom.name)
    if source is None and atom.name in g.symbols.multiples:
        times, whole = g.symbols.multiples[atom.name]
        return str(g.once("Div", _read(g, *g.symbols.sources[whole]), dim_tensor(g, times)))
    if source is None:
        raise NotImplementedError(f"the dimension {atom.name!r} cannot be read from the shape of an input")
    return _read(g, *source)


def _floordiv(g: Any, atom: FloorDiv) -> str:
    """a // b for b > 0. ONNX divides integers towards zero, so what is left of a negative one goes first."""
    a, b = (dim_tensor(g, d) for d in (atom.numerator, atom.divisor))
    if is_nonnegative(atom.numerator):
        return str(g.once("Div", a, b))
    rest = g.once("Mod", a, b)  # has the divisor's sign
    return str(g.once("Div", g.once("Sub", a, rest), b))


PART_OF_SHAPE = 15  # the opset from which on Shape gives a part of the shape


def _read(g: Any, name: str, axis: int, count: int = 1) -> str:
    """`count` dimensions of a tensor, from an axis on."""
    rank = len(g.shape(name))
    if count == rank:
        return str(g.once("Shape", name))
    if g.opset >= PART_OF_SHAPE:
        ends = {"end": axis + count} if axis + count < rank else {}
        return str(g.once("Shape", name, start=axis, **ends))
    at = g.constant(np.arange(axis, axis + count, dtype=np.int64))
    return str(g.once("Gather", g.once("Shape", name), at, axis=0))
