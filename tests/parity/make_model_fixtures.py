"""Makes models.json: configs, summaries, names and outputs of the models of model_cases.py by Keras 3.

KERAS_BACKEND=jax COLUMNS=80 python tests/parity/make_model_fixtures.py
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ["COLUMNS"] = "80"
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import keras  # noqa: E402
import numpy as np  # noqa: E402
from model_cases import BUILDERS, SUBCLASSED, SUMMARIES, inputs_of, summary_text, weights_like  # noqa: E402


def attribute(model: Any, name: str) -> Any:
    try:
        return getattr(model, name)
    except AttributeError:
        return None


def described(name: str) -> dict[str, Any]:
    keras.utils.clear_session()
    model = BUILDERS[name](keras)
    found: dict[str, Any] = {
        "name": model.name,
        "repr": repr(model),
        "summaries": [summary_text(model, options) for options in SUMMARIES],
        "variables": [[v.path, list(v.shape), v.trainable] for v in model.variables],
        "weights": [v.path for v in model.weights],
        "trainable_weights": [v.path for v in model.trainable_weights],
        "layers": [repr(layer) for layer in model.layers],
        "input_shape": attribute(model, "input_shape"),
        "output_shape": attribute(model, "output_shape"),
        "output_names": attribute(model, "output_names"),
        "config": model.get_config(),
        "build_config": model.get_build_config(),
    }
    if model.built:
        model.set_weights(weights_like([v.shape for v in model.weights]))
        outputs = model(inputs_of(name))
        found["outputs"] = [np.asarray(x).tolist() for x in keras.tree.flatten(outputs)]
        found["losses"] = [float(x) for x in model.losses]
        if name not in SUBCLASSED:
            copy = keras.models.clone_model(model)
            found["clone"] = [[v.path for v in copy.weights], [layer.name for layer in copy.layers]]
    return found


if __name__ == "__main__":
    text = json.dumps({name: described(name) for name in BUILDERS}, indent=0, sort_keys=True)
    (HERE / "models.json").write_text(text)
    print(f"{len(BUILDERS)} models, Keras {keras.__version__}")
