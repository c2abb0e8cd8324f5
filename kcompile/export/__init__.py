"""Export of models to other runtimes, as in `keras.export`."""

from kcompile.core import public_names
from kcompile.export.archive import ExportArchive as ExportArchive
from kcompile.export.export import EXPORT_FORMATS as EXPORT_FORMATS
from kcompile.export.export import export_model as export_model
from kcompile.export.onnx import export_onnx as export_onnx

__all__ = public_names.of(__name__)
