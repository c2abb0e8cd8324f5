"""Makes recurrent/: what Keras 3 says of the models of recurrent_cases.py, their files, and trainings.

KERAS_BACKEND=jax python tests/parity/make_recurrent_fixtures.py         # writes recurrent/
KERAS_BACKEND=jax python tests/parity/make_recurrent_fixtures.py FOLDER  # loads kcompile's files from there
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import keras  # noqa: E402
import numpy as np  # noqa: E402
import recurrent_cases as cases  # noqa: E402


def flat(outputs: Any) -> list[np.ndarray]:
    return [np.asarray(x) for x in keras.tree.flatten(outputs)]


def described(model: Any) -> dict[str, Any]:
    return {
        "config": model.get_config(),
        "weights": [[w.path, list(w.shape)] for w in model.weights],
        "variables": [v.path for v in model.variables],
        "output_shape": model.output_shape,
        "build_configs": [layer.get_build_config() for layer in model.layers],
    }


def make(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    texts, arrays = {}, {}
    for name, builder in cases.BUILDERS.items():
        keras.utils.clear_session()
        model = builder(keras)
        texts[name] = described(model)
        model.set_weights(cases.weights_like([w.shape for w in model.weights]))
        arrays |= {f"{name}/output{k}": y for k, y in enumerate(flat(model(cases.inputs_of(name))))}
        model.save(folder / f"{name}.keras")
        if name in cases.TRAINED:
            arrays[f"{name}/losses"] = np.array(cases.train(keras, name, model))
            arrays |= {f"{name}/trained{k}": w for k, w in enumerate(model.get_weights())}
    arrays |= {f"stateful/{k}": v for k, v in cases.stateful(keras).items()}
    arrays |= {f"explicit/{k}": v for k, v in cases.explicit_states(keras).items()}
    np.savez_compressed(folder / "numbers.npz", **arrays)
    (folder / "models.json").write_text(json.dumps(texts, indent=0, sort_keys=True))
    print(f"{len(texts)} models, Keras {keras.__version__}")


def load(folder: Path) -> None:
    cases.minimal_cell(keras)
    for path in sorted(folder.glob("*.keras")):
        model = keras.saving.load_model(path)
        outputs = flat(model(cases.inputs_of(path.stem)))
        np.savez(path.with_suffix(".npz"), **{f"output{k}": y for k, y in enumerate(outputs)})


if __name__ == "__main__":
    make(HERE / "recurrent") if len(sys.argv) == 1 else load(Path(sys.argv[1]))
