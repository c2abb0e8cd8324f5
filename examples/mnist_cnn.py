"""The classic Keras example: a small convolutional network learns to read handwritten digits.

    python examples/mnist_cnn.py                          # 12 epochs on the full MNIST
    python examples/mnist_cnn.py --export mnist_cnn.onnx  # then an ONNX file, checked with onnxruntime
    python examples/mnist_cnn.py --subset --epochs 2      # 12,000 of the 70,000 images, no download

Only the import differs from Keras.
"""

import argparse

import numpy as np

import kcompile as keras
from kcompile import layers

CLASSES = 10


def load_digits(subset):
    """Images as float32 from 0 to 1 with one channel, labels as one-hot rows."""
    mnist = keras.datasets.mnist
    try:
        (x_train, y_train), (x_test, y_test) = mnist.load_subset() if subset else mnist.load_data()
    except ConnectionError as error:
        print(f"{error}\n\nGoing on with the subset: 10,000 training and 2,000 test images.\n")
        (x_train, y_train), (x_test, y_test) = mnist.load_subset()
    x_train, x_test = (x[..., np.newaxis].astype("float32") / 255 for x in (x_train, x_test))
    y_train, y_test = (keras.utils.to_categorical(y, CLASSES) for y in (y_train, y_test))
    return x_train, y_train, x_test, y_test


def build_model():
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
            layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def export_and_check(model, path, images):
    """Write the ONNX file and compare what onnxruntime makes of it with the model."""
    import onnxruntime

    model.export(path, format="onnx")
    session = onnxruntime.InferenceSession(path)
    [found] = session.run(None, {session.get_inputs()[0].name: images})
    difference = np.abs(found - model.predict(images, verbose=0)).max()
    print(f"{path}: onnxruntime's probabilities differ by at most {difference:.1e}")
    if not difference < 1e-5:
        raise SystemExit("onnxruntime computes something else than the model")


def main():
    parser = argparse.ArgumentParser(description="Train the classic Keras CNN on MNIST.")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--subset", action="store_true", help="train on the images that ship with kcompile")
    parser.add_argument("--export", metavar="FILE", help="write an ONNX file and check it with onnxruntime")
    parser.add_argument("--seed", type=int, help="the same weights, shuffling and dropout in every run")
    options = parser.parse_args()
    if options.seed is not None:
        keras.utils.set_random_seed(options.seed)

    x_train, y_train, x_test, y_test = load_digits(options.subset)
    print(f"{len(x_train)} training images, {len(x_test)} test images of shape {x_train.shape[1:]}")

    model = build_model()
    model.summary()
    model.compile(
        loss="categorical_crossentropy",
        optimizer=keras.optimizers.Adadelta(learning_rate=1.0),
        metrics=["accuracy"],
    )
    model.fit(x_train, y_train, batch_size=128, epochs=options.epochs, validation_data=(x_test, y_test))
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"Test loss: {loss:.4f}\nTest accuracy: {accuracy:.4f}")
    if options.export:
        export_and_check(model, options.export, x_test[:1000])


if __name__ == "__main__":
    main()
