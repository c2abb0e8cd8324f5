"""What a network is made of, as plain data: layers, their shapes, first weights and work.

Every adapter in ``peers/`` builds its library's own layers from these records. Images are channels last and
weights lie in Keras's order and layout; adapters convert.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Union

from benchmarks.block import Block

if TYPE_CHECKING:
    import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Dense:
    units: int
    activation: str | None = None


@dataclass(frozen=True)
class Conv:
    """2-D convolution; ``same`` pads as Keras does, the odd pixel below and to the right."""

    filters: int
    kernel: int
    activation: str | None = None
    stride: int = 1
    same: bool = False
    bias: bool = True


@dataclass(frozen=True)
class Depthwise:
    """2-D convolution of each channel by itself, padded as ``Conv`` with ``same``, without bias."""

    kernel: int
    stride: int = 1


@dataclass(frozen=True)
class ConvTranspose:
    """A padded strided convolution's gradient: the image grows by ``stride``; kernel - stride is even."""

    filters: int
    kernel: int
    stride: int
    activation: str | None = None


@dataclass(frozen=True)
class UpSample:
    """Each pixel ``size`` times along both axes."""

    size: int


@dataclass(frozen=True)
class MaxPool:
    """Windows of ``size``, ``stride`` apart (none given: side by side)."""

    size: int
    stride: int = 0
    same: bool = False

    @property
    def step(self) -> int:
        return self.stride or self.size


@dataclass(frozen=True)
class GlobalAverage:
    """Mean over all but the batch and the last axis."""


@dataclass(frozen=True)
class BatchNorm:
    """Statistics over all but the last axis. ``momentum`` as Keras counts it: the part that is kept."""

    momentum: float = 0.9
    epsilon: float = 1e-3


@dataclass(frozen=True)
class LayerNorm:
    """Over the last axis."""

    epsilon: float = 1e-3


@dataclass(frozen=True)
class Activation:
    activation: str


@dataclass(frozen=True)
class Dropout:
    rate: float


@dataclass(frozen=True)
class Flatten:
    pass


@dataclass(frozen=True)
class Embedding:
    vocabulary: int
    width: int


@dataclass(frozen=True)
class Positions:
    """Adds a learned vector to each position of a sequence."""


@dataclass(frozen=True)
class Recurrent:
    """The last output of an LSTM or GRU (``kind``); of two that run in both directions, joined."""

    kind: str
    units: int
    bidirectional: bool = False

    @property
    def gates(self) -> int:
        return {"lstm": 4, "gru": 3}[self.kind]

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1


@dataclass(frozen=True)
class SelfAttention:
    """Causal attention with a projection behind it; the heads share the width of the input."""

    heads: int


@dataclass(frozen=True)
class Residual:
    """The sum of what ``branch`` and ``shortcut`` (none given: identity) make of one input."""

    branch: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()


Leaf = (
    Dense
    | Conv
    | Depthwise
    | ConvTranspose
    | UpSample
    | MaxPool
    | GlobalAverage
    | BatchNorm
    | LayerNorm
    | Activation
    | Dropout
    | Flatten
    | Embedding
    | Positions
    | Recurrent
    | SelfAttention
    | Block
)
Layer = Union[Leaf, Residual]  # noqa: UP007  (Residual names it before it is complete)

Placed = tuple[Leaf, Shape, Shape]
"""A layer with the shape of one sample before and behind it."""


def padded(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and behind an axis of ``size``, so that every ``stride``-th place has a window.

    >>> padded(32, 3, 1), padded(32, 3, 2)
    ((1, 1), (0, 1))
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def output_shape(layer: Layer, shape: Shape) -> Shape:
    """Shape of one sample behind ``layer``."""
    match layer:
        case Dense(units=units):
            return (*shape[:-1], units)
        case Conv(filters=filters, kernel=kernel, stride=stride, same=same):
            return (*_windows(shape, kernel, stride, same), filters)
        case Depthwise(kernel=kernel, stride=stride):
            return (*_windows(shape, kernel, stride, True), shape[2])
        case ConvTranspose(filters=filters, stride=stride):
            return (shape[0] * stride, shape[1] * stride, filters)
        case UpSample(size=size):
            return (shape[0] * size, shape[1] * size, shape[2])
        case MaxPool(size=size, same=same):
            return (*_windows(shape, size, layer.step, same), shape[2])
        case GlobalAverage():
            return shape[-1:]
        case Flatten():
            return (prod(shape),)
        case Embedding(width=width):
            return (*shape, width)
        case Recurrent(units=units):
            return (units * layer.directions,)
        case Residual(branch=branch):
            return behind(branch, shape)
        case Block(after=after) if after is not None:
            return after
    return shape


def _windows(shape: Shape, kernel: int, stride: int, same: bool) -> Shape:
    return tuple(-(-n // stride) if same else (n - kernel) // stride + 1 for n in shape[:2])


def behind(layers: Iterable[Layer], shape: Shape) -> Shape:
    """Shape of one sample behind all layers."""
    for layer in layers:
        shape = output_shape(layer, shape)
    return shape


def leaves(layers: Iterable[Layer], shape: Shape) -> Iterator[Placed]:
    """All layers in the order in which adapters build them: of a residual, the branch, then the shortcut."""
    for layer in layers:
        after = output_shape(layer, shape)
        if isinstance(layer, Residual):
            yield from leaves(layer.branch, shape)
            yield from leaves(layer.shortcut, shape)
        else:
            yield layer, shape, after
        shape = after


def weight_shapes(layer: Leaf, before: Shape) -> dict[str, Shape]:
    """The layer's weights by name, in Keras's order and layout."""
    width = before[-1]
    match layer:
        case Dense(units=units):
            return {"kernel": (width, units), "bias": (units,)}
        case Conv(filters=filters, kernel=kernel, bias=bias):
            shapes: dict[str, Shape] = {"kernel": (kernel, kernel, width, filters)}
            return shapes | ({"bias": (filters,)} if bias else {})
        case Depthwise(kernel=kernel):
            return {"kernel": (kernel, kernel, width, 1)}
        case ConvTranspose(filters=filters, kernel=kernel):
            return {"kernel": (kernel, kernel, filters, width), "bias": (filters,)}
        case BatchNorm():
            return dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (width,))
        case LayerNorm():
            return dict.fromkeys(("gamma", "beta"), (width,))
        case Embedding(vocabulary=vocabulary, width=size):
            return {"embeddings": (vocabulary, size)}
        case Positions():
            return {"embeddings": before}
        case Recurrent():
            return _recurrent_shapes(layer, width)
        case SelfAttention(heads=heads):
            return _attention_shapes(heads, width)
        case Block(weights=weights):
            return dict(weights)
    return {}


def _recurrent_shapes(layer: Recurrent, width: int) -> dict[str, Shape]:
    columns = layer.gates * layer.units
    bias = (columns,) if layer.kind == "lstm" else (2, columns)
    one: dict[str, Shape] = {
        "kernel": (width, columns),
        "recurrent_kernel": (layer.units, columns),
        "bias": bias,
    }
    return {
        f"{way}{name}": shape for way in ("", "backward_")[: layer.directions] for name, shape in one.items()
    }


def _attention_shapes(heads: int, width: int) -> dict[str, Shape]:
    each = width // heads
    shapes: dict[str, Shape] = {}
    for name in ("query", "key", "value"):
        shapes |= {f"{name}_kernel": (width, heads, each), f"{name}_bias": (heads, each)}
    return shapes | {"output_kernel": (heads, each, width), "output_bias": (width,)}


def flops(layer: Leaf, before: Shape, after: Shape) -> int:
    """Multiply-adds, counted as two, of the contractions in one sample's forward pass."""
    kernels = [prod(shape) for name, shape in weight_shapes(layer, before).items() if "kernel" in name]
    match layer:
        case ConvTranspose():
            return 2 * sum(kernels) * prod(before[:-1])
        case Recurrent():
            return 2 * sum(kernels) * before[0]
        case SelfAttention():
            # Scores and their product with the values, over all pairs, masked or not.
            return 2 * before[0] * (sum(kernels) + 2 * before[0] * before[1])
        case Block(places=places) if places:
            return 2 * sum(kernels) * places
    return 2 * sum(kernels) * prod(after[:-1])


def first_weights(layers: Iterable[Layer], shape: Shape, seed: int = 0) -> list[list[np.ndarray]]:
    """The float32 weights of each layer that has some, in the order of ``leaves``.

    Glorot-uniform kernels and zero biases. A normalization begins near, not at, one and zero: an adapter that
    mistakes one of its vectors for another shows.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    named = (weight_shapes(layer, before) for layer, before, _ in leaves(layers, shape))
    return [[_first(rng, name, size) for name, size in one.items()] for one in named if one]


def _first(rng: np.random.Generator, name: str, shape: Shape) -> np.ndarray:
    if "bias" in name:
        limits = 0.0, 0.0
    elif name in ("gamma", "moving_variance"):
        limits = 0.9, 1.1
    elif name in ("beta", "moving_mean", "embeddings"):
        limits = -0.1, 0.1
    else:
        limits = _glorot(shape)
    return rng.uniform(*limits, shape).astype("float32")


def _glorot(shape: Shape) -> tuple[float, float]:
    window = prod(shape[:-2])
    limit = (6 / (window * (shape[-2] + shape[-1]))) ** 0.5
    return -limit, limit
