"""Transfer learning: a network that knows the digits 0 to 4 learns 5 to 9 from five images of each.

    python examples/transfer_learning.py          # seconds: 76 to 80% (without the file 65 to 75%)
    python examples/transfer_learning.py --short  # fewer epochs

The file pretrained_digits.keras was written by real Keras (pretrained_digits.py). Its body is frozen and
gets a new head; when the head has learned, everything is tuned with a small learning rate. The same
network from random weights has the same images to learn from, for comparison.

The images, a part of MNIST, come with kcompile. With `import keras` in place of the first import of
kcompile this runs on Keras, too.
"""

import argparse
from pathlib import Path

import numpy as np

import kcompile as keras
from kcompile.datasets.mnist import load_subset

layers = keras.layers

PRETRAINED = Path(__file__).with_name("pretrained_digits.keras")
ENOUGH = 0.72  # the accuracy that the full form must reach


def load_digits(of_each):
    """Images of 5 to 9, labels 0 to 4: `of_each` images of each digit to learn from, 1,000 to test with."""
    (x_train, y_train), (x_test, y_test) = load_subset()
    few = np.concatenate([np.flatnonzero(y_train == digit)[:of_each] for digit in range(5, 10)])
    test = y_test >= 5
    return (x_train[few, ..., None], y_train[few] - 5), (x_test[test, ..., None], y_test[test] - 5)


def with_new_head(body):
    """The body and a head that knows nothing yet.

    `training=False`: batch normalization uses the means and variances of the file, also while its weights are
    tuned; those of a few images would spoil what the body knows.
    """
    inputs = keras.Input((28, 28, 1))
    x = body(inputs, training=False)
    x = layers.Dropout(0.5)(x)
    return keras.Model(inputs, layers.Dense(5, activation="softmax")(x))


def train(model, digits, epochs, rate):
    # Compiling anew is what lets a change of `trainable` take effect.
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*digits, batch_size=25, epochs=epochs, verbose=0)


def main():
    parser = argparse.ArgumentParser(description="Learn five digits from a network that knows five others.")
    parser.add_argument("--short", action="store_true", help="fewer epochs, a lower accuracy")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    epochs = 60 if options.short else 100
    digits, test = load_digits(of_each=5)

    pretrained = keras.models.load_model(PRETRAINED)
    pretrained.summary()
    body = pretrained.get_layer("body")
    model = with_new_head(body)

    body.trainable = False
    train(model, digits, epochs, rate=1e-3)
    print(f"Test accuracy with a new head: {model.evaluate(*test, verbose=0)[1]:.4f}")

    body.trainable = True
    train(model, digits, epochs, rate=3e-4)
    tuned = model.evaluate(*test, verbose=0)[1]

    scratch = keras.models.clone_model(pretrained)
    train(scratch, digits, 2 * epochs, rate=1e-3)
    print(f"Test accuracy from random weights: {scratch.evaluate(*test, verbose=0)[1]:.4f}")
    print(f"Test accuracy: {tuned:.4f}")
    if not options.short and not tuned >= ENOUGH:
        raise SystemExit(f"The test accuracy is below {ENOUGH}.")


if __name__ == "__main__":
    main()
