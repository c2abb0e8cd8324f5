"""Makes quantization/: what Keras 3 (on JAX) says about each case of quantization_cases.py.

    KERAS_BACKEND=jax python tests/parity/make_quantization_fixtures.py
    KERAS_BACKEND=jax python tests/parity/make_quantization_fixtures.py load FOLDER

The second form loads each `.keras` file of a folder and writes what the models give beside it.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
FOLDER = HERE / "quantization"
sys.path.insert(0, str(HERE.parents[1]))

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402

from tests.parity.quantization_cases import CASES, MODELS, Case, function_results, made_model, model_inputs  # noqa: E402


def plain(x: Any) -> np.ndarray:
    array = np.asarray(x)
    return array.astype("float32") if array.dtype.name == "bfloat16" else array


def described(layer: Any) -> dict[str, Any]:
    return {
        "config": json.loads(json.dumps(layer.get_config())),
        "weights": [[w.name, list(w.shape), w.dtype, bool(w.trainable)] for w in layer.weights],
        "repr": repr(layer.dtype_policy),
    }


def measured(layer: Any, case: Case) -> dict[str, np.ndarray]:
    x = jnp.asarray(case.inputs())
    found = {"output": plain(layer(x, **case.call))}
    found |= {f"weight{k}": plain(w) for k, w in enumerate(layer.weights)}
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    found |= {f"stored{key}": plain(value) for key, value in store.items()}
    others = [v.value for v in layer.non_trainable_variables]

    def loss(weights: Any, x: Any) -> Any:
        training = {"training": True} if layer.quantization_mode == "float8" else {}
        outputs, _ = layer.stateless_call(weights, others, x, **case.call, **training)
        return jnp.sum(outputs.astype("float32") ** 2)

    weights = [v.value for v in layer.trainable_variables]
    grads = jax.grad(loss)(weights, x)
    found |= {f"weight_gradient{k}": plain(g) for k, g in enumerate(grads)}
    if not case.ints and "reversible" not in layer.name:
        found["input_gradient"] = plain(jax.grad(loss, argnums=1)(weights, x))
    return found


def trained(model: Any, name: str) -> list[np.ndarray]:
    """The weights after two steps of SGD on all that can be trained."""
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
    x = model_inputs(name)
    y = np.ones(np.asarray(model(x)).shape, "float32")
    for _ in range(2):
        model.train_on_batch(x, y)
    return [plain(w) for w in model.get_weights()]


def make_layers() -> None:
    arrays: dict[str, np.ndarray] = {}
    descriptions: dict[str, Any] = {}
    for name, case in CASES.items():
        keras.utils.clear_session()
        print(name, flush=True)
        try:
            layer = case.made(keras, name)
            descriptions[name] = described(layer)
            arrays |= {f"{name}.{key}": array for key, array in measured(layer, case).items()}
        except Exception as error:
            print("Keras fails:", name, type(error).__name__, str(error)[:300])
            descriptions[name] = {"fails": type(error).__name__}
    np.savez_compressed(FOLDER / "layers.npz", **arrays)
    (FOLDER / "layers.json").write_text(json.dumps(descriptions, indent=0, sort_keys=True) + "\n")


def make_functions() -> None:
    found = function_results(keras, jnp.asarray)
    arrays = {f"{name}.{k}": plain(x) for name, values in found.items() for k, x in enumerate(values)}
    np.savez_compressed(FOLDER / "functions.npz", **arrays)


def make_models() -> None:
    arrays: dict[str, np.ndarray] = {}
    for name in MODELS:
        keras.utils.clear_session()
        print(name, flush=True)
        model = made_model(keras, name)
        model.save(FOLDER / f"{name}.keras")
        arrays[f"{name}.output"] = plain(model(model_inputs(name)))
        arrays |= {f"{name}.trained{k}": a for k, a in enumerate(trained(model, name))}
    np.savez_compressed(FOLDER / "models.npz", **arrays)


def load(folder: Path) -> None:
    outputs = {}
    for path in sorted(folder.glob("*.keras")):
        model = keras.saving.load_model(path)
        outputs[path.stem] = plain(model(model_inputs(path.stem)))
    np.savez(folder / "outputs.npz", **outputs)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    FOLDER.mkdir(exist_ok=True)
    if sys.argv[1:2] == ["load"]:
        load(Path(sys.argv[2]))
    else:
        make_functions()
        make_models()
        make_layers()
