"""What a masked step puts out, where Keras on JAX does one thing in a loop and another in an unrolled one."""

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers as L

X = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
MASK = np.array([[True, False, True, False], [True, True, False, True]])


@pytest.mark.parametrize("layer", [L.SimpleRNN, L.GRU, L.LSTM])
@pytest.mark.parametrize("compiled", [False, True])
def test_zeros_in_a_loop_and_the_output_before_where_it_is_unrolled(layer, compiled):
    for unroll in (False, True):
        one = layer(3, return_sequences=True, zero_output_for_mask=True, unroll=unroll)
        if compiled:
            x, mask = keras.Input((4, 3)), keras.Input((4,), dtype="bool")
            found = keras.Model([x, mask], one(x, mask=mask)).predict_on_batch([X, MASK])
        else:
            found = one(X, mask=MASK)
        assert np.abs(found[0, 0]).min() > 0
        instead = found[[0, 0, 1], [0, 2, 1]] if unroll else 0
        np.testing.assert_array_equal(found[[0, 0, 1], [1, 3, 2]], instead)
