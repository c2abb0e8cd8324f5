"""Layers as native code: outputs, gradients and assigned weights are those of the reference interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile.autograd.backward import gradients
from kcompile.compiler import compile_graph
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.runtime.reference import ReferenceExecutable
from kcompile.trace.tracer import trace
from tests.layers.check import nested
from tests.parity.layer_cases import FAMILIES, Case

NAMES = ("adaptive", "convolutional", "core", "normalization", "pooling", "reshaping", "transposed")
LAYERS = sorted({case.layer for name in NAMES for case in FAMILIES[name]})
# float32 sums in another order; gradients of normalizations are small differences of large terms.
CLOSE = {"rtol": 2e-5, "atol": 5e-5}


def cases_of(layer: str) -> list[Case]:
    return [case for name in NAMES for case in FAMILIES[name] if case.layer == layer]


def made(case: Case) -> Any:
    layer = getattr(keras.layers, case.layer)(**case.kwargs)
    layer.build(nested(list(case.shapes)))
    layer.set_weights(case.weights([w.shape for w in layer.weights]))
    return layer


def parameters(number: int, arrays: list[np.ndarray]) -> list[Any]:
    """Inputs with an unknown batch, of their own for each case."""
    batch = symbol(f"batch{number}")
    return [
        make_parameter(f"x{number}_{k}", TensorType((batch, *a.shape[1:]), a.dtype.name))
        for k, a in enumerate(arrays)
    ]


def arrays_of(case: Case) -> list[np.ndarray]:
    """The inputs, and the mask behind them."""
    mask = case.mask_array()
    return case.inputs() if mask is None else [*case.inputs(), mask]


def outputs_and_gradients(case: Case, layer: Any, values: list[Any]) -> list[Any]:
    inputs = values[: len(case.shapes)]
    call: dict[str, Any] = {"mask": values[-1]} if case.mask else {}
    y = layer(nested(inputs), **call, **({"training": True} if case.training else {}))
    wanted = [v.leaf for v in layer.trainable_variables]
    wanted += [x for x in inputs if not case.ints]
    loss = keras.ops.sum(keras.ops.square(y))
    found = gradients(loss, wanted) if wanted else []
    return [y, *(g for g in found if g is not None)]


@pytest.mark.compiled
@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_compiled_is_what_the_references_compute(name):
    cases = cases_of(name)
    layers = [made(case) for case in cases]
    arrays = [arrays_of(case) for case in cases]
    inputs = [parameters(number, xs) for number, xs in enumerate(arrays)]

    def run(*_: Any) -> list[Any]:
        return [
            y
            for case, layer, xs in zip(cases, layers, inputs, strict=True)
            for y in outputs_and_gradients(case, layer, xs)
        ]

    graph, _ = trace(run, [x for xs in inputs for x in xs])
    flat = [a for xs in arrays for a in xs]
    results = {}
    for kind, program in (("compiled", compile_graph(graph)), ("reference", ReferenceExecutable(graph))):
        before = [layer.get_weights() for layer in layers]
        results[kind] = [np.array(y) for y in program(*flat)]
        results[kind] += [w for layer in layers for w in layer.get_weights()]
        for layer, weights in zip(layers, before, strict=True):
            layer.set_weights(weights)
    for got, expected in zip(results["compiled"], results["reference"], strict=True):
        scale = max(1.0, float(np.abs(expected).max(initial=0)))
        np.testing.assert_allclose(got / scale, expected / scale, **CLOSE)
