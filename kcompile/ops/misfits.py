"""What Python and NumPy fail with inside of an op or a layer, told as arguments that do not fit."""

from __future__ import annotations

import dis
import inspect
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

import numpy as np

from kcompile.core.errors import AccidentError, KCompileError, MisfitError, message
from kcompile.core.showing import shown
from kcompile.core.symbolic import Int
from kcompile.core.wholes import whole

FAILURES = (LookupError, ArithmeticError, AssertionError, TypeError, ValueError, AttributeError, RuntimeError)

_RAISES = dis.opmap["RAISE_VARARGS"]
_LIBRARIES = {"numpy", *sys.stdlib_module_names}
_GUARDS = ("kcompile.ops.public", "kcompile.ops.guards")  # who asks


def misfit(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException
) -> MisfitError | None:
    """The error to raise instead, or None for one raised on purpose or out of a user's function."""
    if isinstance(error, (KCompileError, NotImplementedError, RecursionError)) or not _by_accident(error):
        return None
    given = [shown(x) for x in args] + [f"{key}={shown(x)}" for key, x in kwargs.items()]
    reason = f"there is no {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
    reason = reason or type(error).__name__
    accident = isinstance(error, (RuntimeError, AssertionError, FloatingPointError))
    kind = AccidentError if accident else MisfitError
    return kind(
        message(
            f"{name}: the arguments do not fit: {reason}.",
            received=f"{name}({', '.join(given)})",
            hint=f"the documentation of {name} tells which shapes and values its arguments have",
        )
    )


def _by_accident(error: BaseException) -> bool:
    """Did an expression of this library, or what it called, fail: not a `raise` of it, nor a user's code?"""
    last, frame = None, error.__traceback__
    while frame is not None and frame.tb_frame.f_globals.get("__name__") in _GUARDS:
        frame = frame.tb_next  # a call that Python refuses already has its own words
    while frame is not None:
        root = frame.tb_frame.f_globals.get("__name__", "").partition(".")[0]
        if root == "kcompile":
            last = frame
        elif root not in _LIBRARIES:
            return False
        frame = frame.tb_next
    return last is not None and not (last.tb_next is None and _raised_in(last))


def _raised_in(frame: TracebackType) -> bool:
    """Does the frame's instruction stand for a `raise`?"""
    return frame.tb_frame.f_code.co_code[frame.tb_lasti] == _RAISES


def whole_numbers(function: Callable[..., Any]) -> dict[str, tuple[int, Callable[..., Any]]]:
    """Parameters that the signature says to be ints or extents: their positions, -1 of those that must be
    named, and what makes ints of them.
    """
    places: dict[str, tuple[int, Callable[..., Any]]] = {}
    for at, parameter in enumerate(inspect.signature(function).parameters.values()):
        convert = _CONVERT.get(parameter.annotation)
        if convert is not None and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            places[parameter.name] = (-1 if parameter.kind is parameter.KEYWORD_ONLY else at, convert)
    return places


def with_whole(
    name: str,
    places: Mapping[str, tuple[int, Callable[..., Any]]],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with Python's ints in place of NumPy's and of tensors that hold one.

    Raises:  ArgumentError for a fraction, a text or what else is no int.
    """
    positional, named = list(args), dict(kwargs)
    for parameter, (at, convert) in places.items():
        if 0 <= at < len(positional):
            positional[at] = convert(name, parameter, positional[at])
        elif parameter in named:
            named[parameter] = convert(name, parameter, named[parameter])
    return tuple(positional), named


def _number(op: str, parameter: str, value: Any, received: Any = None) -> Any:
    """An int. None, and what is known at run time only, are for the op to judge."""
    symbolic = hasattr(value, "dtype") and not isinstance(value, (np.ndarray, np.generic))
    if type(value) is int or value is None or isinstance(value, Int) or symbolic:
        return value
    return whole(parameter, value, of=op, received=received)


def _extents(op: str, parameter: str, value: Any) -> Any:
    """One int, or several of a list or of a tensor."""
    if isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim):
        return tuple(_number(op, parameter, d, value) for d in value)
    return _number(op, parameter, value)


_NUMBERS = ("int", "int | None", "int | Int", "int | Int | None")
_CONVERT = {**dict.fromkeys(_NUMBERS, _number), "Extents": _extents}
