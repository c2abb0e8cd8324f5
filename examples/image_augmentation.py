"""Image classification with augmentation: learning to read digits from 1,000 examples.

    python examples/image_augmentation.py          # 160 epochs, half a minute: 97% (and 95% without)
    python examples/image_augmentation.py --short  # 10 epochs of 500 images

So few images are soon known by heart. Layers that turn, move and zoom them stand at the front of the
model: they are compiled together with it, draw anew for every image of every step, and do nothing in
`evaluate` and `predict`. The network is trained without them and with them, so that one sees what they
are good for.

The images, a part of MNIST, come with kcompile. With `import keras` in place of the first import of
kcompile this runs on Keras, too.
"""

import argparse

import kcompile as keras
from kcompile.datasets.mnist import load_subset

layers = keras.layers

ENOUGH = 0.955  # the accuracy that the full form must reach with augmentation


def load_digits(images):
    """Grey bytes (n, 28, 28, 1) and their labels: the first `images` to learn from, 2,000 to test with."""
    (x_train, y_train), (x_test, y_test) = load_subset()
    return (x_train[:images, ..., None], y_train[:images]), (x_test[..., None], y_test)


def augmentation():
    """What may be done to a digit so that it stays what it is. (In a mirror it does not: no `RandomFlip`.)"""
    return keras.Sequential(
        [
            layers.RandomRotation(0.03, fill_mode="constant"),  # 0.03 of a full turn: 11 degrees
            layers.RandomTranslation(0.08, 0.08, fill_mode="constant"),
            layers.RandomZoom(0.1, fill_mode="constant"),
        ],
        name="augmentation",
    )


def build_model(augmented):
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            *([augmentation()] if augmented else []),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def train(model, data, epochs, batch_size=50):
    """Adam with a learning rate that falls to zero along half a cosine."""
    steps = epochs * len(data[0]) // batch_size
    rate = keras.optimizers.schedules.CosineDecay(2e-3, decay_steps=steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*data, batch_size=batch_size, epochs=epochs, verbose=2)


def main():
    parser = argparse.ArgumentParser(description="Learn to read digits from few images, with augmentation.")
    parser.add_argument("--short", action="store_true", help="a few seconds, a lower accuracy")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    images, epochs = (500, 10) if options.short else (1000, 160)
    digits, test = load_digits(images)

    accuracies = []
    for augmented in (False, True):
        keras.utils.set_random_seed(options.seed)
        model = build_model(augmented)
        train(model, digits, epochs)
        accuracies.append(model.evaluate(*test, verbose=0)[1])
    model.summary()
    print(f"Test accuracy without augmentation: {accuracies[0]:.4f}\nTest accuracy: {accuracies[1]:.4f}")
    if not options.short and not accuracies[1] >= ENOUGH:
        raise SystemExit(f"The test accuracy is below {ENOUGH}.")


if __name__ == "__main__":
    main()
