"""Every setting and environment variable of kcompile, one row each, read once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

DEBUG_TOPICS = ("trace", "graph", "plan", "kernels", "source", "timings", "cache", "devices")


@dataclass(frozen=True)
class Config:
    """Settings. Each field `x` is read from the environment variable KCOMPILE_X."""

    debug: str = ""  # topics to print, comma-separated: trace graph plan kernels source timings cache devices
    dump: str = ""  # folder that receives graphs, plans and kernels of every compilation
    skip: str = ""  # passes to skip, comma-separated
    noopt: bool = False  # no rewrites and no fusion: every operation its own kernel
    target: str = "cpu"  # cpu | cuda | cuda-emulated | reference
    check: bool = False  # compare every kernel's output with the NumPy reference
    poison: bool = False  # fill memory that no value owns with NaN
    verify: bool = False  # verify the graph after every pass
    num_threads: int = 0  # size of the thread team; 0: the cores this process may use, or OMP_NUM_THREADS
    flush_subnormals: bool = True  # kernels take subnormal numbers for zero


def _from_environment() -> Config:
    values: dict[str, Any] = {}
    for field in fields(Config):
        text = os.environ.get(f"KCOMPILE_{field.name.upper()}")
        if text is None:
            continue
        values[field.name] = _read(f"KCOMPILE_{field.name.upper()}", text, type(field.default))
    return Config(**values)


def _read(name: str, text: str, kind: Any) -> Any:
    if kind is bool:
        return text not in ("", "0")
    if kind is int and not (text or "0").strip().isdigit():
        raise ValueError(f"The environment variable {name} must be a whole number. Received: {text!r}")
    return int(text or 0) if kind is int else text


_current = _from_environment()


def current() -> Config:
    return _current


@contextmanager
def config(**changes: Any) -> Iterator[Config]:
    """Settings changed inside a `with` block.

    >>> with config(noopt=True) as c:
    ...     c.noopt
    True
    """
    global _current
    previous, _current = _current, replace(_current, **changes)
    try:
        yield _current
    finally:
        _current = previous


def debugs(topic: str) -> bool:
    """Is `topic` asked for in KCOMPILE_DEBUG?"""
    return bool(_current.debug) and (topic in _current.debug.split(",") or _current.debug == "all")


_floatx = "float32"
_epsilon = 1e-7
_image_data_format = "channels_last"


def floatx() -> str:
    """The default float dtype, "float32" unless set."""
    return _floatx


def set_floatx(value: str) -> None:
    """Set the default float dtype: "float16", "bfloat16", "float32" or "float64"."""
    global _floatx
    if not isinstance(value, str) or value not in ("float16", "bfloat16", "float32", "float64"):
        raise ValueError(
            f"Unknown `floatx` value: {value}. Expected one of bfloat16, float16, float32, float64"
        )
    _floatx = value


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite, 1e-7 unless set."""
    return _epsilon


def set_epsilon(value: float) -> None:
    """Set the fuzz factor."""
    global _epsilon
    _epsilon = float(value)


def image_data_format() -> str:
    """The default image layout, "channels_last" unless set."""
    return _image_data_format


def data_format_of(value: str | None) -> str:
    """ "channels_last" or "channels_first" as an argument says; None means the global setting."""
    found = _image_data_format if value is None else str(value).lower()
    if found not in ("channels_last", "channels_first"):
        raise ValueError(
            "The `data_format` argument must be one of {'channels_first', 'channels_last'}. "
            f"Received: data_format={value}"
        )
    return found


def set_image_data_format(data_format: str) -> None:
    """Set the default image layout: "channels_last" or "channels_first"."""
    global _image_data_format
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            f"Unknown `data_format`: {data_format}. Expected 'channels_first' or 'channels_last'"
        )
    _image_data_format = data_format


def defaults() -> tuple[str, float, str]:
    """All that a trace takes from here: dtype, fuzz factor, image layout."""
    return _floatx, _epsilon, _image_data_format


# --- limits for trying a script quickly ---------------------------------------------------------------------


def _limit_from_environment(name: str) -> int | None:
    text = os.environ.get(name)
    return int(text) if text else None


_max_epochs = _limit_from_environment("KERAS_MAX_EPOCHS")
_max_steps_per_epoch = _limit_from_environment("KERAS_MAX_STEPS_PER_EPOCH")


def max_epochs() -> int | None:
    """The most epochs that `fit` runs, None without a limit; from KERAS_MAX_EPOCHS unless set."""
    return _max_epochs


def set_max_epochs(max_epochs: int | None) -> None:
    """Limit the epochs of every `fit`; None takes the limit away."""
    global _max_epochs
    _max_epochs = max_epochs


def max_steps_per_epoch() -> int | None:
    """The most steps of an epoch, None without a limit; from KERAS_MAX_STEPS_PER_EPOCH unless set."""
    return _max_steps_per_epoch


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limit the steps of every epoch of `fit`, of `evaluate` and of `predict`; None takes the limit away."""
    global _max_steps_per_epoch
    _max_steps_per_epoch = max_steps_per_epoch


def limited_epochs(epochs: int) -> int:
    """The epochs that `fit` runs of those that it was asked for."""
    return epochs if _max_epochs is None else min(epochs, _max_epochs)


def limited_steps(steps: int | None, available: int | None) -> int | None:
    """The steps of an epoch that was asked for `steps` (None: all), of `available` ones (None: unknown).

    >>> set_max_steps_per_epoch(5); limited_steps(9, None), limited_steps(None, 3), limited_steps(None, 8)
    (5, None, 5)
    >>> set_max_steps_per_epoch(None); limited_steps(9, None)
    9
    """
    limit = _max_steps_per_epoch
    if limit is None or (steps is None and available is not None and available <= limit):
        return steps
    return limit if steps is None else min(steps, limit)


# --- settings that Keras's code asks for and that change nothing here ---------------------------------------

_traceback_filtering = True
_flash_attention: bool | None = None


def enable_traceback_filtering() -> None:
    """Remember that tracebacks are to be short. They are: errors are raised where the mistake is met."""
    global _traceback_filtering
    _traceback_filtering = True


def disable_traceback_filtering() -> None:
    """Remember that whole tracebacks are wanted; nothing is ever cut from them."""
    global _traceback_filtering
    _traceback_filtering = False


def is_traceback_filtering_enabled() -> bool:
    """What was set last, True at first."""
    return _traceback_filtering


def enable_flash_attention() -> None:
    """Let attention layers use flash attention where it exists, as they do unless it is disabled."""
    global _flash_attention
    _flash_attention = None


def disable_flash_attention() -> None:
    """Attention layers made from now on never ask for flash attention."""
    global _flash_attention
    _flash_attention = False


def is_flash_attention_enabled() -> bool | None:
    """False after `disable_flash_attention()`, else None: it is used where it exists."""
    return _flash_attention
