"""Run by real Keras: makes the files that kcompile must load, and loads the files that kcompile made.

KERAS_BACKEND=jax python tests/saving/with_keras.py make          # writes tests/saving/fixtures
KERAS_BACKEND=jax python tests/saving/with_keras.py load FOLDER   # see test_real_keras_loads_our_files
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.parity.model_cases import BUILDERS, inputs_of  # noqa: E402
from tests.saving.cases import EXACT, NAMES, TRAINED, evaluated, more_losses, numbers_for, train  # noqa: E402

# A subclassed model has no config in the older format.
WITH_H5 = [name for name in NAMES if name != "subclassed"]


def flat(outputs: Any) -> list[np.ndarray]:
    if isinstance(outputs, dict):
        outputs = [outputs[key] for key in sorted(outputs)]
    return [np.asarray(x) for x in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


def slots(model: Any) -> np.ndarray:
    return np.concatenate([np.ravel(v.numpy()).astype("float32") for v in model.optimizer.variables])


def make() -> None:
    import keras

    keras.utils.set_random_seed(1)
    folder, expected = HERE / "fixtures", {}
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        model = BUILDERS[name](keras)
        model.set_weights(numbers_for([w.shape for w in model.weights]))
        model.save(folder / f"{name}.keras")
        if name in WITH_H5:
            model.save(folder / f"{name}.h5")
        expected |= {f"{name}/{k}": y for k, y in enumerate(flat(model(inputs_of(name), training=False)))}
    for name in TRAINED:
        model = train(keras, name)
        model.save(folder / f"trained_{name}.keras")
        model.save_weights(folder / f"trained_{name}.weights.h5")
        if name in WITH_H5:
            model.save(folder / f"trained_{name}.h5")
        expected |= {f"trained_{name}/{key}": value for key, value in described(model, name).items()}
    np.savez_compressed(folder / "expected.npz", **expected)


def described(model: Any, name: str) -> dict[str, np.ndarray]:
    """What a trained model computes, its optimizer's state, and how its training goes on."""
    found = {f"{k}": y for k, y in enumerate(flat(model(inputs_of(name), training=False)))}
    found |= {"slots": slots(model), "evaluated": evaluated(model, name)}
    return found | ({"losses": more_losses(model, name)} if name in EXACT else {})


def load(folder: Path) -> None:
    """Load every file of a folder, and write what the models compute beside it."""
    import keras

    warnings.simplefilter("ignore")
    for path in sorted([*folder.glob("*.keras"), *folder.glob("*.h5")]):
        if path.name.endswith(".weights.h5"):
            continue
        name = path.stem.removeprefix("trained_")
        custom = {"Blocks": type(BUILDERS[name](keras))} if name == "subclassed" else None
        model = keras.saving.load_model(path, custom_objects=custom)
        found = {f"{k}": y for k, y in enumerate(flat(model(inputs_of(name), training=False)))}
        if path.stem.startswith("trained_") and path.suffix == ".keras":
            found = described(model, name)
            model.load_weights(path.with_suffix(".weights.h5"))
            again = flat(model(inputs_of(name), training=False))
            for k, y in enumerate(again):
                np.testing.assert_allclose(y, found[f"{k}"], rtol=1e-5, atol=1e-5)
        elif path.stem.startswith("trained_"):
            found["evaluated"] = evaluated(model, name)
        np.savez(path.with_name(f"{path.name}.npz"), **found)


if __name__ == "__main__":
    make() if sys.argv[1] == "make" else load(Path(sys.argv[2]))
