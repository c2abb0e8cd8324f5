"""What `compile` leaves behind: optimizer, loss and metrics of a model, and what they compute."""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kcompile import metrics as metrics_module
from kcompile import ops, optimizers
from kcompile.core import config
from kcompile.core.callers import users_level
from kcompile.core.errors import message
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.training.compile_loss import CompileLoss
from kcompile.training.compile_metrics import CompileMetrics
from kcompile.training.functions import StepFunction
from kcompile.training.programs import Programs
from kcompile.training.results import results_of
from kcompile.training.step import is_default_step

if TYPE_CHECKING:  # a model is a `Compiled` and, behind it, a layer
    from kcompile.layers.layer import Layer as _Layer
else:
    _Layer = object


@dataclass
class Training:
    """A model's side of training, apart from the attributes that a layer tracks."""

    programs: Programs
    optimizer: Any = None
    loss: Any = None
    compile_loss: CompileLoss | None = None
    compile_metrics: CompileMetrics | None = None
    history: Any = None
    arguments: dict[str, Any] = field(default_factory=dict)
    compiled: bool = False
    compiled_times: int = 0
    run_eagerly: bool = False
    steps_per_execution: int = 1
    jit_compile: Any = True
    label_ranges: tuple[tuple[int, int], ...] = ()  # of the step traced last
    progress: Any = None  # of the `fit` that runs
    evaluation: Any = None  # over its validation data
    stop_training: bool = False
    stop_evaluating: bool = False
    stop_predicting: bool = False
    _initial_epoch: int | None = None
    train_function: Any = None
    test_function: Any = None
    predict_function: Any = None


class MetricsOfKeras2:
    """All metrics of a model as one, as Keras keeps them for older programs; means get the predictions."""

    def __init__(self, model: Any):
        self._model = model

    def update_state(self, y: Any, y_pred: Any, sample_weight: Any = None) -> None:
        _warn_deprecated("compiled_metrics", "for metric in model.metrics: metric.update_state(y, y_pred)")
        for metric in self._model.metrics:
            values = (y_pred,) if isinstance(metric, metrics_module.Mean) else (y, y_pred)
            metric.update_state(*values, sample_weight=sample_weight)


def _warn_deprecated(name: str, instead: str) -> None:
    warnings.warn(f"`model.{name}()` is deprecated. Instead, use `{instead}`.", stacklevel=users_level())


HELD = frozenset(Training.__dataclass_fields__) - {
    "programs", "compile_loss", "compile_metrics", "arguments", "label_ranges",
    "progress", "evaluation",
}  # fmt: skip


def _held(name: str) -> Any:
    return property(lambda self: getattr(self._training, name))


class Compiled(_Layer):
    """Optimizer, loss, metrics: given to `compile`, used by every step."""

    optimizer, loss, history = map(_held, ("optimizer", "loss", "history"))
    compiled, run_eagerly, jit_compile = map(_held, ("compiled", "run_eagerly", "jit_compile"))
    stop_training, stop_evaluating = map(_held, ("stop_training", "stop_evaluating"))
    stop_predicting, steps_per_execution = map(_held, ("stop_predicting", "steps_per_execution"))
    _initial_epoch = _held("_initial_epoch")
    train_function, test_function = map(_held, ("train_function", "test_function"))
    predict_function = _held("predict_function")
    _loss_tracker: Any = None  # the mean loss; Keras's name, as steps copied from there update it

    @property
    def _training(self) -> Training:
        found = self.__dict__.get("_training_state")
        if found is None:
            found = self.__dict__["_training_state"] = Training(Programs(self))
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        if name in HELD:
            setattr(self._training, name, value)
        else:
            super().__setattr__(name, value)

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how the model is trained. Losses and metrics of an earlier call hold until there are others.

        Args:    optimizer, loss, metrics: objects or names; loss and metrics of several outputs as a list in
                 their order or a dict by their names. loss_weights: factors of the losses. weighted_metrics:
                 metrics that sample and class weights apply to. run_eagerly: every step runs op by op through
                 NumPy, gradients included. steps_per_execution: callbacks of batches are called once in so
                 many steps. jit_compile: accepted; steps are always compiled unless run_eagerly.
                 auto_scale_loss: under the policy "mixed_float16", wrap the optimizer in a
                 LossScaleOptimizer.
        Raises:  ValueError for unknown names, saying what is near.
        """
        if run_eagerly and jit_compile is True:
            warnings.warn(
                "If `run_eagerly` is True, then `jit_compile` cannot also be True. Disabling `jit_compile`.",
                stacklevel=2,
            )
        names = getattr(self, "output_names", None)
        arguments = {
            "optimizer": optimizers.get(optimizer),
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": not run_eagerly
            if jit_compile == "auto"
            else bool(jit_compile) and not run_eagerly,
        }
        has_metrics = metrics is not None or weighted_metrics is not None
        before = self._training
        self.__dict__["_training_state"] = Training(
            programs=before.programs,
            optimizer=self._scaled(arguments["optimizer"]) if auto_scale_loss else arguments["optimizer"],
            # As in Keras, what an earlier call said of losses and metrics holds until a call says otherwise.
            loss=before.loss if loss is None else loss,
            compile_loss=before.compile_loss if loss is None else CompileLoss(loss, loss_weights, names),
            compile_metrics=CompileMetrics(metrics, weighted_metrics, names)
            if has_metrics
            else before.compile_metrics,
            history=before.history,
            arguments=arguments,
            compiled=True,
            compiled_times=before.compiled_times + 1,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=arguments["jit_compile"],
        )
        self.__dict__["_loss_tracker"] = metrics_module.Mean(name="loss")  # no metric of the user's
        if self._training.compile_metrics is not None:
            self._training.compile_metrics.compile_loss = self._training.compile_loss

    def _scaled(self, optimizer: Any) -> Any:
        """The optimizer, with loss scaling where the model computes in float16."""
        already = optimizer is None or isinstance(optimizer, optimizers.LossScaleOptimizer)
        if already or self.dtype_policy.name != "mixed_float16":
            return optimizer
        return optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")

    def _assert_compile_called(self, method_name: str | None = None) -> None:
        if not self.compiled:
            raise ValueError("You must call `compile()` before using the model.")
        trains = method_name in ("fit", "train_on_batch")
        if trains and self.optimizer is None and is_default_step(self, "train"):
            raise ValueError(
                f"`{method_name}()` needs an optimizer: call `compile(optimizer=..., ...)` with one."
            )

    # --- steps as functions ---------------------------------------------------------------------------------

    def make_train_function(self, force: bool = False) -> Any:
        """Set `train_function`, which takes an iterator of batches, does `steps_per_execution` training steps
        and returns the logs; `fit` calls it where an override sets another.
        """
        return self._make_function("train", force)

    def make_test_function(self, force: bool = False) -> Any:
        """Set `test_function`; as `make_train_function`, for `evaluate`."""
        return self._make_function("test", force)

    def make_predict_function(self, force: bool = False) -> Any:
        """Set `predict_function`, which returns the outputs for a list of batches `(x,)`, joined."""
        return self._make_function("predict", force)

    def _make_function(self, kind: str, force: bool) -> Any:
        known = getattr(self, f"{kind}_function")
        if known is not None and not force:
            return known
        setattr(self, f"{kind}_function", StepFunction(self, kind))
        return None

    # --- what comes before the compiled program -------------------------------------------------------------

    def _on_host(self, x: Any) -> Any:
        """Inputs as the compiled program takes them; functional models over text turn it into numbers."""
        return x

    def _host_stage_for(self, x: Any) -> Any:
        """What `_on_host` calls, if it does anything. Its `is_fixed(samples)`: may all data go in at once?"""
        return None

    def _placeholders(self, x: Any) -> Any:
        """The placeholders that these inputs of the compiled program belong to, if the model has any."""
        return getattr(self, "inputs", None)

    def _makes_text(self) -> bool:
        """Are there outputs that no compiled program can make?"""
        return False

    # --- what a step computes ------------------------------------------------------------------------------

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The total loss, 0-d: that of `compile`, and what layers added. May be overridden, with ops."""
        training_state = self._training
        found = []
        if training_state.compile_loss is not None:
            value = training_state.compile_loss(y, y_pred, sample_weight)
            if value is not None:
                found.append(value)
        for loss in self.losses:
            found.append(ops.sum(ops.cast(loss, config.floatx())))
        if not found and training:
            raise ValueError("No loss to compute. Provide a `loss` argument in `compile()`.")
        total = found[0] if found else ops.zeros(())
        for value in found[1:]:
            total = total + value
        return total

    def compiled_loss(
        self, y: Any, y_pred: Any, sample_weight: Any = None, regularization_losses: Any = None
    ) -> Any:
        """`compute_loss` as steps of Keras 2 call it; the layers' own losses are in it already."""
        _warn_deprecated("compiled_loss", "model.compute_loss(x, y, y_pred, sample_weight, training)")
        return self.compute_loss(y=y, y_pred=y_pred, sample_weight=sample_weight)

    @property
    def compiled_metrics(self) -> Any:
        """What steps of Keras 2 update: `compiled_metrics.update_state(y, y_pred)`."""
        return MetricsOfKeras2(self)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Update the metrics of `compile`; results by name. May be overridden, with ops."""
        if self._training.compile_metrics is not None:
            self._training.compile_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """Results of all metrics by name."""
        return results_of(self.metrics)

    def _label_ranges(self, y: Any, y_pred: Any) -> tuple[tuple[int, int], ...]:
        loss = self._training.compile_loss
        return () if loss is None else tuple(loss.label_ranges(y, y_pred))

    # --- metrics -------------------------------------------------------------------------------------------

    @property
    def metrics(self) -> list[Any]:
        """The mean loss, the metrics of `compile`, the losses of several outputs, then those of layers."""
        found: list[Any] = []
        training = self._training
        if training.compiled:
            found.append(self._loss_tracker)
            if training.compile_metrics is not None:
                found.append(training.compile_metrics)
            if training.compile_loss is not None:
                found.extend(training.compile_loss.metrics)
        found.extend(self._metrics)
        for layer in self._flatten_layers(include_self=False):
            if not isinstance(layer, Compiled):
                found.extend(layer._metrics)
        return found

    @property
    def metrics_names(self) -> list[str]:
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        """All metrics begin anew."""
        for metric in self.metrics:
            metric.reset_state()

    def _order_of(self, logs: dict[str, Any]) -> list[str]:
        """Names of logs in a list's order: the loss, the metrics of `compile`, then others by name."""
        names: list[str] = []
        for metric in self.metrics:
            inner = isinstance(metric, CompileMetrics)
            names.extend(m.name for m in metric.metrics) if inner else names.append(metric.name)
        return [name for name in names if name in logs] + sorted(name for name in logs if name not in names)

    def _flatten_metrics_in_order(self, logs: dict[str, Any]) -> Any:
        """Logs as a list, or alone if there is one."""
        results = [logs[name] for name in self._order_of(logs)]
        return results[0] if len(results) == 1 else results

    # --- config --------------------------------------------------------------------------------------------

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile` as plain data; none of a model that is not compiled.

        An override may return None: a file then says nothing of it.
        """
        if not self.compiled:
            return {}
        return {k: serialize_keras_object(v) for k, v in self._training.arguments.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as a config says; a model with weights gets its optimizer's slots too."""
        if type(self).compile is not Compiled.compile:
            warnings.warn(
                "`compile()` was not called as part of model loading because the model's `compile()` "
                "method is "
                "custom. All subclassed Models that have `compile()` overridden should also override "
                "`get_compile_config()` and `compile_from_config(config)`. Alternatively, you can call "
                "`compile()` "
                "manually after loading.",
                stacklevel=2,
            )
            return
        settings = deserialize_keras_object(config)
        if not isinstance(settings, dict) or not settings.keys() <= ARGUMENTS:
            summary = "A compile config must be a dict of the arguments of `compile`."
            raise ValueError(message(summary, expected=f"{sorted(ARGUMENTS)}", received=f"{config!r:.200}"))
        self.compile(**settings)
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)


ARGUMENTS = frozenset(inspect.signature(Compiled.compile).parameters) - {"self"}  # of `compile`
