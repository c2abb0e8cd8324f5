"""Makes blocks/FAMILY.npz and .json: what Keras 3 (on JAX) says about each case of block_cases/FAMILY.py.

KERAS_BACKEND=jax python tests/parity/make_block_fixtures.py [FAMILY ...]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402

from tests.parity import event_decoder  # noqa: E402
from tests.parity.block_cases import hooks, losses, metrics, optimizer_files, optimizers, tensorboard, weights  # noqa: E402

Found = tuple[dict[str, Any], dict[str, np.ndarray]]


def plain(config: Any) -> Any:
    return json.loads(json.dumps(config))


def described(variables: list[Any]) -> list[Any]:
    return [[v.path, list(v.shape), keras.backend.standardize_dtype(v.dtype)] for v in variables]


def make_optimizers() -> Found:
    """Variables and slots after the steps, joined; paths, shapes and dtypes of the slots; configs."""
    texts, arrays = {}, {}
    for number, (name, make) in enumerate(optimizers.makers()):
        keras.utils.clear_session()
        optimizer, variables = make(keras), optimizers.variables(keras)
        optimizer.build(variables)
        for gradients in optimizers.gradients_of(name):
            given = [keras.ops.convert_to_tensor(g) for g in gradients]
            states = [v.value for v in optimizer.variables], given, [v.value for v in variables]
            values, slots = optimizer.stateless_apply(*states)  # as `fit` does it on JAX
            for v, value in zip((*variables, *optimizer.variables), (*values, *slots), strict=True):
                v.assign(value)
        texts[name] = {
            "number": number,
            "config": plain(keras.optimizers.serialize(optimizer)),
            "variables": described(optimizer.variables),
        }
        values = [np.ravel(np.asarray(v, "float64")) for v in (*variables, *optimizer.variables)]
        arrays[str(number)] = np.concatenate(values).astype("float32")
        optimizer.finalize_variable_values(variables)
        arrays[f"{number} final"] = np.concatenate([np.ravel(np.asarray(v)) for v in variables])
    return texts, arrays


def make_metrics() -> Found:
    """Results after each batch, dtypes, and the variables at the end."""
    texts, arrays = {}, {}
    for number, case in enumerate(metrics.cases()):
        keras.utils.clear_session()
        metric = case.make(keras)
        results = []
        for inputs, weight in case.batches():
            settings = {} if weight is None else {"sample_weight": weight}
            metric.update_state(*inputs, **settings)
            results.append(keras.ops.convert_to_tensor(metric.result()))
        texts[case.name] = {
            "number": number,
            "config": plain(keras.metrics.serialize(metric)),
            "variables": described(metric.variables),
            "dtypes": [metric.dtype, keras.backend.standardize_dtype(results[-1].dtype)],
            "direction": getattr(metric, "_direction", None),
        }
        arrays[f"{number}"] = np.stack([np.asarray(r) for r in results])
        state = [np.ravel(np.asarray(v, "float64")) for v in metric.variables]
        arrays[f"{number} state"] = np.concatenate(state).astype("float32")
        metric.reset_state()
        assert all((np.asarray(v) == 0).all() for v in metric.variables)
    return texts, arrays


def with_mask(y_pred: Any, mask: Any) -> Any:
    tensor = jnp.array(y_pred)
    keras.src.backend.set_keras_mask(tensor, jnp.array(mask))
    return tensor


def make_losses() -> Found:
    """Values for each reduction, form of weights and mask, joined; shapes; gradients; configs."""
    texts, arrays = {}, {}
    for number, case in enumerate(losses.cases()):
        keras.utils.clear_session()
        y_true, y_pred = case.arrays()
        values = dict(case.answers(keras, with_mask))
        arrays[f"{number}"] = np.concatenate([np.ravel(np.asarray(v)) for v in values.values()])
        loss = case.make(keras)
        slope = jax.grad(lambda p, y=y_true, f=loss: f(y, p))(jnp.array(y_pred))
        arrays[f"{number} gradient"] = np.asarray(slope)
        texts[case.name] = {
            "number": number,
            "config": plain(keras.losses.serialize(loss)),
            "shapes": {what: list(v.shape) for what, v in values.items()},
            "half": str(case.make(keras, dtype="float16")(y_true, y_pred).dtype),
        }
    return texts, arrays


def make_weights() -> Found:
    """Configs of initializers, regularizers and constraints, and what they give."""
    texts: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for k, (kind, settings) in enumerate(weights.INITIALIZERS):
        made = getattr(keras.initializers, kind)(**settings)
        texts[f"initializer {k}"] = plain(keras.initializers.serialize(made))
        for n, shape in enumerate(weights.shapes(kind)):
            arrays[f"initializer {k} {n}"] = np.asarray(made(shape))
    for k, (kind, settings) in enumerate(weights.REGULARIZERS):
        made = getattr(keras.regularizers, kind)(**settings)
        texts[f"regularizer {k}"] = plain(keras.regularizers.serialize(made))
        for n, w in enumerate(weights.weights()):
            value = jnp.asarray(made(jnp.asarray(w)), "float32")
            slope = jax.grad(lambda w, f=made: jnp.sum(jnp.asarray(f(w))))(jnp.asarray(w))
            arrays[f"regularizer {k} {n}"] = np.concatenate([np.ravel(value), np.ravel(slope)])
    for k, (kind, settings) in enumerate(weights.CONSTRAINTS):
        made = getattr(keras.constraints, kind)(**settings)
        texts[f"constraint {k}"] = plain(keras.constraints.serialize(made))
        for n, w in enumerate(weights.weights()):
            arrays[f"constraint {k} {n}"] = np.asarray(made(jnp.asarray(w)))
    return texts, arrays


def make_hooks() -> Found:
    """The calls of callbacks."""
    texts = {}
    for name, run in hooks.make_cases().items():
        calls: list[Any] = []
        run(keras, calls)
        texts[name] = plain(calls)
    return texts, {}


def make_tensorboard() -> Found:
    """The summaries in event files; needs TensorFlow and the package tensorboard."""
    import tensorflow as tf

    texts, arrays = {}, {}
    for number, (name, run) in enumerate(tensorboard.CASES.items()):
        keras.utils.clear_session()
        with tempfile.TemporaryDirectory() as folder:
            run(keras, folder)
            found = event_decoder.read(folder)
        listed = []
        for k, summary in enumerate(found):
            value = summary.pop("value")
            if summary["plugin"] == "images":
                value = [int(value[0]), int(value[1]), *(tf.io.decode_png(one).numpy() for one in value[2:])]
                summary["size"] = value[:2]
                value = np.stack(value[2:])
            if isinstance(value, np.ndarray):
                arrays[f"{number} {k}"] = value
            listed.append({**summary, "content": summary["content"].decode()})
        texts[name] = {"number": number, "summaries": listed}
    return texts, arrays


def make_optimizer_files() -> Found:
    """Files of trained models, what their optimizers hold, and the losses of the next steps."""
    texts, arrays = {}, {}
    for name, make in optimizer_files.makers(keras).items():
        keras.utils.clear_session()
        model = optimizer_files.trained(keras, make())
        model.save(HERE / "blocks" / f"{name}.keras")
        arrays[name] = optimizer_files.state(model)
        texts[name] = {"losses": optimizer_files.more(model)}
    return texts, arrays


FAMILIES: dict[str, Callable[[], Found]] = {
    "optimizers": make_optimizers,
    "metrics": make_metrics,
    "losses": make_losses,
    "weights": make_weights,
    "hooks": make_hooks,
    "tensorboard": make_tensorboard,
    "optimizer_files": make_optimizer_files,
}


def main() -> None:
    for family in sys.argv[1:] or FAMILIES:
        texts, arrays = FAMILIES[family]()
        if arrays:
            np.savez_compressed(HERE / "blocks" / f"{family}.npz", **arrays)
        lines = [f"{json.dumps(name)}: {json.dumps(text)}" for name, text in texts.items()]
        (HERE / "blocks" / f"{family}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
        print(f"{family}: {len(texts)} cases, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
