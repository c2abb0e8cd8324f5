"""Cross-entropies per sample, of probabilities or of logits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import config, dtypes
from kcompile.core.errors import ShapeError, message
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType, broadcast_shapes
from kcompile.ops import elementwise as ew
from kcompile.ops import index as indexing
from kcompile.ops import movement, reduce, soft_maximum
from kcompile.ops.composite import floating

sigmoid_cross_entropy_op = Op("sigmoid_cross_entropy")


@sigmoid_cross_entropy_op.infer
def _infer(target: TensorType, logits: TensorType) -> TensorType:
    return TensorType(broadcast_shapes(target.shape, logits.shape, op="sigmoid_cross_entropy"), logits.dtype)


@sigmoid_cross_entropy_op.reference
def _reference(target: np.ndarray, logits: np.ndarray) -> np.ndarray:
    certain = np.maximum(logits, 0) * (1 - target) + np.maximum(-logits, 0) * target
    return certain + np.log1p(np.exp(-np.abs(logits)))


@sigmoid_cross_entropy_op.vjp
def _vjp(dy: Any, y: Any, target: Any, logits: Any) -> tuple[Any, Any]:
    d_logits = ew.multiply(dy, ew.subtract(ew.sigmoid(logits), target))
    return ew.negative(ew.multiply(dy, logits)), d_logits


@sigmoid_cross_entropy_op.decompose
def _decompose(target: Any, logits: Any) -> Any:
    # max(x, 0) - x t, without the difference of infinities: 0 for sure predictions that are right.
    wrong = ew.multiply(ew.relu(logits), ew.subtract(1.0, target))
    missed = ew.multiply(ew.relu(ew.negative(logits)), target)
    tail = ew.log1p(ew.exp(ew.negative(ew.absolute(logits))))
    return ew.add(ew.add(wrong, missed), tail)


@sigmoid_cross_entropy_op.samples
def _samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape in ((3, 5), (), (0, 2)):
        yield Sample(
            (rng.random(shape).astype("float32"), ew.sample_array(rng, shape, (-4, 4))), {}, str(shape)
        )
    hard = np.array([[0, 1, 0, 1]], "float32"), np.array([[100, 100, -100, -100]], "float32")
    yield Sample(hard, {}, "sure", differentiable=False)


def _same_shape(op: str, target: Any, output: Any) -> None:
    if tuple(target.shape) != tuple(output.shape):
        raise ShapeError(
            message(
                f"{op}: `target` and `output` must have the same shape.",
                received=f"target.shape={tuple(target.shape)}, output.shape={tuple(output.shape)}",
            )
        )


def _pair(target: Any, output: Any) -> tuple[Any, Any]:
    output = floating(output)
    return ew.as_tensor(target, dtypes.standardize(output.dtype)), output


def _log_of_probabilities(output: Any, axis: int) -> Any:
    """log of the probabilities scaled to sum 1 and kept epsilon away from 0 and 1, as Keras does."""
    scaled = ew.true_divide(output, reduce.sum(output, axis=axis, keepdims=True))
    return ew.log(_inside(scaled))


def _inside(p: Any) -> Any:
    return ew.minimum(ew.maximum(p, config.epsilon()), 1.0 - config.epsilon())


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """-t log(p) - (1 - t) log(1 - p) for each element.

    Args:    target, output: of one shape. output: probabilities, kept epsilon away from 0 and 1, or logits.

    >>> binary_crossentropy(np.array([1.0, 0.0]), np.array([0.5, 0.5])).round(4).tolist()
    [0.6931, 0.6931]
    """
    target, output = _pair(target, output)
    _same_shape("binary_crossentropy", target, output)
    if from_logits:
        return sigmoid_cross_entropy_op(target, output)
    p = _inside(output)
    hit = ew.multiply(target, ew.log(p))
    return ew.negative(ew.add(hit, ew.multiply(ew.subtract(1.0, target), ew.log(ew.subtract(1.0, p)))))


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """-sum(t log(p)) over the classes on `axis`.

    Args:    target: one-hot rows or probabilities, of the shape of output.
             output: probabilities (scaled to sum 1 and kept epsilon away from 0 and 1), or logits.

    >>> categorical_crossentropy(np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]])).round(4).tolist()
    [0.6931]
    """
    target, output = _pair(target, output)
    _same_shape("categorical_crossentropy", target, output)
    if len(output.shape) < 1:
        raise ShapeError(
            message("categorical_crossentropy: at least rank 1 is needed.", received="0-d tensors")
        )
    axis = movement.check_axis("categorical_crossentropy", axis, len(output.shape))
    log_p = soft_maximum.log_softmax(output, axis) if from_logits else _log_of_probabilities(output, axis)
    return ew.negative(reduce.sum(ew.multiply(target, log_p), axis=axis))


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """-log(p) of the class that `target` names.

    Shapes:  target (a...) or (a..., 1), output (a..., classes) -> (a...).
    Args:    target: class numbers; a number outside [0, classes) costs nothing, as in Keras on JAX.
             output: probabilities (scaled to sum 1 and kept epsilon away from 0 and 1), or logits.

    >>> sparse_categorical_crossentropy(np.array([1]), np.array([[0.5, 0.5]])).round(4).tolist()
    [0.6931]
    """
    target, output = ew.as_tensor(target, "int32"), floating(output)
    rank = len(output.shape)
    if rank < 1:
        raise ShapeError(
            message("sparse_categorical_crossentropy: `output` must be at least rank 1.", received="rank 0")
        )
    if len(target.shape) == rank and target.shape[-1] == 1:
        target = movement.squeeze(target, -1)
    if tuple(target.shape) != tuple(output.shape[:-1]):
        raise ShapeError(
            message(
                "sparse_categorical_crossentropy: `target` must have the shape of `output` less an axis.",
                received=f"target.shape={tuple(target.shape)}, output.shape={tuple(output.shape)}",
            )
        )
    axis = movement.check_axis("sparse_categorical_crossentropy", axis, rank)
    log_p = soft_maximum.log_softmax(output, axis) if from_logits else _log_of_probabilities(output, axis)
    known = ew.logical_and(
        ew.greater_equal(target, 0), ew.less(target, ew.as_tensor(output.shape[axis], "int32"))
    )
    at = movement.expand_dims(ew.where(known, target, 0), axis)
    picked = movement.squeeze(indexing.take_along_axis(log_p, at, axis=axis), axis)
    return ew.where(known, ew.negative(picked), 0)
