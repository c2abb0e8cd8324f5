"""What layers, metrics and optimizers fail with by accident: errors of several types that show the call."""

import inspect
import warnings

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.core.errors import MisfitError

X = np.ones((2, 4), "float32")


def _built():
    layer = layers.Dense(3)
    layer.build(X.shape)
    return layer


ACCIDENTS = {
    "constructor": (
        lambda: layers.BatchNormalization(momentum=["a"]),
        r"BatchNormalization\(momentum=\['a'\]\)",
    ),
    "argument of another name": (lambda: layers.Dense(2)(X, bogus=1), r"Dense\(float32\(2, 4\), bogus=1\)"),
    "call": (
        lambda: layers.RandomCrop(3, 3)({"a": X}),
        r"\{'a': float32\(2, 4\)\}(.|\n)*at +layer \"random_crop",
    ),
    "build": (lambda: layers.LSTM(3).build(()), r"LSTM.build\(\(\)\)"),
    "equation": (lambda: layers.EinsumDense((1, 2), 3)(X), r"EinsumDense.build"),
    "weights": (lambda: layers.Dense(3).set_weights(None), r"Dense.set_weights\(None\)"),
    "config": (lambda: layers.Dense.from_config("a"), r"Dense.from_config\('a'\)"),
    "no function": (lambda: layers.Lambda((1, 2)), r"Lambda\(\(1, 2\)\)"),
    "values of variables": (
        lambda: _built().stateless_call(3, 4, X),
        r"Dense.stateless_call\(3, 4, float32\(2, 4\)\)",
    ),
    "shapes": (lambda: layers.Dense(3).build_from_config(3), r"Dense.build_from_config\(3\)"),
    "store": (lambda: _built().save_own_variables(3), r"Dense.save_own_variables\(3\)"),
    "stored": (lambda: _built().load_own_variables(3), r"Dense.load_own_variables\(3\)"),
    "state of a metric": (
        lambda: keras.metrics.Mean().stateless_update_state(3, 1.0),
        r"Mean.stateless_update_state\(3, 1.0\)",
    ),
    "config of a metric": (lambda: keras.metrics.Mean.from_config(3), r"Mean.from_config\(3\)"),
    "variable of a metric": (lambda: keras.metrics.Mean().add_variable("a"), r"Mean.add_variable\('a'\)"),
    "variables of an optimizer": (lambda: keras.optimizers.Adam().build(3), r"Adam.build\(3\)"),
    "config of an optimizer": (lambda: keras.optimizers.SGD.from_config(3), r"SGD.from_config\(3\)"),
    "gradients": (lambda: keras.optimizers.SGD().apply(3), r"SGD.apply\(3\)"),
    "state of an optimizer": (
        lambda: keras.optimizers.SGD().load_own_variables(3),
        r"SGD.load_own_variables\(3\)",
    ),
    "lines": (lambda: keras.Sequential([_built()]).summary(line_length="a"), r"Sequential.summary"),
    "placeholders": (lambda: layers.Flatten()({"a": keras.Input((3,))}), r"Flatten"),
}


@pytest.mark.parametrize("case", ACCIDENTS)
@pytest.mark.parametrize("kind", [ValueError, TypeError, AttributeError, IndexError, KeyError])
def test_accidents_show_the_call(case, kind):
    fails, match = ACCIDENTS[case]
    with pytest.raises(kind, match=match) as caught:
        fails()
    assert isinstance(caught.value, MisfitError) and caught.value.__cause__ is not None


def test_what_users_raise_stays():
    class Mine(layers.Layer):
        def __init__(self, size):
            super().__init__()
            self.size = {"a": 1}[size]

        def call(self, x):
            return x[:, 9] if self.size == 1 else None

    with pytest.raises(KeyError) as caught:
        Mine("b")
    assert type(caught.value) is KeyError
    with pytest.raises(IndexError) as caught:
        Mine("a")(X)
    assert type(caught.value) is IndexError and 'layer "mine' in str(caught.value)
    with pytest.raises(TypeError, match="size") as caught:
        Mine()
    assert type(caught.value) is TypeError


def test_missing_arguments_are_pythons_own_error():
    with pytest.raises(TypeError, match="units") as caught:
        layers.Dense()
    assert type(caught.value) is TypeError


@pytest.mark.parametrize("shape", ["abc", 3, None])
def test_what_is_no_shape(shape):
    with pytest.raises(TypeError, match="A shape is a tuple of ints and None"):
        layers.ReLU().compute_output_shape(shape)


@pytest.mark.parametrize(
    "fails",
    [
        lambda: layers.MaxPooling2D(strides=0),
        lambda: layers.Conv2D(2, (1.5, 2)),
        lambda: layers.ZeroPadding2D(1.5),
    ],
)
def test_windows_are_values_and_types_of_another_kind(fails):
    for kind in (ValueError, TypeError):
        with pytest.raises(kind, match="integers|elements"):
            fails()


def test_shapes_that_do_not_fit_are_type_errors_too():
    layer = layers.TimeDistributed(layers.Dense(2))
    layer(np.ones((2, 3, 5), "float32"))
    for kind in (ValueError, TypeError):
        with pytest.raises(kind, match="matmul"):
            layer(np.ones((2, 3, 4), "float32"))


def test_warnings_point_to_the_user():
    class Tiny(layers.Dense):
        pass

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        layers.Dense(2, input_shape=(3,)), Tiny(2, input_dim=3)
        layers.LeakyReLU(alpha=0.1), layers.LayerNormalization(rms_scaling=True)
        keras.Sequential([layers.Embedding(3, 2, mask_zero=True), layers.Lambda(lambda x: x)])(
            np.ones((1, 2), int)
        )
    assert len(seen) >= 5 and {w.filename for w in seen} == {__file__}


@pytest.mark.parametrize(
    "shape, given, wanted", [((None, 2), (2, 8), (2, 4, 2)), ((2, None), (2, 6), (2, 2, 3))]
)
def test_reshape_takes_none_for_the_unknown_dimension(shape, given, wanted):
    layer, x = layers.Reshape(shape), np.arange(np.prod(given), dtype="float32").reshape(given)
    assert layer.get_config()["target_shape"] == shape
    np.testing.assert_array_equal(layer(x), x.reshape(wanted))
    inputs = keras.Input((None,))
    np.testing.assert_array_equal(keras.Model(inputs, layer(inputs)).predict(x, verbose=0), x.reshape(wanted))
    with pytest.raises(ValueError, match="more than one"):
        layers.Reshape((None, -1))


@pytest.mark.parametrize("cls", [layers.LayerNormalization, layers.RMSNormalization])
def test_without_epsilon_the_global_one_counts(cls):
    x = np.array([[1.0, -2.0, 0.5, 4.0]], "float32") * 1e-3
    given, default = cls(epsilon=None), cls(epsilon=keras.config.epsilon())
    np.testing.assert_array_equal(given(x), default(x))
    assert given.get_config()["epsilon"] is None


@pytest.mark.parametrize("find", [inspect.signature, inspect.getfullargspec])
def test_parameters_can_be_looked_up(find):
    found = find(layers.Dense.__init__)
    names = list(found.parameters) if find is inspect.signature else found.args
    assert names[:3] == ["self", "units", "activation"]


class _Unshaped:
    shape, dtype = None, "float32"


class _Unwritten:
    def __repr__(self):
        raise OSError("nothing to see")


@pytest.mark.parametrize(
    "given, match", [(_Unshaped(), "<_Unshaped>"), (_Unwritten(), "<_Unwritten>"), ([1] * 1000, r"1,\.\.\.")]
)
def test_arguments_that_cannot_be_shown_do_not_hide_the_error(given, match):
    with pytest.raises(TypeError, match=rf"bogus(.|\n)*{match}"):
        layers.Dense(2)(X, bogus=given)
