"""Makes precision.npz, precision.json and the .keras files beside them: real Keras under dtype policies.

Half precision runs on JAX; float64 and promotion run on TensorFlow, where Keras keeps 64 bits.

    KERAS_BACKEND=jax python tests/parity/make_precision_fixtures.py
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import keras  # noqa: E402
import numpy as np  # noqa: E402

from tests.parity import precision_cases as cases  # noqa: E402


def on_jax() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    described: dict[str, Any] = {"nested": cases.nested_dtypes(keras)}
    for name in (*cases.HALF_POLICIES, "float32"):
        described[f"layers {name}"] = cases.layer_dtypes(keras, name, False)
        described[f"layers dtype={name}"] = cases.layer_dtypes(keras, name, True)
    arrays: dict[str, np.ndarray] = {}
    trainings(cases.HALF_POLICIES, described, arrays)
    for name in ("mixed_float16", "bfloat16"):
        save(name)
    return described, arrays


def on_tensorflow() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    described: dict[str, Any] = {"promotions": cases.promotions(keras)}
    described["layers float64"] = cases.layer_dtypes(keras, "float64", False)
    described["layers dtype=float64"] = cases.layer_dtypes(keras, "float64", True)
    arrays: dict[str, np.ndarray] = {}
    trainings(cases.WIDE_POLICIES, described, arrays)
    save("float64")
    for name, options in cases.SCALINGS.items():
        found = cases.scaling(keras, options)
        arrays[f"scaling {name}/rows"], arrays[f"scaling {name}/states"] = (
            found.pop("rows"),
            found.pop("states"),
        )
        described[f"scaling {name}"] = found
    return described, arrays


def trainings(names: Any, described: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    for policy in names:
        for model in cases.MODELS:
            found = cases.training(keras, model, policy)
            described[f"{model} {policy}"] = found["described"]
            arrays[f"{model} {policy}/losses"] = found["losses"]
            arrays[f"{model} {policy}/predicted"] = found["predicted"].astype("float64")
            for k, value in enumerate(found["weights"]):
                arrays[f"{model} {policy}/{k}"] = value.astype(
                    "float64" if policy == "float64" else "float32"
                )


def save(policy: str) -> None:
    """A model that was trained for a step, as a file."""
    with cases.policy(keras, policy):
        model = cases.mlp(keras)
        cases.start(model)
        model.compile(cases.optimizer_for(keras, "mlp"), "sparse_categorical_crossentropy")
        x, y = next(cases.batches("mlp"))
        model.train_on_batch(x, y)
        model.save(HERE / f"precision_{policy}.keras")
        np.save(HERE / f"precision_{policy}.npy", model.predict(x, verbose=0).astype("float64"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["tensorflow"]:
        Path(sys.argv[2]).write_bytes(pickle.dumps(on_tensorflow()))
        sys.exit()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tensorflow"
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
        subprocess.run([sys.executable, __file__, "tensorflow", str(path)], env=environment, check=True)
        described, arrays = pickle.loads(path.read_bytes())
    more, others = on_jax()
    (HERE / "precision.json").write_text(json.dumps({**described, **more}, indent=0) + "\n")
    np.savez_compressed(HERE / "precision.npz", **arrays, **others)
