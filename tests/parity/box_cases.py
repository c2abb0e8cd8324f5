"""Applications of `keras.utils.bounding_boxes`, run by Keras (make_image_fixtures.py) and here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Case = Callable[[Any], Any]

FORMATS = (
    "xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw", "rel_xyxy", "rel_yxyx", "rel_xywh",
    "rel_center_xywh",
)  # fmt: skip


def box_cases() -> dict[str, Case]:
    """Every case by its name, which begins with the function's."""
    rng = np.random.default_rng(404)
    start = rng.uniform(0, 5, (2, 3, 2))
    boxes = np.concatenate([start, start + rng.uniform(0.5, 6, (2, 3, 2))], axis=-1).astype("float32")
    others = (boxes + rng.normal(0, 0.8, boxes.shape)).astype("float32")
    anchors = others[0, :, [0, 1, 2, 3]].T.copy()
    labels = np.array([[1, 2, 0], [3, 1, 1]], "int32")
    size = {"height": 9, "width": 8}
    shape = (9, 8, 3)
    angle, share = np.array([30.0, -75.0], "float32"), np.array([0.1, -0.2], "float32")
    found: dict[str, Case] = {}
    for source in FORMATS:
        for target in FORMATS:
            found[f"convert_format-{source}-{target}"] = lambda box, a=source, b=target: box.convert_format(
                boxes / 10 if a.startswith("rel") else boxes, a, b, **size
            )
    found["clip-xyxy"] = lambda box: box.clip_to_image_size(
        {"boxes": boxes * 2 - 4, "labels": labels}, **size
    )
    found["clip-rel"] = lambda box: box.clip_to_image_size(
        {"boxes": boxes / 4 - 0.5, "labels": labels}, bounding_box_format="rel_xyxy"
    )
    found["affine"] = lambda box: box.affine_transform(
        boxes, angle, share, -share, share + 1, share * 50, -share * 20, 9, 8
    )
    found["affine-center"] = lambda box: box.affine_transform(
        boxes, angle, share, share, share + 1, share * 50, share * 20, 9, 8, center_x=0.2, center_y=0.9
    )
    found["crop"] = lambda box: box.crop(boxes, 1, 2, 4, 5)
    found["pad"] = lambda box: box.pad(boxes, 1, 2, 4, 5)
    for code in ("center_xywh", "center_yxhw"):
        for variance in (None, [0.1, 0.1, 0.2, 0.2]):
            how = {"variance": variance, "image_shape": shape}
            found[f"encode-{code}-{variance}"] = lambda box, c=code, how=how: box.encode_box_to_deltas(
                anchors, boxes, "xyxy", "xyxy", encoding_format=c, **how
            )
            found[f"decode-{code}-{variance}"] = lambda box, c=code, how=how: box.decode_deltas_to_boxes(
                anchors, others / 5, "xyxy", "rel_xywh", encoded_format=c, **how
            )
    found["iou"] = lambda box: box.compute_iou(boxes, others, "xyxy")
    found["iou-one"] = lambda box: box.compute_iou(boxes[0], others[1], "yxyx")
    found["iou-rel"] = lambda box: box.compute_iou(boxes / 10, others / 10, "rel_xywh", image_shape=shape)
    found["iou-mixed"] = lambda box: box.compute_iou(boxes, anchors, "xyxy")
    found["iou-masked"] = lambda box: box.compute_iou(
        np.concatenate([boxes, -boxes - 1], axis=1), others, "xyxy", use_masking=True, mask_val=-7
    )
    found["ciou"] = lambda box: box.compute_ciou(boxes, others, "xyxy")
    found["ciou-center"] = lambda box: box.compute_ciou(boxes[0], others[0], "center_xywh")
    return found
