"""Global settings, as in ``keras.config``."""

from __future__ import annotations

from kcompile.backend import backend as backend
from kcompile.core import public_names
from kcompile.core.config import disable_flash_attention as disable_flash_attention
from kcompile.core.config import disable_traceback_filtering as disable_traceback_filtering
from kcompile.core.config import enable_flash_attention as enable_flash_attention
from kcompile.core.config import enable_traceback_filtering as enable_traceback_filtering
from kcompile.core.config import epsilon as epsilon
from kcompile.core.config import floatx as floatx
from kcompile.core.config import image_data_format as image_data_format
from kcompile.core.config import is_flash_attention_enabled as is_flash_attention_enabled
from kcompile.core.config import is_traceback_filtering_enabled as is_traceback_filtering_enabled
from kcompile.core.config import max_epochs as max_epochs
from kcompile.core.config import max_steps_per_epoch as max_steps_per_epoch
from kcompile.core.config import set_epsilon as set_epsilon
from kcompile.core.config import set_floatx as set_floatx
from kcompile.core.config import set_image_data_format as set_image_data_format
from kcompile.core.config import set_max_epochs as set_max_epochs
from kcompile.core.config import set_max_steps_per_epoch as set_max_steps_per_epoch
from kcompile.core.console import disable_interactive_logging as disable_interactive_logging
from kcompile.core.console import enable_interactive_logging as enable_interactive_logging
from kcompile.core.console import is_interactive_logging_enabled as is_interactive_logging_enabled
from kcompile.dtype_policies import dtype_policy as dtype_policy
from kcompile.dtype_policies import set_dtype_policy as set_dtype_policy


def set_backend(backend: str) -> None:
    """Nothing for "kcompile", which is what computes here.

    Raises:  ValueError for every other name: TensorFlow, JAX and PyTorch come with Keras itself.
    """
    if backend != "kcompile":
        raise ValueError(
            f"Available backends are ('kcompile',). Received: backend={backend}; to compute with it, import "
            "keras instead of kcompile"
        )


def enable_unsafe_deserialization() -> None:
    """Nothing: code from a file is never run, and a stored lambda stays refused with a way out."""


def is_nnx_enabled() -> bool:
    """False: NNX is a part of JAX's world."""
    return False


__all__ = public_names.of(__name__)
