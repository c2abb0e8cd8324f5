"""What `quantize`, LoRA and the policies refuse, and what else is theirs alone."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, quantizers


def built(**kwargs):
    layer = layers.Dense(4, **kwargs)
    layer.build((None, 6))
    return layer


@pytest.mark.parametrize(
    "arguments, text",
    [
        ({}, "either `mode` or `config`"),
        ({"mode": "int2"}, "Invalid quantization mode"),
        ({"mode": "gptq"}, "must pass"),
        ({"mode": "int8", "config": 3}, "instance of `QuantizationConfig`"),
        ({"mode": "int8", "config": quantizers.Int4QuantizationConfig()}, "Contradictory"),
    ],
)
def test_wrong_arguments_of_quantize(arguments, text):
    with pytest.raises(ValueError, match=text):
        built().quantize(**arguments)


def test_layers_that_cannot_be_quantized():
    with pytest.raises(ValueError, match="isn't yet built"):
        layers.Dense(3).quantize("int8")
    layer = built()
    layer.quantize("int8")
    with pytest.raises(ValueError, match="already quantized"):
        layer.quantize("int4")
    with pytest.raises(ValueError, match="float16"):
        built(dtype="mixed_float16").quantize("int8")
    embedding = layers.Embedding(4, 3)
    embedding.build()
    with pytest.raises(NotImplementedError, match="Invalid quantization mode"):
        embedding.quantize("float8")
    relu = layers.ReLU()
    relu.build((None, 3))
    with pytest.raises(NotImplementedError, match="does not have a `quantize`"):
        relu.quantize("int8")
    with pytest.raises(NotImplementedError):
        layers.ReLU(dtype="int8_from_float32")(np.ones((1, 2), "float32"))


def test_subclasses_are_quantized_on_request_only():
    class Mine(layers.Dense):
        pass

    layer = Mine(3)
    layer.build((None, 2))
    with pytest.raises(NotImplementedError, match="Mine"):
        layer.quantize("int8")
    layer.quantize("int8", type_check=False)
    assert str(layer._kernel.dtype) == "int8"


def test_a_quantized_policy_quantizes_a_built_layer():
    layer = built()
    x = np.random.default_rng(0).normal(size=(3, 6)).astype("float32")
    before = layer(x)
    layer.dtype_policy = "int8_from_float32"
    assert str(layer.kernel.dtype) == "int8" and layer.quantization_mode == "int8"
    after = layer(x)
    assert 0 < np.abs(after - before).max() < 0.05


def test_elided_dimensions_are_quantized_too():
    layer = layers.EinsumDense("...ab,bc->...ac", (None, 4), bias_axes="c")
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 6)).astype("float32")
    before = layer(x)
    layer.quantize("int8")
    assert layer.kernel_scale.shape == (1, 1, 1, 4)
    np.testing.assert_allclose(layer(x), before, atol=0.1)


def test_models_choose_layers_by_filters():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="a"), layers.Dense(2, name="b")])
    with pytest.raises(ValueError, match="filters"):
        model.quantize("int8", filters=3)
    with pytest.raises(ValueError, match="Unrecognized keyword"):
        model.quantize("int8", wrong=1)
    model.quantize("int8", filters=lambda layer: layer.name == "b")
    assert [layer.quantization_mode for layer in model.layers] == [None, "int8"]
    x = np.ones((2, 4), "float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), model.layers[1](model.layers[0](x)), rtol=1e-5)
    with pytest.raises(ValueError, match="isn't yet built"):
        keras.Sequential([layers.Dense(3)]).quantize("int8")


def test_a_compiled_model_uses_its_quantized_weights():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    before = model.predict(x, verbose=0)
    model.quantize("int4")
    after = model.predict(x, verbose=0)
    assert not np.array_equal(before, after)
    np.testing.assert_allclose(after, model.layers[0](x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "kind, kwargs, error",
    [
        (layers.Dense, {"units": 3, "kernel_constraint": "max_norm"}, "incompatible with kernel constraints"),
        (layers.Conv2D, {"filters": 3, "kernel_size": 1, "kernel_constraint": "max_norm"}, "kernel constr"),
    ],
)
def test_lora_and_constraints(kind, kwargs, error):
    layer = kind(**kwargs)
    layer.build((None, 4, 4, 3) if kind is layers.Conv2D else (None, 3))
    with pytest.raises(ValueError, match=error):
        layer.enable_lora(2)


def test_lora_is_enabled_once_and_after_building():
    layer = layers.Dense(3)
    with pytest.raises(ValueError, match="isn't yet built"):
        layer.enable_lora(2)
    with pytest.raises(AttributeError, match="build the layer before"):
        _ = layer.kernel
    layer.build((None, 4))
    layer.enable_lora(2)
    with pytest.raises(ValueError, match="only be done once"):
        layer.enable_lora(2)


def test_training_with_lora_changes_the_thin_matrices_alone(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="a")])
    layer = model.layers[0]
    layer.enable_lora(2)
    kernel = layer._kernel.numpy()
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    model.fit(x, np.ones((8, 3), "float32"), epochs=3, verbose=0)
    np.testing.assert_array_equal(layer._kernel.numpy(), kernel)
    assert np.abs(layer.lora_kernel_b.numpy()).max() > 0
    model.save_weights(tmp_path / "a.weights.h5")
    plain = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="a")])
    plain.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_allclose(plain(x), model(x), rtol=1e-5, atol=1e-6)
    model.load_weights(tmp_path / "a.weights.h5")
    assert not layer.lora_kernel_b.numpy().any()
    np.testing.assert_allclose(plain(x), model(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    ["int8", "int4/64", "int8_from_float16", "int8_from_", "xx_from_float32", "int4/0_from_float32"],
)
def test_names_that_are_no_policies(name):
    with pytest.raises(ValueError):
        keras.dtype_policies.get(name)


@pytest.mark.parametrize(
    "name",
    ["int8_from_mixed_bfloat16", "int4/64_from_float32", "gptq/4/128_from_float32", "awq/4/8_from_float32"],
)
def test_policies_come_back_from_their_configs(name):
    policy = keras.dtype_policies.get(name)
    assert policy.name == name
    again = keras.dtype_policies.deserialize(keras.dtype_policies.serialize(policy))
    assert again == policy and hash(again) == hash(policy) and repr(again) == repr(policy)
    assert again != keras.dtype_policies.get("float32")


@pytest.mark.parametrize("mode", ["int5/64", "int4", "int4/x", "int4/-2"])
def test_wrong_modes_of_int4(mode):
    with pytest.raises(ValueError, match="mode"):
        keras.dtype_policies.Int4DTypePolicy(mode, "float32")


def test_configs_check_their_quantizers():
    quantizer = quantizers.AbsMaxQuantizer(axis=0)
    with pytest.raises(ValueError, match="value_range"):
        quantizers.AbsMaxQuantizer(value_range=(-129, 127))
    with pytest.raises(ValueError, match="value_range"):
        quantizers.Int4QuantizationConfig(quantizer, block_size=None)
    with pytest.raises(ValueError, match="sub-channel"):
        quantizers.Int4QuantizationConfig(quantizer)
    with pytest.raises(ValueError, match="block_size"):
        quantizers.Int4QuantizationConfig(block_size=0)
    with pytest.raises(ValueError, match="int8"):
        quantizers.Int8QuantizationConfig(quantizers.AbsMaxQuantizer(output_dtype="int32"))
    config = quantizers.Int8QuantizationConfig(quantizer, None)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(config))
    assert copy.weight_quantizer.axis == (0,) and copy.activation_quantizer is None
    layer = built()
    layer.quantize(config=config)
    again = layers.deserialize(layers.serialize(layer))
    assert again.quantization_config.weight_quantizer.get_config() == quantizer.get_config()


def test_packing_checks_its_dtypes():
    with pytest.raises(ValueError, match="int8"):
        quantizers.pack_int4(np.zeros(3, "int8"), dtype="int32")
    with pytest.raises(TypeError, match="packing"):
        quantizers.pack_int4(np.zeros(3, "int32"))
    with pytest.raises(TypeError, match="unpacking"):
        quantizers.unpack_int4(np.zeros(3, "int32"), 3)
    with pytest.raises(ValueError, match="float8"):
        quantizers.quantize_and_dequantize(np.ones(2, "float32"), np.float32(1), "float16", "float32")


def test_fake_quantization_in_a_functional_model_keeps_its_arguments():
    x = keras.Input((3,))
    y = quantizers.fake_quant_with_min_max_vars(x, -1.0, 1.0, num_bits=2)
    model = keras.Model(x, y)
    data = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    wanted = quantizers.fake_quant_with_min_max_vars(data, np.float32(-1), np.float32(1), num_bits=2)
    np.testing.assert_allclose(model(data), wanted, atol=1e-6)


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_gradients_of_fake_quantization(axis):
    x = np.array([[-3.0, 0.2], [0.5, 2.0]], "float32")
    ends = (2,) if axis is not None else ()
    low, high = np.full(ends, -1, "float32"), np.full(ends, 1, "float32")

    def total(x, low, high):
        weights = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")
        return keras.ops.sum(weights * quantizers.fake_quant_with_min_max_vars(x, low, high, axis=axis))

    dx, dlow, dhigh = keras.grad(total, argnums=(0, 1, 2))(x, low, high)
    np.testing.assert_array_equal(dx, [[0, 2], [3, 0]])
    wanted = {None: (1.0, 4.0), 0: ([1, 0], [0, 4]), 1: ([1, 0], [0, 4])}[axis]
    np.testing.assert_array_equal(dlow, wanted[0])
    np.testing.assert_array_equal(dhigh, wanted[1])
