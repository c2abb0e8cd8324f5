"""Initial distributions, seeds, names and configs."""

from __future__ import annotations

import random

import numpy as np
import pytest

import kcompile as keras
from kcompile import initializers

SHAPE = (200, 300)  # fans 200 and 300

# Standard deviation and largest absolute value; the figures of Keras's distributions.
CUT = 2 / 0.87962566103423978  # a truncated normal of deviation 1 ends here
RANDOM = {
    "GlorotUniform": (np.sqrt(2 / 500), np.sqrt(6 / 500)),
    "GlorotNormal": (np.sqrt(2 / 500), CUT * np.sqrt(2 / 500)),
    "HeUniform": (np.sqrt(2 / 200), np.sqrt(6 / 200)),
    "HeNormal": (np.sqrt(2 / 200), CUT * np.sqrt(2 / 200)),
    "LecunUniform": (np.sqrt(1 / 200), np.sqrt(3 / 200)),
    "LecunNormal": (np.sqrt(1 / 200), CUT * np.sqrt(1 / 200)),
    "VarianceScaling": (np.sqrt(1 / 200), CUT * np.sqrt(1 / 200)),
    "RandomUniform": (0.05 / np.sqrt(3), 0.05),
    "TruncatedNormal": (0.05 * 0.87962566103423978, 0.1),
    "RandomNormal": (0.05, None),
}


@pytest.mark.parametrize("name", RANDOM)
def test_distribution(name):
    draw = getattr(initializers, name)(seed=1)(SHAPE)
    deviation, largest = RANDOM[name]
    assert draw.shape == SHAPE and draw.dtype == "float32"
    assert abs(draw.std() / deviation - 1) < 0.02
    assert abs(draw.mean()) < 4 * deviation / np.sqrt(draw.size)
    if largest is not None:
        assert largest * 0.999 < np.abs(draw).max() <= largest * (1 + 1e-6)


def test_a_truncated_normal_is_a_normal_cut_off():
    draw = initializers.TruncatedNormal(stddev=1.0, seed=3)((400, 400)).ravel()
    # Shares of a normal within (-2, 2), renormalized: 0.6827 / 0.9545 lie within one deviation.
    assert abs((np.abs(draw) < 1).mean() - 0.6827 / 0.9545) < 0.005


def test_fans_of_convolutions_and_of_given_axes():
    fans = initializers.compute_fans
    assert fans((3, 3, 4, 5)) == (36, 45)
    assert fans((7,)) == (7, 7) and fans(()) == (1, 1)
    assert fans((20, 30, 40), 0, (1, 2)) == (20, 1200)


def test_seeds():
    fixed = initializers.GlorotUniform(seed=3)
    np.testing.assert_array_equal(fixed((3, 3)), initializers.GlorotUniform(seed=3)((3, 3)))
    assert (initializers.GlorotUniform(seed=4)((3, 3)) != fixed((3, 3))).all()
    drawn = initializers.GlorotUniform()
    np.testing.assert_array_equal(drawn((3, 3)), drawn((3, 3)))
    moving = initializers.GlorotUniform(seed=keras.random.SeedGenerator(1))
    assert (moving((3, 3)) != moving((3, 3))).all()
    random.seed(5)
    first = initializers.HeNormal()((4,))
    random.seed(5)
    np.testing.assert_array_equal(initializers.HeNormal()((4,)), first)
    with pytest.raises(ValueError, match="`seed` argument should be an instance"):
        initializers.HeNormal(seed="a")


@pytest.mark.parametrize("shape", [(6, 4), (3, 5), (3, 2, 4)])
def test_orthogonal(shape):
    q = initializers.Orthogonal(gain=2.0, seed=1)(shape).reshape(-1, shape[-1])
    small = q @ q.T if q.shape[0] < q.shape[1] else q.T @ q
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-5)


def test_constants():
    assert initializers.Zeros()((2,), dtype="int32").dtype == "int32"
    assert initializers.Ones()((2,), dtype="bool").tolist() == [True, True]
    assert initializers.Constant([1, 2])((3, 2)).tolist() == [[1, 2]] * 3
    assert initializers.Identity(gain=3)((2, 3)).tolist() == [[3, 0, 0], [0, 3, 0]]
    assert initializers.get(np.ones((2, 2)))((2, 2)).tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("name", [*RANDOM, "Orthogonal", "Zeros", "Ones", "Constant"])
def test_configs(name):
    made = getattr(initializers, name)()
    data = initializers.serialize(made)
    assert (data["module"], data["class_name"]) == ("keras.initializers", name)
    copy = initializers.deserialize(data)
    assert type(copy) is type(made) and copy.get_config() == made.get_config() == data["config"]
    assert type(made.clone()) is type(made)


def test_names():
    for name, kind in {
        "glorot_uniform": "GlorotUniform", "HeNormal": "HeNormal", "zeros": "Zeros", "one": "Ones",
        "uniform": "RandomUniform", "normal": "RandomNormal", "orthogonal": "Orthogonal",
    }.items():  # fmt: skip
        assert type(initializers.get(name)).__name__ == kind
    assert initializers.get(None) is None
    assert initializers.get(initializers.Zeros)((1,)) == 0
    with pytest.raises(ValueError, match=r"(?s)identifier: glorot_unifrom.*'glorot_uniform'"):
        initializers.get("glorot_unifrom")


@pytest.mark.parametrize(
    "arguments, text",
    [({"scale": -1}, "positive float"), ({"mode": "a"}, "`mode`"), ({"distribution": "a"}, "`distribution`")],
)
def test_wrong_scaling(arguments, text):
    with pytest.raises(ValueError, match=text):
        initializers.VarianceScaling(**arguments)


def test_wrong_shapes():
    with pytest.raises(ValueError, match="at least two-dimensional"):
        initializers.Orthogonal()((3,))
    with pytest.raises(ValueError, match="2D matrices"):
        initializers.Identity()((2, 3, 4))


@pytest.mark.parametrize(
    "name", ["RandomNormal", "RandomUniform", "TruncatedNormal", "HeNormal", "Orthogonal"]
)
def test_draws_are_floats(name):
    with pytest.raises(ValueError, match="floating point `dtype`"):
        getattr(initializers, name)(seed=1)((3, 3), "int32")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_uniform_draws_stay_below_their_upper_end(dtype):
    drawn = initializers.RandomUniform(1.0, 2.0, seed=3)((200, 200), dtype)
    assert np.asarray(drawn, "f8").min() >= 1
    assert np.asarray(drawn, "f8").max() < 2


def test_seeds_have_32_bits():
    for seed in (-1, 2**32):
        with pytest.raises(OverflowError, match="must lie in"):
            initializers.HeNormal(seed=seed)((2, 2))


@pytest.mark.parametrize(
    "kind", ["Zeros", "Ones", "Constant", "RandomNormal", "RandomUniform", "TruncatedNormal"]
)
def test_a_shape_may_be_a_number(kind):
    make = getattr(initializers, kind)
    initial = make(seed=1) if kind.startswith(("R", "T")) else make()
    for given in (3, np.int64(3)):
        np.testing.assert_array_equal(initial(given), initial((3,)))
    assert initial(0).shape == (0,) and initial(True).shape == (1,)


@pytest.mark.parametrize("shape", [-1, (-1,), (2, -3), "3", 3.0, (2.0,), None, (None,), ((2,), 3)])
@pytest.mark.parametrize("kind", ["Zeros", "Ones", "Constant", "RandomNormal", "RandomUniform"])
def test_what_is_no_shape_is_named(kind, shape):
    with pytest.raises(TypeError, match=r"`shape` must be (an integer|at least 0).*Received: shape="):
        getattr(initializers, kind)()(shape)


@pytest.mark.parametrize("error", [TypeError, ValueError])
def test_constants_that_do_not_fit_and_unknown_dtypes_are_errors_of_both_types(error):
    with pytest.raises(error, match=r"\(2,\)"):
        initializers.Constant([1.0, 2.0])((3,))
    with pytest.raises(error, match="Invalid dtype"):
        initializers.GlorotNormal()((2, 3), dtype="x")
