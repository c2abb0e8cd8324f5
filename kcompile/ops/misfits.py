"""What Python and NumPy fail with inside of an op or a layer, told as arguments that do not fit."""

from __future__ import annotations

import dis
import inspect
import operator
import sys
from collections.abc import Callable, Mapping
from itertools import islice
from types import TracebackType
from typing import Any

import numpy as np

from kcompile.core.errors import ArgumentError, KCompileError, MisfitError, message
from kcompile.core.symbolic import Int

FAILURES = (LookupError, ArithmeticError, AssertionError, TypeError, ValueError, AttributeError, RuntimeError)

_RAISES = dis.opmap["RAISE_VARARGS"]
_LIBRARIES = {"numpy", *sys.stdlib_module_names}
_GUARDS = ("kcompile.ops.public", "kcompile.layers.guards")  # who asks
_LENGTH = 60  # of an argument as it is shown


def misfit(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], error: BaseException
) -> MisfitError | None:
    """The error to raise instead, or None for one raised on purpose or out of a user's function."""
    if isinstance(error, (KCompileError, NotImplementedError, RecursionError)) or not _by_accident(error):
        return None
    given = [shown(x) for x in args] + [f"{key}={shown(x)}" for key, x in kwargs.items()]
    reason = f"there is no {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
    reason = reason or type(error).__name__
    return MisfitError(
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


def whole_numbers(function: Callable[..., Any]) -> dict[str, int]:
    """Parameters that the signature says to be ints, and their positions, -1 of those that must be named."""
    places: dict[str, int] = {}
    for at, parameter in enumerate(inspect.signature(function).parameters.values()):
        variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if parameter.annotation in ("int", "int | None") and not variadic:
            places[parameter.name] = -1 if parameter.kind is parameter.KEYWORD_ONLY else at
    return places


def check_whole(
    name: str, places: Mapping[str, int], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    """Raises ArgumentError for a fraction, a text or what else is no int. None is for the op to judge."""
    for parameter, at in places.items():
        value = args[at] if 0 <= at < len(args) else kwargs.get(parameter)
        if value is None or isinstance(value, (int, Int)):
            continue
        try:
            operator.index(value)
        except NotImplementedError:  # a tensor without numbers is for the op to judge, too
            continue
        except TypeError:
            if hasattr(value, "dtype") and not isinstance(value, (np.ndarray, np.generic)):
                continue
            raise ArgumentError(f"{name}: `{parameter}` must be an int. Received: {shown(value)}") from None


def shown(x: Any) -> str:
    """An argument in a message: a tensor by its dtype and shape, anything else as Python writes it.

    >>> shown(np.zeros((2, 3))), shown("valid"), shown([np.zeros(2), (1,)])
    ('float64(2, 3)', "'valid'", '[float64(2,), (1,)]')
    """
    try:
        text = _described(x)
    except Exception:  # whatever its class does there: the error to tell is another one
        text = f"<{type(x).__name__}>"
    return text if len(text) <= _LENGTH else f"{text[: _LENGTH - 3]}..."


def _described(x: Any) -> str:
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"{np.dtype(x.dtype).name if isinstance(x, np.ndarray) else x.dtype}{tuple(x.shape)}"
    return _listed(x) if isinstance(x, (list, tuple, dict)) else repr(x)


def _listed(xs: list[Any] | tuple[Any, ...] | dict[Any, Any]) -> str:
    """A collection in a message, the tensors in it by their shapes; not more of it than is shown."""
    if isinstance(xs, dict):
        return f"{{{', '.join(f'{key!r}: {shown(x)}' for key, x in islice(xs.items(), _LENGTH))}}}"
    inside = ", ".join(map(shown, islice(xs, _LENGTH)))
    if isinstance(xs, list):
        return f"[{inside}]"
    return f"({inside},)" if len(xs) == 1 else f"({inside})"
