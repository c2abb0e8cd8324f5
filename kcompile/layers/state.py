"""The state of a layer: its own and its nested variables, in Keras's order, to read, set and store."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

import numpy as np

from kcompile.core.errors import ShapeError, message
from kcompile.core.tracking import Tracker
from kcompile.ops.guards import guard
from kcompile.trace.operation import Operation
from kcompile.trace.seed_generator import SeedGenerator
from kcompile.trace.variable import Variable


def is_metric(x: Any) -> bool:
    """Metrics come after layers in the order of imports, so they are known by what they do."""
    kind = type(x)
    return all(hasattr(kind, name) for name in ("update_state", "reset_state", "result"))


_TESTS: dict[str, Callable[[Any], bool]] = {
    "trainable_variables": lambda x: isinstance(x, Variable) and x.trainable,
    "non_trainable_variables": lambda x: isinstance(x, Variable) and not x.trainable,
    "metrics": is_metric,
    "layers": lambda x: isinstance(x, State) and not is_metric(x),
    "seed_generators": lambda x: isinstance(x, SeedGenerator),
}

_version = 0
_versions = itertools.count(1)


def version() -> int:
    """Grows with every change of an attribute of any layer: compiled programs see that they are stale."""
    return _version


def changed() -> None:
    global _version
    _version = next(_versions)  # never the same twice, whichever threads change layers at the same time


def unique(items: Iterable[Any]) -> list[Any]:
    """Each object once, in order."""
    return list({id(item): item for item in items}.values())


@guard
class State(Operation):
    """Variables and nested layers, found through attributes."""

    _tracker: Tracker
    _trainable: bool
    built: bool

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        instance = super().__new__(cls, *args, **kwargs)
        instance.__dict__["_tracker"] = Tracker(_TESTS)
        return instance

    def __setattr__(self, name: str, value: Any) -> None:
        changed()
        super().__setattr__(name, self._tracker.track(value))

    def __delattr__(self, name: str) -> None:
        value = self.__dict__.get(name)
        if isinstance(value, Variable):
            self._tracker.remove(value)
        changed()
        super().__delattr__(name)

    def _untrack_variable(self, variable: Variable) -> None:
        """Not one of the weights any more, though an attribute may hold it."""
        changed()
        self._tracker.remove(variable)

    # --- what was found -------------------------------------------------------------------------------------

    @property
    def _own_variables(self) -> list[Variable]:
        stores = self._tracker.stores
        return stores["trainable_variables"] + stores["non_trainable_variables"]

    @property
    def _trainable_variables(self) -> list[Variable]:
        return self._tracker.stores["trainable_variables"]

    @property
    def _non_trainable_variables(self) -> list[Variable]:
        return self._tracker.stores["non_trainable_variables"]

    @property
    def _layers(self) -> list[Any]:
        return self._tracker.stores["layers"]

    @property
    def _metrics(self) -> list[Any]:
        return self._tracker.stores["metrics"]

    @property
    def _seed_generators(self) -> list[SeedGenerator]:
        return self._tracker.stores["seed_generators"]

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[Any]:
        """This layer and the nested ones, each once, outer before inner; below the first level the last ones
        come first, as in Keras, whose losses and metrics are listed so.
        """
        found: list[Any] = []
        waiting = deque(self._layers)
        while waiting:
            layer = waiting.popleft()
            if not any(layer is known for known in found):
                found.append(layer)
                waiting.extendleft(layer._layers if recursive else ())
        return [self, *found] if include_self else found

    @property
    def variables(self) -> list[Variable]:
        """Weights and the states of seed generators, of this layer and of nested ones."""
        own = [*self._own_variables, *(s.state for s in self._seed_generators)]
        return unique([*own, *(v for layer in self._layers for v in layer.variables)])

    @property
    def trainable_variables(self) -> list[Variable]:
        return [v for v in self.variables if v.trainable] if self.trainable else []

    @property
    def non_trainable_variables(self) -> list[Variable]:
        return [v for v in self.variables if not v.trainable] if self.trainable else self.variables

    @property
    def weights(self) -> list[Variable]:
        """Variables without the states of seed generators: own ones first, then those of nested layers."""
        return unique([*self._own_variables, *(v for layer in self._layers for v in layer.weights)])

    @property
    def trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if not v.trainable] if self.trainable else self.weights

    @property
    def metrics(self) -> list[Any]:
        """Metrics of this layer and of nested ones."""
        return unique([*self._metrics, *(m for layer in self._layers for m in layer.metrics)])

    @property
    def metrics_variables(self) -> list[Variable]:
        return [v for metric in self.metrics for v in metric.variables]

    @property
    def trainable(self) -> bool:
        """Whether `fit` may change the weights; setting it sets nested layers too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = bool(value)
        self.__dict__["_trainable"] = value
        for variable in self._trainable_variables:
            variable.trainable = value
        for layer in self._layers:
            layer.trainable = value

    # --- numbers in and out ---------------------------------------------------------------------------------

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the weights."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Set all weights, in the order of `weights`.

        Raises:  ValueError if their number or a shape differs; nothing is changed then.
        """
        layer_weights = self.weights
        if len(layer_weights) != len(weights):
            raise ValueError(
                f"You called `set_weights(weights)` on layer '{self.name}' with a weight list of length "
                f"{len(weights)}, but the layer was expecting {len(layer_weights)} weights."
            )
        for variable, value in zip(layer_weights, weights, strict=True):
            if variable.shape != np.shape(value):
                raise ShapeError(
                    f"Layer {self.name} weight shape {variable.shape} is not compatible with provided "
                    f"weight shape {np.shape(value)} (weight {variable.path})."
                )
        for variable, value in zip(layer_weights, weights, strict=True):
            variable.assign(value)

    def count_params(self) -> int:
        """The number of elements of all weights."""
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on layer '{self.name}', but the layer isn't built. You "
                "can build it manually via: `layer.build(input_shape)`."
            )
        return sum(math.prod(v.shape) for v in self.weights)

    def _stored_variables(self) -> list[Variable]:
        """The own variables that files hold, in their order there."""
        return self._own_variables

    def _stored_arrays(self) -> list[np.ndarray]:
        """What files hold of them."""
        return [variable.numpy() for variable in self._stored_variables()]

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Write this layer's own variables (not nested ones) as store["0"], store["1"], ..."""
        for k, array in enumerate(self._stored_arrays()):
            store[str(k)] = array

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Read what `save_own_variables` wrote.

        Raises:  ValueError if number or shapes do not fit.
        """
        own = self._stored_variables()
        if len(store.keys()) != len(own):
            raise ValueError(self._wrong_count(len(store.keys())))
        for k, variable in enumerate(own):
            variable.assign(np.asarray(store[str(k)]))
        self._loaded()

    def _loaded(self) -> None:
        """Variables were read from a file."""

    def _wrong_count(self, received: int) -> str:
        own = self._stored_variables()
        if own or self.built:
            return (
                f"Layer '{self.name}' expected {len(own)} variables, but received {received} variables "
                f"during loading. Expected: {[v.name for v in own]}"
            )
        return message(
            f"Layer '{self.name}' was never built and thus it doesn't have any variables. However the "
            f"weights file lists {received} variables for this layer.",
            hint="create all state, that of child layers included, in the parent's `build()`; or implement "
            "`build_from_config(config)` and `get_build_config()`, which load and save what build() needs",
        )
