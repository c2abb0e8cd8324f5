"""Losses of sequences whose labels have no places in time."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.losses.loss import LossFunctionWrapper, tensor


def ctc(y_true: Any, y_pred: Any) -> Any:
    """-log of the probability of the labels, by sample: (n,).

    Shapes:  y_true class numbers (n, labels), filled up with 0, the blank; y_pred logits (n, steps, classes).
    Raises:  ValueError for other ranks.
    """
    y_true, y_pred = tensor(y_true), tensor(y_pred)
    if len(y_true.shape) != 2:
        raise ValueError(
            "Targets `y_true` are expected to be a tensor of shape `(batch_size, max_length)` in integer "
            f"format. Received: y_true.shape={tuple(y_true.shape)}"
        )
    if len(y_pred.shape) != 3:
        raise ValueError(
            "Logits `y_pred` are expected to be a tensor of shape `(batch_size, max_length, num_classes)`. "
            f"Received: y_pred.shape={tuple(y_pred.shape)}"
        )
    steps = ops.broadcast_to(tensor(y_pred.shape[1], "int32"), (y_pred.shape[0],))
    labels = ops.sum(ops.cast(ops.not_equal(y_true, 0), "int32"), axis=-1)
    return ops.ctc_loss(y_true, y_pred, labels, steps, mask_index=0)


class CTC(LossFunctionWrapper):
    """Connectionist temporal classification (Graves et al. 2006): labels without their places in time."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "ctc", dtype: Any = None):
        super().__init__(ctc, reduction, name, dtype)
