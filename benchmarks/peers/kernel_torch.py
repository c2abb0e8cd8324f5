"""PyTorch's kernels: MKL's product, oneDNN's convolution and its two gradients, in both memory layouts."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.contenders import Contender
from benchmarks.kernel_cases import FILTERS, IMAGES, Case, operands, sample_of
from benchmarks.peers import Call


def open_session(contender: Contender, case: Case, threads: int) -> TorchKernel:
    del contender
    torch.set_num_threads(threads)
    return TorchKernel(case)


class TorchKernel:
    """Images (n, h, w, c) and filters (h, w, in, out) are handed over in PyTorch's order of axes."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}

    def variants(self, measure: str) -> tuple[str, ...]:
        return ("contiguous",) if self.case.kind == "matmul" else ("channels_last", "contiguous")

    def runner(self, measure: str, variant: str) -> Call:
        left, right = map(torch.from_numpy, operands(self.case))
        if self.case.kind == "matmul":
            out = torch.empty(self.case.result)
            return lambda: torch.mm(left, right, out=out)
        memory = getattr(torch, {"contiguous": "contiguous_format"}.get(variant, variant))
        return self._convolution(
            *(
                tensor.permute(_axes(tensor.shape)).contiguous(memory_format=memory)
                for tensor in (left, right)
            )
        )

    def _convolution(self, left: torch.Tensor, right: torch.Tensor) -> Call:
        if self.case.kind == "forward":
            return lambda: torch.nn.functional.conv2d(left, right)
        if self.case.kind == "kernel_grad":
            images, d_output, wanted = left, right, [False, True, False]
            filters = torch.empty(*(FILTERS[i] for i in (3, 2, 0, 1))).to(memory_format=_memory(images))
        else:
            d_output, filters, wanted = left, right, [True, False, False]
            images = torch.empty(*(IMAGES[i] for i in (0, 3, 1, 2))).to(memory_format=_memory(d_output))
        backward = torch.ops.aten.convolution_backward
        pair = [1, 1]
        return lambda: backward(d_output, images, filters, None, pair, [0, 0], pair, False, [0, 0], 1, wanted)

    def sample(self) -> list[float]:
        result = self.runner("kernel", "contiguous")()
        if isinstance(result, tuple):
            result = next(part for part in result if part is not None)
        assert isinstance(result, torch.Tensor)
        if self.case.kind != "matmul":
            result = result.permute(np.argsort(_axes(self.case.result)).tolist())
        return sample_of(self.case, result.contiguous().numpy())


def _axes(shape: tuple[int, ...] | torch.Size) -> tuple[int, ...]:
    return (3, 2, 0, 1) if tuple(shape) == FILTERS else (0, 3, 1, 2)


def _memory(tensor: torch.Tensor) -> torch.memory_format:
    last = tensor.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format
