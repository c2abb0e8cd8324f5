"""What `compile_graph` returns: call it with arrays."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes, symbolic
from kcompile.core.addresses import address_of
from kcompile.core.errors import ShapeError, message
from kcompile.core.symbolic import Int
from kcompile.ir.graph import Value
from kcompile.ir.shape_rules import OpenRules
from kcompile.runtime.program import Bound, Program
from kcompile.runtime.team import team
from kcompile.trace.variable import writes

BOUND_LIMIT = 16  # programs kept per executable, one for each combination of extents


class Executable:
    """A compiled graph.

    Thread-safe: calls with the same extents wait for each other, because they share an arena.
    """

    def __init__(self, program: Program, rules: OpenRules):
        self.program, self.rules = program, rules
        self.inputs, self.outputs = program.inputs, program.outputs
        self._dtypes = [dtypes.numpy_dtype(v.dtype) for v in self.inputs]
        self._symbols = [_symbols_of(v) for v in self.inputs]
        self._by_shapes: dict[tuple[tuple[int, ...], ...], Bound] = {}
        self._bound: OrderedDict[tuple[tuple[str, int], ...], Bound] = OrderedDict()

    def __call__(self, *arrays: np.ndarray, symbols: Mapping[str, int] | None = None) -> list[np.ndarray]:
        """One run: the outputs as new arrays; assigned variables are written in place.

        Raises: ShapeError if an array does not have the shape that its parameter has.
        """
        prepared = self._prepared(arrays)
        bound = self._bind(prepared, symbols)
        results = new_arrays(bound.results)
        if bound.block:
            self._in_blocks(bound.block, prepared, results, symbols)
        else:
            self._into(bound, prepared, results, symbols)
        return results

    def _in_blocks(
        self,
        size: int,
        arrays: Sequence[np.ndarray],
        results: Sequence[np.ndarray],
        symbols: Mapping[str, int] | None,
    ) -> None:
        """Some rows at a time, so that the caches hold what is computed between input and output."""
        name = self.program.listing.rows
        assert name is not None
        has_rows = [bool(places) and places[0] == name for places in self._symbols]
        for first in range(0, len(results[0]), size):
            into = [r[first : first + size] for r in results]
            some = [x[first : first + size] if cut else x for x, cut in zip(arrays, has_rows, strict=True)]
            given = {**symbols, name: len(into[0])} if symbols else None
            self._into(self._bind(some, given), some, into, given)

    def _into(
        self,
        bound: Bound,
        arrays: Sequence[np.ndarray],
        results: Sequence[np.ndarray],
        symbols: Mapping[str, int] | None,
    ) -> None:
        with bound.lock:
            self._before(bound, arrays, results)
            self._run_once(bound, arrays, results, symbols)
            self._after()

    def _run_once(
        self,
        bound: Bound,
        arrays: Sequence[np.ndarray],
        results: Sequence[np.ndarray],
        symbols: Mapping[str, int] | None,
    ) -> None:
        """All commands, in one native call."""
        team().run(bound.listed, 1, threads=bound.threads, scratch=bound.scratch)

    def repeat(
        self,
        arrays: Sequence[np.ndarray],
        symbols: Mapping[str, int],
        steps: int,
        stop: np.ndarray | None = None,
    ) -> int:
        """`steps` runs in one native call, outputs of the last one dropped; what changes are the variables.

        stop: int64[1]; once it is not 0, no further step begins. Returns the number of steps done.
        """
        arrays = self._prepared(arrays)
        bound = self._bind(arrays, symbols)
        results = new_arrays(bound.results)
        with bound.lock:
            self._before(bound, arrays, results)
            done = team().run(bound.commands, steps, stop, threads=bound.threads, scratch=bound.scratch)
            self._after()
        return done

    def timed(self, arrays: Sequence[np.ndarray], symbols: Mapping[str, int], repeats: int) -> np.ndarray:
        """Nanoseconds of each command in each of `repeats` runs: int64[repeats, threads, commands]."""
        arrays = self._prepared(arrays)
        bound = self._bind(arrays, symbols)
        results = new_arrays(bound.results)
        times = np.zeros((repeats, team().threads, len(bound.commands)), np.int64)
        with bound.lock:
            self._before(bound, arrays, results)
            for one in times:
                team().run(bound.commands, 1, threads=bound.threads, scratch=bound.scratch, profile=one)
            self._after()
        return times

    def symbols_of(self, arrays: Sequence[np.ndarray], symbols: Mapping[str, int]) -> dict[str, int]:
        """Numbers for the symbolic dimensions, given inputs of these shapes."""
        found = dict(symbols)
        for names, array in zip(self._symbols, arrays, strict=True):
            found.update({name: extent for name, extent in zip(names, array.shape, strict=True) if name})
        return found

    def _prepared(self, arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """As arrays whose elements lie side by side; numbers and NumPy's scalars as 0-d arrays."""
        if len(arrays) != len(self.inputs):
            raise ShapeError(
                message(
                    "program: wrong number of inputs.",
                    expected=str(len(self.inputs)),
                    received=str(len(arrays)),
                )
            )
        for k, x in enumerate(arrays):
            if type(x) is not np.ndarray or x.dtype != self._dtypes[k] or not x.flags.c_contiguous:
                return [np.asarray(x, d, order="C") for x, d in zip(arrays, self._dtypes, strict=True)]
        return arrays

    def _bind(self, arrays: Sequence[np.ndarray], symbols: Mapping[str, int] | None) -> Bound:
        """The program for arrays of these shapes; a call like an earlier one looks up its shapes alone."""
        shapes = tuple([a.shape for a in arrays]) if not symbols else None
        bound = self._by_shapes.get(shapes) if shapes is not None else None
        if bound is None:
            bound = self._bind_checked(arrays, symbols)
            if shapes is not None:
                if len(self._by_shapes) >= BOUND_LIMIT:
                    self._by_shapes.clear()
                self._by_shapes[shapes] = bound
        return bound

    def _bind_checked(self, arrays: Sequence[np.ndarray], symbols: Mapping[str, int] | None) -> Bound:
        found = dict(symbols or {})
        for value, places, array in zip(self.inputs, self._symbols, arrays, strict=True):
            if array.ndim != len(value.shape):
                raise _shape_error(value, array)
            for axis, dim in enumerate(value.shape):
                extent = array.shape[axis]
                name = places[axis]
                expected = found.setdefault(name, extent) if name else dim
                if expected != extent and (name or isinstance(dim, int)):
                    raise _shape_error(value, array)
        for value, array in zip(self.inputs, arrays, strict=True):
            self._check_derived(value, array, found)
        key = tuple(sorted(found.items()))
        bound = self._bound.get(key)
        if bound is None:
            self.rules.check(found)
            bound = self._bound[key] = self._bound_to(found)
            if len(self._bound) > BOUND_LIMIT:
                self._bound.popitem(last=False)
        else:
            self._bound.move_to_end(key)
        return bound

    def _bound_to(self, symbols: Mapping[str, int]) -> Bound:
        return self.program.bind(symbols)

    def _check_derived(self, value: Value, array: np.ndarray, symbols: Mapping[str, int]) -> None:
        """Dimensions that are computed from symbols, as 2 * batch, fit once the symbols are known."""
        for dim, extent in zip(value.shape, array.shape, strict=True):
            if isinstance(dim, Int) and symbolic.evaluate(dim, symbols) != extent:
                raise _shape_error(value, array)

    def _before(self, bound: Bound, arrays: Sequence[np.ndarray], results: Sequence[np.ndarray]) -> None:
        """What a run needs: packed weights up to date, addresses of inputs and outputs; and word that
        variables change.
        """
        if self.program.preparation:
            self.program.prepare(writes.count)
        if self.program.assigns:
            writes.note()
        self._patch(bound, arrays, results)

    def _after(self) -> None:
        """Who packed weights while the run wrote them must do so again."""
        if self.program.assigns:
            writes.note()

    def _patch(self, bound: Bound, arrays: Sequence[np.ndarray], results: Sequence[np.ndarray]) -> None:
        words, places = bound.words, bound.places
        for k, array in enumerate(arrays):
            for position in places[k]:
                words[position] = address_of(array)
        for k, array in enumerate(results, len(arrays)):
            for position in places[k]:
                words[position] = address_of(array)


# Loops here are plain, and nothing is zipped: a call of a small network takes five microseconds.
def new_arrays(shapes_and_dtypes: Sequence[tuple[tuple[int, ...], np.dtype]]) -> list[np.ndarray]:
    arrays = []
    for shape, dtype in shapes_and_dtypes:
        arrays.append(np.empty(shape, dtype))
    return arrays


def _symbols_of(value: Value) -> list[str | None]:
    """Names of the dimensions that are plain symbols."""
    names: list[str | None] = []
    for d in value.shape:
        plain = isinstance(d, Int) and len(d.terms) == 1 and d.terms[0][1] == 1 and len(d.terms[0][0]) == 1
        names.append(d.terms[0][0][0].name if plain else None)  # type: ignore[union-attr]
    return names


def _shape_error(value: Value, array: Any) -> ShapeError:
    return ShapeError(
        message(
            f"input {value.node.attrs['name']!r} does not have the shape that the program was compiled for.",
            expected=repr(value.type),
            received=f"{array.dtype}{list(array.shape)}",
        )
    )
