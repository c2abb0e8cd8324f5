"""Functional, Sequential and subclassed models: how they are made, called, changed and described."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops
from kcompile.core.config import config
from kcompile.core.serialization import shared_objects
from kcompile.models.functional import Functional

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


@pytest.fixture(autouse=True)
def reference():
    """Programs run through the reference here; tests/models/test_models_like_keras.py runs the compiler "
    "too."""
    with config(target="reference"):
        yield


def chain():
    return keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="relu"), layers.Dense(2)])


def programs(model):
    return model._training.programs._known


# --- functional ---------------------------------------------------------------------------------------------


def test_model_of_inputs_and_outputs_is_functional():
    x = keras.Input((3,))
    y = layers.Dense(2)(x)
    for model in (keras.Model(x, y), keras.Model(inputs=x, outputs=y), keras.Model(x, outputs=y)):
        assert type(model) is Functional and model.input is x and model.output is y


@pytest.mark.filterwarnings("ignore:The input with the key")
def test_structures_of_inputs_and_outputs():
    a, b = keras.Input((3,), name="left"), keras.Input((2,), name="right")
    outputs = {"sum": layers.Dense(2)(a) + b, "all": [a * 2, (b,)]}
    model = keras.Model({"first": a, "second": b}, outputs)
    found = model({"first": X, "second": X[:, :2]})
    np.testing.assert_allclose(found["all"][0], X * 2)
    np.testing.assert_allclose(found["all"][1][0], X[:, :2])
    assert found["sum"].shape == (4, 2)
    listed = keras.Model([a, b], layers.Concatenate()([a, b]))
    np.testing.assert_array_equal(listed([X, X[:, :2]]), listed({"right": X[:, :2], "left": X}))


def test_a_model_can_begin_at_an_inner_tensor():
    x = keras.Input((3,))
    h = layers.Dense(4, name="a")(x)
    y = layers.Dense(2, name="b")(layers.Activation("tanh")(h) + 1)
    whole, tail = keras.Model(x, y), keras.Model(h, y)
    head = keras.Model(x, h)
    assert tail.input_shape == (None, 4) and [layer.name for layer in tail.layers][-1] == "b"
    np.testing.assert_allclose(tail(head(X)), whole(X), rtol=1e-6)
    assert tail.get_layer("b") is whole.get_layer("b")


def test_wrong_functional_models():
    x, other = keras.Input((3,)), keras.Input((3,))
    y = layers.Dense(2)(x)
    with pytest.raises(ValueError, match="is not connected to `inputs`"):
        keras.Model(other, y)
    with pytest.raises(ValueError, match="All `outputs` values must be KerasTensors"):
        keras.Model(x, 3)
    with pytest.raises(ValueError, match="All `inputs` values must be KerasTensors"):
        keras.Model(X, y)
    twice = layers.Dense(2, name="same")(layers.Dense(2, name="same")(x))
    with pytest.raises(ValueError, match='"same" is used 2 times'):
        keras.Model(x, twice)


def test_inputs_are_checked_by_name_and_shape():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    model = keras.Model([a, b], layers.Add()([a, b]), name="adder")
    with pytest.raises(ValueError, match=r'"adder" expects 2 input\(s\), but it received 1'):
        model(X)
    with pytest.raises(ValueError, match=r"Input 1 with name 'b'.*\(None, 3\).*\(None, 2\)"):
        model([X, X[:, :2]])
    with pytest.raises(ValueError, match='Missing data for input "b"'):
        model({"a": X})


def test_last_axis_of_size_one_comes_and_goes():
    x = keras.Input((3,))
    model = keras.Model(x, layers.Dense(2)(x))
    np.testing.assert_array_equal(model(X[..., None]), model(X))
    column = keras.Input((1,))
    assert keras.Model(column, column * 2)(X[:, 0]).shape == (4, 1)
    with pytest.raises(ValueError, match=r"expected shape=\(None, 3\), found shape=\(None, 3, 2\)"):
        model(np.ones((4, 3, 2), "float32"))


def test_inputs_take_the_dtype_of_the_placeholder():
    x = keras.Input((3,), dtype="float32")
    model = keras.Model(x, x / 2)
    assert model(np.array([[1, 2, 3]], "uint8")).tolist() == [[0.5, 1.0, 1.5]]
    assert model(np.array([[1, 2, 3]], "float64")).dtype == "float32"


def test_training_in_functional_models():
    x = keras.Input((3,))
    model = keras.Model(x, layers.Dropout(0.5, seed=1)(x))
    ones = np.ones((50, 3), "float32")
    np.testing.assert_array_equal(model(ones), ones)
    assert (model(ones, training=True) == 0).any()
    always = keras.Model(x, layers.Dropout(0.5, seed=1)(x, training=True))
    assert (always(ones) == 0).any()


def test_a_user_class_over_inputs_and_outputs():
    class Named(keras.Model):
        def __init__(self, units=2):
            x = keras.Input((3,))
            super().__init__(x, layers.Dense(units)(x), name="named")

    model = Named(5)
    assert isinstance(model, Functional) and type(model) is Named
    assert model(X).shape == (4, 5) and model.output_shape == (None, 5)
    assert len(Named().weights) == 2

    class Plain(keras.Model):
        pass

    x = keras.Input((3,))
    plain = Plain(x, layers.Dense(2)(x))
    copy = Plain.from_config(json.loads(json.dumps(plain.get_config())))
    assert type(copy) is Plain and copy.output_shape == (None, 2)


def test_deep_models_need_no_recursion():
    x = y = keras.Input((1,))
    for _ in range(1500):
        y = ops.add(y, 1.0)
    model = keras.Model(x, y)
    assert len(model.operations) == 1501


def test_symbolic_batch_and_open_dimensions():
    x = keras.Input((None, 3))
    model = keras.Model(x, ops.mean(layers.Dense(2)(x), axis=1))
    for steps in (1, 5, 8):
        assert model(np.ones((2, steps, 3), "float32")).shape == (2, 2)
    assert len(programs(model)) == 1


# --- Sequential ---------------------------------------------------------------------------------------------


def test_sequential_is_built_by_input_by_build_or_by_a_call():
    assert chain().built
    by_build, by_call = (keras.Sequential([layers.Dense(4), layers.Dense(2)]) for _ in range(2))
    assert not by_build.built and by_build.weights == []
    by_build.build((None, 3))
    assert by_call(X).shape == (4, 2)
    for model in (by_build, by_call):
        assert model.built and model.input_shape == (None, 3) and model.output_shape == (None, 2)
        assert [w.path.split("/", 1)[1].split("/")[1] for w in model.weights] == ["kernel", "bias"] * 2
    with pytest.warns(UserWarning):
        assert keras.Sequential([layers.Dense(2, input_shape=(3,))]).built


def test_layers_are_added_and_taken_away():
    model = keras.Sequential(name="stack")
    model.add(keras.Input((3,)))
    model.add(layers.Dense(4, name="a"))
    model.add(layers.Dense(2, name="b"))
    assert model.output_shape == (None, 2) and model(X).shape == (4, 2)
    assert model.pop().name == "b"
    assert model.output_shape == (None, 4) and model(X).shape == (4, 4)
    assert [layer.name for layer in model.layers] == ["a"] and len(model.weights) == 2
    model.add(layers.Activation("relu"))
    assert (model(X) >= 0).all()


def test_wrong_stacks():
    model = chain()
    with pytest.raises(ValueError, match=r"Only instances of `keras.Layer`.*3"):
        model.add(3)
    with pytest.raises(ValueError, match="unique names"):
        model.add(layers.Dense(3, name=model.layers[0].name))
    with pytest.raises(ValueError, match="already been configured to use input shape"):
        model.add(keras.Input((5,)))
    with pytest.raises(ValueError, match="cannot build it with input_shape"):
        model.build((None, 7))
    with pytest.raises(AttributeError, match="has no defined input shape"):
        _ = keras.Sequential([layers.Dense(2)]).input_shape
    with pytest.raises(ValueError, match=r"expected axis -1.*value 3"):
        model(np.ones((2, 4), "float32"))


def test_get_layer():
    model = chain()
    assert model.get_layer(index=1) is model.layers[1]
    assert model.get_layer(model.layers[0].name) is model.layers[0]
    with pytest.raises(ValueError, match=r"No such layer: foo. Existing layers are: \['dense"):
        model.get_layer("foo")
    with pytest.raises(ValueError, match="index 5 but model only has 2"):
        model.get_layer(index=5)
    with pytest.raises(ValueError, match="name or layer index"):
        model.get_layer()


# --- subclassed ---------------------------------------------------------------------------------------------


class Residual(keras.Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner = layers.Dense(units)
        self.noise = layers.Dropout(0.5)

    def call(self, inputs, training=False):
        return inputs + self.noise(self.inner(inputs), training=training)


def test_subclassed_models_are_built_by_calls():
    model, other = Residual(), Residual()
    y = model(X)
    assert y.shape == (4, 3) and [w.name for w in model.weights] == ["kernel", "bias"]
    assert (model(X, training=True) != y).any()
    with pytest.warns(UserWarning, match="does not have a `build\\(\\)` method implemented"):
        other.build((None, 3))  # marks it as built, as in Keras; the first call makes what is inside
    assert other.built and other.weights == [] and other(X).shape == (4, 3) and len(other.weights) == 2
    assert model.layers == [model.inner, model.noise]


def test_subclassed_models_work_inside_functional_ones():
    x = keras.Input((3,))
    model = keras.Model(x, Residual()(x))
    assert model.output_shape == (None, 3) and len(model.weights) == 2
    copy = Residual.from_config(Residual(units=4).get_config())
    assert copy.units == 4


def test_a_model_without_call():
    with pytest.raises(NotImplementedError, match=r"does not have a `call\(\)` method"):
        keras.Model()(X)


# --- compiled calls -----------------------------------------------------------------------------------------


def test_one_program_for_all_batch_sizes():
    model = chain()
    eager = model.layers[1](model.layers[0](X))
    np.testing.assert_allclose(model(X), eager, rtol=1e-6)
    np.testing.assert_allclose(model(X[:1]), eager[:1], rtol=1e-5)
    assert len(programs(model)) == 1
    model(X.astype("float64"))
    assert len(programs(model)) == 2


def test_new_weights_need_no_new_program_and_new_attributes_do():
    model = chain()
    before = model(X)
    [entry] = programs(model).values()
    model.layers[1].bias.assign(np.ones(2, "float32"))
    np.testing.assert_allclose(model(X), before + 1, rtol=1e-5)
    assert next(iter(programs(model).values())) is entry
    model.layers[1].activation = ops.negative
    np.testing.assert_allclose(model(X), -(before + 1), rtol=1e-5)


def test_calls_inside_a_trace_or_on_placeholders_are_not_compiled():
    model = chain()
    keras.Model(x := keras.Input((3,)), model(x))
    from tests.layers.check import traced

    np.testing.assert_allclose(traced(model, [X])[0], model(X), rtol=1e-6)
    assert len(programs(model)) == 1  # of the call on the array


def test_losses_and_masks_of_a_call_are_there_after_it():
    x = keras.Input((3,))
    model = keras.Model(x, layers.Dense(2, activity_regularizer="l2")(x))
    y = model(X)
    np.testing.assert_allclose([float(v) for v in model.losses], [0.01 * np.sum(y**2) / 4], rtol=1e-5)


def test_run_eagerly_runs_python():
    seen = []

    class Looks(keras.Model):
        def call(self, inputs):
            seen.append(type(inputs))
            return inputs * 2

    model = Looks()
    model.compile(loss="mse", run_eagerly=True)
    model(X), model(X)
    assert seen == [np.ndarray, np.ndarray]
    seen.clear()
    model.fit(X, X, batch_size=2, epochs=2, verbose=0)
    model.evaluate(X, X, batch_size=2, verbose=0)
    model.predict(X, batch_size=2, verbose=0)
    assert len(seen) == 4 + 2 + 2  # once for each batch, as in Keras


# --- descriptions -------------------------------------------------------------------------------------------


def test_json_round_trip():
    model = chain()
    copy = keras.models.model_from_json(model.to_json())
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(copy(X), model(X))


def test_configs_that_cannot_be_called():
    x = keras.Input((3,))
    data = keras.Model(x, layers.Dense(2)(x)).get_config()
    data["layers"][1]["inbound_nodes"][0]["args"][0]["config"]["keras_history"][1] = 7
    with pytest.raises(ValueError, match="calls whose inputs nobody makes"):
        keras.Model.from_config(data)


def test_summary_range_and_print_fn():
    model = chain()
    lines: list[str] = []
    model.summary(print_fn=lines.append, layer_range=(model.layers[1].name, model.layers[1].name))
    assert model.layers[1].name in lines[0] and f" {model.layers[0].name} (" not in lines[0]
    with pytest.raises(ValueError, match="do not match"):
        model.summary(print_fn=lines.append, layer_range=("x", "y"))


def test_summary_counts_the_optimizer(capsys):
    model = chain()
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.summary()
    text = capsys.readouterr().out
    assert " Total params: 80 (320.00 B)\n Trainable params: 26 (104.00 B)" in text
    assert " Optimizer params: 54 (216.00 B)\n" in text


def test_a_clone_is_compiled_as_the_model_is():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    assert not keras.models.clone_model(model).compiled
    model.compile(keras.optimizers.SGD(0.25), "mae")
    clone = keras.models.clone_model(model)
    assert clone.loss == "mae" and float(clone.optimizer.learning_rate.numpy()) == 0.25
    assert clone.optimizer is not model.optimizer
    functional = keras.Model(model.inputs, model.outputs)
    functional.compile(loss="mse")
    assert keras.models.clone_model(functional).loss == "mse"


def test_clone_with_a_function_and_new_inputs():
    model = chain()
    wide = keras.models.clone_model(
        model, clone_function=lambda layer: layers.Dense.from_config({**layer.get_config(), "units": 7})
    )
    assert wide.output_shape == (None, 7)
    x = keras.Input((3,), name="fresh")
    functional = keras.Model(y := keras.Input((3,)), layers.Dense(2)(y) * 3)
    copy = keras.models.clone_model(functional, input_tensors=x)
    assert copy.input is x and copy.output_shape == (None, 2)
    nested = keras.Model(y, functional(y))
    recursive = keras.models.clone_model(nested, recursive=True)
    assert recursive.layers[1] is not functional and recursive.layers[1].layers[1] is not functional.layers[1]


# --- copies -------------------------------------------------------------------------------------------------


def test_copies_have_their_own_state():
    model = chain()
    model.compile("adam", "mse")
    model.fit(X, X[:, :2], verbose=0)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(copied(X), model(X))
        assert copied.optimizer.iterations.numpy() == 1
        copied.layers[0].kernel.assign(np.zeros((3, 4), "float32"))
        assert model.layers[0].kernel.numpy().any()
        assert not {id(v) for v in copied.variables} & {id(v) for v in model.variables}
    layer = copy.deepcopy(model.layers[1])
    np.testing.assert_array_equal(layer.kernel.numpy(), model.layers[1].kernel.numpy())


def test_copies_of_own_classes():
    model = Residual()
    y = model(X)
    copied = copy.deepcopy(model)
    assert type(copied) is Residual
    np.testing.assert_array_equal(copied(X), y)


def test_a_layer_shared_with_a_nested_model_is_read_back():
    shared = layers.Dense(3, name="shared")
    inner = keras.Sequential([keras.Input((3,)), shared], name="inner")
    x = keras.Input((3,))
    model = keras.Model(x, inner(shared(x)))
    with shared_objects():
        data = model.to_json()
    with shared_objects():
        copied = keras.models.model_from_json(data)
    assert copied.get_layer("inner").layers[0] is copied.get_layer("shared")
    copied.set_weights(model.get_weights())
    np.testing.assert_allclose(copied(X), model(X), rtol=1e-6)
    np.testing.assert_allclose(model(X), inner(shared(X)), rtol=1e-6)


def test_a_frozen_layer_stays_frozen_in_copies_of_its_model(tmp_path):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.Dense(2)(layers.Dense(2, trainable=False)(inputs)))
    model.save(tmp_path / "m.keras")
    copies = [keras.saving.load_model(tmp_path / "m.keras"), keras.Model.from_config(model.get_config())]
    for same in (*copies, keras.models.clone_model(model)):
        assert [layer.trainable for layer in same.layers[1:]] == [False, True]
        assert [w.trainable for w in same.weights] == [False, False, True, True]
        assert same.trainable
