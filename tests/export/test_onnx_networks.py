"""Whole networks in ONNX: every opset somewhere, batches of 1, 3 and 17, two extents where one is open.

`python docs/make_onnx_networks.py` does the same to large ones.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from kcompile.export.onnx.compare import difference
from tests.export.networks import NETWORKS, one_by_one
from tests.export.onnx_tools import inferred, opsets_for

BATCHES = (1, 3, 17)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: n.name)
def test_a_network(network, tmp_path):
    model, path = network.model(), tmp_path / "m.onnx"
    for opset in opsets_for(network.name):
        model.export(path, format="onnx", opset_version=opset, verbose=False)
        inferred(path)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_inputs()]
        for rows in BATCHES:
            for extent in network.extents:
                arrays = network.arrays(rows, extent)
                found = session.run(None, dict(zip(names, arrays, strict=True)))
                expected = one_by_one(model, arrays)
                assert max(map(difference, found, expected)) < 1e-5, (opset, rows, extent)
        assert any(np.ptp(x.astype("float64")) for x in expected), "the results tell nothing"
