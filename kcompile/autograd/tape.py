"""GradientTape: gradients of what is computed inside of a block.

In a trace everything is recorded anyway, as a graph. The tape remembers which value each variable had when it
began, so that gradients are those of what was computed inside. Outside of any trace the tape begins one of
its own, in which every value has numbers (`trace/recording.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from kcompile.autograd.backward import pull_back_all
from kcompile.core import dtypes, tree
from kcompile.ir.graph import Value
from kcompile.ir.numbers import given, numbers
from kcompile.ir.op import constant, unwrap, watched
from kcompile.ops import elementwise as ew
from kcompile.ops import joining, movement
from kcompile.ops.autodiff import stop_gradient
from kcompile.ops.copying import copy_op
from kcompile.ops.movement import broadcast_to
from kcompile.trace import tracer
from kcompile.trace.recording import Recording
from kcompile.trace.variable import Variable


class GradientTape:
    """Records computations for gradients: in a `train_step`, a function given to `kcompile.jit`, or anywhere.

    Outside of a trace, what is computed from variables and watched tensors inside of the block are tensors
    that behave as numbers do: `float(loss)`, `loss.numpy()`, `if loss > 1`. Gradients are arrays.

    A variable that was assigned before the tape began is a number to it, whatever it was computed from: a
    second step in the same `train_step` does not see the first.

    Tapes may be nested: the gradients of an inner one can be differentiated by an outer one.

    Args:    persistent: accepted for TensorFlow's sake: every tape may be asked many times.
             watch_accessed_variables: False for gradients of watched variables only; others get None.

    >>> from kcompile import ops
    >>> v = Variable([1.0, 2.0])
    >>> with GradientTape() as tape:
    ...     loss = ops.sum(v * v)
    >>> float(loss), tape.gradient(loss, v).tolist()
    (5.0, [2.0, 4.0])
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._all_variables = watch_accessed_variables
        self._scope: Any = None
        self._own: Recording | None = None
        self._held: dict[Variable, Value] = {}
        self._watched: list[tuple[np.ndarray, Value]] = []  # arrays, and what they are to ops meanwhile
        self._registered: list[int] = []
        self._variables: list[Variable] = []

    def __enter__(self) -> GradientTape:
        if tracer.active() is None:
            self._own = Recording()
            self._own.__enter__()
        scope = self._scope = tracer.active()
        # What was assigned before is a number to this tape, as to TensorFlow's: no gradient goes back into
        # the step that computed it. Two variables may hold the same value: copies keep theirs apart.
        self._held = {
            v: apart(value if is_apart(value) else stop_gradient(value))
            for v, value in scope.current.items()
            if isinstance(value, Value) and value is not scope.leaf(v)
        }
        scope.current.update(self._held)
        return self

    def __exit__(self, *_: object) -> None:
        for key in self._registered:
            watched.arrays.pop(key, None)
        self._registered.clear()
        if self._own is not None:
            self._own.__exit__()

    def watch(self, tensor: Any) -> Any:
        """Make a tensor, or nested ones, sources of gradients; to be called inside of the block.

        Returns: the tensor as what is recorded. Ops, layers and models know the array itself, too, but
                 Python's operators on NumPy arrays are NumPy's: `x = tape.watch(x)` before `x * x`.
        Raises:  RuntimeError outside of the block.
        """
        if tracer.active() is None:
            raise RuntimeError("GradientTape.watch: call it inside of the tape's `with` block.")
        return tree.map_structure(self._watch, tensor)

    def _watch(self, tensor: Any) -> Any:
        if isinstance(tensor, Variable):
            self._variables.append(tensor)
            return tensor
        value = ew.as_tensor(tensor)
        if not dtypes.is_float(dtypes.standardize(value.dtype)):
            raise ValueError(f"GradientTape.watch: only floats have gradients. Received: {value.dtype}")
        if not isinstance(value, Value):
            value = given(value) if isinstance(self._scope, Recording) else apart(constant(value))
            if isinstance(tensor, np.ndarray):
                watched.arrays[id(tensor)] = (tensor, value)
                self._registered.append(id(tensor))
        if isinstance(tensor, np.ndarray):
            self._watched.append((tensor, value))
        self._variables += [v for v, held in self._scope.current.items() if held is value]  # `v.value`
        return value

    def watched_variables(self) -> list[Variable]:
        """The trainable variables that were read in the block."""
        read = self._variables if not self._all_variables else list(self._scope.current)
        return [v for v in read if v.trainable]

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """A context in which everything is a number to the tape.

        Raises:  NotImplementedError in a trace, where all is recorded; use `ops.stop_gradient` there.
        """
        if self._own is None:
            raise NotImplementedError(
                "GradientTape.stop_recording: use ops.stop_gradient on what is to be hidden."
            )
        with tracer.suspended():
            yield

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
        Returns: gradients nested as the sources: tensors of the trace, arrays outside of any.
        """
        if unconnected_gradients not in ("none", "zero"):
            raise ValueError(
                f"`unconnected_gradients` must be 'none' or 'zero'. Received: {unconnected_gradients}"
            )
        if self._own is not None and tracer.active() is None:
            with self._own:
                found = self._gradients(target, sources, output_gradients, unconnected_gradients)
            return tree.pack_as(sources, [g if g is None else numbers(_value(g)) for g in found])
        found = self._gradients(target, sources, output_gradients, unconnected_gradients)
        return tree.pack_as(sources, found)

    def jacobian(
        self,
        target: Any,
        sources: Any,
        unconnected_gradients: str = "none",
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """d target / d each source, of shape (*target.shape, *source.shape).

        Args:    target: a tensor of known shape. The last two arguments are accepted for TensorFlow's sake.
        Returns: nested as the sources; None for those that the target does not depend on, unless
                 unconnected_gradients is "zero".

        >>> from kcompile import ops
        >>> v = Variable([1.0, 2.0])
        >>> with GradientTape() as tape:
        ...     y = v * v
        >>> tape.jacobian(y, v).tolist()
        [[2.0, 0.0], [0.0, 4.0]]
        """
        shape = _known_shape(target, "jacobian")
        items = tree.flatten(sources)
        rows = [self._rows(target, items, mask, unconnected_gradients) for mask in _unit_masks(shape)]
        found = []
        for k, item in enumerate(items):
            parts = [row[k] for row in rows]
            missing = any(part is None for part in parts)
            found.append(None if missing else _joined(parts, (*shape, *unwrap(item).shape)))
        return tree.pack_as(sources, found)

    def batch_jacobian(
        self,
        target: Any,
        source: Any,
        unconnected_gradients: str = "none",
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """For each row b: d target[b] / d source[b], of shape (batch, *target.shape[1:], *source.shape[1:]).

        Rows of the target must depend on the same row of the source only.
        Raises:  ValueError where the two have different numbers of rows.
        """
        shape, own = _known_shape(target, "batch_jacobian"), tuple(unwrap(source).shape)
        if not shape or not own or shape[0] != own[0]:
            raise ValueError(
                "batch_jacobian: target and source must have the same first dimension. Received: shapes "
                f"{shape} and {own}"
            )
        masks = [np.broadcast_to(mask, shape) for mask in _unit_masks(shape[1:])]
        parts = [self._rows(target, [source], mask, unconnected_gradients)[0] for mask in masks]
        if any(part is None for part in parts):
            return None
        return _joined(parts, (own[0], *shape[1:], *own[1:]), axis=1)

    def _rows(self, target: Any, items: list[Any], mask: np.ndarray, unconnected: str) -> Sequence[Any]:
        slope = mask.astype(dtypes.numpy_dtype(str(unwrap(target).dtype)))
        return self.gradient(target, items, slope, unconnected)

    def reset(self) -> None:
        """Forget what was recorded; to be called inside of the block, which goes on recording."""
        if self._scope is None:
            raise RuntimeError("GradientTape.reset: call it inside of the tape's `with` block.")
        self.__exit__()
        self._own, self._watched, self._variables = None, [], []
        self.__enter__()

    def _gradients(self, target: Any, sources: Any, output_gradients: Any, unconnected: str) -> Sequence[Any]:
        targets = [self._target(t) for t in tree.flatten(target)]
        given_slopes = (
            tree.flatten(output_gradients) if output_gradients is not None else [None] * len(targets)
        )
        slopes = [
            ones_like(t) if d is None else _value(d) for t, d in zip(targets, given_slopes, strict=True)
        ]
        items = tree.flatten(sources)
        leaves = [self._source(s) for s in items]
        found: Sequence[Any] = pull_back_all(targets, slopes, leaves)
        found = [g if self._watches(s) else None for g, s in zip(found, items, strict=True)]
        if unconnected == "zero":
            found = [movement.or_zeros(g, v) for g, v in zip(found, leaves, strict=True)]
        return found

    def _target(self, target: Any) -> Value:
        value = unwrap(target)
        if not isinstance(value, Value) and self._watched:
            raise ValueError(
                "GradientTape.gradient: the target was not recorded. Python's operators on a watched NumPy "
                "array are NumPy's own: compute with `x = tape.watch(x)` or with kcompile.ops. Received: "
                f"{type(target).__name__}"
            )
        return _value(value)

    def _watches(self, source: Any) -> bool:
        return (
            self._all_variables
            or not isinstance(source, Variable)
            or any(source is v for v in self._variables)
        )

    def _source(self, source: Any) -> Value:
        """A variable's value when the tape began; a tensor itself."""
        if isinstance(source, Variable):
            return self._held[source] if source in self._held else self._scope.leaf(source)
        value = next((v for array, v in self._watched if array is source), unwrap(source))
        if isinstance(value, np.ndarray) and dtypes.is_float(dtypes.standardize(value.dtype)):
            return apart(constant(value))  # not watched: nothing depends on it
        if not isinstance(value, Value):
            raise ValueError(
                "GradientTape.gradient: a source must be a variable, or a tensor that was recorded: watch it "
                f"with `tape.watch`. Received: {type(source).__name__}"
            )
        return value


def _known_shape(target: Any, method: str) -> tuple[int, ...]:
    shape = tuple(unwrap(target).shape)
    if not all(isinstance(d, int) for d in shape):
        raise ValueError(f"GradientTape.{method}: the target's shape must be known. Received: {shape}")
    return shape


def _unit_masks(shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Arrays of this shape with a one at each place, in order."""
    for k in range(int(np.prod(shape))):
        mask = np.zeros(shape)
        mask.reshape(-1)[k] = 1
        yield mask


def _joined(parts: list[Any], shape: tuple[int, ...], axis: int = 0) -> Any:
    return movement.reshape(joining.stack(parts, axis=axis), shape)


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
