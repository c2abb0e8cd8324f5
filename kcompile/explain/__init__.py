"""What the compiler made of a model: the graph before and after the passes, and every kernel with its
measured speed, as text or as a page for a browser.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.explain.program import Measured, measure
from kcompile.export.onnx.signature import trace_inference
from kcompile.export.onnx.sizes import LIKELY, NOTHING, is_open, sizes_asked
from kcompile.runtime.profile import KernelProfile
from kcompile.training.likely_labels import labels_for, structure_of


def explain(
    model: Any,
    x: Any = None,
    y: Any = None,
    batch_size: int = 32,
    file: Any = None,
    html: str | os.PathLike[str] | None = None,
    open_size: int | None = None,
) -> dict[str, list[KernelProfile]]:
    """Tell what became of a model: its inference program, and its training step if it is compiled.

    Args:    x: arrays to run on; default zeros of the model's input shapes with `batch_size` samples, and
             `open_size` for open dimensions, by default 32 or another size that the model takes. y: labels
             for the training step; default zeros that fit the loss. file: where to print, standard output by
             default. html: write a page of this name instead: graphs, roofline, memory plan and kernels in
             one file that loads nothing. Weights are as before afterwards.
    Returns: the kernels of each program, "predict" and, of a compiled model, "train".
    Raises:  ValueError for a model whose input shapes are not known, or that runs eagerly.
    """
    shown = measured_programs(model, x, y, batch_size, open_size)
    if html is not None:
        from kcompile.explain.page import write_page

        write_page(html, model.name, shown)
    else:
        from kcompile.explain.table import print_programs

        print_programs(shown, file)
    return {name: one.kernels for name, one in shown.items()}


def measured_programs(
    model: Any, x: Any, y: Any, batch_size: int, open_size: int | None = None
) -> dict[str, Measured]:
    """The programs by name: "predict" and, of a compiled model, "train"."""
    if model.compiled and model._training.run_eagerly:
        raise ValueError("explain: a model with run_eagerly=True runs op by op; it has no kernels to show.")
    if x is None:
        x, _ = zeros_for(model, batch_size, () if open_size is None else (open_size,))
    programs = model._training.programs
    predict = programs.predict(x)
    shown = {"predict": measure(predict.traced.graph, programs_leaves(x))}
    if model.compiled:
        y = labels_for(model, predict.run(*programs_leaves(x))) if y is None else y
        step = programs.batch("train", (x, y, None))
        shown["train"] = measure(step.traced.graph, programs_leaves([x, y]))
    return shown


def programs_leaves(structure: Any) -> list[np.ndarray]:
    """The arrays of a nested structure in the order of a program's inputs."""
    return [leaf for leaf in tree.flatten(structure) if leaf is not None]


def zeros_for(
    model: Any, batch_size: int, each: Sequence[int] = (), named: Mapping[str, int] = NOTHING
) -> tuple[Any, int | None]:
    """Zeros in the form of the model's inputs, and the size of their dimensions that are open and have none
    by name: that which is given for each of them, or else one that the model takes.
    """
    structure = structure_of(model, "_inputs_struct")
    inputs = tree.flatten(structure) if structure is not None else getattr(model, "inputs", None)
    if not inputs:
        raise ValueError("explain: the model has no known inputs yet; call it on data first, or pass x=.")
    shapes, extent = [tuple(tensor.shape) for tensor in inputs], None
    if each or named or any(None in shape[1:] for shape in shapes):
        traced, (found, _) = sizes_asked(model, trace_inference(model), batch_size, each, named, LIKELY)
        shapes, extent = (
            [spec.shape for spec in tree.flatten(traced.specs)],
            found if is_open(traced) else None,
        )

    def zeros(tensor: Any, shape: Sequence[Any]) -> np.ndarray:
        known = (d if isinstance(d, int) else extent or 0 for d in shape[1:])
        return np.zeros((batch_size, *known), dtypes.numpy_dtype(tensor.dtype))

    arrays = list(map(zeros, inputs, shapes))
    if structure is not None:
        return tree.pack_as(structure, arrays), extent
    return arrays[0] if len(arrays) == 1 else arrays, extent
