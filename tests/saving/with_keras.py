"""Run by real Keras: makes the files that kcompile must load, and loads the files that kcompile made.

KERAS_BACKEND=jax python tests/saving/with_keras.py make          # writes tests/saving/fixtures
KERAS_BACKEND=jax python tests/saving/with_keras.py load FOLDER   # see test_real_keras_loads_our_files
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.parity.model_cases import BUILDERS, inputs_of  # noqa: E402
from tests.saving.cases import NAMES, TRAINED, numbers_for, train  # noqa: E402


def flat(outputs: Any) -> list[np.ndarray]:
    if isinstance(outputs, dict):
        outputs = [outputs[key] for key in sorted(outputs)]
    return [np.asarray(x) for x in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


def make() -> None:
    import keras

    keras.utils.set_random_seed(1)
    folder, expected = HERE / "fixtures", {}
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        model = BUILDERS[name](keras)
        model.set_weights(numbers_for([w.shape for w in model.weights]))
        model.save(folder / f"{name}.keras")
        for k, y in enumerate(flat(model(inputs_of(name), training=False))):
            expected[f"{name}/{k}"] = y
    for name in TRAINED:
        model = train(keras, name)
        model.save(folder / f"trained_{name}.keras")
        model.save_weights(folder / f"trained_{name}.weights.h5")
        model.save(folder / f"trained_{name}.h5")
        expected[f"trained_{name}"] = np.asarray(model(inputs_of(name), training=False))
        expected[f"trained_{name}/evaluated"] = np.asarray(evaluated(keras, model, name))
        expected[f"trained_{name}/slots"] = np.concatenate(
            [np.ravel(v.numpy()).astype("float32") for v in model.optimizer.variables]
        )
    np.savez_compressed(folder / "expected.npz", **expected)


def evaluated(keras: Any, model: Any, name: str) -> list[float]:
    from tests.saving.cases import targets

    return model.evaluate(inputs_of(name), targets(model, name), verbose=0)


def load(folder: Path) -> None:
    """Load every .keras file of a folder, and write what the models compute beside it."""
    import keras

    for path in sorted(folder.glob("*.keras")):
        name = path.stem.removeprefix("trained_")
        custom = {"Blocks": type(BUILDERS[name](keras))} if name == "subclassed" else None
        model = keras.saving.load_model(path, custom_objects=custom)
        found = {f"output{k}": y for k, y in enumerate(flat(model(inputs_of(name), training=False)))}
        if path.stem.startswith("trained_"):
            found["evaluated"] = np.asarray(evaluated(keras, model, name))
            slots = [np.ravel(v.numpy()).astype("float32") for v in model.optimizer.variables]
            found["slots"] = np.concatenate(slots)
            model.load_weights(path.with_suffix(".weights.h5"))
        np.savez(path.with_suffix(".npz"), **found)


if __name__ == "__main__":
    make() if sys.argv[1] == "make" else load(Path(sys.argv[2]))
