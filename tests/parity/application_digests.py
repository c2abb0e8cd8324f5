"""What the fixtures of `keras.applications` keep of a model, of Keras or of kcompile."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from tests.parity.application_cases import images, weight


def described(model: Any) -> dict[str, Any]:
    """Everything that is compared, in full."""
    config = model.get_config()
    rest = {key: value for key, value in config.items() if key != "layers"}
    return {
        "layers": json.loads(json.dumps([*config["layers"], rest])),
        "weights": [[w.path, list(w.shape), bool(w.trainable)] for w in model.weights],
        "counts": [model.count_params(), sum(int(np.prod(w.shape)) for w in model.trainable_weights)],
        "output": list(model.output_shape),
    }


def digests(full: dict[str, Any]) -> dict[str, Any]:
    """The same, short: four hexadecimal digits for each layer."""
    return {
        "layers": "".join(digest(layer)[:4] for layer in full["layers"]),
        "weights": digest(full["weights"])[:16],
        "counts": full["counts"],
        "output": full["output"],
    }


def digest(item: Any) -> str:
    return hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()


def fill(model: Any) -> np.ndarray:
    """Set all weights by the formula; two images for the model."""
    weights = model.weights
    model.set_weights([weight(k, w.name, tuple(w.shape)) for k, w in enumerate(weights)])
    return images((2, *model.input_shape[1:]))


def measured(model: Any) -> list[float]:
    """Numbers of the outputs: their mean, mean size and largest size, then the first eight of them."""
    return summary(np.asarray(model.predict(fill(model), verbose=0)))


def summary(y: np.ndarray) -> list[float]:
    y = np.asarray(y, "float64")
    return [round(float(v), 8) for v in (y.mean(), np.abs(y).mean(), np.abs(y).max(), *y.ravel()[:8])]
