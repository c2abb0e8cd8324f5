"""The base of metrics: state in variables, updated with ops, so that updates become part of a compiled
step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kcompile import dtype_policies
from kcompile.core import dtypes
from kcompile.core.config import floatx
from kcompile.core.errors import ArgumentError
from kcompile.core.tracking import Tracker
from kcompile.ops.guards import guard
from kcompile.trace.naming import auto_name
from kcompile.trace.stateless import StatelessScope, values_in
from kcompile.trace.variable import Variable, name_scope


@guard
class Metric:
    """A metric to subclass: `update_state` adds a batch, `result` computes, `reset_state` starts anew.

    Both are written with `kcompile.ops`: `fit` traces them into the step, eager calls run them at once.

    >>> class Largest(Metric):
    ...     def __init__(self, name="largest"):
    ...         super().__init__(name=name)
    ...         self.top = self.add_variable(shape=(), initializer="zeros", name="top")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         from kcompile import ops
    ...         self.top.assign(ops.maximum(self.top, ops.max(y_pred)))
    ...     def result(self):
    ...         return self.top.value
    >>> metric = Largest()
    >>> metric.update_state(None, np.array([1.0, 3.0], "float32")); float(metric.result())
    3.0
    """

    _direction: str | None = None  # "up" if more is better, "down" if less is, None if unknown
    _tracker: Tracker

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        guard(cls)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        metric = super().__new__(cls)
        metric.__dict__["_tracker"] = Tracker({"variables": _is_variable, "metrics": _is_metric})
        return metric

    def __init__(self, dtype: Any = None, name: str | None = None):
        self.name = name or auto_name(type(self).__name__)
        self._dtype = dtype_policies.get(dtype or floatx()).compute_dtype

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, self._tracker.track(value))

    @property
    def _variables(self) -> list[Variable]:
        return self._tracker.stores["variables"]

    @property
    def _metrics(self) -> list[Metric]:
        return self._tracker.stores["metrics"]

    @property
    def dtype(self) -> str:
        return self._dtype

    @property
    def variables(self) -> list[Variable]:
        """The metric's state, and that of metrics it holds."""
        return [*self._variables, *(v for metric in self._metrics for v in metric.variables)]

    def add_variable(
        self,
        shape: tuple[int, ...] = (),
        initializer: Any = None,
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """A variable of state, zeros unless `initializer` (a name, a callable or an array) says otherwise."""
        name_of_dtype = dtypes.standardize(dtype)
        start = _zeros if initializer is None else _initializer(initializer)
        with name_scope(self.name.replace("/", ">")):
            variable = Variable(
                start,
                shape=tuple(shape),
                dtype=name_of_dtype,
                trainable=False,
                aggregation=aggregation,
                name=name,
            )
        self._tracker.add(variable)
        return variable

    def add_weight(
        self, shape: tuple[int, ...] = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Variable:
        return self.add_variable(shape=shape, initializer=initializer, dtype=dtype, name=name)

    def reset_state(self) -> None:
        """Back to zeros."""
        for variable in self.variables:
            variable.assign(_zeros(variable.shape, variable.dtype))

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Add the values of a batch to the state."""
        raise NotImplementedError(f"{type(self).__name__} must define update_state()")

    def result(self) -> Any:
        """The metric's value over everything since the last reset: a scalar, or a dict of scalars."""
        raise NotImplementedError(f"{type(self).__name__} must define result()")

    def stateless_update_state(self, metric_variables: Sequence[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """`update_state` on given values of the variables; their new values."""
        scope = self._stateless(metric_variables)
        with scope:
            self.update_state(*args, **kwargs)
        return values_in(scope, self.variables)

    def stateless_result(self, metric_variables: Sequence[Any]) -> Any:
        """`result` for given values of the variables."""
        with self._stateless(metric_variables):
            return self.result()

    def stateless_reset_state(self) -> list[Any]:
        """The values of the variables after a reset."""
        scope = StatelessScope()
        with scope:
            self.reset_state()
        return values_in(scope, self.variables)

    def _stateless(self, values: Sequence[Any]) -> StatelessScope:
        if len(values) != len(self.variables):
            raise ValueError(
                f"Argument `metric_variables` must be a list of tensors corresponding 1:1 to "
                f"{type(self).__name__}().variables. Received list with length {len(values)}, but expected "
                f"{len(self.variables)} variables."
            )
        return StatelessScope(zip(self.variables, values, strict=True))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _is_variable(x: Any) -> bool:
    return isinstance(x, Variable)


def _is_metric(x: Any) -> bool:
    return isinstance(x, Metric)


def no_state(metric: Metric) -> ArgumentError:
    """The error of a metric whose variables take their shape from the first batch, asked before one came."""
    return ArgumentError(
        f"{type(metric).__name__} '{metric.name}' has no result yet: the shape of its state follows from the "
        "first batch. Call update_state(y_true, y_pred) first."
    )


def _zeros(shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
    return np.zeros(shape, dtypes.numpy_dtype(dtypes.standardize(dtype)))


def _initializer(identifier: Any) -> Any:
    from kcompile import initializers

    return initializers.get(identifier)
