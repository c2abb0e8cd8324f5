"""Lambdas in files: written as Keras writes them, as bytecode that Keras runs when its user allows it.

Here such bytecode is never read. Who loads the file passes the function.
"""

from __future__ import annotations

import codecs
import marshal
import types
import warnings
from typing import Any

from kcompile.core.errors import message

REMEDY = (
    "write a named function, decorate it with @kcompile.saving.register_keras_serializable(), and use that; "
    "safe_mode=False does not change this"
)


def is_lambda(function: Any) -> bool:
    """Is it a function without a name of its own?"""
    return isinstance(function, types.FunctionType) and function.__name__ == "<lambda>"


def parts_of(function: types.FunctionType) -> tuple[str, Any, Any]:
    """(code, defaults, closure) as Keras stores them: code in base64; the values as they are.

    Raises:  ValueError for a lambda that keeps something which is no plain data, a layer say: no library
             would find it again.
    """
    closure = function.__closure__ and tuple(cell.cell_contents for cell in function.__closure__)
    for value in (*(function.__defaults__ or ()), *(closure or ())):
        if not _is_plain(value):
            kind = type(value).__name__
            summary = f"A lambda that keeps an object of type {kind!r} cannot be serialized: {function}."
            raise ValueError(message(summary, hint=REMEDY))
    code = codecs.encode(marshal.dumps(function.__code__), "base64").decode("ascii")
    return code, function.__defaults__, closure


def as_data(function: types.FunctionType) -> dict[str, Any]:
    """A lambda as an entry of a config. Warns, because it is not loaded again without its user's help."""
    warnings.warn(
        message(
            f"A lambda is written as bytecode: {function.__qualname__}.",
            received=f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}",
            hint=f"kcompile never runs code from a file, Keras only with safe_mode=False; {REMEDY}",
        ),
        stacklevel=2,
    )
    return {"class_name": "__lambda__", "config": {"value": list(parts_of(function))}}


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(x) for x in value)
    return value is None or isinstance(value, (str, bool, int, float))
