"""Blocks that are measured alone, as PyTorch modules."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

import numpy as np
import torch
from torch import nn

from benchmarks.block import Block, Named

Tensor = torch.Tensor


class Chain(nn.Module):
    """The parts of a block, the first of all inputs, each further one of what came out before."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.first, *rest = (made(part) for part in block.torch)
        self.rest = nn.Sequential(*rest)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.rest(self.first(*inputs))


def made(part: Named) -> nn.Module:
    """A module of that name: of this file, of ``nn``, or a function of ``nn`` or ``torch`` as one."""
    found = globals().get(part.name)
    for owner in (nn, torch):
        try:
            found = found or attrgetter(part.name)(owner)
        except AttributeError:
            continue
    if found is None:
        raise TypeError(f"PyTorch has no {part.name}")
    if isinstance(found, type):
        return found(*part.arguments, **part.options)
    return Function(found, part)


class Function(nn.Module):
    def __init__(self, function: Callable[..., Tensor], part: Named) -> None:
        super().__init__()
        self.function, self.part = function, part

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs, *self.part.arguments, **self.part.options)


class AddNoise(nn.Module):
    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, torch.randn_like(x), alpha=self.deviation)


class Crop(nn.Module):
    """A view."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.inner = slice(size, -size)

    def forward(self, x: Tensor) -> Tensor:
        return x[(..., *(self.inner,) * (x.ndim - 2))]


class Joined(nn.Module):
    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.cat(inputs, self.axis)


class Divergence(nn.Module):
    def forward(self, x: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.kl_div(x.log(), targets, reduction="batchmean")


class Ctc(nn.Module):
    """The mean over samples, all of them of full length; PyTorch's own divides by the labels' number."""

    def forward(self, x: Tensor, targets: Tensor) -> Tensor:
        n, steps, _ = x.shape
        logs = x.log_softmax(-1).transpose(0, 1)
        lengths = [steps] * n, [targets.shape[1]] * n
        return nn.functional.ctc_loss(logs, targets, *lengths, reduction="sum") / n


class Cells(nn.Module):
    """The outputs of a recurrent network at all steps or at the last one."""

    def __init__(self, kind: str, width: int, units: int, sequences: bool) -> None:
        super().__init__()
        self.sequences = sequences
        self.cells = getattr(nn, kind)(width, units, batch_first=True)
        if kind != "GRU":
            freeze_second_bias(self.cells)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.cells(x)
        return outputs if self.sequences else outputs[:, -1]


def freeze_second_bias(cells: nn.Module) -> None:
    """PyTorch adds one, which would learn what the first one does."""
    for name, parameter in cells.named_parameters():
        parameter.requires_grad_(not name.startswith("bias_hh"))


class ScaledAttention(nn.Module):
    """Keys are the values; scores are not scaled, as Keras's ``Attention`` has it."""

    def forward(self, query: Tensor, value: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(query, value, value, scale=1.0)


class GroupedAttention(nn.Module):
    """Several heads of queries to one of keys and values."""

    def __init__(self, heads: int, shared: int, width: int) -> None:
        super().__init__()
        self.heads, self.shared, self.each = heads, shared, width // heads
        self.query = nn.Linear(width, width)
        self.key, self.value = (nn.Linear(width, shared * self.each) for _ in range(2))
        self.outer = nn.Linear(width, width)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        query = self._split(self.query(x), self.heads)
        key, value = (self._split(one(seen), self.shared) for one in (self.key, self.value))
        y = nn.functional.scaled_dot_product_attention(query, key, value, enable_gqa=True)
        return self.outer(y.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor, heads: int) -> Tensor:
        return x.view(*x.shape[:2], heads, self.each).transpose(1, 2)


def targets(module: nn.Module) -> list[Tensor]:
    """What a block's weights are copied to: parameters and statistics, in their order."""
    return [one for one in module.state_dict().values() if one.is_floating_point()]


def converted(block: Block, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """A block's weights in the layouts of its module's parameters, up to axes of length 1."""
    names = [name for name, _ in block.weights]
    if "recurrent_kernel" in names:
        return cell(arrays)
    return [_turned(name, array) for name, array in zip(names, arrays, strict=True)]


def _turned(name: str, array: np.ndarray) -> np.ndarray:
    """A window's kernel comes (places, in, out) and goes (out, in, places), transposed ones likewise."""
    if not name.endswith("kernel"):
        return array
    if name == "output_kernel":
        return array.reshape(-1, array.shape[-1]).T
    if name in ("query_kernel", "key_kernel", "value_kernel"):
        return array.reshape(len(array), -1).T
    places = range(array.ndim - 2)
    if name == "depthwise_kernel":
        turned = array.transpose(-2, -1, *places)
        return turned.reshape(-1, 1, *turned.shape[2:])
    return array.transpose(-1, -2, *places)


def cell(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Gates: i f c o in both libraries' LSTM; z r h in Keras's GRU, r z h in PyTorch's."""
    kernel, recurrent, bias = arrays
    biases = list(bias) if bias.ndim == 2 else [bias, np.zeros_like(bias)]
    parts = [kernel.T, recurrent.T, *biases]
    if bias.ndim == 1:
        return parts
    update, reset, hidden = zip(*(np.split(part, 3) for part in parts), strict=True)
    return [np.concatenate(three) for three in zip(reset, update, hidden, strict=True)]


def load_weights(module: nn.Module, block: Block, arrays: list[np.ndarray]) -> None:
    for target, source in zip(targets(module), converted(block, arrays), strict=True):
        target.copy_(torch.from_numpy(np.ascontiguousarray(source)).reshape(target.shape))
