"""Every op, on each of its samples, computes the same in onnxruntime as its NumPy reference."""

from __future__ import annotations

import pytest

from tests.export.onnx_tools import graph_of, model_of, run
from tests.helpers import assert_close, parametrize_samples
from tests.test_op_contract import TERMS, results


@parametrize_samples()
def test_onnx_runs_the_same_in_onnxruntime(op, sample):
    graph = graph_of(lambda *xs: op(*xs, **sample.attrs), sample.arrays)
    found = run(model_of(graph), sample.arrays)
    for got, expected in zip(found, results(op, sample), strict=True):
        assert_close(got, expected, TERMS)
