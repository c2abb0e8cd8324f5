"""A workload's network as PyTorch modules: images channels first, scores before the last activation."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from benchmarks import network, workloads
from benchmarks.network import (
    Activation,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Depthwise,
    Dropout,
    Embedding,
    Flatten,
    GlobalAverage,
    Layer,
    LayerNorm,
    Leaf,
    MaxPool,
    Positions,
    Recurrent,
    Residual,
    SelfAttention,
    Shape,
    UpSample,
)
from benchmarks.peers import torch_blocks
from benchmarks.workloads import Workload

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "gelu": nn.GELU,
    "sigmoid": nn.Sigmoid,
}


def build(work: Workload) -> nn.Sequential:
    """The workload's scores: the loss adds the softmax or sigmoid."""
    return _chain(work.scores, work.input_shape)


def _chain(layers: Iterable[Layer], shape: Shape) -> nn.Sequential:
    modules: list[nn.Module] = []
    for layer in layers:
        after = network.output_shape(layer, shape)
        if isinstance(layer, Residual):
            modules.append(Sum(_chain(layer.branch, shape), _chain(layer.shortcut, shape)))
        else:
            modules += _image(layer, shape) or [_plain(layer, shape)]
        if name := getattr(layer, "activation", None):
            modules.append(ACTIVATIONS[name]())
        shape = after
    return nn.Sequential(*modules)


def _image(layer: Leaf, before: Shape) -> list[nn.Module]:
    match layer:
        case Conv(filters, kernel, _, stride, same, bias):
            pads, padding = _padding(before, kernel, stride, same)
            return [*pads, nn.Conv2d(before[2], filters, kernel, stride, padding, bias=bias)]
        case Depthwise(kernel, stride):
            pads, padding = _padding(before, kernel, stride, True)
            channels = before[2]
            module = nn.Conv2d(channels, channels, kernel, stride, padding, groups=channels, bias=False)
            return [*pads, module]
        case ConvTranspose(filters, kernel, stride):
            return [nn.ConvTranspose2d(before[2], filters, kernel, stride, (kernel - stride) // 2)]
        case MaxPool(size=size):
            # Without padding in front, Keras's padded windows are those that ceil_mode adds.
            return [nn.MaxPool2d(size, layer.step, ceil_mode=layer.same)]
        case GlobalAverage():
            return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return []


def _padding(shape: Shape, kernel: int, stride: int, same: bool) -> tuple[list[nn.Module], int]:
    """PyTorch pads both sides alike; the few layers that need more on one side get a layer of zeros."""
    sides = [network.padded(size, kernel, stride) for size in shape[1::-1]] if same else [(0, 0)]
    first, last = sides[0]
    if first == last and all(one == other for one, other in pairwise(sides)):
        return [], first
    return [nn.ZeroPad2d(tuple(zeros for side in sides for zeros in side))], 0


def _plain(layer: Leaf, before: Shape) -> nn.Module:
    width = before[-1]
    match layer:
        case Dense(units):
            return nn.Linear(width, units)
        case UpSample(size):
            return nn.Upsample(scale_factor=size)
        case BatchNorm(momentum, epsilon):
            norm = nn.BatchNorm2d if len(before) == 3 else nn.BatchNorm1d
            return norm(width, eps=epsilon, momentum=1 - momentum)
        case LayerNorm(epsilon):
            return nn.LayerNorm(width, eps=epsilon)
        case Activation():
            return nn.Identity()
        case Dropout(rate):
            return nn.Dropout(rate)
        case Flatten():
            return nn.Flatten()
        case Embedding(vocabulary, size):
            return nn.Embedding(vocabulary, size)
        case Positions():
            return AddPositions(before)
        case Recurrent():
            return LastOutput(layer, width)
        case SelfAttention(heads):
            return Attention(heads, width)
    raise TypeError(f"no module for {layer}")


class Sum(nn.Module):
    def __init__(self, branch: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.branch(x) + self.shortcut(x)


class AddPositions(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(shape).uniform_(-0.05, 0.05))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.table


class LastOutput(nn.Module):
    def __init__(self, layer: Recurrent, width: int) -> None:
        super().__init__()
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[layer.kind]
        self.cells = kind(width, layer.units, batch_first=True, bidirectional=layer.bidirectional)
        if layer.kind == "lstm":
            torch_blocks.freeze_second_bias(self.cells)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, states = self.cells(x)
        last = states[0] if isinstance(states, tuple) else states
        return torch.cat(last.unbind(), -1)


class Attention(nn.Module):
    """One product for queries, keys and values."""

    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        self.heads = heads
        self.inner, self.outer = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, length, width = x.shape
        parts = self.inner(x).view(n, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.outer(seen.transpose(1, 2).reshape(n, length, width))


@torch.no_grad()
def load_weights(model: nn.Sequential, work: Workload) -> None:
    """Keras's layouts to PyTorch's: (in, out) to (out, in), (h, w, in, out) to (out, in, h, w)."""
    weights = iter(workloads.initial_weights(work))
    modules = (one for one in model.modules() if isinstance(one, _WEIGHTED) and not _is_inside(one, model))
    image: Shape = ()
    for layer, before, _ in work.leaves:
        if isinstance(layer, Flatten) and len(before) == 3:
            image = before
        if not network.weight_shapes(layer, before):
            continue
        arrays = next(weights)
        if isinstance(layer, Dense) and image:
            arrays[0], image = _channels_first(arrays[0], image), ()
        targets = _targets(layer, next(modules))
        for target, source in zip(targets, _converted(layer, arrays), strict=True):
            target.copy_(torch.from_numpy(np.ascontiguousarray(source)))


_WEIGHTED = (
    nn.Linear,
    nn.Conv2d,
    nn.ConvTranspose2d,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.LayerNorm,
    nn.Embedding,
    AddPositions,
    LastOutput,
    Attention,
)


def _is_inside(module: nn.Module, model: nn.Module) -> bool:
    """Whether it is a part of a module that is loaded as a whole."""
    wholes = (one for one in model.modules() if isinstance(one, Attention))
    return any(module is part for whole in wholes for part in whole.children())


def _channels_first(kernel: np.ndarray, image: Shape) -> np.ndarray:
    """Behind Flatten the rows come channels last, and PyTorch flattens channels first."""
    return kernel.reshape(*image, -1).transpose(2, 0, 1, 3).reshape(math.prod(image), -1)


def _targets(layer: Leaf, module: nn.Module) -> list[torch.Tensor]:
    if isinstance(layer, BatchNorm):
        return [module.weight, module.bias, module.running_mean, module.running_var]  # type: ignore[list-item]
    return list(module.parameters())


def _converted(layer: Leaf, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """A layer's weights in the order and layout of its module's parameters."""
    match layer:
        case Conv() | ConvTranspose():
            # Transposed kernels are (h, w, out, in) here, (in, out, h, w) there: the same turn of axes.
            return [arrays[0].transpose(3, 2, 0, 1), *arrays[1:]]
        case Depthwise():
            return [arrays[0].transpose(2, 3, 0, 1)]
        case Dense():
            return [arrays[0].T, arrays[1]]
        case Recurrent():
            ways = len(arrays) // layer.directions
            return [
                part for i in range(0, len(arrays), ways) for part in torch_blocks.cell(arrays[i : i + ways])
            ]
        case SelfAttention():
            return _attention(arrays)
    return arrays


def _attention(arrays: list[np.ndarray]) -> list[np.ndarray]:
    width = arrays[0].shape[0]
    kernel = np.concatenate([one.reshape(width, width).T for one in arrays[0:6:2]])
    bias = np.concatenate([one.reshape(width) for one in arrays[1:6:2]])
    return [kernel, bias, arrays[6].reshape(width, width).T, arrays[7]]
