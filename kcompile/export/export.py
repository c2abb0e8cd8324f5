"""`Model.export`: picks the exporter for a format."""

from __future__ import annotations

import os
from typing import Any

from kcompile.core.errors import message, unknown_name
from kcompile.export.onnx import export_onnx

EXPORT_FORMATS = ("onnx",)
# Keras's other formats -> the library whose own file they are.
FOREIGN = {"tf_saved_model": "TensorFlow", "litert": "TensorFlow", "torch": "PyTorch", "openvino": "OpenVINO"}


def export_model(
    model: Any,
    filepath: str | os.PathLike[str],
    format: str = "onnx",
    verbose: bool | None = None,
    input_signature: Any = None,
    **kwargs: Any,
) -> None:
    """Write a model's inference call for another runtime; `Model.export` calls this.

    Args:    format: "onnx". kwargs: as `export_onnx` takes them, such as opset_version.
    Raises:  ValueError for another format; RuntimeError or ImportError where Keras raises them for formats
             that other libraries write.
    """
    if format in FOREIGN:
        raise _foreign(format)
    if format not in EXPORT_FORMATS:
        raise unknown_name("export format", format, list(EXPORT_FORMATS))
    export_onnx(model, filepath, verbose=verbose, input_signature=input_signature, **kwargs)


def _foreign(format: str) -> Exception:
    """The error that Keras raises for a format where its library is not the backend, or is missing."""
    library = FOREIGN[format]
    kinds: dict[str, type[Exception]] = {"tf_saved_model": RuntimeError, "openvino": ImportError}
    return kinds.get(format, ValueError)(
        message(
            f"format='{format}' is written by {library}, which kcompile does not use.",
            hint=f"format='onnx' writes a file that {library} and many other runtimes can import",
        )
    )
