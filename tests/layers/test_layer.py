"""What every layer inherits: state, building, calling, training, losses, masks, dtypes, errors, config."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops
from kcompile.core.errors import ShapeError
from kcompile.trace.keras_tensor import KerasTensor
from kcompile.trace.tracer import trace
from tests.layers.check import parameters, traced

X = np.ones((2, 3), "float32")


class Spy(layers.Layer):
    """Notes the `training` that reaches it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []

    def call(self, inputs, training=None):
        self.seen.append(training)
        return inputs


class Outer(layers.Layer):
    """A layer around others, without `build` of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(2, name="first")
        self.listed = [layers.Dense(2, name="second")]
        self.mapped = {"key": (layers.Dense(2, name="third"),)}
        self.listed.append(layers.Dense(1, name="fourth"))

    def call(self, inputs):
        x = self.first(inputs)
        for layer in [self.listed[0], self.mapped["key"][0], self.listed[1]]:
            x = layer(x)
        return x


class Scale(layers.Layer):
    def __init__(self, factor=2, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.gain = self.add_weight((input_shape[-1],), "ones", name="gain")

    def call(self, inputs):
        return inputs * self.gain * self.factor


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


# --- training -----------------------------------------------------------------------------------------------


def test_training_is_explicit_or_inherited_or_default():
    class Holder(layers.Layer):
        def __init__(self):
            super().__init__()
            self.spy, self.other = Spy(), Spy()

        def call(self, inputs):
            return self.other(self.spy(inputs, training=True))

    holder = Holder()
    holder(X), holder(X, training=True), holder(X, training=False)
    assert holder.spy.seen == [True, True, True]
    assert holder.other.seen == [None, True, False]  # what a sibling was told does not matter

    class Default(Spy):
        def call(self, inputs, training=True):
            return super().call(inputs, training)

    default = Default()
    default(X), default(X, training=False)
    assert default.seen == [True, False]


def test_dropout_is_active_in_training_only():
    dropout = layers.Dropout(0.5, seed=3)
    x = np.ones((100, 100), "float32")
    np.testing.assert_array_equal(dropout(x), x)
    np.testing.assert_array_equal(dropout(x, training=False), x)
    y = dropout(x, training=True)
    assert set(np.unique(y)) == {0.0, 2.0} and 0.47 < (y == 0).mean() < 0.53
    assert (dropout(x, training=True) != y).any()  # the next draw is another
    again = layers.Dropout(0.5, seed=3)
    np.testing.assert_array_equal(again(x, training=True), y)


def test_dropout_draws_alike_eagerly_and_traced():
    x = np.ones((8, 9, 4), "float32")
    for make in (
        lambda: layers.Dropout(0.3, noise_shape=(None, 1, 4), seed=5),
        lambda: layers.SpatialDropout1D(0.4, seed=6),
        lambda: layers.GaussianNoise(0.3, seed=7),
        lambda: layers.GaussianDropout(0.3, seed=8),
        lambda: layers.AlphaDropout(0.3, seed=9),
    ):
        eager, other = make(), make()
        found = traced(lambda v, other=other: other(v, training=True), [x])[0]
        np.testing.assert_allclose(found, eager(x, training=True), rtol=1e-6)
        np.testing.assert_array_equal(eager.seed_generator.state.numpy(), other.seed_generator.state.numpy())


@pytest.mark.parametrize("name", ["GaussianNoise", "GaussianDropout", "AlphaDropout"])
def test_noise_keeps_mean_and_has_its_deviation(name):
    x = np.random.default_rng(0).normal(size=(300, 300)).astype("float32")
    layer = getattr(layers, name)(0.2, seed=1)
    y = layer(x, training=True)
    assert abs((y - x).mean()) < 0.01
    if name == "AlphaDropout":
        assert abs(y.std() - 1) < 0.02
    else:
        wanted = 0.2 if name == "GaussianNoise" else np.sqrt(0.2 / 0.8) * x.std()
        assert abs((y - x).std() - wanted) < 0.01


def test_spatial_dropout_drops_whole_channels():
    x = np.ones((4, 5, 6, 7), "float32")
    y = layers.SpatialDropout2D(0.5, seed=0)(x, training=True)
    assert set(np.unique(y)) == {0.0, 2.0}
    assert (y == y[:, :1, :1, :]).all()


# --- losses -------------------------------------------------------------------------------------------------


def test_losses_of_the_last_call_and_of_weights():
    dense = layers.Dense(2, activity_regularizer="l2", kernel_regularizer="l1")
    y = dense(X)
    wanted = [0.01 * np.sum(y**2) / len(X), 0.01 * np.abs(dense.kernel.numpy()).sum()]
    dense(X)
    np.testing.assert_allclose([float(loss) for loss in dense.losses], wanted, rtol=1e-5)
    dense.trainable = False
    assert len(dense.losses) == 1


def test_added_losses_are_those_of_the_outermost_call():
    class Costly(layers.Layer):
        def call(self, inputs):
            self.add_loss(ops.sum(inputs))
            return inputs

    class Holder(layers.Layer):
        def __init__(self):
            super().__init__()
            self.a, self.b = Costly(), Costly()

        def call(self, inputs):
            return self.b(self.a(inputs) * 2)

    holder = Holder()
    holder(X), holder(X)
    assert [float(loss) for loss in holder.losses] == [6.0, 12.0]
    found = traced(lambda x: (holder(x), list(holder.losses))[1], [X])
    assert [float(loss) for loss in found] == [6.0, 12.0]
    assert holder.losses == []  # a finished trace leaves no symbolic losses


# --- masks --------------------------------------------------------------------------------------------------


def test_masks_travel_and_are_used():
    ids = np.array([[1, 2, 0], [3, 0, 0]], "int32")
    embedding = layers.Embedding(5, 4, mask_zero=True)
    x = embedding(ids)
    pooled = layers.GlobalAveragePooling1D()(layers.Dropout(0.5)(x))
    np.testing.assert_allclose(pooled[1], x[1, 0], rtol=1e-6)

    def model(x):
        return layers.GlobalAveragePooling1D()(layers.Activation("linear")(embedding(x)))

    [found] = traced(model, [ids])
    np.testing.assert_allclose(found, pooled, rtol=1e-6)


def test_a_layer_that_ignores_masks_says_so():
    x = layers.Masking()(np.zeros((2, 3, 4), "float32"))
    with pytest.warns(UserWarning, match="does not support masking"):
        flat = layers.Flatten()(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layers.Flatten()(flat)


def test_masks_of_merged_inputs():
    from kcompile.trace.masks import mask_of

    a, b = np.ones((1, 3, 2), "float32"), np.ones((1, 3, 2), "float32")
    a[:, 2], b[:, 1:] = 0, 0
    masking = layers.Masking()
    joined = [masking(a), masking(b)]
    assert mask_of(layers.Add()(joined)).tolist() == [[True, True, False]]
    assert mask_of(layers.Concatenate(axis=1)(joined)).tolist() == [[True, True, False, True, False, False]]
    assert mask_of(layers.Concatenate(axis=1)([joined[0], b])).tolist() == [
        [True, True, False, True, True, True]
    ]


def test_a_masked_softmax_ignores_what_is_masked():
    y = layers.Softmax()(np.zeros((1, 4), "float32"), mask=np.array([[True, False, True, False]]))
    np.testing.assert_allclose(y, [[0.5, 0, 0.5, 0]])


# --- dtypes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, dtype, wanted",
    [
        ("float64", None, "float32"),
        ("float16", None, "float32"),
        ("int32", None, "float32"),
        ("float32", "float64", "float64"),
        ("float32", "float16", "float16"),
        ("float32", "mixed_float16", "float16"),
    ],
)
def test_dense_computes_in_its_dtype(given, dtype, wanted):
    dense = layers.Dense(2, dtype=dtype)
    assert dense(np.ones((2, 3), given)).dtype == wanted
    assert dense.kernel.dtype == ("float32" if dtype in (None, "mixed_float16") else dtype)


def test_the_global_policy_and_its_config():
    keras.dtype_policies.set_dtype_policy("mixed_bfloat16")
    try:
        layer = layers.Dense(2)
    finally:
        keras.dtype_policies.set_dtype_policy("float32")
    assert (layer.compute_dtype, layer.variable_dtype) == ("bfloat16", "float32")
    assert layers.Dense.from_config(layer.get_config()).compute_dtype == "bfloat16"


def test_ints_are_left_alone_where_nothing_is_computed():
    ints = np.arange(6, dtype="uint8").reshape(2, 3)
    assert layers.Flatten()(ints).dtype == "uint8"
    assert layers.Rescaling(0.5)(ints).dtype == "float32"
    with pytest.raises(ValueError, match="Cannot convert 'floof'"):
        layers.Dense(2, dtype="floof")


# --- placeholders -------------------------------------------------------------------------------------------


def test_a_call_on_placeholders_is_remembered():
    x = KerasTensor((None, 3), name="x")
    spy = Spy(name="spy")
    y = spy(x, training=True)
    assert (y.shape, y.dtype) == ((None, 3), "float32")
    assert spy.input is x and spy.output is y
    [node] = spy._inbound_nodes
    assert node.args == (x,) and node.kwargs == {"training": True}
    with pytest.raises(AttributeError, match="never been called"):
        _ = Spy().output


def test_output_shapes_of_own_layers():
    assert Scale().compute_output_shape((None, 3)) == (None, 3)
    assert Outer().compute_output_shape((7, 3)) == (7, 1)

    class Split(layers.Layer):
        def call(self, inputs):
            return {"a": inputs[:, :1], "b": [inputs, ops.sum(inputs, axis=-1)]}

    assert Split().compute_output_shape((None, 3)) == {"a": (None, 1), "b": [(None, 3), (None,)]}
    assert Split()(KerasTensor((None, 3)))["b"][1].shape == (None,)


# --- errors -------------------------------------------------------------------------------------------------


def test_an_error_inside_names_the_innermost_layer_and_keeps_its_type():
    class Broken(layers.Layer):
        def call(self, inputs):
            raise LookupError("nothing there")

    class Around(layers.Layer):
        def __init__(self):
            super().__init__(name="around")
            self.inner = Broken(name="broken")

        def call(self, inputs):
            return self.inner(inputs)

    with pytest.raises(LookupError) as caught:
        Around()(X)
    assert str(caught.value).startswith("nothing there")
    assert 'layer "broken" (Broken), path around/broken' in str(caught.value)
    assert str(caught.value).count("at  ") == 1


def test_a_shape_error_inside_stays_one():
    class Bad(layers.Layer):
        def call(self, inputs):
            return ops.reshape(inputs, (7, 7))

    with pytest.raises(ShapeError, match=r'(?s)number of elements.*layer "bad_one" \(Bad\)'):
        Bad(name="bad_one")(X)


@pytest.mark.parametrize(
    "inputs, text",
    [
        (np.ones((2, 4)), r'layer "dd" is incompatible.*expected axis -1.*value 3.*shape \(2, 4\)'),
        (np.ones(4), r"expected min_ndim=2, found ndim=1. Full shape received: \(4,\)"),
        ([X, X], r'Layer "dd" expects 1 input\(s\), but it received 2'),
        ([[1.0, 2.0, 3.0]], r"Only input tensors may be passed as positional arguments.*1.0"),
    ],
)
def test_wrong_inputs(inputs, text):
    dense = layers.Dense(2, name="dd")
    dense(X)
    with pytest.raises(ValueError, match=text):
        dense(inputs)


def test_wrong_arguments_of_a_call():
    with pytest.raises(TypeError, match="inputs"):
        layers.Dense(2)()
    with pytest.raises(TypeError, match="foo"):
        layers.Dense(2)(X, foo=1)
    with pytest.raises(NotImplementedError, match="does not have a `call` method"):
        layers.Layer()(X)


@pytest.mark.parametrize("name", ["a/b", 3])
def test_wrong_names(name):
    with pytest.raises(ValueError, match="cannot contain character `/`"):
        layers.Layer(name=name)


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
