"""The variables of an optimizer: made, listed and saved in Keras's order."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.callers import users_level
from kcompile.ops.guards import guard
from kcompile.trace.variable import Variable, name_scope


@guard
class Slots:
    """Base of `Optimizer`: variables are listed in the order in which they are made."""

    name: str
    built: bool
    _variables: list[Variable]
    is_inner = False  # of a LossScaleOptimizer, below which Keras lists what `add_variable` makes alone

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        optimizer = super().__new__(cls)
        optimizer.__dict__["_variables"] = []
        return optimizer

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Variable) and not any(v is value for v in self._variables):
            self._variables.append(value)
        super().__setattr__(name, value)

    @property
    def variables(self) -> list[Variable]:
        """Iteration, learning rate, then what `build` made."""
        return list(self._variables)

    def add_variable(
        self,
        shape: tuple[int, ...],
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        with name_scope(self.name, caller=self):
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
        variable). None for a variable that takes its gradient as its value."""
        names = [name] if isinstance(name, str) else list(name)
        several = isinstance(initializer, (list, tuple))
        starts = list(initializer) if several else [initializer] * len(names)
        if len(starts) != len(names):
            raise ValueError(
                "The number of provided names must match the number of provided initializers. "
                f"Received name={name!r}, initializer={initializer!r}"
            )
        slots: tuple[list[Any], ...] = tuple([] for _ in names)
        for variable in trainable_variables:
            for column, slot, begin in zip(slots, names, starts, strict=True):
                overwritten = getattr(variable, "overwrite_with_gradient", False)
                made = None if overwritten else self.add_variable_from_reference(variable, slot, begin)
                column.append(made)
        return slots[0] if isinstance(name, str) else slots

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set variables, in the order of `variables`; a shorter list sets the first of them, as in Keras."""
        if not self.built:
            raise ValueError(
                "You are calling `set_weights()` on an optimizer that has not yet been built. Please call "
                "`optimizer.build(trainable_variables)` to create the optimizer weights before calling "
                "`set_weights()`."
            )
        for variable, weight in zip(self.variables, weights, strict=False):
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
                stacklevel=users_level(),
            )
            return
        for k, variable in enumerate(self.variables):
            variable.assign(np.asarray(store[str(k)]))


def start(initializer: Any) -> Any:
    """An initializer as a callable (shape, dtype) -> array: zeros, a number, a callable, or a name."""
    if initializer == "zeros":
        return lambda shape, dtype=None: np.zeros(shape, dtypes.numpy_dtype(dtype))
    if isinstance(initializer, (int, float)):
        return lambda shape, dtype=None: np.full(shape, initializer, dtypes.numpy_dtype(dtype))
    from kcompile import initializers

    return initializers.get(initializer)
