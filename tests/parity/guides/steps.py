"""Steps of one's own with a tape: TensorFlow's under Keras, and the library's."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.guides.numbers import data, filled, labels, rounded, total, weights_of


def regression_with_trackers(keras: Any, Tape: Any) -> dict[str, Any]:
    """The loss and a metric kept by the model itself, and listed in `metrics`."""

    class Own(keras.Model):
        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **kwargs)
            self.loss_tracker = keras.metrics.Mean(name="loss")
            self.mae_metric = keras.metrics.MeanAbsoluteError(name="mae")

        @property
        def metrics(self) -> list[Any]:
            return [self.loss_tracker, self.mae_metric]

        def train_step(self, batch: Any) -> dict[str, Any]:
            x, y = batch
            with Tape() as tape:
                y_pred = self(x, training=True)
                loss = keras.losses.mean_squared_error(y, y_pred)
                loss = keras.ops.mean(loss)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            self.loss_tracker.update_state(loss)
            self.mae_metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

        def test_step(self, batch: Any) -> dict[str, Any]:
            x, y = batch
            y_pred = self(x, training=False)
            self.mae_metric.update_state(y, y_pred)
            return {"mae": self.mae_metric.result()}

    inputs = keras.Input((6,))
    hidden = keras.layers.Dense(8, activation="tanh")(inputs)
    model = filled(Own(inputs, keras.layers.Dense(1)(hidden)))
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    x, y = data(24, 6), data(24, 1, seed=1)
    history = model.fit(x, y, epochs=4, batch_size=7, shuffle=False, verbose=0)
    found = model.evaluate(x, y, batch_size=5, verbose=0, return_dict=True)
    return {**rounded(history.history), "test": [float(found["mae"])], "weights": weights_of(model)}


def weighted_step(keras: Any, Tape: Any) -> dict[str, Any]:
    """Sample and class weights reach `compute_loss` and the compiled metrics."""

    class Weighted(keras.Model):
        def train_step(self, batch: Any) -> dict[str, Any]:
            if len(batch) == 3:
                x, y, sample_weight = batch
            else:
                (x, y), sample_weight = batch, None
            with Tape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=y_pred, sample_weight=sample_weight)
            variables = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred, sample_weight=sample_weight)
            return {m.name: m.result() for m in self.metrics}

    inputs = keras.Input((5,))
    model = filled(Weighted(inputs, keras.layers.Dense(3, activation="softmax")(inputs)))
    model.compile(keras.optimizers.SGD(0.3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = data(20, 5), labels(20, 3)
    how = {"epochs": 3, "batch_size": 6, "shuffle": False, "verbose": 0}
    plain = model.fit(x, y, **how).history
    weighted = model.fit(x, y, sample_weight=np.linspace(0, 2, 20), **how).history
    by_class = model.fit(x, y, class_weight={0: 1.0, 1: 3.0, 2: 0.5}, **how).history
    losses = [float(v) for h in (plain, weighted, by_class) for v in h["loss"]]
    return {"loss": losses, "keys": sorted(plain), "weights": weights_of(model)}


def gan(keras: Any, Tape: Any) -> dict[str, Any]:
    """Two optimizers in one step; the noise comes with the data, so that it is the same everywhere."""
    layers, ops = keras.layers, keras.ops

    class GAN(keras.Model):
        def __init__(self, discriminator: Any, generator: Any):
            super().__init__()
            self.discriminator, self.generator = discriminator, generator
            self.d_loss_metric = keras.metrics.Mean(name="d_loss")
            self.g_loss_metric = keras.metrics.Mean(name="g_loss")

        def compile(self, d_optimizer: Any, g_optimizer: Any, loss_fn: Any) -> None:
            super().compile()
            self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

        @property
        def metrics(self) -> list[Any]:
            return [self.d_loss_metric, self.g_loss_metric]

        def train_step(self, batch: Any) -> dict[str, Any]:
            real, noise = batch
            size = ops.shape(real)[0]
            generated = self.generator(noise)
            combined = ops.concatenate([generated, real], axis=0)
            truth = ops.concatenate([ops.ones((size, 1)), ops.zeros((size, 1))], axis=0)
            with Tape() as tape:
                d_loss = self.loss_fn(truth, self.discriminator(combined))
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
            misleading = ops.zeros((size, 1))
            with Tape() as tape:
                g_loss = self.loss_fn(misleading, self.discriminator(self.generator(noise)))
            weights = self.generator.trainable_weights
            self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
            self.d_loss_metric.update_state(d_loss)
            self.g_loss_metric.update_state(g_loss)
            return {"d_loss": self.d_loss_metric.result(), "g_loss": self.g_loss_metric.result()}

    generator = filled(
        keras.Sequential(
            [
                keras.Input((4,)),
                layers.Dense(4 * 4 * 2),
                layers.LeakyReLU(negative_slope=0.2),
                layers.Reshape((4, 4, 2)),
                layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh"),
            ]
        )
    )
    discriminator = filled(
        keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(4, 3, strides=2, padding="same"),
                layers.LeakyReLU(negative_slope=0.2),
                layers.GlobalMaxPooling2D(),
                layers.Dense(1),
            ]
        ),
        8,
    )
    model = GAN(discriminator, generator)
    model.compile(
        d_optimizer=keras.optimizers.Adam(0.003),
        g_optimizer=keras.optimizers.Adam(0.003),
        loss_fn=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    history = model.fit(
        data(20, 8, 8, 1), data(20, 4, seed=3), epochs=3, batch_size=8, shuffle=False, verbose=0
    )
    return {**rounded(history.history), "weights": weights_of(generator) + weights_of(discriminator)}


def vae(keras: Any, Tape: Any) -> dict[str, Any]:
    layers, ops = keras.layers, keras.ops

    class Sampling(layers.Layer):
        def call(self, inputs: Any) -> Any:
            mean, log_var, epsilon = inputs
            return mean + ops.exp(0.5 * log_var) * epsilon

    class VAE(keras.Model):
        def __init__(self, encoder: Any, decoder: Any, **kwargs: Any):
            super().__init__(**kwargs)
            self.encoder, self.decoder = encoder, decoder
            names = ("total_loss", "reconstruction_loss", "kl_loss")
            self.trackers = [keras.metrics.Mean(name=name) for name in names]

        @property
        def metrics(self) -> list[Any]:
            return self.trackers

        def train_step(self, batch: Any) -> dict[str, Any]:
            x, epsilon = batch
            with Tape() as tape:
                mean, log_var, z = self.encoder([x, epsilon])
                pixels = keras.losses.binary_crossentropy(x, self.decoder(z))
                reconstruction = ops.mean(ops.sum(pixels, axis=(1, 2)))
                kl = -0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var))
                kl = ops.mean(ops.sum(kl, axis=1))
                loss = reconstruction + kl
            gradients = tape.gradient(loss, self.trainable_weights)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
            for tracker, value in zip(self.trackers, (loss, reconstruction, kl), strict=True):
                tracker.update_state(value)
            return {"loss": self.trackers[0].result(), "kl_loss": self.trackers[2].result()}

    image, epsilon = keras.Input((8, 8, 1)), keras.Input((2,))
    x = layers.Conv2D(4, 3, activation="relu", strides=2, padding="same")(image)
    x = layers.Dense(6, activation="relu")(layers.Flatten()(x))
    mean, log_var = layers.Dense(2, name="mean")(x), layers.Dense(2, name="log_var")(x)
    encoder = keras.Model([image, epsilon], [mean, log_var, Sampling()([mean, log_var, epsilon])])
    latent = keras.Input((2,))
    x = layers.Reshape((4, 4, 3))(layers.Dense(48, activation="relu")(latent))
    x = layers.Conv2DTranspose(1, 3, activation="sigmoid", strides=2, padding="same")(x)
    model = VAE(filled(encoder), filled(keras.Model(latent, x), 8))
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    pixels = (data(20, 8, 8, 1) > 0).astype("float32")
    history = model.fit(pixels, data(20, 2, seed=5), epochs=4, batch_size=6, shuffle=False, verbose=0)
    return {**rounded(history.history), "weights": weights_of(model.encoder) + weights_of(model.decoder)}


def distillation(keras: Any, Tape: Any) -> dict[str, Any]:
    ops = keras.ops

    class Distiller(keras.Model):
        def __init__(self, student: Any, teacher: Any):
            super().__init__()
            self.teacher, self.student = teacher, student

        def compile(
            self,
            optimizer: Any,
            metrics: Any,
            student_loss_fn: Any,
            distillation_loss_fn: Any,
            alpha: float,
            temperature: float,
        ) -> None:
            super().compile(optimizer=optimizer, metrics=metrics)
            self.student_loss_fn, self.distillation_loss_fn = student_loss_fn, distillation_loss_fn
            self.alpha, self.temperature = alpha, temperature

        def call(self, x: Any, training: bool = False) -> Any:
            return self.student(x, training=training)

        def compute_loss(
            self,
            x: Any = None,
            y: Any = None,
            y_pred: Any = None,
            sample_weight: Any = None,
            training: bool = True,
        ) -> Any:
            softened = ops.softmax(self.teacher(x, training=False) / self.temperature, axis=1)
            distilled = self.distillation_loss_fn(softened, ops.softmax(y_pred / self.temperature, axis=1))
            distilled = distilled * self.temperature**2
            return self.alpha * self.student_loss_fn(y, y_pred) + (1 - self.alpha) * distilled

    def network(width: int, seed: int) -> Any:
        return filled(
            keras.Sequential([keras.Input((6,)), keras.layers.Dense(width, "relu"), keras.layers.Dense(3)]),
            seed,
        )

    teacher, student = network(16, 3), network(4, 4)
    model = Distiller(student, teacher)
    model.compile(
        keras.optimizers.Adam(0.02),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
        student_loss_fn=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        distillation_loss_fn=keras.losses.KLDivergence(),
        alpha=0.3,
        temperature=5,
    )
    teacher.trainable = False
    x, y = data(24, 6), labels(24, 3)
    history = model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0)
    found = model.evaluate(x, y, verbose=0)
    return {**rounded(history.history), "test": total(*found), "weights": weights_of(student)}


def contrastive(keras: Any, Tape: Any) -> dict[str, Any]:
    """Two views of each sample; each must find its other one among all of the batch."""
    ops = keras.ops

    class Contrastive(keras.Model):
        def __init__(self, encoder: Any, head: Any, temperature: float):
            super().__init__()
            self.encoder, self.head, self.temperature = encoder, head, temperature

        def compile(self, contrastive_optimizer: Any, probe_optimizer: Any, **kwargs: Any) -> None:
            super().compile(**kwargs)
            self.contrastive_optimizer, self.probe_optimizer = contrastive_optimizer, probe_optimizer
            self.probe = keras.layers.Dense(3)
            self.probe.build((None, 5))
            filled(self.probe, 9)
            self.c_loss = keras.metrics.Mean(name="c_loss")
            self.c_accuracy = keras.metrics.SparseCategoricalAccuracy(name="c_acc")
            self.p_loss = keras.metrics.Mean(name="p_loss")

        @property
        def metrics(self) -> list[Any]:
            return [self.c_loss, self.c_accuracy, self.p_loss]

        def contrastive_loss(self, a: Any, b: Any) -> Any:
            a, b = ops.normalize(a, axis=1), ops.normalize(b, axis=1)
            similarities = ops.matmul(a, ops.transpose(b)) / self.temperature
            here = ops.arange(ops.shape(a)[0])
            self.c_accuracy.update_state(here, similarities)
            self.c_accuracy.update_state(here, ops.transpose(similarities))
            losses = [
                keras.losses.sparse_categorical_crossentropy(here, s, from_logits=True)
                for s in (similarities, ops.transpose(similarities))
            ]
            return ops.mean(losses[0] + losses[1]) / 2

        def train_step(self, batch: Any) -> dict[str, Any]:
            (first, second), y = batch
            with Tape() as tape:
                views = [self.head(self.encoder(view, training=True)) for view in (first, second)]
                loss = self.contrastive_loss(*views)
            variables = self.encoder.trainable_weights + self.head.trainable_weights
            gradients = tape.gradient(loss, variables)
            self.contrastive_optimizer.apply_gradients(zip(gradients, variables, strict=True))
            self.c_loss.update_state(loss)
            features = self.encoder(first, training=False)
            with Tape() as tape:
                logits = self.probe(features)
                probe_loss = ops.mean(
                    keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
                )
            gradients = tape.gradient(probe_loss, self.probe.trainable_weights)
            self.probe_optimizer.apply_gradients(zip(gradients, self.probe.trainable_weights, strict=True))
            self.p_loss.update_state(probe_loss)
            return {m.name: m.result() for m in self.metrics}

    encoder = filled(keras.Sequential([keras.Input((6,)), keras.layers.Dense(5, "tanh")]))
    head = filled(keras.Sequential([keras.Input((5,)), keras.layers.Dense(4)]), 8)
    model = Contrastive(encoder, head, 0.3)
    model.compile(keras.optimizers.Adam(0.02), keras.optimizers.SGD(0.1))
    first = data(24, 6)
    second = first + 0.2 * data(24, 6, seed=2)
    history = model.fit((first, second), labels(24, 3), epochs=3, batch_size=8, shuffle=False, verbose=0)
    return {**rounded(history.history), "weights": weights_of(encoder) + weights_of(head)}


STEPS = {
    f.__name__: f for f in (regression_with_trackers, weighted_step, gan, vae, distillation, contrastive)
}
