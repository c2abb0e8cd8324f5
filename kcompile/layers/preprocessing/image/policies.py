"""Random choices among other layers: RandAugment and AugMix."""

from __future__ import annotations

import random as python_random
from typing import Any

from kcompile import ops, random
from kcompile.layers.preprocessing.image.affine import (
    RandomRotation,
    RandomShear,
    RandomTranslation,
    map_rows,
)
from kcompile.layers.preprocessing.image.base import BaseImagePreprocessingLayer
from kcompile.layers.preprocessing.image.color import RandomColorDegeneration
from kcompile.layers.preprocessing.image.equalization import AutoContrast, Equalization
from kcompile.layers.preprocessing.image.smoothing import RandomSharpness
from kcompile.layers.preprocessing.image.tone import (
    RandomBrightness,
    RandomContrast,
    RandomPosterization,
    Solarization,
)

MOVING = ("random_shear", "random_translation", "random_rotation")
COLOR = ("random_brightness", "random_color_degeneration", "random_contrast", "random_sharpness")


class Policy(BaseImagePreprocessingLayer):
    """Base: has a layer for each kind of change, all with the same factor."""

    _USE_BASE_FACTOR = False
    _FACTOR_BOUNDS = (0, 1)

    value_range: Any

    def _make_layers(self, seed: int | None, data_format: str | None, color: bool, kwargs: Any) -> None:
        kwargs = {k: v for k, v in kwargs.items() if k != "name"}
        drawn = {"seed": seed, "data_format": data_format, **kwargs}
        bright, moved = (
            {"value_range": self.value_range, **drawn},
            {"interpolation": self.interpolation, **drawn},
        )
        plain = {"value_range": self.value_range, "data_format": data_format, **kwargs}
        factor = self.factor
        self.random_shear = RandomShear(x_factor=factor, y_factor=factor, **moved)
        self.random_translation = RandomTranslation(height_factor=factor, width_factor=factor, **moved)
        self.random_rotation = RandomRotation(factor=factor, **moved)
        self.solarization = Solarization(addition_factor=factor, threshold_factor=factor, **bright)
        self.random_posterization = RandomPosterization(factor=max(1, int(8 * factor[1])), **bright)
        self.auto_contrast, self.equalization = AutoContrast(**plain), Equalization(**plain)
        if color:
            self.random_brightness = RandomBrightness(factor=factor, **bright)
            self.random_color_degeneration = RandomColorDegeneration(factor=factor, **bright)
            self.random_contrast = RandomContrast(factor=factor, **bright)
            self.random_sharpness = RandomSharpness(factor=factor, **bright)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class RandAugment(Policy):
    """In training, `num_ops` changes one after the other, each drawn from eleven kinds.

    Shapes:  (h, w, 3) or (n, h, w, 3) -> the same. All images of a batch take the same kinds.
    Args:    value_range: of the images. factor: how strong, in [0, 1], or (least, largest).
             interpolation: of shear, translation and rotation.
    Source:  Cubuk et al., "RandAugment: Practical automated data augmentation", 2019.
    """

    _SETTINGS = ("value_range", "num_ops", "factor", "interpolation", "seed")
    _AUGMENT_LAYERS = (
        *MOVING, *COLOR, "random_posterization", "solarization", "auto_contrast", "equalization",
    )  # fmt: skip

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_ops: int = 2,
        factor: Any = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.value_range, self.num_ops, self.interpolation = value_range, num_ops, interpolation
        self._set_factor(factor)
        self._make_generator(seed)
        self._make_layers(seed, data_format, True, kwargs)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The numbers of the chosen layers, (num_ops,), and the transformations of all of them."""
        if not training:
            return None
        source = self.generator if seed is None else seed
        chosen = random.randint((self.num_ops,), 0, len(self._AUGMENT_LAYERS), seed=source)
        transforms = {
            name: getattr(self, name).get_random_transformation(data, training=training, seed=source)
            for name in self._AUGMENT_LAYERS
        }
        return {"transforms": transforms, "layer_idxes": chosen}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = ops.cast(images, self.compute_dtype)
        return self._chosen("transform_images", images, transformation) if training else images

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        if not training:
            return segmentation_masks
        return self._chosen("transform_segmentation_masks", segmentation_masks, transformation)

    def _chosen(self, method: str, x: Any, transformation: Any) -> Any:
        transforms = transformation["transforms"]
        for step in range(self.num_ops):
            number, before = transformation["layer_idxes"][step], x
            moved = self._moved(method, before, number, transforms)
            x = ops.where(ops.less(number, len(MOVING)), moved, before)
            for k, name in enumerate(self._AUGMENT_LAYERS[len(MOVING) :], len(MOVING)):
                changed = getattr(getattr(self, name), method)(before, transforms[name])
                x = ops.where(ops.equal(number, k), changed, x)
        return x

    def _moved(self, method: str, x: Any, number: Any, transforms: Any) -> Any:
        """Shear, translation or rotation: maps are chosen, not images, which so are read once."""
        columns: tuple[Any, ...] = ()
        for k, name in enumerate(MOVING):
            own = getattr(self, name).columns_for(x, transforms[name])
            is_own = ops.equal(number, k)
            columns = tuple(ops.where(is_own, a, b) for a, b in zip(own, columns, strict=True)) if k else own
        maps = map_rows(*columns)
        interpolation = self.interpolation if method == "transform_images" else "nearest"
        return self.random_shear.moved(x, maps, interpolation)

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        if not training:
            return bounding_boxes
        found = dict(bounding_boxes)
        for k, name in enumerate(self._AUGMENT_LAYERS):
            own = transformation["transforms"][name]
            moved = getattr(self, name).transform_bounding_boxes(dict(found), own)
            for step in range(self.num_ops):
                here = ops.equal(transformation["layer_idxes"][step], k)
                for key in ("boxes", "labels"):
                    found[key] = ops.where(here, moved[key], found[key])
        return found


class AugMix(Policy):
    """In training, a random mixture of the images with the results of chains of random changes.

    Shapes:  (h, w, 3) or (n, h, w, 3) -> the same. All images of a batch take the same chains. Which layers
             are in a chain comes from Python's `random` when the layer is called: once for a compiled
             program.
    Args:    value_range: of the images. num_chains, chain_depth: how many chains, of how many changes.
             factor: how strong, in [0, 1], or (least, largest). alpha: of the distributions of the weights.
             all_ops: with brightness, colour, contrast and sharpness. interpolation: of the moving layers.
    Source:  Hendrycks et al., "AugMix: A Simple Data Processing Method to Improve Robustness", 2020.
    """

    _SETTINGS = (
        *("value_range", "num_chains", "chain_depth", "factor", "alpha", "all_ops"),
        *("interpolation", "seed"),
    )

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: Any = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.value_range, self.num_chains, self.chain_depth = value_range, num_chains, chain_depth
        self._set_factor(factor)
        self.alpha, self.all_ops, self.interpolation = alpha, all_ops, interpolation
        self._make_generator(seed)
        moving = ["random_shear", "random_translation", "random_rotation", "random_posterization"]
        toning = ["solarization", "auto_contrast", "equalization"]
        self._augment_layers = (*moving, *toning, *(COLOR if all_ops else ()))
        self._make_layers(seed, data_format, all_ops, kwargs)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The weights of the chains and of the images themselves, and the chains."""
        if not training:
            return None
        source = self.generator if seed is None else seed
        draws = random.gamma((self.num_chains,), self.alpha, seed=source)
        chains = [
            [self._link(name, data, source) for name in self._names() if name is not None]
            for _ in range(self.num_chains)
        ]
        return {
            "chain_mixing_weights": draws / ops.sum(draws, axis=-1, keepdims=True),
            "weight_sample": random.beta((), self.alpha, self.alpha, seed=source),
            "chain_transforms": chains,
        }

    def _names(self) -> list[str | None]:
        choices: list[str | None] = [*self._augment_layers, None]
        return [python_random.choice(choices) for _ in range(self.chain_depth)]

    def _link(self, name: str, data: Any, seed: Any) -> dict[str, Any]:
        own = getattr(self, name).get_random_transformation(data, seed=seed)
        return {"layer_name": name, "transformation": own}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = ops.cast(images, self.compute_dtype)
        if not training:
            return images
        mixed = self._mixed("transform_images", images, transformation)
        return ops.cast(ops.clip(mixed, *self.value_range), self.compute_dtype)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        if not training:
            return segmentation_masks
        return self._mixed("transform_segmentation_masks", segmentation_masks, transformation)

    def _mixed(self, method: str, x: Any, transformation: Any) -> Any:
        weights = ops.cast(transformation["chain_mixing_weights"], self.compute_dtype)
        own = ops.cast(transformation["weight_sample"], self.compute_dtype)
        total = ops.zeros_like(x)
        for k, chain in enumerate(transformation["chain_transforms"]):
            changed = x
            for link in chain:
                layer = getattr(self, link["layer_name"])
                changed = getattr(layer, method)(changed, link["transformation"])
            total = total + changed * weights[k]
        return own * x + (1 - own) * total

    def transform_bounding_boxes(
        self, bounding_boxes: dict[str, Any], transformation: Any, training: bool = True
    ) -> dict[str, Any]:
        return bounding_boxes
