"""Serialization, callbacks, functions as layers, preprocessing in models, calls without state."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.parity.guides.numbers import data, filled, labels, rounded, total, weights_of


def serialization(keras: Any, Tape: Any) -> dict[str, Any]:
    """Objects of one's own in files: registered, given, with configs of their own, with own variables."""
    layers, ops = keras.layers, keras.ops

    @keras.saving.register_keras_serializable(package="GuideLayers")
    class Scaled(layers.Layer):
        def __init__(self, factor: float, sublayer: Any = None, **kwargs: Any):
            super().__init__(**kwargs)
            self.factor, self.sublayer = factor, sublayer

        def call(self, x: Any) -> Any:
            return self.sublayer(x) * self.factor

        def get_config(self) -> dict[str, Any]:
            sublayer = keras.saving.serialize_keras_object(self.sublayer)
            return {**super().get_config(), "factor": self.factor, "sublayer": sublayer}

        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            sublayer = keras.saving.deserialize_keras_object(config.pop("sublayer"))
            return cls(sublayer=sublayer, **config)

    @keras.saving.register_keras_serializable(package="GuideLayers", name="my_tanh")
    def my_tanh(x: Any) -> Any:
        return ops.tanh(x) * 1.5

    class WithBuildConfig(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.extra = getattr(self, "extra", 2)
            self.w = self.add_weight(shape=(input_shape[-1], self.extra), name="w")

        def call(self, x: Any) -> Any:
            return ops.matmul(x, self.w)

        def get_build_config(self) -> dict[str, Any]:
            return {"input_shape": (None, 4), "extra": self.extra}

        def build_from_config(self, config: dict[str, Any]) -> None:
            self.extra = config["extra"]
            self.build(config["input_shape"])

    class OwnVariables(layers.Dense):
        def save_own_variables(self, store: Any) -> None:
            super().save_own_variables(store)
            store["variables"] = np.asarray([self.units * 10.0])

        def load_own_variables(self, store: Any) -> None:
            self.loaded = float(np.asarray(store["variables"])[0])
            self.kernel.assign(store["0"])
            self.bias.assign(store["1"])

    inputs = keras.Input((4,))
    x = Scaled(0.5, layers.Dense(4, activation=my_tanh), name="scaled")(inputs)
    x = WithBuildConfig(name="built")(x)
    model = filled(keras.Model(inputs, OwnVariables(3, name="own")(x)))
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    x, y = data(8, 4), data(8, 3)
    model.fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0)
    found: dict[str, Any] = {}
    objects = {"WithBuildConfig": WithBuildConfig, "OwnVariables": OwnVariables}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        try:
            keras.saving.load_model(path)
            found["without objects"] = "loaded"
        except Exception as error:
            found["without objects"] = isinstance(error, TypeError)
        given = keras.saving.load_model(path, custom_objects=objects)
        with keras.saving.custom_object_scope(objects):
            scoped = keras.saving.load_model(path)
            again = keras.models.model_from_json(model.to_json())
    more = [
        m.fit(x, y, epochs=1, batch_size=4, shuffle=False, verbose=0).history["loss"] for m in (model, given)
    ]
    config = model.get_layer("scaled").get_config()
    activation = config["sublayer"]["config"]["activation"]
    return {
        **found,
        "given": total(given.get_layer("own").loaded),
        "scoped": total(scoped(x)),
        "again": [len(again.weights), again.count_params()],
        "more": [float(v) for (v,) in more],
        "registered": [
            keras.saving.get_registered_name(Scaled),
            keras.saving.get_registered_name(my_tanh),
            keras.saving.get_registered_object("GuideLayers>my_tanh") is my_tanh,
        ],
        "config": sorted(config),
        "activation": activation["registered_name"],
    }


def some_of_the_weights(keras: Any, Tape: Any) -> dict[str, Any]:
    """Weights by name, those that fit only, those of parts, and what does not fit at all."""
    layers = keras.layers

    def network(classes: int, seed: int, name: str) -> Any:
        return filled(
            keras.Sequential(
                [
                    keras.Input((5,)),
                    layers.Dense(6, activation="relu", name="first"),
                    layers.Dense(4, activation="relu", name="second"),
                    layers.Dense(classes, name=name),
                ]
            ),
            seed,
        )

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        source = network(3, 1, "head")
        new, old = Path(folder) / "s.weights.h5", Path(folder) / "s.h5"
        source.save_weights(new)
        source.save(old)
        target = network(2, 2, "head")
        try:
            target.load_weights(new)
        except Exception as error:
            found["misfit"] = type(error).__name__
        target = network(2, 2, "head")
        target.load_weights(new, skip_mismatch=True)
        found["skipped"] = weights_of(target)
        target = network(2, 3, "other")
        target.load_weights(old, by_name=True)
        found["by name"] = weights_of(target)
        target = network(7, 4, "head")
        target.load_weights(old, by_name=True, skip_mismatch=True)
        found["by name, skipped"] = weights_of(target)
        try:
            network(2, 3, "head").load_weights(new, by_name=True)
        except Exception as error:
            found["by name, new format"] = type(error).__name__
        extractor = keras.Model(source.inputs, source.get_layer("second").output)
        part = Path(folder) / "part.weights.h5"
        extractor.save_weights(part)
        whole = network(3, 5, "head")
        keras.Model(whole.inputs, whole.get_layer("second").output).load_weights(part)
        found["part"] = weights_of(whole)
    return found


def callbacks(keras: Any, Tape: Any) -> dict[str, Any]:
    """All hooks in order, an early stop that restores, a schedule, and logs as they come."""
    heard: list[str] = []

    class Own(keras.callbacks.Callback):
        pass

    def hook(name: str) -> Any:
        def method(self: Any, *args: Any, logs: Any = None) -> None:
            logs = args[-1] if args and isinstance(args[-1], dict) else logs
            number = [a for a in args if isinstance(a, int)]
            heard.append(" ".join([name, *map(str, number), *sorted(logs or {})]))

        return method

    for phase in ("train", "test", "predict"):
        for when in ("begin", "end"):
            setattr(Own, f"on_{phase}_{when}", hook(f"{phase} {when}"))
            setattr(Own, f"on_{phase}_batch_{when}", hook(f"{phase} batch {when}"))
    Own.on_epoch_begin, Own.on_epoch_end = hook("epoch begin"), hook("epoch end")

    class StopAtMinimum(keras.callbacks.Callback):
        def __init__(self, patience: int = 0):
            super().__init__()
            self.patience, self.best_weights = patience, None

        def on_train_begin(self, logs: Any = None) -> None:
            self.wait, self.stopped_epoch, self.best = 0, 0, np.inf

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            current = logs.get("loss")
            if np.less(current, self.best):
                self.best, self.wait, self.best_weights = current, 0, self.model.get_weights()
            else:
                self.wait += 1
                if self.wait >= self.patience:
                    self.stopped_epoch, self.model.stop_training = epoch, True
                    self.model.set_weights(self.best_weights)

    class Rates(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            rate = float(np.asarray(self.model.optimizer.learning_rate))
            self.model.optimizer.learning_rate = rate * (4.0 if epoch >= 2 else 1.0)

    model = filled(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]))
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    x, y = data(12, 4), data(12, 1, seed=9)
    stop = StopAtMinimum(1)
    history = model.fit(
        x,
        y,
        epochs=9,
        batch_size=6,
        validation_split=0.25,
        shuffle=False,
        verbose=0,
        callbacks=[Own(), stop, Rates()],
    )
    model.evaluate(x, y, batch_size=8, verbose=0, callbacks=[Own()])
    model.predict(x, batch_size=8, verbose=0, callbacks=[Own()])
    return {
        **rounded(history.history),
        "heard": heard,
        "stopped": stop.stopped_epoch,
        "weights": weights_of(model),
        "rate": float(np.asarray(model.optimizer.learning_rate)),
    }


def functions_and_preprocessing(keras: Any, Tape: Any) -> dict[str, Any]:
    """Functions as layers; texts, categories and numbers prepared inside of the model."""
    layers, ops = keras.layers, keras.ops
    inputs = keras.Input((4,))
    x = layers.Lambda(lambda x: ops.concatenate([x, x**2], axis=-1), output_shape=(8,))(inputs)
    x = layers.Lambda(lambda x, factor: x * factor, arguments={"factor": 0.5})(x)
    antirectified = ops.relu(x - ops.mean(x, axis=1, keepdims=True))
    lambdas = filled(keras.Model(inputs, layers.Dense(2)(antirectified)))
    lambdas.compile(keras.optimizers.Adam(0.05), "mse")
    first = lambdas.fit(data(10, 4), data(10, 2), epochs=2, batch_size=4, shuffle=False, verbose=0)
    text = ["the cat sat", "a dog ran far", "the dog sat", "cat and dog", "far far away"] * 2
    color = ["red", "green", "blue", "green", "pink"] * 2
    number = (data(10, 3) * 5 + 2).astype("float32")
    vectorizer = layers.TextVectorization(max_tokens=12, output_sequence_length=5)
    vectorizer.adapt(text)
    lookup = layers.StringLookup(output_mode="one_hot")
    lookup.adapt(color)
    normal = layers.Normalization()
    normal.adapt(number)
    buckets = layers.Discretization(num_bins=4, output_mode="one_hot")
    buckets.adapt(number[:, :1])
    words, kind, values = keras.Input((5,), dtype="int64"), keras.Input((5,)), keras.Input((3,))
    x = layers.GlobalAveragePooling1D()(layers.Embedding(12, 4, mask_zero=True)(words))
    x = layers.Concatenate()([x, kind, normal(values), buckets(values[:, :1])])
    model = filled(keras.Model([words, kind, values], layers.Dense(1, activation="sigmoid")(x)))
    normal_again = [total(normal.mean, normal.variance)]
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", metrics=["auc"])
    tokens, colors = np.asarray(vectorizer(text)), np.asarray(lookup(np.asarray(color)))
    second = model.fit(
        [tokens, colors, number], labels(10, 2)[:, None], epochs=3, batch_size=4, shuffle=False, verbose=0
    )
    return {
        "lambdas": rounded(first.history),
        "loss": rounded(second.history)["loss"],
        "normal": normal_again,
        "tokens": tokens.tolist(),
        "colors": colors.tolist(),
        "vocabulary": list(map(str, vectorizer.get_vocabulary())),
        "edges": [float(b) for b in buckets.bin_boundaries],
    }


def without_state(keras: Any, Tape: Any) -> dict[str, Any]:
    """Calls that take all state and give it back: of models, losses' metrics and optimizers."""
    layers = keras.layers
    model = filled(
        keras.Sequential(
            [
                keras.Input((5,)),
                layers.Dense(6, kernel_regularizer="l2"),
                layers.BatchNormalization(momentum=0.8),
                layers.Dense(3),
            ]
        )
    )
    optimizer = keras.optimizers.Adam(0.05)
    optimizer.build(model.trainable_variables)
    metric = keras.metrics.SparseCategoricalAccuracy()
    x, y = data(9, 5), labels(9, 3)
    trainable = [np.asarray(v) for v in model.trainable_variables]
    fixed = [np.asarray(v) for v in model.non_trainable_variables]
    before = weights_of(model)
    outputs, moved = model.stateless_call(trainable, fixed, x, training=True)
    results = model.stateless_call(trainable, fixed, x, training=True, return_losses=True)
    constant, _ = model.stateless_call(trainable, moved, x, training=False)
    gradients = [np.sin(np.arange(t.size).reshape(t.shape)).astype("float32") for t in trainable]
    slots = [np.asarray(v) for v in optimizer.variables]
    stepped, new_slots = optimizer.stateless_apply(slots, gradients, trainable)
    state = metric.stateless_update_state([np.asarray(v) for v in metric.variables], y, outputs)
    found = metric.stateless_result(state)
    for variable, value in zip(model.trainable_variables, stepped, strict=True):
        variable.assign(value)
    for variable, value in zip(model.non_trainable_variables, moved, strict=True):
        variable.assign(value)
    return {
        "outputs": total(outputs, constant),
        "moved": total(*moved),
        "losses": total(*results[2]),
        "stepped": total(*stepped),
        "slots": total(*new_slots),
        "metric": [float(found), len(state)],
        "untouched": [float(metric.result()), int(optimizer.iterations)],
        "before": before,
        "reset": total(*metric.stateless_reset_state()),
        "weights": weights_of(model),
    }


FILES = {
    f.__name__: f
    for f in (serialization, some_of_the_weights, callbacks, functions_and_preprocessing, without_state)
}
