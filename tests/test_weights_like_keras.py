"""Initializers, regularizers and constraints beside Keras: configs, and numbers at once and compiled."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kcompile import constraints, initializers, regularizers
from kcompile.autograd.backward import gradients
from kcompile.compiler import compile_graph
from kcompile.initializers.windows import window_of
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from tests.parity import fixtures
from tests.parity.block_cases import weights as cases

TEXTS, NUMBERS = fixtures.block_texts("weights"), fixtures.block_arrays("weights")


def numbered(pairs):
    return [pytest.param(k, *pair, id=f"{pair[0]} {k}") for k, pair in enumerate(pairs)]


def check_config(module, made, theirs):
    config = json.loads(json.dumps(module.serialize(made)))
    assert {**config, "config": None} == {**theirs, "config": None}
    nearest = {  # Keras gives some strengths as the nearest float32
        name: pytest.approx(value, rel=1e-7) if name in ("l1", "l2", "factor") else value
        for name, value in theirs["config"].items()
    }
    assert config["config"] == nearest
    again = module.deserialize(config)
    assert type(again) is type(made) and json.loads(json.dumps(module.serialize(again))) == config
    assert type(module.deserialize(theirs)) is type(made)


@pytest.mark.parametrize("k, kind, settings", numbered(cases.INITIALIZERS))
def test_initializers(k, kind, settings):
    made = getattr(initializers, kind)(**settings)
    check_config(initializers, made, TEXTS[f"initializer {k}"])
    for n, shape in enumerate(cases.shapes(kind)):
        theirs, found = NUMBERS[f"initializer {k} {n}"], made(shape)
        assert found.dtype == theirs.dtype and found.shape == theirs.shape
        np.testing.assert_allclose(found, theirs, rtol=1e-5, atol=2e-6)  # Keras rounds angles to float32


def compiled(function, w, target_rank=0):
    leaf = make_parameter("w", TensorType(w.shape, "float32"))
    return compile_graph(trace(function, [leaf])[0])(w)


@pytest.mark.parametrize("k, kind, settings", numbered(cases.REGULARIZERS))
def test_regularizers(k, kind, settings):
    made = getattr(regularizers, kind)(**settings)
    check_config(regularizers, made, TEXTS[f"regularizer {k}"])

    def both(w):
        penalty = made(w)
        if isinstance(penalty, np.ndarray):  # of nothing: no gradient depends on it
            return penalty, w * 0.0
        return penalty, gradients(penalty, [w])[0]

    for n, w in enumerate(cases.weights()):
        theirs = NUMBERS[f"regularizer {k} {n}"]
        np.testing.assert_allclose(made(w), theirs[0], rtol=1e-5, atol=1e-7)
        penalty, slope = compiled(both, w)
        np.testing.assert_allclose(penalty, theirs[0], rtol=1e-5, atol=1e-7)
        somewhere = w != 0  # the slope of |x| at 0 is 1 on JAX, 0 elsewhere
        np.testing.assert_allclose(
            slope[somewhere], theirs[1:].reshape(w.shape)[somewhere], rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize("k, kind, settings", numbered(cases.CONSTRAINTS))
def test_constraints(k, kind, settings):
    made = getattr(constraints, kind)(**settings)
    check_config(constraints, made, TEXTS[f"constraint {k}"])
    for n, w in enumerate(cases.weights()):
        theirs = NUMBERS[f"constraint {k} {n}"]
        np.testing.assert_allclose(made(w), theirs, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(compiled(made, w)[0], theirs, rtol=1e-5, atol=1e-7)


def test_what_a_fourier_kernel_refuses():
    with pytest.raises(ValueError, match="side should be 'real' or 'imag', not left"):
        initializers.STFT("left")
    with pytest.raises(ValueError, match="Scaling is invalid"):
        initializers.STFT(scaling="power")
    with pytest.raises(ValueError, match=r"Unknown window type: 'hannn'.*hann"):
        initializers.STFT(window="hannn")
    with pytest.raises(ValueError, match=r"equal to \[frame_length\]. Received: window shape=\(2,\)"):
        initializers.STFT(window=[1, 2])((3, 1, 2))


def test_windows_of_one_sample():
    assert window_of("hann", 1).tolist() == [1.0] and window_of("taylor", 0).tolist() == []


def test_the_shape_of_a_given_array():
    given = initializers.get(np.ones((2, 3)))
    assert given((2, 3)).dtype == "float32"
    with pytest.raises(ValueError, match=r"Expected `shape` to be \(2, 3\) for direct tensor"):
        given((3,))


def test_old_names():
    for name, kind in {
        "stft": "STFT",
        "STFTInitializer": "STFT",
        "OrthogonalInitializer": "Orthogonal",
    }.items():
        assert type(initializers.get(name)).__name__ == kind
