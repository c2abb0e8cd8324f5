"""PyTorch as its users write a training loop: tensors at hand, fused or foreach Adam, either image layout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks import workloads
from benchmarks.contenders import Contender
from benchmarks.peers import Call, Chunk
from benchmarks.workloads import Conv, Dense, Dropout, Flatten, MaxPool, Workload


def open_session(contender: Contender, work: Workload, threads: int) -> TorchSession:
    torch.set_num_threads(threads)
    return TorchSession(work, compiled="compile" in contender.options)


def build(work: Workload) -> nn.Sequential:
    """The workload as logits (the loss adds the softmax), channels first as PyTorch wants its images."""
    modules: list[nn.Module] = []
    for layer, before, behind in workloads.with_shapes(work):
        modules.append(_module(layer, before, behind))
        if getattr(layer, "activation", None) == "relu":
            modules.append(nn.ReLU())
    return nn.Sequential(*modules)


def _module(layer: workloads.Layer, before: tuple[int, ...], behind: tuple[int, ...]) -> nn.Module:
    match layer:
        case Dense(units=units):
            return nn.Linear(before[-1], units)
        case Conv(filters=filters, kernel=kernel):
            return nn.Conv2d(before[-1], filters, kernel)
        case MaxPool(size=size):
            return nn.MaxPool2d(size)
        case Dropout(rate=rate):
            return nn.Dropout(rate)
        case Flatten():
            return nn.Flatten()


@torch.no_grad()
def load_weights(model: nn.Sequential, work: Workload) -> None:
    """Keras's layouts to PyTorch's: (in, out) to (out, in), (h, w, in, out) to (out, in, h, w)."""
    weights = iter(workloads.initial_weights(work))
    image: tuple[int, ...] = ()
    shapes = workloads.with_shapes(work)
    linear_or_conv = (module for module in model if isinstance(module, nn.Linear | nn.Conv2d))
    for layer, before, _ in shapes:
        if isinstance(layer, Flatten):
            image = before
        if isinstance(layer, Dense | Conv):
            module = next(linear_or_conv)
            kernel, bias = next(weights), next(weights)
            module.weight.copy_(torch.from_numpy(_kernel(kernel, image).copy()))
            module.bias.copy_(torch.from_numpy(bias))
            image = ()


def _kernel(kernel: np.ndarray, image: tuple[int, ...]) -> np.ndarray:
    if kernel.ndim == 4:
        return kernel.transpose(3, 2, 0, 1)
    if image:  # the layer behind Flatten: its rows come channels last, and PyTorch flattens channels first
        return kernel.reshape(*image, -1).transpose(3, 2, 0, 1).reshape(kernel.shape[1], math.prod(image))
    return kernel.T


class TorchSession:
    """Eager loops, or the same with ``torch.compile``."""

    def __init__(self, work: Workload, compiled: bool) -> None:
        self.work, self.compiled = work, compiled
        self.trained: dict[str, tuple[nn.Sequential, str]] = {}
        self.has_images = len(work.input_shape) == 3

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}

    def variants(self, measure: str) -> tuple[str, ...]:
        layouts = ("channels_last", "contiguous") if self.has_images else ("contiguous",)
        ways = {
            "train": ("fused", "foreach"),
            "predict": (),
            "call": ("compile",) if self.compiled else ("eager", "traced"),
        }[measure]
        return tuple(f"{way}, {layout}" for layout in layouts for way in ways)

    def runner(self, measure: str, variant: str) -> Chunk | Call:
        way, layout = variant.split(", ")
        if measure != "train":
            return self._call(way, layout)
        model = self._model(layout)
        self.trained[variant] = model, layout
        return self._training(model, way, layout)

    def _training(self, model: nn.Sequential, adam: str, layout: str) -> Chunk:
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, **{adam: True})
        batches = self._batches(layout)
        forward = torch.compile(model) if self.compiled else model

        def chunk() -> int:
            for x, y in batches:
                optimizer.zero_grad(set_to_none=True)
                nn.functional.cross_entropy(forward(x), y).backward()
                optimizer.step()
            return len(batches)

        return chunk

    def _model(self, layout: str) -> nn.Sequential:
        model = build(self.work)
        load_weights(model, self.work)
        return model.to(memory_format=torch.channels_last) if layout == "channels_last" else model

    def _batches(self, layout: str, samples: int | None = None) -> list[tuple[torch.Tensor, torch.Tensor]]:
        x, y = workloads.data(self.work, samples)
        labels = torch.from_numpy(y).long().split(self.work.batch)
        starts = range(0, len(x), self.work.batch)
        images = [self._tensor(x[i : i + self.work.batch], layout) for i in starts]
        return list(zip(images, labels, strict=True))

    def _tensor(self, x: np.ndarray, layout: str) -> torch.Tensor:
        tensor = torch.from_numpy(x)
        if not self.has_images:
            return tensor
        tensor = tensor.permute(0, 3, 1, 2)
        memory = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        return tensor.contiguous(memory_format=memory)

    def _call(self, way: str, layout: str) -> Call:
        model = nn.Sequential(*self._model(layout), nn.Softmax(-1)).eval()
        x = self._tensor(workloads.data(self.work, 1)[0], layout)
        forward: Any = model
        if way == "compile":
            forward = torch.compile(model)
        elif way == "traced":
            with torch.inference_mode():
                forward = torch.jit.optimize_for_inference(torch.jit.trace(model, x))

        def call() -> torch.Tensor:
            with torch.inference_mode():
                return forward(x)

        return call

    def sample(self) -> list[float]:
        x = self._tensor(workloads.data(self.work, 4)[0], "contiguous")
        with torch.inference_mode():
            return self._model("contiguous").eval()(x).softmax(-1).flatten().tolist()

    def probabilities(self, variant: str) -> list[list[float]]:
        model, layout = self.trained[variant]
        ((x, _),) = self._batches(layout, self.work.batch)
        with torch.inference_mode():
            scores = model.eval()(x).softmax(-1).tolist()
        model.train()
        return scores

    def first_step(self) -> None:
        model = build(self.work)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)
        forward = torch.compile(model) if self.compiled else model
        ((x, y),) = self._batches("contiguous", self.work.batch)
        nn.functional.cross_entropy(forward(x), y).backward()
        optimizer.step()
