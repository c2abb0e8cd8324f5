"""`keras.backend`: dtypes, settings and names."""

from __future__ import annotations

from typing import Any

from kcompile.core import dtypes, public_names
from kcompile.core.config import epsilon as epsilon
from kcompile.core.config import floatx as floatx
from kcompile.core.config import image_data_format as image_data_format
from kcompile.core.config import set_epsilon as set_epsilon
from kcompile.core.config import set_floatx as set_floatx
from kcompile.core.config import set_image_data_format as set_image_data_format
from kcompile.trace.keras_tensor import KerasTensor as KerasTensor
from kcompile.trace.variable import Variable as Variable
from kcompile.trace.variable import name_scope as name_scope
from kcompile.utils.sessions import clear_session as clear_session

_uids: dict[str, int] = {}


def backend() -> str:
    """The name of what computes: always "kcompile"."""
    return "kcompile"


def standardize_dtype(dtype: Any) -> str:
    """The name of a dtype given as a name, a NumPy dtype or a Python type; None means the default float.

    >>> standardize_dtype(int)
    'int32'
    """
    return dtypes.standardize(dtype)


def is_float_dtype(dtype: Any) -> bool:
    """Is this a dtype of floats?"""
    return dtypes.is_float(dtypes.standardize(dtype))


def is_int_dtype(dtype: Any) -> bool:
    """Is this a dtype of integers? bool is not."""
    return dtypes.is_int(dtypes.standardize(dtype))


def result_type(*dtypes_: Any) -> str:
    """The dtype in which operands of these dtypes meet; Python's int and float adapt to the others.

    >>> result_type("int32", "float16"), result_type("int8", float), result_type(int, float)
    ('float16', 'float32', 'float32')
    """
    fixed = [dtypes.standardize(d) for d in dtypes_ if d is not int and d is not float]
    result = fixed[0] if fixed else "int32"
    for d in fixed[1:]:
        result = dtypes.promote(result, d)
    if float in dtypes_ and not dtypes.is_float(result):
        return floatx()
    return "int32" if result == "bool" and int in dtypes_ else result


def is_keras_tensor(x: Any) -> bool:
    """Is x a placeholder of a functional model?"""
    return isinstance(x, KerasTensor)


class device:
    """A `with` block whose computations run on a device. There is one: the CPU.

    Raises:  ValueError for another device than "cpu" or "cpu:0".

    >>> with device("cpu:0"):
    ...     standardize_dtype(None)
    'float32'
    """

    def __init__(self, device_name: str):
        if not isinstance(device_name, str) or device_name.lower() not in ("cpu", "cpu:0"):
            raise ValueError(
                "Invalid value for argument `device_name`. Expected 'cpu:0'; KCOMPILE_TARGET chooses another "
                f"target for the whole process. Received: device_name={device_name!r}"
            )
        self.device_name = device_name.lower()

    def __enter__(self) -> device:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def get_uid(prefix: str = "") -> int:
    """1, 2, 3 ... for each prefix."""
    _uids[prefix] = _uids.get(prefix, 0) + 1
    return _uids[prefix]


__all__ = public_names.of(__name__)
