"""Compares a model's calls with onnxruntime's of an exported file, and with its operations one by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.core.errors import message
from kcompile.export.onnx import apart
from kcompile.export.onnx.emit import states_of
from kcompile.export.onnx.inputs import arguments_of, keeping_states, kept_by
from kcompile.export.onnx.session import typical_us
from kcompile.export.onnx.signature import Traced, trace_inference
from kcompile.export.onnx.sizes import NOTHING, is_open, sizes_asked
from kcompile.ir.evaluate import bind_symbols, evaluate
from kcompile.ir.graph import Graph, topological

TOLERANCE = 1e-5  # of the largest output, or of 1
BATCHES = (2, 5)
CHECKED_BATCHES = (1, 3, 17)  # of `kcompile export --check`


@dataclass(frozen=True)
class Row:
    """One batch size: the largest difference, and the time of a call in microseconds (0 if not measured).

    size: of the open dimensions behind the batch in the call that differs most; None if there are none.
    """

    batch: int
    difference: float
    onnxruntime_us: float = 0.0
    kcompile_us: float = 0.0
    size: int | None = None

    def place(self) -> str:
        return place(self.batch, self.size)


def place(batch: int, size: int | None = None) -> str:
    """With what something was called, in words.

    >>> place(3, 12), place(1)
    ('batch 3, open dimensions of size 12', 'batch 1')
    """
    return f"batch {batch}" + ("" if size is None else f", open dimensions of size {size}")


@contextmanager
def telling(batch: int, size: int | None = None) -> Iterator[None]:
    """An error gets a note that says with what it came about."""
    try:
        yield
    except Exception as error:
        error.add_note(place(batch, size))
        raise


def compare(
    model: Any, path: str | os.PathLike[str], input_signature: Any = None, batches: tuple[int, ...] = BATCHES
) -> float:
    """Compare model(x) with what onnxruntime computes from the file, on random inputs of several batch sizes.

    Returns: the largest difference, relative to the largest output (or 1 if that is more).
    Raises:  ImportError without onnxruntime; ValueError if they differ by more than 1e-5, or, where layers
             compute in half precision, by more than 16 of its roundings.
    """
    found = rows(model, path, input_signature, batches, timed=False)
    worst, limit = max(found, key=lambda row: row.difference), tolerance_of(model)
    if not worst.difference <= limit:
        raise ValueError(
            message(
                "onnxruntime computes something else from the exported file than the model.",
                expected=f"a difference of at most {limit:.0e}",
                received=f"{worst.difference:.1e} with {worst.place()}",
            )
        )
    return worst.difference


class Calls(Protocol):
    """Calls of a model by other means, one after the other: what one changes, the next one finds."""

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, and as far as they are known the new values of the variables that `kept_by` names."""

    def typical_us(self, arrays: Sequence[np.ndarray]) -> float: ...


class InFile:
    """By a file in onnxruntime, whose states start with what the file holds."""

    def __init__(self, session: apart.Apart, traced: Traced):
        names = [spec.name for spec in tree.flatten(traced.specs)]
        self._session, self._outputs = session, len(traced.outputs)
        # Another exporter's inputs go by their order.
        self._names = names if {*names} == {*session.names} else session.names
        self._kept: dict[str, np.ndarray] = {}

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        session, feed = self._session, dict(zip(self._names, arrays, strict=True))
        found = dict(zip(session.outputs, session.run(feed | self._kept), strict=True))
        self._kept = {name: found[new] for name, new in session.states.items()}
        return list(found.values())[: None if self._kept else self._outputs]

    def typical_us(self, arrays: Sequence[np.ndarray]) -> float:
        return self._session.typical_us(dict(zip(self._names, arrays, strict=True)))


class OneByOne:
    """By the rules of the operations on arrays, whose variables start with what they hold now."""

    def __init__(self, graph: Graph):
        self._graph, self._kept = graph, list(kept_by(graph))
        self._roots = [*graph.outputs, *(graph.assignments[leaf] for leaf in self._kept)]
        read = [n.values[0] for n in topological(self._roots) if n.op.name == "variable"]
        self._held = {leaf: graph.variables[leaf.node.attrs["uid"]].array for leaf in read}
        self._held |= {leaf: np.array(variable.array) for leaf, variable in kept_by(graph).items()}

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        inputs = list(self._graph.inputs)
        leaves = self._held | dict(zip(inputs, arrays, strict=True))
        found = evaluate(self._roots, leaves, bind_symbols(inputs, list(arrays)))
        self._held.update(zip(self._kept, found[len(found) - len(self._kept) :], strict=True))
        return found

    def typical_us(self, arrays: Sequence[np.ndarray]) -> float:
        return typical_us(partial(self, arrays))


def rows(
    model: Any,
    path: str | os.PathLike[str],
    input_signature: Any = None,
    batches: tuple[int, ...] = BATCHES,
    timed: bool = True,
    open_size: Sequence[int] = (),
    named: Mapping[str, int] = NOTHING,
) -> list[Row]:
    """Differences, and with `timed` the times of both, for each batch size.

    open_size: of dimensions behind the batch, in one call and the next; by default what the model takes.
    named: of some of them, by their names in the file.
    """
    with apart.session(path) as session:
        traced = trace_inference(model, input_signature)
        _must_be_of(traced, session)
        begin = partial(InFile, session, traced)
        return rows_beside(begin, model, traced, batches, open_size, named, timed)


def rows_one_by_one(
    model: Any, batches: tuple[int, ...], open_size: Sequence[int] = (), named: Mapping[str, int] = NOTHING
) -> list[Row]:
    """Differences between the model and its operations, computed one by one."""
    traced = trace_inference(model)
    return rows_beside(partial(OneByOne, traced.graph), model, traced, batches, open_size, named)


def rows_beside(
    begin: Callable[[], Calls],
    model: Any,
    traced: Traced,
    batches: tuple[int, ...],
    open_size: Sequence[int] = (),
    named: Mapping[str, int] = NOTHING,
    timed: bool = False,
) -> list[Row]:
    """For each batch size two calls of the model beside the same two of what `begin` makes."""
    specs, found = tree.flatten(traced.specs), list[Row]()
    batches = tuple({spec.shape[0] for spec in specs if isinstance(spec.shape[0], int)}) or batches
    traced, sizes = sizes_asked(model, traced, batches[0], open_size, named)
    for batch in batches:
        rng, calls = np.random.default_rng(batch), list[Row]()
        given = [arguments_of(traced, batch, rng, extent) for extent in sizes]
        with keeping_states(traced.graph) as states:
            other = begin()
            for extent, arguments in zip(sizes, given, strict=True):
                row = Row(batch, 0.0, size=extent if is_open(traced) else None)
                outputs = [x for x in tree.flatten(model(*arguments, training=False)) if x is not None]
                results = [np.asarray(x) for x in [*outputs, *(state.array for state in states)]]
                with telling(batch, row.size):
                    pairs = zip(other(tree.flatten(arguments)), results, strict=False)
                    most = max((difference(*pair) for pair in pairs), default=0.0)
                calls.append(replace(row, difference=most))
            row = max(calls, key=lambda row: row.difference)
            if timed:
                times = other.typical_us(tree.flatten(given[0]))
                us = typical_us(partial(model, *given[0], training=False))
                row = replace(row, onnxruntime_us=times, kcompile_us=us)
        found.append(row)
    return found


def _must_be_of(traced: Traced, session: apart.Apart) -> None:
    """Raise ValueError for the file of another model, or of a training step: by how much goes in and out.

    New states may go out, too; those that come in have defaults, and do not count.
    """
    extra = len(session.outputs) - len(traced.outputs)
    if len(session.names) != len(traced.inputs) or extra not in (0, len(states_of(traced.graph))):
        raise ValueError(
            message(
                "The file is not the inference call of this model.",
                expected=f"{len(traced.inputs)} input(s) and {len(traced.outputs)} output(s)",
                received=f"inputs {_few(session.names)}; outputs {_few(session.outputs)}",
            )
        )


def _few(names: Sequence[str], most: int = 3) -> str:
    return ", ".join([*names[:most], *["..."] * (len(names) > most)])


def tolerance_of(model: Any) -> float:
    """How far results may differ: the file rounds after every operator, the model after every kernel."""
    halves = {x.compute_dtype for x in model._flatten_layers() if dtypes.is_half(x.compute_dtype)}
    return max([TOLERANCE, *(4 * dtypes.tolerance(d) for d in halves)])


def as_str(texts: np.ndarray) -> list[str]:
    """The elements of an array of text, of bytes in UTF-8 too, as str."""
    return [t.decode() if isinstance(t, bytes) else str(t) for t in texts.ravel().tolist()]


def difference(actual: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, over the largest expected number or 1; infinite where shapes or NaNs differ."""
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return float("inf")
    if dtypes.is_text(expected):
        return 0.0 if as_str(actual) == as_str(expected) else float("inf")
    a, b = actual.astype(np.float64), expected.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))  # infinities too
    apart = np.where(same, 0.0, np.abs(a - b))
    size = np.abs(b[np.isfinite(b)]).max(initial=1.0)
    return float("inf") if np.isnan(apart).any() else float(apart.max(initial=0.0) / size)
