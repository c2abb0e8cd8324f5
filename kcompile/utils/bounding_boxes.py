"""Bounding boxes, as in `keras.utils.bounding_boxes`: formats, movements, deltas to anchors, overlaps."""

from __future__ import annotations

import math
from typing import Any

from kcompile import ops
from kcompile.core import config, public_names
from kcompile.layers.preprocessing.image.boxes import affine_transform as affine_transform
from kcompile.layers.preprocessing.image.boxes import clip_to_image_size as clip_to_image_size
from kcompile.layers.preprocessing.image.boxes import convert_format as convert_format
from kcompile.layers.preprocessing.image.boxes import crop as crop
from kcompile.layers.preprocessing.image.boxes import pad as pad

CODES = ("center_xywh", "center_yxhw")


def _size(image_shape: Any) -> tuple[Any, Any]:
    return (None, None) if image_shape is None else (image_shape[0], image_shape[1])


def _variance(variance: Any) -> Any:
    if variance is None:
        return 1.0
    variance = ops.convert_to_tensor(variance, "float32")
    if variance.shape[-1] != 4:
        raise ValueError(f"`variance` must be length 4, got {variance}")
    return variance


def _check_code(name: str, value: str) -> None:
    if value not in CODES:
        raise ValueError(f"`{name}` should be one of 'center_xywh' or 'center_yxhw', got {value}")


def encode_box_to_deltas(
    anchors: Any,
    boxes: Any,
    anchor_format: str,
    box_format: str,
    encoding_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Any = None,
) -> Any:
    """What a detector learns: how boxes (..., k, 4) differ from anchors (k, 4), in shares of the anchors.

    Args:    encoding_format: "center_xywh" or "center_yxhw". variance: four numbers that the results are
             divided by. image_shape: (height, width, channels), for relative formats.
    Source:  Girshick et al., "Rich feature hierarchies" (2014), appendix C.
    """
    _check_code("encoding_format", encoding_format)
    height, width = _size(image_shape)
    anchors = convert_format(anchors, anchor_format, encoding_format, height, width)
    boxes = convert_format(boxes, box_format, encoding_format, height, width)
    anchor_size = ops.maximum(anchors[..., 2:], config.epsilon())
    box_size = ops.maximum(boxes[..., 2:], config.epsilon())
    moved = (boxes[..., :2] - anchors[..., :2]) / anchor_size
    return ops.concatenate([moved, ops.log(box_size / anchor_size)], axis=-1) / _variance(variance)


def decode_deltas_to_boxes(
    anchors: Any,
    boxes_delta: Any,
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Any = None,
) -> Any:
    """The boxes that `encode_box_to_deltas` was given; for dictionaries of levels, a dictionary."""
    _check_code("encoded_format", encoded_format)
    height, width = _size(image_shape)
    if isinstance(anchors, dict) and isinstance(boxes_delta, dict):
        how = (anchor_format, box_format, encoded_format, variance, image_shape)
        return {k: decode_deltas_to_boxes(a, boxes_delta[k], *how) for k, a in anchors.items()}
    anchors = convert_format(anchors, anchor_format, encoded_format, height, width)
    delta = ops.convert_to_tensor(boxes_delta) * _variance(variance)
    size = anchors[..., 2:]
    boxes = ops.concatenate(
        [delta[..., :2] * size + anchors[..., :2], ops.exp(delta[..., 2:]) * size], axis=-1
    )
    return convert_format(boxes, encoded_format, box_format, height, width)


def _overlap(first: Any, second: Any) -> Any:
    """The common area of boxes that broadcast, as x1, y1, x2, y2 in the last axis."""
    width = ops.minimum(first[..., 2], second[..., 2]) - ops.maximum(first[..., 0], second[..., 0])
    height = ops.minimum(first[..., 3], second[..., 3]) - ops.maximum(first[..., 1], second[..., 1])
    return ops.maximum(width, 0.0) * ops.maximum(height, 0.0)


def _area(boxes: Any) -> Any:
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def compute_iou(
    boxes1: Any,
    boxes2: Any,
    bounding_box_format: str,
    use_masking: bool = False,
    mask_val: float = -1,
    image_shape: Any = None,
) -> Any:
    """The intersection over the union of every box of the first with every one of the second.

    Shapes:  (n, 4) and (m, 4) -> (n, m); (b, n, 4) and (b, m, 4), or one of them without b -> (b, n, m).
    Args:    use_masking: mask_val for boxes whose numbers are all below 0. image_shape: (height, width,
             channels), for relative formats.

    >>> import numpy as np
    >>> box = np.array([[0.0, 0.0, 2.0, 2.0]])
    >>> round(compute_iou(box, box + 1, "xyxy").item(), 4)
    0.1429
    """
    ranks = [len(ops.shape(b)) for b in (boxes1, boxes2)]
    for name, rank in zip(("boxes1", "boxes2"), ranks, strict=True):
        if rank not in (2, 3):
            raise ValueError(
                f"compute_iou() expects {name} to have rank 2 or 3. Received len({name}.shape)={rank}."
            )
    if "rel" in bounding_box_format and image_shape is None:
        raise ValueError(
            "When using relative bounding box formats (e.g. `rel_yxyx`) the `image_shape` argument must be "
            f"provided. Received: image_shape={image_shape}"
        )
    height, width = _size(image_shape)
    first, second = (convert_format(b, bounding_box_format, "xyxy", height, width) for b in (boxes1, boxes2))
    first, second = ops.expand_dims(first, -2), ops.expand_dims(second, -3)
    common = _overlap(first, second)
    result = common / (_area(first) + _area(second) - common + config.epsilon())
    if not use_masking:
        return result
    absent = ops.logical_or(ops.max(first, axis=-1) < 0.0, ops.max(second, axis=-1) < 0.0)
    return ops.where(absent, ops.cast(mask_val, result.dtype), result)


def compute_ciou(boxes1: Any, boxes2: Any, bounding_box_format: str, image_shape: Any = None) -> Any:
    """The complete intersection over union of boxes in pairs: less for distance and another shape.

    Shapes:  two of (..., 4) -> (...).
    Source:  Zheng et al., "Distance-IoU Loss" (2020).
    """
    if "rel" in bounding_box_format:
        raise ValueError(
            "compute_ciou() takes absolute bounding box formats. Received: "
            f"bounding_box_format={bounding_box_format}"
        )
    height, width = _size(image_shape)
    a, b = (convert_format(x, bounding_box_format, "xyxy", height, width) for x in (boxes1, boxes2))
    tiny = config.epsilon()
    (w1, h1), (w2, h2) = ((x[..., 2] - x[..., 0], x[..., 3] - x[..., 1] + tiny) for x in (a, b))
    common = _overlap(a, b)
    iou = common / (w1 * h1 + w2 * h2 - common + 2 * tiny)
    across, down = (
        ops.maximum(a[..., k + 2], b[..., k + 2]) - ops.minimum(a[..., k], b[..., k]) for k in (0, 1)
    )
    diagonal = ops.square(across) + ops.square(down) + tiny
    centers = [(a[..., k] + a[..., k + 2]) / 2 - (b[..., k] + b[..., k + 2]) / 2 for k in (0, 1)]
    distance = ops.square(centers[0]) + ops.square(centers[1])
    shape = (4 / math.pi**2) * ops.square(ops.arctan(w2 / h2) - ops.arctan(w1 / h1))
    weight = shape / (shape - iou + (1 + tiny))
    return iou - (distance / diagonal + shape * weight)


__all__ = public_names.of(__name__)
