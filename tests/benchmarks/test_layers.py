"""Layers measured alone: what they compute, and the table with the worst first."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import get_args

import numpy as np
import pytest
from rich.console import Console

from benchmarks import layer_cases, report
from benchmarks.contenders import LAYERS as CONTENDERS
from benchmarks.layer_cases import LAYERS
from benchmarks.network import Dense, Dropout, Flatten, Leaf, first_weights
from benchmarks.workloads import Workload
from tests.benchmarks.test_results import results, series

INSTALLED = [one for one in CONTENDERS if all(map(find_spec, one.requires)) and "compile" not in one.options]


@pytest.mark.parametrize("contender", INSTALLED, ids=lambda one: one.name)
def test_output_and_gradients_of_a_dense_layer_by_hand(contender):
    work = Workload(
        "w", "", (5,), (Dense(5, "relu"),), 5, 5, loss="mse"
    )  # sizes alike: what is mixed up shows
    x, dy = layer_cases.operands(work)
    ((kernel, bias),) = first_weights(work.layers, work.input_shape)
    y = np.maximum(x @ kernel + bias, 0)
    inner = dy * (y > 0)
    expected = layer_cases.sample_of([y, inner @ kernel.T], [x.T @ inner, inner.sum(0)])
    session = import_module(f"benchmarks.peers.{contender.adapter}").open_session(contender, work, 1)
    np.testing.assert_allclose(session.sample(), expected, atol=1e-6)
    for variant in session.variants("layer"):
        session.runner("layer", variant)()


def test_every_kind_of_layer_has_a_row():
    kinds = {kind for work in LAYERS.values() for kind in work.has}
    assert kinds == set(get_args(Leaf)) - {Dropout, Flatten}  # a block's row, and no work at all


def test_a_sample_shows_a_gradient_of_another_length():
    ones = [np.ones(4)]
    one, other = (layer_cases.sample_of(ones, [scale * np.ones(3)]) for scale in (1.0, 1.1))
    assert one[1:] == other[1:] and abs(one[0] - other[0]) > 1e-2


def test_a_sample_shows_an_output_of_another_length():
    one, other = (layer_cases.sample_of([np.full(4, scale)], []) for scale in (1.0, 1.1))
    assert one[1:] == other[1:] == [1.0] * 4 and abs(one[0] - other[0]) > 1e-2
    assert layer_cases.sample_of([np.zeros(3)], []) == [0.0] * 3


def test_work_by_hand():
    work = LAYERS["layer_dense"]
    assert layer_cases.layer_flops(work) == 3 * 2 * 128 * 512 * 512
    assert report.flops("layer_dense", "layer") == layer_cases.layer_flops(work)


def test_the_worst_layer_comes_first():
    run = results(
        *(
            series("kcompile", (ms,), task=task, measure="layer")
            for task, ms in (("layer_dense", 1.0), ("layer_gelu", 3.0))
        ),
        *(
            series("torch", (2.0,), task=task, measure="layer")
            for task in ("layer_dense", "layer_gelu", "layer_relu")
        ),
        series("torch-compile", (4.0,), task="layer_dense", measure="layer"),
    )
    rows = report.worst_layers(run)
    assert [(one.task, compared, theirs.contender) for compared, one, theirs in rows] == [
        ("layer_gelu", 1.5, "torch"),
        ("layer_dense", 0.5, "torch"),
    ]
    console = Console(record=True, width=140)
    report.print_report(run, console)
    text = console.export_text()
    assert text.index("gelu, 16 x 64x512") < text.index("dense, 128 x 512")
