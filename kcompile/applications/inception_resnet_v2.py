"""InceptionResNetV2 (Szegedy et al., 2017, https://arxiv.org/abs/1602.07261)."""

from __future__ import annotations

from typing import Any

from kcompile import layers
from kcompile.applications import building
from kcompile.applications.branching import averaged, chain, conv, joined, shrunk, stem
from kcompile.applications.building import Options, standard
from kcompile.applications.imagenet_utils import decode_predictions as decode_predictions
from kcompile.applications.imagenet_utils import preprocessing
from kcompile.applications.trained import tf_kernels
from kcompile.core import public_names, registry
from kcompile.models import Functional

# Branches of the three kinds of residual blocks; how much of what they say is added, and how many there are.
BLOCKS = {
    "block35": (
        (((32, 1, 1),), ((32, 1, 1), (32, 3, 3)), ((32, 1, 1), (48, 3, 3), (64, 3, 3))), 0.17, 10,
    ),
    "block17": ((((192, 1, 1),), ((128, 1, 1), (160, 1, 7), (192, 7, 1))), 0.1, 20),
    "block8": ((((192, 1, 1),), ((192, 1, 1), (224, 1, 3), (256, 3, 1))), 0.2, 10),
}  # fmt: skip
_FILES = tf_kernels(
    "inception_resnet_v2",
    "inception_resnet_v2/",
    "e693bd0210a403b3192acc6073ad2e96",
    "d19885ff4a710c122648d3b5c3b684e4",
)


class CustomScaleLayer(layers.Layer):
    """inputs[0] + scale * inputs[1]."""

    def __init__(self, scale: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs: Any) -> Any:
        return inputs[0] + inputs[1] * self.scale

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}


registry.publish("keras.src.applications.inception_resnet_v2", {"CustomScaleLayer": CustomScaleLayer})


def network(options: Options) -> Functional:
    building.check(options)
    start = x = building.image(options, building.check_size(options, 299, 75))
    x = stem(x)
    point = conv(x, 96, 1, 1)
    five = chain(x, (48, 1, 1), (64, 5, 5))
    three = chain(x, (64, 1, 1), (96, 3, 3), (96, 3, 3))
    x = joined([point, five, three, conv(averaged(x), 64, 1, 1)], "mixed_5b")
    x = residual_blocks(x, "block35")
    wide, narrow = chain(x, (384, 3, 3, 2)), chain(x, (256, 1, 1), (256, 3, 3), (384, 3, 3, 2))
    x = joined([wide, narrow, shrunk(x)], "mixed_6a")
    x = residual_blocks(x, "block17")
    first, second = (chain(x, (256, 1, 1), (filters, 3, 3, 2)) for filters in (384, 288))
    third = chain(x, (256, 1, 1), (288, 3, 3), (320, 3, 3, 2))
    x = joined([first, second, third, shrunk(x)], "mixed_7a")
    x = residual_blocks(x, "block8")
    x = layers.Conv2D(1536, 1, padding="same", use_bias=False, name="conv_7b")(x)
    x = layers.BatchNormalization(axis=building.channel_axis(), scale=False, name="conv_7b_bn")(x)
    x = layers.Activation("relu", name="conv_7b_ac")(x)
    x = building.classified(x, options) if options.include_top else building.pooled(x, options)
    return building.finished(start, x, options, _FILES)


def residual_blocks(x: Any, kind: str) -> Any:
    """The very last block of the network has neither a small factor nor a relu."""
    branches, scale, count = BLOCKS[kind]
    for k in range(1, count + 1):
        name, last = f"{kind}_{k}", kind == "block8" and k == count
        y = joined([chain(x, *branch) for branch in branches], f"{name}_mixed")
        y = layers.Conv2D(building.channels(x), 1, padding="same", name=f"{name}_conv")(y)
        x = CustomScaleLayer(1.0 if last else scale)([x, y])
        x = x if last else layers.Activation("relu", name=f"{name}_ac")(x)
    return x


InceptionResNetV2 = standard(
    "InceptionResNetV2",
    "inception_resnet_v2",
    network,
    "Inception network with residual connections (Szegedy et al., 2017) for images of 299 pixels.",
)
preprocess_input = preprocessing("tf")

__all__ = public_names.of(__name__)
