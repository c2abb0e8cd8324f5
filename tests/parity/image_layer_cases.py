"""Image layers whose transformations Keras draws (make_image_fixtures.py) and both sides then apply."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ImageCase:
    """A layer, its arguments, and what is passed to it.

    kind: "255" for floats in [0, 255], "1" for floats in [0, 1], "u" for uint8. form: of bounding boxes, or
    "". labels, masks: are there some? single: one image instead of a batch.
    """

    layer: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    kind: str = "255"
    form: str = ""
    labels: bool = False
    masks: bool = False
    single: bool = False

    @property
    def name(self) -> str:
        text = ",".join(f"{k}={v}" for k, v in self.kwargs.items())
        extra = [self.kind, self.form, "labels" * self.labels, "masks" * self.masks, "single" * self.single]
        return f"{self.layer}({text})[{','.join(e for e in extra if e)}]".replace(" ", "")

    def arguments(self) -> dict[str, Any]:
        return {**self.kwargs, **({"bounding_box_format": self.form} if self.form else {})}

    def data(self) -> dict[str, Any]:
        """What the layer is called with."""
        rng = np.random.default_rng(77)
        images = {
            "255": rng.uniform(0, 255, (3, 12, 10, 3)).astype("float32"),
            "1": rng.uniform(0, 1, (3, 12, 10, 3)).astype("float32"),
            "u": rng.integers(0, 256, (3, 12, 10, 3)).astype("uint8"),
        }[self.kind]
        first = self.kwargs.get("data_format") == "channels_first"
        found: dict[str, Any] = {"images": np.moveaxis(images, -1, 1).copy() if first else images}
        if self.form:
            found["bounding_boxes"] = {
                "boxes": boxes(self.form),
                "labels": np.array([[1, 2], [3, 0], [2, 2]], "int32"),
            }
        if self.labels:
            found["labels"] = np.eye(4, dtype="float32")[[2, 0, 3]]
        if self.masks:
            masks = rng.integers(0, 3, (3, 12, 10, 1)).astype("float32")
            found["segmentation_masks"] = np.moveaxis(masks, -1, 1).copy() if first else masks
        return one(found) if self.single else found


def one(data: Any) -> Any:
    """The first of each batch."""
    return {k: one(v) for k, v in data.items()} if isinstance(data, dict) else data[0]


def boxes(form: str) -> np.ndarray:
    """Boxes of images of 12 x 10 pixels."""
    corners = np.array(
        [[[1, 2, 6, 7], [3, 3, 9, 11]], [[0, 0, 4, 4], [5, 6, 10, 12]], [[2, 1, 8, 9], [6, 2, 7, 3]]],
        "float32",
    )
    x1, y1, x2, y2 = np.moveaxis(corners, -1, 0)
    found = {
        "xyxy": (x1, y1, x2, y2),
        "yxyx": (y1, x1, y2, x2),
        "xywh": (x1, y1, x2 - x1, y2 - y1),
        "center_xywh": ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1),
        "rel_xyxy": (x1 / 10, y1 / 12, x2 / 10, y2 / 12),
    }[form]
    return np.stack(found, axis=-1)


def case(layer: str, kind: str = "255", form: str = "", **kwargs: Any) -> ImageCase:
    flags = {name: kwargs.pop(name, False) for name in ("labels", "masks", "single")}
    return ImageCase(layer, kwargs, kind, form, **flags)


CLAHE = "ContrastLimitedAdaptiveHistogramEqualization"
FIRST = {"data_format": "channels_first"}
MOVING: list[tuple[str, dict[str, Any]]] = [
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": [-0.2, 0.4]}),
    ("RandomRotation", {"factor": 0.2}),
    ("RandomZoom", {"height_factor": 0.4, "width_factor": [-0.3, 0.2]}),
    ("RandomShear", {"x_factor": 0.4, "y_factor": [0.1, 0.3]}),
]

CASES = [
    case("Resizing", height=7, width=15, form="xyxy", masks=True, labels=True),
    case("Resizing", height=7, width=15, form="xywh", crop_to_aspect_ratio=True),
    case("Resizing", height=14, width=5, form="rel_xyxy", pad_to_aspect_ratio=True),
    case("Resizing", "u", height=5, width=6, interpolation="bicubic", antialias=True),
    case("Resizing", height=5, width=6, single=True, **FIRST),
    case("CenterCrop", height=7, width=6, form="xyxy", masks=True),
    case("CenterCrop", height=15, width=6, form="xyxy"),
    case("CenterCrop", "u", height=7, width=6, **FIRST),
    case("CenterCrop", height=20, width=20, single=True),
    case("RandomCrop", height=7, width=6, seed=1, form="xyxy", masks=True),
    case("RandomCrop", height=7, width=16, seed=1),
    case("RandomCrop", "u", height=3, width=9, seed=1, **FIRST),
    case("RandomFlip", mode="horizontal", seed=3, form="xyxy", masks=True),
    case("RandomFlip", mode="vertical", seed=3, form="rel_xyxy", masks=True),
    case("RandomFlip", mode="horizontal_and_vertical", seed=3, form="xywh", masks=True),
    case("RandomFlip", "u", seed=3, **FIRST),
    case("RandomFlip", seed=5, single=True),
    *[case(layer, form="xyxy", masks=True, seed=2, **kwargs) for layer, kwargs in MOVING],
    *[case(layer, form="center_xywh", seed=2, interpolation="nearest", fill_mode="wrap", **kwargs)
      for layer, kwargs in MOVING],
    *[case(layer, seed=2, fill_mode="constant", fill_value=4.0, **FIRST, **kwargs)
      for layer, kwargs in MOVING],
    *[case(layer, "u", seed=2, fill_mode="nearest", single=True, **kwargs) for layer, kwargs in MOVING],
    case("RandomZoom", height_factor=[0.2, 0.5], seed=4, form="rel_xyxy"),
    case("RandomPerspective", factor=0.7, scale=0.6, seed=1, form="xyxy", masks=True),
    case("RandomPerspective", "u", interpolation="nearest", fill_value=9.0, seed=1, **FIRST),
    case("RandomPerspective", scale=0.3, seed=1, single=True),
    case("RandomBrightness", factor=0.4, seed=1, form="xyxy", masks=True, labels=True),
    case("RandomBrightness", "1", factor=[-0.1, 0.3], value_range=[0, 1], seed=1, single=True),
    case("RandomContrast", factor=0.4, seed=1),
    case("RandomContrast", "u", factor=[0.1, 0.9], seed=1, **FIRST),
    case("RandomContrast", "1", factor=0.4, value_range=[0, 1], seed=1, single=True),
    case("RandomSaturation", "1", factor=[0.2, 0.8], seed=1),
    case("RandomSaturation", "1", factor=[0.2, 0.8], value_range=[0, 1], seed=1, **FIRST),
    case("RandomHue", factor=0.4, seed=1),
    case("RandomHue", "1", factor=[0.2, 0.8], value_range=[0, 1], seed=1, **FIRST),
    case("RandomHue", "u", factor=[0.2, 0.8], seed=1, single=True),
    case("RandomColorDegeneration", factor=0.6, seed=1),
    case("RandomColorDegeneration", "u", factor=[0.2, 0.8], seed=1, **FIRST),
    case("RandomGrayscale", seed=1),
    case("RandomGrayscale", factor=0.8, seed=1, **FIRST),
    case("RandomInvert", factor=0.6, seed=1, masks=True),
    case("RandomInvert", "1", value_range=[0, 1], seed=1, **FIRST),
    case("RandomPosterization", factor=[2, 7], seed=1),
    case("RandomPosterization", "1", factor=3, value_range=[0, 1], seed=1),
    case("RandomPosterization", "u", factor=3, seed=1, single=True),
    case("RandomSharpness", factor=0.7, seed=1),
    case("RandomSharpness", "u", factor=[0.2, 0.9], seed=1, **FIRST),
    case("RandomGaussianBlur", factor=0.8, kernel_size=5, seed=1),
    case("RandomGaussianBlur", "u", kernel_size=[3, 5], sigma=[0.3, 0.9], seed=1, **FIRST),
    case("RandomErasing", factor=0.7, seed=1, masks=True),
    case("RandomErasing", scale=0.5, fill_value=10.5, seed=1),
    case("RandomErasing", "u", fill_value=17, seed=1, **FIRST),
    case("Solarization", addition_factor=0.3, threshold_factor=[0.2, 0.8], seed=1),
    case("Solarization", "1", threshold_factor=0.7, value_range=[0, 1], seed=1, single=True),
    case("Solarization", "u", threshold_factor=0.7, seed=1, **FIRST),
    case("Equalization"),
    case("Equalization", "1", value_range=[0, 1], bins=32, **FIRST),
    case("Equalization", "u", single=True),
    case("AutoContrast"),
    case("AutoContrast", "1", value_range=[0, 1], single=True),
    case("AutoContrast", "u", **FIRST),
    case(CLAHE, tile_grid_size=[2, 3]),
    case(CLAHE, "1", value_range=[0, 1], clip_limit=0.0, single=True),
    case(CLAHE, "u", clip_limit=2.0, tile_grid_size=[5, 3], **FIRST),
    case("CutMix", seed=1, labels=True, masks=True),
    case("CutMix", "u", factor=[0.3, 0.9], seed=1, **FIRST),
    case("MixUp", seed=1, labels=True, form="xyxy"),
    case("MixUp", "u", alpha=0.7, seed=1, **FIRST),
    case("RandAugment", seed=1, factor=0.3, masks=True),
    case("RandAugment", "1", value_range=[0, 1], num_ops=3, factor=[0.1, 0.6], seed=1),
    case("AugMix", seed=1, masks=True),
    case("AugMix", "1", value_range=[0, 1], num_chains=2, all_ops=False, seed=1),
    case("MaxNumBoundingBoxes", max_number=4, form="xyxy", labels=True, masks=True),
    case("MaxNumBoundingBoxes", max_number=1, fill_value=-3, form="xywh"),
]  # fmt: skip
assert len({c.name for c in CASES}) == len(CASES)

# Layers that draw while they transform, or hand a seed on: only their configs are compared.
CONFIGS = [
    case("RandomColorJitter", brightness_factor=0.2, hue_factor=[0.1, 0.2], seed=1),
    case("RandomColorJitter", value_range=[0, 1], contrast_factor=0.2, saturation_factor=0.4),
    case("RandomElasticTransform", factor=0.4, scale=[0.2, 0.7], fill_mode="wrap", seed=3),
    case("Pipeline", layers=[]),
]
