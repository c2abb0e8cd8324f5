"""The models that are measured: layers, batch, data and work, in one place.

A workload is plain data; every adapter in ``peers/`` builds its own model from it. Data and first weights are
made here too, from a seed, so that all contenders train the same network on the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Dense:
    units: int
    activation: str | None = None


@dataclass(frozen=True)
class Conv:
    """Channels-last 2-D convolution, stride 1, no padding."""

    filters: int
    kernel: int
    activation: str | None = None


@dataclass(frozen=True)
class MaxPool:
    size: int


@dataclass(frozen=True)
class Dropout:
    rate: float


@dataclass(frozen=True)
class Flatten:
    pass


Layer = Dense | Conv | MaxPool | Dropout | Flatten


@dataclass(frozen=True)
class Workload:
    """A classifier trained by Adam on sparse categorical cross-entropy.

    ``samples`` is the size of one epoch (a whole number of batches) and ``epochs`` how many of them a call of
    ``fit`` runs: enough that the set-up of a call is no larger a part than in a user's program.
    """

    name: str
    title: str
    input_shape: Shape
    layers: tuple[Layer, ...]
    batch: int
    samples: int
    epochs: int
    classes: int = 10

    @property
    def steps(self) -> int:
        """Training steps in one epoch."""
        return self.samples // self.batch


def _mlp(name: str, batch: int) -> Workload:
    hidden = (Dense(512, "relu"), Dropout(0.2))
    layers = (*hidden, *hidden, Dense(10, "softmax"))
    return Workload(name, f"MLP 784-512-512-10, batch {batch}", (784,), layers, batch, samples=8192, epochs=1)


_CNN = (
    Conv(32, 3, "relu"),
    Conv(64, 3, "relu"),
    MaxPool(2),
    Dropout(0.25),
    Flatten(),
    Dense(128, "relu"),
    Dropout(0.5),
    Dense(10, "softmax"),
)

WORKLOADS: dict[str, Workload] = {
    work.name: work
    for work in (
        Workload(
            "digits",
            "digits MLP 64-32-10, batch 32",
            (64,),
            (Dense(32, "relu"), Dense(10, "softmax")),
            batch=32,
            samples=1792,
            epochs=20,
        ),
        _mlp("mlp32", 32),
        _mlp("mlp128", 128),
        Workload("cnn", "MNIST CNN, batch 128", (28, 28, 1), _CNN, batch=128, samples=2048, epochs=1),
    )
}


def output_shape(layer: Layer, shape: Shape) -> Shape:
    """Shape of one sample behind ``layer``."""
    match layer:
        case Dense(units=units):
            return (*shape[:-1], units)
        case Conv(filters=filters, kernel=kernel):
            return (shape[0] - kernel + 1, shape[1] - kernel + 1, filters)
        case MaxPool(size=size):
            return (shape[0] // size, shape[1] // size, shape[2])
        case Flatten():
            return (prod(shape),)
        case Dropout():
            return shape


def with_shapes(work: Workload) -> Iterator[tuple[Layer, Shape, Shape]]:
    """Each layer with the shape of one sample before and behind it."""
    shape = work.input_shape
    for layer in work.layers:
        behind = output_shape(layer, shape)
        yield layer, shape, behind
        shape = behind


def weight_shapes(work: Workload) -> list[Shape]:
    """Kernel and bias of each layer, in Keras's order and layout."""
    shapes: list[Shape] = []
    for layer, before, _ in with_shapes(work):
        match layer:
            case Dense(units=units):
                shapes += [(before[-1], units), (units,)]
            case Conv(filters=filters, kernel=kernel):
                shapes += [(kernel, kernel, before[-1], filters), (filters,)]
    return shapes


def _contractions(work: Workload) -> list[int]:
    """Multiply-adds, counted as two, of each weighted layer's forward pass over one sample."""
    kernels = [shape for shape in weight_shapes(work) if len(shape) > 1]
    behind = [shape for layer, _, shape in with_shapes(work) if isinstance(layer, Dense | Conv)]
    return [2 * prod(kernel) * prod(shape[:-1]) for kernel, shape in zip(kernels, behind, strict=True)]


def forward_flops(work: Workload) -> int:
    """Floating-point operations of the contractions in one sample's forward pass."""
    return sum(_contractions(work))


def step_flops(work: Workload) -> int:
    """Operations of the contractions in one training step.

    Each contraction runs three times (forward, weight gradient, input gradient), except that the data need no
    gradient. By the direct algorithms: whoever uses a faster one may show more than his machine's peak.
    """
    first, *rest = _contractions(work)
    return work.batch * (2 * first + 3 * sum(rest))


def initial_weights(work: Workload, seed: int = 0) -> list[np.ndarray]:
    """Glorot-uniform kernels and zero biases, float32, in Keras's order and layout."""
    import numpy as np

    rng = np.random.default_rng(seed)
    weights = []
    for shape in weight_shapes(work):
        if len(shape) == 1:
            weights.append(np.zeros(shape, np.float32))
            continue
        window = prod(shape[:-2])
        limit = (6 / (window * (shape[-2] + shape[-1]))) ** 0.5
        weights.append(rng.uniform(-limit, limit, shape).astype(np.float32))
    return weights


def data(work: Workload, samples: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (samples, *input_shape) float32 in [0, 1], most of them zero as in MNIST, and labels int32.

    Each class has a pattern of its own under the noise, so that training has something to learn. Made by
    integer arithmetic, not ``numpy.random``: its import would count into the time to the first step.
    """
    import numpy as np

    samples = samples or work.samples
    width = prod(work.input_shape)
    labels = _hash(np.arange(samples, dtype=np.uint32)) % np.uint32(work.classes)
    noise = _hash(np.arange(samples * width, dtype=np.uint32)).reshape(samples, width) / np.float32(2**32)
    pattern = _hash(np.arange(work.classes * width, dtype=np.uint32) + np.uint32(12345)) % np.uint32(5) == 0
    lit = pattern.reshape(work.classes, width)[labels]
    images = np.where(lit, 0.25 + 0.75 * noise, 0).astype(np.float32)
    return images.reshape(samples, *work.input_shape), labels.astype(np.int32)


def _hash(x: np.ndarray) -> np.ndarray:
    """Scatters consecutive uint32 over their range (the finalizer of MurmurHash3)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = (x ^ (x >> shift)) * x.dtype.type(factor)
    return x ^ (x >> 16)
