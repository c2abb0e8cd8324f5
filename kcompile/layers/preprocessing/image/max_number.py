"""MaxNumBoundingBoxes."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.layers.preprocessing.image.base import ColorLayer


class MaxNumBoundingBoxes(ColorLayer):
    """The same number of bounding boxes for every image: some left out at the end, or `fill_value` added.

    Shapes:  boxes (n, k, 4) -> (n, max_number, 4), labels (n, k) -> (n, max_number).
    """

    _SETTINGS = ("max_number",)

    def __init__(self, max_number: int, fill_value: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.max_number, self.fill_value = int(max_number), int(fill_value)

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        return images

    def transform_labels(self, labels: Any, transformation: Any = None, training: bool = True) -> Any:
        return labels

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        return segmentation_masks

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        boxes, labels = (bounding_boxes[name][:, : self.max_number] for name in ("boxes", "labels"))
        more = ((0, 0), (0, self.max_number - boxes.shape[1]))
        boxes = ops.pad(boxes, (*more, (0, 0)), constant_values=self.fill_value)
        labels = ops.pad(labels, more, constant_values=self.fill_value)
        return {**bounding_boxes, "boxes": boxes, "labels": labels}

    def compute_output_shape(self, input_shape: Any) -> Any:
        if not isinstance(input_shape, dict) or "bounding_boxes" not in input_shape:
            return input_shape
        given = input_shape["bounding_boxes"]
        extra = sorted(set(given) - {"boxes", "labels"})
        if extra:
            raise KeyError(
                f"There are unsupported keys in `bounding_boxes`: {extra}. "
                "Only `boxes` and `labels` are supported."
            )
        found = {name: [shape[0], self.max_number, *shape[2:]] for name, shape in given.items()}
        return {**input_shape, "bounding_boxes": found}
