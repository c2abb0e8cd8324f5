"""Which names stand for which objects: what the library publishes, and what users register.

A saved file or a string shortcut may only name what is in here. Nothing is ever imported by a name from a
file.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from typing import Any

_published: dict[str, dict[str, Any]] = {}
_addresses: dict[Any, tuple[str, str]] = {}
_custom: dict[str, Any] = {}
_custom_names: dict[Any, str] = {}
_scopes = threading.local()


def publish(module: str, objects: Mapping[str, Any]) -> None:
    """Make objects known under their public address, as `keras.losses` and `MeanSquaredError`."""
    _published.setdefault(module, {}).update(objects)
    for name, item in objects.items():
        _addresses.setdefault(item, (module, name))


def published(module: str) -> dict[str, Any]:
    """The objects of a public module by name."""
    return _published.get(module, {})


def modules() -> list[str]:
    """The public modules that have published something."""
    return list(_published)


def address_of(item: Any) -> tuple[str, str] | None:
    """Public module and name of a class or function of the library; None for a user's own."""
    return _addresses.get(item)


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Any], Any]:
    """Decorator: register a user's class or function, so that files and configs can name it.

    Raises:  ValueError for a class without get_config, or an object registered twice under one name.

    >>> @register_keras_serializable(package="mine")
    ... def squash(x):
    ...     return x
    >>> get_registered_name(squash)
    'mine>squash'
    """

    def register(item: Any) -> Any:
        registered = f"{package}>{name if name is not None else item.__name__}"
        if inspect.isclass(item) and not hasattr(item, "get_config"):
            raise ValueError(
                "Cannot register a class that does not have a get_config() method. "
                f"Received: class={item}, package={package!r}, name={name!r}"
            )
        _custom[registered] = item
        _custom_names[item] = registered
        return item

    return register


def get_registered_name(obj: Any) -> str:
    """The name under which a class or function was registered, else its own name."""
    try:
        return _custom_names.get(obj) or obj.__name__
    except TypeError:  # unhashable
        return str(obj.__name__)


def get_custom_objects() -> dict[str, Any]:
    """The registered objects by name; the dictionary itself, which may be changed."""
    return _custom


class CustomObjectScope:
    """Objects that are known by name inside a `with` block.

    >>> with CustomObjectScope({"twice": lambda x: 2 * x}):
    ...     find_custom("twice")(3)
    6
    """

    def __init__(self, custom_objects: Mapping[str, Any] | None):
        self.custom_objects = dict(custom_objects or {})

    def __enter__(self) -> CustomObjectScope:
        _scopes.__dict__.setdefault("stack", []).append(self.custom_objects)
        return self

    def __exit__(self, *_: object) -> None:
        _scopes.stack.pop()


custom_object_scope = CustomObjectScope


def find_custom(name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """A user's object by name: from `custom_objects`, the scopes (innermost first), the registered; None if
    unknown.
    """
    for known in (custom_objects or {}, *reversed(_scopes.__dict__.get("stack", [])), _custom):
        if name in known:
            return known[name]
    return None


def get_registered_object(
    name: str,
    custom_objects: Mapping[str, Any] | None = None,
    module_objects: Mapping[str, Any] | None = None,
) -> Any:
    """The class or function registered under a name, else one of `module_objects`; None if there is none.

    >>> get_registered_object("nobody>Nothing") is None
    True
    """
    found = find_custom(name, custom_objects)
    return found if found is not None else (module_objects or {}).get(name)
