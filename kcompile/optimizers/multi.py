"""Different optimizers for different variables of one model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any

from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.optimizers.loss_scale import LossScaleOptimizer
from kcompile.optimizers.optimizer import Optimizer
from kcompile.trace.variable import Variable


class OptimizerMap(MutableMapping[str, Optimizer]):
    """Optimizers by paths of variables, or regular expressions that match whole paths.

    Raises:  TypeError for a default that is no optimizer or a map that is no dict; ValueError for a key that
             is set twice, and where several expressions match a path.

    >>> from kcompile.optimizers import Adam, SGD
    >>> optimizers = OptimizerMap(SGD(name="sgd"), {"encoder/.*": Adam(name="adam")})
    >>> optimizers["encoder/dense/kernel"].name, optimizers["head/kernel"].name
    ('adam', 'sgd')
    """

    def __init__(self, default_optimizer: Any, optimizer_map: dict[str, Any] | None = None):
        if not isinstance(default_optimizer, Optimizer):
            raise TypeError(
                f"default_optimizer must be a Keras Optimizer instance. Received: {default_optimizer}"
            )
        if optimizer_map is not None and not isinstance(optimizer_map, dict):
            raise TypeError(f"optimizer_map must be a dictionary. Received: {optimizer_map}")
        self._default_optimizer = default_optimizer
        self._optimizer_map = optimizer_map or {}

    @property
    def default_optimizer(self) -> Any:
        """The optimizer of variables that nothing matches."""
        return self._default_optimizer

    def __getitem__(self, key: str) -> Any:
        if key in self._optimizer_map:
            return self._optimizer_map[key]
        matching = [pattern for pattern in self._optimizer_map if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise ValueError(f"Multiple optimizers assigned to variable {key}.")
        return self._optimizer_map[matching[0]] if matching else self.default_optimizer

    def __setitem__(self, key: str, optimizer: Any) -> None:
        if key in self._optimizer_map:
            raise ValueError(
                f"'{key}' already exists in the OptimizerMap with value {self._optimizer_map[key]}. Please "
                "make sure to not use duplicated keys."
            )
        if not isinstance(key, str):
            raise ValueError(f"key must be a string. Received: {key}")
        if not isinstance(optimizer, Optimizer):
            raise ValueError(f"optimizer must be a Keras Optimizer instance. Received: {optimizer}")
        for kind in (LossScaleOptimizer, MultiOptimizer):
            if isinstance(optimizer, kind):
                raise ValueError(f"optimizer cannot be {kind.__name__}.")
        self._optimizer_map[key] = optimizer

    def __delitem__(self, key: str) -> None:
        del self._optimizer_map[key]

    def __len__(self) -> int:
        return len(self._optimizer_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._optimizer_map)

    def __call__(self, variable: Variable) -> Any:
        return self[variable.path]

    def get_config(self) -> dict[str, Any]:
        return {
            "default_optimizer": serialize_keras_object(self._default_optimizer),
            "optimizer_map": serialize_keras_object(self._optimizer_map),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        names = ("default_optimizer", "optimizer_map")
        return cls(*(deserialize_keras_object(config[name], custom_objects) for name in names))


class MultiOptimizer(Optimizer):
    """Updates each variable with the optimizer that `optimizer_map` gives for it.

    Args:    optimizer_map: an OptimizerMap, or a function of a variable; it may return a new optimizer for
             each, or one for several. loss_scale_factor: takes the place of the inner optimizers'.
    Raises:  ValueError for what is no optimizer, or scales losses, or is a MultiOptimizer itself;
             AttributeError for `learning_rate`: each inner optimizer has its own, see `optimizers`.
    """

    def __init__(
        self,
        optimizer_map: OptimizerMap | Callable[[Variable], Any],
        loss_scale_factor: float | None = None,
        name: str | None = None,
    ):
        self._inner_optimizers: list[Any] = []
        super().__init__(learning_rate=0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._optimizer_map = optimizer_map
        self._places: dict[int, int] = {}
        if isinstance(optimizer_map, OptimizerMap):
            for optimizer in (*optimizer_map.values(), optimizer_map.default_optimizer):
                self._place(optimizer)

    def _place(self, optimizer: Any) -> int:
        """The number of an optimizer among the inner ones; a new one is added."""
        for k, known in enumerate(self._inner_optimizers):
            if known is optimizer:
                return k
        optimizer.loss_scale_factor = self.loss_scale_factor
        self._inner_optimizers.append(optimizer)
        return len(self._inner_optimizers) - 1

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        for variable in var_list:
            optimizer = self._optimizer_map(variable)
            if not isinstance(optimizer, Optimizer):
                raise ValueError(f"Optimizer for variable {variable} is not an Optimizer instance.")
            for kind in (LossScaleOptimizer, MultiOptimizer):
                if isinstance(optimizer, kind):
                    raise ValueError(f"{kind.__name__} cannot be used inside an MultiOptimizer.")
            self._places[id(variable)] = self._place(optimizer)
        for optimizer, owned in self._split(var_list, var_list):
            optimizer.build(owned)
        super().build(var_list)

    def _split(self, items: Sequence[Any], variables: Sequence[Variable]) -> list[tuple[Any, list[Any]]]:
        """(optimizer, items of its variables) for each inner optimizer that has variables."""
        parts: list[list[Any]] = [[] for _ in self._inner_optimizers]
        for item, variable in zip(items, variables, strict=True):
            parts[self._places[id(variable)]].append(item)
        return [(o, part) for o, part in zip(self._inner_optimizers, parts, strict=True) if part]

    @property
    def optimizers(self) -> list[Any]:
        """The inner optimizers."""
        return self._inner_optimizers

    @property
    def variables(self) -> list[Variable]:
        """Its own, then those of the inner optimizers."""
        return [*self._variables, *(v for inner in self._inner_optimizers for v in inner.variables)]

    @property
    def version(self) -> int:
        return self._version + sum(inner.version for inner in self._inner_optimizers)

    @version.setter
    def version(self, value: int) -> None:
        self._version = value

    @property
    def learning_rate(self) -> Any:
        raise AttributeError(
            "Learning rate cannot be accessed on a MultiOptimizer. Access the learning rate on the "
            "individual sub-optimizers instead."
        )

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        raise AttributeError(
            "Learning rate cannot be set on a MultiOptimizer. Set the learning rate on the individual "
            "sub-optimizers instead."
        )

    @property
    def loss_scale_factor(self) -> float | None:
        return self._loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value: float | None) -> None:
        self._loss_scale_factor = value
        for optimizer in self._inner_optimizers:
            optimizer.loss_scale_factor = value

    @property
    def iterations(self) -> Any:
        return self._iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """One update of each inner optimizer that has variables."""
        if len(grads) == 0:
            return
        targets = self._targets(grads, trainable_variables)
        if len(grads) != len(self._trainable_variables):
            raise ValueError(
                f"Gradients must match trainable variables one-to-one. Received {len(grads)} gradients and "
                f"{len(self._trainable_variables)} variables."
            )
        for optimizer, pairs in self._split(list(zip(grads, targets, strict=True)), targets):
            optimizer.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])
        self._iterations.assign(self._iterations.value + 1)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        for optimizer, owned in self._split(var_list, var_list):
            optimizer.finalize_variable_values(owned)

    def get_config(self) -> dict[str, Any]:
        return {
            "optimizer_map": serialize_keras_object(self._optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        given = deserialize_keras_object(config["optimizer_map"], custom_objects)
        return cls(**{**config, "optimizer_map": given})
