"""The examples about images, in their short form: they run, and learn what can be learned in that time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kcompile as keras
from kcompile.datasets.mnist import load_subset

ROOT = Path(__file__).resolve().parents[2]

# The least that the printed measures may be; seeds 1 to 3 give about a tenth more.
BARS = {
    "image_augmentation": {"Test accuracy": 0.75, "Test accuracy without augmentation": 0.75},
    "siamese_network": {"Test accuracy of pairs": 0.75, "Test accuracy by one example of each digit": 0.5},
    "gan": {"Test accuracy of made digits": 0.65, "Test accuracy of the judge on real digits": 0.8},
    "variational_autoencoder": {"Test elbo": -235.0},
    "transfer_learning": {"Test accuracy": 0.65, "Test accuracy with a new head": 0.6},
}


def printed(name: str, folder: Path) -> dict[str, float]:
    """What the program says of itself at the end: `Test accuracy: 0.97` and the like."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / f"{name}.py", "--short"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {what: float(value) for what, value in re.findall(r"^(Test .+): (-?[\d.]+)", done.stdout, re.M)}


@pytest.mark.slow
@pytest.mark.parametrize("name", BARS)
def test_short_form(name, tmp_path):
    found = printed(name, tmp_path)
    for what, bar in BARS[name].items():
        assert found[what] > bar, f"{what}: {found}"
    assert not list(tmp_path.iterdir()), "an example leaves files behind"


@pytest.mark.parametrize("name", BARS)
def test_it_begins_as_a_keras_program_would(name):
    """One line differs from a program for Keras, and the data come without a network."""
    text = (ROOT / "examples" / f"{name}.py").read_text()
    assert text.count("import kcompile as keras\n") == 1
    others = set(
        re.findall(r"^ *(?:from|import) (kcompile.*?)(?: as keras)?(?: import (?:.+))?$", text, re.M)
    )
    assert others <= {"kcompile", "kcompile.datasets.mnist"}


def test_the_file_of_real_keras_reads_digits_as_it_did_there():
    """Of the test images of 0 to 4, Keras with JAX read 99.7% with it when it wrote the file."""
    _, (images, labels) = load_subset()
    images, labels = images[labels < 5, ..., None], labels[labels < 5]
    model = keras.models.load_model(ROOT / "examples" / "pretrained_digits.keras")
    right = model.predict(images, batch_size=250, verbose=0).argmax(axis=1) == labels
    assert right.mean() == pytest.approx(0.997, abs=1e-3)
    assert model.count_params() == 26_517
