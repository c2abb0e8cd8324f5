"""A layer of kcompile, forward and backward as one program."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import kcompile
from benchmarks.contenders import Contender
from benchmarks.layer_cases import RANDOM, block_of, learned, operands, sample_of
from benchmarks.network import first_weights
from benchmarks.peers import Call
from benchmarks.peers.keras_blocks import block
from benchmarks.peers.keras_layers import network
from benchmarks.workloads import Workload
from kcompile.autograd.backward import pull_back
from kcompile.compiler import compile_graph
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace


def open_session(contender: Contender, work: Workload, threads: int) -> KcompileLayer:
    del contender, threads  # the environment has set the threads
    return KcompileLayer(work)


def program(work: Workload) -> Any:
    """From the inputs and the output's gradient: output, gradients of the inputs that get some and of
    weights.
    """
    forward, weighted = _forward(work)
    for layer, weights in zip(weighted, first_weights(work.layers, work.input_shape), strict=True):
        layer.set_weights(weights)
    parameters = [
        make_parameter(f"x{i}", TensorType(array.shape, array.dtype.name))
        for i, array in enumerate(operands(work))
    ]

    def run(*given: Any) -> list[Any]:
        *inputs, dy = given
        y = forward(*inputs)
        sources = [one.value for layer in weighted for one in layer.trainable_weights]
        return [y, *pull_back(y, dy, [*inputs[: learned(work)], *sources])]

    graph, _ = trace(run, parameters, work.name)
    return compile_graph(graph)


def _forward(work: Workload) -> tuple[Callable[..., Any], list[Any]]:
    """The training call of the layers, and those that have weights."""
    if block_of(work):
        return block(kcompile, work)
    model, weighted = network(kcompile, work)
    return partial(model, training=True), weighted


class KcompileLayer:
    """A compiled graph called on arrays."""

    def __init__(self, work: Workload) -> None:
        self.work, self.program = work, program(work)

    def versions(self) -> dict[str, str]:
        return {"kcompile": kcompile.__version__}

    def variants(self, measure: str) -> tuple[str, ...]:
        return ("program",)

    def runner(self, measure: str, variant: str) -> Call:
        return partial(self.program, *operands(self.work))

    def sample(self) -> list[float]:
        if self.work.name in RANDOM:
            return []
        found = [np.asarray(one) for one in self.program(*operands(self.work))]
        whole = 1 + learned(self.work)
        return sample_of(found[:whole], found[whole:])
