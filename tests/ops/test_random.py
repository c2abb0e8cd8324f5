"""Random draws: reproducible, of the right distribution, independent of how they are computed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kcompile import jit, ops, random
from kcompile.autograd.backward import pull_back
from kcompile.core.errors import ShapeError
from kcompile.core.symbolic import symbol
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Value, topological
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.ops import random as draws
from kcompile.trace.tracer import trace

KEY = np.array([11, 4], "uint32")
COUNT = 40_000


def moments(x: np.ndarray) -> tuple[float, float]:
    return float(np.mean(x, dtype="f8")), float(np.var(x, dtype="f8"))


def near(value: float, expected: float, deviation: float) -> bool:
    """Within five standard errors of a mean of COUNT draws."""
    return abs(value - expected) < 5 * deviation / math.sqrt(COUNT)


def test_a_seed_gives_the_same_numbers():
    assert np.array_equal(random.uniform((5,), seed=3), random.uniform((5,), seed=3))
    assert not np.array_equal(random.uniform((5,), seed=3), random.uniform((5,), seed=4))


def test_a_generator_gives_new_numbers_each_time():
    first, second = random.SeedGenerator(3), random.SeedGenerator(3)
    draws_of_first = [random.normal((4,), seed=first) for _ in range(3)]
    assert not np.array_equal(draws_of_first[0], draws_of_first[1])
    for x in draws_of_first:
        assert np.array_equal(x, random.normal((4,), seed=second))


def test_no_seed_uses_the_global_generator():
    random.reset_global_seed_generator()
    assert not np.array_equal(random.uniform((4,)), random.uniform((4,)))


def test_the_seed_must_be_a_seed():
    with pytest.raises(ValueError, match="must be either an integer or an instance of `SeedGenerator`"):
        random.uniform((2,), seed="7")
    with pytest.raises(ShapeError, match="pair of uint32"):
        draws.uniform(np.zeros(3, "uint32"), (2,))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_uniform_lies_in_the_interval(dtype):
    x = random.uniform((COUNT,), -2.0, 3.0, dtype=dtype, seed=1)
    assert ops.dtype(x) == dtype
    wide = np.asarray(x, "f8")
    assert wide.min() >= -2
    assert wide.max() <= 3
    mean, variance = moments(wide)
    assert near(mean, 0.5, math.sqrt(25 / 12))
    assert abs(variance - 25 / 12) < 0.05


def test_unit_draws_never_reach_one():
    for dtype in ("float16", "float32", "float64", "bfloat16"):
        assert float(np.max(draws.uniform(KEY, (COUNT,), dtype))) < 1


def test_float64_draws_have_all_their_bits():
    x = draws.uniform(KEY, (64,), "float64")
    assert np.any(x.astype("float32").astype("float64") != x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal(dtype):
    x = random.normal((COUNT,), 2.0, 3.0, dtype=dtype, seed=5)
    mean, variance = moments(x)
    assert near(mean, 2, 3)
    assert abs(variance / 9 - 1) < 0.05
    assert abs(np.mean(((x - 2) / 3) ** 4) - 3) < 0.2  # kurtosis


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_draws_of_halves_have_the_same_distribution(dtype):
    def skew(x):
        return float(np.mean((x - x.mean()) ** 3) / x.std() ** 3)

    kinds = {
        "normal": ({}, 1.0),
        "truncated_normal": ({}, 0.7737),
        "gamma": ({"alpha": 0.5}, 0.5),
        "beta": ({"alpha": 2.0, "beta": 0.5}, 0.8 * 0.2 / 3.5),
    }
    for kind, (parameters, expected) in kinds.items():
        half, whole = (
            np.asarray(getattr(random, kind)((COUNT,), **parameters, dtype=d, seed=3), "f8")
            for d in (dtype, "float32")
        )
        np.testing.assert_allclose(half, whole, rtol=2.0**-8, atol=2.0**-20)
        assert abs(half.var() / expected - 1) < 0.05
        assert abs(skew(half) - skew(whole)) < 0.01
    normal = np.abs(np.asarray(random.normal((COUNT,), dtype=dtype, seed=3), "f8"))
    assert normal.max() > 3.9  # no half's smallest step bounds the tails


def test_truncated_normal():
    x = random.truncated_normal((COUNT,), 1.0, 2.0, seed=5)
    assert np.abs(x - 1).max() <= 4
    mean, variance = moments(x)
    assert near(mean, 1, 2)
    assert abs(variance / 4 - 0.7737) < 0.03  # the variance of a normal cut at two deviations


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("int8", 0, 1000), ("uint8", -5, 300), ("int16", -(10**6), 10**6)]
)
def test_randint_beyond_the_dtype_takes_every_value_of_it(dtype, low, high):
    draws = np.asarray(random.randint((40000,), low, high, dtype=dtype)).astype("int64")
    least, most = max(low, np.iinfo(dtype).min), np.iinfo(dtype).max
    assert least <= draws.min() and draws.max() <= most
    middle = (least + most) / 2
    assert abs((draws < middle).mean() - 0.5) < 0.02


def test_randint_takes_every_value():
    x = random.randint((COUNT,), -3, 4, seed=2)
    values, counts = np.unique(x, return_counts=True)
    assert values.tolist() == list(range(-3, 4))
    assert np.abs(counts - COUNT / 7).max() < 6 * math.sqrt(COUNT / 7)
    with pytest.raises(ValueError, match="integer `dtype`"):
        random.randint((2,), 0, 3, dtype="float32")


def test_categorical_follows_the_logits():
    p = np.array([[0.5, 0.2, 0.3], [0.1, 0.8, 0.1]], "float32")
    x = random.categorical(np.log(p), COUNT // 4, seed=9)
    assert x.shape == (2, COUNT // 4)
    shares = np.stack([np.bincount(row, minlength=3) / len(row) for row in x])
    np.testing.assert_allclose(shares, p, atol=0.03)
    with pytest.raises(ValueError, match="2-D"):
        random.categorical(p[0], 3, seed=1)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.5])
def test_gamma(alpha):
    mean, variance = moments(random.gamma((COUNT,), alpha, seed=3))
    assert near(mean, alpha, math.sqrt(alpha))
    assert abs(variance / alpha - 1) < 0.1


def test_beta_and_binomial():
    mean, variance = moments(random.beta((COUNT,), 2.0, 3.0, seed=3))
    assert near(mean, 0.4, 0.2)
    assert abs(variance - 0.04) < 0.003
    x = random.binomial((COUNT,), 10, 0.3, seed=3)
    assert near(moments(x)[0], 3.0, math.sqrt(2.1))
    assert abs(moments(x)[1] - 2.1) < 0.15


def test_shuffle_keeps_the_rows():
    x = np.arange(40).reshape(20, 2)
    y = random.shuffle(x, seed=1)
    assert not np.array_equal(x, y)
    assert sorted(map(tuple, y)) == sorted(map(tuple, x))


class TestDropout:
    x = np.ones((200, 100), "float32")

    def test_scale_and_rate(self):
        y = random.dropout(self.x, 0.25, seed=1)
        assert set(np.unique(y)) == {0.0, np.float32(1 / 0.75)}
        assert abs(np.mean(y == 0) - 0.25) < 0.02

    def test_noise_shape_repeats_the_choice(self):
        y = random.dropout(self.x, 0.5, noise_shape=(None, 1), seed=1)
        assert np.all((y == 0).all(axis=1) | (y != 0).all(axis=1))
        assert 0 < np.mean(y == 0) < 1

    def test_all_and_nothing_draw_no_numbers(self):
        generator = random.SeedGenerator(1)
        assert random.dropout(self.x, 0.0, seed=generator) is self.x
        assert not random.dropout(self.x, 1.0, seed=generator).any()
        assert generator.state.array.tolist() == [1, 0]

    def test_the_gradient_has_the_mask_of_the_forward_pass(self):
        x = make_parameter("x", TensorType((symbol("batch"), 4)))
        y = draws.dropout(KEY, x, 0.5)
        dy = make_parameter("dy", y.type)
        (dx,) = pull_back(y, dy, [x])
        assert isinstance(dx, Value)
        drawn = {n for root in (y, dx) for n in topological([root]) if n.op is draws.random_uniform_op}
        assert len(drawn) == 1  # one and the same draw
        ones = np.ones((6, 4), "float32")
        forward, backward = evaluate([y, dx], {x: ones, dy: ones}, {"batch": 6})
        assert np.array_equal(forward, backward)


def test_traced_draws_change_from_step_to_step():
    generator = random.SeedGenerator(5)
    graph, _ = trace(lambda: random.uniform((3,), seed=generator), [])
    leaf = generator.state.leaf
    values, state = evaluate(graph.roots(), {leaf: np.array([5, 7], "uint32")}, {})
    assert np.array_equal(values, draws.uniform(np.array([5, 7], "uint32"), (3,)))
    assert state.tolist() == [5, 8]


def test_uniform_draws_are_floats():
    with pytest.raises(ValueError, match="requires a floating point `dtype`"):
        random.uniform((2,), dtype="int32")


class TestDtypes:
    @pytest.mark.parametrize("draw", ["normal", "truncated_normal", "uniform", "gamma", "beta"])
    @pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
    def test_floats_only(self, draw, dtype):
        parameters = {"gamma": (2.0,), "beta": (2.0, 3.0)}.get(draw, ())
        with pytest.raises(ValueError, match=f"random.{draw}. requires a floating point `dtype`"):
            getattr(random, draw)((3,), *parameters, dtype=dtype, seed=1)

    @pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
    def test_counts_of_successes_may_be_ints(self, dtype):
        for counts in (9, 2000):
            x = random.binomial((50,), counts, 0.01, dtype=dtype, seed=1)
            assert ops.dtype(x) == dtype
        with pytest.raises(ValueError, match="numeric `dtype`"):
            random.binomial((3,), 5, 0.3, dtype="bool")

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
    def test_rounding_never_reaches_the_upper_end(self, dtype):
        x = random.uniform((COUNT,), 1.0, 2.0, dtype=dtype, seed=1)
        assert ops.dtype(x) == dtype
        assert np.asarray(x, "f8").max() < 2

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
    def test_many_classes_of_halves_do_not_tie(self, dtype):
        x = random.categorical(ops.zeros((1, 1000), dtype), 1000, seed=1)
        assert abs(moments(x)[0] - 499.5) < 5 * 289 / math.sqrt(1000)


class TestRandint:
    @pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"])
    def test_the_whole_range(self, dtype):
        ends = np.iinfo(dtype)

        def whole():
            return random.randint((4000,), int(ends.min), int(ends.max), dtype=dtype, seed=1)

        x = whole()
        assert ops.dtype(x) == dtype
        assert ends.max not in x
        place = (x.astype("f8") - ends.min) / (float(ends.max) - float(ends.min))
        assert abs(place.mean() - 0.5) < 0.03
        assert abs(place.std() - 12**-0.5) < 0.02
        assert place.min() < 0.01
        assert place.max() > 0.99
        np.testing.assert_array_equal(jit(whole)(), x)

    @pytest.mark.parametrize("dtype", ["int32", "uint32", "int64"])
    def test_no_number_of_a_wide_range_is_preferred(self, dtype):
        """3e9 is no part of 2 ** 32: the remainder of a word takes the lower 1.3e9 numbers twice as often."""
        low = 0 if dtype == "uint32" else -(2**30) - 2**28
        x = random.randint((COUNT,), low, low + 3 * 10**9, dtype=dtype, seed=1)
        assert near(((x.astype("f8") - low) / 3e9).mean(), 0.5, 12**-0.5)

    def test_more_than_32_bits(self):
        x = random.randint((1000,), 0, 2**40, dtype="int64", seed=1)
        assert x.min() >= 0
        assert 2**39 < x.max() < 2**40

    @pytest.mark.parametrize("dtype", ["int32", "int64"])
    @pytest.mark.parametrize("ends", [(4, 4), (9, 0)])
    def test_an_empty_range_gives_its_start(self, ends, dtype):
        def f():
            return random.randint((3,), *ends, dtype=dtype, seed=1)

        assert f().tolist() == jit(f)().tolist() == [ends[0]] * 3

    def test_ends_outside_the_dtype(self):
        x = random.randint((4000,), -5, 256, dtype="uint8", seed=1)
        assert (x.min(), x.max()) == (0, 255)
        assert (x > 250).mean() < 0.03  # where -5 to -1 would lie


def test_beta_of_small_parameters_is_finite():
    x = random.beta((COUNT,), 0.01, 0.01, seed=1)
    mean, variance = moments(x)
    assert near(mean, 0.5, 0.5)
    assert abs(variance - 0.25 / 1.02) < 0.003


@pytest.mark.parametrize(
    ("n", "p"), [(65, 0.01), (1000, 0.005), (1000, 0.3), (70, 0.5), (5000, 0.9), (10**6, 0.2), (10**9, 3e-9)]
)
def test_binomial_of_many_trials(n, p):
    count = 4000
    x = random.binomial((count,), float(n), p, dtype="float64", seed=4)
    assert np.array_equal(x, np.round(x))
    mean, variance = moments(x)
    expected = n * p * (1 - p)
    assert abs(mean - n * p) < 5 * math.sqrt(expected / count)
    assert abs(variance / expected - 1) < 0.12
    skew = np.mean(((x - mean) / math.sqrt(variance)) ** 3)
    assert abs(skew - (1 - 2 * p) / math.sqrt(expected)) < 0.25


def test_binomial_takes_arrays_and_what_is_traced():
    counts, p = np.float32([5, 100, 3000]), np.float32([0.0, 0.5, 1.0])
    x = random.binomial((4, 3), counts, p, seed=1)
    assert x.shape == (4, 3)
    assert not x[:, 0].any()
    assert (x[:, 2] == 3000).all()
    compiled = jit(lambda n, p: random.binomial((4, 3), n, p, seed=1))(counts, p)
    np.testing.assert_array_equal(compiled, x)


class TestGenerator:
    def test_unordered_states_are_scrambled(self):
        generator = random.SeedGenerator(7)
        assert generator.next(ordered=False).tolist() == [7, 0]
        assert generator.state.array.tolist() == [8 * 5387, 5387]

    def test_seeds_have_32_bits(self):
        for seed in (-1, 2**32):
            with pytest.raises(OverflowError, match="must lie in"):
                random.SeedGenerator(seed)
            with pytest.raises(OverflowError, match="must lie in"):
                random.normal((2,), seed=seed)

    def test_unknown_arguments(self):
        with pytest.raises(ValueError, match="unknown keyword arguments"):
            random.SeedGenerator(3, sed=4)


@pytest.mark.parametrize("shape", [-1, (-1,), (2, -3)])
@pytest.mark.parametrize("kind", ["normal", "uniform", "truncated_normal", "randint", "gamma", "beta"])
def test_negative_dimensions_are_refused(kind, shape):
    more = {"randint": (0, 3), "gamma": (1.0,), "beta": (1.0, 1.0)}.get(kind, ())
    with pytest.raises(TypeError, match="must be at least 0"):
        getattr(random, kind)(shape, *more)
