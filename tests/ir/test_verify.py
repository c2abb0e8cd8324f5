"""A malformed graph is found, and the error names node and stage."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.core.config import config
from kcompile.core.errors import CompileError
from kcompile.ir import graph as graphs
from kcompile.ir.graph import Graph, Node, Value
from kcompile.ir.op import REGISTRY, Op, make_parameter
from kcompile.ir.types import TensorType
from kcompile.ir.verify import verify
from kcompile.passes import pipeline
from kcompile.passes.pipeline import Pass
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable


def parameter(*shape, dtype="float32", name="x"):
    return make_parameter(name, TensorType(shape, dtype))


def mistyped(x):
    """A sum over x that claims the wrong shape."""
    right = ops.sum(x, axis=0)
    return graphs.node(right.op, (x,), right.node.attrs, (TensorType((7,)),)).values[0]


def test_a_well_formed_graph_passes():
    v = Variable(np.zeros(3), dtype="float32")

    def step(x):
        v.assign(v + ops.sum(x, axis=0))
        return ops.softmax(x)

    graph, _ = trace(step, [parameter(2, 3)])
    verify(graph)
    verify(pipeline.run(graph))


def test_a_wrong_type_is_named_with_stage_and_types():
    x = parameter(2, 3)
    with pytest.raises(
        CompileError, match=r"after 'fold': sum#.*states float32\[7\], its op infers float32\[3\]"
    ):
        verify(Graph([x], [mistyped(x)]), "fold")


def test_types_that_do_not_fit_are_named():
    x, y = parameter(2, 3), parameter(4, name="y")
    bad = graphs.node(REGISTRY["add"], (x, y), {}, (TensorType((2, 3)),)).values[0]
    with pytest.raises(CompileError, match="add#.*do not fit: add: shapes"):
        verify(Graph([x, y], [bad]))


def test_a_foreign_parameter_is_found():
    with pytest.raises(CompileError, match="parameter#.*no input of the graph"):
        verify(Graph([], [parameter(2) + 1]))


def test_an_input_is_listed_once():
    x = parameter(2)
    with pytest.raises(CompileError, match="listed twice"):
        verify(Graph([x, x], [x + 1]))


def test_a_foreign_variable_is_found():
    v = Variable(np.zeros(3), dtype="float32")
    with pytest.raises(CompileError, match="variable#.*none of the graph's"):
        verify(Graph([], [v.leaf + 1]))


def test_only_variables_are_assigned():
    x = parameter(2)
    with pytest.raises(CompileError, match="parameter#.*no variable of the graph"):
        verify(Graph([x], [], {x: x + 1}))


def test_a_variable_keeps_its_type():
    v = Variable(np.zeros(3), dtype="float32")
    with pytest.raises(CompileError, match=r"assigned a float32\[1,3\], but is a float32\[3\]"):
        verify(Graph([], [], {v.leaf: ops.reshape(v.leaf, (1, 3))}, {v.uid: v}))


def test_an_output_of_another_node_is_found():
    x = parameter(2)
    stray = Value(x.node, 0, x.type)
    y = graphs.node(REGISTRY["negative"], (stray,), {}, (x.type,)).values[0]
    with pytest.raises(CompileError, match="negative#.*input 0 is no output"):
        verify(Graph([x], [y]))


def test_the_number_of_values_is_the_ops():
    x = parameter(2)
    node: Node = graphs.node(REGISTRY["negative"], (x,), {}, (x.type, x.type))
    with pytest.raises(CompileError, match="has 2 values, its op gives 1"):
        verify(Graph([x], [node.values[0]]))


def test_an_op_that_is_not_registered_is_found():
    op = Op("nowhere")
    del REGISTRY["nowhere"]
    x = parameter(2)
    with pytest.raises(CompileError, match="nowhere#.*not registered"):
        verify(Graph([x], [graphs.node(op, (x,), {}, (x.type,)).values[0]]))


def test_the_pipeline_verifies_after_every_pass():
    x = parameter(2, 3)
    spoil = Pass("spoil", lambda graph: graph.map(mistyped))
    good = Graph([x], [ops.exp(x)])
    with config(verify=True), pytest.raises(CompileError, match="after 'spoil'"):
        pipeline.run(good, [spoil])
    with config(verify=False):
        pipeline.run(good, [spoil])
