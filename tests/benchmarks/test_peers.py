"""Adapters: whoever is installed computes what NumPy computes from the same weights."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks import workloads
from benchmarks.contenders import KERNELS, MODELS
from benchmarks.kernel_cases import CASES, Case, operands, sample_of
from benchmarks.workloads import WORKLOADS, Conv, Dense, Flatten, MaxPool

INSTALLED = [one for one in MODELS if all(map(find_spec, one.requires))]


def probabilities(work):
    """The workload in NumPy, dropout off."""
    x, _ = workloads.data(work, 4)
    weights = iter(workloads.initial_weights(work))
    for layer in work.layers:
        match layer:
            case Dense():
                x = x @ next(weights) + next(weights)
            case Conv(kernel=size):
                windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))
                x = np.einsum("nhwcij,ijcf->nhwf", windows, next(weights), optimize=True) + next(weights)
            case MaxPool(size=size):
                n, h, w, c = x.shape
                x = x.reshape(n, h // size, size, w // size, size, c).max((2, 4))
            case Flatten():
                x = x.reshape(len(x), -1)
        if getattr(layer, "activation", None) == "relu":
            x = np.maximum(x, 0)
    exponentials = np.exp(x - x.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


@pytest.mark.parametrize("work", WORKLOADS.values(), ids=WORKLOADS)
@pytest.mark.parametrize("contender", INSTALLED, ids=lambda one: one.name)
def test_contender_is_the_same_model(contender, work, monkeypatch):
    for name, value in contender.environment.items():
        monkeypatch.setenv(name, value)
    session = import_module(f"benchmarks.peers.{contender.adapter}").open_session(contender, work, 1)
    # float32 sums of up to 9216 terms, then a softmax
    np.testing.assert_allclose(session.sample(), probabilities(work).ravel(), atol=1e-5)
    assert session.versions()


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
