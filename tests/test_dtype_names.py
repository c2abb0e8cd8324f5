"""Which dtypes layers, policies, variables and ops take, beside what Keras takes."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops

NO_NAMES = [
    "half", "double", "float", "f4", "<f4", "single", "FLOAT32", "float32 ", "mixed", "mixed_float32",
    "float128", 1, 3.5, ["float32"], object, layers.Dense,
]  # fmt: skip


@pytest.mark.parametrize("dtype", NO_NAMES)
def test_what_names_no_dtype(dtype):
    for make in (
        lambda: layers.Dense(3, dtype=dtype),
        lambda: layers.Flatten(dtype=dtype),
        lambda: keras.Input((2,), dtype=dtype),
        lambda: keras.Variable(np.zeros(2), dtype=dtype),
        lambda: keras.config.set_floatx(dtype),
        lambda: keras.mixed_precision.set_global_policy(dtype),
        lambda: layers.Layer().add_weight(shape=(2,), initializer="zeros", dtype=dtype),
        lambda: ops.zeros((2,), dtype=dtype),
    ):
        with pytest.raises(ValueError, match="dtype|floatx|policy|DTypePolicy"):
            make()


def test_what_is_empty_is_no_dtype():
    for dtype in ("", {}):
        with pytest.raises((ValueError, TypeError), match="dtype"):
            keras.Input((2,), dtype=dtype)
        with pytest.raises((ValueError, TypeError), match="dtype"):
            layers.Layer().add_weight(shape=(2,), initializer="zeros", dtype=dtype)


@pytest.mark.parametrize("policy", [None, np.float32, float, np.dtype("float16")])
def test_the_global_policy_and_the_default_float_are_names(policy):
    with pytest.raises(ValueError, match="Invalid `policy` argument"):
        keras.config.set_dtype_policy(policy)
    with pytest.raises(ValueError, match="Unknown `floatx`"):
        keras.config.set_floatx(policy)


def test_tensors_cannot_hold_text():
    for make in (
        lambda: layers.Dense(3, dtype="string").build((None, 2)),
        lambda: keras.Variable(np.zeros(2), dtype="string"),
        lambda: ops.cast(np.ones(2), "string"),
        lambda: ops.zeros((2,), dtype="string"),
    ):
        with pytest.raises(ValueError, match="cannot hold text"):
            make()


@pytest.mark.parametrize("dtype", ["int8", "int4", "float8", "float8_e4m3fn", "int8_and_more", "gptq", "awq"])
def test_names_like_those_of_quantized_policies_are_no_dtypes_of_layers(dtype):
    with pytest.raises(ValueError, match=f"Received: policy={dtype}"):
        layers.Dense(3, dtype=dtype)
    with pytest.raises(ValueError, match=f"Received: policy={dtype}"):
        keras.dtype_policies.get(dtype)
    layer = layers.Dense(3)
    with pytest.raises(ValueError, match=f"Received: policy={dtype}"):
        layer.dtype_policy = dtype


@pytest.mark.parametrize(
    "dtype, name",
    [
        (np.float16, "float16"), (np.dtype("float64"), "float64"), (float, "float32"), (int, "int32"),
        (bool, "bool"), ("uint8", "uint8"), (np.int8, "int8"), (None, "float32"),
        ({"class_name": "DTypePolicy", "config": {"name": "float16"}}, "float16"),
    ],
)  # fmt: skip
def test_dtypes_of_layers(dtype, name):
    layer = layers.Flatten(dtype=dtype)
    assert layer.dtype_policy.name == layer.compute_dtype == layer.variable_dtype == name


def test_a_policy_may_have_any_dtype():
    """Only names given to layers are looked at twice."""
    policy = keras.DTypePolicy("int8")
    assert layers.Flatten(dtype=policy).compute_dtype == "int8"
    with pytest.raises(TypeError, match="'name' must be a string"):
        keras.DTypePolicy(3)
