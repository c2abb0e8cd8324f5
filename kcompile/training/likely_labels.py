"""Labels that fit a model whose own nobody gave, to trace or measure a training step with."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import dtypes, tree


def structure_of(model: Any, name: str) -> Any:
    """How the inputs or outputs of a functional model are nested; None of other models."""
    return getattr(getattr(model, "_functional", None) or model, name, None)


def labels_for(model: Any, outputs: list[np.ndarray]) -> Any:
    """Zeros as labels: class numbers where the loss wants them, else in the outputs' shapes.

    Floats have the default dtype, as a loss computes, whatever the dtype of the last layer.
    """
    structure = structure_of(model, "_outputs_struct")
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


def _of(output: np.ndarray) -> np.dtype:
    """What labels of this output are stored in."""
    is_float = dtypes.is_float(dtypes.standardize(output.dtype))
    return dtypes.numpy_dtype(dtypes.standardize(None)) if is_float else output.dtype


def _name(loss: Any) -> str:
    return (
        loss if isinstance(loss, str) else str(getattr(loss, "name", None) or getattr(loss, "__name__", ""))
    )
