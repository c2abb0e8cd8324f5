"""Numbers of 8 and 4 bits in the place of floats, as in `keras.quantizers`."""

from __future__ import annotations

import inspect
from typing import Any

from kcompile.core import objects, public_names
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.quantizers.config import Float8QuantizationConfig as Float8QuantizationConfig
from kcompile.quantizers.config import Int4QuantizationConfig as Int4QuantizationConfig
from kcompile.quantizers.config import Int8QuantizationConfig as Int8QuantizationConfig
from kcompile.quantizers.config import QuantizationConfig as QuantizationConfig
from kcompile.quantizers.fake import fake_quant_with_min_max_vars as fake_quant_with_min_max_vars
from kcompile.quantizers.float8 import compute_float8_amax_history as compute_float8_amax_history
from kcompile.quantizers.float8 import compute_float8_scale as compute_float8_scale
from kcompile.quantizers.float8 import quantize_and_dequantize as quantize_and_dequantize
from kcompile.quantizers.int4 import pack_int4 as pack_int4
from kcompile.quantizers.int4 import unpack_int4 as unpack_int4
from kcompile.quantizers.quantizer import AbsMaxQuantizer as AbsMaxQuantizer
from kcompile.quantizers.quantizer import Quantizer as Quantizer
from kcompile.quantizers.quantizer import abs_max_quantize as abs_max_quantize
from kcompile.quantizers.quantizer import (
    abs_max_quantize_grouped_with_zero_point as abs_max_quantize_grouped_with_zero_point,
)

_MODULE = "keras.quantizers"
_CLASSES: list[type] = [
    Quantizer,
    AbsMaxQuantizer,
    QuantizationConfig,
    Int8QuantizationConfig,
    Int4QuantizationConfig,
    Float8QuantizationConfig,
]
_NAMES = objects.publish(_MODULE, _CLASSES)


def serialize(initializer: Any) -> Any:
    """A quantizer or config as plain data.

    >>> serialize(AbsMaxQuantizer(axis=0))["config"]["axis"]
    (0,)
    """
    return serialize_keras_object(initializer)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """What `serialize` wrote, as an object."""
    return deserialize_keras_object(config, custom_objects, module=_MODULE)


def get(identifier: Any, **kwargs: Any) -> Any:
    """A quantizer from a name, a config, a class or a callable; None stays None.

    Args:    kwargs: arguments of a class.
    Raises:  ValueError for what cannot be interpreted.

    >>> get("abs_max_quantizer", value_range=(-8, 7)).value_range
    (-8, 7)
    """
    found = _NAMES.get(identifier, identifier) if isinstance(identifier, str) else identifier
    if inspect.isclass(found):
        return found(**kwargs)
    return objects.get("quantizer", found, _NAMES, _MODULE)


__all__ = public_names.of(__name__)
