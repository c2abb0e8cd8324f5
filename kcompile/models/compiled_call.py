"""`model(x)` on arrays: the compiled program of the model's call, found with as little Python as possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcompile.core import config, tree
from kcompile.core.symbolic import Int
from kcompile.ir.graph import Value
from kcompile.layers import call_context
from kcompile.layers.layer import Layer
from kcompile.layers.state import version
from kcompile.ops.public import Symbolic
from kcompile.trace import tracer
from kcompile.trace.masks import mask_of, set_mask
from kcompile.trace.tracer import trace
from kcompile.training.extents import leaves_of, open_dimensions
from kcompile.training.programs import StepProgram
from kcompile.training.step import StepGraph, parameters

MOST_SHAPES = 64  # fast entries kept; variable lengths would make ever more of them


def as_array(x: Any) -> Any:
    """Tensors of other libraries as NumPy arrays; what is kcompile's own stays."""
    own = isinstance(x, (np.ndarray, Value, Symbolic)) or hasattr(x, "__kcompile_value__")
    return np.asarray(x) if not own and hasattr(x, "__array__") else x


@dataclass(frozen=True)
class TracedCall(StepGraph):
    """A traced call.

    does_more: losses are for whoever called, so it must compute op by op. masked: which of the flat outputs
    have masks; these come after the outputs.
    """

    does_more: bool = False
    masked: tuple[int, ...] = ()


class CompiledCalls:
    """The programs of one model's calls. Programs are kept by the trainer; here is the short way to them."""

    def __init__(self, model: Any):
        self._model = model
        self._runs: dict[Any, Callable[[np.ndarray], Any]] = {}
        self._state: tuple[Any, ...] = ()

    @staticmethod
    def apply_to(model: Any, inputs: Any) -> bool:
        """Is this an outermost call on arrays that a program can make?"""
        return (
            not tracer.is_tracing()
            and call_context.current() is None
            and not model._training.run_eagerly
            and all(
                isinstance(x, np.ndarray) and x.ndim > 0 and mask_of(x) is None for x in leaves_of(inputs)
            )
            and len({len(x) for x in leaves_of(inputs)}) == 1  # batches of other sizes broadcast, or do not
        )

    def known(self, x: np.ndarray) -> Callable[[np.ndarray], Any] | None:
        """The way to run a call on one array alone, if such a call was made before and nothing changed. Where
        there is no element, the program depends on the number of rows.
        """
        state = self._state
        if not state or state[0] != version() or state[1] is not config.current() or tracer.is_tracing():
            return None
        if state[2] is not self._model.__dict__.get("_training_state") or state[2].run_eagerly:
            return None
        if call_context.current() is not None or not x.shape or not x.size or mask_of(x) is not None:
            return None
        return self._runs.get((x.dtype, x.shape[1:]))

    def __call__(self, inputs: Any, training: bool | None) -> Any:
        program = self._program(inputs, training)
        if program is None:
            return Layer.__call__(self._model, inputs, training=training)
        result = program.traced.result
        masked: tuple[int, ...] = getattr(program.traced, "masked", ())
        plain = isinstance(inputs, np.ndarray) and training is None and result is None and not masked
        if plain and isinstance(program.traced.graph.inputs[0].shape[0], Int):
            self._remember(inputs, program.run)
        found = list(program.run(*leaves_of(inputs)))
        outputs, masks = found[: len(found) - len(masked)], found[len(found) - len(masked) :]
        for position, mask in zip(masked, masks, strict=True):
            set_mask(outputs[position], mask)
        return tree.pack_as(result, outputs)

    def _remember(self, x: np.ndarray, run: Callable[..., Any]) -> None:
        state = (version(), config.current(), self._model._training)
        if len(self._state) != 3 or any(a is not b for a, b in zip(state[1:], self._state[1:], strict=True)):
            self._runs.clear()
        if state[:1] != self._state[:1] or len(self._runs) >= MOST_SHAPES:
            self._runs.clear()
        self._state = state
        self._runs[x.dtype, x.shape[1:]] = lambda array: run(array)[0]

    def _program(self, inputs: Any, training: bool | None) -> StepProgram | None:
        """The program for such inputs; None if the call does more than compute outputs."""
        programs = self._model._training.programs
        size = len(leaves_of(inputs)[0])
        shapes = open_dimensions(inputs, self._model._placeholders(inputs), programs.batch_dimension(size))
        program = programs.open_or_closed(
            ("call", training), inputs, shapes, size, lambda known: self._traced(inputs, training, known)
        )
        return None if program.traced.does_more else program

    def _traced(self, inputs: Any, training: bool | None, shapes: list[Any]) -> TracedCall:
        given, values = parameters(inputs, shapes)
        more: list[Any] = []
        masked: list[int] = []

        def run(*_: Value) -> Any:
            outputs = Layer.__call__(self._model, given, training=training)
            more.extend(layer for layer in self._model._flatten_layers() if layer._losses)
            masks = [mask_of(x) for x in tree.flatten(outputs)]
            masked.extend(k for k, mask in enumerate(masks) if mask is not None)
            return [outputs, [masks[k] for k in masked]]

        graph, (result, _) = trace(run, values, name="call")
        result = tree.map_structure(lambda _: None, result)
        return TracedCall(graph, result=result, does_more=bool(more), masked=tuple(masked))
