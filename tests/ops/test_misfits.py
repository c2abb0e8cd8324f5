"""Arguments that do not fit raise what Keras's users catch, never a bare failure of Python."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops
from kcompile.core.errors import ArgumentError, KCompileError, MisfitError

X, I4 = np.ones((2, 3), "float32"), np.arange(3, dtype="int32")
IMAGE, FILTERS = np.ones((2, 6, 6, 4), "float32"), np.ones((3, 3, 4, 2), "float32")


def symbolic(*shape, dtype="float32"):
    return keras.KerasTensor(shape, dtype)


# op: arguments, options, the types that Keras raises (its own check, or what fails in JAX).
REFUSED = [
    # what Python or NumPy failed with, told by the op
    ("conv", (2.0, FILTERS), {}, (IndexError, TypeError)),
    ("depthwise_conv", (2.0, FILTERS), {}, (IndexError, TypeError)),
    ("average_pool", (IMAGE, 2), {"strides": 0}, (ZeroDivisionError, ValueError)),
    ("eye", (None,), {}, (TypeError,)),
    ("zeros", ((-1,),), {}, (ValueError, TypeError)),
    ("segment_sum", (2.0, I4), {}, (IndexError, ValueError)),
    ("abs", ([[1], [1, 2]],), {}, (ValueError, TypeError)),
    ("transpose", (X, (0, "a")), {}, (TypeError, ValueError)),
    # no numbers
    ("conj", ("abc",), {}, (TypeError, ValueError)),
    ("logical_and", ({"a": 1}, X > 0), {}, (TypeError, ValueError)),
    ("add", (X, {"a": 1}), {}, (TypeError, ValueError)),
    ("shape", ("abc",), {}, (AttributeError,)),
    # no ints
    ("vander", (I4, 1.5), {}, (TypeError,)),
    ("tril", (np.eye(3),), {"k": 1.5}, (TypeError,)),
    ("unstack", (X,), {"num": 1.5}, (TypeError,)),
    ("top_k", (X, 1.5), {}, (TypeError, ValueError)),
    ("bincount", (I4,), {"minlength": 1.5}, (TypeError,)),
    ("stft", (np.ones((1, 20), "float32"), 8, 1.5, 8), {}, (ValueError,)),
    ("max_pool", (IMAGE, (1.5, 2)), {}, (TypeError,)),
    ("max_pool", (IMAGE, 1.5), {}, (TypeError,)),
    ("conv", (IMAGE, FILTERS), {"strides": 1.5}, (TypeError,)),
    ("conv_transpose", (IMAGE, np.ones((3, 3, 2, 4))), {"strides": (1.5, 2)}, (TypeError,)),
    ("unfold", (IMAGE, 2), {"padding": 1.5}, (TypeError,)),
    ("unravel_index", (I4, 1.5), {}, (TypeError,)),
    ("image.extract_patches", (IMAGE, (1.5, 2)), {}, (TypeError,)),
    ("image.resize", (IMAGE, (1.5, 2)), {}, (TypeError,)),
    ("image.crop_images", (IMAGE, 0, 0), {"target_height": 1.5, "target_width": 2}, (ValueError,)),
    # ranks and numbers that Keras checks itself
    ("correlate", (X, I4), {}, (ValueError,)),
    ("vander", (X,), {}, (ValueError,)),
    ("cdist", (X[0], X), {}, (ValueError,)),
    ("digitize", (X, X), {}, (ValueError,)),
    ("depth_to_space", (IMAGE, 1), {}, (ValueError,)),
    ("space_to_depth", (IMAGE, 1), {}, (ValueError,)),
    ("fold", (X, 4, 2), {}, (ValueError,)),
    ("array_split", (X, 0), {}, (ValueError,)),
    ("select", (X, [X, X]), {}, (ValueError,)),
    ("select", ([X > 0], [X, X]), {}, (ValueError,)),
    ("associative_scan", (ops.add, X), {"axis": 5}, (ValueError,)),
    ("ctc_loss", (np.ones((3, 2)), np.ones((2, 6, 4)), [1, 1], [6, 6]), {}, (ValueError,)),
    ("cond", ("bogus", lambda: 1, lambda: 2), {}, (TypeError,)),
    ("cond", (X, lambda: 1, lambda: 2), {}, (TypeError, ValueError)),
    ("switch", (1.5, [ops.abs, ops.exp], X), {}, (TypeError,)),
    ("einsum", ("ij,kj->ik", X, X), {"bogus": 1}, (TypeError,)),
    # results with dimensions that no tensor has
    ("repeat", (symbolic(2, 3), -1), {"axis": 1}, (ValueError,)),
    ("tile", (symbolic(2, 3), -1), {}, (ValueError,)),
    ("one_hot", (symbolic(2, 3, dtype="int32"), -1), {}, (ValueError,)),
    ("one_hot", (I4, -1), {}, (TypeError, ValueError)),
    # tensors without numbers where numbers are needed
    ("arange", (symbolic(2, dtype="int32"), 5), {}, (ValueError,)),
    ("sum", (X,), {"axis": symbolic(2, dtype="int32")}, (NotImplementedError,)),
    ("split", (X, symbolic(2, dtype="int32")), {}, (ValueError, NotImplementedError)),
    ("convert_to_numpy", (symbolic(2, 3),), {}, (ValueError,)),
]


@pytest.mark.parametrize(
    ("name", "args", "options", "kinds"), REFUSED, ids=[f"{k}-{row[0]}" for k, row in enumerate(REFUSED)]
)
def test_refused(name, args, options, kinds):
    function = ops
    for part in name.split("."):
        function = getattr(function, part)
    with pytest.raises(kinds[0]) as caught:
        function(*args, **options)
    assert all(isinstance(caught.value, kind) for kind in kinds)
    assert str(caught.value).strip()


@pytest.mark.parametrize("name", ["normal", "uniform", "truncated_normal"])
def test_random_shapes_of_text(name):
    with pytest.raises(ArgumentError, match=r"`shape` must be an integer, or several.*2, 'a'"):
        getattr(keras.random, name)((2, "a"))


def test_a_misfit_tells_the_call():
    with pytest.raises(MisfitError, match=r"eye: the arguments do not fit(.|\n)*eye\(None, k=1\)"):
        ops.eye(None, k=1)


def test_what_a_users_function_raises_stays_as_it_is():
    for kind, function in {
        IndexError: lambda row: [][1],
        KeyError: lambda row: {}["a"],
        ZeroDivisionError: lambda row: 1 // 0,
    }.items():
        with pytest.raises(kind) as caught:
            ops.map(function, X)
        assert not isinstance(caught.value, KCompileError)


def test_wrong_numbers_of_arguments_are_pythons():
    with pytest.raises(TypeError, match="positional argument") as caught:
        ops.exp(X, 1, 2)
    assert not isinstance(caught.value, KCompileError)


def test_ints_may_be_of_any_library():
    assert ops.tril(np.ones((3, 3)), k=np.int64(1)).sum() == 8
    assert ops.one_hot(I4, np.array(4)).shape == (3, 4)
    assert ops.max_pool(IMAGE, (np.int32(2), 2)).shape == (2, 3, 3, 4)
    with pytest.raises(ArgumentError, match="`k` must be an integer. Received: k=float32"):
        ops.tril(np.ones((3, 3)), k=np.float32(1))


def test_multi_hot_joins_the_labels_of_the_second_axis():
    """Keras joins axis 1 whatever the rank."""
    labels = np.array([[[0, 1], [1, 1], [2, 0]]])
    assert ops.multi_hot(labels, 3).tolist() == [[[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]]]


def test_sequences_need_steps_and_features():
    with pytest.raises(IndexError, match="at least 3 dimensions"):
        keras.layers.RNN(keras.layers.LSTMCell(3))(X)


def test_placeholders_under_a_name_that_an_op_does_not_know():
    x = keras.KerasTensor((2, 3))
    with pytest.raises(TypeError, match="unexpected arguments"):
        ops.einsum("ij,kj->ik", a=x, b=x)
