"""Layers whose arguments become attributes, settings of weights, and the config, under one name each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from kcompile import activations, constraints, initializers, regularizers
from kcompile.layers.layer import Layer

# How an argument is read and serialised, by the last word of its name.
MODULES: dict[str, Any] = {
    "activation": activations,
    "initializer": initializers,
    "regularizer": regularizers,
    "constraint": constraints,
}


def module_of(name: str) -> Any:
    """What reads and serialises an argument, None where it is plain."""
    return MODULES.get(name.rpartition("_")[2])


def serialized(owner: Any, names: Iterable[str]) -> dict[str, Any]:
    """Attributes as plain data."""
    values = ((name, module_of(name), getattr(owner, name)) for name in names)
    return {name: value if module is None else module.serialize(value) for name, module, value in values}


def placed(config: dict[str, Any], name: str, value: Any, before: str) -> dict[str, Any]:
    """A config with another entry before one of its own; one that it has already stays where it is.

    >>> placed({"units": 3, "seed": 1}, "rate", 0.5, before="seed")
    {'units': 3, 'rate': 0.5, 'seed': 1}
    """
    if name in config or before not in config:
        return {**config, name: value}
    at = list(config).index(before)
    entries = list(config.items())
    return dict([*entries[:at], (name, value), *entries[at:]])


class Configured(Layer):
    """Base of layers that keep their arguments; a subclass calls `configure` with them."""

    _settings: tuple[str, ...] = ()
    # Arguments that stand elsewhere in the config than in the constructor: before which others.
    _earlier: Mapping[str, str] = MappingProxyType({})

    def configure(self, settings: dict[str, Any]) -> None:
        """Make an attribute of each argument; initializers and their like may be names or configs."""
        for name, value in settings.items():
            module = module_of(name)
            setattr(self, name, value if module is None else module.get(value))
        self._settings = tuple(settings)

    def add_configured_weight(
        self,
        name: str,
        shape: tuple[Any, ...],
        part: str | None = None,
        initializer: Any = None,
        **more: Any,
    ) -> Any:
        """A weight with the initializer, regularizer and constraint of a part of the layer.

        part: what their names begin with; by default that of the weight, "recurrent" for "recurrent_kernel".
        more: other arguments of `add_weight`.
        """
        part = part or name.removesuffix("_kernel")
        return self.add_weight(
            shape=shape,
            name=name,
            initializer=initializer or getattr(self, f"{part}_initializer"),
            regularizer=getattr(self, f"{part}_regularizer"),
            constraint=getattr(self, f"{part}_constraint"),
            **more,
        )

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), **serialized(self, self._settings)}
        for name, other in self._earlier.items():
            config = placed(config, name, config.pop(name), before=other)
        return config
