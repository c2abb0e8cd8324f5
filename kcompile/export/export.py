"""`Model.export`: picks the exporter for a format."""

from __future__ import annotations

import os
from typing import Any

from kcompile.core.errors import unknown_name
from kcompile.export.onnx import export_onnx

EXPORT_FORMATS = ("onnx",)


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
    Raises:  ValueError for another format.
    """
    if format not in EXPORT_FORMATS:
        raise unknown_name("export format", format, list(EXPORT_FORMATS))
    export_onnx(model, filepath, verbose=verbose, input_signature=input_signature, **kwargs)
