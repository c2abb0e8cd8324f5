"""Makes wrappers.npz and wrappers.json: what Keras 3 (on JAX) says about each case of wrapper_cases.py.

    KERAS_BACKEND=jax python tests/parity/make_wrapper_fixtures.py

As make_layer_fixtures.py, for layers that hold other layers and for other arguments of `call`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402

from tests.parity.wrapper_cases import CASES, WrapperCase  # noqa: E402


def described(layer: Any, case: WrapperCase) -> dict[str, Any]:
    options = {"reverse": True} if case.reverse else {}
    output = layer(keras.Input(case.shape[1:]), **options)
    return {
        "config": json.loads(json.dumps(layer.get_config())),
        "weights": [[w.path, list(w.shape), bool(w.trainable)] for w in layer.weights],
        "output_shape": list(output.shape),
        "supports_masking": bool(layer.supports_masking),
    }


def measured(layer: Any, case: WrapperCase) -> dict[str, np.ndarray]:
    x, call = jnp.asarray(case.inputs()), case.call()
    layer.set_weights(case.weights([tuple(w.shape) for w in layer.weights]))
    training = {"training": True} if case.training else {}
    others = [v.value for v in layer.non_trainable_variables]

    def loss(weights: Any, x: Any) -> Any:
        outputs, _ = layer.stateless_call(weights, others, x, **call, **training)
        return jnp.sum(outputs**2)

    grads = jax.grad(loss, argnums=(0, 1))([v.value for v in layer.trainable_variables], x)
    found = {"inference": np.asarray(layer(x, **call)), "input_gradient0": np.asarray(grads[1])}
    found |= {f"weight_gradient{k}": np.asarray(g) for k, g in enumerate(grads[0])}
    if case.training:
        found["training"] = np.asarray(layer(x, training=True, **call))
        found |= {f"after{k}": np.asarray(w) for k, w in enumerate(layer.get_weights())}
    return found


def main() -> None:
    arrays: dict[str, np.ndarray] = {}
    descriptions = {}
    for number, (name, case) in enumerate(CASES.items()):
        keras.utils.clear_session()
        layer = case.make(keras.layers)
        descriptions[name] = {**described(layer, case), "number": number}
        arrays |= {f"{number}.{key}": array for key, array in measured(layer, case).items()}
    np.savez_compressed(HERE / "wrappers.npz", **arrays)
    (HERE / "wrappers.json").write_text(json.dumps(descriptions, indent=0, sort_keys=True))
    print(f"{len(CASES)} cases, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
