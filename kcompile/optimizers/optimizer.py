"""The base of optimizers: variables in Keras's order, clipping, weight decay, moving averages,
accumulation."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import dtypes
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.ops import elementwise as ew
from kcompile.optimizers import accumulation, averages, clipping
from kcompile.optimizers.schedules import LearningRateSchedule
from kcompile.trace.naming import auto_name
from kcompile.trace.variable import Variable, name_scope


class Optimizer:
    """An optimizer to subclass: `build` makes slots, `update_step` updates one variable.

    `update_step(gradient, variable, learning_rate)` is written with ops and `variable.assign`: `fit` traces
    it into the training step, and `apply_gradients` with arrays runs it at once. Names in `settings` are
    constructor arguments that the config holds.

    Args:    learning_rate: a float, a LearningRateSchedule, or a callable without arguments.
             weight_decay: before each update, variable -= variable * weight_decay * learning_rate.
             clipnorm, global_clipnorm, clipvalue: at most one: largest norm of a gradient, of all together,
             or largest element. use_ema: keep moving averages (ema_momentum) of the variables, which
             replace them every ema_overwrite_frequency steps and when `fit` ends. loss_scale_factor: the
             loss is multiplied, gradients are divided by it. gradient_accumulation_steps: update once in so
             many steps, with the mean.
    """

    settings: tuple[str, ...] = ()
    _variables: list[Variable]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        optimizer = super().__new__(cls)
        optimizer.__dict__["_variables"] = []
        return optimizer

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        if kwargs.pop("decay", None) is not None:
            warnings.warn("Argument `decay` is no longer supported and will be ignored.", stacklevel=3)
        if kwargs:
            raise ValueError(f"Argument(s) not recognized: {kwargs}")
        clipping.check(clipnorm, clipvalue, global_clipnorm)
        accumulation.check(gradient_accumulation_steps)
        if use_ema:
            averages.check(ema_momentum, ema_overwrite_frequency)
        self.name = name or auto_name(type(self).__name__)
        self.weight_decay, self.loss_scale_factor = weight_decay, loss_scale_factor
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.use_ema, self.ema_momentum = use_ema, ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.built = False
        self.version = 0  # grows when compiled steps no longer fit, as when a schedule replaces the rate
        self._trainable_variables: list[Variable] = []
        self._indices: dict[int, int] = {}
        self._undecayed: set[int] = set()
        self._undecayed_names: str | None = None
        with name_scope(self.name):
            self._iterations = Variable(0, dtype="int32", trainable=False, name="iteration")
        self._learning_rate = self._rate(learning_rate)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Variable) and not any(v is value for v in self._variables):
            self._variables.append(value)
        super().__setattr__(name, value)

    def _rate(self, learning_rate: Any) -> Any:
        if callable(learning_rate):
            return learning_rate
        if not isinstance(learning_rate, float):
            raise ValueError(
                "Argument `learning_rate` should be float, or an instance of LearningRateSchedule, or a "
                "callable "
                f"that returns the learning rate. Received instead: learning_rate={learning_rate}"
            )
        with name_scope(self.name):
            return Variable(
                learning_rate, dtype=dtypes.standardize(None), trainable=False, name="learning_rate"
            )

    # --- variables -----------------------------------------------------------------------------------------

    @property
    def variables(self) -> list[Variable]:
        """Iteration, learning rate, then what `build` made."""
        return list(self._variables)

    @property
    def iterations(self) -> Any:
        """Updates so far."""
        if self.gradient_accumulation_steps:
            return ops.floor_divide(self._iterations, self.gradient_accumulation_steps)
        return self._iterations

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the slots for these variables. Subclasses call this first, then add their own."""
        self._trainable_variables = list(variables)
        self._indices = {id(variable): k for k, variable in enumerate(variables)}
        if self.use_ema:
            self._averages = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulated = self.add_optimizer_variables(variables, "gradient_accumulator")
        self.built = True

    def add_variable(
        self,
        shape: tuple[int, ...],
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        with name_scope(self.name):
            variable = Variable(
                start(initializer),
                shape=tuple(shape),
                dtype=dtypes.standardize(dtype),
                trainable=False,
                name=name,
            )
        self._variables.append(variable)
        return variable

    def add_variable_from_reference(
        self, reference_variable: Any, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """A slot of a variable's shape and dtype, named after its path."""
        path = getattr(reference_variable, "path", None) or str(reference_variable.name)
        full = f"{path.replace('/', '_').replace(':', '_')}_{name or 'var'}"
        return self.add_variable(reference_variable.shape, initializer, reference_variable.dtype, name=full)

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Any], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """Slots for all variables: a list for one name, a tuple of lists for several (made variable by
        variable)."""
        names = [name] if isinstance(name, str) else list(name)
        several = isinstance(initializer, (list, tuple))
        starts = list(initializer) if several else [initializer] * len(names)
        if len(starts) != len(names):
            raise ValueError(
                "The number of provided names must match the number of provided initializers. "
                f"Received name={name!r}, initializer={initializer!r}"
            )
        slots: tuple[list[Variable], ...] = tuple([] for _ in names)
        for variable in trainable_variables:
            for column, slot, begin in zip(slots, names, starts, strict=True):
                column.append(self.add_variable_from_reference(variable, slot, begin))
        return slots[0] if isinstance(name, str) else slots

    def _get_variable_index(self, variable: Any) -> int:
        return self._indices[id(variable)]

    def assign(self, variable: Variable, value: Any) -> None:
        variable.assign(ew.as_tensor(value, variable.dtype))

    def assign_add(self, variable: Variable, value: Any) -> None:
        self.assign(variable, variable.value + ew.as_tensor(value, variable.dtype))

    def assign_sub(self, variable: Variable, value: Any) -> None:
        self.assign(variable, variable.value - ew.as_tensor(value, variable.dtype))

    # --- updates -------------------------------------------------------------------------------------------

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Update one variable and its slots."""
        raise NotImplementedError(
            f"{type(self).__name__} must define update_step(gradient, variable, learning_rate)"
        )

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Variable:
        """One update from (gradient, variable) pairs; returns the iteration counter."""
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])
        return self._iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """One update. Without `trainable_variables`: of those it was built for.

        Raises:  ValueError before build, for unknown variables, and where no variable has a gradient.
        """
        if len(grads) == 0:
            return
        targets = self._targets(grads, trainable_variables)
        pairs = _with_gradient(grads, targets)
        gradients, variables = [g for g, _ in pairs], [v for _, v in pairs]
        if self.loss_scale_factor is not None:
            gradients = [g / self.loss_scale_factor for g in gradients]
        if self.gradient_accumulation_steps:
            accumulation.step(self, gradients, variables)
        else:
            self._update(gradients, variables)
        if self.use_ema:
            averages.update(self)
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable))
        self._iterations.assign(self._iterations.value + 1)

    def _targets(self, grads: Sequence[Any], variables: Sequence[Variable] | None) -> list[Variable]:
        if variables is None:
            if not self.built:
                raise ValueError(
                    "When passing `grads` without `variables`, the optimizer must already be built on a "
                    "list of "
                    "variables. Call `optimizer.build(trainable_variables)` first."
                )
            variables = self._trainable_variables
        if not self.built:
            self.build(list(variables))
        if len(grads) != len(variables):
            raise ValueError(
                f"One gradient per variable: received {len(grads)} for {len(variables)} variables."
            )
        for variable in variables:
            if id(variable) not in self._indices:
                raise ValueError(
                    f"Unknown variable: {variable}. This optimizer can only be called for the variables it "
                    "was "
                    "originally built with. When working with a new set of variables, you should recreate "
                    "a new "
                    "optimizer instance."
                )
        return list(variables)

    def _update(self, gradients: list[Any], variables: list[Variable]) -> None:
        gradients = clipping.clip(gradients, self.clipnorm, self.clipvalue, self.global_clipnorm)
        rate = self.learning_rate
        if self.weight_decay is not None:
            for variable in filter(self._decays, variables):
                self.assign_sub(
                    variable, variable.value * self.weight_decay * ew.as_tensor(rate, variable.dtype)
                )
        self._backend_update_step(gradients, variables, rate)

    def _backend_update_step(
        self, gradients: list[Any], variables: list[Variable], learning_rate: Any
    ) -> None:
        for gradient, variable in zip(gradients, variables, strict=True):
            rate = ew.as_tensor(learning_rate, variable.dtype)
            self.update_step(ew.as_tensor(gradient, variable.dtype), variable, rate)

    def scale_loss(self, loss: Any) -> Any:
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """After training: variables take the value of their moving averages, if there are any."""
        if self.use_ema and self.built:
            averages.overwrite(self, [v for v in var_list if id(v) in self._indices])

    # --- weight decay --------------------------------------------------------------------------------------

    def exclude_from_weight_decay(
        self, var_list: Sequence[Variable] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        """Before build: variables that do not decay, given themselves or by patterns found in their names."""
        if self.built:
            raise ValueError(
                "`exclude_from_weight_decay()` can only be configured before the optimizer is built."
            )
        self._undecayed = {id(variable) for variable in var_list or ()}
        self._undecayed_names = "|".join(set(var_names)) if var_names else None

    def _decays(self, variable: Variable) -> bool:
        if id(variable) in self._undecayed:
            return False
        return not (self._undecayed_names and re.search(self._undecayed_names, variable.name))

    # --- learning rate -------------------------------------------------------------------------------------

    @property
    def learning_rate(self) -> Any:
        """The current rate: a variable, a schedule's value, or what the callable returns."""
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate(self._iterations)
        return self._learning_rate if isinstance(self._learning_rate, Variable) else self._learning_rate()

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        if callable(learning_rate) and not isinstance(learning_rate, Variable):
            self._variables[:] = [v for v in self._variables if v is not self._learning_rate]
            self._learning_rate = learning_rate
            self.version += 1
            return
        if isinstance(self._learning_rate, LearningRateSchedule):
            raise TypeError(
                "This optimizer was created with a `LearningRateSchedule` object as its `learning_rate` "
                "constructor "
                "argument, hence its learning rate is not settable. If you need the learning rate to be "
                "settable, "
                "you should instantiate the optimizer with a float `learning_rate` argument."
            )
        if not isinstance(self._learning_rate, Variable):
            self._learning_rate = self._rate(float(learning_rate))
            self.version += 1
        self._learning_rate.assign(ew.as_tensor(learning_rate, self._learning_rate.dtype))

    # --- saving --------------------------------------------------------------------------------------------

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all variables, in the order of `variables`."""
        if not self.built:
            raise ValueError(
                "You are calling `set_weights()` on an optimizer that has not yet been built. Please call "
                "`optimizer.build(trainable_variables)` to create the optimizer weights before calling "
                "`set_weights()`."
            )
        for variable, weight in zip(self.variables, weights, strict=True):
            variable.assign(weight)

    def save_own_variables(self, store: Any) -> None:
        for k, variable in enumerate(self.variables):
            store[str(k)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        if len(store.keys()) != len(self.variables):
            warnings.warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has "
                f"{len(self.variables)} "
                f"variables whereas the saved optimizer has {len(store.keys())} variables.",
                stacklevel=2,
            )
            return
        for k, variable in enumerate(self.variables):
            variable.assign(np.asarray(store[str(k)]))

    def get_config(self) -> dict[str, Any]:
        rate = self._learning_rate
        names = ("weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema", "ema_momentum")
        more = ("ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps")
        return {
            "name": self.name,
            "learning_rate": float(rate) if isinstance(rate, Variable) else serialize_keras_object(rate),
            **{name: getattr(self, name) for name in (*names, *more, *self.settings)},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        rate = config.get("learning_rate")
        if isinstance(rate, dict):
            config = {**config, "learning_rate": deserialize_keras_object(rate, custom_objects)}
        return cls(**config)


def start(initializer: Any) -> Any:
    """An initializer as a callable (shape, dtype) -> array: zeros, a number, a callable, or a name."""
    if initializer == "zeros":
        return lambda shape, dtype=None: np.zeros(shape, dtypes.numpy_dtype(dtype))
    if isinstance(initializer, (int, float)):
        return lambda shape, dtype=None: np.full(shape, initializer, dtypes.numpy_dtype(dtype))
    from kcompile import initializers

    return initializers.get(initializer)


def _with_gradient(grads: Sequence[Any], variables: list[Variable]) -> list[tuple[Any, Variable]]:
    pairs = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
    if not pairs:
        raise ValueError("No gradients provided for any variable.")
    missing = [v.path for g, v in zip(grads, variables, strict=True) if g is None]
    if missing:
        warnings.warn(
            f"Gradients do not exist for variables {missing} when minimizing the loss. If using "
            "`model.compile()`, "
            "did you forget to provide a `loss` argument?",
            stacklevel=3,
        )
    return pairs


def scalar_like(number: float, like: Any) -> Any:
    """A number as a 0-d tensor of a tensor's dtype."""
    return ew.as_tensor(number, str(like.dtype))
