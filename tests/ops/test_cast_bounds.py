"""Floats outside of an int's range: the nearest int, NaN 0, as in Keras on JAX, eagerly and compiled."""

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops

GIVEN = np.array(
    [[-1.5, -0.5, 127.6, 200, 255.9, 256, -129, 4e4, 7e4, 3e9, -3e9, 1e20, -1e20, np.nan, np.inf, -np.inf]],
    "float32",
)
TOP32 = 2147483647
# What Keras 3.15 on JAX gives.
WANTED = {
    "uint8": [0, 0, 127, 200, 255, 255, 0, 255, 255, 255, 0, 255, 0, 0, 255, 0],
    "int8": [-1, 0, 127, 127, 127, 127, -128, 127, 127, 127, -128, 127, -128, 0, 127, -128],
    "int16": [-1, 0, 127, 200, 255, 256, -129, 32767, 32767, 32767, -32768, 32767, -32768, 0, 32767, -32768],
    "uint16": [0, 0, 127, 200, 255, 256, 0, 40000, 65535, 65535, 0, 65535, 0, 0, 65535, 0],
    "int32": [-1, 0, 127, 200, 255, 256, -129, 40000, 70000, *(TOP32, -TOP32 - 1) * 2, 0, TOP32, -TOP32 - 1],
    "uint32": [0, 0, 127, 200, 255, 256, 0, 40000, 70000, 3000000000, 0, 2**32 - 1, 0, 0, 2**32 - 1, 0],
}


@pytest.mark.parametrize("source", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("dtype", WANTED)
def test_the_nearest_int_is_taken(dtype, source):
    x = keras.Input(GIVEN.shape[1:], dtype=source)
    given = ops.cast(GIVEN, source)
    eager = np.asarray(ops.cast(given, dtype))[0].tolist()
    compiled = keras.Model(x, ops.cast(x, dtype)).predict_on_batch(given)[0].tolist()
    assert eager == compiled
    if source in ("float32", "float64"):
        assert eager == WANTED[dtype]
    else:  # halves round what is given, but end at the same bounds
        ends = np.array(WANTED[dtype])[[9, 11, 12, 13, 14, 15]] if dtype != "uint32" else None
        assert ends is None or np.array(eager)[[9, 11, 12, 13, 14, 15]].tolist() == ends.tolist()


def test_ints_wrap_around():
    x = np.array([-1, 300, 70000], "int32")
    assert ops.cast(x, "uint8").tolist() == [255, 44, 112]
