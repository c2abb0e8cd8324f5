"""Tapes inside of tapes, and training loops of one's own."""

from __future__ import annotations

from typing import Any

from tests.parity.guides.numbers import data, filled, labels, rounded, total, weights_of


def wgan_gp(keras: Any, Tape: Any) -> dict[str, Any]:
    """The penalty is of the discriminator's gradient: its own gradient is a second derivative."""
    ops = keras.ops

    class WGAN(keras.Model):
        def __init__(self, discriminator: Any, generator: Any, weight: float):
            super().__init__()
            self.discriminator, self.generator, self.weight = discriminator, generator, weight

        def compile(self, d_optimizer: Any, g_optimizer: Any, d_loss_fn: Any, g_loss_fn: Any) -> None:
            super().compile()
            self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer
            self.d_loss_fn, self.g_loss_fn = d_loss_fn, g_loss_fn

        def gradient_penalty(self, real: Any, fake: Any, alpha: Any) -> Any:
            between = real + ops.reshape(alpha, (-1, 1, 1, 1)) * (fake - real)
            with Tape() as tape:
                tape.watch(between)
                predicted = self.discriminator(between, training=True)
            gradients = tape.gradient(predicted, [between])[0]
            norms = ops.sqrt(ops.sum(ops.square(gradients), axis=[1, 2, 3]) + 1e-12)
            return ops.mean((norms - 1.0) ** 2)

        def train_step(self, batch: Any) -> dict[str, Any]:
            (real, noise), alpha = batch
            for _ in range(2):
                with Tape() as tape:
                    fake = self.generator(noise, training=True)
                    cost = self.d_loss_fn(
                        self.discriminator(real, training=True), self.discriminator(fake, training=True)
                    )
                    d_loss = cost + self.gradient_penalty(real, fake, alpha) * self.weight
                weights = self.discriminator.trainable_variables
                self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
            with Tape() as tape:
                fake = self.generator(noise, training=True)
                g_loss = self.g_loss_fn(self.discriminator(fake, training=True))
            weights = self.generator.trainable_variables
            self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
            return {"d_loss": d_loss, "g_loss": g_loss}

    layers = keras.layers
    generator = filled(
        keras.Sequential(
            [
                keras.Input((3,)),
                layers.Dense(18, use_bias=False),
                layers.LeakyReLU(negative_slope=0.2),
                layers.Reshape((3, 3, 2)),
                layers.UpSampling2D(2),
                layers.Conv2D(1, 3, padding="same", activation="tanh"),
            ]
        )
    )
    discriminator = filled(
        keras.Sequential(
            [
                keras.Input((6, 6, 1)),
                layers.Conv2D(3, 3, strides=2, padding="same"),
                layers.LeakyReLU(negative_slope=0.2),
                layers.Flatten(),
                layers.Dense(4, activation="softplus"),
                layers.Dense(1),
            ]
        ),
        8,
    )
    model = WGAN(discriminator, generator, 10.0)
    model.compile(
        keras.optimizers.Adam(0.002, beta_1=0.5, beta_2=0.9),
        keras.optimizers.Adam(0.002, beta_1=0.5, beta_2=0.9),
        d_loss_fn=lambda real, fake: ops.mean(fake) - ops.mean(real),
        g_loss_fn=lambda fake: -ops.mean(fake),
    )
    alpha = abs(data(12, seed=4)) % 1
    inputs = (data(12, 6, 6, 1), data(12, 3, seed=3))
    history = model.fit(inputs, alpha, epochs=4, batch_size=4, shuffle=False, verbose=0)
    return {**rounded(history.history), "weights": weights_of(generator) + weights_of(discriminator)}


def loop_of_ones_own(keras: Any, Tape: Any) -> dict[str, Any]:
    """No `fit`: batches, a tape, an optimizer and metrics, step by step, with losses that layers add."""

    class Activity(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            self.add_loss(1e-2 * keras.ops.sum(keras.ops.square(x)))
            return x

    inputs = keras.Input((7,), name="digits")
    x = Activity()(keras.layers.Dense(8, activation="relu", name="dense_1")(inputs))
    outputs = keras.layers.Dense(3, name="predictions")(x)
    model = filled(keras.Model(inputs, outputs))
    optimizer = keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.8))
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    train_metric = keras.metrics.SparseCategoricalAccuracy()
    val_metric = keras.metrics.SparseCategoricalAccuracy()
    x, y = data(22, 7), labels(22, 3)
    losses, accuracies, added = [], [], []
    for _ in range(3):
        for start in range(0, 16, 6):
            xb, yb = x[start : min(start + 6, 16)], y[start : min(start + 6, 16)]
            with Tape() as tape:
                logits = model(xb, training=True)
                loss = loss_fn(yb, logits)
                loss = loss + sum(model.losses)
            gradients = tape.gradient(loss, model.trainable_weights)
            optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
            train_metric.update_state(yb, logits)
            losses.append(float(loss))
            added.append(len(model.losses))
        accuracies.append(float(train_metric.result()))
        train_metric.reset_state()
        val_metric.update_state(y[16:], model(x[16:], training=False))
        accuracies.append(float(val_metric.result()))
        val_metric.reset_state()
    return {
        "loss": losses,
        "accuracy": accuracies,
        "added": added,
        "weights": weights_of(model),
        "iterations": int(optimizer.iterations),
    }


def derivatives(keras: Any, Tape: Any) -> dict[str, Any]:
    """Persistent and nested tapes, sources of several kinds, and what no path leads to."""
    ops = keras.ops
    v, w = keras.Variable([1.0, -2.0, 0.5]), keras.Variable([[0.3, 0.1, -0.4]])
    x = ops.convert_to_tensor(data(2, 3))
    with Tape() as outer, Tape() as inner:
        y = ops.sum(ops.tanh(v * x) * w) + ops.sum(v**3)
        first = inner.gradient(y, v)
    second = outer.gradient(first, v)
    with Tape(persistent=True) as tape:
        tape.watch(x)
        z = ops.exp(x * v) + ops.matmul(x, ops.transpose(w))
        s = ops.sum(z)
    by_x, by = tape.gradient(s, x), tape.gradient(z, {"v": v, "w": w})
    del tape
    with Tape() as tape:
        y = ops.sum(ops.square(v))
    none = tape.gradient(y, [v, w])
    with Tape(watch_accessed_variables=False) as tape:
        tape.watch(w.value)
        y = ops.sum(v * w)
    unwatched = tape.gradient(y, [v, w])
    with Tape() as tape:
        with tape.stop_recording():
            hidden = ops.sum(v**2)
        y = ops.sum(v**2) * ops.stop_gradient(hidden)
    return {
        "first": total(first),
        "second": total(second),
        "x": total(by_x),
        "v, w": total(by["v"], by["w"]),
        "none": [none[1] is None, unwatched[0] is None],
        "rest": total(none[0], unwatched[1]),
        "unrecorded": total(tape.gradient(y, v)),
    }


PENALTIES = {f.__name__: f for f in (wgan_gp, loop_of_ones_own, derivatives)}
