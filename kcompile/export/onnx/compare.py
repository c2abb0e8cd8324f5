"""Runs an exported file with onnxruntime and compares it with the model."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.core.errors import message
from kcompile.export.onnx.emit import states_of
from kcompile.export.onnx.session import Session
from kcompile.export.onnx.signature import Spec, Traced, trace_inference
from kcompile.ir.graph import Graph
from kcompile.ir.positions import ANY

TOLERANCE = 1e-5  # of the largest output, or of 1
BATCHES = (2, 5)
CHECKED_BATCHES = (1, 3, 17)  # of `kcompile export --check`
TEXTS = ("", "a", "The quick, brown fox!", "  no\tÉtudes ", "0", "[UNK]", "yes")  # inputs that are text
EXTENTS = (7, 12)  # of dimensions other than the batch that the model leaves open, in one call and the next


@dataclass(frozen=True)
class Row:
    """One batch size: the largest difference, and the time of a call in microseconds (0 if not measured)."""

    batch: int
    difference: float
    onnxruntime_us: float = 0.0
    kcompile_us: float = 0.0


def compare(
    model: Any, path: str | os.PathLike[str], input_signature: Any = None, batches: tuple[int, ...] = BATCHES
) -> float:
    """Compare model(x) with what onnxruntime computes from the file, on random inputs of several batch sizes.

    Returns: the largest difference, relative to the largest output (or 1 if that is more).
    Raises:  ImportError without onnxruntime; ValueError if they differ by more than 1e-5, or, where layers
             compute in half precision, by more than 16 of its roundings.
    """
    worst = max(row.difference for row in rows(model, path, input_signature, batches, timed=False))
    limit = tolerance_of(model)
    if not worst <= limit:
        raise ValueError(
            message(
                "onnxruntime computes something else from the exported file than the model.",
                expected=f"a difference of at most {limit:.0e}",
                received=f"{worst:.1e}",
            )
        )
    return worst


def rows(
    model: Any,
    path: str | os.PathLike[str],
    input_signature: Any = None,
    batches: tuple[int, ...] = BATCHES,
    timed: bool = True,
) -> list[Row]:
    """Differences, and with `timed` the times of both, for each batch size."""
    session = Session(path)
    traced = trace_inference(model, input_signature)
    specs, found, states = traced.specs, [], state_of(traced.graph)
    calls = range(2 if states or any(spec.is_open for spec in tree.flatten(specs)) else 1)
    _must_be_of(traced, session, bool(states))
    names = [spec.name for spec in tree.flatten(specs)]
    names = names if {*names} == {*session.names} else session.names  # another exporter's: by their order
    fixed = {spec.shape[0] for spec in tree.flatten(specs) if isinstance(spec.shape[0], int)}
    for batch in fixed or batches:
        rng = np.random.default_rng(batch)
        given = [arguments_of(specs, batch, rng, call) for call in calls]
        feeds = [dict(zip(names, tree.flatten(arguments), strict=True)) for arguments in given]
        try:
            both = zip(given, feeds, strict=True)
            apart = list(_differences(model, session, both, [variable for variable, _ in states]))
            times = (0.0, 0.0)
            if timed:
                times = (
                    typical_us(partial(session.run, feeds[0])),
                    typical_us(partial(model, *given[0], training=False)),
                )
        finally:
            for variable, before in states:
                variable.assign(before)
        found.append(Row(batch, max(apart, default=0.0), *times))
    return found


def _differences(
    model: Any,
    session: Session,
    given: Iterable[tuple[list[Any], dict[str, np.ndarray]]],
    states: Sequence[Any],
) -> Iterator[float]:
    """One call after the other, of outputs and of what is kept for the next call.

    given: arguments of the model, and the same by the names of the file's inputs.
    """
    kept: dict[str, Any] = {}
    for arguments, feed in given:
        results = [np.asarray(x) for x in tree.flatten(model(*arguments, training=False)) if x is not None]
        found = dict(zip(session.outputs, session.run(feed | kept), strict=True))
        kept = {name: found[new] for name, new in session.states.items()}
        expected = [*results, *(np.asarray(s.array) for s in states if kept)]
        for a, b in zip(found.values(), expected, strict=bool(kept) or not states):
            yield difference(a, session.readable(b))


def arguments_of(specs: Sequence[Any], batch: int, rng: np.random.Generator, call: int = 0) -> list[Any]:
    """Random arguments; those of another call have other extents, where these are open."""
    draw = partial(random_input, batch=batch, rng=rng, call=call)
    return [tree.map_structure(draw, argument) for argument in specs]


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


def state_of(graph: Graph) -> list[tuple[Any, np.ndarray]]:
    """The variables that a call leaves for the next one, and what they hold now."""
    changed = [graph.variables[leaf.node.attrs["uid"]] for leaf in states_of(graph)]
    return [(variable, np.array(variable.array)) for variable in changed]


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


def random_input(spec: Spec, batch: int, rng: np.random.Generator, call: int = 0) -> np.ndarray:
    """What most models accept: normal floats; texts; ints that are positions where something is looked up,
    and not 0 elsewhere, by which runtimes do not divide.
    """
    batch = spec.shape[0] if isinstance(spec.shape[0], int) else batch
    free = 1 if spec.broadcasts else EXTENTS[call] if spec.multiple == 1 else (2 + call) * spec.multiple
    shape = (batch, *(d if isinstance(d, int) else free for d in spec.shape[1:]))
    if spec.dtype == dtypes.STRING:
        return rng.choice(np.array(TEXTS, object), shape)
    kind = dtypes.numpy_dtype(spec.dtype)
    if dtypes.is_float(spec.dtype) and spec.limit is None:
        return rng.normal(size=shape).astype(kind)
    most = 2 if spec.dtype == "bool" else np.iinfo(kind).max + 1 if dtypes.is_int(spec.dtype) else ANY
    least = 1 if dtypes.is_int(spec.dtype) and spec.limit is None else 0
    return rng.integers(least, min(spec.limit or ANY, most), shape).astype(kind)


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
