"""Lines for readers of a file: about the model, its inputs and its outputs."""

from __future__ import annotations

import kcompile
from kcompile.export.onnx.graph import OnnxGraph
from kcompile.export.onnx.symbols import readable
from kcompile.ir.types import TensorType


def annotate(graph: OnnxGraph, name: str, what: str = "Inference call") -> None:
    """Fill `graph.notes`; the line about the model is under the empty name."""
    lines = {"": f"{what} of model {name!r}, written by kcompile {kcompile.__version__}."}
    for kind, types in (("Input", graph.inputs), ("Output", graph.outputs)):
        for tensor, type_ in types.items():
            lines[tensor] = f"{kind} of model {name!r}: {_described(type_)}."
    graph.notes = lines | graph.notes


def _described(type_: TensorType) -> str:
    """dtype and shape in words: "float32 (batch, 28, 28, 1)".

    >>> _described(TensorType((2, 3), "float32"))
    'float32 (2, 3)'
    """
    return f"{type_.dtype} ({', '.join(map(readable, type_.shape))}{',' * (len(type_.shape) == 1)})"
