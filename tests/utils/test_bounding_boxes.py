"""`keras.utils.bounding_boxes` against numbers of real Keras (tests/parity/make_image_fixtures.py boxes)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kcompile.utils import bounding_boxes
from tests.layers.check import traced
from tests.parity import packed
from tests.parity.box_cases import box_cases

CASES = box_cases()
EXPECTED = packed.load(Path(__file__).resolve().parents[1] / "parity" / "image_boxes.npz")
BOX = np.array([[1.0, 2.0, 3.0, 5.0]], "float32")


def test_every_case_is_compared():
    assert EXPECTED.keys() == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_as_keras(name):
    found = CASES[name](bounding_boxes)
    leaves = [v for _, v in sorted(found.items())] if isinstance(found, dict) else [found]
    for actual, wanted in zip(map(np.asarray, leaves), EXPECTED[name], strict=True):
        assert (actual.shape, actual.dtype) == (wanted.shape, wanted.dtype)
        np.testing.assert_allclose(actual, wanted, rtol=2e-5, atol=2e-5)


def test_traced_as_eager():
    boxes = np.concatenate([BOX, BOX + 1])
    [found] = traced(lambda x: bounding_boxes.compute_iou(x, boxes, "xywh"), [boxes])
    np.testing.assert_allclose(found, bounding_boxes.compute_iou(boxes, boxes, "xywh"), rtol=1e-6)


BAD = {
    "last": (lambda: bounding_boxes.convert_format(BOX[:, :3], "xyxy", "xywh"), ValueError, "dimension of 4"),
    "format": (lambda: bounding_boxes.convert_format(BOX, "xyxy", "corners"), ValueError, "target=corners"),
    "size": (lambda: bounding_boxes.convert_format(BOX, "rel_xyxy", "xyxy"), ValueError, "height=None"),
    "clip": (lambda: bounding_boxes.clip_to_image_size({"boxes": BOX}), ValueError, "must be set"),
    "clip_format": (
        lambda: bounding_boxes.clip_to_image_size({"boxes": BOX}, 3, 3, "xywh"), NotImplementedError, "xywh",
    ),
    "iou_rank": (lambda: bounding_boxes.compute_iou(BOX[0], BOX, "xyxy"), ValueError, "boxes1"),
    "iou_rel": (lambda: bounding_boxes.compute_iou(BOX, BOX, "rel_xyxy"), ValueError, "image_shape"),
    "ciou_rel": (lambda: bounding_boxes.compute_ciou(BOX, BOX, "rel_xyxy"), ValueError, "rel_xyxy"),
    "code": (
        lambda: bounding_boxes.encode_box_to_deltas(BOX, BOX, "xyxy", "xyxy", "xywh"), ValueError, "got xywh",
    ),
    "variance": (
        lambda: bounding_boxes.decode_deltas_to_boxes(BOX, BOX, "xyxy", "xyxy", variance=[1.0, 2.0]),
        ValueError,
        "length 4",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments(name):
    call, error, match = BAD[name]
    with pytest.raises(error, match=match):
        call()
