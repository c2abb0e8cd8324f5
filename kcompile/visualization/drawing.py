"""Boxes and masks drawn into images."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import config, dtypes
from kcompile.utils.bounding_boxes import convert_format
from kcompile.utils.images import pillow

LETTER = 22  # pixels of text of scale 1


def draw_bounding_boxes(
    images: Any,
    bounding_boxes: dict[str, Any],
    bounding_box_format: str,
    class_mapping: dict[int, str] | None = None,
    color: Any = (128, 128, 128),
    line_thickness: int = 2,
    text_thickness: int | None = 1,
    font_scale: float = 1.0,
    data_format: str | None = None,
) -> np.ndarray:
    """Images with rectangles, and names of classes beside them.

    Shapes:  images (n, h, w, 3) -> uint8 of the same shape. Floats up to 1 are stretched to 255.
    Args:    bounding_boxes: {"boxes": (n, boxes, 4), "labels": (n, boxes)}, with "confidences" if there are
             any; boxes of label -1 are left out. bounding_box_format: as `utils.bounding_boxes` has them.
             class_mapping: names by label; others get no text. color: red, green, blue.
    Raises:  ValueError for other shapes, and without boxes or labels; TypeError for boxes in no dict;
             ImportError without pillow. Keras draws with OpenCV, whose letters and line ends look different.
    """
    _check_images(images)
    if not isinstance(bounding_boxes, dict):
        raise TypeError(
            f"`bounding_boxes` should be a dict. Received: bounding_boxes={bounding_boxes} of type "
            f"{type(bounding_boxes)}"
        )
    if "boxes" not in bounding_boxes or "labels" not in bounding_boxes:
        raise ValueError(
            "`bounding_boxes` should be a dict containing 'boxes' and 'labels' keys. Received: "
            f"bounding_boxes={bounding_boxes}"
        )
    first = (data_format or config.image_data_format()) == "channels_first"
    images = _as_bytes(np.asarray(images))
    height, width = images.shape[2:] if first else images.shape[1:3]
    pixels = np.moveaxis(images, 1, -1) if first else images
    boxes = convert_format(bounding_boxes.copy(), bounding_box_format, "xyxy", height, width)
    confidences = boxes.get("confidences")
    drawn = np.stack(
        [
            _with_boxes(
                image, np.asarray(boxes["boxes"])[k].astype(int), np.asarray(boxes["labels"])[k].astype(int),
                None if confidences is None else np.asarray(confidences)[k], class_mapping or {},
                tuple(int(c) for c in color), line_thickness, text_thickness or line_thickness, font_scale,
            )
            for k, image in enumerate(pixels)
        ]
    )  # fmt: skip
    return np.moveaxis(drawn, -1, 1) if first else drawn


def _with_boxes(
    image: np.ndarray, boxes: Any, labels: Any, confidences: Any, names: dict[int, str], color: Any,
    line: int, stroke: int, scale: float,
) -> np.ndarray:  # fmt: skip
    library = pillow("draw_bounding_boxes")
    from PIL import ImageDraw, ImageFont

    picture = library.fromarray(np.ascontiguousarray(image))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(LETTER * scale)
    for k, ((x1, y1, x2, y2), label) in enumerate(zip(boxes.tolist(), labels.tolist(), strict=True)):
        if label == -1:
            continue
        out, inside = line // 2, (line - 1) // 2
        x1, x2, y1, y2 = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
        for d in range(-inside, out + 1):  # one pixel wide each, the wanted one in the middle
            if x1 - d <= x2 + d and y1 - d <= y2 + d:
                draw.rectangle((x1 - d, y1 - d, x2 + d, y2 + d), outline=color)
        if label in names:
            text = str(names[label])
            if confidences is not None:
                text += f" | {confidences[k]:.2f}"
            above = y1 - 8 - 24 * int(scale) > 0
            at = (x1, y1 - 8) if above else (x1 + 3, y1 + int(24 * scale) + stroke + 3)
            draw.text(at, text, fill=color, font=font, anchor="ls", stroke_width=(stroke - 1) // 2)
    return np.asarray(picture)


def draw_segmentation_masks(
    images: Any,
    segmentation_masks: Any,
    num_classes: int | None = None,
    color_mapping: dict[int, Any] | None = None,
    alpha: float = 0.8,
    blend: bool = True,
    ignore_index: int = -1,
    data_format: str | None = None,
) -> np.ndarray:
    """Images with the pixels of each class in its color.

    Shapes:  images (n, h, w, 3), masks of ints (n, h, w, 1) -> uint8 images, float32 ones with blend=False.
    Args:    num_classes: classes from this number on are not drawn; by default the largest number in the
             masks. color_mapping: colors by class, from 0 on. alpha: how much of the color is seen.
             ignore_index: a class whose pixels stay as they are.
    Raises:  ValueError for other shapes of images, TypeError for masks that are no ints.

    >>> images, masks = np.zeros((1, 1, 2, 3)), np.array([[[[0], [1]]]])
    >>> draw_segmentation_masks(images, masks, 2, {0: (0, 0, 0), 1: (100, 0, 10)}, alpha=0.5).tolist()
    [[[[0, 0, 0], [50, 0, 5]]]]
    """
    _check_images(images)
    pixels, masks = np.asarray(images), np.asarray(segmentation_masks)
    if (data_format or config.image_data_format()) == "channels_first":
        pixels, masks = np.moveaxis(pixels, 1, -1), np.moveaxis(masks, 1, -1)
    if not dtypes.is_int(dtypes.standardize(masks.dtype)):
        raise TypeError(
            f"`segmentation_masks` must be in integer dtype. Received: segmentation_masks.dtype={masks.dtype}"
        )
    masks = np.squeeze(masks, -1)
    count = int(masks.max()) if num_classes is None else num_classes
    colors = [color_mapping[k] if color_mapping is not None else _color(k) for k in range(count)]
    pixels = pixels.astype("float32")
    drawn = pixels.copy()
    for k, color in enumerate(colors):
        drawn[masks == k] = np.asarray(color, "float32")
    if not blend:
        return drawn
    mixed = pixels * np.float32(1 - alpha) + drawn * np.float32(alpha)
    return np.where((masks != ignore_index)[..., None], mixed, pixels).astype("uint8")


def _color(index: int) -> list[int]:
    """Far apart for neighbouring classes; class 0 is black."""
    return [index * c % 255 for c in (2**25 - 1, 2**15 - 1, 2**21 - 1)]


def _check_images(images: Any) -> None:
    if len(np.shape(images)) != 4:
        raise ValueError(f"`images` must be batched 4D tensor. Received: images.shape={np.shape(images)}")


def _as_bytes(images: np.ndarray) -> np.ndarray:
    if images.dtype.kind == "f" and images.size:
        images = np.clip(images, 0, 1) * 255 if images.max() <= 1.0 else np.clip(images, 0, 255)
    return images.astype("uint8")
