"""A layer's module in PyTorch, forward and backward: eager or compiled, in either layout of images."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.contenders import Contender
from benchmarks.layer_cases import operands, sample_of
from benchmarks.peers import Call
from benchmarks.peers.torch_layers import build, load_weights
from benchmarks.workloads import Workload


def open_session(contender: Contender, work: Workload, threads: int) -> TorchLayer:
    torch.set_num_threads(threads)
    return TorchLayer(work, "compile" in contender.options)


class TorchLayer:
    """Output and gradients are left to PyTorch's own memory, as in a training loop."""

    def __init__(self, work: Workload, compiled: bool) -> None:
        self.work, self.compiled = work, compiled

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}

    def variants(self, measure: str) -> tuple[str, ...]:
        return ("channels_last", "contiguous") if len(self.work.input_shape) == 3 else ("contiguous",)

    def _prepared(self, layout: str) -> tuple[nn.Sequential, torch.Tensor, torch.Tensor]:
        model = build(self.work)
        load_weights(model, self.work)
        x, dy = (self._tensor(array, layout) for array in operands(self.work))
        if layout == "channels_last":
            model = model.to(memory_format=torch.channels_last)
        return model, x.requires_grad_(x.is_floating_point()), dy

    def _tensor(self, array: np.ndarray, layout: str) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if array.ndim != 4:
            return tensor
        memory = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        return tensor.permute(0, 3, 1, 2).contiguous(memory_format=memory)

    def runner(self, measure: str, variant: str) -> Call:
        model, x, dy = self._prepared(variant)
        forward: Any = torch.compile(model) if self.compiled else model

        def call() -> None:
            x.grad = None
            model.zero_grad(set_to_none=True)
            forward(x).backward(dy)

        return call

    def sample(self) -> list[float]:
        model, x, dy = self._prepared("contiguous")
        y = model(x)
        y.backward(dy)
        arrays = [_last(one) for one in (y, x.grad) if one is not None]
        return sample_of(arrays, [one.grad.numpy() for one in model.parameters() if one.grad is not None])


def _last(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach()
    return (tensor.permute(0, 2, 3, 1) if tensor.ndim == 4 else tensor).contiguous().numpy()
