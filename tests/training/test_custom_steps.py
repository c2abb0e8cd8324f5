"""Steps of one's own: train_step, test_step, predict_step with tapes, traced into one compiled step."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops

RNG = np.random.default_rng(3)
X = RNG.normal(size=(50, 6)).astype("float32")
Y = RNG.integers(0, 3, 50)


def network(inputs=6, outputs=3):
    return keras.Sequential(
        [keras.Input((inputs,)), layers.Dense(8, activation="relu"), layers.Dense(outputs)]
    )


def loss_function():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Usual(keras.Model):
    """Keras's guide: the usual step, written out."""

    def train_step(self, data):
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        with keras.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weight)
        slopes = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(slopes, self.trainable_variables, strict=True))
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=ops.shape(x)[0])
            else:
                metric.update_state(y, y_pred, sample_weight=weight)
        return {m.name: m.result() for m in self.metrics}


class WithState(keras.Model):
    """Keras's guide for JAX: a step from state to state."""

    def compute_loss_and_updates(self, trainable, others, x, y):
        y_pred, others = self.stateless_call(trainable, others, x, training=True)
        return self.compute_loss(x, y, y_pred), (y_pred, others)

    def train_step(self, state, data):
        trainable, others, slots, metrics = state
        x, y = data
        gradient = keras.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (loss, (_, others)), slopes = gradient(trainable, others, x, y)
        trainable, slots = self.optimizer.stateless_apply(slots, slopes, trainable)
        return {"loss": loss}, (trainable, others, slots, metrics)


def trained(cls, fit=None, **compile_arguments):
    keras.utils.set_random_seed(1)
    base = network()
    model = cls(base.inputs, base.outputs[0])
    model.compile(optimizer="adam", loss=loss_function(), **compile_arguments)
    history = model.fit(X, Y, batch_size=16, epochs=3, verbose=0, shuffle=False, **(fit or {}))
    return model, history.history


def test_a_step_from_state_to_state():
    model, history = trained(WithState)
    plain, expected = trained(keras.Model)
    assert history["loss"] != expected["loss"]  # it logs the loss of a batch, not the mean of an epoch
    for a, b in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize(
    "fit", [{}, {"sample_weight": np.linspace(0, 2, 50, dtype="float32")}], ids=["", "weights"]
)
def test_the_usual_step_written_out(eager, fit):
    model, history = trained(Usual, fit, run_eagerly=eager)
    plain, expected = trained(keras.Model, fit)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    for a, b in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


class OfKeras2(keras.Model):
    """The usual step as guides of Keras 2 wrote it."""

    def train_step(self, data):
        x, y = data
        with keras.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
        slopes = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(slopes, self.trainable_variables, strict=True))
        self.compiled_metrics.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


def test_a_step_of_keras_2():
    accuracy = {"metrics": ["accuracy"]}
    with pytest.warns(UserWarning, match="deprecated. Instead, use"):
        model, history = trained(OfKeras2, **accuracy)
    plain, expected = trained(keras.Model, **accuracy)
    assert history["accuracy"] == expected["accuracy"]
    for a, b in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


class Tracking(keras.Model):
    """The usual step as those copied out of Keras write it."""

    def train_step(self, data):
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        with keras.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x, y, y_pred, weight)
        self._loss_tracker.update_state(loss, sample_weight=ops.shape(x)[0])
        slopes = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(slopes, self.trainable_weights, strict=True))
        return self.compute_metrics(x, y, y_pred, sample_weight=weight)


@pytest.mark.parametrize("eager", [False, True])
def test_a_step_that_updates_the_mean_loss(eager):
    model, history = trained(Tracking, metrics=["accuracy"], run_eagerly=eager)
    _, expected = trained(keras.Model, metrics=["accuracy"])
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    assert history["accuracy"] == expected["accuracy"] and history.keys() == expected.keys()
    assert model._loss_tracker is model.metrics[0]


def test_a_mean_loss_of_the_models_own():
    class Own(keras.Sequential):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self._loss_tracker = keras.metrics.Mean(name="own")

    model = Own()
    own = model._loss_tracker
    model.compile("sgd", "mse")
    assert model._loss_tracker is not own and [m.name for m in model.metrics] == ["loss", "own"]
    assert keras.Sequential()._loss_tracker is None


def test_it_is_one_program_run_for_a_whole_epoch():
    model, _ = trained(Usual)
    [(_, program)] = [p for k, p in model._training.programs._known.items() if k[0] == "epoch"]
    assert "train" in program.traced.graph.name


def test_train_on_batch_and_evaluate():
    model, _ = trained(Usual)
    first = model.train_on_batch(X[:16], Y[:16])
    assert np.isfinite(first)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(
        float(loss_function()(Y, model.predict(X, verbose=0))), rel=1e-5
    )


class Vae(keras.Model):
    """Keras's variational autoencoder: submodels, a sampling layer, losses without labels."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        inputs = keras.Input((6,))
        h = layers.Dense(8, activation="relu")(inputs)
        mean, log_variance = layers.Dense(2, name="mean")(h), layers.Dense(2, name="log_variance")(h)
        self.encoder = keras.Model(inputs, [mean, log_variance])
        self.decoder = network(2, 6)
        self.seed = keras.random.SeedGenerator(5)
        self.total_loss_tracker = keras.metrics.Mean(name="total_loss")
        self.kl_loss_tracker = keras.metrics.Mean(name="kl_loss")

    @property
    def metrics(self):
        return [self.total_loss_tracker, self.kl_loss_tracker]

    def train_step(self, data):
        with keras.GradientTape() as tape:
            mean, log_variance = self.encoder(data)
            z = mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean), seed=self.seed)
            error = ops.mean(ops.sum(ops.square(data - self.decoder(z)), axis=-1))
            kl = ops.mean(
                ops.sum(-0.5 * (1 + log_variance - ops.square(mean) - ops.exp(log_variance)), axis=1)
            )
            total = error + kl
        slopes = tape.gradient(total, self.trainable_weights)
        self.optimizer.apply_gradients(zip(slopes, self.trainable_weights, strict=True))
        self.total_loss_tracker.update_state(total)
        self.kl_loss_tracker.update_state(kl)
        return {"loss": self.total_loss_tracker.result(), "kl_loss": self.kl_loss_tracker.result()}


def test_vae():
    keras.utils.set_random_seed(0)
    model = Vae()
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    history = model.fit(X, epochs=30, batch_size=25, verbose=0).history
    assert list(history) == ["kl_loss", "loss"]  # sorted, as Keras gives them
    assert history["loss"][-1] < 0.9 * history["loss"][0]


class Gan(keras.Model):
    """Two networks, two optimizers, the second step sees what the first one changed."""

    def __init__(self, discriminator, generator):
        super().__init__()
        self.discriminator, self.generator = discriminator, generator
        self.d_loss_tracker = keras.metrics.Mean(name="d_loss")
        self.g_loss_tracker = keras.metrics.Mean(name="g_loss")
        self.seed_generator = keras.random.SeedGenerator(1337)

    @property
    def metrics(self):
        return [self.d_loss_tracker, self.g_loss_tracker]

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    def train_step(self, real):
        count = ops.shape(real)[0]
        noise = keras.random.normal((count, 4), seed=self.seed_generator)
        labels = ops.concatenate([ops.ones((count, 1)), ops.zeros((count, 1))], axis=0)
        with keras.GradientTape() as tape:
            both = ops.concatenate([self.generator(noise), real], axis=0)
            d_loss = self.loss_fn(labels, self.discriminator(both))
        slopes = tape.gradient(d_loss, self.discriminator.trainable_weights)
        self.d_optimizer.apply_gradients(zip(slopes, self.discriminator.trainable_weights, strict=True))
        with keras.GradientTape() as tape:
            g_loss = self.loss_fn(ops.zeros((count, 1)), self.discriminator(self.generator(noise)))
        slopes = tape.gradient(g_loss, self.generator.trainable_weights)
        self.g_optimizer.apply_gradients(zip(slopes, self.generator.trainable_weights, strict=True))
        self.d_loss_tracker.update_state(d_loss)
        self.g_loss_tracker.update_state(g_loss)
        return {"d_loss": self.d_loss_tracker.result(), "g_loss": self.g_loss_tracker.result()}


def gan(eager):
    keras.utils.set_random_seed(0)
    model = Gan(network(6, 1), network(4, 6))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.01), loss)
    if eager:
        model.run_eagerly = True
    return model, model.fit(X, epochs=2, batch_size=16, verbose=0).history


def test_gan_compiled_is_eager():
    (model, found), (eager, expected) = gan(False), gan(True)
    for name in ("d_loss", "g_loss"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)
    for a, b in zip(model.get_weights(), eager.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


class Penalized(keras.Model):
    """A gradient penalty: the gradient of a gradient."""

    def train_step(self, data):
        x, y = data
        with keras.GradientTape() as outer:
            with keras.GradientTape() as inner:
                inner.watch(x)
                logits = self(x, training=True)
                error = loss_function()(y, logits)
            slope = inner.gradient(ops.sum(ops.square(logits)), x)
            norm = ops.sqrt(ops.sum(ops.square(slope), axis=1) + 1e-6)
            total = error + ops.mean(ops.square(norm - 1.0))
        slopes = outer.gradient(total, self.trainable_variables)
        self.optimizer.apply(slopes, self.trainable_variables)
        return {"loss": total}


def test_gradient_penalty_compiled_is_eager():
    model, history = trained(Penalized)
    other, expected = trained(Penalized, run_eagerly=True)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-4)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


class OwnTests(keras.Model):
    def test_step(self, data):
        x, y = data
        return {"largest": ops.max(self(x, training=False)), "loss": ops.mean(ops.cast(y, "float32"))}

    def predict_step(self, data):
        return ops.softmax(super().predict_step(data))


def test_test_step_and_predict_step():
    model, _ = trained(OwnTests)
    found = model.evaluate(X, Y, batch_size=64, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(Y.mean(), rel=1e-5)
    np.testing.assert_allclose(model.predict(X, verbose=0).sum(axis=1), 1, rtol=1e-5)


def test_a_step_that_gives_no_logs():
    class Silent(keras.Model):
        def train_step(self, data):
            return None

    with pytest.raises(ValueError, match=r"Silent.train_step\(\) must return a dict"):
        trained(Silent)


def test_unconnected_gradients():
    @keras.jit
    def slopes(x):
        with keras.GradientTape() as tape:
            y = ops.sum(x * x)
        none = tape.gradient(y, [keras.ops.zeros((2,)) + x[:2] * 0.0], unconnected_gradients="zero")
        return tape.gradient(y, x), none[0]

    x = np.array([1.0, 2.0, 3.0], "float32")
    found, none = slopes(x)
    np.testing.assert_allclose(found, 2 * x)
    assert none.tolist() == [0, 0]


def test_jit_reads_and_writes_variables():
    v = keras.Variable(np.zeros((), "float32"))

    @keras.jit
    def count(x, scale=2.0):
        v.assign_add(ops.sum(x) * scale)
        return {"v": v.value, "x": [x + 1, None]}

    x = np.ones(3, "float32")
    assert float(count(x)["v"]) == 6
    assert float(count(x, scale=1.0)["v"]) == 9
    assert count(x[:2], scale=1.0)["x"][0].tolist() == [2, 2]
    assert float(v.numpy()) == 11


def test_value_and_grad_of_several_arguments():
    def f(a, b):
        return ops.sum(a["x"] * b), {"aux": a["x"] + 1}

    a, b = {"x": np.float32([1, 2])}, np.float32([3, 4])
    (value, aux), (da, db) = keras.value_and_grad(f, argnums=(0, 1), has_aux=True)(a, b)
    assert float(value) == 11
    np.testing.assert_array_equal(aux["aux"], [2, 3])
    np.testing.assert_array_equal(da["x"], b)
    np.testing.assert_array_equal(db, a["x"])


def test_the_value_must_be_one_float():
    with pytest.raises(TypeError, match="one float"):
        keras.value_and_grad(lambda x: x * 2)(np.float32([1, 2]))


def test_arguments_that_are_one_tensor_have_gradients_of_their_own():
    both = keras.jit(lambda x: keras.grad(lambda a, b: a * b * b, (0, 1))(x, x))
    assert [float(g) for g in both(np.float32(3))] == [9, 18]
    nested = keras.jit(lambda z: keras.grad(lambda a: a * keras.grad(lambda y: a * y)(z))(z))
    assert float(nested(np.float32(3))) == 6


def test_variables_of_one_value_have_gradients_of_their_own():
    v, w = keras.Variable(np.float32(0)), keras.Variable(np.float32(0))

    @keras.jit
    def slopes(x):
        v.assign(x)
        w.assign(x)
        with keras.GradientTape() as tape:
            y = v * w * w
        return tape.gradient(y, [v, w])

    assert [float(g) for g in slopes(np.float32(2))] == [4, 8]


def test_comparing_a_variable_in_a_trace():
    v = keras.Variable(np.float32([0, 1, 0]))
    found = keras.jit(lambda x: ops.where(v == 0, x, -x))(np.float32([1, 2, 3]))
    assert found.tolist() == [1, -2, 3]
    assert v in [v] and len({v, v}) == 1


def test_a_tape_does_not_look_into_the_step_before_it():
    """A variable that was assigned is a number to the next tape, whatever it was computed from."""
    v, w = keras.Variable(np.float32(3)), keras.Variable(np.float32(2))

    @keras.jit
    def slopes():
        with keras.GradientTape() as tape:
            y = v * v * w
        v.assign(v - tape.gradient(y, v))  # 3 - 12, and depends on w
        with keras.GradientTape() as tape:
            y = v * w
        of_v, of_w = tape.gradient(y, v), tape.gradient(y, w)
        with keras.GradientTape() as outer:
            with keras.GradientTape() as inner:
                y = v * v * v * w
            slope = inner.gradient(y, v)
        return of_v, of_w, outer.gradient(slope, v)

    assert [float(g) for g in slopes()] == [2, -9, 6 * -9 * 2]


@pytest.mark.parametrize("eager", [False, True])
def test_two_steps_in_one_are_two_steps(eager):
    """The generator's step after the discriminator's, in one `train_step`, and each by itself."""

    class Alternating(Gan):
        turns = (0, 1)

        def train_step(self, real):
            noise = real[:, :4]
            for turn in self.turns:
                net, optimizer = ((self.discriminator, self.d_optimizer), (self.generator, self.g_optimizer))[
                    turn
                ]
                with keras.GradientTape() as tape:
                    made, real_logits = self.discriminator(self.generator(noise)), self.discriminator(real)
                    loss = ops.mean(made) if turn else ops.mean(ops.square(made) + real_logits)
                optimizer.apply(tape.gradient(loss, net.trainable_weights), net.trainable_weights)
            return {"loss": loss}

    def after(turns, weights=None):
        keras.utils.set_random_seed(0)
        model = Alternating(network(6, 1), network(4, 6))
        model.turns = turns
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), None)
        model.run_eagerly = eager
        if weights is not None:
            model.set_weights(weights)
        model.train_on_batch(X[:16])
        return model.get_weights()

    for a, b in zip(after((0, 1)), after((1,), after((0,))), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


class Uncompiled(keras.Model):
    """A model with a rule of its own: no optimizer, no loss, and no word in files on how it is compiled."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data
        with keras.GradientTape() as tape:
            loss = ops.mean(ops.square(self(x) - y))
        for variable, slope in zip(
            self.trainable_variables, tape.gradient(loss, self.trainable_variables), strict=True
        ):
            variable.assign_sub(0.1 * slope)
        return {"loss": loss}

    def get_compile_config(self):
        return None


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_a_step_that_needs_no_optimizer(run_eagerly, tmp_path):
    rows = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
    model = Uncompiled()
    model.compile(optimizer=None, run_eagerly=run_eagerly)
    losses = model.fit(rows, rows.sum(1, keepdims=True), epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.2 * losses[0]
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", custom_objects={"Uncompiled": Uncompiled})
    assert not loaded.compiled
    np.testing.assert_array_equal(loaded.predict(rows, verbose=0), model.predict(rows, verbose=0))


def test_the_default_step_needs_an_optimizer():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile(optimizer=None, loss="mse")
    with pytest.raises(ValueError, match="needs an optimizer"):
        model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
