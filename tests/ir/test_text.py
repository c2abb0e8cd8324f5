"""Graphs as text."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import losses, ops
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.graph import Graph, set_origin
from kcompile.ir.op import make_parameter
from kcompile.ir.text import dump, graph_text
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable


def example():
    w = Variable(np.zeros((3,), "float32"), name="w")

    def step(x):
        before = set_origin("model/layer")
        y = ops.tanh(x + w.value)
        set_origin(before)
        w.assign(ops.sum(y, axis=0))
        return y

    return trace(step, [make_parameter("x", TensorType((symbol("batch"), 3)))], name="step")[0]


def test_a_graph_is_one_line_per_node():
    lines = graph_text(example()).splitlines()
    assert lines[0].startswith("%0 = parameter(name='x'): float32[batch,3]")
    assert lines[1].startswith("%1 = variable(")
    assert lines[2] == "%2 = add(%0, %1): float32[batch,3]   # model/layer"
    assert lines[3] == "%3 = tanh(%2): float32[batch,3]   # model/layer"
    assert lines[4] == "%4 = sum(%3, axes=(0,), keepdims=False): float32[3]"
    assert lines[5:] == ["return %3", "assign w <- %4"]


def test_a_tensor_in_a_message_has_a_shape_and_a_dtype():
    x = make_parameter("x", TensorType((symbol("batch"), 3)))
    assert repr(x) == f"{x}" == "<Tensor shape=(batch, 3), dtype=float32>"
    with pytest.raises(ValueError, match=r"y_true=None, y_pred=<Tensor shape=\(batch, 3\), dtype=float32>"):
        losses.MeanSquaredError()(None, x)


def test_numbers_count_from_zero_in_each_graph():
    x = make_parameter("x", TensorType((2,)))
    assert graph_text(Graph([x], [ops.exp(x)])).splitlines()[1] == "%1 = exp(%0): float32[2]"


def test_a_dump_is_written_and_printed_on_request(tmp_path, capsys):
    graph = example()
    with config(dump=str(tmp_path), debug="graph"):
        dump(graph, "fold")
    (path,) = tmp_path.iterdir()
    assert path.name.endswith("_step_fold.txt")
    assert path.read_text() == graph_text(graph) + "\n"
    assert capsys.readouterr().out == f"--- step after fold\n{graph_text(graph)}\n"
