"""A layer of kcompile, forward and backward as one program."""

from __future__ import annotations

from typing import Any

import numpy as np

import kcompile
from benchmarks.contenders import Contender
from benchmarks.layer_cases import operands, sample_of
from benchmarks.network import first_weights
from benchmarks.peers import Call
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
    """From the input and the output's gradient: output, gradients of the input (if float) and of weights."""
    model, weighted = network(kcompile, work)
    for layer, weights in zip(weighted, first_weights(work.layers, work.input_shape), strict=True):
        layer.set_weights(weights)
    x, dy = (TensorType(array.shape, array.dtype.name) for array in operands(work))
    inputs = [make_parameter("x", x), make_parameter("dy", dy)]

    def run(x: Any, dy: Any) -> list[Any]:
        y = model(x, training=True)
        sources = [one.value for layer in weighted for one in layer.trainable_weights]
        return [y, *pull_back(y, dy, sources if work.vocabulary else [x, *sources])]

    graph, _ = trace(run, inputs, work.name)
    return compile_graph(graph)


class KcompileLayer:
    """A compiled graph called on arrays."""

    def __init__(self, work: Workload) -> None:
        self.work, self.program = work, program(work)

    def versions(self) -> dict[str, str]:
        return {"kcompile": kcompile.__version__}

    def variants(self, measure: str) -> tuple[str, ...]:
        return ("program",)

    def runner(self, measure: str, variant: str) -> Call:
        x, dy = operands(self.work)
        return lambda: self.program(x, dy)

    def sample(self) -> list[float]:
        found = [np.asarray(one) for one in self.program(*operands(self.work))]
        whole = 1 if self.work.vocabulary else 2
        return sample_of(found[:whole], found[whole:])
