"""How pretrained_digits.keras was made, with real Keras: a network that tells the digits 0 to 4 apart.

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
augmented = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.RandomRotation(0.03, fill_mode="constant"),
        layers.RandomTranslation(0.08, 0.08, fill_mode="constant"),
        layers.RandomZoom(0.1, fill_mode="constant"),
        model,
    ]
)
augmented.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
augmented.fit(x_train[train, ..., None], y_train[train], batch_size=64, epochs=10, verbose=2)
print("Test accuracy:", augmented.evaluate(x_test[test, ..., None], y_test[test], verbose=0)[1])

model.save(Path(__file__).with_suffix(".keras"))
