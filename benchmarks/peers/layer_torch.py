"""A layer's module in PyTorch, forward and backward: eager or compiled, in either layout of images."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.contenders import Contender
from benchmarks.layer_cases import RANDOM, block_of, learned, operands, sample_of
from benchmarks.peers import Call, torch_blocks
from benchmarks.peers.torch_layers import build, load_weights
from benchmarks.workloads import Workload, initial_weights

MEMORY = {4: torch.channels_last, 5: torch.channels_last_3d}  # by rank; two axes of places have names


def open_session(contender: Contender, work: Workload, threads: int) -> TorchLayer:
    torch.set_num_threads(threads)
    return TorchLayer(work, "compile" in contender.options)


class TorchLayer:
    """Output and gradients are left to PyTorch's own memory, as in a training loop."""

    def __init__(self, work: Workload, compiled: bool) -> None:
        self.work, self.compiled, self.block = work, compiled, block_of(work)
        self.first = self.block.first if self.block else len(work.input_shape) == 3

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}

    def variants(self, measure: str) -> tuple[str, ...]:
        return ("channels_last", "contiguous") if self.first else ("contiguous",)

    def _prepared(self, layout: str) -> tuple[nn.Module, list[torch.Tensor], torch.Tensor]:
        model = self._model()
        *inputs, dy = (self._tensor(array, layout) for array in operands(self.work))
        if layout == "channels_last" and (memory := MEMORY.get(inputs[0].ndim)):
            model = model.to(memory_format=memory)
        for x in inputs[: learned(self.work)]:
            x.requires_grad_()
        return model, inputs, dy

    def _model(self) -> nn.Module:
        if self.block is None:
            model = build(self.work)
            load_weights(model, self.work)
            return model
        model = torch_blocks.Chain(self.block)
        for arrays in initial_weights(self.work):
            torch_blocks.load_weights(model, self.block, arrays)
        return model

    def _tensor(self, array: np.ndarray, layout: str) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if not self.first:
            return tensor
        turned = tensor.movedim(-1, 1)
        return turned.contiguous() if layout == "contiguous" else turned

    def runner(self, measure: str, variant: str) -> Call:
        model, inputs, dy = self._prepared(variant)
        forward: Any = torch.compile(model) if self.compiled else model

        def call() -> None:
            for x in inputs:
                x.grad = None
            model.zero_grad(set_to_none=True)
            forward(*inputs).backward(dy)

        return call

    def sample(self) -> list[float]:
        if self.work.name in RANDOM:
            return []
        model, inputs, dy = self._prepared("contiguous")
        y = model(*inputs)
        y.backward(dy)
        arrays = [self._last(one) for one in (y, *(x.grad for x in inputs)) if one is not None]
        return sample_of(arrays, [one.grad.numpy() for one in model.parameters() if one.grad is not None])

    def _last(self, tensor: torch.Tensor) -> np.ndarray:
        tensor = tensor.detach()
        return (tensor.movedim(1, -1) if self.first else tensor).contiguous().numpy()
