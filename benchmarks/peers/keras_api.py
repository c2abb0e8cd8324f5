"""Keras code, run by Keras on any backend and by kcompile: only the name that is imported differs."""

from __future__ import annotations

import importlib
from typing import Any

from benchmarks import workloads
from benchmarks.contenders import OURS, Contender
from benchmarks.peers import Call, Chunk
from benchmarks.peers.keras_layers import build
from benchmarks.workloads import Workload


def open_session(contender: Contender, work: Workload, threads: int) -> KerasSession:
    keras = importlib.import_module(contender.imports)
    _limit_threads(contender.environment.get("KERAS_BACKEND"), threads)
    return KerasSession(keras, contender, work)


def _limit_threads(backend: str | None, threads: int) -> None:
    """What the environment variables do not settle already."""
    if backend == "torch":
        import torch

        torch.set_num_threads(threads)


class KerasSession:
    """Trains and predicts by the methods of ``keras.Model`` alone."""

    def __init__(self, keras: Any, contender: Contender, work: Workload) -> None:
        self.keras, self.contender, self.work = keras, contender, work
        self.model, _ = build(keras, work)
        self.trained: dict[str, Any] = {}

    def versions(self) -> dict[str, str]:
        names = (self.contender.imports, self.contender.environment.get("KERAS_BACKEND"))
        return {name: importlib.import_module(name).__version__ for name in names if name}

    def variants(self, measure: str) -> tuple[str, ...]:
        """The peers' fastest way counts; kcompile is measured by ``fit`` and by calling the model alone."""
        if measure == "train" and not self.work.trains:
            return ()
        first = {"train": "fit", "predict": "predict"}.get(measure, "call")
        second = {"train": "train_on_batch", "predict": None}.get(measure, "predict_on_batch")
        return (first, second) if second and self.contender.name != OURS else (first,)

    def runner(self, measure: str, variant: str) -> Chunk | Call:
        model = self._fresh_model()
        if measure == "train":
            self.trained[variant] = model
            return self._fit(model) if variant == "fit" else self._train_on_batch(model)
        x, _ = workloads.data(self.work, self.work.many if measure == "throughput" else 1)
        if variant == "predict":
            return lambda: model.predict(x, verbose=0)
        if variant == "call":
            return lambda: self._array(model(x))
        return lambda: model.predict_on_batch(x)

    def _fresh_model(self) -> Any:
        model, weighted = build(self.keras, self.work)
        for layer, weights in zip(weighted, workloads.initial_weights(self.work), strict=True):
            layer.set_weights(weights)
        return model

    def _fit(self, model: Any) -> Chunk:
        work = self.work
        x, y = workloads.data(work)

        def chunk() -> int:
            model.fit(x, y, batch_size=work.batch, epochs=work.epochs, verbose=0)
            return work.steps * work.epochs

        return chunk

    def _train_on_batch(self, model: Any) -> Chunk:
        batches = self._batches()

        def chunk() -> int:
            for images, labels in batches:
                model.train_on_batch(images, labels)
            return len(batches)

        return chunk

    def _batches(self) -> list[tuple[Any, Any]]:
        x, y = workloads.data(self.work)
        starts = range(0, len(x), self.work.batch)
        return [(x[i : i + self.work.batch], y[i : i + self.work.batch]) for i in starts]

    def _array(self, y: Any) -> Any:
        return self.keras.ops.convert_to_numpy(y)

    def sample(self) -> list[float]:
        x, _ = workloads.data(self.work, 4)
        return self._array(self._fresh_model()(x)).ravel().tolist()

    def outputs(self, variant: str) -> Any:
        x, _ = workloads.data(self.work, self.work.batch)
        return self._array(self.trained[variant](x))

    def losses(self) -> list[float]:
        model = self._fresh_model()
        values = []
        for x, y in self._batches():
            model.reset_metrics()  # else the mean of all steps so far
            values.append(float(model.train_on_batch(x, y, return_dict=True)["loss"]))
        return values

    def first_step(self) -> None:
        x, y = workloads.data(self.work, self.work.batch)
        self.model.fit(x, y, batch_size=self.work.batch, epochs=1, verbose=0)
