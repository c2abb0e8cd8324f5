"""Formats of `Model.export` that other libraries write."""

from __future__ import annotations

import pytest

import kcompile as keras


@pytest.mark.parametrize(
    "format, error, text",
    [
        ("tf_saved_model", RuntimeError, "TensorFlow"),
        ("litert", ValueError, "TensorFlow"),
        ("torch", ValueError, "PyTorch"),
        ("openvino", ImportError, "OpenVINO"),
        ("saved", ValueError, "export format: 'saved'"),
    ],
)
def test_other_formats(format, error, text, tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(error, match=text):
        model.export(tmp_path / "model", format=format)
    assert not list(tmp_path.iterdir())


def test_the_archive_says_what_to_use():
    with pytest.raises(RuntimeError, match="format='onnx'"):
        keras.export.ExportArchive()
