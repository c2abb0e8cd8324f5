"""What layers, metrics and optimizers fail with by accident, told as arguments that do not fit, as in ops."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from kcompile.ops.misfits import FAILURES, misfit

C = TypeVar("C", bound=type)

GUARDED = (
    "__init__", "build", "__call__", "compute_output_shape", "compute_output_spec", "compute_mask",
    "set_weights", "from_config", "call", "stateless_call", "build_from_config", "save_own_variables",
    "load_own_variables", "add_variable", "add_weight", "update_state", "stateless_update_state",
    "stateless_result", "apply", "stateless_apply", "apply_gradients", "summary", "set_vocabulary",
)  # fmt: skip

# Programs look up their parameters with `inspect.getfullargspec`, too, which does not follow `__wrapped__`.
INTROSPECTED = ("__init__", "call")


def guard(cls: C) -> C:
    """Guard the methods that a class of this library has of its own; users' classes stay as they are."""
    if cls.__module__.partition(".")[0] == "kcompile":
        for name in GUARDED:
            method = cls.__dict__.get(name)
            if isinstance(method, classmethod):
                setattr(cls, name, classmethod(_guarded(name, method.__func__)))
            elif method is not None:
                setattr(cls, name, _guarded(name, method))
    return cls


def _guarded(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except FAILURES as error:
            found = misfit(_shown(self, name), args, kwargs, error)
            if found is None:
                raise
            raise found from error

    if name in INTROSPECTED:
        call.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]
    return call


def _shown(owner: Any, method: str) -> str:
    """What the user called: a class, a layer or a method of one.

    >>> _shown(int, "__init__"), _shown(3, "build")
    ('int', 'int.build')
    """
    kind = (owner if isinstance(owner, type) else type(owner)).__name__
    return kind if method in ("__init__", "__call__") else f"{kind}.{method}"
