"""Dynamic loss scaling for float16: steps whose gradients overflow are skipped, and the scale adapts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core.errors import ArgumentError, message
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.optimizers.conditional import update_if
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.variable import Variable

# Settings of other optimizers that older files hold for this one, where they have no effect.
WITHOUT_EFFECT: dict[str, Any] = {
    "weight_decay": None, "clipnorm": None, "global_clipnorm": None, "clipvalue": None, "use_ema": False,
    "ema_momentum": 0.99, "ema_overwrite_frequency": None, "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}  # fmt: skip


class LossScaleOptimizer(Optimizer):
    """Wraps an optimizer: the loss is multiplied by a scale, the gradients are divided by it again.

    Small gradients then do not vanish in float16. A step with a gradient that is not finite changes no
    variable and halves the scale; after `dynamic_growth_steps` finite steps since its last change the scale
    doubles. Both happen inside the compiled step, by selecting values.

    Args:    inner_optimizer: the optimizer that updates. initial_scale: the first scale, 2**15 unless given.
             dynamic_growth_steps: 2000 unless given.
    Raises:  ValueError for settings that belong to the inner optimizer, such as clipnorm.
    Source:  Micikevicius et al., Mixed Precision Training, 2018.

    >>> from kcompile import optimizers
    >>> LossScaleOptimizer(optimizers.SGD(0.1)).get_config()["initial_scale"]
    32768.0
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ):
        _check(inner_optimizer, kwargs)
        super().__init__(learning_rate=0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        inner_optimizer.loss_scale_factor = None  # or gradients would be scaled twice

    def build(self, var_list: Sequence[Variable]) -> None:
        """The counter of finite steps, the scale, and the slots of the inner optimizer."""
        self.step_counter = self.add_variable((), dtype="int32", name="step_counter")
        self.dynamic_scale = self.add_variable((), self.initial_scale, "float32", name="dynamic_scale")
        self.inner_optimizer.is_inner = True
        self.inner_optimizer.build(var_list)
        super().build(var_list)

    @property
    def variables(self) -> list[Variable]:
        """Iteration and learning rate (both without use), counter and scale, then the inner optimizer's."""
        return [*self._variables, *self.inner_optimizer.variables]

    @property
    def iterations(self) -> Any:
        """Updates so far: skipped steps do not count."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> Any:
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def version(self) -> int:
        return self._own_version + self.inner_optimizer.version

    @version.setter
    def version(self, value: int) -> None:
        self._own_version = value

    def scale_loss(self, loss: Any) -> Any:
        """The loss times the scale; nothing where gradients underflow in float16 is lost."""
        return loss * (self.dynamic_scale.value if self.built else self.initial_scale)

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """One update by the inner optimizer, kept if all gradients are finite; then the scale's own."""
        if len(grads) == 0:
            return
        targets = self._targets(grads, trainable_variables)
        finite = self.check_finite(grads)
        scale = self.dynamic_scale.value
        unscaled = [  # in float32 for halves: float16 has no room for a scale of 2**16
            g if g is None or v.overwrite_with_gradient else ops.divide(g, scale)
            for g, v in zip(grads, targets, strict=True)
        ]
        inner = self.inner_optimizer
        update_if(finite, [*targets, *inner.variables], lambda: inner.apply(unscaled, targets))
        self._adapt(finite)

    def _adapt(self, finite: Any) -> None:
        """The scale and the counter after a step."""
        count, scale = self.step_counter.value, self.dynamic_scale.value
        grows = ops.logical_and(finite, ops.equal(count, self.dynamic_growth_steps - 1))
        counts = ops.logical_and(finite, ops.logical_not(grows))
        self.step_counter.assign(ops.where(counts, count + 1, 0))
        factor = ops.where(finite, ops.where(grows, 2.0, 1.0), 0.5)
        self.dynamic_scale.assign(scale * ops.cast(factor, "float32"))

    def check_finite(self, grads: Sequence[Any]) -> Any:
        """Is no element of any gradient NaN or infinite? A 0-d bool."""
        found = [ops.all(ops.isfinite(g)) for g in grads if g is not None]
        finite = found[0] if found else ops.convert_to_tensor(True)
        for other in found[1:]:
            finite = ops.logical_and(finite, other)
        return finite

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "inner_optimizer": serialize_keras_object(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        inner = config["inner_optimizer"]
        if isinstance(inner, dict):
            inner = deserialize_keras_object(inner, custom_objects)
        return cls(**{**config, "inner_optimizer": inner})


def _check(inner: Any, kwargs: dict[str, Any]) -> None:
    """Refuse what the wrapped optimizer must be told instead."""
    if not isinstance(inner, Optimizer):
        raise ArgumentError(
            message(
                "LossScaleOptimizer wraps an optimizer.",
                expected="an Optimizer, such as keras.optimizers.Adam()",
                received=f"inner_optimizer={inner!r}",
            )
        )
    if not kwargs.pop("dynamic", True):
        raise ValueError(
            "LossScaleOptimizer does not support `dynamic=False`: set `loss_scale_factor` of the inner "
            "optimizer, without LossScaleOptimizer around it."
        )
    for name, default in WITHOUT_EFFECT.items():
        if kwargs.pop(name, default) != default:
            raise ValueError(
                f"LossScaleOptimizer does not support `{name}`. Instead, set `{name}` on the "
                "`inner_optimizer`."
            )
    if kwargs:
        raise ValueError(f"LossScaleOptimizer does not support arguments: `{'`, `'.join(kwargs)}`.")
