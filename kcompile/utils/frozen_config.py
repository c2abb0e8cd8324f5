"""`keras.utils.Config`: named values with attribute access, which can be frozen."""

from __future__ import annotations

import difflib
import json
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any


class Config:
    """Named values, read and set as attributes or as items.

    Raises:  ValueError for a change after `freeze()`; AttributeError for an unknown name.

    >>> config = Config(learning_rate=0.1)
    >>> config.seed = 3
    >>> config["seed"], config.to_json()
    (3, '{"learning_rate": 0.1, "seed": 3}')
    """

    def __init__(self, **kwargs: Any):
        self.__dict__.update(_config=kwargs, _frozen=False)

    @property
    def frozen(self) -> bool:
        """Are changes refused?"""
        return self._frozen

    def freeze(self) -> None:
        """Refuse changes from here on."""
        self.__dict__["_frozen"] = True

    def unfreeze(self) -> None:
        """Accept changes again."""
        self.__dict__["_frozen"] = False

    def as_dict(self) -> dict[str, Any]:
        """A copy as a dict."""
        return dict(self._config)

    def to_json(self) -> str:
        """The values as JSON."""
        return json.dumps(self._config)

    def keys(self) -> KeysView[str]:
        return self._config.keys()

    def values(self) -> ValuesView[Any]:
        return self._config.values()

    def items(self) -> ItemsView[str, Any]:
        return self._config.items()

    def get(self, keyname: str, value: Any = None) -> Any:
        return self._config.get(keyname, value)

    def pop(self, *args: Any) -> Any:
        return self._changeable().pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        self._changeable().update(*args, **kwargs)

    def _changeable(self) -> dict[str, Any]:
        if self._frozen:
            raise ValueError("Cannot mutate attribute(s) because the config is frozen.")
        return self._config

    def __setattr__(self, name: str, value: Any) -> None:
        self._changeable()[name] = value

    def __getattr__(self, name: str) -> Any:
        known = self.__dict__.get("_config", {})
        if name in known:
            return known[name]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
        raise AttributeError(
            f"Unknown attribute: '{name}'." + (f" Did you mean '{near[0]}'?" if near else "")
        )

    def __setitem__(self, key: str, item: Any) -> None:
        self._changeable()[key] = item

    def __getitem__(self, key: str) -> Any:
        return self._config[key]

    def __delitem__(self, key: str) -> None:
        del self._changeable()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._config

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._config))

    def __len__(self) -> int:
        return len(self._config)

    def __repr__(self) -> str:
        return f"<Config {self._config}>"
