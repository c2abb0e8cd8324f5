"""`kcompile.jit`: how many programs it compiles, and that open dimensions never change a result."""

from __future__ import annotations

import collections
import functools

import numpy as np
import pytest

import kcompile
from kcompile import compiler, ops


@pytest.fixture
def compiled(monkeypatch):
    """The graphs that are compiled."""
    graphs = []
    compile_graph = compiler.compile_graph
    monkeypatch.setattr(compiler, "compile_graph", lambda g: graphs.append(g) or compile_graph(g))
    return graphs


def array(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


def test_the_second_batch_size_opens_the_dimension(compiled):
    weights = array(4, 3)

    @kcompile.jit
    def dense(x):
        return ops.relu(ops.matmul(x, weights))

    for size in (2, 5, 7, 33, 2, 5, 64):
        x = array(size, 4)
        np.testing.assert_allclose(dense(x), np.maximum(x @ weights, 0), rtol=1e-5, atol=1e-6)
    assert len(compiled) == 2
    assert [g.inputs[0].shape[1] for g in compiled] == [4, 4]


def test_one_and_nothing_are_programs_of_their_own(compiled):
    """They broadcast: what is right for all longer tensors may be wrong for them."""

    @kcompile.jit
    def total(x, y):
        return ops.sum(x * y, axis=0)

    for size in (3, 4, 6, 1, 0, 9):
        x, y = array(size, 2), array(size, 2)
        np.testing.assert_allclose(total(x, y), (x * y).sum(0), rtol=1e-5, atol=1e-6)
    assert len(compiled) == 4
    np.testing.assert_allclose(total(array(1, 2), array(5, 2)), (array(1, 2) * array(5, 2)).sum(0), rtol=1e-5)


def test_dimensions_that_were_equal_stay_equal(compiled):
    @kcompile.jit
    def outer(x, y):
        return ops.expand_dims(x, 1) + y

    for sizes in ((3, 3), (4, 4), (6, 6), (4, 7), (5, 8), (9, 3)):
        x, y = (array(n) for n in sizes)
        np.testing.assert_allclose(outer(x, y), x[:, None] + y, rtol=1e-6)
    assert [len({*g.inputs[0].shape, *g.inputs[1].shape}) for g in compiled] == [1, 1, 2]


def test_several_open_dimensions_open_one_after_another(compiled):
    @kcompile.jit
    def double(x):
        return x * 2.0

    for shape in ((2, 3), (4, 3), (4, 5), (7, 9), (3, 8)):
        np.testing.assert_allclose(double(array(*shape)), array(*shape) * 2)
    assert len(compiled) == 3


def _number_or(dimension, other):
    try:
        return float(int(dimension))
    except TypeError:
        return float(other)


def _is_above(dimension, bound):
    try:
        return 2.0 if dimension > bound else 3.0
    except TypeError:
        return 5.0


@functools.lru_cache
def _cached(shape):
    return 2.0 if shape[0] in (3, 4) else 5.0


@pytest.mark.parametrize(
    "function",
    [
        lambda x: sum(x[k] for k in range(x.shape[0])),
        lambda x: x * 2.0 if x.shape[0] == 3 else x * 5.0,
        lambda x: x * 2.0 if x.shape[0] != 3 else x * 5.0,
        lambda x: x * 2.0 if x.shape in ((3, 2), (4, 2)) else x * 5.0,
        lambda x: x * (2.0 if x.shape[0] > 3 else 5.0),
        lambda x: x / x.shape[0] if isinstance(x.shape[0], int) else x / float(x.shape[0]),
        lambda x: x + np.ones(x.shape, "float32"),
        lambda x: ops.reshape(x, (x.shape[0] * 2,))[:3],
        lambda x: x * 2.0 if x.shape[0] in {3, 4} else x * 5.0,
        lambda x: x * 2.0 if x.shape in {(3, 2), (4, 2)} else x * 5.0,
        lambda x: x * {3: 2.0, 4: 7.0}.get(x.shape[0], 5.0),
        lambda x: x * (2.0 if isinstance(x.shape[0], int) else 5.0),
        lambda x: x * (2.0 if isinstance(ops.concatenate([x, x]).shape[0], (int, np.integer)) else 5.0),
        lambda x: x * float(len(str(x.shape[0]).replace("3", ""))),
        lambda x: x * float(f"{x.shape[0]}" == "3"),
        lambda x: x * float(repr(x.shape) == "(5, 2)"),
        lambda x: x * float(hash(x.shape[0]) % 5),
        lambda x: x * float(hash(x.shape) % 7),
        lambda x: x * 2.0 if x.shape[0] % 2 else x * 5.0,
        lambda x: x * 2.0 if not x.shape[0] - 3 else x * 5.0,
        lambda x: x * float(collections.Counter(x.shape)[4]),
        lambda x: x * _number_or(x.shape[0], 9),
        lambda x: x * _is_above(x.shape[0], 4),
        lambda x: x * float(_cached(x.shape)),
    ],
)
def test_python_that_needs_an_extent_gets_it(function):
    run = kcompile.jit(function)
    for size in (4, 5, 3, 6):
        x = array(size, 2)
        np.testing.assert_allclose(run(x), function(x), rtol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ops.mean(x, axis=0) / x.shape[0] if x.shape[0] else x,
        lambda x: ops.concatenate([x, x], axis=0)[: x.shape[0] // 2],
        lambda x: ops.softmax(ops.reshape(x, (-1,)) * ops.shape(x)[0]),
        lambda x: ops.sum(ops.pad(x, ((1, 2), (0, 0)))) if x.shape[0] == ops.exp(x).shape[0] else x,
    ],
)
def test_functions_for_any_extent_stay_one_program(compiled, function):
    run = kcompile.jit(function)
    for size in (4, 5, 3, 6):
        run(array(size, 2))
    assert len(compiled) == 2


def test_dynamic_can_be_turned_off(compiled):
    @kcompile.jit(dynamic=False)
    def double(x):
        return x * 2.0

    for size in (2, 3, 4, 3):
        double(array(size))
    assert len(compiled) == 3


def test_other_dtypes_ranks_and_arguments_are_other_programs(compiled):
    @kcompile.jit
    def scaled(x, by="two"):
        return x * {"two": 2, "three": 3}[by]

    two, three = [array(3), array(4), array(2, 2), np.arange(4), array(8)], [array(5), array(6), array(9)]
    for x, by in [(x, "two") for x in two] + [(x, "three") for x in three]:
        np.testing.assert_allclose(scaled(x, by), x * {"two": 2, "three": 3}[by], rtol=1e-6)
    assert len(compiled) == 6


def test_errors_come_with_numbers():
    @kcompile.jit
    def add(x, y):
        return ops.matmul(x, y)

    assert add(array(2, 3), array(3, 2)).shape == (2, 2)
    with pytest.raises(ValueError, match="5"):
        add(array(2, 3), array(5, 2))


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match="a function is needed"):
        kcompile.jit(3)


def test_settings_that_a_trace_takes_are_asked_for_at_each_call():
    x = np.random.default_rng(0).normal(size=(1, 6, 4, 6)).astype("float32")
    pool = kcompile.jit(lambda x: ops.max_pool(x, 2))
    norm = kcompile.jit(lambda x: kcompile.losses.mean_absolute_percentage_error(x * 0, x))
    before = kcompile.config.epsilon(), kcompile.config.image_data_format()
    for epsilon, layout in ((1e-7, "channels_last"), (1e-2, "channels_first"), (1e-7, "channels_last")):
        kcompile.config.set_epsilon(epsilon)
        kcompile.config.set_image_data_format(layout)
        try:
            assert pool(x).shape == np.asarray(ops.max_pool(x, 2)).shape
            expected = kcompile.losses.mean_absolute_percentage_error(x * 0, x)
            np.testing.assert_allclose(norm(x), expected, rtol=1e-5)
        finally:
            kcompile.config.set_epsilon(before[0])
            kcompile.config.set_image_data_format(before[1])


@pytest.mark.parametrize("decomposed", [ops.svd, ops.eigh, ops.qr])
def test_decompositions_keep_their_dtype_whatever_the_default_is(decomposed):
    x = np.random.default_rng(0).normal(size=(4, 4)).astype("float32")
    x = x + x.T
    expected = [np.asarray(one) for one in decomposed(x)]
    kcompile.config.set_floatx("float64")
    try:
        found = kcompile.jit(lambda x: tuple(decomposed(x)))(x)
    finally:
        kcompile.config.set_floatx("float32")
    for got, want in zip(found, expected, strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(np.abs(got), np.abs(want), rtol=1e-3, atol=1e-4)


def test_static_arguments_are_numbers_of_the_program(compiled):
    total = kcompile.jit(lambda x, axis: ops.sum(x, axis=axis), static_argnames="axis")
    x = array(2, 3)
    for axis in (0, 1, (0, 1), None, -1, 0):
        np.testing.assert_allclose(total(x, axis=axis), x.sum(axis), rtol=1e-5)
        np.testing.assert_allclose(total(x, axis), x.sum(axis), rtol=1e-5)
    assert len(compiled) == 2 * 5  # by name and by position

    shaped = kcompile.jit(static_argnums=(1,))(lambda x, shape, factor=2: ops.reshape(x, shape) * factor)
    np.testing.assert_array_equal(shaped(x, (3, 2)), x.reshape(3, 2) * 2)
    np.testing.assert_array_equal(shaped(x, shape=(6,), factor=3.0), x.reshape(6) * 3)


def test_static_arguments_that_are_equal_are_told_apart_by_type():
    add = kcompile.jit(lambda x, k: x + k, static_argnums=-1)
    assert [add(np.zeros(1, "int32"), k).dtype for k in (1, 1.0, True)] == ["int32", "float32", "int32"]


def test_a_static_argument_must_be_hashable():
    shaped = kcompile.jit(lambda x, shape: ops.reshape(x, shape), static_argnames=["shape"])
    with pytest.raises(TypeError, match=r"static argument 'shape' of <lambda>\(\) must be hashable"):
        shaped(array(2, 3), [3, 2])


@pytest.mark.parametrize("function", [lambda x, k: ops.sum(x, axis=k), lambda x, k: x * float(k)])
def test_a_number_that_must_be_known_says_how(function):
    with pytest.raises(TypeError, match="static_argnames"):
        kcompile.jit(function)(array(2, 3), 1)


def test_what_is_no_tensor_comes_back_as_it_is():
    @kcompile.jit
    def described(x, mode="sum"):
        return {"mode": mode, "y": ops.sum(x), "keys": [1, "a", None, print]}

    found = described(np.ones(3, "float32"))
    assert found["mode"] == "sum" and found["keys"][1:] == ["a", None, print]
    assert found["y"] == 3.0 and found["keys"][0] == 1
    assert described(np.ones(4, "float32"), "mean")["mode"] == "mean"
