"""Stateless scopes: variables read given values and keep their own."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile.compiler import compile_graph
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.stateless import StatelessScope
from kcompile.trace.tracer import trace


def test_nothing_outside_is_changed():
    a, b = keras.Variable([1.0, 2.0]), keras.Variable([5.0])
    with StatelessScope([(a, np.array([3.0, 4.0]))]) as scope:
        assert np.asarray(a).tolist() == [3.0, 4.0] and np.asarray(b).tolist() == [5.0]
        a.assign_add([1.0, 1.0])
        b.assign(a.value[:1] * 2)
        assert (a + b).tolist() == [12.0, 13.0]
    assert scope.get_current_value(a).tolist() == [4.0, 5.0]
    assert scope.get_current_value(b).tolist() == [8.0]
    assert a.numpy().tolist() == [1.0, 2.0] and b.numpy().tolist() == [5.0]
    assert StatelessScope().get_current_value(a) is None


def test_scopes_nest():
    v = keras.Variable(1.0)
    with StatelessScope([(v, 2.0)]):
        with StatelessScope() as inner:
            v.assign(v.value + 10.0)
        assert float(inner.get_current_value(v)) == 12.0 and float(v.value) == 2.0
    assert float(v) == 1.0


def test_values_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="a shape that matches the corresponding variable shape"):
        StatelessScope([(keras.Variable([1.0, 2.0]), np.zeros(3))])


def test_inside_of_a_trace():
    v, state = keras.Variable([1.0, 2.0]), make_parameter("state", TensorType((2,), "float32"))

    def step(state):
        with StatelessScope([(v, state)]) as scope:
            v.assign(v.value * 3.0)
        return scope.get_current_value(v)

    graph, _ = trace(step, [state])
    assert not graph.assignments
    (found,) = compile_graph(graph)(np.array([1.0, 5.0], "float32"))
    assert found.tolist() == [3.0, 15.0] and v.numpy().tolist() == [1.0, 2.0]
