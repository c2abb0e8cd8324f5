"""Models and layers as Keras's guides write them: functional, subclassed, shared, nested, frozen, masked."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.guides.numbers import data, filled, labels, rounded, total, weights_of


def transfer_learning(keras: Any, Tape: Any) -> dict[str, Any]:
    """A frozen base, a new head; then the base is set free and learns slowly, its statistics do not move."""
    layers = keras.layers
    base = filled(
        keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                layers.Conv2D(4, 3, use_bias=False),
                layers.BatchNormalization(),
                layers.ReLU(),
                layers.Conv2D(5, 3, activation="relu"),
            ],
            name="base",
        )
    )
    base.get_layer(index=1).moving_variance.assign(np.linspace(0.5, 2, 4))
    base.trainable = False
    counts = [len(base.trainable_weights), len(base.non_trainable_weights)]
    inputs = keras.Input((8, 8, 3))
    x = layers.Rescaling(scale=2.0, offset=-1)(inputs)
    x = layers.GlobalAveragePooling2D()(base(x, training=False))
    model = keras.Model(inputs, layers.Dense(1, name="head")(layers.Dropout(0.0)(x)))
    filled(model.get_layer("head"))
    x, y = data(16, 8, 8, 3), labels(16, 2)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    how = {"epochs": 2, "batch_size": 8, "shuffle": False, "verbose": 0}
    before = total(*base.get_weights())
    model.compile(keras.optimizers.Adam(0.05), loss, metrics=[keras.metrics.BinaryAccuracy()])
    first = model.fit(x, y, **how)
    frozen = total(*base.get_weights()) == before
    base.trainable = True
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=[keras.metrics.BinaryAccuracy()])
    second = model.fit(x, y, **how)
    counts += [len(model.trainable_weights), len(model.non_trainable_weights), model.count_params()]
    return {
        "first": rounded(first.history),
        "second": rounded(second.history),
        "frozen": frozen,
        "counts": counts,
        "weights": total(*[np.sum(w) for w in base.get_weights()]),
    }


def functional(keras: Any, Tape: Any) -> dict[str, Any]:
    """Several inputs and outputs by name, a shared layer, a nested model, a toy residual network."""
    layers = keras.layers
    title = keras.Input((None,), name="title", dtype="int32")
    body = keras.Input((None,), name="body", dtype="int32")
    tags = keras.Input((4,), name="tags")
    shared = layers.Embedding(20, 5)
    x = layers.concatenate([layers.LSTM(6)(shared(title)), layers.LSTM(3)(shared(body)), tags])
    priority = layers.Dense(1, name="priority")(x)
    department = layers.Dense(3, name="department")(x)
    model = filled(keras.Model([title, body, tags], {"priority": priority, "department": department}))
    model.compile(
        keras.optimizers.RMSprop(1e-2),
        loss={
            "priority": keras.losses.BinaryCrossentropy(from_logits=True),
            "department": keras.losses.CategoricalCrossentropy(from_logits=True),
        },
        loss_weights={"priority": 1.0, "department": 0.2},
    )
    x = {
        "title": labels(60, 20).reshape(12, 5),
        "body": labels(96, 20, 1).reshape(12, 8),
        "tags": data(12, 4),
    }
    y = {"priority": labels(12, 2)[:, None], "department": np.eye(3)[labels(12, 3)]}
    history = model.fit(x, y, epochs=2, batch_size=5, shuffle=False, verbose=0)
    image = keras.Input((8, 8, 3), name="img")
    x1 = layers.Conv2D(4, 3, activation="relu", padding="same")(image)
    x2 = layers.add([layers.Conv2D(4, 3, activation="relu", padding="same")(x1), x1])
    resnet = filled(keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x2)), name="toy"))
    ensemble = [filled(keras.Sequential([keras.Input((6,)), layers.Dense(1)]), seed) for seed in (1, 2, 3)]
    inputs = keras.Input((6,))
    whole = keras.Model(inputs, layers.average([member(inputs) for member in ensemble]))
    features = keras.Model(resnet.inputs, [layer.output for layer in resnet.layers])
    again = keras.Model.from_config(resnet.get_config())
    again.set_weights(resnet.get_weights())
    pictures = data(3, 8, 8, 3)
    return {
        **rounded(history.history),
        "names": [w.path for w in model.weights][-2:],
        "outputs": total(
            *[
                model.predict(x_, verbose=0)["priority"]
                for x_ in [
                    {
                        "title": labels(8, 20).reshape(2, 4),
                        "body": labels(6, 20).reshape(2, 3),
                        "tags": data(2, 4),
                    }
                ]
            ]
        ),
        "ensemble": total(whole(data(4, 6))),
        "features": total(*features(pictures)),
        "again": total(again(pictures)),
        "layers": [layer.name for layer in resnet.layers[-2:]],
    }


def subclassing(keras: Any, Tape: Any) -> dict[str, Any]:
    """Weights made in `build`, weights that do not train, layers of layers, losses, masks and training."""
    ops = keras.ops

    class Linear(keras.layers.Layer):
        def __init__(self, units: int = 4, **kwargs: Any):
            super().__init__(**kwargs)
            self.units = units

        def build(self, input_shape: Any) -> None:
            self.w = self.add_weight(
                shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True
            )
            self.b = self.add_weight(shape=(self.units,), initializer="random_normal", trainable=True)

        def call(self, inputs: Any) -> Any:
            return ops.matmul(inputs, self.w) + self.b

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "units": self.units}

    class ComputeSum(keras.layers.Layer):
        def __init__(self, size: int):
            super().__init__()
            self.total = self.add_weight(initializer="zeros", shape=(size,), trainable=False)

        def call(self, inputs: Any) -> Any:
            self.total.assign_add(ops.sum(inputs, axis=0))
            return self.total

    class Block(keras.layers.Layer):
        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.parts = [Linear(6), Linear(6), Linear(1)]
            self.named = {"scale": keras.layers.Dense(1, use_bias=False)}
            self.dropout = keras.layers.Dropout(0.0)

        def call(self, inputs: Any, training: Any = None) -> Any:
            x = ops.relu(self.parts[0](inputs))
            x = self.dropout(ops.relu(self.parts[1](x)), training=training)
            self.add_loss(1e-2 * ops.sum(x))
            return self.parts[2](x) + self.named["scale"](inputs)

    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.block, self.twice = Block(), Linear(1)

        def call(self, x: Any, training: Any = None) -> Any:
            y = self.block(x, training=training)
            return y + (self.twice(x) * 0.5 if training else self.twice(x))

    sums = ComputeSum(2)
    running = [total(sums(np.ones((2, 2), "float32"))), total(sums(np.ones((2, 2), "float32")))]
    model, x = Net(), data(14, 5)
    model(x)
    filled(model)
    model.compile(keras.optimizers.Adam(0.02), keras.losses.MeanSquaredError())
    history = model.fit(x, x[:, :1], epochs=3, batch_size=4, shuffle=False, verbose=0)
    copy = Linear.from_config(Linear(3, name="mine").get_config())
    return {
        **rounded(history.history),
        "running": running,
        "copy": [copy.units, copy.name],
        "counts": [
            len(model.weights),
            len(model.trainable_weights),
            len(sums.trainable_weights),
            len(list(model.layers)),
            len(model.losses),
        ],
        "predicted": total(model.predict(x, verbose=0)),
        "weights": weights_of(model),
    }


def masking(keras: Any, Tape: Any) -> dict[str, Any]:
    """Masks that layers make, pass on, consume, and those that are called for by hand."""
    layers, ops = keras.layers, keras.ops

    class TemporalSplit(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return ops.split(inputs, 2, axis=1)

        def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
            return None if mask is None else ops.split(mask, 2, axis=1)

    class CustomEmbedding(layers.Layer):
        def __init__(self, rows: int, width: int, mask_zero: bool = False, **kwargs: Any):
            super().__init__(**kwargs)
            self.rows, self.width, self.mask_zero = rows, width, mask_zero

        def build(self, input_shape: Any) -> None:
            self.embeddings = self.add_weight(shape=(self.rows, self.width), initializer="random_normal")

        def call(self, inputs: Any) -> Any:
            return ops.take(self.embeddings, ops.cast(inputs, "int32"), 0)

        def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
            return ops.not_equal(inputs, 0) if self.mask_zero else None

    class Passing(layers.Layer):
        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.supports_masking = True

        def call(self, inputs: Any) -> Any:
            return ops.relu(inputs)

    class TemporalSoftmax(layers.Layer):
        def call(self, inputs: Any, mask: Any = None) -> Any:
            broadcast = ops.expand_dims(ops.cast(mask, "float32"), -1)
            e = ops.exp(inputs) * broadcast
            return e / ops.sum(e * broadcast, axis=1, keepdims=True)

    tokens = keras.utils.pad_sequences([[7, 2], [3, 4, 5, 6], [1], [9, 8, 1, 2, 3]], padding="post", maxlen=6)
    inputs = keras.Input((None,), dtype="int32")
    x = Passing()(CustomEmbedding(10, 4, mask_zero=True)(inputs))
    x = TemporalSoftmax()(layers.Dense(3)(x))
    model = filled(keras.Model(inputs, layers.GRU(4)(x)))
    embedding = layers.Embedding(10, 4, mask_zero=True)
    embedded = embedding(tokens)
    halves = TemporalSplit().compute_mask(embedded, embedding.compute_mask(tokens))
    masks = [np.asarray(half).astype(int).tolist() for half in halves]
    computed = np.asarray(embedding.compute_mask(tokens)).astype(int).tolist()
    lstm = layers.LSTM(3)
    rows = data(4, 6, 2)
    lstm.build((None, 6, 2))
    filled(lstm)
    by_hand = [
        lstm(rows, mask=np.asarray(computed, bool)),
        lstm(layers.Masking(0.0)(rows * (tokens != 0)[..., None])),
    ]
    model.compile(keras.optimizers.SGD(0.1), "mse")
    history = model.fit(tokens, data(4, 4), epochs=3, batch_size=2, shuffle=False, verbose=0)
    return {
        **rounded(history.history),
        "masks": masks,
        "computed": computed,
        "by hand": total(*by_hand),
        "weights": weights_of(model),
    }


def recurrent(keras: Any, Tape: Any) -> dict[str, Any]:
    """A cell with two states, states passed on and reset, sequences both ways, states by hand."""
    layers, ops = keras.layers, keras.ops

    class TwoStates(layers.Layer):
        def __init__(self, units: int, rows: int, **kwargs: Any):
            super().__init__(**kwargs)
            self.units, self.rows = units, rows
            self.state_size = [units, rows * units]
            self.output_size = units

        def build(self, input_shape: Any) -> None:
            self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
            self.mixing = self.add_weight(shape=(self.rows, self.units), name="mixing")

        def call(self, inputs: Any, states: Any) -> Any:
            plain, table = states
            new = ops.tanh(ops.matmul(inputs, self.kernel) + plain)
            table = 0.5 * ops.reshape(table, (-1, self.rows, self.units))
            table = table + ops.expand_dims(new, 1) * self.mixing
            flat = ops.reshape(table, (-1, self.rows * self.units))
            return new + ops.sum(table, axis=1), [new, flat]

        def get_initial_state(self, batch_size: Any = None) -> Any:
            return [ops.zeros((batch_size, self.units)), ops.ones((batch_size, self.rows * self.units))]

    inputs = keras.Input((4, 3))
    outputs = layers.RNN(TwoStates(3, 2), return_sequences=True, return_state=True)(inputs)
    own = filled(keras.Model(inputs, layers.Dense(1)(outputs[0])))
    own.compile(keras.optimizers.Adam(0.02), "mse")
    history = own.fit(data(6, 4, 3), data(6, 4, 1), epochs=3, batch_size=3, shuffle=False, verbose=0)
    last = total(*keras.Model(inputs, outputs)(data(2, 4, 3)))
    stateful = layers.LSTM(3, stateful=True)
    first = data(2, 3, 4)
    stateful(first)
    filled(stateful)
    stateful.reset_state()
    states = [total(stateful(part)) for part in (first, first, data(2, 5, 4))]
    stateful.reset_state()
    states.append(total(stateful(first)))
    tokens = keras.Input((None,), dtype="int32")
    _, h, c = layers.LSTM(4, return_state=True, name="encoder")(layers.Embedding(9, 3)(tokens))
    target = keras.Input((None,), dtype="int32")
    decoded = layers.LSTM(4, name="decoder")(layers.Embedding(9, 3)(target), initial_state=[h, c])
    translator = filled(keras.Model([tokens, target], layers.Dense(2)(decoded)))
    both = filled(
        keras.Sequential(
            [
                keras.Input((5, 3)),
                layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
                layers.Bidirectional(layers.GRU(2), merge_mode="sum"),
                layers.Dense(2),
            ]
        )
    )
    cells = filled(
        keras.Sequential([keras.Input((5, 3)), layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)])])
    )
    words = labels(12, 9).reshape(3, 4)
    return {
        **rounded(history.history),
        "states": states,
        "last": last,
        "weights": weights_of(own),
        "translator": total(translator([words, words[:, ::-1].copy()])),
        "both": total(both(data(2, 5, 3))),
        "cells": total(cells(data(2, 5, 3))),
        "paths": [w.path.split("/", 1)[1] for w in both.weights][:4],
    }


MODELS = {f.__name__: f for f in (transfer_learning, functional, subclassing, masking, recurrent)}
