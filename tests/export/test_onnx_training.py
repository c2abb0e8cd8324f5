"""Training steps as ONNX graphs train a model in onnxruntime as `fit` and `train_on_batch` do."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest

import kcompile
from kcompile import callbacks, layers, losses, ops, optimizers
from kcompile.export.onnx.emit import UnsupportedOps
from tests.cli.cli_tools import call, fails

CLOSE = {"rtol": 1e-4, "atol": 1e-5}  # after steps of a deep model


class Runner:
    """Trains with the file alone: each step is fed what the one before returned."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # it warns of every default of an input
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = [one.name for one in self.session.get_inputs()]
        self.outputs = [one.name for one in self.session.get_outputs()]
        self.back = json.loads(self.session.get_modelmeta().custom_metadata_map["kcompile.state"])
        self.state = {}

    def step(self, *arrays):
        feed = dict(zip(self.inputs, arrays, strict=True)) | self.state
        found = dict(zip(self.outputs, self.session.run(None, feed), strict=True))
        self.state |= {name: found[new] for name, new in self.back.items()}
        return {name: float(found[name]) for name in self.outputs if not name.endswith(".next")}


def mnist_cnn():
    kcompile.utils.set_random_seed(7)
    model = kcompile.Sequential(
        [
            kcompile.Input((28, 28, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def digits(count):
    """Blurred blobs at ten places: a task that is learnt within some steps."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, 10, count).astype("int32")
    x = rng.normal(0, 0.3, (count, 28, 28, 1)).astype("float32")
    for k, label in enumerate(y):
        x[k, 4 + 2 * label : 10 + 2 * label, 5:20] += 1
    return x, y


def test_fifty_steps_of_the_mnist_cnn_give_the_losses_of_fit(tmp_path):
    model, (x, y) = mnist_cnn(), digits(50 * 16)
    model.export(tmp_path / "step.onnx", training=True, verbose=False)
    runner = Runner(tmp_path / "step.onnx")
    seen = []
    record = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs["loss"]))
    model.fit(x, y, batch_size=16, shuffle=False, verbose=0, callbacks=[record])
    found = [runner.step(x[k : k + 16], y[k : k + 16])["loss"] for k in range(0, len(x), 16)]
    means = np.cumsum(found) / np.arange(1, 51)  # fit tells the mean over the epoch so far
    assert len(seen) == 50
    np.testing.assert_allclose(means, seen, **CLOSE)
    assert found[-1] < 0.5 * found[0]
    for weight in model.weights:
        np.testing.assert_allclose(runner.state[weight.path], np.asarray(weight.array), rtol=1e-4, atol=1e-5)


def functional(*shape, build, dtype="float32"):
    x = kcompile.Input(shape, dtype=dtype, name="x")
    return kcompile.Model(x, build(x))


def strided(x):
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="gelu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    x = layers.Conv2D(4, 3, dilation_rate=2, padding="same", groups=2)(x)
    x = layers.AveragePooling2D(2, strides=1, padding="same")(x)
    return layers.Dense(2)(layers.GlobalAveragePooling2D()(x))


def upwards(x):
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="tanh")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(layers.UpSampling2D(2)(x))
    return layers.Dense(2)(layers.Flatten()(x))


def normalized(x):
    x = layers.BatchNormalization()(layers.Conv2D(5, 3, use_bias=False)(x))
    x = layers.LayerNormalization()(layers.LeakyReLU()(x))
    return layers.Dense(2, kernel_regularizer="l2")(layers.Flatten()(x))


def attending(x):
    y = layers.MultiHeadAttention(2, 4)(x, x)
    return layers.Dense(2)(layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x + y)))


def along(x):
    x = layers.Conv1D(4, 3, padding="causal")(x)
    return layers.Dense(2)(layers.GlobalMaxPooling1D()(layers.MaxPooling1D(2)(x)))


MODELS = {
    "strided, sgd": ((9, 8, 4), strided, lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True)),
    "upwards, rmsprop": ((4, 5, 3), upwards, lambda: optimizers.RMSprop(0.01, clipnorm=1.0)),
    "normalized, adamw": ((6, 6, 3), normalized, lambda: optimizers.AdamW(0.01, weight_decay=0.1)),
    "attending, sgd": ((6, 8), attending, lambda: optimizers.SGD(0.1, global_clipnorm=0.5)),
    "along, lion": ((10, 3), along, lambda: optimizers.Lion(0.01)),
}


@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize("name", MODELS)
def test_models_and_optimizers(name, opset, tmp_path):
    kcompile.utils.set_random_seed(3)
    shape, build, optimizer = MODELS[name]
    model = functional(*shape, build=build)
    model.compile(optimizer(), "mse")
    model.export(tmp_path / "step.onnx", training=True, verbose=False, opset_version=opset)
    runner, rng = Runner(tmp_path / "step.onnx"), np.random.default_rng(2)
    for count in (4, 4, 3):
        x = rng.normal(size=(count, *shape)).astype("float32")
        y = rng.normal(size=(count, 2)).astype("float32")
        assert runner.step(x, y)["loss"] == pytest.approx(model.train_on_batch(x, y), rel=1e-4)
    for weight in model.weights:
        if weight.path in runner.state:
            np.testing.assert_allclose(runner.state[weight.path], np.asarray(weight.array), **CLOSE)


def test_several_inputs_outputs_and_metrics(tmp_path):
    kcompile.utils.set_random_seed(4)
    a, b = kcompile.Input((3,), name="a"), kcompile.Input((2,), name="b")
    joined = layers.Concatenate()([a, b])
    model = kcompile.Model(
        [a, b], [layers.Dense(2, name="left")(joined), layers.Dense(1, name="right")(joined)]
    )
    model.compile("sgd", ["mse", losses.Huber()], loss_weights=[1.0, 0.5], metrics=[["mae"], None])
    model.export(tmp_path / "step.onnx", training=True, verbose=False)
    runner, rng = Runner(tmp_path / "step.onnx"), np.random.default_rng(1)
    assert runner.inputs[:4] == ["a", "b", "y_0", "y_1"]
    arrays = [rng.normal(size=(5, n)).astype("float32") for n in (3, 2, 2, 1)]
    for _ in range(3):
        wanted = model.train_on_batch(arrays[:2], arrays[2:], return_dict=True)
        found = runner.step(*arrays)
        assert found.keys() == wanted.keys()
        for key, value in wanted.items():
            assert found[key] == pytest.approx(float(value), rel=1e-4)


def test_embeddings_and_an_open_length(tmp_path):
    kcompile.utils.set_random_seed(4)
    model = functional(
        None, dtype="int32",
        build=lambda x: layers.Dense(1)(layers.GlobalAveragePooling1D()(layers.Embedding(11, 4)(x))),
    )  # fmt: skip
    model.compile("adagrad", "binary_crossentropy")
    model.export(tmp_path / "step.onnx", training=True, verbose=False)
    runner, rng = Runner(tmp_path / "step.onnx"), np.random.default_rng(1)
    for length in (3, 8):
        x, y = rng.integers(0, 11, (4, length)).astype("int32"), rng.integers(0, 2, (4, 1)).astype("float32")
        assert runner.step(x, y)["loss"] == pytest.approx(model.train_on_batch(x, y), rel=1e-4)


class Positions(layers.Layer):
    """A weight for each of the first twelve steps, of which there may be fewer."""

    def build(self, shape):
        self.table = self.add_weight(shape=(12, shape[-1]), initializer="random_normal", name="table")

    def call(self, x):
        return x + self.table[: ops.shape(x)[1]]


def test_a_table_that_is_cut_to_an_open_length(tmp_path):
    x = kcompile.Input((None, 4))
    model = kcompile.Model(x, layers.Dense(2)(Positions()(layers.Dense(4)(x))))
    model.compile("sgd", "mse")
    model.export(tmp_path / "step.onnx", format="onnx", training=True, verbose=False)
    runner, rng = Runner(tmp_path / "step.onnx"), np.random.default_rng(0)
    for steps in (5, 1, 12):
        batch = [rng.normal(size=(3, steps, n)).astype("float32") for n in (4, 2)]
        np.testing.assert_allclose(runner.step(*batch)["loss"], model.train_on_batch(*batch), **CLOSE)
    for weight in model.weights:
        np.testing.assert_allclose(runner.state[weight.path], weight.array, **CLOSE)


@pytest.mark.parametrize("others", [0, 1], ids=["two inputs", "three"])
def test_sequences_and_a_mask_of_their_steps(others, tmp_path):
    """Which cannot be told from a mask of one step that is broadcast, unless the lengths are one."""
    kcompile.utils.set_random_seed(4)
    x, mask = kcompile.Input((None, 4)), kcompile.Input((None,), dtype="bool")
    more = [kcompile.Input((None, 4)) for _ in range(others)]
    y = layers.MultiHeadAttention(2, 3)([*more, x][0], x, attention_mask=mask[:, None])
    model = kcompile.Model([*more, x, mask], layers.Dense(2)(y))
    model.compile("sgd", "mse")
    model.export(tmp_path / "step.onnx", format="onnx", training=True, verbose=False)
    runner, rng = Runner(tmp_path / "step.onnx"), np.random.default_rng(0)
    for steps in (5, 2):
        queries = [rng.normal(size=(3, 7, 4)).astype("float32") for _ in more]
        x, y = (
            rng.normal(size=(3, n, k)).astype("float32") for n, k in ((steps, 4), (7 if more else steps, 2))
        )
        batch = [*queries, x, rng.uniform(size=(3, steps)) < 0.8]
        np.testing.assert_allclose(runner.step(*batch, y)["loss"], model.train_on_batch(batch, y), **CLOSE)
    for weight in model.weights:
        np.testing.assert_allclose(runner.state[weight.path], weight.array, **CLOSE)


def test_frozen_weights_stay_and_the_learning_rate_is_an_input(tmp_path):
    kcompile.utils.set_random_seed(4)
    model = kcompile.Sequential(
        [kcompile.Input((3,)), layers.Dense(4, name="fixed"), layers.Dense(1, name="free")]
    )
    model.get_layer("fixed").trainable = False
    model.compile(optimizers.SGD(0.1), "mse")
    model.export(tmp_path / "step.onnx", training=True, verbose=False)
    found = onnx.load(tmp_path / "step.onnx")
    names = [one.name for one in found.graph.input]
    outputs = [one.name for one in found.graph.output]
    assert any(name.endswith("fixed/kernel") for name in names)
    assert not any("fixed" in name for name in outputs)
    assert {one.name for one in found.graph.initializer} >= set(names[2:])  # defaults
    rate = next(name for name in names if name.endswith("learning_rate"))
    runner = Runner(tmp_path / "step.onnx")
    runner.state[rate] = np.array(0, "float32")
    x, y = np.ones((2, 3), "float32"), np.ones((2, 1), "float32")
    assert runner.step(x, y) == runner.step(x, y)  # nothing was learnt


def test_external_data_holds_the_state(tmp_path):
    model = mnist_cnn()
    model.export(tmp_path / "step.onnx", training=True, verbose=False, external_data=True)
    x, y = digits(8)
    runner = Runner(tmp_path / "step.onnx")
    assert (tmp_path / "step.onnx.data").exists()
    assert runner.step(x, y)["loss"] == pytest.approx(model.train_on_batch(x, y)[0], rel=1e-4)


def test_dropout_is_named_and_the_old_file_stays(tmp_path):
    model = kcompile.Sequential([kcompile.Input((3,)), layers.Dropout(0.5, name="drops"), layers.Dense(1)])
    path = tmp_path / "step.onnx"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="not compiled"):
        model.export(path, training=True, verbose=False)
    model.compile("sgd", "mse")
    with pytest.raises(UnsupportedOps, match="drops"):
        model.export(path, training=True, verbose=False)
    with pytest.raises(ValueError, match="fold_batch_norm"):
        model.export(path, training=True, verbose=False, fold_batch_norm=True)
    assert path.read_bytes() == b"old"


def test_command_line(tmp_path):
    model = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.save(tmp_path / "m.keras")
    target = tmp_path / "step.onnx"
    result = call("export", tmp_path / "m.keras", "-o", target, "--training")
    assert result.exit_code == 0, result.output
    assert "loss" in Runner(target).outputs
    assert "--check" in fails("export", tmp_path / "m.keras", "-o", target, "--training", "--check")
    drops = [layers.Dropout(0.5, name="drop_a"), layers.Dropout(0.5, name="drop_b"), layers.Dense(1)]
    dropping = kcompile.Sequential([kcompile.Input((3,)), *drops])
    dropping.compile("sgd", "mse")
    dropping.save(tmp_path / "dropping.keras")
    said = fails("export", tmp_path / "dropping.keras", "-o", target, "--training")
    assert [line for line in said.splitlines() if "drop_a" in line] != []
    assert [line for line in said.splitlines() if "drop_b" in line] != []
    plain = kcompile.Sequential([kcompile.Input((3,)), layers.Dense(1)])
    plain.save(tmp_path / "plain.keras")
    assert "not compiled" in fails("export", tmp_path / "plain.keras", "-o", target, "--training")


def test_labels_of_every_step_of_an_open_length(tmp_path):
    kcompile.utils.set_random_seed(4)
    model = functional(
        None, dtype="int32",
        build=lambda x: layers.Dense(5)(layers.GRU(3, return_sequences=True)(layers.Embedding(11, 4)(x))),
    )  # fmt: skip
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
    model.export(tmp_path / "step.onnx", training=True, verbose=False)
    runner, rng = Runner(tmp_path / "step.onnx"), np.random.default_rng(1)
    for length in (3, 8):
        x, y = rng.integers(0, 11, (4, length)).astype("int32"), rng.integers(0, 5, (4, length), "int32")
        assert runner.step(x, y)["loss"] == pytest.approx(model.train_on_batch(x, y), rel=1e-4)


@pytest.mark.parametrize("name", ["Circle", "CategoricalGeneralizedCrossEntropy"])
def test_losses_of_class_numbers(name, tmp_path):
    """Losses that take one number for each sample, and do not say so in their name."""
    kcompile.utils.set_random_seed(4)
    model = kcompile.Sequential([kcompile.Input((4,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", getattr(losses, name)())
    model.export(tmp_path / "step.onnx", training=True, verbose=False)
    runner, rng = Runner(tmp_path / "step.onnx"), np.random.default_rng(1)
    x, y = rng.normal(size=(6, 4)).astype("float32"), rng.integers(0, 3, 6, "int32")
    for _ in range(2):
        assert runner.step(x, y)["loss"] == pytest.approx(model.train_on_batch(x, y), rel=1e-4)


@pytest.mark.parametrize("form", ["dict", "list", "objects"])
def test_outputs_with_labels_of_several_kinds(form, tmp_path):
    """Class numbers for one, numbers for the other: as the losses of each say."""
    x = kcompile.Input((4,))
    outputs = [layers.Dense(3, "softmax", name="kind")(x), layers.Dense(1, name="size")(x)]
    names = ["sparse_categorical_crossentropy", "mse"]
    losses = kcompile.losses
    loss = {
        "dict": dict(zip(("kind", "size"), names, strict=True)),
        "list": names,
        "objects": {"size": losses.MeanSquaredError(), "kind": losses.SparseCategoricalCrossentropy()},
    }[form]
    model = kcompile.Model(x, outputs)
    model.compile("sgd", loss)
    model.export(tmp_path / "step.onnx", format="onnx", training=True, verbose=False)
    taken = {i.name: i.type.tensor_type.elem_type for i in onnx.load(tmp_path / "step.onnx").graph.input}
    assert (taken["y_0"], taken["y_1"]) == (onnx.TensorProto.INT32, onnx.TensorProto.FLOAT)


@pytest.mark.parametrize("outputs", [1, 2])
def test_weights_of_samples_come_in(outputs, tmp_path):
    kcompile.utils.set_random_seed(0)
    x = kcompile.Input((4,))
    made = [layers.Dense(2, name=f"d{k}")(x) for k in range(outputs)]
    model = kcompile.Model(x, made if outputs > 1 else made[0])
    model.compile(optimizers.SGD(0.1, momentum=0.9), ["mse"] * outputs, loss_weights=[0.3, 2.0][:outputs])
    spec = lambda *shape: kcompile.InputSpec("float32", (None, *shape))  # noqa: E731
    labels, weights = ([spec(*s)] * outputs for s in ((2,), ()))
    signature = [spec(4), labels, weights] if outputs > 1 else [spec(4), *labels, *weights]
    model.export(path := tmp_path / "m.onnx", training=True, input_signature=signature, verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given, names = ([one.name for one in ports] for ports in (session.get_inputs(), session.get_outputs()))
    assert given[-1] == ("sample_weight" if outputs == 1 else "sample_weight_1")
    rng, state = np.random.default_rng(0), {}
    for rows in (3, 5, 5):
        shapes = [(rows, 4), *[(rows, 2)] * outputs, *[(rows,)] * outputs]
        arrays = [rng.uniform(0.2, 2.0, shape).astype("float32") for shape in shapes]
        results = session.run(None, dict(zip(given, arrays, strict=True)) | state)
        found = dict(zip(names, results, strict=True))
        y, w = arrays[1 : 1 + outputs], arrays[1 + outputs :]
        y, w = (y, w) if outputs > 1 else (y[0], w[0])
        wanted = model.train_on_batch(arrays[0], y, sample_weight=w, return_dict=True)
        np.testing.assert_allclose(found["loss"], wanted["loss"], rtol=1e-5)
        state = {name.removesuffix(".next"): a for name, a in found.items() if name.endswith(".next")}
