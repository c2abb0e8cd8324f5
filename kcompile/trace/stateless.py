"""`StatelessScope`: variables keep their values, what is assigned to them is collected instead."""

from __future__ import annotations

from typing import Any

from kcompile.ops import elementwise as ew
from kcompile.trace import tracer
from kcompile.trace.variable import Variable


class StatelessScope:
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
        self.collect_losses, self.initialize_variables = collect_losses, initialize_variables
        self.losses: list[Any] = []
        self.state_mapping: dict[int, Any] = {}
        for variable, value in state_mapping or ():
            self.state_mapping[id(variable)] = _checked(variable, value)

    def __enter__(self) -> StatelessScope:
        self._outer = tracer.enter(self)
        return self

    def __exit__(self, *_: object) -> None:
        tracer.enter(self._outer)

    def add_loss(self, loss: Any) -> None:
        """Collect a loss."""
        self.losses.append(loss)

    def add_update(self, update: tuple[Any, Any]) -> None:
        """Give a variable another value: (variable, value)."""
        variable, value = update
        self.state_mapping[id(variable)] = value

    def get_current_value(self, variable: Any) -> Any:
        """The value of a variable in this scope; None if it was neither given nor assigned."""
        return self.state_mapping.get(id(variable))

    # What variables ask of the scope that they are used in.

    def read(self, variable: Variable) -> Any:
        known = self.get_current_value(variable)
        if known is not None:
            return known
        return variable.array if self._outer is None else self._outer.read(variable)

    def assign(self, variable: Variable, value: Any) -> Any:
        self.state_mapping[id(variable)] = ew.as_tensor(value, variable.dtype)
        return self.state_mapping[id(variable)]


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
