"""Logs for TensorBoard: metrics, learning rates, the model's layers, weights as histograms and images."""

from __future__ import annotations

import json
import os
import time
import warnings
from typing import Any

import numpy as np

from kcompile.callbacks import event_file
from kcompile.callbacks.callback import Callback
from kcompile.callbacks.event_file import EventFile

EMBEDDING_NAME = "layer_with_weights-0/embeddings/.ATTRIBUTES/VARIABLE_VALUE"


class TensorBoard(Callback):
    """Writes event files to log_dir/train and log_dir/validation; `tensorboard --logdir=log_dir` shows them.

    Args:    histogram_freq: write histograms of the weights every so many epochs, 0 never. write_graph: write
             the layers of Sequential and functional models. write_images: weights as images, with the
             histograms. write_steps_per_second: steps per second of epochs and batches. update_freq: "epoch",
             "batch", or an int: metrics of every so many batches too. profile_batch: not available, see
             `model.explain()`. embeddings_freq: save weights for the projector every so many epochs.
             embeddings_metadata: a file, or files by names of Embedding layers.
    Raises:  ValueError for names in embeddings_metadata that no Embedding layer has.
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ):
        super().__init__()
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq, self.write_graph, self.write_images = histogram_freq, write_graph, write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.embeddings_freq, self.embeddings_metadata = embeddings_freq, embeddings_metadata
        if profile_batch:
            warnings.warn(
                "TensorBoard: profile_batch has no effect; model.explain() shows the time of each kernel.",
                stacklevel=2,
            )
        self.every_batch = self.update_freq != "epoch"
        self._batches = {"train": 0, "validation": 0}
        self._files: dict[str, EventFile] = {}
        self._recording = True  # with an update_freq, only after every so many batches
        self._batch_began = self._epoch_began = 0.0
        self._steps_before = 0

    # --- files ---------------------------------------------------------------------------------------------

    def set_model(self, model: Any) -> None:
        self._model = model
        self._files = {}
        if self.write_graph:
            self._write_layers()
        if self.embeddings_freq:
            self._configure_embeddings()

    def _file(self, kind: str) -> EventFile:
        if kind not in self._files:
            self._files[kind] = EventFile(os.path.join(self.log_dir, kind))
        return self._files[kind]

    def _scalars(self, kind: str, values: dict[str, Any], step: int) -> None:
        if not self._recording:
            return
        for tag, value in values.items():
            self._file(kind).add(event_file.scalar(tag, value), step)
        self._file(kind).flush()

    def _watch(self, kind: str) -> None:
        """Until the next call, record only if the batches of this kind are due."""
        self._file(kind)
        if self.every_batch:
            self._recording = self._batches[kind] % self.update_freq == 0

    # --- training ------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._batches["train"] = 0
        self._watch("train")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._recording = True
        for file in self._files.values():
            file.close()

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.every_batch:
            self._batches["train"] += 1
            self._watch("train")
            self._batch_began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if not self.every_batch or not self._recording:
            return
        values = {f"batch_{name}": value for name, value in (logs or {}).items()}
        if self.write_steps_per_second:
            values["batch_steps_per_second"] = 1.0 / (time.perf_counter() - self._batch_began)
        self._scalars("train", values, self._batches["train"])

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.write_steps_per_second:
            self._steps_before = int(np.asarray(self.model.optimizer.iterations))
            self._epoch_began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs:
            self._write_metrics(epoch, logs)
        if self.histogram_freq and epoch % self.histogram_freq == 0 and self._recording:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            os.makedirs(os.path.join(self.log_dir, "train"), exist_ok=True)
            name = f"keras_embedding.ckpt-{epoch}.weights.h5"
            self.model.save_weights(os.path.join(self.log_dir, "train", name))

    def _write_metrics(self, epoch: int, logs: dict[str, Any]) -> None:
        train = {f"epoch_{k}": v for k, v in logs.items() if not k.startswith("val_")}
        train |= {f"epoch_{name}": rate for name, rate in self._rates().items()}
        if self.write_steps_per_second:
            steps = int(np.asarray(self.model.optimizer.iterations)) - self._steps_before
            train["epoch_steps_per_second"] = steps / (time.perf_counter() - self._epoch_began)
        self._scalars("train", train, epoch)
        validation = {f"epoch_{k[4:]}": v for k, v in logs.items() if k.startswith("val_")}
        if validation:
            self._scalars("validation", validation, epoch)

    def _rates(self) -> dict[str, float]:
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        if optimizer is None:
            return {}
        if hasattr(optimizer, "optimizers"):
            inner = optimizer.optimizers
            return {f"learning_rate_{one.name}": float(np.asarray(one.learning_rate)) for one in inner}
        return {"learning_rate": float(np.asarray(optimizer.learning_rate))}

    # --- evaluation ----------------------------------------------------------------------------------------

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._before_test = self._recording
        self._watch("validation")

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.every_batch:
            self._batches["validation"] += 1
            self._watch("validation")

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        optimizer = self.model.optimizer
        if optimizer is not None and hasattr(optimizer, "iterations"):
            values = {f"evaluation_{name}_vs_iterations": value for name, value in (logs or {}).items()}
            self._scalars("validation", values, int(np.asarray(optimizer.iterations)))
        self._recording = self._before_test

    # --- the model -----------------------------------------------------------------------------------------

    def _write_layers(self) -> None:
        """The config of a model made of layers, which TensorBoard draws."""
        file = self._file("train")
        if type(self.model).__name__ not in ("Functional", "Sequential"):
            return
        try:
            config = self.model.to_json()
        except Exception as error:  # a layer that has no config must not keep the model from training
            warnings.warn(f"Model failed to serialize as JSON. Ignoring... {error}", stacklevel=2)
            return
        file.add(event_file.text("keras", "graph_keras_model", config, b"1"), 0)
        file.flush()

    def _write_weights(self, epoch: int) -> None:
        file = self._file("train")
        for layer in self.model.layers:
            for weight in layer.weights:
                name, values = weight.path.replace(":", "_"), weight.numpy().astype("float32")
                file.add(event_file.histogram(f"{name}/histogram", values), epoch)
                images = as_images(values) if self.write_images else None
                if images is not None:
                    file.add(event_file.image(f"{name}/image", images), epoch)
        file.flush()

    def _configure_embeddings(self) -> None:
        """The projector's configuration: which arrays are embeddings, and the files with their labels."""
        from kcompile.layers import Embedding

        given = self.embeddings_metadata
        rest = {} if given is None or isinstance(given, str) else dict(given)
        entries = []
        for layer in (layer for layer in self.model.layers if isinstance(layer, Embedding)):
            path = given if isinstance(given, str) else rest.pop(layer.name, None)
            lines = [f"  tensor_name: {json.dumps(EMBEDDING_NAME)}"]
            lines += [] if path is None else [f"  metadata_path: {json.dumps(os.fspath(path))}"]
            entries.append("\n".join(["embeddings {", *lines, "}\n"]))
        if rest:
            raise ValueError(
                "Unrecognized `Embedding` layer names passed to `keras.callbacks.TensorBoard` "
                f"`embeddings_metadata` argument: {list(rest)}"
            )
        os.makedirs(self.log_dir, exist_ok=True)
        with open(os.path.join(self.log_dir, "projector_config.pbtxt"), "w", encoding="utf-8") as file:
            file.write("".join(entries))


def as_images(weight: np.ndarray) -> np.ndarray | None:
    """A weight as images (n, h, w, channels): vectors as a column, matrices with the longer side across,
    kernels of a 1-D convolution one by one; None for what is no image."""
    w = np.squeeze(weight)
    if w.ndim == 1:
        w = w.reshape(1, -1, 1, 1)
    elif w.ndim == 2:
        w = (w.T if w.shape[0] > w.shape[1] else w)[None, :, :, None]
    elif w.ndim == 3:
        w = np.transpose(w, (2, 0, 1))[..., None]
    return w if w.ndim == 4 and w.shape[-1] in (1, 3, 4) else None
