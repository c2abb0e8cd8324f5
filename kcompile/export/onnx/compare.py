"""Runs an exported file with onnxruntime and compares it with the model."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.core.errors import message
from kcompile.export.onnx.inputs import arguments_of, keeping_states
from kcompile.export.onnx.session import Session
from kcompile.export.onnx.signature import Traced, trace_inference
from kcompile.export.onnx.sizes import sizes_of

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


def rows(
    model: Any,
    path: str | os.PathLike[str],
    input_signature: Any = None,
    batches: tuple[int, ...] = BATCHES,
    timed: bool = True,
    open_size: Sequence[int] = (),
) -> list[Row]:
    """Differences, and with `timed` the times of both, for each batch size.

    open_size: of dimensions behind the batch, in one call and the next; by default what the model takes.
    """
    session = Session(path)
    traced = trace_inference(model, input_signature)
    specs = tree.flatten(traced.specs)
    is_open, found = any(spec.is_open for spec in specs), list[Row]()
    names = [spec.name for spec in specs]
    names = names if {*names} == {*session.names} else session.names  # another exporter's: by their order
    fixed = {spec.shape[0] for spec in specs if isinstance(spec.shape[0], int)}
    for batch in fixed or batches:
        rng = np.random.default_rng(batch)
        with keeping_states(traced.graph) as states:
            if not found:
                _must_be_of(traced, session, bool(states))
                sizes = sizes_of(model, traced, batch, open_size)[: 2 if states or is_open else 1]
            given = [arguments_of(traced, batch, rng, extent) for extent in sizes]
            feeds = [dict(zip(names, tree.flatten(arguments), strict=True)) for arguments in given]
            where = [(batch, extent if is_open else None) for extent in sizes]
            apart = list(_differences(model, session, zip(given, feeds, where, strict=True), states))
            times = (0.0, 0.0)
            if timed:
                times = (
                    typical_us(partial(session.run, feeds[0])),
                    typical_us(partial(model, *given[0], training=False)),
                )
        most = max(range(len(sizes)), key=apart.__getitem__)
        found.append(Row(batch, apart[most], *times, size=where[most][1]))
    return found


def _differences(
    model: Any,
    session: Session,
    given: Iterable[tuple[list[Any], dict[str, np.ndarray], tuple[int, int | None]]],
    states: Sequence[Any],
) -> Iterator[float]:
    """The largest of one call after the other, of outputs and of what is kept for the next call.

    given: arguments of the model, the same by the names of the file's inputs, and their batch and size.
    """
    kept: dict[str, Any] = {}
    for arguments, feed, where in given:
        results = [np.asarray(x) for x in tree.flatten(model(*arguments, training=False)) if x is not None]
        with telling(*where):
            found = dict(zip(session.outputs, session.run(feed | kept), strict=True))
        kept = {name: found[new] for name, new in session.states.items()}
        expected = [*results, *(np.asarray(s.array) for s in states if kept)]
        pairs = zip(found.values(), expected, strict=bool(kept) or not states)
        yield max((difference(a, session.readable(b)) for a, b in pairs), default=0.0)


def _must_be_of(traced: Traced, session: Session, states: bool) -> None:
    """Raise ValueError for the file of another model, or of a training step: by how much goes in and out.

    states: new ones may go out, too; those that come in have defaults, and do not count.
    """
    extra = len(session.outputs) - len(traced.outputs)
    if len(session.names) != len(traced.inputs) or extra < 0 or (extra and not states):
        raise ValueError(
            message(
                "The file is not the inference call of this model.",
                expected=f"{len(traced.inputs)} input(s) and {len(traced.outputs)} output(s)",
                received=f"inputs {_few(session.names)}; outputs {_few(session.outputs)}",
            )
        )


def _few(names: Sequence[str], most: int = 3) -> str:
    return ", ".join([*names[:most], *["..."] * (len(names) > most)])


def typical_us(call: Callable[[], Any], seconds: float = 0.2, most: int = 200) -> float:
    """The median microseconds of a call, over `most` calls or what `seconds` allow, and at least 3."""
    call()
    times: list[int] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or (len(times) < most and time.perf_counter() < end):
        begin = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - begin)
    return float(np.median(times) / 1e3)


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
