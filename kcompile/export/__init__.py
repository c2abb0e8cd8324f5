"""Export of models to other runtimes, as in `keras.export`."""

from kcompile.export.archive import ExportArchive as ExportArchive
from kcompile.export.export import EXPORT_FORMATS as EXPORT_FORMATS
from kcompile.export.export import export_model as export_model
from kcompile.export.onnx import export_onnx as export_onnx
