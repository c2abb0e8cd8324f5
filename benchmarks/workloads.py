"""The workloads: a network, its loss, batch and data, in one place.

A workload is plain data; every adapter in ``peers/`` builds its own model from it. Data and first weights are
made from a seed, so that all contenders train the same network on the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from benchmarks import network, zoo
from benchmarks.network import Dense, Layer, Placed, Shape

if TYPE_CHECKING:
    import numpy as np

MEASURES = {"model": ("train", "predict", "call", "throughput"), "kernel": ("kernel",), "layer": ("layer",)}
CROSS_ENTROPIES = ("classes", "binary")


@dataclass(frozen=True)
class Workload:
    """A network trained by Adam, or only asked for predictions where ``samples`` is 0.

    ``samples`` is the size of one epoch (a whole number of batches) and ``epochs`` how many of them a call of
    ``fit`` runs: enough that the set-up of a call is no larger a part than in a user's program.
    ``vocabulary``: inputs are sequences of that many kinds of tokens; 0 where they are floats.
    ``loss``: "classes" (sparse categorical cross-entropy, of each position of a sequence too), "binary"
    (cross-entropy of one probability), "mse" (to a number or, behind an image, to the input itself).
    """

    name: str
    title: str
    input_shape: Shape
    layers: tuple[Layer, ...]
    batch: int
    samples: int
    epochs: int = 1
    loss: str = "classes"
    vocabulary: int = 0
    many: int = 256

    @property
    def steps(self) -> int:
        """Training steps in one epoch."""
        return self.samples // self.batch

    @property
    def trains(self) -> bool:
        return self.samples > 0

    @property
    def output_shape(self) -> Shape:
        """Of one sample."""
        return network.behind(self.layers, self.input_shape)

    @property
    def leaves(self) -> list[Placed]:
        return list(network.leaves(self.layers, self.input_shape))

    @property
    def has(self) -> frozenset[type]:
        """The kinds of layers."""
        return frozenset(type(layer) for layer, *_ in self.leaves)

    @property
    def final(self) -> str | None:
        """The last activation, where the loss is better computed from what lies before it (its logits)."""
        last = self.layers[-1]
        return last.activation if isinstance(last, Dense) and self.loss in CROSS_ENTROPIES else None

    @property
    def scores(self) -> tuple[Layer, ...]:
        """The layers without ``final``."""
        last = self.layers[-1]
        return (
            (*self.layers[:-1], Dense(last.units)) if isinstance(last, Dense) and self.final else self.layers
        )


def _image_rows() -> list[Workload]:
    small = (32, 32, 3)
    return [
        Workload("cnn", "MNIST CNN, batch 128", (28, 28, 1), zoo.cnn(), 128, 2048),
        Workload("resnet32", "ResNet-20, batch 32", small, zoo.resnet(20), 32, 512),
        Workload("resnet128", "ResNet-20, batch 128", small, zoo.resnet(20), 128, 1024),
        Workload("mobilenet", "MobileNetV1-style 32x32, batch 32", small, zoo.mobilenet(), 32, 512),
    ]


def _text_rows() -> list[Workload]:
    kinds = (("lstm", "LSTM", False), ("gru", "GRU", False), ("bilstm", "bidirectional LSTM", True))
    rows = [
        Workload(
            name,
            f"Embedding, {title} 64, 80 steps, batch 32",
            (80,),
            zoo.recurrent(name.removeprefix("bi"), both),
            32,
            1024,
            loss="binary",
            vocabulary=10_000,
        )
        for name, title, both in kinds
    ]
    title = "transformer, 2 blocks, 64 tokens, batch 16"
    return [*rows, Workload("transformer", title, (64,), zoo.transformer(), 16, 512, vocabulary=1000)]


def _large_rows() -> list[Workload]:
    """For inference alone."""
    image = (224, 224, 3)
    return [
        Workload("mobilenetv2", "MobileNetV2 224x224", image, zoo.mobilenet_v2(), 1, 0),
        Workload("resnet50", "ResNet50 224x224", image, zoo.resnet50(), 1, 0),
    ]


_DIGITS = (Dense(32, "relu"), Dense(10, "softmax"))

WORKLOADS: dict[str, Workload] = {
    work.name: work
    for work in (
        Workload("digits", "digits MLP 64-32-10, batch 32", (64,), _DIGITS, 32, 1792, 20),
        Workload("mlp32", "MLP 784-512-512-10, batch 32", (784,), zoo.mlp(), 32, 8192),
        Workload("mlp128", "MLP 784-512-512-10, batch 128", (784,), zoo.mlp(), 128, 8192),
        *_image_rows(),
        *_text_rows(),
        Workload(
            "autoencoder",
            "autoencoder 28x28x1, batch 64",
            (28, 28, 1),
            zoo.autoencoder(),
            64,
            1024,
            loss="mse",
        ),
        Workload(
            "tabular", "tabular MLP 64-256-256-1, batch 1024", (64,), zoo.tabular(), 1024, 16384, loss="mse"
        ),
        *_large_rows(),
    )
}


def forward_flops(work: Workload) -> int:
    """Floating-point operations of the contractions in one sample's forward pass."""
    return sum(network.flops(*place) for place in work.leaves)


def step_flops(work: Workload) -> int:
    """Operations of the contractions in one training step.

    Each contraction runs three times (forward, weight gradient, input gradient), except that the data need no
    gradient. By the direct algorithms: whoever uses a faster one may show more than his machine's peak.
    """
    weighted = [place for place in work.leaves if network.weight_shapes(place[0], place[1])]
    first, *rest = (network.flops(*place) for place in weighted)
    return work.batch * (2 * first + 3 * sum(rest))


def initial_weights(work: Workload, seed: int = 0) -> list[list[np.ndarray]]:
    """The weights of each layer that has some; see ``network.first_weights``."""
    return network.first_weights(work.layers, work.input_shape, seed)


def data(work: Workload, samples: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (samples, *input_shape) and what to learn of them.

    Floats are in [0, 1], most of them zero as in MNIST; tokens are int32. Labels are int32, all other targets
    float32. Made by integer arithmetic, not ``numpy.random``: its import would count into the time to the
    first step.
    """
    samples = samples or work.samples
    if not work.vocabulary:
        return _floats(work, samples)
    return _next_tokens(work, samples) if work.loss == "classes" else _sentences(work, samples)


def _floats(work: Workload, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Each class has a pattern of its own under the noise, so that training has something to learn."""
    import numpy as np

    width = prod(work.input_shape)
    classes = min(work.output_shape[-1], 10) if work.loss == "classes" else 10
    labels = _hash(np.arange(samples, dtype=np.uint32)) % np.uint32(classes)
    noise = _fractions(samples * width).reshape(samples, width)
    pattern = _hash(np.arange(classes * width, dtype=np.uint32) + np.uint32(12345)) % np.uint32(5) == 0
    lit = pattern.reshape(classes, width)[labels]
    x = np.where(lit, 0.25 + 0.75 * noise, 0).astype(np.float32).reshape(samples, *work.input_shape)
    if work.loss == "classes":
        return x, labels.astype(np.int32)
    if work.output_shape == work.input_shape:
        return x, x
    return x, labels.astype(np.float32)[:, None] / np.float32(classes)


def _sentences(work: Workload, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Even tokens prevail in one half of the samples, odd ones in the other; small numbers are frequent."""
    import numpy as np

    count = samples * prod(work.input_shape)
    words = (_fractions(count) ** 3 * (work.vocabulary // 2)).astype(np.uint32)
    labels = _hash(np.arange(samples, dtype=np.uint32)) % np.uint32(2)
    flipped = (_hash(np.arange(count, dtype=np.uint32) + np.uint32(999)) % np.uint32(4) == 0).reshape(
        samples, -1
    )
    x = 2 * words.reshape(samples, -1) + (labels[:, None] ^ flipped)
    return x.astype(np.int32), labels.astype(np.float32)[:, None]


def _next_tokens(work: Workload, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Sequences in which each token settles the next; a quarter of the vocabulary occurs."""
    import numpy as np

    used, (length,) = max(2, work.vocabulary // 4), work.input_shape
    start = _hash(np.arange(samples, dtype=np.uint32)) % np.uint32(used)
    steps = np.arange(length + 1, dtype=np.uint32)
    tokens = ((start[:, None] + 7 * steps) % used).astype(np.int32)
    return tokens[:, :-1].copy(), tokens[:, 1:].copy()


def loss_of(work: Workload, outputs: np.ndarray, targets: np.ndarray) -> float:
    """The workload's loss, from outputs behind the last activation."""
    import numpy as np

    outputs = np.asarray(outputs, np.float64)
    if work.loss == "mse":
        return float(np.mean((outputs - targets) ** 2))
    if work.loss == "classes":
        found = np.take_along_axis(outputs, targets[..., None], -1)
    else:
        found = np.where(targets > 0, outputs, 1 - outputs)
    return float(-np.log(np.maximum(found, 1e-12)).mean())


def untaught_loss(work: Workload, targets: np.ndarray) -> float:
    """The loss of whoever knows how often each target occurs but not the inputs."""
    import numpy as np

    if work.loss == "mse":
        return float(np.var(targets, axis=0).mean())
    _, counts = np.unique(targets, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _fractions(count: int) -> np.ndarray:
    import numpy as np

    return _hash(np.arange(count, dtype=np.uint32)) / np.float32(2**32)


def _hash(x: np.ndarray) -> np.ndarray:
    """Scatters consecutive uint32 over their range (the finalizer of MurmurHash3)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = (x ^ (x >> shift)) * x.dtype.type(factor)
    return x ^ (x >> 16)
