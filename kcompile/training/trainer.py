"""`compile`, `fit`, `evaluate`, `predict` and their forms for single batches: the part of a model that
trains."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from kcompile.callbacks import CallbackList
from kcompile.callbacks.callback_list import pythonify_logs
from kcompile.callbacks.single_step import print_single_step
from kcompile.core import config, tree
from kcompile.training.checks import check_fit_numbers, check_steps
from kcompile.training.compiled import Compiled
from kcompile.training.data.arrays import (
    DEFAULT_BATCH_SIZE,
    ArrayData,
    are_arrays,
    checked_batch_size,
    split_validation,
)
from kcompile.training.data.batches import BatchData, arrays_of, batch_data, short
from kcompile.training.data.hosted import in_memory
from kcompile.training.data.packing import pack_x_y_sample_weight, unpack_x_y_sample_weight
from kcompile.training.data.weights import class_weight_to_sample_weights
from kcompile.training.extents import leaves_of
from kcompile.training.functions import FunctionRun, logs_of, open_run, own_function
from kcompile.training.predict_run import PredictRun
from kcompile.training.progress import Progress
from kcompile.training.results import results_or_logs
from kcompile.training.runs import (
    Pace,
    run_epoch,
    warn_of_shortage,
    whole_executions,
)
from kcompile.training.step import flat_logs, forward, is_default_step
from kcompile.training.step import test_step as default_test_step
from kcompile.training.step import train_step as default_train_step


class Trainer(Compiled):
    """Training and inference over data. `Model` is this and a layer."""

    # --- steps, to be overridden ----------------------------------------------------------------------------

    def train_step(self, data: Any) -> dict[str, Any]:
        """One update from a batch: forward, loss, gradients, optimizer, metrics.

        `fit` traces and compiles it. An override is written with ops, the model, `GradientTape` or
        `value_and_grad`, optimizers and metrics.

        Args:    data: `x`, `(x, y)` or `(x, y, sample_weight)`, symbolic;
                 `keras.utils.unpack_x_y_sample_weight` takes it apart.
        Returns: logs by name.
        """
        return default_train_step(self, data)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Loss and metrics of a batch, for `evaluate`; as `train_step`, without an update."""
        return default_test_step(self, data)

    def predict_step(self, data: Any) -> Any:
        """The outputs for a batch, for `predict`."""
        x, _, _ = unpack_x_y_sample_weight(data)
        return forward(self, x, training=False)

    train_step.is_default = test_step.is_default = True  # type: ignore[attr-defined]

    # --- fit -----------------------------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: Any = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> Any:
        """Train for a number of epochs.

        Args:    x, y: arrays or structures of them; or x alone: a PyDataset, a generator or another
                 iterable of batches. batch_size: samples per step, 32 by default. verbose: 0 silent, 1 or
                 "auto" a progress bar, 2 one line per epoch. validation_split: share of the last samples
                 kept for validation. validation_data: (x, y), (x, y, sample_weight) or an iterable of
                 batches. shuffle: a new order of the samples in each epoch; "batch" only within batches.
                 class_weight: factors of the loss by class. steps_per_epoch: an epoch ends after so many
                 steps. validation_freq: validate every so many epochs, or after those in a list.
        Returns: a History.
        Raises:  ValueError for a model that was not compiled and for data that does not fit, before
                 anything is compiled.
        """
        self._assert_compile_called("fit")
        check_fit_numbers(epochs, initial_epoch, steps_per_epoch, validation_steps, validation_freq)
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = split_validation(x, y, sample_weight, validation_split)
        rng = np.random.default_rng(np.random.randint(2**31))  # follows the seed that the user has set
        data = _data(self, x, y, sample_weight, batch_size, steps_per_epoch, shuffle, class_weight, rng)
        run = open_run(self, "train", data, rng)
        run.reset()
        epochs = config.limited_epochs(epochs)
        steps_per_epoch = config.limited_steps(steps_per_epoch, run.num_batches)
        evaluation, held_out = None, {}
        if validation_data is not None:
            size = validation_batch_size or batch_size  # 0 is none, as in Keras
            if size is not None:
                checked_batch_size(size, "validation_batch_size" if validation_batch_size else "batch_size")
            held_out = _held_out(validation_data, size, validation_steps)
            evaluation = open_run(self, "test", _data(self, **held_out))
        if not isinstance(callbacks, CallbackList):
            steps = steps_per_epoch or run.num_batches
            params = {"verbose": verbose, "epochs": epochs, "steps": steps}
            callbacks = CallbackList(
                callbacks, add_history=True, add_progbar=verbose != 0, model=self, **params
            )
        self.stop_training = False
        logs: dict[str, Any] = {}
        pace = Pace()
        progress = self._training.progress = Progress(self, run, evaluation, callbacks)
        try:
            callbacks.on_train_begin()
            first = self._initial_epoch or initial_epoch
            if not progress.inside:
                progress.go_on(self._steps_left(steps_per_epoch, first, epochs))
            for epoch in range(first, first if progress.stopped else epochs):
                logs = self._epoch(epoch, epochs, run, steps_per_epoch, callbacks, pace)
                if evaluation is not None and _is_due(epoch, validation_freq):
                    self._training.evaluation = evaluation  # what `evaluate`, maybe overridden, goes over
                    how = {"return_dict": True, "_use_cached_eval_dataset": True}
                    val_logs = self.evaluate(**held_out, callbacks=callbacks, **how)
                    logs.update({f"val_{name}": value for name, value in val_logs.items()})
                callbacks.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
        finally:
            self._training.progress = self._training.evaluation = None
            self._initial_epoch = None  # of this training alone, even if it failed
            for opened in (run, evaluation):
                if opened is not None:
                    opened.close()
            if epochs > 0 and self.optimizer is not None:
                self.optimizer.finalize_variable_values(self.trainable_variables)
        callbacks.on_train_end(logs)
        return self.history

    def _epoch(
        self, epoch: int, epochs: int, run: Any, steps: int | None, callbacks: Any, pace: Pace
    ) -> dict[str, Any]:
        """One epoch of training; the logs."""
        progress = self._training.progress
        progress.epoch, left = epoch, self._steps_left(steps, epoch, epochs)
        if progress.inside:  # an interrupted one goes on; what callbacks set at its beginning is set
            optimizer = [(v, v.numpy()) for v in getattr(self.optimizer, "variables", ())]
            callbacks.on_epoch_begin(epoch)
            for variable, value in optimizer:
                variable.assign(value)
            progress.go_on(left)
        else:
            self.reset_metrics()
            run.done = 0
            callbacks.on_epoch_begin(epoch)
            run.data.on_epoch_begin()
            if steps is None or run.at_end():  # with given steps, it goes on where the last one stopped
                run.start(left)
        done = run_epoch(self, "train", run, callbacks, steps or run.num_batches, pace)
        run.data.on_epoch_end(tell=not self.stop_training)
        if not self.stop_training:
            warn_of_shortage(done, steps or run.num_batches, stacklevel=4)
        return dict(self._metrics_or(run))

    def _steps_left(self, steps: int | None, epoch: int, epochs: int) -> int | None:
        """How many steps are asked for from the beginning of an epoch to the end; None if as many as there
        are.
        """
        whole = whole_executions(self, steps)
        return None if whole is None else whole * (epochs - epoch)

    # --- evaluate ------------------------------------------------------------------------------------------

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Loss and metrics on data: a number, a list in the order of the metrics, or with `return_dict` a
        dict.

        Args:    as `fit`; steps: batches to look at, all by default.
        """
        self._assert_compile_called("evaluate")
        opened = self._training.evaluation if kwargs.pop("_use_cached_eval_dataset", False) else None
        if kwargs:
            raise ValueError(f"Arguments not recognized: {kwargs}")
        check_steps("steps", steps)
        run = opened or open_run(self, "test", _data(self, x, y, sample_weight, batch_size, steps))
        steps = config.limited_steps(steps, run.num_batches)
        if not isinstance(callbacks, CallbackList):
            params = {"verbose": verbose, "epochs": 1, "steps": steps or run.num_batches}
            callbacks = CallbackList(callbacks, add_progbar=verbose != 0, model=self, **params)
        try:
            logs = self._evaluate(run, steps, callbacks)
        finally:
            if opened is None:
                run.close()
        return logs if return_dict else self._flatten_metrics_in_order(logs)

    def _evaluate(self, run: Any, steps: int | None, callbacks: Any) -> dict[str, Any]:
        self.stop_evaluating = False
        run.reset()
        callbacks.on_test_begin()
        self.reset_metrics()
        run.done = 0
        run.data.on_epoch_begin()
        run.start(whole_executions(self, steps))
        done = run_epoch(self, "test", run, callbacks, steps or run.num_batches, Pace())
        run.data.on_epoch_end(tell=not self.stop_evaluating)
        if not self.stop_evaluating:
            warn_of_shortage(done, steps or run.num_batches, stacklevel=4)
        logs = pythonify_logs(self._metrics_or(run))
        callbacks.on_test_end(logs)
        return logs

    def _metrics_or(self, run: Any) -> dict[str, Any]:
        """The results of the metrics after the last step, or its logs where these are others."""
        by_ours = is_default_step(self, run.kind) and not isinstance(run, FunctionRun)
        if (by_ours and type(self).compute_metrics is Compiled.compute_metrics) or not run.logs:
            return run.logs  # they are the results
        return results_or_logs(self, run)

    # --- predict -------------------------------------------------------------------------------------------

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The model's outputs for data, as arrays.

        Args:    as `fit`; steps: batches to look at, all by default.
        """
        if type(x) is np.ndarray and callbacks is None and steps is None and x.ndim:
            size = DEFAULT_BATCH_SIZE if batch_size is None else checked_batch_size(batch_size)
            if 0 < len(x) <= size and own_function(self, "predict") is None:  # one batch: nothing to organize
                began = time.time()
                outputs = self.predict_on_batch(x)
                if verbose:
                    print_single_step(time.time() - began, verbose)
                return outputs
        check_steps("steps", steps)
        data, function = _data(self, x, None, None, batch_size, steps), own_function(self, "predict")
        run = PredictRun(self, data, function)
        steps = config.limited_steps(steps, run.num_batches)
        if not isinstance(callbacks, CallbackList):
            params = {"verbose": verbose, "epochs": 1, "steps": steps or run.num_batches}
            callbacks = CallbackList(callbacks, add_progbar=verbose != 0, model=self, **params)
        self.stop_predicting = False
        callbacks.on_predict_begin()
        try:
            run.data.on_epoch_begin()
            run.start(whole_executions(self, steps))
            done = run_epoch(self, "predict", run, callbacks, steps or run.num_batches, Pace())
            run.data.on_epoch_end(tell=not self.stop_predicting)
        finally:
            run.close()
        if not self.stop_predicting:
            warn_of_shortage(done, steps or run.num_batches, stacklevel=3)
        callbacks.on_predict_end()
        return run.result()

    # --- single batches ------------------------------------------------------------------------------------

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One training step; loss and metrics of this batch as `evaluate` returns them."""
        self._assert_compile_called("train_on_batch")
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError(
                    "Arguments `sample_weight` and `class_weight` cannot be specified at the same time. "
                    f"Received: sample_weight={sample_weight}, class_weight={class_weight}"
                )
            sample_weight = class_weight_to_sample_weights(y, class_weight)
        return self._on_batch("train", x, y, sample_weight, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch."""
        self._assert_compile_called("test_on_batch")
        return self._on_batch("test", x, y, sample_weight, return_dict)

    def _on_batch(self, kind: str, x: Any, y: Any, sample_weight: Any, return_dict: bool) -> Any:
        data = (
            arrays_of(self._on_host(x), "x"),
            arrays_of(y, "y"),
            arrays_of(sample_weight, "sample_weight"),
        )
        function = own_function(self, kind)
        if function is not None:
            self.reset_metrics()
            logs = logs_of(function, iter([pack_x_y_sample_weight(*data)]), kind)
            return logs if return_dict else self._flatten_metrics_in_order(logs)
        program = self._training.programs.batch(kind, data)
        logs = flat_logs(program.logs(program.run(*leaves_of(data))))
        if return_dict:
            return pythonify_logs(logs)
        if program.listed is None:
            program.listed = self._order_of(logs)
        return (
            logs[program.listed[0]] if len(program.listed) == 1 else [logs[name] for name in program.listed]
        )

    def predict_on_batch(self, x: Any) -> Any:
        """The model's outputs for one batch, as arrays."""
        x = arrays_of(self._on_host(x), "x")
        function = own_function(self, "predict")
        if function is not None:
            return tree.map_structure(np.asarray, function([(x,)]))
        program = self._training.programs.predict(x)
        outputs = program.run(*leaves_of(x))
        return tree.pack_as(program.result, outputs)


def _data(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: Any = False,
    class_weight: Mapping[int, float] | None = None,
    rng: np.random.Generator | None = None,
) -> ArrayData | BatchData:
    """Arrays as a whole, or a source of batches."""
    if batch_size is not None:
        checked_batch_size(batch_size)
    if are_arrays(x, y, sample_weight):
        how: dict[str, Any] = {"batch_size": batch_size, "steps": steps, "shuffle": shuffle}
        return in_memory(model, x, y, sample_weight, rng, class_weight=class_weight, **how)
    if x is not None and are_arrays(x):
        what, value = ("y", y) if not are_arrays(y) else ("sample_weight", sample_weight)
        raise ValueError(
            f"Unrecognized data type: {what}={short(value)} (of type {type(value)}). Give NumPy arrays."
        )
    return batch_data(x, y, sample_weight, shuffle, class_weight, model._on_host, stacklevel=4)


def _held_out(data: Any, batch_size: int | None, steps: int | None) -> dict[str, Any]:
    """`validation_data` and its numbers as arguments of `evaluate`."""
    x, y, sample_weight = data, None, None
    if isinstance(data, (list, tuple)):
        x, y, sample_weight = unpack_x_y_sample_weight(data)
    return {"x": x, "y": y, "sample_weight": sample_weight, "batch_size": batch_size, "steps": steps}


def _is_due(epoch: int, validation_freq: Any) -> bool:
    """Is there a validation after this epoch?"""
    if isinstance(validation_freq, int):
        return (epoch + 1) % validation_freq == 0
    return epoch + 1 in validation_freq
