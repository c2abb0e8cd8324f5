"""dtype names, promotion and tolerances. A dtype is its Keras name (a str) everywhere above the kernels."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from kcompile.core.errors import ArgumentError, DTypeError

FLOATS = ("float16", "bfloat16", "float32", "float64")
HALVES = ("float16", "bfloat16")  # stored in two bytes, computed in float32
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
DTYPES = ("bool", *UNSIGNED, *SIGNED, *FLOATS)
STRING = (
    "string"  # the dtype of placeholders for text, which exists on the host only: no op or kernel knows it
)
_ALIASES = {"int": "int32", int: "int32", float: "float32"}


@cache
def _numpy_name(dtype: Any) -> str:
    return np.dtype(dtype).name


def standardize(dtype: Any) -> str:
    """The Keras name of a dtype given as a name, a dtype of some library or a Python type; None means the
    default float.

    Raises:  ValueError for all else, names that only NumPy has ("f4", "double") among them.

    >>> standardize(np.float64), standardize("int"), standardize(None)
    ('float64', 'int32', 'float32')
    """
    if dtype is None:
        from kcompile.core.config import floatx

        return floatx()
    if isinstance(dtype, str) and (dtype in DTYPES or dtype == STRING):
        return dtype
    name = _ALIASES.get(dtype) if isinstance(dtype, (str, type)) else getattr(dtype, "name", None)
    if dtype is str:
        return STRING
    if name not in DTYPES and not isinstance(dtype, str):  # NumPy's other names, such as "f4", are none here
        try:
            name = _numpy_name(dtype)
        except TypeError:
            name = str(dtype).rpartition(".")[2]  # torch.float32
    if name not in DTYPES:
        kind = DTypeError if isinstance(dtype, str) else ArgumentError  # data of such a dtype, or no dtype
        raise kind(f"Invalid dtype: {dtype!r}. Known dtypes: {', '.join(DTYPES)}")
    return name


def is_float(dtype: str) -> bool:
    return dtype in FLOATS


def is_half(dtype: str) -> bool:
    """Is this a float of two bytes? Arithmetic on it happens in float32, rounded when it is stored."""
    return dtype in HALVES


def is_int(dtype: str) -> bool:
    return dtype in SIGNED or dtype in UNSIGNED


def is_text(x: Any) -> bool:
    """Is this an array of strings, as NumPy has them: of str, of bytes, or of objects?

    >>> is_text(np.array(["a"])), is_text(np.array([b"a", None], object)), is_text(np.array([1]))
    (True, True, False)
    """
    return isinstance(x, np.ndarray) and x.dtype.kind in "USOT"


def itemsize(dtype: str) -> int:
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def numpy_dtype(dtype: str) -> np.dtype:
    """The NumPy dtype that stores values of `dtype`. bfloat16 comes from ml_dtypes, which onnx brings."""
    if dtype == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    if dtype == STRING:
        raise DTypeError(
            "Tensors cannot hold text: the dtype 'string' is for inputs and preprocessing layers."
        )
    return np.dtype(dtype)


@cache
def promote(a: str, b: str) -> str:
    """The common dtype of two arrays (the lattice of JAX, which Keras 3 follows): ints never widen floats.

    >>> promote("int64", "float32"), promote("uint8", "int8"), promote("float16", "bfloat16")
    ('float32', 'int16', 'float32')
    """
    if a == b:
        return a
    if a == "bool" or b == "bool":
        return b if a == "bool" else a
    if is_float(a) and is_float(b):
        if {a, b} == {"float16", "bfloat16"}:
            return "float32"
        return a if FLOATS.index(a) > FLOATS.index(b) else b
    if is_float(a) or is_float(b):
        return a if is_float(a) else b
    if (a in SIGNED) == (b in SIGNED):
        family = SIGNED if a in SIGNED else UNSIGNED
        return family[max(family.index(a), family.index(b))]
    signed, unsigned = (a, b) if a in SIGNED else (b, a)
    if unsigned == "uint64":
        return "float32"
    return SIGNED[max(SIGNED.index(signed), UNSIGNED.index(unsigned) + 1)]


def spacing(dtype: str) -> float:
    """The distance from 1 to the next number of a float dtype.

    >>> spacing("bfloat16"), spacing("float16")
    (0.0078125, 0.0009765625)
    """
    return {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}[dtype]


def largest(dtype: str) -> float:
    """The largest finite number of a float dtype.

    >>> largest("float16")
    65504.0
    """
    return (2.0 - 2.0**-7) * 2.0**127 if dtype == "bfloat16" else float(np.finfo(dtype).max)


def tolerance(dtype: str, terms: int = 1) -> float:
    """Relative error allowed for a sum of `terms` products computed in `dtype`."""
    unit = spacing(dtype) if is_float(dtype) else 0.0
    return unit * 4 * max(1.0, float(terms) ** 0.5)
