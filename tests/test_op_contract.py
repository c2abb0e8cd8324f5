"""What every op promises: its rules exist and agree with its NumPy reference, on every sample."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kcompile.autograd.check import gradient_error
from kcompile.ir.types import TensorType
from tests.expr_eval import elements, scalar_rule
from tests.helpers import all_ops, assert_close, parametrize_samples, samples_of

# (op, rule) -> why it is missing.
ALLOWED_GAPS: dict[tuple[str, str], str] = {
    ("batched", "onnx"): "made by passes from loops, after export",
    ("batched", "vjp"): "made by passes, after gradients",
    ("loop", "scalar"): "a kernel of its own: the plan of its body, repeated",
    ("random_bits", "onnx"): "inference graphs draw nothing; ONNX has other generators",
    ("random_uniform", "onnx"): "inference graphs draw nothing; ONNX has other generators",
}

POSITIONS = 60  # elements of a large output that the slow interpreter computes
TERMS = 64  # at most so many products are summed in a sample


def results(op, sample) -> tuple[np.ndarray, ...]:
    found = op.evaluate(sample.arrays, sample.attrs)
    return found if op.outputs != 1 else (found,)


def types(op, sample) -> tuple[TensorType, ...]:
    return op.infer_types(tuple(TensorType(a.shape, a.dtype.name) for a in sample.arrays), sample.attrs)


def missing_rules(op) -> list[str]:
    needed = [rule for rule in ("infer", "reference", "samples") if not op.has(rule)]
    if not op.has("decompose"):
        needed += [rule for rule in ("scalar", "onnx") if not op.has(rule)]
        needed += ["vjp"] * (not op.has("vjp") and bool(samples_of(op)[0].arrays))
    return needed


def test_every_op_has_every_rule():
    gaps = {(op.name, rule) for op in all_ops() for rule in missing_rules(op)}
    assert gaps == ALLOWED_GAPS.keys()


@pytest.mark.parametrize("op", all_ops(), ids=lambda op: op.name)
def test_samples_have_names_of_their_own(op):
    assert len(samples_of(op)) > 0


@parametrize_samples()
def test_infer_agrees_with_the_reference(op, sample):
    with np.errstate(all="ignore"):
        found = op.rules["reference"](*sample.arrays, **sample.attrs)
    found = found if isinstance(found, tuple) else (found,)
    for array, type_ in zip(found, types(op, sample), strict=True):
        assert np.shape(array) == type_.shape
        kind = np.asarray(array).dtype.kind
        assert kind == np.dtype(type_.dtype).kind or (kind, np.dtype(type_.dtype).kind) in (
            ("i", "u"),
            ("u", "i"),
        )


@parametrize_samples("decompose")
def test_decomposition_agrees_with_the_reference(op, sample):
    found = op.rules["decompose"](*sample.arrays, **sample.attrs)
    for got, expected in zip(found if op.outputs != 1 else (found,), results(op, sample), strict=True):
        assert_close(got, expected, TERMS)


@parametrize_samples("scalar")
def test_scalar_rule_agrees_with_the_reference(op, sample):
    (expected,), (out,) = results(op, sample), types(op, sample)
    axes, expr = scalar_rule(op, sample, out)
    assert expr.dtype == out.dtype
    positions = list(itertools.product(*map(range, out.shape)))
    if len(positions) > POSITIONS:
        chosen = np.random.default_rng(0).choice(len(positions), POSITIONS, replace=False)
        positions = [positions[k] for k in chosen]
    got = elements(axes, expr, sample.arrays, out, positions)
    assert_close(got, np.array([expected[at] for at in positions], expected.dtype), TERMS)


@parametrize_samples(differentiable=True)
def test_gradient_agrees_with_finite_differences(op, sample):
    if not any(a.dtype.kind == "f" for a in sample.arrays):
        pytest.skip("no float input")
    if not any(t.dtype.startswith("float") for t in types(op, sample)):
        pytest.skip("no float output")
    if (op.name, "vjp") in ALLOWED_GAPS:
        pytest.skip(ALLOWED_GAPS[op.name, "vjp"])
    assert gradient_error(lambda *xs: op(*xs, **sample.attrs), *sample.arrays) < 1e-6
