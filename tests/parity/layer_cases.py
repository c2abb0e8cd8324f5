"""What is compared with Keras, layer by layer: arguments, shapes of inputs, and seeded numbers for them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """A layer with its arguments and the shapes (batch included) of its inputs."""

    layer: str
    kwargs: dict[str, Any]
    shapes: tuple[Shape, ...]
    training: bool = False  # whether the outputs with training=True are compared too
    ints: int = 0  # inputs are ints in [0, ints)
    mask: bool = False  # call(mask=...) with a mask (n, steps)
    differentiable: bool = True

    @property
    def name(self) -> str:
        text = ",".join(f"{k}={v}" for k, v in self.kwargs.items())
        tail = ",".join("x".join(map(str, s)) for s in self.shapes)
        return f"{self.layer}({text})[{tail}]{'+mask' if self.mask else ''}"

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(self.name.encode()))

    def inputs(self) -> list[np.ndarray]:
        rng = self.rng()
        if self.ints:
            return [rng.integers(0, self.ints, s).astype("int32") for s in self.shapes]
        return [rng.normal(size=s).astype("float32") for s in self.shapes]

    def mask_array(self) -> np.ndarray | None:
        if not self.mask:
            return None
        n, steps = self.shapes[0][:2]
        return np.arange(steps)[None] < np.arange(1, n + 1)[:, None]

    def weights(self, shapes: list[Shape]) -> list[np.ndarray]:
        """Positive numbers, because some weights are variances."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()) + 1)
        return [
            rng.uniform(0.2, 1.2, s).astype("float32") * (-1) ** (k % 2 * (len(s) > 1))
            for k, s in enumerate(shapes)
        ]


def case(
    layer: str, shapes: Any, *, training: bool = False, ints: int = 0, mask: bool = False, **kwargs: Any
) -> Case:
    several = tuple(shapes) if isinstance(shapes[0], tuple) else (shapes,)
    return Case(layer, kwargs, several, training, ints, mask, ints == 0)


IMAGE = (2, 6, 7, 4)
STEPS = (2, 7, 4)
VOLUME = (2, 4, 5, 4, 2)
PAIR = ((3, 4), (3, 4))

CASES = [
    case("Dense", (3, 4), units=5),
    case("Dense", (2, 3, 4), units=5, activation="relu", use_bias=False),
    case("Dense", (2, 3, 2, 4), units=2, activation="softmax"),
    case("Conv1D", STEPS, filters=3, kernel_size=3),
    case("Conv1D", STEPS, filters=3, kernel_size=3, padding="causal", dilation_rate=2),
    case("Conv1D", STEPS, filters=4, kernel_size=2, strides=2, padding="same", groups=2),
    case("Conv2D", IMAGE, filters=3, kernel_size=3),
    case("Conv2D", IMAGE, filters=3, kernel_size=[2, 3], strides=2, padding="same", activation="tanh"),
    case("Conv2D", IMAGE, filters=3, kernel_size=3, dilation_rate=[2, 1], padding="same", use_bias=False),
    case("Conv2D", IMAGE, filters=6, kernel_size=3, groups=2, activation="relu"),
    case("Conv2D", (2, 4, 6, 7), filters=3, kernel_size=3, data_format="channels_first"),
    case("Conv3D", VOLUME, filters=3, kernel_size=2),
    case("Conv3D", VOLUME, filters=2, kernel_size=2, strides=2, padding="same"),
    case("DepthwiseConv1D", STEPS, kernel_size=3, depth_multiplier=2),
    case("DepthwiseConv2D", IMAGE, kernel_size=3),
    case(
        "DepthwiseConv2D",
        IMAGE,
        kernel_size=3,
        strides=2,
        padding="same",
        depth_multiplier=2,
        activation="relu",
    ),
    case("SeparableConv1D", STEPS, filters=3, kernel_size=3, padding="same"),
    case("SeparableConv2D", IMAGE, filters=3, kernel_size=3, strides=2, depth_multiplier=2),
    case("MaxPooling1D", STEPS, pool_size=2),
    case("MaxPooling1D", STEPS, pool_size=3, strides=2, padding="same"),
    case("MaxPooling2D", IMAGE, pool_size=2),
    case("MaxPooling2D", IMAGE, pool_size=[3, 2], strides=2, padding="same"),
    case("MaxPooling2D", (2, 4, 6, 7), pool_size=2, data_format="channels_first"),
    case("MaxPooling3D", VOLUME, pool_size=2),
    case("AveragePooling1D", STEPS, pool_size=2),
    case("AveragePooling1D", STEPS, pool_size=3, strides=2, padding="same"),
    case("AveragePooling2D", IMAGE, pool_size=2),
    case("AveragePooling2D", IMAGE, pool_size=3, strides=1, padding="same"),
    case("AveragePooling3D", VOLUME, pool_size=2),
    case("GlobalAveragePooling1D", STEPS),
    case("GlobalAveragePooling1D", STEPS, keepdims=True, mask=True),
    case("GlobalAveragePooling2D", IMAGE),
    case("GlobalAveragePooling2D", IMAGE, keepdims=True, data_format="channels_first"),
    case("GlobalAveragePooling3D", VOLUME),
    case("GlobalMaxPooling1D", STEPS),
    case("GlobalMaxPooling2D", IMAGE),
    case("GlobalMaxPooling3D", VOLUME, keepdims=True),
    case("Flatten", IMAGE),
    case("Flatten", IMAGE, data_format="channels_first"),
    case("Flatten", (3,)),
    case("Reshape", (2, 12), target_shape=[3, 4]),
    case("Reshape", (2, 3, 4), target_shape=[-1, 2]),
    case("Permute", (2, 3, 4), dims=[2, 1]),
    case("RepeatVector", (2, 3), n=4),
    case("ZeroPadding1D", STEPS, padding=2),
    case("ZeroPadding2D", IMAGE, padding=[[1, 0], [2, 1]]),
    case("ZeroPadding2D", IMAGE, padding=1, data_format="channels_first"),
    case("ZeroPadding3D", VOLUME, padding=[1, 0, 2]),
    case("Cropping1D", STEPS, cropping=[1, 2]),
    case("Cropping2D", IMAGE, cropping=[[1, 0], [2, 1]]),
    case("Cropping3D", VOLUME, cropping=1),
    case("UpSampling1D", STEPS, size=3),
    case("UpSampling2D", IMAGE, size=[2, 3]),
    case("UpSampling3D", VOLUME, size=2),
    case("Dropout", (3, 4), rate=0.5),
    case("Dropout", (3, 4), rate=0.0, training=True),
    case("SpatialDropout1D", STEPS, rate=0.5),
    case("SpatialDropout2D", IMAGE, rate=0.5),
    case("SpatialDropout3D", VOLUME, rate=0.5),
    case("GaussianNoise", (3, 4), stddev=0.5),
    case("GaussianDropout", (3, 4), rate=0.5),
    case("AlphaDropout", (3, 4), rate=0.5),
    case("Activation", (3, 4), activation="gelu"),
    case("Activation", (3, 4), activation="silu"),
    case("ReLU", (3, 4)),
    case("ReLU", (3, 4), max_value=0.5, negative_slope=0.1, threshold=0.2),
    case("LeakyReLU", (3, 4)),
    case("PReLU", (2, 3, 4)),
    case("PReLU", (2, 3, 4), shared_axes=[1]),
    case("ELU", (3, 4), alpha=0.7),
    case("Softmax", (3, 4)),
    case("Softmax", (2, 3, 4), axis=[1, 2]),
    case("Softmax", (3, 4), mask=True),
    case("BatchNormalization", (6, 4), training=True),
    case("BatchNormalization", IMAGE, training=True, momentum=0.8, epsilon=0.01),
    case("BatchNormalization", IMAGE, training=True, axis=1, scale=False),
    case("BatchNormalization", STEPS, training=True, center=False, mask=True),
    case("LayerNormalization", (3, 4)),
    case("LayerNormalization", (2, 3, 4), axis=[1, 2], epsilon=0.1),
    case("LayerNormalization", (2, 3, 4), axis=1, center=False),
    case("GroupNormalization", IMAGE, groups=2),
    case("GroupNormalization", (2, 4, 3), groups=2, axis=1, scale=False),
    case("GroupNormalization", STEPS, groups=-1),
    case("RMSNormalization", (3, 4)),
    case("RMSNormalization", (2, 3, 4), axis=[1, 2], epsilon=0.1),
    case("UnitNormalization", (2, 3, 4)),
    case("UnitNormalization", (2, 3, 4), axis=[1, 2]),
    case("Add", (*PAIR, (3, 4))),
    case("Add", ((3, 2, 4), (3, 4))),
    case("Subtract", PAIR),
    case("Multiply", PAIR),
    case("Average", (*PAIR, (3, 1))),
    case("Maximum", PAIR),
    case("Minimum", PAIR),
    case("Concatenate", ((3, 4), (3, 2))),
    case("Concatenate", ((2, 3, 4), (2, 1, 4)), axis=1),
    case("Dot", PAIR, axes=1),
    case("Dot", ((2, 3, 4), (2, 4, 5)), axes=[2, 1]),
    case("Dot", ((2, 3, 4), (2, 5, 4)), axes=-1, normalize=True),
    case("Embedding", (3, 5), input_dim=7, output_dim=4, ints=7),
    case("Rescaling", (3, 4), scale=0.5, offset=-1.0),
    case("Rescaling", (2, 3), scale=[0.5, 1.0, 2.0], offset=[0.0, 1.0, 2.0]),
    case("Rescaling", (3, 4), scale=1 / 255, ints=256),
    case("Identity", (3, 4)),
    case("ActivityRegularization", (3, 4), l1=0.1, l2=0.2),
    case("Masking", STEPS, mask_value=0.0),
]
assert len({c.name for c in CASES}) == len(CASES)
