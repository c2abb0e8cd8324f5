"""Parts of images: CenterCrop and RandomCrop."""

from __future__ import annotations

import random as python_random
from typing import Any

from kcompile import ops
from kcompile.core.open_extents import are_of_placeholders
from kcompile.core.symbolic import Int
from kcompile.layers.preprocessing.image.base import BaseImagePreprocessingLayer
from kcompile.layers.preprocessing.image.boxes import clip_to_image_size, convert_format
from kcompile.ops.image.middle import middle_op, middle_part
from kcompile.trace import present_extents


class Crop(BaseImagePreprocessingLayer):
    """Base: images of the size (height, width)."""

    height: int
    width: int

    def _cut(self, images: Any, top: Any, left: Any, height: Any, width: Any) -> Any:
        """Rows and columns from (top, left) on, as many of them as there are."""
        at: list[Any] = [slice(None)] * len(images.shape)
        at[self.height_axis] = slice(top, top + height)
        at[self.width_axis] = slice(left, left + width)
        return images[tuple(at)]

    def _resized(self, images: Any) -> Any:
        y = ops.image.resize(images, (self.height, self.width), data_format=self.data_format)
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = list(input_shape)
        if isinstance(shape[0], (list, tuple)) or len(shape) not in (3, 4):
            raise ValueError(
                "`input_shape` must be a non-nested tuple or list of rank-1 with size 3 (unbatched) or 4 "
                f"(batched). Received: input_shape={input_shape}"
            )
        shape[self.height_axis], shape[self.width_axis] = self.height, self.width
        return tuple(shape)


class CenterCrop(Crop):
    """The middle of images; where an image is too small, its largest middle part in the new size.

    Shapes:  (h, w, c) or (n, h, w, c) -> (..., height, width, c).

    >>> import numpy as np
    >>> CenterCrop(1, 2)(np.arange(4.0).reshape(1, 4, 1)).ravel().tolist()
    [1.0, 2.0]
    """

    _SETTINGS = ("height", "width")
    _USE_BASE_FACTOR = False

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)
        self.height, self.width = height, width

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        return {"input_shape": self._drawn_for(data)[0]}

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        images = ops.cast(images, self.compute_dtype)
        height, width = images.shape[self.height_axis], images.shape[self.width_axis]
        down, across = height - self.height, width - self.width
        is_open = isinstance(height, Int) or isinstance(width, Int)
        if is_open and are_of_placeholders():
            return self._resized(images)
        if (
            is_open and present_extents.is_known()
        ):  # there are images: the step is traced again with their size
            raise ValueError("CenterCrop: how an image is cut depends on its size.")
        if not is_open and down >= 0 and across >= 0:
            return self._cut(images, down // 2, across // 2, self.height, self.width)
        # To resize what has the new size already changes nothing.
        axes = (self.height_axis % len(images.shape), self.width_axis % len(images.shape))
        return self._resized(middle_op(images, size=(self.height, self.width), axes=axes, whole=True))

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        return self.transform_images(segmentation_masks, transformation, training=training)

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        shape = transformation["input_shape"]
        size = height, width = shape[self.height_axis], shape[self.width_axis]
        own = (self.height, self.width)
        found = convert_format(dict(bounding_boxes), self.bounding_box_format or "", "xyxy", *size)
        if height >= self.height and width >= self.width:
            top, left = int((height - self.height) / 2), int((width - self.width) / 2)
            found["boxes"] = self._inside(found["boxes"], top, left, *own)
        else:
            part: tuple[Any, Any]
            top, left, *part = middle_part(height, width, own)  # type: ignore[assignment]
            found["boxes"] = self._inside(found["boxes"], top, left, *part)
            found = convert_format(found, "xyxy", "rel_xyxy", *part)
            found = convert_format(found, "rel_xyxy", "xyxy", *own)
        found = clip_to_image_size(found, *own)
        return convert_format(found, "xyxy", self.bounding_box_format or "", *own)

    @staticmethod
    def _inside(boxes: Any, top: Any, left: Any, height: Any, width: Any) -> Any:
        """Corners that lie outside go to the border of the part."""
        limits = ((left, left + width), (top, top + height))
        parts = zip(ops.split(boxes, 4, axis=-1), (*limits, *limits), strict=True)
        return ops.concatenate([ops.clip(p, a, b) - a for p, (a, b) in parts], axis=-1)


class RandomCrop(Crop):
    """In training a part of each batch's images at a random place; in inference the images as they are.

    An image that is not larger in both directions gives its largest part with the new shape, resized.

    Shapes:  (h, w, c) or (n, h, w, c) -> (..., height, width, c).
    """

    _convert_input_args = False  # floats stay as they are given

    _SETTINGS = ("height", "width", "seed")

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, data_format=data_format, **kwargs)
        self.height, self.width = height, width
        drawn = python_random.randint(1, int(1e9)) if seed is None else seed
        self._make_generator(seed)
        self.seed = drawn  # before the generator's own, as in Keras

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """(top, left) of the part."""
        shape, _, (height, width) = self._drawn_for(data)
        if isinstance(height, Int) or isinstance(width, Int):
            if are_of_placeholders():
                return 0, 0
            raise ValueError(
                "RandomCrop requires the input to have a fully defined height and width. Received: "
                f"images.shape={shape}"
            )
        if not training or height <= self.height or width <= self.width:
            return middle_part(height, width, (self.height, self.width))[:2]
        room = (float(height - self.height + 1), float(width - self.width + 1))
        return tuple(ops.cast(self._uniform((), 0.0, limit, seed), "int32") for limit in room)

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        if not training:
            return images
        images = ops.cast(images, self.compute_dtype)
        top, left = transformation
        if isinstance(top, int) and isinstance(left, int):
            part = self._cut(images, top, left, self.height, self.width)
        else:
            part = self._dynamic_cut(images, top, left)
        own = (part.shape[self.height_axis], part.shape[self.width_axis])
        return part if own == (self.height, self.width) else self._resized(part)

    def _dynamic_cut(self, images: Any, top: Any, left: Any) -> Any:
        start: list[Any] = [0] * len(images.shape)
        size = list(images.shape)
        start[self.height_axis], start[self.width_axis] = top, left
        size[self.height_axis], size[self.width_axis] = self.height, self.width
        return ops.slice(images, ops.stack([ops.cast(k, "int32") for k in start]), size)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self.transform_images(segmentation_masks, transformation)

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        if not training:
            return bounding_boxes
        own: dict[str, Any] = {"height": self.height, "width": self.width}
        form = self.bounding_box_format or ""
        boxes = convert_format(bounding_boxes["boxes"], form, "xyxy", **own)
        first, second = (ops.cast(v, boxes.dtype) for v in transformation)
        # Keras takes the rows from the first and third corner numbers and the columns from the others.
        moved = [ops.maximum(boxes[..., k] - (first, second)[k % 2], 0) for k in range(4)]
        boxes = convert_format(ops.stack(moved, axis=-1), "xyxy", form, **own)
        return {"boxes": boxes, "labels": bounding_boxes["labels"]}
