"""GradientTape outside of any trace: programs written as guides for TensorFlow's Keras have them."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops
from kcompile.ir.op import watched
from kcompile.trace import tracer

GradientTape = keras.GradientTape
X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


@pytest.fixture(autouse=True)
def closed():
    yield
    assert tracer.active() is None and not watched.arrays


def variable(*numbers):
    return keras.Variable(np.float32(numbers))


def network():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, "tanh"), layers.BatchNormalization(), layers.Dense(1)]
    )
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.1, 0.6, size=w.shape) for w in model.get_weights()])
    return model


def test_a_gradient_by_a_variable():
    v = variable(1, 2)
    with GradientTape() as tape:
        loss = ops.sum(v * v * v)
    assert tape.gradient(loss, v).tolist() == [3, 12]
    assert isinstance(tape.gradient(loss, v), np.ndarray)


def test_what_is_recorded_behaves_as_numbers():
    v = variable(1, 2)
    with GradientTape():
        y = v * 2
        total = ops.sum(y)
        assert float(total) == 6 and int(total) == 6 and total.numpy() == 6
        assert total > 5 and not total > 7
        assert f"{total:.2f}" == "6.00" and repr(y) == repr(np.float32([2, 4]))
        assert np.asarray(y).tolist() == [2, 4]
    assert (y == np.float32([2, 5])).tolist() == [True, False]
    assert isinstance(y + 1, np.ndarray) and (np.float32([1, 1]) + y).tolist() == [3, 5]
    assert isinstance(ops.mean(y), np.ndarray)


def test_python_takes_the_branch_of_the_numbers():
    v = variable(3)
    with GradientTape() as tape:
        y = ops.sum(v)
        while y < 20:
            y = y * y
    assert tape.gradient(y, v).tolist() == [4 * 27]


@pytest.mark.parametrize("keep", [True, False])
def test_a_watched_tensor(keep):
    x = ops.convert_to_tensor(3.0)
    with GradientTape() as tape:
        if keep:
            x = tape.watch(x)
            y = x * x
        else:
            tape.watch(x)
            y = ops.square(x)
    assert tape.gradient(y, x) == 6


def test_a_watched_input_of_a_model():
    model = network()
    images = X.copy()
    with GradientTape() as tape:
        tape.watch(images)
        loss = ops.sum(model(images))
    slopes = tape.gradient(loss, images)
    step = np.zeros_like(X)
    step[2, 1] = 1e-2
    measured = float(ops.sum(model(X + step)) - ops.sum(model(X - step))) / 2e-2
    assert slopes.shape == X.shape and slopes[2, 1] == pytest.approx(measured, rel=1e-2)


def test_pythons_operators_on_a_watched_array_are_named():
    x = np.float32([1, 2])
    with GradientTape() as tape:
        tape.watch(x)
        y = (x * x).sum()
    with pytest.raises(ValueError, match="the target was not recorded"):
        tape.gradient(y, x)


def test_only_floats_are_watched():
    with GradientTape() as tape, pytest.raises(ValueError, match="only floats have gradients"):
        tape.watch(np.arange(3))
    with pytest.raises(RuntimeError, match="inside of the tape"):
        tape.watch(X)


def test_second_derivatives():
    v = variable(1, 2)
    with GradientTape() as outer:
        with GradientTape() as inner:
            y = v * v * v
        slope = inner.gradient(y, v)
    assert slope.numpy().tolist() == [3, 12]
    assert outer.gradient(slope, v).tolist() == [6, 12]


def test_second_derivatives_by_a_watched_array():
    x = np.array(3.0, "float32")
    with GradientTape() as outer:
        outer.watch(x)
        with GradientTape() as inner:
            inner.watch(x)
            y = ops.power(x, 3)
        slope = inner.gradient(y, x)
    assert slope.numpy() == 27 and outer.gradient(slope, x) == 18 and inner.gradient(y, x) == 27


def test_a_gradient_penalty():
    model, images = network(), X.copy()
    with GradientTape() as outer:
        with GradientTape() as tape:
            tape.watch(images)
            score = model(images)
        slopes = tape.gradient(score, [images])[0]
        penalty = ops.mean(ops.square(ops.norm(slopes, axis=1) - 1.0))
    found = outer.gradient(penalty, model.trainable_weights[0])

    def value(kernel):
        def inside(w, x):
            mean, spread = weights[4], np.sqrt(weights[5] + 1e-3)
            return ((np.tanh(x @ w + weights[1]) - mean) / spread * weights[2] + weights[3]) @ weights[6]

        weights = [w.astype("float64") for w in model.get_weights()]
        h = 1e-5
        slopes = [(inside(kernel, X + h * e) - inside(kernel, X - h * e)) / (2 * h) for e in np.eye(4)]
        return np.mean((np.linalg.norm(np.concatenate(slopes, 1), axis=1) - 1) ** 2)

    kernel, step = model.get_weights()[0].astype("float64"), np.zeros((4, 5))
    step[1, 3] = 1e-4
    measured = (value(kernel + step) - value(kernel - step)) / 2e-4
    assert found[1, 3] == pytest.approx(measured, rel=1e-3)


def test_persistent_and_several_targets_and_nested_sources():
    v, w = variable(1, 2), variable(3)
    with GradientTape(persistent=True) as tape:
        a = v * 2
        b = ops.sum(a * a)
    assert tape.gradient(b, a).tolist() == [4, 8]
    assert tape.gradient([a, b], {"v": [v], "w": w})["v"][0].tolist() == [10, 18]
    assert tape.gradient([a, b], {"v": [v], "w": w})["w"] is None
    assert tape.gradient(b, w, unconnected_gradients="zero").tolist() == [0]
    assert tape.gradient(a, v, output_gradients=np.float32([1, 10])).tolist() == [2, 20]
    assert tape.gradient(7.0, v) is None


def test_a_custom_loop_learns_as_fit_does():
    looped, fitted = network(), network()
    optimizer, loss_fn = keras.optimizers.Adam(0.01), keras.losses.MeanSquaredError()
    losses = []
    for _ in range(3):
        for k in (0, 3):
            with GradientTape() as tape:
                predictions = looped(X[k : k + 3], training=True)
                loss = loss_fn(Y[k : k + 3], predictions)
            grads = tape.gradient(loss, looped.trainable_weights)
            optimizer.apply_gradients(zip(grads, looped.trainable_weights, strict=True))
            losses.append(float(loss))
    fitted.compile(keras.optimizers.Adam(0.01), "mse")
    history = fitted.fit(X, Y, batch_size=3, epochs=3, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(np.reshape(losses, (3, 2)).mean(1), history, rtol=1e-5)
    for a, b in zip(looped.get_weights(), fitted.get_weights(), strict=True):  # moving averages among them
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_gradients_are_those_of_the_block_whatever_happens_afterwards():
    v, x = variable(2), np.float32([3])
    with GradientTape() as tape:
        y = ops.sum(v * v * x)
    v.assign([10])
    assert tape.gradient(y, v).tolist() == [12] and float(y) == 12


def test_variables_are_assigned_at_once():
    v, count = variable(2), keras.Variable(0)
    with GradientTape() as tape:
        count.assign_add(1)
        v.assign(v * 3)
        assert v.numpy().tolist() == [6] and int(count) == 1
        y = ops.sum(v * v)
    assert v.numpy().tolist() == [6]
    assert float(y) == 36 and tape.gradient(y, v).tolist() == [36]  # by what it held at first


def test_metrics_take_what_was_recorded():
    model, metric = network(), keras.metrics.MeanAbsoluteError()
    with GradientTape():
        predictions = model(X)
        metric.update_state(Y, predictions)
    metric.update_state(Y, predictions)
    assert float(metric.result()) == pytest.approx(np.mean(np.abs(model.predict(X, verbose=0) - Y)), rel=1e-5)
    assert float(metric.count) == 2 * len(Y)


def test_losses_of_layers():
    class Penalized(layers.Layer):
        def call(self, x):
            self.add_loss(ops.sum(x * x))
            return x

    dense = layers.Dense(1, kernel_regularizer="l2", kernel_initializer="ones")
    model = keras.Sequential([keras.Input((4,)), dense, Penalized()])
    with GradientTape() as tape:
        model(X)
        loss = sum(model.losses)
    assert len(model.losses) == 2
    expected = float(np.sum(np.square(Y)) + 4 * 0.01)
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    slope = tape.gradient(loss, dense.kernel)
    np.testing.assert_allclose(slope, X.T @ (2 * Y) + 2 * 0.01, rtol=1e-4)


def test_dropout_draws_as_outside():
    outside, inside = (layers.Dropout(0.5, seed=3) for _ in range(2))
    expected = outside(X, training=True), outside(X, training=True)
    v = keras.Variable(X)
    with GradientTape():
        found = inside(v, training=True), inside(v, training=True)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.numpy(), b)


@pytest.mark.parametrize(
    "make",
    [
        lambda: [layers.Reshape((4, 1)), layers.LSTM(3)],
        lambda: [layers.Reshape((2, 2, 1)), layers.Conv2D(3, 2, activation="relu"), layers.Flatten()],
        lambda: [layers.LayerNormalization(), layers.Dense(3, "gelu"), layers.Softmax()],
    ],
    ids=["lstm", "conv", "norm"],
)
def test_the_same_gradients_as_by_value_and_grad(make):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), *make()])
    values = [v.value for v in model.trainable_variables]
    seeds = [v.value for v in model.non_trainable_variables]

    def loss_of(values):
        outputs, _ = model.stateless_call(values, seeds, X)
        return ops.sum(ops.square(outputs))

    with GradientTape() as tape:
        loss = ops.sum(ops.square(model(X)))
    expected, slopes = keras.value_and_grad(loss_of)(values)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    for a, b in zip(tape.gradient(loss, model.trainable_variables), slopes, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_variables_that_are_not_watched():
    v, w = variable(2), variable(3)
    with GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(w)
        y = ops.sum(v * w)
    assert tape.gradient(y, v) is None and tape.gradient(y, w).tolist() == [2]
    assert tape.watched_variables() == [w]


def test_stop_recording_hides():
    v = variable(2)
    with GradientTape() as tape:
        y = v * v
        with tape.stop_recording():
            factor = v * 5.0
        assert isinstance(factor, np.ndarray)
        z = ops.sum(y * factor)
    assert tape.gradient(z, v).tolist() == [40]
    assert tape.watched_variables() == [v]


def test_a_gradient_inside_of_the_block():
    v = variable(2)
    with GradientTape(persistent=True) as tape:
        y = ops.sum(v * v * v)
        slope = tape.gradient(y, v)
        z = ops.sum(slope * slope)
    assert float(z) == 144 and tape.gradient(z, v).tolist() == [2 * 12 * 12]


def test_an_error_closes_the_tape():
    x = X.copy()
    with pytest.raises(ZeroDivisionError), GradientTape() as tape:
        tape.watch(x)
        _ = 1 / 0
    assert isinstance(ops.sum(x), np.ndarray)


def test_a_function_under_jit_is_looked_through():
    v = variable(3)

    @keras.jit
    def cube(x):
        return x * x * x

    with GradientTape() as tape:
        y = ops.sum(cube(v.value))
    assert tape.gradient(y, v).tolist() == [27]


def test_a_model_is_built_inside():
    model = keras.Sequential([layers.Dense(2), layers.Dense(1)])
    with GradientTape() as tape:
        loss = ops.mean(model(X))
    grads = tape.gradient(loss, model.trainable_variables)
    assert [g.shape for g in grads] == [(4, 2), (2,), (2, 1), (1,)]


def test_nothing_is_kept():
    v = keras.Variable(np.ones((300, 300), "float32"))
    with GradientTape() as tape:
        y = ops.sum(ops.square(v))
    tape.gradient(y, v)
    node = weakref.ref(y.node)
    del y, tape
    gc.collect()
    assert node() is None


def test_sources_are_checked():
    v = variable(2)
    with GradientTape() as tape:
        y = ops.sum(v * v)
    with pytest.raises(ValueError, match="a source must be a variable, or a tensor that was recorded"):
        tape.gradient(y, [2.0, "v"])


def small_model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    return model, np.ones((4, 3), "float32"), np.zeros((4, 2), "float32")


def test_programs_are_compiled_inside_of_a_tape():
    model, x, y = small_model()
    with GradientTape():
        assert model.predict(x, verbose=0).shape == (4, 2)
        model.train_on_batch(x, y)
        model.fit(x, y, verbose=0)
        assert keras.jit(lambda a: a * 2)(x).shape == (4, 3)


def test_a_tape_sees_what_a_compiled_step_has_trained():
    model, x, y = small_model()
    with GradientTape() as tape:
        before = float(ops.sum(model(x)))
        model.train_on_batch(x, y)
        after = ops.sum(model(x))
    assert float(after) == pytest.approx(float(ops.sum(model(x))))
    assert float(after) != before
    np.testing.assert_allclose(tape.gradient(after, model.weights[0]), np.full((3, 2), 4.0))


def test_numbers_that_are_assigned_are_numbers():
    v = keras.Variable(np.float32(2.0))
    model, x, _ = small_model()
    metric = keras.metrics.Mean()
    with GradientTape() as tape:
        v.assign(3.0)
        square = v * v
        model.set_weights([np.ones((3, 2), "float32"), np.zeros(2, "float32")])
        assert float(ops.sum(model(x))) == 24.0
        metric.update_state([1.0, 2.0])
        metric.reset_state()
        assert float(metric.result()) == 0.0
    assert float(square) == 9.0
    assert float(v.numpy()) == 3.0
    assert tape.gradient(square, v) is not None


def test_a_watched_array_is_an_array_in_other_threads():
    x = np.full(3, 5.0, "float32")
    sums = []
    with GradientTape() as tape:
        tape.watch(x)
        thread = threading.Thread(target=lambda: sums.append(keras.jit(lambda: ops.sum(x))()))
        thread.start()
        thread.join()
    assert [float(s) for s in sums] == [15.0]
