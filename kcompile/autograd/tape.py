"""GradientTape: gradients of what a traced step computes.

In a trace everything is recorded anyway, as a graph. The tape remembers which value each variable had when it
began, so that gradients are those of what was computed inside.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from kcompile.autograd.backward import pull_back_all, zeros_like
from kcompile.core import tree
from kcompile.ir.graph import Value
from kcompile.ir.op import constant, unwrap
from kcompile.ops import elementwise as ew
from kcompile.ops.autodiff import stop_gradient
from kcompile.ops.movement import broadcast_to, copy_op
from kcompile.trace import tracer
from kcompile.trace.variable import Variable


class GradientTape:
    """Records the computations of a `train_step` (or of a function given to `kcompile.jit`) for gradients.

    A variable that was assigned before the tape began is a number to it, whatever it was computed from: a
    second step in the same `train_step` does not see the first.

    Tapes may be nested: the gradients of an inner one can be differentiated by an outer one. `persistent` and
    `watch_accessed_variables` are accepted for TensorFlow's sake: every tape may be asked many times.

    Raises: RuntimeError where no trace runs, because then there is no graph to differentiate.
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._held: dict[Variable, Value] = {}
        self._open = False

    def __enter__(self) -> GradientTape:
        scope = tracer.active()
        if scope is None:
            raise RuntimeError(
                "GradientTape: nothing is traced here. Use it in `train_step`, which `fit` traces, or in a "
                "function decorated with `kcompile.jit`; outside, use `kcompile.value_and_grad(function)`."
            )
        # What was assigned before is a number to this tape, as to TensorFlow's: no gradient goes back into
        # the step that computed it. Two variables may hold the same value: copies keep theirs apart.
        self._held = {
            v: apart(value if is_apart(value) else stop_gradient(value))
            for v, value in scope.current.items()
            if value is not v.leaf and isinstance(value, Value)
        }
        scope.current.update(self._held)
        self._open = True
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False

    def watch(self, tensor: Any) -> None:
        """Accepted: every tensor may be a source."""

    def stop_recording(self) -> Any:
        """A context whose computations are recorded all the same; use `ops.stop_gradient` to hide some."""
        raise NotImplementedError(
            "GradientTape.stop_recording: use ops.stop_gradient on what is to be hidden."
        )

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: str = "none",
    ) -> Any:
        """d sum(target) / d each source.

        Args:    target: a tensor, or nested ones, whose gradients are added. sources: variables and tensors,
                 nested as you like. output_gradients: cotangents of the targets, ones by default.
                 unconnected_gradients: "none" or "zero": what a source gets that no target depends on.
        Returns: gradients nested as the sources.
        """
        if unconnected_gradients not in ("none", "zero"):
            raise ValueError(
                f"`unconnected_gradients` must be 'none' or 'zero'. Received: {unconnected_gradients}"
            )
        targets = [_value(t) for t in tree.flatten(target)]
        given = tree.flatten(output_gradients) if output_gradients is not None else [None] * len(targets)
        slopes = [ones_like(t) if d is None else _value(d) for t, d in zip(targets, given, strict=True)]
        leaves = [self._source(s) for s in tree.flatten(sources)]
        found: Sequence[Any] = pull_back_all(targets, slopes, leaves)
        if unconnected_gradients == "zero":
            found = [zeros_like(v) if g is None else g for g, v in zip(found, leaves, strict=True)]
        return tree.pack_as(sources, found)

    def _source(self, source: Any) -> Value:
        """A variable's value when the tape began; a tensor itself."""
        if isinstance(source, Variable):
            return self._held.get(source, source.leaf)
        value = unwrap(source)
        if not isinstance(value, Value):
            raise ValueError(
                "GradientTape.gradient: a source must be a variable or a tensor of the trace. "
                f"Received: {type(source).__name__}"
            )
        return value


_slots = itertools.count()  # outside of traces


def apart(x: Value) -> Value:
    """x as a value unlike any other in the graph, to differentiate by."""
    scope = tracer.active()
    return copy_op(x, slot=("source", next(_slots if scope is None else scope.slots)))


def is_apart(x: Value) -> bool:
    """Is x what a tape around this one began with? That one must be able to look through this one."""
    slot = x.node.attrs.get("slot")
    return isinstance(slot, tuple) and slot[0] == "source"


def _value(x: Any) -> Value:
    x = unwrap(x)
    return x if isinstance(x, Value) else constant(x)


def ones_like(x: Value) -> Value:
    return broadcast_to(ew.as_tensor(1, x.dtype), x.shape)
