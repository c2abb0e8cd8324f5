"""The exporters: what each needs, and how it writes a file."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.contenders import OURS, Contender


def _row(name: str, imports: str, requires: tuple[str, ...], **environment: str) -> Contender:
    return Contender(name, "", imports, requires, environment)


EXPORTERS = {
    one.name: one
    for one in (
        _row(OURS, "kcompile", ("numba", "llvmlite", "onnx")),
        _row("keras-tensorflow", "keras", ("keras", "tensorflow", "tf2onnx"), KERAS_BACKEND="tensorflow"),
        _row("tf2onnx", "keras", ("keras", "tensorflow", "tf2onnx"), KERAS_BACKEND="tensorflow"),
        _row("keras-torch", "keras", ("keras", "torch", "onnxscript"), KERAS_BACKEND="torch"),
    )
}
OPSET = 18  # for tf2onnx called by itself; the others choose theirs


def library(exporter: str) -> Any:
    """Keras or kcompile, imported."""
    return importlib.import_module(EXPORTERS[exporter].imports)


def writer(exporter: str) -> Callable[[Any, Path], None]:
    """What writes a model to a file."""
    # TensorFlow's exporters fold batch normalizations into weights and cannot be told not to.
    more = {"fold_batch_norm": True} if exporter == OURS else {}
    if exporter == "tf2onnx":
        return _by_tf2onnx
    return lambda model, path: model.export(str(path), format="onnx", verbose=False, **more)


def _by_tf2onnx(model: Any, path: Path) -> None:
    import tensorflow
    import tf2onnx

    specs = [tensorflow.TensorSpec(x.shape, x.dtype, name=f"x{k}") for k, x in enumerate(model.inputs)]
    function = tensorflow.function(lambda *xs: model(list(xs), training=False))
    tf2onnx.convert.from_function(function, specs, opset=OPSET, output_path=str(path))
