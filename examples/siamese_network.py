"""A siamese network with contrastive loss: are two handwritten digits the same?

    python examples/siamese_network.py          # 10 epochs, some 10 seconds: 96.5% of pairs
    python examples/siamese_network.py --short  # two epochs of fewer pairs

One encoder looks at both images and makes each a point in a space of 16 dimensions; the loss pulls points
of the same digit together and pushes others apart. At the end the distances alone, to one example of each
digit, tell which digit an image shows.

The images, a part of MNIST, come with kcompile. With `import keras` in place of the first import of
kcompile this runs on Keras, too. The loss is that of Hadsell, Chopra and LeCun, "Dimensionality Reduction
by Learning an Invariant Mapping", 2006.
"""

import argparse

import numpy as np

import kcompile as keras
from kcompile.datasets.mnist import load_subset

layers, ops = keras.layers, keras.ops

MARGIN = 1.0
ENOUGH = 0.95  # the accuracy of pairs that the full form must reach


def make_pairs(images, labels, count, rng):
    """`count` pairs of images (n, 28, 28, 1), every second one of equal digits; 1 for these, or 0 (n, 1)."""
    of_digit = [np.flatnonzero(labels == digit) for digit in range(10)]
    same = np.arange(count) % 2
    left = rng.integers(len(images), size=count)
    digits = (labels[left] + (1 - same) * rng.integers(1, 10, size=count)) % 10
    right = [rng.choice(of_digit[digit]) for digit in digits]
    return {"left": images[left], "right": images[right]}, same[:, None].astype("float32")


class Distance(layers.Layer):
    """The Euclidean distance of the rows of two matrices: (n, d), (n, d) -> (n, 1)."""

    def call(self, a, b):
        squares = ops.sum(ops.square(a - b), axis=1, keepdims=True)
        return ops.sqrt(ops.maximum(squares, keras.config.epsilon()))  # the root's slope at 0 is infinite


def contrastive_loss(same, distance):
    """Squared distances of equal digits; of others, what they lack of the margin, squared."""
    lacking = ops.maximum(MARGIN - distance, 0.0)
    return same * ops.square(distance) + (1.0 - same) * ops.square(lacking)


def accuracy(same, distance):
    """Do distances below half the margin stand for equal digits?"""
    return ops.equal(same, ops.cast(distance < MARGIN / 2, same.dtype))


def build_encoder():
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(64, activation="relu"),
            layers.Dense(16),
        ],
        name="encoder",
    )


def build_model(encoder):
    left, right = (keras.Input((28, 28, 1), name=name) for name in ("left", "right"))
    distance = Distance(name="distance")(encoder(left), encoder(right))  # one encoder, the same weights
    return keras.Model({"left": left, "right": right}, distance, name="siamese")


def main():
    parser = argparse.ArgumentParser(description="Learn whether two images show the same digit.")
    parser.add_argument("--short", action="store_true", help="a few seconds, a lower accuracy")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    rng = np.random.default_rng(options.seed)

    (x_train, y_train), (x_test, y_test) = load_subset()
    x_train, x_test = x_train[..., None], x_test[..., None]
    pairs, same = make_pairs(x_train, y_train, 4_000 if options.short else 20_000, rng)

    encoder = build_encoder()
    model = build_model(encoder)
    model.summary()
    model.compile("adam", contrastive_loss, metrics=[accuracy])
    model.fit(pairs, same, batch_size=100, epochs=2 if options.short else 10, verbose=2)
    _, of_pairs = model.evaluate(*make_pairs(x_test, y_test, 4_000, rng), verbose=0)

    # One training image of each digit is all that is needed to name digits by.
    known = [rng.choice(np.flatnonzero(y_train == digit)) for digit in range(10)]
    codes, references = encoder.predict(x_test, verbose=0), encoder.predict(x_train[known], verbose=0)
    distances = np.linalg.norm(codes[:, None] - references, axis=-1)  # (images, digits)
    print(f"Test accuracy by one example of each digit: {(distances.argmin(axis=1) == y_test).mean():.4f}")
    print(f"Test accuracy of pairs: {of_pairs:.4f}")
    if not options.short and not of_pairs >= ENOUGH:
        raise SystemExit(f"The test accuracy of pairs is below {ENOUGH}.")


if __name__ == "__main__":
    main()
