"""What KCOMPILE_DEBUG prints and KCOMPILE_DUMP writes."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.core.config import DEBUG_TOPICS, config
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable


def compile_step():
    w = Variable(np.zeros((4, 33), "float32"), name="weights")

    def step(x):
        y = ops.softmax(ops.matmul(x, w.value))
        w.assign(w * 0.5)
        return y

    graph, _ = trace(step, [make_parameter("x", TensorType((symbol("batch"), 4)))], name="example")
    return compile_graph(graph)


EXPECTED = {
    "trace": "after traced",
    "graph": "after algebra",
    "plan": "in place of 'weights'",
    "kernels": "flops",
    "source": "def kernel(args, begin, end, scratch):",
    "timings": "plan: ",
    "cache": "kernels found",
    "devices": "vectors of",
}


def test_every_topic_is_tested():
    assert set(EXPECTED) == set(DEBUG_TOPICS)


@pytest.mark.parametrize("topic", sorted(set(EXPECTED) - {"cache"}))
def test_a_topic_prints_what_it_names_and_nothing_else(topic, capsys):
    with config(debug=topic):
        compile_step()
    printed = capsys.readouterr().out
    assert EXPECTED[topic] in printed
    for other, text in EXPECTED.items():
        related = {topic, other} == {"graph", "trace"}  # graph shows all stages
        assert other == topic or related or text not in printed


def test_the_cache_tells_what_it_had(capsys, monkeypatch):
    monkeypatch.setattr("kcompile.runtime.kernels._addresses", {})
    with config(debug="cache"):
        compile_step()
    assert "kernels found, " in capsys.readouterr().out


def test_nothing_is_printed_unasked(capsys):
    with config(debug=""):
        compile_step()
    assert capsys.readouterr().out == ""


def test_the_plan_shows_what_is_fused_read_and_written(capsys):
    with config(debug="plan"):
        compile_step()
    printed = capsys.readouterr().out
    assert "example: " in printed
    assert "fused" in printed
    assert "reads" in printed
    assert "tiles" in printed
    assert "'weights'" in printed
    assert "acc" in printed or "load" in printed or "exp(" in printed


def test_a_dump_holds_graphs_plan_and_sources(tmp_path):
    with config(dump=str(tmp_path)):
        compile_step()
    names = {path.name.split("_", 1)[1] for path in tmp_path.iterdir()}
    assert {"example_traced.txt", "example_decompose.txt", "example_plan.txt"} <= names
    assert {"example_kernels.txt", "example_source.txt"} <= names
    (source,) = tmp_path.glob("*_source.txt")
    assert "def kernel" in source.read_text()
