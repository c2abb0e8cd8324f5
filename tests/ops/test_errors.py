"""Mistakes are met at the call, with the op's name and the shapes or dtypes."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.core.errors import DTypeError, ShapeError

F = np.zeros((2, 3), "float32")
N = np.zeros((2, 3), "int32")

CASES = {
    "matmul": (lambda: ops.matmul(F, F), ShapeError, r"matmul.*\n.*float32\[2,3\]"),
    "einsum": (lambda: ops.einsum("ij,jk->ik", F, F), ShapeError, "einsum 'ij,jk->ik': dimension j"),
    "reshape": (lambda: ops.reshape(F, (4, 2)), ShapeError, "reshape: the number of elements"),
    "reshape_rest": (lambda: ops.reshape(F, (-1, 4)), ShapeError, "-1 cannot be resolved"),
    "concatenate": (lambda: ops.concatenate([F, F[:, :2]]), ShapeError, "concatenate: shapes must match"),
    "axis": (lambda: ops.sum(F, axis=2), ShapeError, r"sum: axis must lie in \[-2, 2\)"),
    "ldexp": (lambda: ops.ldexp(F, F), DTypeError, "ldexp: the exponent must be integer"),
    "axis_twice": (lambda: ops.mean(F, axis=(0, -2)), ShapeError, "mean: duplicate value in `axis`"),
    "diff_order": (lambda: ops.diff(F, n=-1), ValueError, "diff: the order `n`"),
    "expand_dims": (lambda: ops.expand_dims(F, (0, 0)), ShapeError, "an axis is given twice"),
    "concatenate_nothing": (lambda: ops.concatenate([]), ValueError, "at least one tensor"),
    "array_split": (lambda: ops.array_split(F, [1, 2], axis=1), TypeError, "must be of type `int`"),
    "searchsorted": (lambda: ops.searchsorted(F, 1.0), ShapeError, "the sequence must be 1-D"),
    "linspace": (lambda: ops.linspace(0, 1, -1), ValueError, "`num` must not be negative"),
    "pad_width": (lambda: ops.pad(F, -1), ValueError, "`pad_width` must not be negative"),
    "tril": (lambda: ops.tril(F[0]), ShapeError, "at least 2 dimensions"),
    "bitwise_not": (lambda: ops.bitwise_not(F), DTypeError, "bitwise_not: the operand"),
    "einsum_output": (lambda: ops.einsum("ij,kj->iz", F, F), ValueError, r"no operand has: \['z'\]"),
    "inner": (lambda: ops.inner(F, F[:, :1]), ShapeError, r"must be equal.*\n.*\(2, 3\) and \(2, 1\)"),
    "tensordot": (lambda: ops.tensordot(F, F[0, 0], axes=1), ShapeError, "axes 1 are not of both"),
    "softmax_axis": (lambda: ops.softmax(F, axis=-3), ShapeError, "softmax: axis"),
    "transpose": (lambda: ops.transpose(F, (0, 0)), ShapeError, "transpose: axes must be a permutation"),
    "squeeze": (lambda: ops.squeeze(F, 0), ShapeError, "squeeze: only dimensions of size 1"),
    "split": (lambda: ops.split(F, 2, axis=1), ShapeError, "split: axis 1 cannot be divided into 2"),
    "take_float": (lambda: ops.take(F, F), DTypeError, "take: indices must be integers"),
    "take_empty": (lambda: ops.take(F[:0], [0], axis=0), ShapeError, "empty axis"),
    "take_along": (lambda: ops.take_along_axis(F, N[0], axis=0), ShapeError, "the same rank"),
    "slice": (lambda: ops.slice(F, (0, 0), (3, 1)), ShapeError, "slice: the block is larger"),
    "slice_update": (lambda: ops.slice_update(F, (0,), F), ShapeError, "one start and one extent"),
    "conv": (
        lambda: ops.conv(np.zeros((1, 5, 5, 3)), np.zeros((3, 3, 2, 4))),
        ShapeError,
        "conv: the kernel's depth",
    ),
    "conv_small": (
        lambda: ops.conv(np.zeros((1, 2, 2, 1)), np.zeros((3, 3, 1, 1))),
        ShapeError,
        "larger than the padded",
    ),
    "data_format": (
        lambda: ops.conv(np.zeros((1, 5, 5, 1)), np.zeros((3, 3, 1, 1)), data_format="NCHW"),
        ValueError,
        "`data_format` argument must be one of",
    ),
    "conv_padding": (
        lambda: ops.conv(np.zeros((1, 5, 5, 1)), np.zeros((3, 3, 1, 1)), padding="full"),
        ValueError,
        "padding",
    ),
    "conv_transpose": (
        lambda: ops.conv_transpose(np.zeros((1, 2, 2, 1)), np.zeros((3, 3, 1, 2))),
        ShapeError,
        "conv_transpose: the last axes",
    ),
    "max_pool": (
        lambda: ops.max_pool(np.zeros((1, 2, 2, 1)), 3),
        ShapeError,
        "max_pool: the window is larger",
    ),
    "max_pool_rank": (
        lambda: ops.max_pool(np.zeros((1, 4, 4, 1)), (2,)),
        (ShapeError, ValueError),
        "pool|zip",
    ),
    "batch_normalization": (
        lambda: ops.batch_normalization(F, F[0, :2], F[0, :2], -1),
        ShapeError,
        r"batch_normalization.*\n.*\(3,\)",
    ),
    "layer_normalization": (
        lambda: ops.layer_normalization(F, F[0, :2]),
        ShapeError,
        "reshape|layer_normalization",
    ),
    "categorical": (
        lambda: ops.categorical_crossentropy(F, F[:1]),
        ShapeError,
        "categorical_crossentropy: .*same shape",
    ),
    "sparse": (
        lambda: ops.sparse_categorical_crossentropy(N, F),
        ShapeError,
        "sparse_categorical_crossentropy",
    ),
    "binary": (lambda: ops.binary_crossentropy(F, F[:1]), ShapeError, "binary_crossentropy"),
    "normalize": (lambda: ops.normalize(F, order=0), ValueError, "order"),
    "glu": (lambda: ops.glu(F), ShapeError, "glu: the axis must have an even size"),
    "scatter": (lambda: ops.scatter(F, F, (2,)), TypeError, "scatter: indices must be integers"),
    "segment": (lambda: ops.segment_sum(F, np.zeros(3, "int32")), ShapeError, "segment_sum: one id per row"),
    "attention": (lambda: ops.dot_product_attention(F, F, F), ShapeError, "only supports 4D inputs"),
    "bitwise": (lambda: ops.bitwise_and(F, N), DTypeError, "bitwise_and: operands must be integers"),
    "sparse_tensor": (lambda: ops.one_hot(N, 3, sparse=True), ValueError, "tensors are dense"),
    "quantile": (lambda: ops.quantile(F, 0.5, method="best"), ValueError, "Invalid method"),
    "top_k": (lambda: ops.top_k(F, 4), ShapeError, "4 of 3 elements"),
    "multi_hot": (lambda: ops.multi_hot(N), ValueError, "num_classes"),
    "meshgrid": (lambda: ops.meshgrid(F, F, indexing="yx"), ValueError, "indexing"),
    "cholesky": (lambda: ops.cholesky(-np.eye(2)), ValueError, "not positive definite"),
    "stack": (lambda: ops.stack([F, F[:1]]), ShapeError, "concatenate: shapes must match"),
    "unknown_dtype": (lambda: ops.cast(F, "float33"), ValueError, "Invalid dtype"),
}


@pytest.mark.parametrize("name", CASES)
def test_mistakes_are_named(name):
    mistake, error, text = CASES[name]
    with pytest.raises(error, match=text):
        mistake()
