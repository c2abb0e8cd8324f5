"""Makes layers/FAMILY.npz and .json: what Keras 3 (on JAX) says about each case of layer_cases/FAMILY.py.

    KERAS_BACKEND=jax python tests/parity/make_layer_fixtures.py [FAMILY ...]

For each case: config, names and shapes of weights, output shape for an unknown batch, outputs for inference
and (where they do not depend on random numbers) training, weights after the training call, losses, and
gradients of sum(outputs ** 2) with respect to inputs and trainable weights.
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

from tests.parity.layer_cases import FAMILIES, Case  # noqa: E402


def plain(config: Any) -> Any:
    return json.loads(json.dumps(config))


def described(layer: Any, case: Case) -> dict[str, Any]:
    placeholders = [keras.Input(s[1:], dtype="int32" if case.ints else "float32") for s in case.shapes]
    output = layer(*case.arranged(placeholders), **case.options)
    return {
        "config": plain(layer.get_config()),
        "build_config": plain(layer.get_build_config()),
        "weights": [
            [w.path.removeprefix(layer.name + "/"), list(w.shape), bool(w.trainable)] for w in layer.weights
        ],
        "output_shape": list(output.shape),
        "output_dtype": output.dtype,
        "repr": repr(layer),
        "supports_masking": bool(layer.supports_masking),
    }


def measured(layer: Any, case: Case) -> dict[str, np.ndarray]:
    inputs, mask = [jnp.asarray(x) for x in case.inputs()], case.mask_array()
    layer.set_weights(case.weights([tuple(w.shape) for w in layer.weights]))
    extra = case.options if mask is None else {"mask": jnp.asarray(mask)}
    found = {"inference": np.asarray(layer(*case.arranged(inputs), **extra))}
    if layer.losses:
        found["losses"] = np.asarray([float(loss) for loss in layer.losses], "float32")
    trainable = [v.value for v in layer.trainable_variables]
    others = [v.value for v in layer.non_trainable_variables]
    training = {"training": True} if case.training else {}

    def loss(weights: Any, xs: Any) -> Any:
        outputs, rest = layer.stateless_call(weights, others, *case.arranged(xs), **extra, **training)
        return jnp.sum(outputs**2), rest

    if case.differentiable:
        grads, _ = jax.grad(loss, argnums=(0, 1), has_aux=True)(trainable, inputs)
        found |= {f"weight_gradient{k}": np.asarray(g) for k, g in enumerate(grads[0])}
        found |= {f"input_gradient{k}": np.asarray(g) for k, g in enumerate(grads[1])}
    if case.training:
        found["training"] = np.asarray(layer(*case.arranged(inputs), training=True, **extra))
        found |= {f"after{k}": np.asarray(w) for k, w in enumerate(layer.get_weights())}
    return found


def make(family: str) -> None:
    arrays: dict[str, np.ndarray] = {}
    described_cases = {}
    for number, case in enumerate(FAMILIES[family]):
        keras.utils.clear_session()
        layer = getattr(keras.layers, case.layer)(**case.kwargs)
        described_cases[case.name] = described(layer, case)
        arrays |= {f"{number}.{key}": array for key, array in measured(layer, case).items()}
        described_cases[case.name]["number"] = number
    np.savez_compressed(HERE / "layers" / f"{family}.npz", **arrays)
    (HERE / "layers" / f"{family}.json").write_text(json.dumps(described_cases, indent=0, sort_keys=True))
    print(f"{family}: {len(FAMILIES[family])} cases, Keras {keras.__version__}")


def main() -> None:
    for family in sys.argv[1:] or FAMILIES:
        make(family)


if __name__ == "__main__":
    main()
