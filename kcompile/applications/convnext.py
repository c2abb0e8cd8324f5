"""ConvNeXt, tiny to extra large (Liu et al., 2022, https://arxiv.org/abs/2201.03545)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kcompile import initializers, layers, ops
from kcompile.applications import building
from kcompile.applications.building import IMAGENET_CLASSES, Options, published
from kcompile.applications.imagenet_utils import RGB_DEVIATION, RGB_MEAN, preprocessing
from kcompile.applications.imagenet_utils import decode_predictions as decode_predictions
from kcompile.applications.trained import BASE, pair
from kcompile.core import public_names, registry
from kcompile.models import Functional, Sequential

EPSILON, SCALE = 1e-6, 1e-6


class LayerScale(layers.Layer):
    """A factor for each channel (Touvron et al., 2021), `init_values` at first."""

    def __init__(self, init_values: float, projection_dim: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.init_values, self.projection_dim = init_values, projection_dim

    def build(self, _: Any) -> None:
        start = initializers.Constant(self.init_values)
        self.gamma = self.add_weight((self.projection_dim,), start)

    def call(self, x: Any) -> Any:
        return x * self.gamma

    def get_config(self) -> dict[str, Any]:
        own = {"init_values": self.init_values, "projection_dim": self.projection_dim}
        return {**super().get_config(), **own}


class StochasticDepth(layers.Layer):
    """In training, the whole of a sample's path is dropped with a probability (Huang et al., 2016)."""

    def __init__(self, drop_path_rate: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.drop_path_rate = drop_path_rate
        self._drop = layers.Dropout(drop_path_rate)

    def call(self, x: Any, training: bool | None = None) -> Any:
        if not training or not self.drop_path_rate:
            return x
        kept = self._drop(ops.ones_like(x[(slice(None), *[slice(0, 1)] * (x.ndim - 1))]), training=True)
        return x * kept

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "drop_path_rate": self.drop_path_rate}


registry.publish(
    "keras.src.applications.convnext", {"LayerScale": LayerScale, "StochasticDepth": StochasticDepth}
)


@dataclass(frozen=True)
class Variant:
    """Number of blocks and of channels of each stage, and hashes of the files."""

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    digests: tuple[str, str]


def network(options: Options, file: str, variant: Variant, preprocessing: bool) -> Functional:
    building.check(options)
    start = x = building.image(options, building.check_size(options, 224, 32))
    name, widths = options.name, variant.widths
    if preprocessing:
        x = prepared(x, f"{name}_prestem_normalization")
    for stage, (depth, width) in enumerate(zip(variant.depths, widths, strict=True)):
        x = shrunk(x, width, name, stage)
        for k in range(depth):
            x = block(x, width, f"{name}_stage_{stage}_block_{k}")
    if options.include_top:
        x = layers.GlobalAveragePooling2D(name=f"{name}_head_gap")(x)
        x = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_head_layernorm")(x)
        activation = building.check_classifier(options)
        x = layers.Dense(options.classes, activation=activation, name=f"{name}_head_dense")(x)
    else:
        x = layers.LayerNormalization(epsilon=EPSILON)(building.pooled(x, options))
    return building.finished(start, x, options, pair(file, "convnext/", variant.digests, base=BASE))


def prepared(x: Any, name: str) -> Any:
    """Pixels from 0..255 to mean 0 and deviation 1 on ImageNet."""
    mean = [255 * value for value in RGB_MEAN]
    variance = [(255 * deviation) ** 2 for deviation in RGB_DEVIATION]
    return layers.Normalization(mean=mean, variance=variance, name=name)(x)


def shrunk(x: Any, width: int, name: str, stage: int) -> Any:
    """A patch becomes a pixel: 4x4 in the first stage, then 2x2."""
    if stage == 0:
        inner = [
            layers.Conv2D(width, 4, strides=4, name=f"{name}_stem_conv"),
            layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_stem_layernorm"),
        ]
        return Sequential(inner, name=f"{name}_stem")(x)
    inner = [
        layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_downsampling_layernorm_{stage - 1}"),
        layers.Conv2D(width, 2, strides=2, name=f"{name}_downsampling_conv_{stage - 1}"),
    ]
    return Sequential(inner, name=f"{name}_downsampling_block_{stage - 1}")(x)


def block(x: Any, width: int, name: str) -> Any:
    """A 7x7 convolution of each channel, then two dense layers over the channels."""
    y = layers.Conv2D(width, 7, padding="same", groups=width, name=f"{name}_depthwise_conv")(x)
    y = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_layernorm")(y)
    y = layers.Dense(4 * width, name=f"{name}_pointwise_conv_1")(y)
    y = layers.Activation("gelu", name=f"{name}_gelu")(y)
    y = layers.Dense(width, name=f"{name}_pointwise_conv_2")(y)
    y = LayerScale(SCALE, width, name=f"{name}_layer_scale")(y)
    y = layers.Activation("linear", name=f"{name}_identity")(y)
    return x + y


def _of(size: str, depths: tuple[int, ...], width: int, *digests: str) -> Any:
    file = f"convnext_{size.lower()}"
    variant = Variant(depths, tuple(width << k for k in range(4)), (digests[0], digests[1]))

    def build(
        include_top: bool = True,
        include_preprocessing: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: Any = None,
        pooling: str | None = None,
        classes: int = IMAGENET_CLASSES,
        classifier_activation: Any = "softmax",
        name: str = file,
    ) -> Functional:
        options = Options(
            include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
        )
        return network(options, file, variant, include_preprocessing)

    about = (
        f"ConvNeXt of the size {size.lower()} (Liu et al., 2022).\n\n"
        "include_preprocessing: the model takes values from 0 to 255."
    )
    return published(build, f"ConvNeXt{size}", about)


ConvNeXtTiny = _of(
    "Tiny", (3, 3, 9, 3), 96,
    "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
    "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
)  # fmt: skip
ConvNeXtSmall = _of(
    "Small", (3, 3, 27, 3), 96,
    "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
    "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
)  # fmt: skip
ConvNeXtBase = _of(
    "Base", (3, 3, 27, 3), 128,
    "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
    "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
)  # fmt: skip
ConvNeXtLarge = _of(
    "Large", (3, 3, 27, 3), 192,
    "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
    "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
)  # fmt: skip
ConvNeXtXLarge = _of(
    "XLarge", (3, 3, 27, 3), 256,
    "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
    "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
)  # fmt: skip
preprocess_input = preprocessing(None)

__all__ = public_names.of(__name__)
