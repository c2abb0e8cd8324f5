"""The contract that every layer is held to, and ways to run a layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile.autograd.backward import gradients
from kcompile.core import tree
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.layers import Input, Layer
from kcompile.runtime.reference import ReferenceExecutable
from kcompile.trace.keras_tensor import symbolic_dim
from kcompile.trace.tracer import active, trace

# Sums of some hundred float32 products, in another order than the other side's.
TOLERANCE = {"rtol": 2e-5, "atol": 2e-5}


def nested(xs: list[Any]) -> Any:
    return xs if len(xs) > 1 else xs[0]


Arranged = Callable[[list[Any]], tuple[Any, ...]]


def as_one(xs: list[Any]) -> tuple[Any, ...]:
    """The positional arguments of a call: one input, or the list of several."""
    return (nested(xs),)


def parameters(arrays: list[np.ndarray]) -> list[Any]:
    """Traced inputs like these arrays, with an unknown batch."""
    return [
        make_parameter(f"x{k}", TensorType((symbolic_dim(0, None), *a.shape[1:]), a.dtype.name))
        for k, a in enumerate(arrays)
    ]


def traced(
    function: Callable[..., Any], arrays: list[np.ndarray], call: dict[str, Any] | None = None
) -> list[np.ndarray]:
    """function(*values, **call) traced with an unknown batch, then run by the reference interpreter.

    Arrays in `call` (masks) become inputs of the trace too.
    """
    call = call or {}
    extra = [name for name, value in call.items() if isinstance(value, np.ndarray)]
    every = [*arrays, *(call[name] for name in extra)]

    def run(*values: Any) -> Any:
        named = dict(zip(extra, values[len(arrays) :], strict=True))
        return function(*values[: len(arrays)], **{**call, **named})

    graph, _ = trace(run, parameters(every))
    return ReferenceExecutable(graph)(*every)


def gradients_of(
    layer: Layer, arrays: list[np.ndarray], call: dict[str, Any], arranged: Arranged = as_one
) -> dict[str, np.ndarray]:
    """d sum(outputs ** 2) / d inputs and trainable weights, by tracing and the ops' gradients."""
    names: list[str] = []

    def loss_gradients(*xs: Any, **call: Any) -> list[Any]:
        from kcompile import ops

        scope = active()
        assert scope is not None
        weights = [scope.read(v) for v in layer.trainable_variables]
        loss = ops.sum(ops.square(layer(*arranged(list(xs)), **call)))
        wanted = {f"weight_gradient{k}": w for k, w in enumerate(weights)}
        wanted |= {f"input_gradient{k}": x for k, x in enumerate(xs)}
        found = dict(zip(wanted, gradients(loss, list(wanted.values())), strict=True))
        names.extend(name for name, value in found.items() if value is not None)
        return [value for value in found.values() if value is not None]

    before = [v.numpy() for v in layer.variables]
    arrays_found = traced(loss_gradients, arrays, call)
    for variable, value in zip(layer.variables, before, strict=True):
        variable.assign(value)
    return dict(zip(names, arrays_found, strict=True))


def check_layer(
    cls: type[Layer],
    kwargs: dict[str, Any],
    inputs: list[np.ndarray],
    output_shape: Any,
    *,
    arranged: Arranged = as_one,
    **call: Any,
) -> Layer:
    """Shapes, weights, config round trip, eager equals traced, and an unbuilt copy builds itself the same."""
    layer = cls(**kwargs)
    eager = layer(*arranged(inputs), **call)
    assert layer.built
    assert tree.map_structure(np.shape, eager) == output_shape
    assert all(type(leaf) is np.ndarray for leaf in tree.flatten(eager))
    placeholders = [Input(batch_shape=(None, *x.shape[1:]), dtype=x.dtype.name) for x in inputs]
    given = {
        k: Input(batch_shape=(None, *v.shape[1:]), dtype="bool") if isinstance(v, np.ndarray) else v
        for k, v in call.items()
    }
    symbolic = layer(*arranged(placeholders), **given)
    assert symbolic.shape == (None, *output_shape[1:])
    shapes = arranged([p.shape for p in placeholders])
    assert layer.compute_output_shape(*shapes) == (None, *output_shape[1:])
    assert symbolic.dtype == eager.dtype.name
    found = traced(lambda *xs, **more: layer(*arranged(list(xs)), **more), inputs, call)
    np.testing.assert_array_equal(found[0], eager)
    _check_copy(cls, layer, arranged(inputs), eager, call)
    return layer


def _check_copy(
    cls: type[Layer], layer: Layer, inputs: tuple[Any, ...], eager: Any, call: dict[str, Any]
) -> None:
    config = layer.get_config()
    copy = cls.from_config(config)
    assert copy.get_config() == config
    assert copy.name == layer.name
    copy.build_from_config(layer.get_build_config())
    assert [(w.path, w.shape, w.dtype, w.trainable) for w in copy.weights] == [
        (w.path, w.shape, w.dtype, w.trainable) for w in layer.weights
    ]
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(*inputs, **call), eager)
