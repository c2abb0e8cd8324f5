"""Text classification: which part of Python's standard library does a docstring describe?

    python examples/text_classification.py          # about ten seconds: 83% of unseen texts are right
    python examples/text_classification.py --short  # fewer epochs

The texts are the docstrings of the standard library itself, so nothing is downloaded. TextVectorization turns
words into integers, an Embedding turns these into vectors, and their mean is classified. At the end the
vectorizer and the network become one model, and one file, that takes texts as they are.
Only the import differs from Keras.
"""

import argparse
import ast
import sysconfig
from pathlib import Path

import numpy as np

import kcompile as keras

layers = keras.layers

SUBJECTS = {
    "concurrency": "asyncio concurrent multiprocessing queue sched selectors subprocess threading",
    "data types": "_pydecimal calendar collections datetime enum fractions heapq numbers random statistics",
    "debugging": "bdb cProfile doctest logging pdb profile pstats timeit trace traceback unittest",
    "files": "_pyio bz2 fileinput glob gzip lzma os pathlib shelve shutil tarfile tempfile zipfile",
    "internet": "ftplib http imaplib ipaddress mailbox poplib smtplib socket ssl urllib wsgiref xmlrpc",
    "language": "ast codeop dis functools importlib inspect pickletools pkgutil pydoc tokenize typing",
    "markup": "configparser csv email html json plistlib tomllib xml",
    "windows": "tkinter turtle",
}
MOST_WORDS, LONGEST = 5000, 100
ENOUGH = 0.8  # the accuracy that the full form must reach


def docstrings_of(module):
    """The docstrings of a module or package of the standard library, of its classes and its functions."""
    place = Path(sysconfig.get_path("stdlib")) / module
    for path in sorted(place.rglob("*.py")) or [place.with_suffix(".py")]:
        if path.exists() and "test" not in path.parent.name:
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield ast.get_docstring(node) or ""


def load_docstrings():
    """Texts of five words or more and the numbers of their subjects; every fifth text is for the test."""
    found = {}
    for label, modules in enumerate(SUBJECTS.values()):
        for module in modules.split():
            found.update((text, label) for text in docstrings_of(module) if len(text.split()) >= 5)
    order = np.random.default_rng(0).permutation(len(found))
    texts = np.array(list(found), dtype=object)[order]
    labels = np.array(list(found.values()))[order]
    test = np.arange(len(texts)) % 5 == 0
    return (texts[~test], labels[~test]), (texts[test], labels[test])


def build_classifier():
    inputs = keras.Input((LONGEST,), dtype="int64")
    x = layers.Embedding(MOST_WORDS, 64, mask_zero=True)(inputs)  # 0 stands for "no word here"
    x = layers.Dropout(0.3)(x)
    x = layers.GlobalAveragePooling1D()(x)  # of the words that are there
    x = layers.Dense(64, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(inputs, layers.Dense(len(SUBJECTS), activation="softmax")(x), name="classifier")


def main():
    parser = argparse.ArgumentParser(description="Classify docstrings by their subject.")
    parser.add_argument("--short", action="store_true", help="a few seconds, a lower accuracy")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)

    (train_texts, train_labels), (test_texts, test_labels) = load_docstrings()
    print(f"{len(train_texts)} texts to learn from, {len(test_texts)} to test with")

    vectorize = layers.TextVectorization(MOST_WORDS, output_sequence_length=LONGEST)
    vectorize.adapt(train_texts)
    classifier = build_classifier()
    classifier.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    classifier.fit(
        np.array(vectorize(train_texts)),
        train_labels,
        batch_size=32,
        epochs=6 if options.short else 12,
        verbose=2,
    )

    model = keras.Sequential([keras.Input((), dtype="string"), vectorize, classifier])
    model.save("text_classification.keras")  # with the vocabulary: it takes texts as they are
    classifier.export("text_classification.onnx", format="onnx")  # takes the integers
    loaded = keras.models.load_model("text_classification.keras")

    accuracy = np.mean(loaded.predict(test_texts, verbose=0).argmax(-1) == test_labels)
    commonest = np.bincount(test_labels).max() / len(test_labels)
    print(f"Test accuracy: {accuracy:.3f} (always the commonest subject: {commonest:.3f})")
    examples = np.array(["Connect and send a request.", "Wait until the lock is released."], dtype=object)
    for text, scores in zip(examples, loaded.predict(examples, verbose=0), strict=True):
        print(f"{list(SUBJECTS)[scores.argmax()]:>12}: {text}")
    if not options.short and not accuracy >= ENOUGH:
        raise SystemExit(f"The test accuracy is below {ENOUGH}.")


if __name__ == "__main__":
    main()
