"""A variational autoencoder with a `train_step` of its own: digits from eight numbers each.

    python examples/variational_autoencoder.py          # 20 epochs, half a minute: ELBO -116 nats
    python examples/variational_autoencoder.py --short  # two epochs on fewer images

The encoder gives a normal distribution for every image, the decoder draws an image from every point. Both
learn by the evidence lower bound (ELBO): how well an image comes back, less how much its distribution
tells. `fit` traces `train_step` once, tape and all, into one compiled program.

The images, a part of MNIST, come with kcompile. With `import keras` in place of the first import of
kcompile this runs on Keras, too (on its TensorFlow backend, whose tape it takes then). After Kingma and
Welling, "Auto-Encoding Variational Bayes", 2013.
"""

import argparse

import numpy as np

import kcompile as keras
from kcompile.datasets.mnist import load_subset

if keras.backend.backend() == "tensorflow":
    from tensorflow import GradientTape
else:
    from kcompile import GradientTape

layers, ops = keras.layers, keras.ops

LATENT = 8
ENOUGH = -120.0  # nats: the ELBO that the full form must reach


class VariationalAutoencoder(keras.Model):
    """An encoder to means and logarithms of variances, and a decoder from points to logits of pixels."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.seeds = keras.random.SeedGenerator()
        self.elbo = keras.metrics.Mean(name="elbo")
        self.error = keras.metrics.Mean(name="reconstruction_error")
        self.divergence = keras.metrics.Mean(name="kl_divergence")

    @property
    def metrics(self):  # what Keras sets to zero before every epoch
        return [self.elbo, self.error, self.divergence]

    def call(self, images):
        """Images as the middles of their distributions give them back."""
        mean, _ = self.encoder(images)
        return ops.sigmoid(self.decoder(mean))

    def measure(self, images):
        """ELBOs of the images (n,), in nats; the metrics take note."""
        mean, log_variance = self.encoder(images)
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        logits = self.decoder(mean + ops.exp(0.5 * log_variance) * noise)
        error = ops.sum(ops.binary_crossentropy(images, logits, from_logits=True), axis=(1, 2, 3))
        divergence = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1.0, axis=1)
        for metric, values in zip(self.metrics, (-error - divergence, error, divergence), strict=True):
            metric.update_state(values)
        return -error - divergence

    def train_step(self, images):
        with GradientTape() as tape:
            loss = -ops.mean(self.measure(images))
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return self.get_metrics_result()

    def test_step(self, images):
        self.measure(images)
        return self.get_metrics_result()


def build_encoder():
    images = keras.Input((28, 28, 1))
    x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(images)
    x = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(128, activation="relu")(x)
    outputs = [layers.Dense(LATENT, name="mean")(x), layers.Dense(LATENT, name="log_variance")(x)]
    return keras.Model(images, outputs, name="encoder")


def build_decoder():
    return keras.Sequential(
        [
            keras.Input((LATENT,)),
            layers.Dense(128, activation="relu"),
            layers.Dense(7 * 7 * 32, activation="relu"),
            layers.Reshape((7, 7, 32)),
            layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(1, 3, padding="same"),
        ],
        name="decoder",
    )


def show(images):
    """Images side by side, every second line of theirs, in characters."""
    for line in np.concatenate(list(images[:, ::2, :, 0]), axis=1):
        print("".join(" .:-=+*#%@"[int(9.99 * value)] for value in line))


def main():
    parser = argparse.ArgumentParser(description="Train a variational autoencoder on handwritten digits.")
    parser.add_argument("--short", action="store_true", help="a few seconds, a worse model")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)

    (x_train, _), (x_test, _) = load_subset()
    x_train, x_test = (x[..., None].astype("float32") / 255 for x in (x_train, x_test))
    if options.short:
        x_train = x_train[:2000]

    model = VariationalAutoencoder(build_encoder(), build_decoder())
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    model.fit(x_train, batch_size=100, epochs=2 if options.short else 20, verbose=2)

    print("Four test images, what became of them, and four from random points:")
    show(x_test[:4])
    show(model.predict(x_test[:4], verbose=0))
    points = np.random.default_rng(options.seed).normal(size=(4, LATENT)).astype("float32")
    show(ops.convert_to_numpy(ops.sigmoid(model.decoder(points))))
    results = model.evaluate(x_test, verbose=0, return_dict=True)
    for name, value in results.items():
        print(f"Test {name}: {value:.2f} nats")
    if not options.short and not results["elbo"] >= ENOUGH:
        raise SystemExit(f"The test ELBO is below {ENOUGH} nats.")


if __name__ == "__main__":
    main()
