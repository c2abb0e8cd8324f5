"""Adapters: whoever is installed computes what NumPy computes from the same weights."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import kcompile
from benchmarks.block import Block
from benchmarks.contenders import KERAS_PEERS, KERNELS, MODELS
from benchmarks.kernel_cases import CASES, Case, operands, sample_of
from benchmarks.network import Dropout, Leaf, weight_shapes
from benchmarks.peers import keras_layers
from benchmarks.workloads import WORKLOADS
from tests.benchmarks.tiny import TINY

INSTALLED = [one for one in MODELS if all(map(find_spec, one.requires))]


EXPECTED = json.loads(Path(__file__).with_name("tiny_outputs.json").read_text())

# float32, other orders of summation; three steps of Adam carry them on.
CLOSE = 2e-5


def opened(contender, work, monkeypatch):
    for name, value in contender.environment.items():
        monkeypatch.setenv(name, value)
    return import_module(f"benchmarks.peers.{contender.adapter}").open_session(contender, work, 1)


@pytest.fixture(scope="module")
def one_keras_backend():
    """The backend is chosen at Keras's import: of a process's Keras rows, one can be tested."""
    if "keras" in sys.modules:
        return sys.modules["keras"].backend.backend()
    return os.environ.get("KERAS_BACKEND", "jax")


@pytest.mark.parametrize("work", TINY.values(), ids=TINY)
@pytest.mark.parametrize("contender", INSTALLED, ids=lambda one: one.name)
def test_contender_is_the_same_model(contender, work, monkeypatch, one_keras_backend):
    if contender.name in KERAS_PEERS and contender.name != f"keras-{one_keras_backend}":
        pytest.skip("another backend of Keras is in use")
    if "compile" in contender.options:
        pytest.skip("compiles for minutes what the eager row has tested")
    session = opened(contender, work, monkeypatch)
    expected = EXPECTED[work.name]
    np.testing.assert_allclose(session.sample()[:24], expected["sample"], atol=CLOSE)
    assert session.versions()
    if contender.trains:
        np.testing.assert_allclose(session.losses(), expected["losses"], atol=CLOSE)


def test_every_kind_of_layer_is_compared():
    kinds = {kind for work in TINY.values() for kind in work.has}
    # Dropout is random: no two libraries draw the same numbers. Blocks are measured alone.
    assert kinds == set(get_args(Leaf)) - {Dropout, Block}


def test_all_networks_build_in_kcompile_with_keras_weights():
    """The shapes that ``network`` tells are those of the layers; sizes of the large networks as published."""
    for name, count in {"resnet32": 274_042, "mobilenetv2": 3_538_984, "transformer": 661_992}.items():
        model, weighted = keras_layers.build(kcompile, WORKLOADS[name])
        shapes = [[w.shape for w in layer.weights] for layer in weighted]
        found = [list(weight_shapes(layer, before).values()) for layer, before, _ in WORKLOADS[name].leaves]
        assert shapes == [one for one in found if one]
        assert model.count_params() == count


@pytest.mark.parametrize(
    "contender", [one for one in KERNELS if all(map(find_spec, one.requires))], ids=lambda one: one.name
)
def test_kernel_is_the_product(contender):
    case = Case("matmul", "", "matmul", (5, 7), (7, 3), (5, 3), 2 * 5 * 7 * 3)
    session = import_module(f"benchmarks.peers.{contender.adapter}").open_session(contender, case, 1)
    left, right = operands(case)
    np.testing.assert_allclose(session.sample(), sample_of(case, left @ right), atol=1e-6)
    for variant in session.variants("kernel"):
        session.runner("kernel", variant)()


def test_samples_are_spread_over_the_result():
    case = CASES["conv_forward"]
    result = np.arange(10_000, dtype=np.float32)
    sample = np.array(sample_of(case, result)) * case.terms**0.5
    assert len(sample) >= 64 and sample[-1] > 9_800
