"""PyTorch as its users write a training loop: tensors at hand, fused or foreach Adam, either image layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks import workloads
from benchmarks.contenders import Contender
from benchmarks.network import Recurrent
from benchmarks.peers import Call, Chunk
from benchmarks.peers.torch_layers import build, load_weights
from benchmarks.workloads import Workload


def open_session(contender: Contender, work: Workload, threads: int) -> TorchSession:
    torch.set_num_threads(threads)
    return TorchSession(work, compiled="compile" in contender.options)


LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "classes": lambda scores, y: nn.functional.cross_entropy(scores.flatten(0, -2), y.flatten()),
    "binary": nn.functional.binary_cross_entropy_with_logits,
    "mse": nn.functional.mse_loss,
}
FINAL: dict[str | None, nn.Module] = {"softmax": nn.Softmax(-1), "sigmoid": nn.Sigmoid(), None: nn.Identity()}


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
        # A trace of cells that loop over steps holds their number; users leave those eager.
        calls = ("eager",) if Recurrent in self.work.has else ("eager", "traced")
        ways = {
            "train": ("fused", "foreach") if self.work.trains else (),
            "predict": (),
        }.get(measure, ("compile",) if self.compiled else calls)
        return tuple(f"{way}, {layout}" for layout in layouts for way in ways)

    def runner(self, measure: str, variant: str) -> Chunk | Call:
        way, layout = variant.split(", ")
        if measure != "train":
            return self._call(way, layout, self.work.many if measure == "throughput" else 1)
        model = self._model(layout)
        self.trained[variant] = model, layout
        batches, step = self._batches(layout), self._step(model, **{way: True})

        def chunk() -> int:
            for x, y in batches:
                step(x, y)
            return len(batches)

        return chunk

    def _step(
        self, model: nn.Sequential, **adam: bool
    ) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        parameters = [one for one in model.parameters() if one.requires_grad]
        optimizer = torch.optim.Adam(parameters, lr=1e-3, eps=1e-7, **adam)
        forward = torch.compile(model) if self.compiled else model
        loss_of = LOSSES[self.work.loss]

        def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(forward(x), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return step

    def _model(self, layout: str) -> nn.Sequential:
        model = build(self.work)
        load_weights(model, self.work)
        return model.to(memory_format=torch.channels_last) if layout == "channels_last" else model

    def _batches(self, layout: str, samples: int | None = None) -> list[tuple[torch.Tensor, torch.Tensor]]:
        x, y = workloads.data(self.work, samples)
        y = y.astype(np.int64) if y.dtype == np.int32 else y
        starts = range(0, len(x), self.work.batch)
        parts = ([self._tensor(z[i : i + self.work.batch], layout) for i in starts] for z in (x, y))
        return list(zip(*parts, strict=True))

    def _tensor(self, x: np.ndarray, layout: str) -> torch.Tensor:
        tensor = torch.from_numpy(x)
        if x.ndim != 4:
            return tensor
        tensor = tensor.permute(0, 3, 1, 2)
        memory = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        return tensor.contiguous(memory_format=memory)

    def _call(self, way: str, layout: str, samples: int) -> Call:
        model = nn.Sequential(*self._model(layout), FINAL[self.work.final]).eval()
        x = self._tensor(workloads.data(self.work, samples)[0], layout)
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
        return self._predict(self._model("contiguous"), x).ravel().tolist()

    def _predict(self, model: nn.Sequential, x: torch.Tensor) -> np.ndarray:
        with torch.inference_mode():
            y = FINAL[self.work.final](model.eval()(x))
        model.train()
        return (y.permute(0, 2, 3, 1) if y.ndim == 4 else y).contiguous().numpy()

    def outputs(self, variant: str) -> np.ndarray:
        model, layout = self.trained[variant]
        ((x, _),) = self._batches(layout, self.work.batch)
        return self._predict(model, x)

    def losses(self) -> list[float]:
        step = self._step(self._model("contiguous"), fused=True)
        return [float(step(x, y)) for x, y in self._batches("contiguous")]

    def first_step(self) -> None:
        ((x, y),) = self._batches("contiguous", self.work.batch)
        self._step(build(self.work))(x, y)
