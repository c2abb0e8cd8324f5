"""Policies as objects, per layer and by path; what is refused; storage in two bytes."""

import numpy as np
import pytest

import kcompile as keras
from kcompile import dtype_policies, layers, ops
from tests.parity import precision_cases as cases


def test_the_global_policy_is_that_of_new_layers():
    with cases.policy(keras, "mixed_bfloat16"):
        assert keras.config.dtype_policy() == keras.DTypePolicy("mixed_bfloat16")
        assert keras.mixed_precision.global_policy() is keras.config.dtype_policy()
        layer = layers.Dense(2)
    assert (layer.compute_dtype, layer.variable_dtype, layer.dtype) == ("bfloat16", "float32", "float32")
    assert layers.Dense(2).dtype_policy.name == "float32"


def test_mixed_precision_has_keras_names():
    for name in ("DTypePolicy", "Policy", "LossScaleOptimizer", "dtype_policy", "set_dtype_policy"):
        assert hasattr(keras.mixed_precision, name)
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        assert layers.Dense(1).compute_dtype == "float16"
    finally:
        keras.mixed_precision.set_global_policy("float32")


@pytest.mark.parametrize(
    "given", ["bfloat16", keras.DTypePolicy("bfloat16"), keras.FloatDTypePolicy("bfloat16")]
)
def test_a_layer_takes_a_name_or_a_policy(given):
    layer = layers.Dense(2, dtype=given)
    assert layer.dtype_policy == keras.DTypePolicy("bfloat16")
    again = layers.Dense.from_config(layer.get_config())
    assert again.dtype_policy == layer.dtype_policy
    assert layer.get_config()["dtype"]["config"] == {"name": "bfloat16"}


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ("float17", ValueError, "Cannot convert 'float17' to a DTypePolicy"),
        (3.5, ValueError, "Cannot interpret `dtype` argument"),
        ("int8", ValueError, "into a valid pair"),
        ("int8_from_float16", ValueError, "doesn't work well with compute_dtype='float16'"),
        ({"class_name": "QuantizedDTypePolicy", "config": {}}, TypeError, "mode"),
        ({"class_name": "GPTQDTypePolicy", "config": {"mode": "int8"}}, ValueError, "Invalid mode"),
        ({"class_name": "Dense", "config": {}}, ValueError, "Unknown dtype policy class 'Dense'"),
    ],
)
def test_what_is_no_policy_is_refused(given, error, match):
    with pytest.raises(error, match=match):
        layers.Dense(2, dtype=given)


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.DTypePolicy(16),
        lambda: dtype_policies.QuantizedDTypePolicy("int8", 16),
        lambda: dtype_policies.QuantizedFloat8DTypePolicy("float8", np.float16),
    ],
)
def test_a_policy_needs_a_string(make):
    with pytest.raises(TypeError, match="'name' must be a string"):
        make()


def test_no_policy_is_read_as_none():
    assert dtype_policies.deserialize(None) is None


# --- by path ------------------------------------------------------------------------------------------------


def policies():
    return dtype_policies.DTypePolicyMap(
        "float32", {"encoder/.*": keras.DTypePolicy("mixed_bfloat16"), "head": keras.DTypePolicy("float16")}
    )


def test_a_map_answers_by_path_and_pattern():
    found = policies()
    assert found["encoder/dense"].name == "mixed_bfloat16"
    assert found["head"].name == "float16"
    assert found["head/inner"].name == "float32"
    assert (found.name, found.compute_dtype, len(found), list(found)) == (
        "map_float32", "float32", 2, ["encoder/.*", "head"],
    )  # fmt: skip
    found["encoder/x.*"] = "float16"
    with pytest.raises(ValueError, match="matches multiple"):
        found["encoder/xy"]
    with pytest.raises(ValueError, match="already exist"):
        found["head"] = "float32"
    with pytest.raises(ValueError, match="Cannot interpret the assigned value"):
        found["tail"] = "float17"
    del found["head"]
    assert "head" not in found
    with pytest.raises(ValueError, match="cannot be a `DTypePolicyMap`"):
        dtype_policies.DTypePolicyMap(policies())
    with pytest.raises(TypeError, match="must be a dict"):
        dtype_policies.DTypePolicyMap(None, ["a"])


def test_a_map_goes_to_a_config_and_back():
    again = dtype_policies.deserialize(dtype_policies.serialize(policies()))
    assert again == policies()
    assert dtype_policies.serialize(policies())["module"] == "keras.dtype_policies"


def test_a_layer_takes_its_policy_from_a_map_when_it_is_built():
    class Block(keras.Layer):
        def __init__(self, **kwargs):
            super().__init__(name="encoder", **kwargs)
            self.inner = layers.Dense(2, name="dense", dtype=self.dtype_policy)

        def build(self, shape):
            self.inner.build(shape)

        def call(self, x):
            return self.inner(x)

    block = Block(dtype=policies())
    y = block(np.ones((1, 3), "float32"))
    assert (block.compute_dtype, block.inner.compute_dtype) == ("float32", "bfloat16")
    assert ops.convert_to_tensor(y).dtype.name == "bfloat16"
    assert block.inner.kernel.dtype == "float32"
    block.inner.dtype_policy = "float16"
    assert block.inner.compute_dtype == "float16"


# --- one layer apart from the others ------------------------------------------------------------------------


def test_an_input_in_float32_reaches_a_float32_layer_unrounded():
    """A model casts no inputs: its layers do, each to its own dtype."""
    x = np.array([[1.0 + 2.0**-20]], "float32")
    with cases.policy(keras, "mixed_float16"):
        sequential = keras.Sequential([keras.Input((1,)), layers.Rescaling(1.0, dtype="float32")])
        inputs = keras.Input((1,))
        functional = keras.Model(inputs, layers.Rescaling(1.0, dtype="float32")(inputs))
    for model in (sequential, functional):
        np.testing.assert_array_equal(model.predict(x, verbose=0), x)
        np.testing.assert_array_equal(model(x), x)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float16", "float64"])
def test_eager_and_compiled_agree_to_the_last_bits(policy):
    with cases.policy(keras, policy):
        model = cases.cnn(keras)
        cases.start(model)
        x = next(cases.batches("cnn"))[0]
        eager = np.asarray(model.call(x)).astype("f8")
        compiled = model.predict(x, verbose=0).astype("f8")
    limit = {"float64": 1e-14, "float16": 2e-3, "mixed_bfloat16": 1e-2}[policy]  # two roundings of 1
    np.testing.assert_allclose(compiled, eager, rtol=0, atol=limit)


# --- storage ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_weights_are_stored_in_the_policys_dtype_and_survive_files(dtype, tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, dtype=dtype), layers.Dense(2, dtype=dtype)])
    assert {v.array.dtype.name for v in model.weights} == {dtype}
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    model.fit(x, x[:, :2], verbose=0)
    assert {v.array.dtype.name for v in model.weights} == {dtype}
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    other = keras.models.clone_model(model)
    other.load_weights(tmp_path / "m.weights.h5")
    for one in (loaded, other):
        for a, b in zip(model.weights, one.weights, strict=True):
            assert a.dtype == b.dtype == dtype
            assert a.numpy().tobytes() == b.numpy().tobytes()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_losses_and_metrics_take_a_dtype(dtype):
    y = np.array([[0.1], [0.7]], "float32")
    loss = keras.losses.MeanSquaredError(dtype=dtype)
    assert np.asarray(loss(y, y * 2)).dtype.name == dtype
    assert keras.losses.MeanSquaredError(dtype=f"mixed_{dtype}").dtype == dtype
    metric = keras.metrics.Mean(dtype=dtype)
    metric.update_state(y)
    assert metric.total.dtype == dtype
    assert keras.metrics.Mean(dtype=keras.DTypePolicy(f"mixed_{dtype}")).dtype == dtype
    assert keras.metrics.Mean().dtype == "float32"


@pytest.mark.parametrize("policy", ["mixed_float16", "bfloat16"])
def test_every_kernel_agrees_with_the_reference(policy):
    """Kernels round less often than the references do, and not by more than that explains."""
    from kcompile.core.config import config

    with config(check=True):
        cases.training(keras, "mlp", policy)


def test_casting_an_input_is_part_of_the_layer():
    """No operation of the model: summaries, configs and files list none, as in Keras."""
    x = keras.Input((4,))
    hidden = layers.Dense(8, dtype="mixed_bfloat16", name="hidden")(x)
    model = keras.Model(x, layers.Dense(1, dtype="float32", name="last")(hidden))
    assert [type(op).__name__ for op in model.operations] == ["InputLayer", "Dense", "Dense"]
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    x = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(again(x), model(x))
    assert hidden.dtype == "bfloat16" and keras.Model(model.inputs, hidden)(x).dtype == "bfloat16"
