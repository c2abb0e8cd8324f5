"""`StatelessScope`: variables keep their values, what is assigned to them is collected instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile.ops import elementwise as ew
from kcompile.trace.tracer import Tracer
from kcompile.trace.variable import Variable


class StatelessScope(Tracer):
    """Inside of `with`, variables are read from a mapping and assigned to it; they themselves do not change.

    Args:    state_mapping: pairs (variable, value); variables that are not in it are read as they are.
             collect_losses: keep what is given to `add_loss`. initialize_variables: for Keras's signature;
             variables have their values from the start.
    Raises:  ValueError if a key is no Variable or a value has another shape.

    >>> v = Variable([1.0, 2.0])
    >>> with StatelessScope([(v, [5.0, 6.0])]) as scope:
    ...     _ = v.assign(v.value + 1)
    >>> scope.get_current_value(v).tolist(), v.numpy().tolist()
    ([6.0, 7.0], [1.0, 2.0])
    """

    def __init__(
        self,
        state_mapping: Any = None,
        collect_losses: bool = False,
        initialize_variables: bool = True,
    ):
        super().__init__()
        self.collect_losses, self.initialize_variables = collect_losses, initialize_variables
        self.losses: list[Any] = []
        for update in state_mapping or ():
            self.add_update(update)

    @property
    def records(self) -> bool:  # type: ignore[override]
        """Does the scope stand in a trace?"""
        return self._outer is not None and self._outer.records

    def add_loss(self, loss: Any) -> None:
        """Collect a loss."""
        self.losses.append(loss)

    def add_update(self, update: tuple[Any, Any]) -> None:
        """Give a variable a value in this scope: (variable, value)."""
        variable, value = update
        self.current[variable] = _checked(variable, value)

    def get_current_value(self, variable: Any) -> Any:
        """The value of a variable in this scope; None if it was neither given nor assigned."""
        return self.current.get(variable)

    def read(self, variable: Variable) -> Any:
        if variable in self.current:
            return self.current[variable]
        return variable.array if self._outer is None else self._outer.read(variable)

    def assign(self, variable: Variable, value: Any) -> Any:
        self.current[variable] = self.assigned[variable] = ew.as_tensor(value, variable.dtype)
        return self.current[variable]


def values_in(scope: StatelessScope, variables: Sequence[Variable]) -> list[Any]:
    """The values of variables in a scope, their own where the scope has none."""
    found = [scope.get_current_value(v) for v in variables]
    return [v.value if value is None else value for v, value in zip(variables, found, strict=True)]


def _checked(variable: Any, value: Any) -> Any:
    if not isinstance(variable, Variable):
        raise ValueError(
            "Invalid reference variable in StatelessScope: all keys in argument `mapping` must be Variable "
            f"instances. Received instead: {variable}"
        )
    value = ew.as_tensor(value, variable.dtype)
    if tuple(value.shape) != variable.shape:
        raise ValueError(
            "Invalid variable value in StatelessScope: all values in argument `mapping` must be tensors with "
            "a shape that matches the corresponding variable shape. For variable "
            f"{variable}, received invalid value {value} with shape {tuple(value.shape)}."
        )
    return value


class SymbolicScope:
    """Marks code that computes shapes and dtypes only. Nothing depends on it here."""

    def __enter__(self) -> SymbolicScope:
        return self

    def __exit__(self, *_: object) -> None:
        pass
