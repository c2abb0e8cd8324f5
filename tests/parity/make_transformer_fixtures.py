"""Makes transformers/: what Keras 3 (on JAX) computes with the models of transformer_cases.py, and its files.

    KERAS_BACKEND=jax python tests/parity/make_transformer_fixtures.py [load FOLDER]

`load` writes, beside each NAME.keras of a folder, what Keras computes with it into NAME.npz.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import keras  # noqa: E402

from tests.parity import transformer_cases as cases  # noqa: E402


def make() -> None:
    folder, arrays = HERE / "transformers", {}
    folder.mkdir(exist_ok=True)
    for name in cases.MODELS:
        keras.utils.clear_session()
        model = cases.made(keras, name)
        arrays[f"{name}.outputs"] = np.asarray(model(cases.batch(name, 0)[0]))
        arrays |= {f"{name}.{key}": value for key, value in cases.descended(model, name).items()}
        arrays[f"{name}.paths"] = np.array([w.path for w in model.weights])
        if name in cases.SAVED:
            model.save(folder / f"{name}.keras")
    np.savez_compressed(folder / "numbers.npz", **arrays)
    print(f"{len(cases.MODELS)} models, Keras {keras.__version__}")


def load(folder: Path) -> None:
    cases.own_layers(keras)
    for path in sorted(folder.glob("*.keras")):
        model = keras.saving.load_model(path)
        np.savez(path.with_suffix(".npz"), outputs=np.asarray(model(cases.batch(path.stem, 0)[0])))


if __name__ == "__main__":
    load(Path(sys.argv[2])) if sys.argv[1:2] == ["load"] else make()
