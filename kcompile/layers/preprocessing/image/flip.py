"""RandomFlip."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.layers.preprocessing.image.base import BaseImagePreprocessingLayer
from kcompile.layers.preprocessing.image.boxes import clip_to_image_size, convert_format


class RandomFlip(BaseImagePreprocessingLayer):
    """In training, half of the images mirrored.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same.
    Args:    mode: "horizontal", "vertical" or "horizontal_and_vertical", which turns an image upside down
             and mirrors it at once. seed: of the draws.
    """

    _convert_input_args = False  # floats stay as they are given

    _SETTINGS = ("seed", "mode")
    _USE_BASE_FACTOR = False

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self._make_generator(seed)
        self.mode = mode

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        if not training:
            return None
        shape, count, _ = self._drawn_for(data)
        size = (1, 1, 1) if len(shape) == 3 else (count, 1, 1, 1)
        return {"flips": ops.less_equal(self._uniform(size, 0.0, 1.0, seed), 0.5), "input_shape": shape}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        for axis, mode in ((self.width_axis, "horizontal"), (self.height_axis, "vertical")):
            if self.mode in (mode, "horizontal_and_vertical"):
                images = ops.where(transformation["flips"], ops.flip(images, axis=axis), images)
        return images

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self.transform_images(segmentation_masks, transformation, training=training)

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        if not training:
            return bounding_boxes
        shape, form = transformation["input_shape"], self.bounding_box_format or ""
        size = {"height": shape[self.height_axis], "width": shape[self.width_axis]}
        flips = ops.squeeze(transformation["flips"], axis=-1)
        found = convert_format(dict(bounding_boxes), form, "rel_xyxy", **size)
        for mode, low in (("horizontal", 0), ("vertical", 1)):
            if self.mode in (mode, "horizontal_and_vertical"):
                sides = ops.split(found["boxes"], 4, axis=-1)
                sides[low], sides[low + 2] = 1 - sides[low + 2], 1 - sides[low]
                found["boxes"] = ops.where(flips, ops.concatenate(sides, axis=-1), found["boxes"])
        found = clip_to_image_size(found, **size, bounding_box_format="xyxy")
        return convert_format(found, "rel_xyxy", form, **size)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
