"""Single layers at typical sizes: forward and backward of each, beside the same block in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import TYPE_CHECKING

from benchmarks.block import Block, drawn
from benchmarks.block_cases import BLOCKS
from benchmarks.network import (
    Activation,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Depthwise,
    Embedding,
    GlobalAverage,
    Layer,
    LayerNorm,
    MaxPool,
    Positions,
    Recurrent,
    Residual,
    SelfAttention,
    Shape,
    UpSample,
    flops,
)
from benchmarks.pointwise_cases import POINTWISE
from benchmarks.workloads import Workload, data

if TYPE_CHECKING:
    import numpy as np

_IMAGE = (32, 32, 32)
_TOKENS = (64, 128)

_CASES: tuple[tuple[str, Shape, Layer, int], ...] = (
    ("dense", (512,), Dense(512), 128),
    ("dense_relu", (512,), Dense(512, "relu"), 128),
    ("dense_tokens", _TOKENS, Dense(512, "gelu"), 16),
    ("conv3x3", _IMAGE, Conv(64, 3, same=True), 32),
    ("conv3x3_relu", _IMAGE, Conv(64, 3, "relu", same=True), 32),
    ("conv3x3_stride2", _IMAGE, Conv(64, 3, stride=2, same=True), 32),
    ("conv1x1", _IMAGE, Conv(64, 1), 32),
    ("conv5x5", _IMAGE, Conv(32, 5, same=True), 32),
    ("depthwise", _IMAGE, Depthwise(3), 32),
    ("depthwise_stride2", _IMAGE, Depthwise(3, 2), 32),
    ("conv_transpose", (14, 14, 64), ConvTranspose(32, 4, 2), 32),
    ("up_sampling", (16, 16, 64), UpSample(2), 32),
    ("max_pooling", _IMAGE, MaxPool(2), 32),
    ("max_pooling_overlapping", _IMAGE, MaxPool(3, 2, same=True), 32),
    ("global_average_pooling", _IMAGE, GlobalAverage(), 32),
    ("batch_normalization", (256,), BatchNorm(), 1024),
    ("batch_normalization_image", _IMAGE, BatchNorm(), 32),
    ("layer_normalization", _TOKENS, LayerNorm(), 16),
    ("relu", _IMAGE, Activation("relu"), 32),
    ("relu6", _IMAGE, Activation("relu6"), 32),
    ("gelu", (64, 512), Activation("gelu"), 16),
    ("sigmoid", (64, 512), Activation("sigmoid"), 16),
    ("add", _IMAGE, Residual((Activation("relu"),)), 32),
    ("embedding", (80,), Embedding(10_000, 64), 32),
    ("positions", _TOKENS, Positions(), 16),
    ("lstm", (80, 64), Recurrent("lstm", 64), 32),
    ("gru", (80, 64), Recurrent("gru", 64), 32),
    ("bidirectional_lstm", (80, 64), Recurrent("lstm", 64, True), 32),
    ("attention", _TOKENS, SelfAttention(4), 16),
)


def _case(name: str, shape: Shape, layer: Layer, batch: int) -> Workload:
    vocabulary = layer.vocabulary if isinstance(layer, Embedding) else 0
    title = f"{name}, {batch} x {'x'.join(map(str, shape))}"
    return Workload(f"layer_{name}", title, shape, (layer,), batch, batch, loss="mse", vocabulary=vocabulary)


LAYERS: dict[str, Workload] = {
    work.name: work for work in (_case(*case) for case in (*_CASES, *BLOCKS, *POINTWISE))
}

RANDOM = frozenset(name for name, work in LAYERS.items() if getattr(work.layers[0], "random", False))
"""Layers that draw numbers: no two libraries' outputs can be compared."""


def layer_flops(work: Workload) -> int:
    """Operations of the contractions in a forward and a backward pass."""
    return 3 * work.batch * sum(flops(*place) for place in work.leaves)


def block_of(work: Workload) -> Block | None:
    """The block, where a workload is nothing else."""
    return work.layers[0] if isinstance(work.layers[0], Block) else None


def operands(work: Workload) -> tuple[np.ndarray, ...]:
    """The layer's input, further ones, and the gradient that comes back to its output: float32 around 0.

    A loss's gradient is one number, 1; classes and tokens are integers.
    """
    import numpy as np

    rng = np.random.default_rng(1)
    shape = (work.batch, *work.input_shape)
    block = block_of(work)
    x = data(work)[0] if work.vocabulary else drawn(rng, shape, block.values if block else "normal")
    further = block.others if block else ()
    others = [drawn(rng, (work.batch, *one.shape), one.values) for one in further]
    if block and block.is_loss:
        return x, *others, np.ones((), np.float32)
    return x, *others, drawn(rng, (work.batch, *work.output_shape), "normal")


def learned(work: Workload) -> int:
    """How many of the operands, from the first on, get gradients: not tokens, nor the targets of a loss."""
    block = block_of(work)
    if work.vocabulary:
        return 0
    return 1 if block is None or block.is_loss else 1 + len(block.others)


def sample_of(arrays: Sequence[np.ndarray], gradients: Sequence[np.ndarray]) -> list[float]:
    """What libraries can be compared by: a few elements of each array, by its largest, and how long each
    array is and all gradients of weights together, whatever layouts a library gives them.
    """
    import numpy as np

    found = _length(gradients)
    for array in arrays:
        flat = np.asarray(array, np.float64).reshape(-1)
        chosen = flat[:: max(1, len(flat) // 16)]
        found += _length([flat]) + (chosen / max(float(np.abs(flat).max()), 1e-30)).tolist()
    return found


def _length(arrays: Sequence[np.ndarray]) -> list[float]:
    import numpy as np

    square = sum(float(np.square(one, dtype=np.float64).sum()) for one in arrays)
    return [log(square) / 10] if square else []
