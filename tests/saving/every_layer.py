"""Files of every layer, written by one library and read by the other: run by hand, with real Keras.

    python tests/saving/every_layer.py write kcompile FOLDER
    KERAS_BACKEND=jax python tests/saving/every_layer.py read keras FOLDER
    KERAS_BACKEND=jax python tests/saving/every_layer.py write keras FOLDER2
    python tests/saving/every_layer.py read kcompile FOLDER2

Each case of tests/parity/layer_cases becomes a model; beside them stand wrappers, cells, nested and shared
layers, and objects of one's own. Every fourth case, and all of those, are trained for two steps under one of
all optimizers first. `read` compares outputs, the optimizer's numbers, and the losses of three more steps
(without random layers), and tells what differs. In Keras 3.15 the older format (.h5) has no optimizer's
numbers, and some configs that Keras cannot read itself: Attention, Equalization, Softmax over several axes.
"""

from __future__ import annotations

import importlib
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.parity.layer_cases import CASES, Case
from tests.saving.optimizer_cases import optimizers

ENDINGS = (".keras", ".h5", ".weights.h5")
RANDOM = ("drop", "noise", "random", "mix", "erasing", "aug", "jitter", "solar", "poster")
EVERY, MORE = 4, 3  # which cases are trained; steps after reading
Model = tuple[Any, Any]  # and its inputs


def of_case(keras: Any, case: Case) -> Model:
    dtype = "int32" if case.ints else "float32"
    inputs = [keras.Input(s[1:], dtype=dtype, name=f"in{k}") for k, s in enumerate(case.shapes)]
    options = {k: v for k, v in case.options.items() if k != "training"}
    layer = getattr(keras.layers, case.layer)(**case.kwargs)
    model = keras.Model(inputs if len(inputs) > 1 else inputs[0], layer(*case.arranged(inputs), **options))
    model.set_weights(case.weights([tuple(w.shape) for w in model.weights]))
    return model, case.inputs() if len(inputs) > 1 else case.inputs()[0]


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def stacks(keras: Any) -> dict[str, tuple[Callable[[], list[Any]], np.ndarray]]:
    """Layers on top of each other, and inputs."""
    layers, steps, rows = keras.layers, numbers(3, 5, 4), numbers(3, 4)
    found: dict[str, tuple[Callable[[], list[Any]], np.ndarray]] = {
        "masked": (lambda: [layers.Masking(), layers.LSTM(3, return_sequences=True), layers.GRU(2)], steps),
        "distributed": (
            lambda: [
                layers.TimeDistributed(
                    keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.BatchNormalization()])
                )
            ],
            steps,
        ),
        "own layer": (lambda: [own(keras)["Scaled"](3.0, layers.Dense(3, activation="tanh"))], rows),
        "own cell": (lambda: [layers.Bidirectional(layers.RNN(own(keras)["Cell"](3)))], steps),
        "nested": (lambda: [keras.Sequential([layers.Dense(3), layers.BatchNormalization()])], rows),
        "frozen": (lambda: [layers.Dense(3, trainable=False), layers.Dense(2)], rows),
        "spectral": (lambda: [layers.SpectralNormalization(layers.Dense(3))], rows),
        "dropout": (lambda: [layers.Dropout(0.3, seed=3), layers.Dense(2)], rows),
    }
    for kind in ("LSTM", "GRU", "SimpleRNN"):
        whole, cell = getattr(layers, kind), getattr(layers, f"{kind}Cell")
        for merge in ("concat", "sum", "mul", "ave"):
            found[f"{merge} {kind}"] = lambda w=whole, m=merge: [layers.Bidirectional(w(3), m)], steps
        found[f"cell {kind}"] = lambda c=cell: [layers.RNN(c(3))], steps
        found[f"cells {kind}"] = lambda c=cell: [layers.RNN([c(3), layers.GRUCell(2)])], steps
        found[f"both ways {kind}"] = lambda c=cell: [layers.Bidirectional(layers.RNN(c(3)))], steps
    for policy in ("float64", "bfloat16", "float16", "mixed_bfloat16", "mixed_float16"):
        found[policy] = lambda p=policy: [layers.Dense(3, dtype=p), layers.Dense(2, dtype="float32")], rows
    return found


def own(keras: Any) -> dict[str, Any]:
    """A layer with layers in a list and a dict, a cell and a loss; each registered when first asked for."""
    if hasattr(keras, "_own_objects"):
        return keras._own_objects
    layers, ops = keras.layers, keras.ops

    @keras.saving.register_keras_serializable("every_layer")
    class Scaled(layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self, factor, inner, **kwargs):
            super().__init__(**kwargs)
            self.factor, self.inner = factor, inner
            self.listed, self.named = [layers.Dense(3), layers.Dense(3)], {"last": layers.Dense(3)}

        def build(self, shape):
            self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")
            if not self.inner.built:  # as it is when it comes from a file
                self.inner.build(shape)
            for layer in (*self.listed, self.named["last"]):
                layer.build((*shape[:-1], 3))
            self.built = True

        def call(self, x):
            x = self.inner(x * self.scale * self.factor)
            for layer in (*self.listed, self.named["last"]):
                x = layer(x)
            return x

        def get_config(self):
            inner = keras.saving.serialize_keras_object(self.inner)
            return {**super().get_config(), "factor": self.factor, "inner": inner}

        @classmethod
        def from_config(cls, config):
            return cls(**{**config, "inner": keras.saving.deserialize_keras_object(config["inner"])})

    @keras.saving.register_keras_serializable("every_layer")
    class Cell(layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = self.state_size = self.output_size = units

        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")
            self.built = True

        def call(self, x, states):
            state = ops.tanh(ops.matmul(x, self.kernel) + states[0])
            return state, [state]

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    @keras.saving.register_keras_serializable("every_layer")
    class Power(keras.losses.Loss):  # type: ignore[misc, name-defined]
        def __init__(self, power=1.5, **kwargs):
            super().__init__(**kwargs)
            self.power = power

        def call(self, y_true, y_pred):
            return ops.mean(ops.abs(y_true - y_pred) ** self.power, axis=-1)

        def get_config(self):
            return {**super().get_config(), "power": self.power}

    keras._own_objects = {"Scaled": Scaled, "Cell": Cell, "Power": Power}
    return keras._own_objects


def several(keras: Any) -> dict[str, Callable[[], Model]]:
    """Models with several inputs or outputs."""
    layers = keras.layers

    def shared() -> Model:
        a, b, dense = keras.Input((4,)), keras.Input((4,)), layers.Dense(3)
        inner = keras.Model(a, layers.BatchNormalization()(dense(a)))
        total = layers.Add()([inner(a), inner(b), dense(b)])
        return keras.Model([a, b], [total, layers.Dense(1)(total)]), [numbers(3, 4), numbers(3, 4) * 2]

    def named() -> Model:
        a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
        outputs = {"p": layers.Dense(2)(a), "q": keras.ops.sin(a) * 2 + b}
        return keras.Model({"x": a, "y": b}, outputs), {"x": numbers(3, 4), "y": numbers(3, 4) * 2}

    return {"shared": shared, "named": named}


def models(keras: Any) -> Iterator[tuple[str, bool, Callable[[], Model]]]:
    """Names, whether to train, and what makes the model."""
    for number, case in enumerate(CASES):
        yield case.name, number % EVERY == 0, lambda case=case: of_case(keras, case)
    for name, (make, x) in stacks(keras).items():
        yield name, True, lambda m=make, x=x: (keras.Sequential([keras.Input(x.shape[1:]), *m()]), x)
    for name, make_model in several(keras).items():
        yield name, True, make_model


def steps(keras: Any, model: Any, x: Any, count: int) -> list[float]:
    rng = np.random.default_rng(9)
    y = keras.tree.map_structure(lambda o: rng.normal(size=o.shape).astype("float32"), model(x))
    return [float(np.ravel(model.train_on_batch(x, y))[0]) for _ in range(count)]


def described(keras: Any, model: Any, x: Any, trained: bool) -> dict[str, Any]:
    found = {"outputs": [np.asarray(o) for o in keras.tree.flatten(model(x, training=False))]}
    if trained:
        found["slots"] = [np.asarray(v.numpy()).astype("float32") for v in model.optimizer.variables]
        found["losses"] = [np.array(steps(keras, model, x, MORE))]
    return found


def write(keras: Any, folder: Path) -> None:
    made = optimizers(keras)
    for number, (name, train, make) in enumerate(models(keras)):
        keras.utils.clear_session()
        keras.utils.set_random_seed(2)
        model, x = make()
        trained = train and bool(model.trainable_variables)
        if trained:
            optimizer = list(made.values())[
                number // EVERY % len(made) if number < len(CASES) else -number % 18
            ]
            model.compile(optimizer(), own(keras)["Power"]() if number % 3 else "mse")
            steps(keras, model, x, 2)
        for ending in ENDINGS:
            (model.save_weights if "weights" in ending else model.save)(folder / f"{number}{ending}")
        facts = {"name": name, "x": x, "trained": trained, **described(keras, model, x, trained)}
        (folder / f"{number}.pkl").write_bytes(pickle.dumps(facts))


def read(keras: Any, folder: Path) -> None:
    own(keras)
    files = sorted(folder.glob("*.keras"), key=lambda p: int(p.stem))
    different = 0
    for path in files:
        facts = pickle.loads(path.with_suffix(".pkl").read_bytes())
        for ending in ENDINGS:
            keras.utils.clear_session()
            try:
                wrong = differing(keras, path, ending, facts)
            except Exception as error:
                wrong = f"{type(error).__name__}: {str(error)[:200]}"
            if wrong:
                different += 1
                print(f"{facts['name']}{ending}: {wrong}")
    print(f"{len(files)} models in three forms, {different} differ")


def differing(keras: Any, path: Path, ending: str, facts: dict[str, Any]) -> str:
    """What is not as it was written."""
    model = keras.saving.load_model(path.with_suffix(".h5" if ending == ".h5" else ".keras"))
    if ending == ".weights.h5":
        model.set_weights([np.zeros_like(w) for w in model.get_weights()])
        model.load_weights(path.with_suffix(ending))
    trained = facts["trained"] and ending == ".keras"
    found = described(keras, model, facts["x"], trained)
    name = facts["name"].lower()
    tolerance = 3e-2 if "float16" in name else 1e-3
    wrong = []
    for key in ("outputs", "slots", "losses") if trained else ("outputs",):
        if key == "losses" and any(word in name for word in RANDOM):
            continue
        pairs = list(zip(found[key], facts[key], strict=True))
        if not all(np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True) for a, b in pairs):
            wrong.append(key)
    return ", ".join(wrong)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    Path(sys.argv[3]).mkdir(parents=True, exist_ok=True)
    {"write": write, "read": read}[sys.argv[1]](importlib.import_module(sys.argv[2]), Path(sys.argv[3]))
