"""Structures of inputs: lists, tuples, dicts and their nesting; what may stand for what."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops


def ones(*shape):
    return np.ones(shape, "float32")


def two():
    return keras.Input((3,), name="a"), keras.Input((2,), name="b")


def joined(structure):
    """A model whose inputs have the structure structure(a, b)."""
    a, b = two()
    return keras.Model(structure(a, b), layers.Concatenate()([a, b]))


AS_LIST, AS_DICT = (lambda a, b: [a, b]), (lambda a, b: {"a": a, "b": b})
NESTED = lambda a, b: {"u": [a], "v": {"w": b}}  # noqa: E731


@pytest.mark.parametrize(
    ("structure", "given"),
    [
        (AS_LIST, [ones(2, 3), ones(2, 2)]),
        (AS_LIST, (ones(2, 3), ones(2, 2))),
        (AS_LIST, {"b": ones(2, 2), "a": ones(2, 3)}),
        (AS_LIST, {"b": ones(2, 2), "a": ones(2, 3), "more": ones(2, 1)}),
        (NESTED, {"u": [ones(2, 3)], "v": {"w": ones(2, 2)}}),
        (NESTED, {"u": (ones(2, 3),), "v": {"w": ones(2, 2)}}),
    ],
)
def test_what_fits(structure, given):
    model = joined(structure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model(given).shape == (2, 5)
        assert model.predict(given, verbose=0).shape == (2, 5)
        model.compile("sgd", "mse")
        model.fit(given, ones(2, 5), verbose=0)
        copy = keras.Model.from_config(model.get_config())
        assert copy(given).shape == (2, 5)


@pytest.mark.parametrize(
    ("structure", "given"),
    [
        (AS_DICT, {"b": ones(2, 2), "a": ones(2, 3), "more": ones(2, 1)}),
        (NESTED, {"u": [ones(2, 3)], "v": {"w": ones(2, 2), "x": ones(2, 1)}}),
        (AS_LIST, ({"x": ones(2, 3)}, ones(2, 2))),
    ],
)
def test_what_fits_with_a_warning(structure, given):
    """Keras takes what it needs, and says that more came, or something nested otherwise."""
    model = joined(structure)
    with pytest.warns(UserWarning, match="structure of the inputs"):
        assert model(given).shape == (2, 5)
    with pytest.warns(UserWarning, match="structure of the inputs"):
        assert model.predict(given, verbose=0).shape == (2, 5)


def test_a_dict_for_one_input_alone():
    x = keras.Input((3,), name="x")
    model = keras.Model(x, layers.Dense(2)(x))
    with pytest.warns(UserWarning, match="structure of the inputs"):
        assert model({"x": ones(4, 3)}).shape == (4, 2)


@pytest.mark.parametrize(
    ("inputs", "outputs", "what"), [([], [1], "inputs"), ([1], [], "outputs"), ({}, {}, "inputs")]
)
def test_a_model_of_nothing(inputs, outputs, what):
    x = keras.Input((3,))
    inputs, outputs = ([x for _ in part] if isinstance(part, list) else part for part in (inputs, outputs))
    with pytest.raises(ValueError, match=f"`{what}` of a model cannot be empty"):
        keras.Model(inputs, outputs)


def test_a_list_for_a_dict():
    with pytest.warns(UserWarning, match="structure of the inputs"):
        assert joined(AS_DICT)([ones(2, 3), ones(2, 2)]).shape == (2, 5)
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    unsorted = keras.Model({"b": b, "a": a}, layers.Concatenate()([a, b]))
    with pytest.raises(ValueError, match=r"give a dict with the keys \['b', 'a'\]"):
        unsorted([ones(2, 2), ones(2, 2)])


@pytest.mark.parametrize(
    ("structure", "given", "match"),
    [
        (AS_LIST, {"a": ones(2, 3)}, 'Missing data for input "b"'),
        (AS_DICT, {"a": ones(2, 3), "c": ones(2, 2)}, 'Missing data for input "b"'),
        (NESTED, {"u": [ones(2, 3)]}, 'Missing data for input "v"'),
        (NESTED, {"u": [ones(2, 3)], "v": [ones(2, 2)]}, "structure of the inputs"),
        (NESTED, {"u": [ones(2, 3)] * 2, "v": {"w": ones(2, 2)}}, "structure of the inputs"),
        (AS_LIST, [ones(2, 3)], r"expects 2 input\(s\)"),
        (AS_LIST, [ones(2, 4), ones(2, 2)], "incompatible with the layer"),
    ],
)
def test_what_does_not_fit(structure, given, match):
    with pytest.raises(ValueError, match=match):
        joined(structure)(given)


def test_keys_that_are_not_the_names_of_inputs():
    with pytest.warns(UserWarning, match="key 'first' has the name 'a'"):
        joined(lambda a, b: {"first": a, "b": b})


def test_one_output_in_a_list():
    """As in Keras: arrays give an array, placeholders keep the list."""
    x = keras.Input((3,))
    model = keras.Model([x], [layers.Dense(2)(x)])
    assert model(ones(4, 3)).shape == model([ones(4, 3)]).shape == (4, 2)
    assert model.predict(ones(4, 3), verbose=0).shape == (4, 2)
    assert isinstance(model(keras.Input((3,))), list)
    model.compile("sgd", "mse")
    model.fit(ones(4, 3), ones(4, 2), verbose=0)


def test_structures_of_outputs_come_back():
    a, b = two()
    model = keras.Model([a, b], {"r": a, "s": (b, [a])})
    found = model.predict([ones(2, 3), ones(2, 2)], verbose=0)
    assert found["r"].shape == (2, 3) and isinstance(found["s"], tuple)
    assert found["s"][0].shape == (2, 2) and found["s"][1][0].shape == (2, 3)
    copy = keras.Model.from_config(model.get_config())
    assert isinstance(copy([ones(2, 3), ones(2, 2)])["s"], tuple)


def test_optional_inputs():
    class Shift(layers.Layer):
        def call(self, x, by=None):
            return x if by is None else x + ops.sum(by)

    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b", optional=True)
    model = keras.Model([a, b], Shift()(a, b))
    assert model([ones(1, 3), ones(1, 2)]).tolist() == [[3, 3, 3]]
    assert model([ones(1, 3), None]).tolist() == [[1, 1, 1]]
    with pytest.raises(ValueError, match="'a'"):
        model([None, ones(1, 2)])


def test_a_loss_is_not_added_from_outside():
    with pytest.raises(NotImplementedError, match="a layer may call it"):
        joined(AS_LIST).add_loss(1.0)


def test_the_state_as_a_tree():
    x = keras.Input((3,))
    model = keras.Model(x, layers.BatchNormalization(name="n")(layers.Dense(2, name="d")(x)))
    model.compile("sgd", "mse")
    model.fit(ones(4, 3), ones(4, 2), verbose=0)
    state = model.get_state_tree("numpy_array")
    assert sorted(state["trainable_variables"]) == ["d", "n"]
    assert sorted(state["non_trainable_variables"]["n"]) == ["moving_mean", "moving_variance"]
    assert int(next(iter(state["optimizer_variables"].values()))["iteration"]) == 1
    kernel = state["trainable_variables"]["d"]["kernel"]
    model.set_state_tree({"trainable_variables": {"d": {"kernel": kernel + 1}}})
    np.testing.assert_array_equal(model.get_layer("d").kernel.numpy(), kernel + 1)
    model.set_state_tree(state)
    np.testing.assert_array_equal(model.get_layer("d").kernel.numpy(), kernel)
    for wrong, match in (
        ({"weights": {}}, "part of a state tree"),
        ({"trainable_variables": {"z": 1}}, "'z'"),
    ):
        with pytest.raises(ValueError, match=match):
            model.set_state_tree(wrong)
    with pytest.raises(ValueError, match="value_format"):
        model.get_state_tree("list")


def test_more_inputs_than_a_sequential_model_has():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    for call in (lambda x: model(x), lambda x: model.fit(x, ones(2, 1), verbose=0)):
        with pytest.raises(ValueError, match="structure of the inputs(.|\n)*give .* alone"):
            call([ones(2, 3), ones(2, 3)])
