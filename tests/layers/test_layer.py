"""What every layer inherits: state, building, config."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops
from kcompile.trace.tracer import trace
from tests.layers.check import parameters
from tests.layers.own_layers import Outer, Scale

X = np.ones((2, 3), "float32")


# --- state --------------------------------------------------------------------------------------------------


def test_nested_layers_are_found_and_named_by_their_place():
    outer = Outer(name="outer")
    outer(X)
    kernels = [w.path for w in outer.weights if w.name == "kernel"]
    assert kernels == [f"outer/{name}/kernel" for name in ("first", "second", "third", "fourth")]


def test_own_weights_come_before_those_of_nested_layers():
    class Mixed(Outer):
        def build(self, input_shape):
            self.late = self.add_weight((1,), name="late", trainable=False)
            self.early = self.add_weight((1,), name="early")

    mixed = Mixed(name="mixed")
    mixed(X)
    assert [w.name for w in mixed.weights[:3]] == ["early", "late", "kernel"]
    assert [w.name for w in mixed.non_trainable_weights] == ["late"]


def test_older_names_of_keras():
    class Older(layers.Layer):
        def build(self, input_shape):
            self.a = self.add_variable((2,), "ones", trainable=False, name="a")

    layer = Older(name="older")
    layer.build((2, 3))
    assert layer.a.path == "older/a" and layer.non_trainable_weights == [layer.a] and layer.supports_jit
    held = layers.InputLayer((2,))
    assert not held.sparse and not held.ragged


def test_trainable_reaches_nested_layers():
    outer = Outer()
    outer(X)
    outer.trainable = False
    assert outer.trainable_weights == [] and len(outer.non_trainable_weights) == 8
    assert not outer.listed[0].trainable and not outer.first.kernel.trainable
    outer.first.trainable = True
    assert outer.trainable_weights == []  # the outer layer decides
    outer.trainable = True
    assert len(outer.trainable_weights) == 8


def test_seeds_are_variables_but_not_weights():
    class Noisy(layers.Layer):
        def __init__(self):
            super().__init__()
            self.seeds = keras.random.SeedGenerator(3)
            self.total = keras.metrics.Mean(name="total")
            self.dense = layers.Dense(1)

        def call(self, inputs):
            return self.dense(inputs)

    noisy = Noisy()
    noisy(X)
    assert [v.name for v in noisy.variables] == ["seed_generator_state", "kernel", "bias"]
    assert [v.name for v in noisy.weights] == ["kernel", "bias"]
    assert [m.name for m in noisy.metrics] == ["total"]
    assert noisy.metrics_variables == noisy.total.variables


def test_no_new_state_after_building():
    outer = Outer()
    outer(X)
    outer.note = "fine"
    outer.numbers = [1, 2]
    with pytest.raises(ValueError, match="cannot add new elements of state"):
        outer.extra = layers.Dense(1)
    with pytest.raises(ValueError, match="cannot add new elements of state"):
        outer.listed.append(layers.Dense(1))
    with pytest.raises(ValueError, match="cannot add new elements of state"):
        outer.add_weight((1,))


def test_set_weights_checks_everything_first():
    dense = layers.Dense(2, name="dd")
    dense(X)
    before = dense.get_weights()
    with pytest.raises(ValueError, match=r"layer 'dd' with a weight list of length 1.*expecting 2"):
        dense.set_weights(before[:1])
    with pytest.raises(ValueError, match=r"Layer dd weight shape \(2,\) is not compatible.*\(3,\)"):
        dense.set_weights([before[0] + 1, np.ones(3)])
    np.testing.assert_array_equal(dense.get_weights()[0], before[0])
    dense.set_weights([before[0] + 1, before[1]])
    np.testing.assert_array_equal(dense.kernel.numpy(), before[0] + 1)


def test_own_variables_can_be_stored():
    source, target, store = layers.Dense(2), layers.Dense(2), {}
    source(X), target(X)
    source.save_own_variables(store)
    assert list(store) == ["0", "1"]
    target.load_own_variables(store)
    np.testing.assert_array_equal(target(X), source(X))
    with pytest.raises(ValueError, match="expected 2 variables, but received 1"):
        target.load_own_variables({"0": store["0"]})
    with pytest.raises(ValueError, match="was never built"):
        layers.Dense(2).load_own_variables(store)


def test_count_params_needs_weights():
    with pytest.raises(ValueError, match="isn't built"):
        layers.Dense(2, name="d").count_params()
    dense = layers.Dense(2)
    dense.build((None, 3))
    assert dense.count_params() == 8


@pytest.mark.parametrize("arguments", [((3,), "ones"), ("w", (3,), "ones")], ids=["shape", "name"])
def test_add_weight_in_both_orders(arguments):
    layer = layers.Layer(name="holder")
    weight = layer.add_weight(*arguments)
    assert weight.shape == (3,) and weight.numpy().tolist() == [1, 1, 1]
    assert weight.path == f"holder/{weight.name}" and layer.weights == [weight]


def test_add_weight_defaults():
    layer = layers.Layer(dtype="float64")
    assert layer.add_weight((200, 300)).dtype == "float64"
    assert abs(layer.weights[0].numpy().std() - np.sqrt(2 / 500)) < 1e-3  # Glorot
    counter = layer.add_weight(dtype="int32", trainable=False, regularizer="l2", constraint="non_neg")
    assert counter.numpy() == 0 and type(counter.regularizer).__name__ == "L2"
    assert type(counter.constraint).__name__ == "NonNeg"


# --- building -----------------------------------------------------------------------------------------------


def test_build_config_round_trip():
    class TwoInputs(layers.Layer):
        def build(self, first_shape, second_shape):
            self.a = self.add_weight((first_shape[-1], second_shape[-1]), name="a")

        def call(self, first, second):
            return ops.matmul(first, self.a) + second

    layer = TwoInputs()
    layer(X, np.ones((2, 5), "float32"))
    assert layer.get_build_config() == {"shapes_dict": {"first_shape": (2, 3), "second_shape": (2, 5)}}
    copy = TwoInputs()
    copy.build_from_config({"shapes_dict": {"first_shape": [None, 3], "second_shape": [None, 5]}})
    assert copy.a.shape == (3, 5)


def test_a_layer_built_in_a_trace_gets_numbers():
    layer = layers.Dense(2, kernel_initializer=keras.initializers.HeNormal(keras.random.SeedGenerator(1)))
    graph, _ = trace(layer, parameters([X]))
    assert type(layer.kernel.numpy()) is np.ndarray and layer.kernel.numpy().any()
    assert layer.get_build_config() == {"input_shape": (None, 3)}
    assert {v.name for v in graph.variables.values()} == {"kernel", "bias"}


def test_super_build_and_super_init():
    class Louder(layers.Dense):
        def build(self, input_shape):
            super().build(input_shape)
            self.extra = self.add_weight((1,), name="extra")

    louder = Louder(2, name="louder")
    louder(X)
    assert [w.path for w in louder.weights] == ["louder/kernel", "louder/bias", "louder/extra"]

    class Forgetful(layers.Layer):
        def __init__(self):
            self.units = 3

        def call(self, x):
            return x

    with pytest.raises(RuntimeError, match=r"forgot to call `super\(\).__init__\(\)`"):
        Forgetful()(X)


def test_arguments_of_sequential_input():
    with pytest.warns(UserWarning, match="prefer using an `Input"):
        assert layers.Dense(2, input_shape=(3,))._input_shape_arg == (3,)
    with pytest.warns(UserWarning):
        assert layers.Dense(2, input_dim=5)._input_shape_arg == (5,)
    with pytest.raises(ValueError, match=r"Unrecognized keyword arguments passed to Dense: \{'unit': 3\}"):
        layers.Dense(2, unit=3)


# --- config -------------------------------------------------------------------------------------------------


def test_a_config_made_from_constructor_arguments():
    layer = Scale(3, name="three", trainable=False)
    config = layer.get_config()
    assert config["factor"] == 3 and config["name"] == "three" and config["trainable"] is False
    copy = Scale.from_config(config)
    assert copy.factor == 3 and copy.name == "three" and not copy.trainable

    with pytest.raises(NotImplementedError, match=r"Object Scale.*must override `get_config\(\)`"):
        Scale(np.ones(3)).get_config()


def test_from_config_says_what_does_not_fit():
    with pytest.raises(TypeError, match="Dense cannot be made from its config"):
        layers.Dense.from_config({"name": "d"})
    with pytest.raises(ValueError, match="'width': 3"):
        layers.Dense.from_config({"units": 2, "width": 3})


def test_layers_are_serialized_by_public_name():
    data = layers.serialize(layers.Dense(2, name="d"))
    assert (data["module"], data["class_name"]) == ("keras.layers", "Dense")
    assert layers.deserialize(data).units == 2


def test_an_automatic_config_names_only_what_the_constructor_takes():
    class Closed(layers.Layer):
        def __init__(self, units):
            super().__init__()
            self.units = units

    assert Closed(3).get_config().keys() == {"units", "trainable", "dtype"}


def test_inputs_that_are_given():
    x = keras.Input((3,), name="x")
    assert keras.Input(tensor=x) is x
    assert keras.Input(shape=(3,), dtype="float32", tensor=x) is x
    given = layers.InputLayer(input_tensor=keras.Input(batch_shape=(2, 3), dtype="int32"), batch_size=2)
    assert (given.batch_shape, given.dtype) == ((2, 3), "int32")
    assert layers.InputLayer(batch_input_shape=(2, 3)).batch_shape == (2, 3)
    assert layers.InputLayer(input_shape=(3,)).batch_shape == (None, 3)


@pytest.mark.parametrize(
    "arguments",
    [{"shape": (4,)}, {"batch_size": 2}, {"batch_shape": (2, 3)}, {"dtype": "int32"}],
    ids=lambda a: next(iter(a)),
)
def test_what_is_said_beside_a_given_input_agrees_with_it(arguments):
    with pytest.raises(ValueError, match=f"an incompatible `{next(iter(arguments))}` argument"):
        layers.InputLayer(input_tensor=keras.Input((3,)), **arguments)


def test_an_activity_regularizer_may_have_no_factor():
    layer = layers.ActivityRegularization()
    layer(X)
    assert [float(loss) for loss in layer.losses] == [0.0]
    own = layers.Dense(2, activity_regularizer=lambda y: 0.5)
    own(X)
    assert [float(loss) for loss in own.losses] == [0.25]


def test_a_weight_may_start_as_an_array():
    weight = layers.Dense(2).add_weight(shape=(2,), initializer=np.array([1.0, 2.0]))
    np.testing.assert_array_equal(weight, [1, 2])


@pytest.mark.parametrize(
    "shape, text", [(3, "is a tuple"), ("a", "'a' is no dimension"), ((None,), "`None`")]
)
def test_shapes_of_weights(shape, text):
    with pytest.raises(ValueError, match=text):
        layers.Dense(2, name="d").add_weight(shape=shape)


@pytest.mark.parametrize("error", [TypeError, ValueError])
@pytest.mark.parametrize(
    "config",
    [{"units": 2, "foo": 1}, {"units": -1}, {"units": 2, "activation": "no"}, {"units": 2, "dtype": "no"}],
)
def test_what_a_config_says_wrong_is_a_type_error_as_in_keras(config, error):
    with pytest.raises(error, match="(?s)Dense cannot be made from its config.*Received: |hint"):
        layers.Dense.from_config(config)


def test_only_layers_are_deserialized():
    with pytest.raises(TypeError, match="Could not locate class or function 'Foo'"):
        layers.deserialize({"class_name": "Foo", "config": {}})
    for config in (None, "Dense", {"a": 1}, keras.losses.serialize(keras.losses.MeanSquaredError())):
        with pytest.raises(ValueError, match="takes the config of a layer"):
            layers.deserialize(config)


def test_axes_of_an_input_spec():
    assert layers.InputSpec(ndim=2, axes={"1": 3, -1: 3}).axes == {1: 3, -1: 3}
    with pytest.raises(ValueError, match="Axis 3 is greater than the maximum allowed value: 1"):
        layers.InputSpec(ndim=2, axes={3: 2})
    with pytest.raises(ValueError, match="Axis 2 is greater than the maximum allowed value: 1"):
        layers.InputSpec(max_ndim=2, axes={2: 2})
    for axes in ({"a": 2}, [1]):
        with pytest.raises(TypeError, match="must be a dict with integer keys"):
            layers.InputSpec(axes=axes)
