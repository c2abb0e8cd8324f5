"""Made pretrained_digits.keras, with real Keras: a network that tells the digits 0 to 4 from each other.

    KERAS_BACKEND=jax python examples/pretrained_digits.py

transfer_learning.py starts from that file.
"""

from pathlib import Path

import keras
from keras import layers

from kcompile.datasets.mnist import load_subset


def convolution(filters):
    return [
        layers.Conv2D(filters, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.Activation("relu"),
        layers.MaxPooling2D(),
    ]


keras.utils.set_random_seed(0)
(x_train, y_train), (x_test, y_test) = load_subset()
train, test = y_train < 5, y_test < 5

body = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Rescaling(1 / 255),
        *convolution(16),
        *convolution(32),
        *convolution(64),
        layers.Flatten(),
    ],
    name="body",
)
model = keras.Sequential(
    [body, layers.Dropout(0.5, name="dropout"), layers.Dense(5, activation="softmax", name="head")],
    name="digits_0_to_4",
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train[train, ..., None], y_train[train], batch_size=64, epochs=10, verbose=2)
print("Test accuracy:", model.evaluate(x_test[test, ..., None], y_test[test], verbose=0)[1])

# Without the optimizer's state, which nobody needs who only builds on the weights.
bare = keras.Sequential(model.layers, name=model.name)
bare.save(Path(__file__).with_suffix(".keras"))
