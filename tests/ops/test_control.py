"""Control flow: on arrays, in traces against the references, and what a body or a branch may do."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import grad, ops
from kcompile.autograd.check import gradient_error
from kcompile.core.config import config
from kcompile.ir.types import TensorType
from kcompile.trace.variable import Variable
from tests.ops.loops import compiled, lstm, lstm_arrays, normal, run
from tests.programs import differences, gradients_of, make_case

CASES = {
    "lstm": (lstm, lstm_arrays(3, 4)),
    "last-slice-first": (
        lambda x: ops.scan(lambda c, x: (c * 0.5 + x, c), x[0], x, reverse=True)[1],
        [normal(4, 3)],
    ),
    "length": (lambda x: ops.scan(lambda c, _: (c * 0.5, c), x, length=3)[1], [normal(3)]),
    "nested-structures": (
        lambda x, y: ops.scan(
            lambda c, xs: ({"a": c["a"] + xs["x"], "b": [c["b"][0] * xs["y"]]}, (xs["x"], {"z": c["a"]})),
            {"a": x[0], "b": [y[0]]}, {"x": x, "y": y},
        )[0]["b"][0],
        [normal(5, 3), normal(5, 2)],
    ),
    "product": (
        lambda x, w: ops.scan(lambda c, x: (c + ops.matmul(x, w), ops.matmul(c, w)), x[0], x)[1],
        [normal(4, 3, 3), normal(3, 3)],
    ),
    "map": (lambda x, w: ops.map(lambda row: ops.exp(row) @ w, x), [normal(6, 4), normal(4, 4)]),
    "vectorized-map": (
        lambda x, y: ops.vectorized_map(lambda pair: ops.sum(pair[0] * pair[1]), (x, y)),
        [normal(6, 4), normal(6, 4)],
    ),
    "fori": (lambda x: ops.fori_loop(2, 6, lambda i, v: v * 0.5 + ops.cast(i, "float32"), x), [normal(3)]),
    "fori-empty": (lambda x: ops.fori_loop(3, 1, lambda i, v: v * 2.0, x), [normal(3)]),
    "while": (
        lambda x, w: ops.while_loop(
            lambda n, v: ops.sum(v) < 40.0, lambda n, v: (n + 1, v * ops.exp(w) + ops.tanh(x)),
            (0, ops.abs(x) + 1.0),
        ),
        [normal(3), np.float32([0.4, 0.7, 0.5])],
    ),
    "while-never": (
        lambda x, w: ops.while_loop(lambda v: ops.sum(v) < -99.0, lambda v: v * w, x) * w,
        [normal(3), normal(3)],
    ),
    "while-at-most": (
        lambda x, w: ops.while_loop(lambda v: ops.sum(v) > -99.0, lambda v: ops.tanh(v @ w), x, 4),
        [normal(2, 3), normal(3, 3)],
    ),
    "loop-in-while": (
        lambda x: ops.while_loop(
            lambda n, v: n < 3,
            lambda n, v: (n + 1, ops.fori_loop(0, n, lambda _, u: ops.sin(u) + x, v)), (0, x),
        ),
        [normal(3)],
    ),
    "while-in-loop": (
        lambda x: ops.scan(
            lambda c, row: (
                ops.while_loop(lambda v: ops.max(v) < 9.0, lambda v: v * 2.0 + row, ops.abs(c) + 1.0), c
            ),
            x[0], ops.abs(x),
        )[1],
        [normal(4, 3)],
    ),
    "delayed": (  # the second carry is derived by the first one only, which comes a step later
        lambda x: ops.fori_loop(0, 3, lambda i, c: (c[0] * x, ops.sin(c[0])), (x, x))[1], [normal(3)],
    ),
    "unread": (lambda x: ops.scan(lambda c, row: (row * 2.0, c * 0.0 + row), x[0], x)[0], [normal(4, 3)]),
    "until-it-converges": (
        lambda x, w: ops.while_loop(
            lambda z, change: change > 1e-3,
            lambda z, change: (ops.tanh(z * w + x), ops.max(ops.abs(ops.tanh(z * w + x) - z))),
            (ops.zeros_like(x), ops.sum(x) * 0.0 + 1e9),
        )[0],
        [normal(3), np.float32([0.3, 0.2, -0.3])],
    ),
    "until-a-limit": (
        lambda x, most: ops.while_loop(lambda v: ops.sum(v) < most, lambda v: v * 1.5 + x**2, x**2) * most,
        [normal(3), np.float32(20)],
    ),
    "loop-in-loop": (
        lambda x: ops.scan(
            lambda c, row: (ops.fori_loop(0, 3, lambda _, v: v * 0.5 + row, c), c), x[0], x
        )[1],
        [normal(4, 3)],
    ),
    "cond": (
        lambda x: ops.cond(ops.sum(x) > 0, lambda: x * 2.0, lambda: ops.exp(x)),
        [normal(3)],
    ),
    "cond-of-one": (
        lambda x: ops.stack([ops.cond(x[:1] > 0, lambda: ops.sum(x), lambda: ops.max(x)), x[0]]), [normal(3)],
    ),
    "switch": (
        lambda x: ops.switch(ops.argmax(x), [lambda v: v, lambda v: v * 2.0, lambda v: v * v], x),
        [normal(3)],
    ),
    "associative": (
        lambda x: ops.associative_scan(lambda a, b: a * b + a, x),
        [normal(7, 2) * 0.1],
    ),
    "associative-backwards": (
        lambda x, y: ops.associative_scan(
            lambda a, b: (a[0] * b[0], a[1] * b[0] + b[1]), (x, y), reverse=True, axis=1
        )[1],
        [normal(2, 6), normal(2, 6)],
    ),
}  # fmt: skip
cases = pytest.mark.parametrize("name", CASES)


@cases
def test_traced_is_eager(name):
    function, arrays = CASES[name]
    case = make_case(name, function, arrays)
    eager = function(*arrays)
    eager = list(eager) if isinstance(eager, tuple) else [eager]
    for got, want in zip(case.expected(), eager, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)


@cases
@pytest.mark.parametrize(
    "settings", [{}, {"noopt": True}, {"skip": "hoist"}], ids=["fused", "unfused", "in-place"]
)
def test_compiled_is_the_reference(name, settings):
    function, arrays = CASES[name]
    case = make_case(name, function, arrays)
    with config(verify=True, **settings):
        assert differences(case, run(case)) == []
        gradient = gradients_of(case)
        assert gradient is not None
        assert differences(gradient, run(gradient)) == []


@cases
def test_gradients_are_the_finite_differences(name):
    function, arrays = CASES[name]
    if "switch" in name:
        pytest.skip("argmax has kinks")

    def first(*xs):
        found = function(*xs)
        return found[-1] if isinstance(found, tuple) else found

    assert gradient_error(first, *[a.astype("float64") for a in arrays]) < 1e-6


@pytest.mark.parametrize("limit", [None, 2, 100])
def test_while_loop(limit):
    def halve(x):
        return ops.while_loop(
            lambda n, x: ops.sum(x) > 1.0, lambda n, x: (n + 1, x * 0.5), (np.int32(0), x), limit
        )

    x = np.full(4, 8.0, "float32")
    steps, last = halve(x)
    assert int(steps) == (5 if limit != 2 else 2)
    got = compiled(halve, x)
    assert int(got[0]) == int(steps)
    np.testing.assert_allclose(got[1], last)


def test_while_loop_that_never_runs():
    def never(x):
        return ops.while_loop(lambda v: ops.sum(v) < 0, lambda v: v * 2.0, x)

    x = np.ones(3, "float32")
    np.testing.assert_array_equal(compiled(never, x)[0], x)


def test_the_gradient_of_as_many_steps_as_a_run_says():
    def slope(n, x):
        return grad(lambda x: ops.sum(ops.fori_loop(0, n, lambda i, v: ops.sin(v) * x, x)))(x)

    x = normal(5)
    for n in (0, 1, 4):
        [got] = compiled(slope, np.array(n, "int32"), x)
        np.testing.assert_allclose(got, slope(n, x), rtol=1e-5)


def test_second_derivatives_of_loops_of_unknown_length():
    def last(x):
        return ops.while_loop(lambda n, v: n < 3, lambda n, v: (n + 1, ops.sin(v) * x), (0, x))[1]

    def unrolled(x):
        return ops.sin(ops.sin(ops.sin(x) * x) * x) * x

    x = normal(5, dtype="float64")
    got, want = (
        grad(lambda x, f=f: ops.sum(grad(lambda x: ops.sum(f(x)))(x) ** 2))(x) for f in (last, unrolled)
    )
    np.testing.assert_allclose(got, want, rtol=1e-9)


@pytest.mark.parametrize(
    "loop",
    [
        lambda step, x: ops.scan(lambda c, _: (step(c), c), x, length=3)[0],
        lambda step, x: ops.while_loop(lambda n, c: n < 3, lambda n, c: (n + 1, step(c)), (0, x))[1],
    ],
    ids=["scan", "while"],
)
def test_what_is_not_derived_has_no_slope(loop):
    """The next carry depends on what stays the same, and on the last one without a slope."""
    x = normal(5)
    [got] = compiled(grad(lambda x: ops.sum(loop(lambda c: ops.stop_gradient(c) * x, x))), x)
    np.testing.assert_allclose(got, x**3, rtol=1e-5)


def test_bounds_of_a_run():
    def count(n, x):
        return ops.fori_loop(0, n, lambda i, v: v + 1.0, x)

    for n in (0, 3):
        [got] = compiled(count, np.array(n, "int32"), np.zeros(2, "float32"))
        assert got.tolist() == [n, n]


@pytest.mark.parametrize("eager", [True, False])
def test_variables_that_a_body_assigns_are_carried(eager):
    counter = Variable(np.zeros((), "float32"), name="counter")

    def counting(x):
        def step(c, x):
            counter.assign_add(ops.sum(x))
            return c + counter.value, c

        return ops.scan(step, ops.zeros(()), x)[0]

    x = np.array([[1.0], [2.0], [3.0]], "float32")
    got = counting(x) if eager else compiled(counting, x)[0]
    assert float(got) == 1 + 3 + 6
    assert float(counter.numpy()) == 6


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("eager", [True, False])
def test_variables_that_a_branch_assigns(eager, flag):
    counter = Variable(np.zeros((), "float32"), name="counter")

    def counting(flag):
        def up():
            counter.assign_add(1.0)
            return counter.value * 2.0

        return ops.cond(flag, up, lambda: counter.value - 1.0)

    flag = np.array(flag)
    got = counting(flag) if eager else compiled(counting, flag)[0]
    assert (float(got), float(counter.numpy())) == ((2.0, 1.0) if flag else (-1.0, 0.0))


def test_custom_gradient():
    @ops.custom_gradient
    def log1pexp(x):
        e = ops.exp(x)
        return ops.log(1 + e), lambda upstream: upstream * (1 - 1 / (1 + e))

    x = np.array([-3.0, 0.0, 100.0], "float32")
    case = make_case("custom", log1pexp, [x])
    gradient = gradients_of(case)
    plain = gradients_of(make_case("plain", lambda x: ops.log(1 + ops.exp(x)), [x]))
    [found], [other] = gradient.expected(), plain.expected()
    assert np.isfinite(found).all()
    assert np.isnan(other[2])
    np.testing.assert_allclose(found[:2], other[:2], rtol=1e-6)


def test_custom_gradient_is_used_not_the_derivative():
    tripled = ops.custom_gradient(lambda x: (x * x, lambda upstream: upstream * 3.0))
    case = make_case("tripled", tripled, [normal(4)])
    [found] = run(gradients_of(case))
    [plain] = run(gradients_of(make_case("tripled", lambda x: x * 3.0, case.arrays)))
    np.testing.assert_allclose(found, plain)


BAD = [
    (lambda: ops.scan(1, 0, np.zeros(3)), TypeError, "callable"),
    (lambda: ops.scan(lambda c, x: (c, x), 0), ValueError, "length"),
    (lambda: ops.scan(lambda c, x: (c, x), 0, [np.zeros(3), np.zeros(4)]), ValueError, "agree"),
    (lambda: ops.scan(lambda c, x: (c, x), 0, np.zeros(3), unroll=0), ValueError, "unroll"),
    (lambda: ops.while_loop(1, lambda x: x, 0), TypeError, "callable"),
    (lambda: ops.cond(True, 1, lambda: 2), TypeError, "callable"),
    (lambda: ops.switch(0, []), ValueError, "empty"),
    (lambda: ops.map(None, np.zeros(3)), TypeError, "callable"),
]


@pytest.mark.parametrize(("call", "error", "text"), BAD, ids=range(len(BAD)))
def test_bad_arguments(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_a_carry_that_changes_its_type():
    with pytest.raises(TypeError, match="keep the shapes and dtypes"):
        make_case("bad", lambda x: ops.scan(lambda c, x: (ops.sum(c), None), x, length=2)[0], [normal(3)])


def test_branches_of_different_structure():
    with pytest.raises(ValueError, match="same structure"):
        make_case("bad", lambda x: ops.cond(ops.sum(x) > 0, lambda: x, lambda: (x, x)), [normal(3)])


def test_gradients_inside_a_trace():
    """There tensors compare element by element."""
    import kcompile

    arrays = lstm_arrays(3, 4)
    slope = kcompile.jit(kcompile.grad(lambda x, *weights: ops.sum(lstm(x, *weights)[0])))
    case = make_case("lstm", lambda *xs: ops.sum(lstm(*xs)[0]), arrays)
    from kcompile.autograd.backward import gradients

    [expected] = gradients(case.outputs[0], case.inputs[:1])
    from kcompile.ir.evaluate import evaluate

    [want] = evaluate([expected], dict(zip(case.inputs, arrays, strict=True)), {})
    np.testing.assert_allclose(slope(*arrays), want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "policy, total", [("float32", 4.2345678), ("mixed_bfloat16", 4.234375), ("mixed_float16", 4.234375)]
)
def test_a_variable_keeps_its_dtype_in_a_loop(policy, total):
    """In two bytes the start is rounded when it is read; the sum is kept in four."""
    import kcompile

    class Counting(kcompile.layers.Layer):
        def build(self, shape):
            self.c = self.add_weight(shape=(3,), initializer="zeros", trainable=False)

        def call(self, x):
            def step(carry, _):
                self.c.assign(self.c + 1.0)
                return carry, None

            return ops.scan(step, x, length=4)[0]

    layer = Counting(dtype=policy)
    layer.build((2, 3))
    layer.c.assign(np.full(3, 0.2345678, "float32"))
    compiled(lambda x: layer(x), normal(2, 3))
    np.testing.assert_allclose(layer.c.numpy(), total, rtol=1e-6)
    assert layer.c.numpy().dtype == np.float32


def test_a_body_that_changes_the_type_of_a_carry_is_refused():
    from kcompile.core.errors import ShapeError
    from kcompile.ir.body import Body, new_parameters
    from kcompile.ops.loop import loop_op

    [x] = new_parameters([TensorType((3,))], "x")
    with pytest.raises(ShapeError, match="changes the type of carry 0"):
        loop_op(x, body=Body([x], [ops.cast(x, "float16")]), carries=1, slices=0, steps=2, reverse=False)


def test_loops_on_arrays_in_a_stateless_scope():
    import kcompile

    with kcompile.StatelessScope():
        last, _ = ops.scan(lambda c, x: (c + x, c), np.float32(0), np.arange(3, dtype="float32"))
    assert float(last) == 3


def test_a_switch_on_placeholders():
    import kcompile

    x = kcompile.Input((3,))
    branches = [lambda v: v, lambda v: v * 2.0]
    model = kcompile.Model(x, ops.switch(ops.cast(ops.max(x) > 0, "int32"), branches, x))
    for sign, factor in ((1, 2), (-1, 1)):
        given = np.full((2, 3), sign, "float32")
        np.testing.assert_array_equal(model(given), given * factor)
