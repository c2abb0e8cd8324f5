"""Symbolic dimensions in ONNX: names for `dim_param`, and tensors that hold them at run time."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core.symbolic import Atom, FloorDiv, Int, Min, symbol
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
        name = repr(dim).replace(" ", "")
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


def dims_tensor(g: Any, shape: Shape) -> str:
    """A 1-d int64 tensor of dimensions: a constant, or computed from the shapes of the graph's inputs."""
    if all(isinstance(d, int) for d in shape):
        return str(g.constant(np.array(shape, np.int64)))
    parts = [dim_tensor(g, d) for d in shape]
    return parts[0] if len(parts) == 1 else str(g.node("Concat", *parts, axis=0))


def dim_tensor(g: Any, dim: int | Int) -> str:
    """One dimension as a tensor of one element."""
    if isinstance(dim, int):
        return str(g.constant(np.array([dim], np.int64)))
    source = g.symbols.sources.get(g.symbols.name_of(dim))
    if source is not None:
        return _read(g, *source)
    terms = [_term(g, monomial, coefficient) for monomial, coefficient in dim.terms]
    total = terms[0]
    for term in terms[1:]:
        total = g.node("Add", total, term)
    return total


def _term(g: Any, monomial: tuple[Atom, ...], coefficient: int) -> str:
    factors = [_atom(g, atom) for atom in monomial]
    if coefficient != 1 or not factors:
        factors.append(dim_tensor(g, coefficient))
    product = factors[0]
    for factor in factors[1:]:
        product = g.node("Mul", product, factor)
    return product


def _atom(g: Any, atom: Atom) -> str:
    if isinstance(atom, Min):
        return str(g.node("Min", dim_tensor(g, atom.first), dim_tensor(g, atom.second)))
    if isinstance(atom, FloorDiv):
        return _floordiv(g, dim_tensor(g, atom.numerator), dim_tensor(g, atom.divisor))
    source = g.symbols.sources.get(atom.name)
    if source is None and atom.name in g.symbols.multiples:
        times, whole = g.symbols.multiples[atom.name]
        return str(g.once("Div", _read(g, *g.symbols.sources[whole]), dim_tensor(g, times)))
    if source is None:
        raise NotImplementedError(f"the dimension {atom.name!r} cannot be read from the shape of an input")
    return _read(g, *source)


def _floordiv(g: Any, a: str, b: str) -> str:
    """a // b for b > 0. ONNX divides integers towards zero, so the remainder goes first."""
    rest = g.node("Mod", a, b)  # has the divisor's sign
    return str(g.node("Div", g.node("Sub", a, rest), b))


PART_OF_SHAPE = 15  # the opset from which on Shape gives a part of the shape


def _read(g: Any, name: str, axis: int) -> str:
    if g.opset >= PART_OF_SHAPE:
        return str(g.once("Shape", name, start=axis, end=axis + 1))
    return str(g.once("Gather", g.once("Shape", name), g.constant(np.array([axis], np.int64)), axis=0))
