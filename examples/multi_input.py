"""Several inputs and outputs: a network calculates with handwritten digits, never told what they show.

    python examples/multi_input.py          # half a minute: 97% of the results are right
    python examples/multi_input.py --short  # fewer tasks

The images are scikit-learn's 1,797 digits of 8 x 8 pixels, so nothing is downloaded. A task is an image, one
of the signs + - x, and another image. Known are its result, and whether that is even. One shared network
reads both images. Tasks of the test have images of their own. Only the import differs from Keras.
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits

import kcompile as keras

layers = keras.layers

SIGNS = "+-x"
LOWEST, HIGHEST = -9, 81  # of all results
ENOUGH = 0.95  # the accuracy of results that the full form must reach


def make_tasks(images, digits, count, rng):
    """`count` random tasks as a dict of inputs and a dict of targets."""
    left, right = rng.integers(len(images), size=(2, count))
    sign = rng.integers(len(SIGNS), size=count)
    a, b = digits[left], digits[right]
    result = np.choose(sign, [a + b, a - b, a * b])
    inputs = {"left": images[left], "sign": sign.astype("int32"), "right": images[right]}
    return inputs, {"result": result - LOWEST, "even": (result % 2 == 0).astype("float32")}


def build_reader():
    """An image as 32 numbers."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(32, activation="relu"),
        ],
        name="reader",
    )


def build_model():
    left = keras.Input((8, 8, 1), name="left")
    sign = keras.Input((), name="sign", dtype="int32")
    right = keras.Input((8, 8, 1), name="right")
    reader = build_reader()  # one network, called twice: its weights are shared
    x = layers.Concatenate()([reader(left), layers.Embedding(len(SIGNS), 8)(sign), reader(right)])
    x = layers.Dense(256, activation="relu")(x)
    x = layers.Dense(256, activation="relu")(x)
    outputs = {
        "result": layers.Dense(HIGHEST - LOWEST + 1, activation="softmax", name="result")(x),
        "even": layers.Dense(1, activation="sigmoid", name="even")(x),
    }
    return keras.Model({"left": left, "sign": sign, "right": right}, outputs, name="calculator")


def main():
    parser = argparse.ArgumentParser(description="Calculate with handwritten digits.")
    parser.add_argument("--short", action="store_true", help="a few seconds, fewer right results")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)

    bundle = load_digits()
    images, digits = bundle.images[..., np.newaxis].astype("float32") / 16, bundle.target
    test = np.random.default_rng(0).permutation(len(images)) % 4 == 0
    rng = np.random.default_rng(options.seed)
    train_tasks = make_tasks(images[~test], digits[~test], 8_000 if options.short else 20_000, rng)
    test_tasks = make_tasks(images[test], digits[test], 5_000, np.random.default_rng(0))

    model = build_model()
    model.summary()
    model.compile(
        optimizer=keras.optimizers.Adam(2e-3),
        loss={"result": "sparse_categorical_crossentropy", "even": "binary_crossentropy"},
        loss_weights={"result": 1.0, "even": 0.3},
        metrics={"result": "accuracy", "even": "accuracy"},
    )
    model.fit(*train_tasks, batch_size=64, epochs=6 if options.short else 12, verbose=2)
    scores = model.evaluate(*test_tasks, return_dict=True, verbose=0)
    print(f"Test accuracy of results: {scores['result_accuracy']:.3f}")
    print(f"Test accuracy of even: {scores['even_accuracy']:.3f}")

    model.save("multi_input.keras")
    model.export("multi_input.onnx", format="onnx")
    loaded = keras.models.load_model("multi_input.keras")

    inputs, targets = test_tasks
    found = loaded.predict(inputs, verbose=0)["result"].argmax(-1)
    for sign, name in enumerate(SIGNS):
        chosen = inputs["sign"] == sign
        print(f"  {name} right: {np.mean(found[chosen] == targets['result'][chosen]):.3f}")
    if not options.short and not scores["result_accuracy"] >= ENOUGH:
        raise SystemExit(f"The test accuracy of results is below {ENOUGH}.")


if __name__ == "__main__":
    main()
