"""Bounding boxes: their formats, and how they move with an image.

Boxes are (..., 4) in pixels, or in shares of the image where the format's name begins with "rel_". A
dictionary of boxes has the keys "boxes" and "labels".
"""

from __future__ import annotations

import math
from typing import Any

from kcompile import ops
from kcompile.core.symbolic import Int

FORMATS = (
    "xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw", "rel_xyxy", "rel_yxyx", "rel_xywh",
    "rel_center_xywh",
)  # fmt: skip


def _parts(boxes: Any) -> list[Any]:
    return ops.split(boxes, 4, axis=-1)


def _joined(*parts: Any) -> Any:
    return ops.concatenate(list(parts), axis=-1)


def _corners(form: str, boxes: Any) -> tuple[Any, Any, Any, Any]:
    """x1, y1, x2, y2 of boxes in an absolute format."""
    a, b, c, d = _parts(boxes)
    if form == "yxyx":
        return b, a, d, c
    if form == "xywh":
        return a, b, a + c, b + d
    if form.startswith("center"):
        x, y, w, h = (b, a, d, c) if form == "center_yxhw" else (a, b, c, d)
        return x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0
    return a, b, c, d


def _in_format(form: str, x1: Any, y1: Any, x2: Any, y2: Any) -> Any:
    if form == "yxyx":
        return _joined(y1, x1, y2, x2)
    if form == "xywh":
        return _joined(x1, y1, x2 - x1, y2 - y1)
    if form.startswith("center"):
        w, h = x2 - x1, y2 - y1
        x, y = x1 + w / 2.0, y1 + h / 2.0
        return _joined(y, x, h, w) if form == "center_yxhw" else _joined(x, y, w, h)
    return _joined(x1, y1, x2, y2)


def number(x: Any, dtype: Any) -> Any:
    return ops.cast(x, dtype) if not isinstance(x, Int) else ops.cast(ops.convert_to_tensor(x), dtype)


def convert_format(
    boxes: Any, source: str, target: str, height: Any = None, width: Any = None, dtype: str = "float32"
) -> Any:
    """Boxes (..., 4), or a dictionary that holds them, in another format.

    Args:    source, target: "xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw", or a relative one,
             "rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh". height, width: of the image, which
             only steps between pixels and shares need.
    Raises:  ValueError for another last dimension or format, or an unknown size that is needed.

    >>> import numpy as np
    >>> convert_format(np.array([[10, 20, 30, 60]]), "xyxy", "xywh").tolist()
    [[10.0, 20.0, 20.0, 40.0]]
    """
    if isinstance(boxes, dict):
        boxes["boxes"] = convert_format(boxes["boxes"], source, target, height, width, dtype)
        return boxes
    boxes = ops.convert_to_tensor(boxes)
    if boxes.shape[-1] != 4:
        raise ValueError(
            f"`boxes` must be a tensor with the last dimension of 4. Received: boxes.shape={boxes.shape}"
        )
    source, target = source.lower(), target.lower()
    if source not in FORMATS or target not in FORMATS:
        raise ValueError(
            f"Invalid source or target format. Supported formats: {FORMATS}. "
            f"Received: source={source}, target={target}"
        )
    relative = source.startswith("rel_"), target.startswith("rel_")
    if any(relative) and (width is None or height is None):
        raise ValueError(
            "convert_format() must receive `height` and `width` transforming between relative and absolute "
            f"formats. Received: source={source}, target={target}, height={height}, width={width}."
        )
    boxes = ops.cast(boxes, dtype)
    if source == target:
        return boxes
    x1, y1, x2, y2 = _corners(source.removeprefix("rel_"), boxes)
    if relative[0] != relative[1]:
        w, h = number(width, dtype), number(height, dtype)
        if relative[0]:
            x1, y1, x2, y2 = x1 * w, y1 * h, x2 * w, y2 * h
        else:
            x1, y1, x2, y2 = x1 / w, y1 / h, x2 / w, y2 / h
    return _in_format(target.removeprefix("rel_"), x1, y1, x2, y2)


def clip_to_image_size(
    bounding_boxes: dict[str, Any], height: Any = None, width: Any = None, bounding_box_format: str = "xyxy"
) -> dict[str, Any]:
    """Boxes cut at the borders of the image; those of which nothing is left get the label -1.

    Args:    bounding_box_format: "xyxy", which needs height and width, or "rel_xyxy".

    >>> import numpy as np
    >>> boxes = {"boxes": np.array([[-5.0, 2, 4, 40]]), "labels": np.array([3])}
    >>> clip_to_image_size(boxes, height=10, width=10)["boxes"].tolist()
    [[0.0, 2.0, 4.0, 10.0]]
    """
    if bounding_box_format not in ("xyxy", "rel_xyxy"):
        raise NotImplementedError(f"clip_to_image_size: format {bounding_box_format!r}")
    if bounding_box_format == "xyxy" and (height is None or width is None):
        raise ValueError("`height` and `width` must be set if `format='xyxy'`.")
    boxes, labels = ops.convert_to_tensor(bounding_boxes["boxes"]), bounding_boxes.get("labels")
    absolute = bounding_box_format == "xyxy"
    right, bottom = (number(d, boxes.dtype) if absolute else 1.0 for d in (width, height))
    x1, y1, x2, y2 = (
        ops.minimum(ops.maximum(p, 0.0), limit)
        for p, limit in zip(_parts(boxes), (right, bottom, right, bottom), strict=True)
    )
    result = {**bounding_boxes, "boxes": _joined(x1, y1, x2, y2)}
    if labels is not None:
        area = ops.squeeze((x2 - x1) * (y2 - y1), axis=-1)
        result["labels"] = ops.where(area > 0, labels, -1)
    return result


def _inverse_matrix(
    center: tuple[Any, Any], angle: Any, move: tuple[Any, Any], scale: Any, shear: tuple[Any, Any], size: Any
) -> list[Any]:
    """a0, a1, a2, b0, b1, b2 of the map of points that undoes rotation, shear, scale and translation."""
    height, width = size
    cx, cy = center[0] * (width - 1), center[1] * (height - 1)
    rotation, sx, sy = (x * (-math.pi / 180.0) for x in (angle, *shear))
    from_x, from_y = cx - move[0] * (width - 1), cy - move[1] * (height - 1)
    turned = rotation - sy
    a = ops.cos(turned) / ops.cos(sy)
    b = a * ops.tan(sx) + ops.sin(rotation)
    c = -ops.sin(turned) / ops.cos(sy)
    d = ops.cos(rotation) - c * ops.tan(sx)
    a0, a1, b0, b1 = d * scale, -b * scale, -c * scale, a * scale
    return [a0, a1, cx - a0 * from_x - a1 * from_y, b0, b1, cy - b0 * from_x - b1 * from_y]


def affine_transform(
    boxes: Any,
    angle: Any,
    translate_x: Any,
    translate_y: Any,
    scale: Any,
    shear_x: Any,
    shear_y: Any,
    height: Any,
    width: Any,
    center_x: Any = None,
    center_y: Any = None,
    bounding_box_format: str = "xyxy",
) -> Any:
    """The boxes around the corners of boxes (n, k, 4) that were turned, sheared, scaled and moved.

    Args:    angle, shear_x, shear_y: degrees, (n,). translate_x, translate_y: shares of the image, (n,).
             center_x, center_y: the fixed point as shares, 0.5 by default.

    >>> import numpy as np
    >>> turn, zero, one = np.array([90.0]), np.zeros(1), np.ones(1)
    >>> box = np.array([[[0.0, 0.0, 2.0, 4.0]]])
    >>> affine_transform(box, turn, zero, zero, one, zero, zero, 9, 9).round().astype(int).tolist()
    [[[0, 6, 4, 8]]]
    """
    if bounding_box_format != "xyxy":
        raise NotImplementedError(f"affine_transform: format {bounding_box_format!r}")
    height, width = (ops.convert_to_tensor(d) if isinstance(d, Int) else d for d in (height, width))
    center = (0.5 if center_x is None else center_x, 0.5 if center_y is None else center_y)
    maps = _inverse_matrix(
        center, angle, (translate_x, translate_y), scale, (shear_x, shear_y), (height, width)
    )
    a0, a1, a2, b0, b1, b2 = (m[:, None, None] for m in maps)
    x1, y1, x2, y2 = _parts(ops.cast(boxes, maps[0].dtype))
    corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
    xs = _joined(*(a0 * x + a1 * y + a2 for x, y in corners))
    ys = _joined(*(b0 * x + b1 * y + b2 for x, y in corners))
    sides = (ops.min(xs, axis=-1), ops.min(ys, axis=-1), ops.max(xs, axis=-1), ops.max(ys, axis=-1))
    return ops.stack(list(sides), axis=-1)


def crop(boxes: Any, top: Any, left: Any, height: Any, width: Any, bounding_box_format: str = "xyxy") -> Any:
    """Boxes in the coordinates of a part of the image that begins at (top, left), cut at its borders.

    >>> import numpy as np
    >>> crop(np.array([[2.0, 3.0, 9.0, 9.0]]), top=1, left=2, height=4, width=4).tolist()
    [[0.0, 2.0, 4.0, 4.0]]
    """
    if bounding_box_format != "xyxy":
        raise NotImplementedError(f"crop: format {bounding_box_format!r}")
    limits = (left, width), (top, height)
    parts = zip(_parts(ops.convert_to_tensor(boxes)), (*limits, *limits), strict=True)
    return _joined(*(ops.clip(p - start, 0, size) for p, (start, size) in parts))


def pad(
    boxes: Any, top: Any, left: Any, height: Any = None, width: Any = None, bounding_box_format: str = "xyxy"
) -> Any:
    """Boxes in the coordinates of an image with `top` rows and `left` columns before it.

    >>> import numpy as np
    >>> pad(np.array([[2.0, 3.0, 9.0, 9.0]]), top=1, left=2).tolist()
    [[4.0, 4.0, 11.0, 10.0]]
    """
    if bounding_box_format != "xyxy":
        raise NotImplementedError(f"pad: format {bounding_box_format!r}")
    x1, y1, x2, y2 = _parts(ops.convert_to_tensor(boxes))
    return _joined(x1 + left, y1 + top, x2 + left, y2 + top)


# --- what users pass ----------------------------------------------------------------------------------------


def validate(bounding_boxes: Any) -> None:
    """Is it a dictionary of boxes whose ranks belong together?"""
    if not isinstance(bounding_boxes, dict) or not {"boxes", "labels"} <= bounding_boxes.keys():
        raise ValueError(
            "Expected `bounding_boxes` to be a dict with keys 'boxes' and 'labels'. "
            f"Received: bounding_boxes={bounding_boxes}"
        )
    boxes, labels = bounding_boxes["boxes"], bounding_boxes["labels"]
    if isinstance(boxes, list):
        if not isinstance(labels, list):
            raise ValueError(
                "If `bounding_boxes['boxes']` is a list, then `bounding_boxes['labels']` must also be a "
                f"list. Received: bounding_boxes['labels']={labels}"
            )
        if len(boxes) != len(labels):
            raise ValueError(
                "If `bounding_boxes['boxes']` and `bounding_boxes['labels']` are both lists, they must have "
                f"the same length. Received: {len(boxes)} boxes and {len(labels)} labels"
            )
        return
    rank, label_rank = len(boxes.shape), len(labels.shape)
    if rank not in (2, 3):
        raise ValueError(
            "Expected `bounding_boxes['boxes']` to have rank 2 or 3, with shape (num_boxes, 4) or "
            f"(batch_size, num_boxes, 4). Received: bounding_boxes['boxes'].shape={boxes.shape}"
        )
    if label_rank not in (rank - 1, rank):
        raise ValueError(
            f"Found bounding_boxes['boxes'].shape={boxes.shape} and expected bounding_boxes['labels'] to "
            f"have rank {rank - 1} or {rank}. Received: bounding_boxes['labels'].shape={labels.shape}"
        )


def densified(bounding_boxes: Any) -> dict[str, Any]:
    """The dictionary with tensors: lists of different lengths are filled with boxes of 0, labels of -1."""
    validate(bounding_boxes)
    boxes, labels = bounding_boxes["boxes"], bounding_boxes["labels"]
    if isinstance(boxes, list) and boxes and isinstance(boxes[0], list) and boxes[0] and (
        isinstance(boxes[0][0], list)
    ):  # fmt: skip
        most = max(len(b) for b in boxes)
        boxes = [[*b, *[[0.0] * 4] * (most - len(b))] for b in boxes]
        labels = [[*x, *[-1] * (most - len(x))] for x in labels]
    elif isinstance(boxes, list) and boxes and not isinstance(boxes[0], (list, tuple)):
        raise ValueError(f"A box has four numbers. Received: bounding_boxes['boxes']={boxes}")
    return {
        **bounding_boxes,
        "boxes": ops.convert_to_tensor(boxes, dtype="float32"),
        "labels": ops.convert_to_tensor(labels),
    }
