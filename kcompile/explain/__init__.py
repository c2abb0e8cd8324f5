"""What the compiler made of a model: the graph before and after the passes, and every kernel with its
measured speed, as text or as a page for a browser.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.explain.program import Measured, measure
from kcompile.runtime.profile import KernelProfile

OPEN_EXTENT = 32  # taken for dimensions that the model leaves open


def explain(
    model: Any,
    x: Any = None,
    y: Any = None,
    batch_size: int = 32,
    file: Any = None,
    html: str | os.PathLike[str] | None = None,
) -> dict[str, list[KernelProfile]]:
    """Tell what became of a model: its inference program, and its training step if it is compiled.

    Args:    x: arrays to run on; default zeros of the model's input shapes with `batch_size` samples (32 for
             open dimensions). y: labels for the training step; default zeros that fit the loss. file: where
             to print, standard output by default. html: write a page of this name instead: graphs, roofline,
             memory plan and kernels in one file that loads nothing. Weights are as before afterwards.
    Returns: the kernels of each program, "predict" and, of a compiled model, "train".
    Raises:  ValueError for a model whose input shapes are not known, or that runs eagerly.
    """
    shown = measured_programs(model, x, y, batch_size)
    if html is not None:
        from kcompile.explain.page import write_page

        write_page(html, model.name, shown)
    else:
        from kcompile.explain.table import print_programs

        print_programs(shown, file)
    return {name: one.kernels for name, one in shown.items()}


def measured_programs(model: Any, x: Any, y: Any, batch_size: int) -> dict[str, Measured]:
    """The programs by name: "predict" and, of a compiled model, "train"."""
    if model.compiled and model._training.run_eagerly:
        raise ValueError("explain: a model with run_eagerly=True runs op by op; it has no kernels to show.")
    x = _zeros_for(model, batch_size) if x is None else x
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


def _zeros_for(model: Any, batch_size: int) -> Any:
    """Zeros in the form of the model's inputs."""

    def zeros(tensor: Any) -> np.ndarray:
        shape = (batch_size, *(OPEN_EXTENT if d is None else d for d in tensor.shape[1:]))
        return np.zeros(shape, dtypes.numpy_dtype(tensor.dtype))

    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise ValueError("explain: the model has no known inputs yet; call it on data first, or pass x=.")
    structure = _structure(model, "_inputs_struct")
    if structure is not None:
        return tree.map_structure(zeros, structure)
    arrays = [zeros(t) for t in inputs]
    return arrays[0] if len(arrays) == 1 else arrays


def _structure(model: Any, name: str) -> Any:
    """How the inputs or outputs of a functional model are nested; None of other models."""
    return getattr(getattr(model, "_functional", None) or model, name, None)


def _of(output: np.ndarray) -> np.dtype:
    """What labels of this output are stored in."""
    is_float = dtypes.is_float(dtypes.standardize(output.dtype))
    return dtypes.numpy_dtype(dtypes.standardize(None)) if is_float else output.dtype


def labels_for(model: Any, outputs: list[np.ndarray]) -> Any:
    """Zeros as labels: class numbers where the loss wants them, else in the outputs' shapes.

    Floats have the default dtype, as a loss computes, whatever the dtype of the last layer.
    """
    structure = _structure(model, "_outputs_struct")
    in_dict = isinstance(structure, dict) and len(tree.flatten(structure)) == len(outputs)
    given = model._training.compile_loss  # None where only a step of the model's own has a loss
    of = tree.pack_as(structure, outputs) if in_dict else outputs
    losses = [None] * len(outputs) if given is None else given.of_each(of)
    sparse = ["sparse" in _name(loss) for loss in losses]
    labels = [
        np.zeros(o.shape[:-1], "int32") if classes else np.zeros(o.shape, _of(o))
        for o, classes in zip(outputs, sparse, strict=True)
    ]
    if in_dict:
        return tree.pack_as(structure, labels)
    return labels[0] if len(labels) == 1 else labels


def _name(loss: Any) -> str:
    return (
        loss if isinstance(loss, str) else str(getattr(loss, "name", None) or getattr(loss, "__name__", ""))
    )
