"""Logistic function. float32: at most 2.5 ULP."""

from __future__ import annotations

from llvmlite import ir

from kcompile.kernels.math.exp import LEAST, exp_of
from kcompile.kernels.math.number import DOUBLE, Number, call_intrinsic


def sigmoid(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """1 / (1 + exp(-x)), without overflow: exp(-|x|) / (1 + exp(-|x|)) for x below zero."""
    y = Number(b, x)
    e = _exp_of_negative_magnitude(y)
    one = y.new(y.of(1.0))
    return (one.where(y.below(0.0), e) / (e + 1.0)).value


def _exp_of_negative_magnitude(x: Number) -> Number:
    if x.kind == DOUBLE:
        return x.new(call_intrinsic(x.b, "exp", (-x.magnitude()).value))
    return exp_of((-x.magnitude()).at_least(LEAST))
