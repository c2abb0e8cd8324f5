"""The outer face of public ops: they take arrays, traced values and a functional model's placeholders."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from kcompile.core.storage import detached
from kcompile.ops.misfits import FAILURES, misfit, whole_numbers, with_whole

F = TypeVar("F", bound=Callable[..., Any])


class Symbolic:
    """Base of placeholder tensors of functional models; they have a shape, a dtype and a history."""

    __slots__ = ()


_record: Callable[..., Any] | None = None


def set_recorder(record: Callable[..., Any]) -> None:
    """`trace` tells how an op on placeholders becomes an operation of the functional model."""
    global _record
    _record = record


def has_symbolic(xs: Any) -> bool:
    """Is a placeholder among these arguments, nested ones included?"""
    for x in xs:
        if isinstance(x, Symbolic):
            return True
        if isinstance(x, (list, tuple)) and has_symbolic(x):
            return True
        if isinstance(x, dict) and has_symbolic(x.values()):
            return True
    return False


def guarded(function: F) -> F:
    """A function whose arguments are the user's. What the signature says to be ints is made so.

    Raises: ArgumentError for what is no int where the signature says int; MisfitError instead of what other
    arguments that do not fit make Python or NumPy fail with.
    """
    whole = whole_numbers(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if whole:
            args, kwargs = with_whole(function.__name__, whole, args, kwargs)
        try:
            return function(*args, **kwargs)
        except FAILURES as error:
            found = misfit(function.__name__, args, kwargs, error)
            if found is None:
                raise
            raise found from error

    return call  # type: ignore[return-value]


def public(function: F) -> F:
    """A function of ops, recorded as one operation when called on placeholders; guarded.

    What it gives shares no memory with variables, which keep changing.
    """

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if has_symbolic(args) or (kwargs and has_symbolic(kwargs.values())):
            assert _record is not None
            return _record(call, args, kwargs)
        with np.errstate(all="ignore"):  # infinities and NaNs are results like others, as compiled
            return detached(function(*args, **kwargs))

    call = guarded(run)
    call.__module__ = "kcompile.ops"
    return call  # type: ignore[return-value]


def names_of(module: str, names: list[str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a module that shows some names of `kcompile.ops` again."""
    from kcompile import ops

    def get(name: str) -> Any:
        if name in names and hasattr(ops, name):
            return getattr(ops, name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return get, lambda: [name for name in names if hasattr(ops, name)]
