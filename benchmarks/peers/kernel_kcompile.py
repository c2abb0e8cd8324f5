"""kcompile's contractions as its compiler makes them: a graph of one operator, or of one of its gradients."""

from __future__ import annotations

from typing import Any

import kcompile
from benchmarks.contenders import Contender
from benchmarks.kernel_cases import FILTERS, IMAGES, Case, operands, sample_of
from benchmarks.peers import Call
from kcompile import ops
from kcompile.autograd.backward import pull_back
from kcompile.compiler import compile_graph
from kcompile.ir.graph import Value
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace


def open_session(contender: Contender, case: Case, threads: int) -> KcompileKernel:
    del contender, threads  # the environment has set the threads
    return KcompileKernel(case)


def program(case: Case) -> Any:
    """The case's executable: called with both operands it returns a list of one result."""
    inputs = [_parameter("left", case.left), _parameter("right", case.right)]
    graph, _ = trace(lambda left, right: _result(case.kind, left, right), inputs, case.name)
    return compile_graph(graph)


def _parameter(name: str, shape: tuple[int, ...]) -> Value:
    return make_parameter(name, TensorType(shape, "float32"))


def _result(kind: str, left: Value, right: Value) -> Any:
    if kind == "matmul":
        return ops.matmul(left, right)
    if kind == "forward":
        return ops.conv(left, right)
    # A convolution is linear in each operand: its gradient by one does not depend on that operand's values.
    if kind == "kernel_grad":
        filters = _parameter("filters", FILTERS)
        return pull_back(ops.conv(left, filters), right, [filters])[0]
    images = _parameter("images", IMAGES)
    return pull_back(ops.conv(images, right), left, [images])[0]


class KcompileKernel:
    """A compiled graph called on arrays."""

    def __init__(self, case: Case) -> None:
        self.case, self.program = case, program(case)

    def versions(self) -> dict[str, str]:
        return {"kcompile": kcompile.__version__}

    def variants(self, measure: str) -> tuple[str, ...]:
        return ("program",)

    def runner(self, measure: str, variant: str) -> Call:
        left, right = operands(self.case)
        return lambda: self.program(left, right)

    def sample(self) -> list[float]:
        return sample_of(self.case, self.program(*operands(self.case))[0])
