"""The base of optimizers: variables in Keras's order, clipping, weight decay, moving averages,
accumulation."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from kcompile import ops
from kcompile.core import dtypes, interrupts
from kcompile.core.callers import users_level
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.ops import elementwise as ew
from kcompile.ops.guards import guard
from kcompile.optimizers import accumulation, averages, clipping
from kcompile.optimizers.schedules import LearningRateSchedule
from kcompile.optimizers.slots import Slots
from kcompile.trace.naming import auto_name, checked_name
from kcompile.trace.stateless import StatelessScope, values_in
from kcompile.trace.variable import Variable, name_scope


@guard
class Optimizer(Slots):
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

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:  # after Ctrl-C an optimizer has all its slots or none
            cls.build = interrupts.whole(cls.__dict__["build"])  # type: ignore[method-assign]
        guard(cls)

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
            warnings.warn(
                "Argument `decay` is no longer supported and will be ignored.", stacklevel=users_level()
            )
        if kwargs:
            raise ValueError(f"Argument(s) not recognized: {kwargs}")
        clipping.check(clipnorm, clipvalue, global_clipnorm)
        accumulation.check(gradient_accumulation_steps)
        if use_ema:
            averages.check(ema_momentum, ema_overwrite_frequency)
        self.name = auto_name(type(self).__name__) if name is None else checked_name(name)
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
            sums = [self.add_variable_from_reference(v, "gradient_accumulator") for v in variables]
            self._accumulated = sums
        self.built = True

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
        if not pairs:
            raise ValueError("apply_gradients: no (gradient, variable) pairs were given.")
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])
        return self._iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """One update. Without `trainable_variables`: of those it was built for.

        Raises:  ValueError before build, for unknown variables, and where no variable has a gradient.
        """
        if len(grads) == 0:
            return
        targets = self._targets(grads, trainable_variables)
        pairs = self._overwrite(_with_gradient(grads, targets))
        if pairs:
            self._apply([g for g, _ in pairs], [v for _, v in pairs])
        self._iterations.assign(self._iterations.value + 1)

    def _overwrite(self, pairs: list[tuple[Any, Variable]]) -> list[tuple[Any, Variable]]:
        """Assign gradients to variables that take them as their value; the other pairs."""
        for gradient, variable in pairs:
            if variable.overwrite_with_gradient and self.gradient_accumulation_steps:
                accumulation.overwrite(self, gradient, variable)
            elif variable.overwrite_with_gradient:
                self.assign(variable, gradient)
        return [(g, v) for g, v in pairs if not v.overwrite_with_gradient]

    def _apply(self, gradients: list[Any], variables: list[Variable]) -> None:
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

    def stateless_apply(
        self, optimizer_variables: Sequence[Any], grads: Sequence[Any], trainable_variables: Sequence[Any]
    ) -> tuple[list[Any], list[Any]]:
        """`apply` on given values: (new values of the trainable variables, of the optimizer's variables).

        Raises:  ValueError before build, and for other numbers of values than there are variables.
        """
        self._check_stateless(optimizer_variables, trainable_variables)
        mapping = [
            *zip(self._trainable_variables, trainable_variables, strict=True),
            *zip(self.variables, optimizer_variables, strict=True),
        ]
        scope = StatelessScope(mapping)
        with scope:
            self.apply(grads)
        return values_in(scope, self._trainable_variables), values_in(scope, self.variables)

    def _check_stateless(
        self, optimizer_variables: Sequence[Any], trainable_variables: Sequence[Any]
    ) -> None:
        if not self.built:
            raise ValueError(
                f"To call `stateless_apply`, {type(self).__name__} must be built (i.e. its variables must "
                "have been created). You can build it via `optimizer.build(trainable_variables)`."
            )
        if len(optimizer_variables) != len(self.variables):
            raise ValueError(
                "Argument `optimizer_variables` must be a list of tensors corresponding 1:1 to "
                f"{type(self).__name__}().variables. Received list with length {len(optimizer_variables)}, "
                f"but expected {len(self.variables)} variables."
            )
        if len(trainable_variables) != len(self._trainable_variables):
            raise ValueError(
                "Argument `trainable_variables` must be a list of tensors corresponding 1:1 to the variables "
                f"that the optimizer was built with. Received list with length {len(trainable_variables)}, "
                f"but expected {len(self._trainable_variables)} variables."
            )

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
            with name_scope(self.name, caller=self):
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
        self._apply_weight_decay(variables)
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
        """Variables that do not decay, given themselves or by patterns found in their names.

        Replaces what an earlier call excluded; allowed after build too, as in Keras.
        """
        self._undecayed = {id(variable) for variable in var_list or ()}
        self._undecayed_names = "|".join(sorted(set(var_names))) if var_names else None
        self.version += 1

    def _apply_weight_decay(self, variables: Sequence[Variable]) -> None:
        for variable in variables:
            decay = self._decay_of(variable)
            if decay is not None and self._use_weight_decay(variable):
                rate = ew.as_tensor(self.learning_rate, variable.dtype)
                self.assign_sub(variable, variable.value * decay * rate)

    def _decay_of(self, variable: Variable) -> float | None:
        """The strength of the decay of a variable, None for none."""
        return self.weight_decay

    def _use_weight_decay(self, variable: Variable) -> bool:
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
            stacklevel=users_level(),
        )
    return pairs
