"""What a shape rule cannot decide while an extent is open, it decides once for each new set of sizes."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.core.errors import ShapeError
from kcompile.core.symbolic import symbol
from kcompile.ir.graph import Graph
from kcompile.ir.shape_rules import OpenRules
from kcompile.passes import pipeline
from tests.programs import make_case

LENGTH = symbol("length")
SHORT = {
    "top_k": (lambda x: ops.top_k(ops.swapaxes(x, 1, 2), 4)[0], 4),
    "max_pool": (lambda x: ops.max_pool(x, 4), 4),
    "average_pool": (lambda x: ops.average_pool(x, 4), 4),
    "conv": (lambda x: ops.conv(x, np.ones((3, 2, 5), "float32")), 3),
    "reduction": (lambda x: ops.max(x, axis=1), 1),
    "body": (lambda x: ops.scan(lambda c, _: (c * 2, ops.max_pool(c, 4)), x, None, length=2)[1], 4),
    "loop": (lambda x: ops.scan(lambda c, _: (c, ops.max(x[:, c:], axis=1)), 0, None, length=2)[1], 1),
}


def _program(function, shape):
    case = make_case("open", function, [np.zeros((2, 6, 2), "float32")], [shape])
    return compile_graph(Graph(case.inputs, case.outputs))


@pytest.mark.parametrize("name", SHORT)
def test_a_program_refuses_what_the_rule_refuses(name):
    function, least = SHORT[name]
    program = _program(function, (2, LENGTH, 2))
    for length in (least + 1, least):
        x = np.random.default_rng(0).normal(size=(2, length, 2)).astype("float32")
        np.testing.assert_allclose(program(x)[0], function(x), rtol=1e-5)
    short = np.zeros((2, least - 1, 2), "float32")
    with pytest.raises(ShapeError) as eager:
        function(short)
    with pytest.raises(ShapeError) as compiled:
        program(short)
    assert str(compiled.value) == str(eager.value)


def test_the_error_names_the_layer():
    x = keras.Input((None, 3))
    model = keras.Model(x, keras.layers.MaxPooling1D(4, name="pool")(x))
    assert model.predict(np.ones((2, 5, 3)), verbose=0).shape == (2, 1, 3)
    with pytest.raises(ShapeError, match=r'(?s)window is larger.* at +layer "functional\w*/pool"'):
        model.predict(np.ones((2, 3, 3)), verbose=0)


def test_rules_are_asked_once_for_each_new_set_of_sizes(monkeypatch):
    program = _program(lambda x: ops.max_pool(x, 2), (2, LENGTH, 2))
    asked = []
    monkeypatch.setattr(OpenRules, "check", lambda rules, symbols: asked.append(dict(symbols)))
    for length in (4, 5, 4, 5, 5):
        program(np.zeros((2, length, 2), "float32"))
    assert asked == [{"length": 4}, {"length": 5}]


OUTSIDE = {
    "edge": lambda x: ops.pad(x, ((0, 0), (1, 1), (0, 0)), mode="edge"),
    "adaptive": lambda x: ops.adaptive_max_pool(x, 2),
    "resize": lambda x: ops.image.resize(x[..., None], (3, 3)),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_nothing_is_refused_as_on_arrays(name):
    function = OUTSIDE[name]
    program = _program(function, (2, LENGTH, 2))
    x = np.ones((2, 3, 2), "float32")
    np.testing.assert_allclose(program(x)[0], function(x), rtol=1e-5)
    for run in (program, function):
        with pytest.raises(ShapeError, match="axis 1 has no elements"):
            run(x[:, :0])


def test_a_crop_stays_inside_of_the_image():
    program = _program(
        lambda x: ops.image.crop_images(x[..., None], 1, 0, target_height=2, target_width=2), (2, LENGTH, 2)
    )
    assert program(np.ones((2, 3, 2), "float32"))[0].shape == (2, 2, 2, 1)
    with pytest.raises(ShapeError, match="elements 1 to 2 of 2 are not there"):
        program(np.ones((2, 2, 2), "float32"))


CROPS = {
    "steps": (keras.layers.Cropping1D((1, 2)), (2, 4, 3)),
    "rows": (keras.layers.Cropping2D(((1, 1), (0, 0))), (2, 3, 1, 3)),
    "columns": (keras.layers.Cropping2D(((0, 0), (0, 2)), data_format="channels_first"), (2, 3, 4, 3)),
}


@pytest.mark.parametrize("name", CROPS)
def test_something_is_left_of_what_is_cropped(name):
    layer, least = CROPS[name]
    first = layer.data_format == "channels_first"
    x = keras.Input((3, None, None) if first else (*[None] * (len(least) - 2), 3))
    model = keras.Model(x, layer(x))
    assert 1 in model.predict(np.ones(least), verbose=0).shape
    at = len(least) - 1 if first else 1
    short = np.ones([d - (k == at) for k, d in enumerate(least)])
    for run in (model, lambda x: model.predict(x, verbose=0), layer):
        with pytest.raises(ValueError, match="should be smaller than the corresponding spatial dimension"):
            run(short)


def test_padded_images_are_no_larger_than_their_target():
    x = keras.Input((None, None, 1))
    model = keras.Model(x, ops.image.pad_images(x, 1, 0, target_height=4, target_width=3))
    assert model(np.ones((2, 3, 2, 1), "float32")).shape == (2, 4, 3, 1)
    for shape in ((2, 4, 2, 1), (2, 3, 4, 1)):
        with pytest.raises(ShapeError, match="leaves no room for the image"):
            model(np.ones(shape, "float32"))


def test_each_element_along_an_open_axis_has_a_count():
    x = keras.Input((None,))
    model = keras.Model(x, keras.ops.repeat(x, [1, 2, 0], axis=1))
    assert model.predict(np.array([[5, 6, 7]]), verbose=0).tolist() == [[5, 6, 6]]
    for columns in (2, 4):
        for run in (model.predict, lambda x: keras.ops.repeat(x, [1, 2, 0], axis=1)):
            with pytest.raises(ValueError, match="repeat: each element along axis 1"):
                run(np.ones((1, columns)))


def test_demands_cost_nothing():
    case = make_case("crop", keras.layers.Cropping1D(1), [np.zeros((2, 6, 2), "float32")], [(2, LENGTH, 2)])
    graph = pipeline.run(Graph(case.inputs, case.outputs))
    assert {node.op.name for node in graph.nodes()} == {"parameter", "slice"}
