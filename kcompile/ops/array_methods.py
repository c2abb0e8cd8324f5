"""What NumPy's arrays offer, on values of a trace and on what a tape records: methods and ufuncs, as ops."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from kcompile.ir.graph import Value

# Methods with the signature of the op, which takes the tensor first.
SAME = (
    "squeeze", "argmax", "argmin", "argsort", "sort", "clip", "round", "dot", "take", "trace", "diagonal",
    "repeat", "swapaxes", "nonzero", "ravel", "cumsum", "cumprod", "any", "all", "prod", "max", "min",
    "var", "std", "sum", "mean",
)  # fmt: skip
# What NumPy's functions hand to methods of these names, with what it then says: nothing.
UNUSED = {"dtype": None, "out": None, "where": np._NoValue, "initial": np._NoValue, "ddof": 0}

UFUNCS: dict[str, Any] = {
    "remainder": "mod", "fabs": "absolute", "rint": "round", "conjugate": "conj",
    "bitwise_and": operator.and_, "bitwise_or": operator.or_, "bitwise_xor": operator.xor,
    "invert": operator.invert,
}  # fmt: skip


def _op(name: str) -> Any:
    from kcompile import ops  # which imports this module

    return getattr(ops, name, None)


def _method(name: str) -> Any:
    def call(x: Value, *args: Any, **kwargs: Any) -> Any:
        for key, nothing in UNUSED.items():
            if key in kwargs and (kwargs[key] is nothing or kwargs[key] is None):
                del kwargs[key]
        cast_to = kwargs.pop("dtype", None)
        found = _op(name)(x, *args, **kwargs)
        return found if cast_to is None else _op("cast")(found, cast_to)

    call.__name__ = name
    return call


def reshape(x: Value, *shape: Any, order: str = "C") -> Any:
    """x.reshape(2, 3) and x.reshape((2, 3)).

    Raises:  ValueError for another order than "C".
    """
    if order != "C":
        raise ValueError(f"reshape: only the order 'C' is possible. Received: order={order!r}")
    return _op("reshape")(x, shape[0] if len(shape) == 1 else shape)


def transpose(x: Value, *axes: Any) -> Any:
    """x.transpose(), x.transpose(1, 0) and x.transpose((1, 0))."""
    if not axes or axes == (None,):
        return _op("transpose")(x)
    return _op("transpose")(x, axes[0] if isinstance(axes[0], (list, tuple)) else axes)


def astype(x: Value, dtype: Any, **_: Any) -> Any:
    """x in another dtype."""
    return _op("cast")(x, dtype if isinstance(dtype, str) else np.dtype(dtype).name)


def item(x: Value, *index: int) -> Any:
    """One number, where numbers are known."""
    return x._number().item(*index)


def tolist(x: Value) -> Any:
    """Numbers as Python's, where they are known."""
    return x._number().tolist()


def ufunc(x: Value, function: Any, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
    """NumPy's `exp(x)`, or an array's operator on x: the op of this name, so that gradients go through.

    Returns: NotImplemented, for NumPy's TypeError, where there is no such op, or an array to write to.
    """
    # `array += x` gives the name another object, so what it would write to need not be written.
    in_place = out is None or (len(out) == 1 and out[0] is inputs[0])
    name = UFUNCS.get(function.__name__, function.__name__)
    found = name if callable(name) else _op(name)
    if method != "__call__" or kwargs or not in_place or found is None:
        return NotImplemented
    return found(*inputs)


def _install() -> None:
    for name in SAME:
        setattr(Value, name, _method(name))
    for name, method in {
        "reshape": reshape, "transpose": transpose, "astype": astype, "item": item, "tolist": tolist,
        "flatten": _method("ravel"), "copy": lambda x: x, "__array_ufunc__": ufunc,
        "T": property(lambda x: _op("transpose")(x)), "size": property(lambda x: _op("size")(x)),
    }.items():  # fmt: skip
        setattr(Value, name, method)


_install()
