"""A conditional GAN with a `train_step` of its own: writing the digit that one asks for.

    python examples/gan.py          # 12 epochs, some 15 seconds: the judge reads 96 to 98%
    python examples/gan.py --short  # 5 epochs of 3,000 images

A generator makes images from noise and a digit; a discriminator tells real from made, given the digit;
each learns from the other. Two tapes and two optimizers stand in one `train_step`, which `fit` traces
once into one compiled program. How good the images are, a judge tells: a classifier that has seen real
digits only, and reads in them what was asked for, or does not.

The images, a part of MNIST, come with kcompile. With `import keras` in place of the first import of
kcompile this runs on Keras, too (on its TensorFlow backend, whose tape it takes then). After Mirza and
Osindero, "Conditional Generative Adversarial Nets", 2014, and, for how the discriminator uses the digit,
Miyato and Koyama, "cGANs with Projection Discriminator", 2018.
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

NOISE, DIGITS = 32, 10
ENOUGH = 0.94  # the share of made digits that the judge must read in the full form


def build_generator():
    noise, digit = keras.Input((NOISE,)), keras.Input((DIGITS,))
    x = layers.Concatenate()([noise, digit])
    x = layers.Dense(7 * 7 * 32, use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.LeakyReLU(0.2)(x)
    x = layers.Reshape((7, 7, 32))(x)
    x = layers.Conv2DTranspose(16, 4, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.LeakyReLU(0.2)(x)
    x = layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid")(x)
    return keras.Model([noise, digit], x, name="generator")


def build_discriminator():
    image, digit = keras.Input((28, 28, 1)), keras.Input((DIGITS,))
    x = layers.Conv2D(16, 4, strides=2, padding="same")(image)
    x = layers.LeakyReLU(0.2)(x)
    x = layers.Conv2D(32, 4, strides=2, padding="same")(x)
    x = layers.LeakyReLU(0.2)(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.3)(x)
    x = layers.Dense(64)(x)
    x = layers.LeakyReLU(0.2)(x)
    of_digit = layers.Dot(axes=1)([x, layers.Dense(64, use_bias=False)(digit)])  # does x speak for the digit?
    logit = layers.Add()([layers.Dense(1)(x), of_digit])
    return keras.Model([image, digit], logit, name="discriminator")


class ConditionalGAN(keras.Model):
    """A generator and a discriminator that learn in turns."""

    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.seeds = keras.random.SeedGenerator()
        self.generator_loss = keras.metrics.Mean(name="generator_loss")
        self.discriminator_loss = keras.metrics.Mean(name="discriminator_loss")

    def compile(self, generator_optimizer, discriminator_optimizer):
        super().compile()
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.loss_of = keras.losses.BinaryCrossentropy(from_logits=True)

    @property
    def metrics(self):
        return [self.generator_loss, self.discriminator_loss]

    def call(self, inputs):
        return self.generator(inputs)

    def train_step(self, data):
        images, digits = data
        noise = keras.random.normal((ops.shape(images)[0], NOISE), seed=self.seeds)

        with GradientTape() as tape:  # the discriminator learns to give 1 to real images, 0 to made ones
            made = self.generator([noise, digits], training=True)
            real = self.discriminator([images, digits], training=True)
            fake = self.discriminator([made, digits], training=True)
            loss = self.loss_of(ops.full_like(real, 0.9), real) + self.loss_of(ops.zeros_like(fake), fake)
        weights = self.discriminator.trainable_weights
        self.discriminator_optimizer.apply(tape.gradient(loss, weights), weights)
        self.discriminator_loss.update_state(loss)

        with GradientTape() as tape:  # and the generator, to make images that get 1 from what it is by now
            made = self.generator([noise, digits], training=True)
            fake = self.discriminator([made, digits], training=True)
            loss = self.loss_of(ops.ones_like(fake), fake)
        weights = self.generator.trainable_weights
        self.generator_optimizer.apply(tape.gradient(loss, weights), weights)
        self.generator_loss.update_state(loss)
        return self.get_metrics_result()


def train_judge(images, labels, epochs):
    """A classifier of real digits."""
    judge = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(DIGITS, activation="softmax"),
        ],
        name="judge",
    )
    judge.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    judge.fit(images, labels, batch_size=64, epochs=epochs, verbose=2)
    return judge


def show(images):
    """Images side by side, every second line of theirs, in characters."""
    for line in np.concatenate(list(images[:, ::2, :, 0]), axis=1):
        print("".join(" .:-=+*#%@"[int(9.99 * value)] for value in line))


def main():
    parser = argparse.ArgumentParser(description="Train a conditional GAN on handwritten digits.")
    parser.add_argument("--short", action="store_true", help="a few seconds, worse images")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)

    (x_train, y_train), (x_test, y_test) = load_subset()
    x_train, x_test = (x[..., None].astype("float32") / 255 for x in (x_train, x_test))
    y_train, y_test = (keras.utils.to_categorical(y, DIGITS) for y in (y_train, y_test))
    if options.short:
        x_train, y_train = x_train[:3000], y_train[:3000]

    gan = ConditionalGAN(build_generator(), build_discriminator())
    gan.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), keras.optimizers.Adam(5e-4, beta_1=0.5))
    gan.fit(x_train, y_train, batch_size=32, epochs=5 if options.short else 12, verbose=2)

    wanted = np.arange(1000) % DIGITS
    noise = np.random.default_rng(options.seed).normal(size=(len(wanted), NOISE)).astype("float32")
    made = gan.predict([noise, np.eye(DIGITS, dtype="float32")[wanted]], verbose=0)
    show(made[:5])
    show(made[5:10])

    judge = train_judge(x_train, y_train, epochs=3)
    print(f"Test accuracy of the judge on real digits: {judge.evaluate(x_test, y_test, verbose=0)[1]:.4f}")
    read = judge.predict(made, verbose=0).argmax(axis=1)
    accuracy = (read == wanted).mean()
    print(f"Test accuracy of made digits: {accuracy:.4f}")
    if not options.short and not accuracy >= ENOUGH:
        raise SystemExit(f"The accuracy of made digits is below {ENOUGH}.")


if __name__ == "__main__":
    main()
