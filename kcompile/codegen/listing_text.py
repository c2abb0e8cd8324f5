"""Listings as JSON, for the cache: all of a program but its machine code, which is named by its keys.

Numbers, texts and None stand for themselves, a list is a tuple, and anything else is `{kind: content}`. The
values that a program is given (inputs, variables) are numbers of a list that writer and reader share; every
other value is what it is: a constant, or memory of a type.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from kcompile.codegen.source import KernelSource, StoredSource
from kcompile.codegen.spec import KernelSpec, Listing, Nested, Slices
from kcompile.core import dtypes
from kcompile.core.symbolic import Atom, FloorDiv, Int, Min
from kcompile.ir.graph import Value
from kcompile.ir.op import constant
from kcompile.ir.traits import Leaf
from kcompile.ir.types import TensorType
from kcompile.schedule.plan import new_memory

_RECORDS = {kind.__name__: kind for kind in (Listing, KernelSpec, Nested, Slices)}


def dumps(listing: Listing, given: Sequence[Value]) -> bytes:
    """The listing as JSON, in terms of the values that its program is given."""
    writer = _Writer(given)
    body = writer.text(listing)
    return json.dumps([writer.values.rows, writer.sources.rows, body], separators=(",", ":")).encode()


def loads(data: bytes, given: Sequence[Value]) -> Listing:
    """The listing again, for another program's given values in the same order."""
    values, sources, body = json.loads(data)
    listing: Listing = _Reader(given, values, sources).thing(body)
    return listing


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

    def text(self, x: Any) -> Any:
        """A thing in terms of JSON. Raises TypeError for a kind that is none of a listing's."""
        if x is None or isinstance(x, (int, str)):
            return x
        if isinstance(x, tuple):
            return [self.text(part) for part in x]
        if isinstance(x, Value):
            return {"value": self.values(x)}
        if isinstance(x, Int):
            return {"int": [[c, *map(self.text, monomial)] for monomial, c in x.terms]}
        if isinstance(x, FloorDiv):
            return {"//": [self.text(x.numerator), self.text(x.divisor)]}
        if isinstance(x, Min):
            return {"min": [self.text(x.first), self.text(x.second)]}
        if type(x) is Atom:
            return {"atom": [x.name, x.low, self.text(x.extent)]}
        if isinstance(x, KernelSource):
            return {"source": self.sources(x)}
        if isinstance(x, frozenset):
            return {"set": sorted(self.values(v) for v in x)}
        if type(x).__name__ in _RECORDS:
            return {type(x).__name__: [self.text(getattr(x, f.name)) for f in fields(x)]}
        raise TypeError(f"a listing holds no {type(x).__name__}")

    def _value(self, v: Value) -> list[Any]:
        if v in self._given:
            return [self._given[v]]
        type_ = [v.dtype, *map(self.text, v.shape)]
        if v.op.leaf is Leaf.CONSTANT:
            return [base64.b64encode(v.node.attrs["value"].array.tobytes()).decode(), *type_]
        return [None, *type_]

    def _source(self, source: KernelSource) -> list[Any]:
        called = (e if isinstance(e, str) else self.sources(e) for e in source.externals)
        return [source.key, source.name, *called]


class _Reader:
    def __init__(self, given: Sequence[Value], values: list[Any], sources: list[Any]) -> None:
        self._given = given
        self._values = [self._value(row, k) for k, row in enumerate(values)]
        self._sources: list[StoredSource] = []
        for key, name, *externals in sources:
            called = tuple(e if isinstance(e, str) else self._sources[e] for e in externals)
            self._sources.append(StoredSource(key, name, called))

    def thing(self, x: Any) -> Any:
        if isinstance(x, list):
            return tuple(map(self.thing, x))
        if not isinstance(x, dict):
            return x
        [(kind, content)] = x.items()
        if kind == "value":
            return self._values[content]
        if kind == "source":
            return self._sources[content]
        if kind == "set":
            return frozenset(self._values[k] for k in content)
        if kind == "int":
            return Int(tuple((tuple(map(self.thing, atoms)), c) for c, *atoms in content))
        made = {"//": FloorDiv, "min": Min, "atom": Atom, **_RECORDS}[kind]
        return made(*map(self.thing, content))

    def _value(self, row: list[Any], number: int) -> Value:
        if len(row) == 1:
            return self._given[row[0]]
        data, dtype, *shape = row
        if data is None:
            return new_memory(number, TensorType(tuple(map(self.thing, shape)), dtype))
        return constant(np.frombuffer(base64.b64decode(data), dtypes.numpy_dtype(dtype)).reshape(shape))
