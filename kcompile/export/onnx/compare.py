"""Runs an exported file with onnxruntime and compares it with the model."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.core.errors import message
from kcompile.export.onnx.session import Session
from kcompile.export.onnx.signature import Spec, Traced, trace_inference
from kcompile.ir.graph import Graph

TOLERANCE = 1e-5  # of the largest output, or of 1
BATCHES = (2, 5)
CHECKED_BATCHES = (1, 3, 17)  # of `kcompile export --check`
TEXTS = ("", "a", "The quick, brown fox!", "  no\tÉtudes ", "0", "[UNK]", "yes")  # inputs that are text
FREE_EXTENT = 7  # of dimensions other than the batch that the model leaves open


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
    _must_be_of(traced, session, bool(states))
    fixed = {spec.shape[0] for spec in tree.flatten(specs) if isinstance(spec.shape[0], int)}
    for batch in fixed or batches:
        rng = np.random.default_rng(batch)
        arguments = [tree.map_structure(partial(random_input, batch=batch, rng=rng), a) for a in specs]
        # An input that no output depends on is still an input of the file.
        feeds = tree.flatten(arguments)
        results = [np.asarray(x) for x in tree.flatten(model(*arguments, training=False)) if x is not None]
        apart = [
            difference(a, session.readable(b)) for a, b in zip(session.run(feeds), results, strict=not states)
        ]
        times = (0.0, 0.0)
        if timed:
            times = (
                typical_us(partial(session.run, feeds)),
                typical_us(partial(model, *arguments, training=False)),
            )
        found.append(Row(batch, max(apart, default=0.0), *times))
        for variable, before in states:
            variable.assign(before)
    return found


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
    """The variables that a call changes, and what they hold now."""
    changed = [graph.variables[leaf.node.attrs["uid"]] for leaf in graph.assignments]
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


def random_input(spec: Spec, batch: int, rng: np.random.Generator) -> np.ndarray:
    """What most models accept: normal floats; ints 0 and 1, which are indices everywhere; short texts."""
    batch = spec.shape[0] if isinstance(spec.shape[0], int) else batch
    free = 1 if spec.broadcasts else FREE_EXTENT if spec.multiple == 1 else 2 * spec.multiple
    shape = (batch, *(d if isinstance(d, int) else free for d in spec.shape[1:]))
    if spec.dtype == dtypes.STRING:
        return rng.choice(np.array(TEXTS, object), shape)
    if dtypes.is_float(spec.dtype):
        return rng.normal(size=shape).astype(dtypes.numpy_dtype(spec.dtype))
    return rng.integers(0, 2, shape).astype(dtypes.numpy_dtype(spec.dtype))


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
