"""Objects as plain data and back: the `{module, class_name, config, registered_name}` form of Keras's files.

Data may come from a file that a stranger made. So a name in it can only mean what the library publishes or
what the user registered or passed: nothing is imported, evaluated or unpickled, and nothing in the data or
in the process can change that.
"""

from __future__ import annotations

import inspect
import threading
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from kcompile.core import dtypes, lambdas, registry
from kcompile.core.errors import ConfigError, UnknownObjectError, message, unknown_name

Config = dict[str, Any]


class _Sharing(threading.local):
    """Objects met in the file that is being written (id -> number, object) or read (number -> object)."""

    written: dict[int, tuple[int, Any]] | None = None
    read: dict[int, Any] | None = None
    depth: int = 0  # of objects that are being made from data
    functions: dict[str, Any] | None = None  # the user's functions that are met, instead of their code


_sharing = _Sharing()


@contextmanager
def shared_objects() -> Iterator[None]:
    """Inside, an object that occurs twice stays one object: its configs carry the same `shared_object_id`."""
    outer = _sharing.written, _sharing.read
    _sharing.written, _sharing.read = {}, {}
    try:
        yield
    finally:
        _sharing.written, _sharing.read = outer


@contextmanager
def functions_by_reference() -> Iterator[dict[str, Any]]:
    """Inside, a user's functions are written as names, lambdas too. Yields the functions by these names."""
    outer, _sharing.functions = _sharing.functions, {}
    try:
        yield _sharing.functions
    finally:
        _sharing.functions = outer


def collects_functions() -> bool:
    """Are functions written as names for the moment?"""
    return _sharing.functions is not None


def is_reading() -> bool:
    """Are objects being made from data? It may come from a stranger's file, and must open no others."""
    return _sharing.depth > 0


def serialize_shared(item: Any) -> Any:
    """As `serialize_keras_object`, with `shared_object_id` where an object occurs more than once."""
    with shared_objects():
        config = serialize_keras_object(item)
    counts: dict[int, int] = {}
    waiting, marked = [config], []
    while waiting:
        part = waiting.pop()
        if isinstance(part, (list, tuple)):
            waiting.extend(part)
        elif isinstance(part, dict):
            waiting.extend(part.values())
            if "shared_object_id" in part:
                marked.append(part)
                counts[part["shared_object_id"]] = counts.get(part["shared_object_id"], 0) + 1
    for part in marked:
        if counts[part["shared_object_id"]] == 1:
            del part["shared_object_id"]
    return config


# --- to data ------------------------------------------------------------------------------------------------


def serialize_keras_object(obj: Any) -> Any:
    """An object as data that JSON can hold: numbers and containers as they are, others by address and config.

    A lambda is written as bytecode, with a warning: reading it back is refused.

    Raises:  TypeError for an object without get_config; ValueError for a lambda that keeps other than data.

    >>> serialize_keras_object([1, {"a": np.float32(2)}])
    [1, {'a': 2.0}]
    """
    if obj is None or isinstance(obj, (str, bool, int, float)):
        return obj
    if isinstance(obj, (list, tuple)):
        plain = [serialize_keras_object(x) for x in obj]
        return tuple(plain) if isinstance(obj, tuple) else plain
    if isinstance(obj, dict):
        return {key: serialize_keras_object(x) for key, x in obj.items()}
    if isinstance(obj, (np.ndarray, np.generic)):
        return _array(np.asarray(obj))
    if isinstance(obj, (slice, bytes, types.EllipsisType)):
        return _builtin(obj)
    if isinstance(obj, (types.FunctionType, types.BuiltinFunctionType)):
        return _function(obj)
    if not hasattr(obj, "get_config"):
        raise TypeError(f"Cannot serialize object {obj} of type {type(obj)}: it has no get_config() method.")
    return _instance(obj)


def _array(array: np.ndarray) -> Any:
    if array.ndim == 0:
        return array.item()
    return {"class_name": "__numpy__", "config": {"value": array.tolist(), "dtype": array.dtype.name}}


def _builtin(item: Any) -> Config:
    if isinstance(item, bytes):
        return {"class_name": "__bytes__", "config": {"value": item.decode("utf-8")}}
    if item is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    parts = {part: serialize_keras_object(getattr(item, part)) for part in ("start", "stop", "step")}
    return {"class_name": "__slice__", "config": parts}


def _function(function: Any) -> Config:
    name = registry.get_registered_name(function)
    if _sharing.functions is not None and registry.address_of(function) is None:
        name = f"{name}:{id(function)}"
        _sharing.functions[name] = function
    elif name == "<lambda>":
        return lambdas.as_data(function)
    kind = type(function).__name__  # "function", or "builtin_function_or_method"
    return {"module": "builtins", "class_name": kind, "config": name, "registered_name": kind}


def _instance(item: Any) -> Config:
    kind = type(item)
    known = registry.address_of(kind)
    module = known[0] if known else None if kind.__module__ == "__main__" else kind.__module__
    is_public = known is not None and not known[0].startswith("keras.src.")
    config = {
        "module": module,
        "class_name": known[1] if known else kind.__name__,
        "config": serialize_keras_object(item.get_config()),
        "registered_name": None if is_public else registry.get_registered_name(kind),
    }
    if hasattr(item, "get_build_config") and (build := item.get_build_config()) is not None:
        config["build_config"] = serialize_keras_object(build)
    if hasattr(item, "get_compile_config"):
        compile_config = item.get_compile_config()
        if compile_config is not None:
            config["compile_config"] = serialize_keras_object(compile_config)
    if _sharing.written is not None:
        number, _ = _sharing.written.setdefault(id(item), (len(_sharing.written) + 1, item))
        config["shared_object_id"] = number
    return config


# --- from data ----------------------------------------------------------------------------------------------


def deserialize_keras_object(
    config: Any,
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool = True,
    module: str | None = None,
) -> Any:
    """The object that `serialize_keras_object` turned into data.

    Args:    custom_objects: a user's objects by name. module: the public module that bare names belong to,
             such as "keras.losses". safe_mode: for Keras's signature only; reading is always safe.
    Raises:  ValueError for a name that is neither published, registered nor in `custom_objects`, and for a
             stored lambda; TypeError for a config that its class does not take.
    """
    if isinstance(config, str) and module is not None:
        return find(config, module, custom_objects)
    if isinstance(config, (list, tuple)):
        return type(config)([deserialize_keras_object(x, custom_objects, module=module) for x in config])
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: deserialize_keras_object(x, custom_objects) for key, x in config.items()}
    name = _checked_name(config)
    if name in _SPECIAL:
        return _SPECIAL[name](_settings(config))
    if name in ("function", "builtin_function_or_method"):
        return _function_of(config, module, custom_objects)
    return _object(config, module, custom_objects)


def _checked_name(config: Config) -> str:
    names = [
        config["class_name"],
        *(config[k] for k in ("module", "registered_name") if config.get(k) is not None),
    ]
    if not all(isinstance(n, str) for n in names) or not isinstance(config.get("shared_object_id", 0), int):
        raise TypeError(message("The names in a config must be strings.", received=_shown(config)))
    return names[0]


def _refuse_lambda(settings: Config) -> Any:
    summary = "The data holds a Python lambda as bytecode, which is never run."
    raise ValueError(message(summary, hint=lambdas.REMEDY))


def _numpy_array(settings: Config) -> np.ndarray:
    return np.array(settings["value"], dtype=dtypes.numpy_dtype(dtypes.standardize(settings["dtype"])))


def _slice(settings: Config) -> slice:
    return slice(*(deserialize_keras_object(settings[part]) for part in ("start", "stop", "step")))


_SPECIAL = {
    "__numpy__": _numpy_array,
    "__tensor__": _numpy_array,
    "__bytes__": lambda settings: str(settings["value"]).encode("utf-8"),
    "__ellipsis__": lambda settings: Ellipsis,
    "__slice__": _slice,
    "__lambda__": _refuse_lambda,
}


def _settings(config: Config) -> Config:
    settings = config["config"]
    if settings is not None and not isinstance(settings, dict):
        raise TypeError(
            message(f"`config` of {config['class_name']!r} must be a dict.", received=_shown(config))
        )
    return dict(settings or {})


def _function_of(config: Config, module: str | None, custom_objects: Mapping[str, Any] | None) -> Any:
    name = config["config"]
    if not isinstance(name, str):
        raise TypeError(message("A function's `config` must be its name.", received=_shown(config)))
    try:
        found = find(name, module, custom_objects)
    except UnknownObjectError as error:
        raise UnknownObjectError(_not_located(name, _shown(config), "function")) from error
    if inspect.isclass(found) and found is not registry.find_custom(name, custom_objects):
        raise ValueError(f"{name!r} is not a function. Received: {_shown(config)}")
    return found


def _object(config: Config, module: str | None, custom_objects: Mapping[str, Any] | None) -> Any:
    number = config.get("shared_object_id")
    if _sharing.read is not None and number in _sharing.read:
        return _sharing.read[number]
    kind = _class_of(config, module, custom_objects)
    if not inspect.isclass(kind):
        return kind  # a function that the user registered under the name
    _sharing.depth += 1
    try:
        with registry.CustomObjectScope(custom_objects):
            made = _build(kind, config)
            if config.get("build_config") and not made.built:
                made.build_from_config(config["build_config"])
                made.built = True
            if config.get("compile_config"):
                made.compile_from_config(config["compile_config"])
    finally:
        _sharing.depth -= 1
    if _sharing.read is not None and number is not None:
        _sharing.read[number] = made
    return made


def _class_of(config: Config, module: str | None, custom_objects: Mapping[str, Any] | None) -> Any:
    """The class that a config names: a user's, else one of the library."""
    name = config["class_name"]
    found = registry.find_custom(config.get("registered_name") or name, custom_objects)
    if found is None and config.get("registered_name") is not None:
        found = registry.find_custom(name, custom_objects)
    if found is not None:
        return found
    home = config.get("module", module)
    if home is not None and name in registry.published(home):
        return registry.published(home)[name]
    # Keras moved its classes between private modules; a class of the library has one name in all of them.
    inside = home is not None and str(home).split(".")[0] == "keras"
    if inside or ("module" not in config and module is None):
        return find(name, None, custom_objects)
    if "module" not in config:
        return find(name, module, custom_objects)
    raise UnknownObjectError(_not_located(name, _shown(config), "class"))


def find(name: str, module: str | None, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """A class or function by name: a user's first, then those of `module`, then any published one."""
    found = registry.find_custom(name, custom_objects)
    if found is not None:
        return found
    homes = [module] if module else registry.modules()
    for home in homes:
        if name in registry.published(home):
            return registry.published(home)[name]
    if module is None:
        raise UnknownObjectError(_not_located(name, "", "class or function"))
    raise UnknownObjectError(
        str(unknown_name(f"object of {module}", name, sorted(registry.published(module))))
    )


def _not_located(name: str, received: str, kind: str) -> str:
    return message(
        f"Could not locate {kind} {name!r}: it is neither a {kind} of the library nor registered.",
        received=received,
        hint=f"decorate the {kind} with @kcompile.saving.register_keras_serializable(), or pass it in "
        f"`custom_objects={{{name!r}: ...}}`",
    )


def _build(kind: Any, config: Config) -> Any:
    if not hasattr(kind, "from_config"):
        raise TypeError(
            f"Unable to reconstruct an instance of {config['class_name']!r}: it has no from_config()."
        )
    try:
        return kind.from_config(_settings(config))
    except ConfigError:  # it says what does not fit, or what is missing inside
        raise
    except TypeError as error:
        summary = f"{kind} could not be deserialized: its from_config() does not take this config."
        raise TypeError(message(summary, received=_shown(config), hint=str(error))) from error


def _shown(config: Any, limit: int = 500) -> str:
    """Data from a file in a message: not too much of it."""
    text = repr(config)
    return text if len(text) <= limit else text[:limit] + "..."
