"""Makes masks.json and masks.npz: what Keras 3 (on JAX) says about the cases of mask_cases.py.

    KERAS_BACKEND=jax python tests/parity/make_mask_fixtures.py

For each layer called on inputs with masks: the output and its mask (or the type of the error), whether it
warned, and which inputs still have their masks. For each model: config, outputs and their masks. Losses and
metrics come from TensorFlow, because the training step on JAX loses the masks before the metrics see them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras.src.backend.common.masking import get_keras_mask, set_keras_mask  # noqa: E402

from tests.parity import mask_cases  # noqa: E402

arrays: dict[str, np.ndarray] = {}


def kept(key: str, value: Any) -> bool:
    """Store an array; False for None."""
    if value is not None:
        arrays[key] = np.asarray(value)
    return value is not None


def of_layer(key: str, case: Any, on: tuple[bool, ...]) -> dict[str, Any]:
    keras.utils.clear_session()
    layer = getattr(keras.layers, case.layer)(**case.kwargs)
    inputs = [keras.ops.convert_to_tensor(x) for x in case.inputs()]
    layer(*case.arranged(inputs), **case.options)
    layer.set_weights(case.weights([tuple(w.shape) for w in layer.weights]))
    for k, (x, masked) in enumerate(zip(inputs, on, strict=True)):
        if masked:
            set_keras_mask(x, keras.ops.convert_to_tensor(mask_cases.mask_for(x.shape, k)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            output = layer(*case.arranged(inputs), **case.options)
        except Exception as error:
            return {"error": type(error).__name__}
    return {
        "output": kept(f"{key}.output", output),
        "mask": kept(f"{key}.mask", get_keras_mask(output)),
        "warned": any("does not support masking" in str(w.message) for w in caught),
        "left": [get_keras_mask(x) is not None for x in inputs],
    }


def of_model(name: str) -> dict[str, Any]:
    keras.utils.clear_session()
    make, inputs = mask_cases.MODELS[name]
    model = make(keras)
    given = (
        [keras.ops.convert_to_tensor(x) for x in inputs]
        if isinstance(inputs, list)
        else keras.ops.convert_to_tensor(inputs)
    )
    model(given)
    model.set_weights(mask_cases.weights_like([tuple(w.shape) for w in model.weights]))
    found: dict[str, Any] = {"masks": []}
    for k, output in enumerate(keras.tree.flatten(model(given))):
        kept(f"{name}.output{k}", output)
        found["masks"].append(kept(f"{name}.mask{k}", get_keras_mask(output)))
    if name not in ("own_layers", "chain"):
        found["config"] = json.loads(json.dumps(model.get_config()))
    return found


def trained() -> Any:
    """Losses and metrics, made by this script in a process of its own."""
    run = [sys.executable, __file__, "trained"]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    return json.loads(subprocess.run(run, env=environment, capture_output=True, check=True).stdout)


def main() -> None:
    if sys.argv[1:] == ["trained"]:
        print(json.dumps({name: mask_cases.trained(keras, name) for name in mask_cases.TRAINED}))
        return
    calls = mask_cases.masked_calls()
    layers = {name: of_layer(str(k), *calls[name]) | {"number": k} for k, name in enumerate(calls)}
    models = {name: of_model(name) for name in mask_cases.MODELS}
    np.savez_compressed(HERE / "masks.npz", **arrays)
    (HERE / "masks.json").write_text(
        json.dumps({"layers": layers, "models": models, "trained": trained()}, indent=0, sort_keys=True)
    )
    print(f"{len(layers)} calls, {len(models)} models, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
