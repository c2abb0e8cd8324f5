"""Models over text: calls that take or make text are written by the layers themselves.

No op knows text, so a trace goes around these calls: each leaves a parameter in its place, and a record of
what makes it, which the emitter writes before what reads the parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kcompile.core import dtypes, tree
from kcompile.core.symbolic import Int, symbol
from kcompile.ir.graph import Value
from kcompile.ir.op import make_parameter
from kcompile.ir.types import Shape, TensorType
from kcompile.models.host_stage import caller, taken_apart
from kcompile.trace.keras_tensor import KerasTensor


@dataclass(frozen=True)
class TextCall:
    """`write(g, *names)` adds the nodes that make `result` of `inputs`; g is the builder.

    layer, kind: a layer's name and class.
    """

    layer: str
    kind: str
    write: Callable[..., str]
    inputs: tuple[Value, ...]
    result: Value


@dataclass
class TextCalls:
    """What a trace went around, in the order of the calls."""

    calls: list[TextCall] = field(default_factory=list)

    def call(self, operation: Any, args: Any, kwargs: Any) -> Any:
        """An operation of a functional model, traced or gone around.

        A layer that knows how writes itself: `layer.traced_text(x, write)` returns the value of its result,
        made by ops of what `write(rule, *values, shape=, dtype=)` returns.
        """
        hook = getattr(operation, "traced_text", None)
        values = [x for x in tree.flatten((args, kwargs)) if isinstance(x, Value)]
        if hook is None and not any(x.dtype == dtypes.STRING for x in values):
            return caller(False)(operation, args, kwargs)
        try:
            if hook is None:
                raise NotImplementedError("it takes text")
            return hook(*args, self._writer(operation))
        except NotImplementedError as error:
            return self._refused(operation, args, values, str(error))

    def _writer(self, operation: Any) -> Callable[..., Value]:
        layer, kind = operation.name, type(operation).__name__

        def write(rule: Callable[..., str], *inputs: Value, shape: Shape, dtype: str) -> Value:
            dims = tuple(symbol(f"{layer}_tokens") if d is None else d for d in shape)
            result = make_parameter(f"{layer}/text_{len(self.calls)}", TensorType(dims, dtype))
            self.calls.append(TextCall(layer, kind, rule, inputs, result))
            return result

        return write

    def _refused(self, operation: Any, args: Any, values: list[Value], reason: str) -> Any:
        """Results of the right types, so that what comes after is looked at too. Nothing can write them."""

        def refuse(g: Any, *_: str) -> str:
            raise NotImplementedError(reason)

        def placeholder(x: Any) -> Any:
            dims = tuple(None if isinstance(d, Int) else d for d in x.shape)
            return KerasTensor(dims, x.dtype)

        def stand_in(spec: KerasTensor) -> Value:
            shape = (values[0].shape[0], *spec.shape[1:]) if spec.shape else ()
            return self._writer(operation)(refuse, *values, shape=shape, dtype=spec.dtype)

        specs = operation.compute_output_spec(*tree.map_structure(placeholder, args))
        return tree.map_structure(stand_in, specs)


def takes_or_makes_text(model: Any) -> bool:
    """Is text among the inputs or outputs of a functional or Sequential model?"""
    tensors = [*(getattr(model, "inputs", None) or []), *(getattr(model, "outputs", None) or [])]
    return any(x.dtype == dtypes.STRING for x in tensors)


def call_of(model: Any, found: TextCalls) -> Callable[[Any], Any]:
    """The inference call of a functional or Sequential model over text, to be traced."""
    functional = getattr(model, "_functional", None) or model
    graph = taken_apart(functional._inner_calls())

    def call(inputs: Any) -> Any:
        return functional._packed(graph.run(functional._flat(inputs), found.call))

    return call
