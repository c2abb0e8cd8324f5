"""Contractions of every form are written with the operator that fits, and compute the same."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.ops.contract import contract_op
from tests.export.onnx_tools import graph_of, model_of, ops_of, run
from tests.helpers import assert_close

# name -> shapes of x and w, attributes (shape, over, x_map, w_map), the operator that must do the work.
FORMS = {
    "product": ((4, 5), (5, 3), ((4, 3), (5,), (((1, 0),), ((1, 2),)), (((1, 2),), ((1, 1),))), "MatMul"),
    "product, both turned": (
        (5, 4), (3, 5), ((4, 3), (5,), (((1, 2),), ((1, 0),)), (((1, 1),), ((1, 2),))), "Gemm",
    ),
    "product by batches, columns first": (
        (2, 4, 5), (2, 3, 5),
        ((3, 2, 4), (5,), (((1, 1),), ((1, 2),), ((1, 3),)), (((1, 1),), ((1, 0),), ((1, 3),))), "MatMul",
    ),
    "two sums": (
        (2, 4, 5), (4, 3, 5),
        ((2, 3), (4, 5), (((1, 0),), ((1, 2),), ((1, 3),)), (((1, 2),), ((1, 1),), ((1, 3),))), "Einsum",
    ),
    "a sum over one operand": (
        (4, 6), (5,), ((4, 5), (6,), (((1, 0),), ((1, 2),)), (((1, 1),),)), "Einsum",
    ),
    "an output axis that nothing has": (
        (4,), (4,), ((3, 4, 2), (), (((1, 1),),), (((1, 1),),)), "Expand",
    ),
    "convolution": (
        (2, 7, 6, 3), (3, 2, 3, 4),
        ((2, 5, 5, 4), (3, 2, 3), (((1, 0),), ((1, 1), (1, 4)), ((1, 2), (1, 5)), ((1, 6),)),
         (((1, 4),), ((1, 5),), ((1, 6),), ((1, 3),))), "Conv",
    ),
    "convolution, operands exchanged": (
        (3, 2, 3, 4), (2, 7, 6, 3),
        ((2, 5, 5, 4), (3, 2, 3), (((1, 4),), ((1, 5),), ((1, 6),), ((1, 3),)),
         (((1, 0),), ((1, 1), (1, 4)), ((1, 2), (1, 5)), ((1, 6),))), "Conv",
    ),
    "stride with a rest, dilated": (
        (2, 12, 3), (3, 3, 4),
        ((2, 3, 4), (3, 3), (((1, 0),), ((3, 1), (2, 3)), ((1, 4),)), (((1, 3),), ((1, 4),), ((1, 2),))),
        "Conv",
    ),
    "gradient of a strided kernel": (  # sum over images and places; a stride becomes a dilation
        (2, 3, 4), (2, 8, 5),
        ((3, 5, 4), (2, 3), (((1, 3),), ((1, 4),), ((1, 2),)), (((1, 3),), ((2, 4), (1, 0)), ((1, 1),))),
        "Conv",
    ),
    "no channels, no images": (
        (9,), (3,), ((7,), (3,), (((1, 0), (1, 1)),), (((1, 1),),)), "Conv",
    ),
    "by groups": (  # a window, and an axis that both operands keep
        (2, 7, 3), (3, 3),
        ((2, 5, 3), (3,), (((1, 0),), ((1, 1), (1, 3)), ((1, 2),)), (((1, 3),), ((1, 2),))),
        "Einsum",
    ),
    "a part of a dimension": (
        (6, 5), (5, 3), ((4, 3), (5,), (((1, 0),), ((1, 2),)), (((1, 2),), ((1, 1),))), "MatMul",
    ),
    "every second place": (
        (7, 5), (5, 3), ((4, 3), (5,), (((2, 0),), ((1, 2),)), (((1, 2),), ((1, 1),))), "MatMul",
    ),
    "the first place": ((4, 5), (3, 2), ((3, 4), (), (((1, 1),), ()), (((1, 0),), ())), "Einsum"),
}  # fmt: skip


# Forms whose operands share the first dimension, which may then be open.
OPEN = ("product by batches, columns first", "gradient of a strided kernel")
CASES = [*((name, False) for name in FORMS), *((name, True) for name in OPEN)]


@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize(("name", "open_first"), CASES)
def test_forms(name, open_first, opset):
    x_shape, w_shape, (shape, over, x_map, w_map), operator = FORMS[name]
    rng = np.random.default_rng(0)
    x, w = (rng.normal(size=s).astype("float32") for s in (x_shape, w_shape))
    attrs = {"shape": shape, "over": over, "x_map": x_map, "w_map": w_map}

    def function(a, b):
        extents = [*shape, *over]
        if open_first:
            extents[x_map[0][0][1]] = a.shape[0]
        changed = {"shape": tuple(extents[: len(shape)]), "over": tuple(extents[len(shape) :])}
        return contract_op(a, b, **attrs | changed)

    graph = graph_of(function, [x, w], batch=open_first)
    model = model_of(graph, opset)
    assert operator in ops_of(model)
    assert_close(run(model, [x, w])[0], contract_op.evaluate((x, w), attrs), terms=64, scale=8.0)


def test_a_diagonal_is_refused():
    x = np.ones((3, 3), "float32")
    attrs = {"shape": (3,), "over": (), "x_map": (((1, 0),), ((1, 0),)), "w_map": (((1, 0),), ((1, 0),))}
    with pytest.raises(NotImplementedError, match="diagonal"):
        model_of(graph_of(lambda a, b: contract_op(a, b, **attrs), [x, x]))
