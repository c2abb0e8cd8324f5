"""Listings as JSON, for the cache: all of a program but its machine code, which is named by its keys.

The values that a program is given (inputs, variables) are numbers of a list that writer and reader share;
every other value is what it is: a constant, or memory of a type.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from kcompile.codegen.source import KernelSource, StoredSource
from kcompile.codegen.spec import KernelSpec, Listing, Nested
from kcompile.core import dtypes
from kcompile.core.symbolic import Atom, FloorDiv, Int, Min
from kcompile.ir.graph import Value
from kcompile.ir.op import constant
from kcompile.ir.traits import Leaf
from kcompile.ir.types import TensorType
from kcompile.schedule.plan import new_memory

_VALUES = {"buffers", "writes", "results", "parameters", "outputs", "inputs", "prepared"}
_NUMBERS = {"tiles", "scratch", "flops", "work", "steps", "rows"}


def dumps(listing: Listing, given: Sequence[Value]) -> bytes:
    """The listing as JSON, in terms of the values that its program is given."""
    writer = _Writer(given)
    body = writer.record(listing)
    return json.dumps([writer.values.rows, writer.sources.rows, body], separators=(",", ":")).encode()


def loads(data: bytes, given: Sequence[Value]) -> Listing:
    """The listing again, for another program's given values in the same order."""
    values, sources, body = json.loads(data)
    return _Reader(given, values, sources).record(Listing, body)


class _Table:
    """Rows, each written once, at its first use, after what it is made of. key: what tells them apart."""

    def __init__(self, row: Callable[[Any], list[Any]], key: Callable[[Any], Any]) -> None:
        self.rows: list[list[Any]] = []
        self._row, self._key, self._places = row, key, dict[Any, int]()

    def __call__(self, one: Any) -> int:
        key = self._key(one)
        if key not in self._places:
            made = self._row(one)
            self._places[key] = len(self.rows)
            self.rows.append(made)
        return self._places[key]


class _Writer:
    def __init__(self, given: Sequence[Value]) -> None:
        self._given = {v: k for k, v in enumerate(given)}
        self.values = _Table(self._value, key=lambda v: v)
        self.sources = _Table(self._source, key=lambda source: source.key)

    def record(self, one: Listing | KernelSpec | Nested) -> list[Any]:
        return [self._field(f.name, getattr(one, f.name)) for f in fields(one)]

    def _field(self, name: str, x: Any) -> Any:
        if name in _VALUES and not isinstance(x, int):
            return [self.values(v) for v in x]
        if name in _NUMBERS:
            return _number(Int.of(x) if isinstance(x, Atom) else x)
        if name == "numbers":
            return [_number(n) for n in x]
        if name == "source":
            return self.sources(x)
        if name == "specs":
            return [self.record(spec) for spec in x]
        if name == "nested":
            return None if x is None else self.record(x)
        return x

    def _value(self, v: Value) -> list[Any]:
        if v in self._given:
            return [self._given[v]]
        type_ = [v.dtype, *(_number(d) for d in v.shape)]
        if v.op.leaf is Leaf.CONSTANT:
            return [base64.b64encode(v.node.attrs["value"].array.tobytes()).decode(), *type_]
        return [None, *type_]

    def _source(self, source: KernelSource) -> list[Any]:
        return [
            source.key,
            source.name,
            *(e if isinstance(e, str) else self.sources(e) for e in source.externals),
        ]


def _number(x: int | Int | None) -> Any:
    if not isinstance(x, Int):
        return x
    return [[c, *(_atom(a) for a in monomial)] for monomial, c in x.terms]


def _atom(a: Atom) -> list[Any]:
    if isinstance(a, FloorDiv):
        return ["//", _number(a.numerator), _number(a.divisor)]
    if isinstance(a, Min):
        return ["min", _number(a.first), _number(a.second)]
    return [a.name, a.low, _number(a.extent)]


class _Reader:
    def __init__(self, given: Sequence[Value], values: list[Any], sources: list[Any]) -> None:
        self._values = [_value(row, k, given) for k, row in enumerate(values)]
        self._sources: list[StoredSource] = []
        for key, name, *externals in sources:
            called = tuple(e if isinstance(e, str) else self._sources[e] for e in externals)
            self._sources.append(StoredSource(key, name, called))

    def record(self, kind: Any, row: list[Any]) -> Any:
        return kind(*(self._field(f.name, x) for f, x in zip(fields(kind), row, strict=True)))

    def _field(self, name: str, x: Any) -> Any:
        if name in _VALUES and not isinstance(x, int):
            found = (self._values[k] for k in x)
            return frozenset(found) if name == "prepared" else tuple(found)
        if name in _NUMBERS:
            number = _read_number(x)
            return number.atoms()[0] if name == "rows" and isinstance(number, Int) else number
        if name == "numbers":
            return tuple(_read_number(n) for n in x)
        if name == "source":
            return self._sources[x]
        if name == "specs":
            return tuple(self.record(KernelSpec, spec) for spec in x)
        if name == "nested":
            return None if x is None else self.record(Nested, x)
        return tuple(x) if isinstance(x, list) else x


def _value(row: list[Any], number: int, given: Sequence[Value]) -> Value:
    if len(row) == 1:
        return given[row[0]]
    data, dtype, *shape = row
    if data is None:
        return new_memory(number, TensorType(tuple(_read_number(d) for d in shape), dtype))
    return constant(np.frombuffer(base64.b64decode(data), dtypes.numpy_dtype(dtype)).reshape(shape))


def _read_number(x: Any) -> Any:
    if not isinstance(x, list):
        return x
    return Int(tuple((tuple(_read_atom(a) for a in atoms), coefficient) for coefficient, *atoms in x))


def _read_atom(row: list[Any]) -> Atom:
    name, first, second = row
    if name == "//":
        return FloorDiv(_read_number(first), _read_number(second))
    if name == "min":
        return Min(_read_number(first), _read_number(second))
    return Atom(name, first, _read_number(second))
