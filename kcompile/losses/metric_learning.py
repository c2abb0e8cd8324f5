"""Losses of embeddings: distances between samples, by whether their labels agree."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core.symbolic import product
from kcompile.losses.loss import LossFunctionWrapper, tensor
from kcompile.trace.masks import set_mask


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Any:
    """softplus(log sum of positive pairs + log sum of negative pairs), by sample: (n,).

    Shapes:  y_true class numbers (n,) or (n, 1), y_pred embeddings of length 1 (n, d).
    Args:    ref_labels, ref_embeddings: what samples are compared with, the batch itself unless given.
             remove_diagonal: a sample is no pair with itself. gamma: scale. margin: how far positive pairs
             may be apart, and negative ones must be.
    Source:  Sun et al. 2020. Samples whose loss is 0 are masked: a mean leaves them out.
    """
    y_true, y_pred = tensor(y_true, "int32"), tensor(y_pred)
    others = y_pred if ref_embeddings is None else tensor(ref_embeddings)
    labels = y_true if ref_labels is None else tensor(ref_labels, "int32")
    positive, negative = _pairs(y_true, labels, remove_diagonal)
    distances = ops.maximum(1.0 - ops.matmul(y_pred, ops.transpose(others)), 0.0)
    pulled = -gamma * (margin + distances) * (margin - distances)
    pushed = gamma * ops.maximum(1.0 + margin - distances, 0.0) * (1.0 - margin - distances)
    sums = [
        ops.logsumexp(ops.where(mask, terms, -float("inf")), axis=1)
        for mask, terms in ((positive, pulled), (negative, pushed))
    ]
    values = ops.softplus(sums[0] + sums[1])
    return set_mask(values, ops.greater(values, 0))


def _pairs(labels: Any, others: Any, remove_diagonal: bool) -> tuple[Any, Any]:
    """Masks (n, m) of pairs with equal labels and with different ones."""
    rows = ops.reshape(labels, (product(labels.shape), 1))
    columns = ops.reshape(others, (1, product(others.shape)))
    positive = ops.equal(rows, columns)
    negative = ops.logical_not(positive)
    if remove_diagonal:
        places = ops.arange(rows.shape[0]), ops.arange(columns.shape[1])
        itself = ops.equal(ops.expand_dims(places[0], 1), ops.expand_dims(places[1], 0))
        positive = ops.logical_and(positive, ops.logical_not(itself))
    return positive, negative


class Circle(LossFunctionWrapper):
    """Circle loss of embeddings of length 1 and class numbers, within the batch."""

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str = "circle",
        dtype: Any = None,
    ):
        settings = {"gamma": gamma, "margin": margin, "remove_diagonal": remove_diagonal}
        super().__init__(circle, reduction, name, dtype, **settings)
