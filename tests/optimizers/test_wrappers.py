"""Optimizers that hold others: loss scaling, and different optimizers for different variables."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import optimizers
from kcompile.optimizers import SGD, Adam, LossScaleOptimizer, MultiOptimizer, OptimizerMap

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = X.sum(1, keepdims=True)


def compiled(optimizer, **settings):
    layers = [keras.Input((3,)), keras.layers.Dense(2, name="a"), keras.layers.Dense(1, name="b")]
    model = keras.Sequential(layers, name="net")
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    model.compile(optimizer=optimizer, loss="mse", **settings)
    return model


def fitted(optimizer, **settings):
    model = compiled(optimizer, **settings)
    model.fit(X, Y, epochs=3, batch_size=4, verbose=0, shuffle=False)
    return model


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_scaled_fit_is_the_plain_one(eagerly):
    scaled = fitted(LossScaleOptimizer(SGD(0.1), dynamic_growth_steps=4), run_eagerly=eagerly)
    plain = fitted(SGD(0.1), run_eagerly=eagerly)
    for a, b in zip(scaled.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert float(scaled.optimizer.dynamic_scale) == 2.0**16  # doubled once in six steps
    assert int(scaled.optimizer.iterations) == 6 and int(scaled.optimizer.step_counter) == 2


def test_steps_with_infinite_gradients_are_left_out():
    model = compiled(LossScaleOptimizer(Adam(0.1), initial_scale=8.0))
    before = model.get_weights()
    model.train_on_batch(X * np.float32(1e30), Y)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert float(model.optimizer.dynamic_scale) == 4.0 and int(model.optimizer.iterations) == 0
    model.train_on_batch(X, Y)
    assert not np.array_equal(before[0], model.get_weights()[0])
    assert float(model.optimizer.dynamic_scale) == 4.0 and int(model.optimizer.iterations) == 1


def test_the_rate_of_a_scaled_optimizer_is_the_inner_one():
    optimizer = LossScaleOptimizer(SGD(0.5, loss_scale_factor=3.0))
    assert float(optimizer.learning_rate) == 0.5 and optimizer.inner_optimizer.loss_scale_factor is None
    optimizer.learning_rate = 0.25
    assert float(optimizer.inner_optimizer.learning_rate) == 0.25
    assert optimizer.scale_loss(1.0) == 2.0**15


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"dynamic": False}, "does not support `dynamic=False`"),
        ({"clipnorm": 1.0}, "does not support `clipnorm`"),
        ({"use_ema": True}, "does not support `use_ema`"),
        ({"speed": 1}, "does not support arguments: `speed`"),
    ],
)
def test_arguments_of_the_inner_optimizer_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        LossScaleOptimizer(SGD(), **settings)
    assert LossScaleOptimizer(SGD(), clipnorm=None, ema_momentum=0.99).initial_scale == 2.0**15


@pytest.mark.parametrize("eagerly", [False, True])
def test_each_variable_follows_its_optimizer(eagerly):
    """The kernel of the first layer stands still, all others move."""
    optimizer = MultiOptimizer(OptimizerMap(SGD(0.1), {"net/a/kernel": SGD(0.0)}))
    model = compiled(optimizer, run_eagerly=eagerly)
    before = model.get_weights()
    model.fit(X, Y, epochs=2, batch_size=4, verbose=0)
    moved = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert moved == [False, True, True, True]
    assert [int(inner.iterations) for inner in optimizer.optimizers] == [4, 4]


def test_a_function_gives_the_optimizers():
    small, large = SGD(0.0, name="small"), SGD(0.1, name="large")
    optimizer = MultiOptimizer(lambda variable: small if "bias" in variable.path else large)
    model = fitted(optimizer)
    assert [inner.name for inner in optimizer.optimizers] == ["large", "small"]
    assert (model.layers[0].bias.numpy() == compiled("sgd").layers[0].bias.numpy()).all()


def test_the_map():
    a, b, rest = SGD(name="a"), SGD(name="b"), SGD(name="rest")
    found = OptimizerMap(rest, {"x/.*": a})
    found["y"] = b
    assert found["x/kernel"] is a and found["y"] is b and found["y/kernel"] is rest
    assert list(found) == ["x/.*", "y"] and len(found) == 2
    del found["y"]
    assert found["y"] is rest
    found["x/k.*"] = b
    with pytest.raises(ValueError, match="Multiple optimizers assigned to variable x/kernel"):
        found["x/kernel"]


def test_what_the_map_refuses():
    with pytest.raises(TypeError, match="default_optimizer must be a Keras Optimizer"):
        OptimizerMap("sgd")
    with pytest.raises(TypeError, match="optimizer_map must be a dictionary"):
        OptimizerMap(SGD(), [SGD()])
    found = OptimizerMap(SGD(), {"a": SGD()})
    with pytest.raises(ValueError, match="'a' already exists"):
        found["a"] = SGD()
    with pytest.raises(ValueError, match="must be a Keras Optimizer instance"):
        found["b"] = "sgd"
    with pytest.raises(ValueError, match="key must be a string"):
        found[3] = SGD()
    with pytest.raises(ValueError, match="cannot be LossScaleOptimizer"):
        found["b"] = LossScaleOptimizer(SGD())
    with pytest.raises(ValueError, match="cannot be MultiOptimizer"):
        found["b"] = MultiOptimizer(OptimizerMap(SGD()))


def test_what_a_multi_optimizer_refuses():
    optimizer = MultiOptimizer(OptimizerMap(SGD()))
    with pytest.raises(AttributeError, match="cannot be accessed on a MultiOptimizer"):
        optimizer.learning_rate  # noqa: B018
    with pytest.raises(AttributeError, match="cannot be set on a MultiOptimizer"):
        optimizer.learning_rate = 0.1
    w = keras.Variable(np.ones(2, "float32"))
    with pytest.raises(ValueError, match="is not an Optimizer instance"):
        MultiOptimizer(lambda variable: "sgd").build([w])
    with pytest.raises(ValueError, match="LossScaleOptimizer cannot be used inside"):
        MultiOptimizer(lambda variable: LossScaleOptimizer(SGD())).build([w])
    optimizer.build([w, keras.Variable(np.ones(2, "float32"))])
    with pytest.raises(ValueError, match="must match trainable variables one-to-one"):
        optimizer.apply([np.ones(2, "float32")], [w])


def test_stateless_apply_refuses_other_numbers_of_values():
    optimizer, w = optimizers.Adam(), keras.Variable(np.ones(2, "float32"))
    with pytest.raises(ValueError, match="must be built"):
        optimizer.stateless_apply([], [w.numpy()], [w.numpy()])
    optimizer.build([w])
    slots = [v.numpy() for v in optimizer.variables]
    with pytest.raises(ValueError, match="`optimizer_variables` must be a list of tensors"):
        optimizer.stateless_apply(slots[:-1], [w.numpy()], [w.numpy()])
    with pytest.raises(ValueError, match="`trainable_variables` must be a list of tensors"):
        optimizer.stateless_apply(slots, [w.numpy()], [])


@pytest.mark.parametrize("steps", [None, 2])
def test_variables_that_are_overwritten_by_their_gradients(steps):
    plain, taken = (keras.Variable(np.ones(2, "float32"), name=n) for n in ("plain", "taken"))
    taken.overwrite_with_gradient = True
    optimizer = Adam(0.1, use_ema=True, clipnorm=0.1, gradient_accumulation_steps=steps)
    for value in (3.0, 2.0):
        optimizer.apply([np.full(2, value, "float32")] * 2, [plain, taken])
    assert taken.numpy().tolist() == [2.0, 2.0] if steps is None else [3.0, 3.0]
    assert plain.numpy()[0] < 1
    names = [v.name for v in optimizer.variables]
    assert "plain_momentum" in names and "taken_momentum" not in names and "taken_average" not in names


@pytest.mark.parametrize("accumulation", [None, 2])
def test_a_scale_beyond_float16_divides_gradients_of_float16(accumulation):
    variable = keras.Variable(np.ones(3, "float16"), dtype="float16")
    inner = optimizers.SGD(1.0, gradient_accumulation_steps=accumulation)
    optimizer = optimizers.LossScaleOptimizer(inner, initial_scale=2.0**17)
    for _ in range(accumulation or 1):
        optimizer.apply_gradients([(keras.ops.full((3,), 2.0**15, "float16"), variable)])
    assert variable.numpy().tolist() == [0.75] * 3
