"""What is read of a variable is its value at that time, eagerly as compiled."""

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, metrics, ops

READS = {
    "value": lambda v: v.value,
    "subscript": lambda v: v[:],
    "reversed": lambda v: v[::-1],
    "stacked rows": lambda v: ops.stack(list(v)),
    "positive": lambda v: +v,
    "convert_to_tensor": ops.convert_to_tensor,
    "cast": lambda v: ops.cast(v, "float32"),
    "stop_gradient": ops.stop_gradient,
    "reshape": lambda v: ops.reshape(v, (3, 2)),
    "transpose": ops.transpose,
    "expand_dims": lambda v: ops.expand_dims(v, 0)[0],
    "split": lambda v: ops.split(v, 2)[1],
    "unstack": lambda v: ops.unstack(v)[1],
    "diagonal": ops.diagonal,
    "broadcast_to": lambda v: ops.broadcast_to(v, (4, 2, 3)),
    "roll": lambda v: ops.roll(v, 0, axis=0),
    "dropout": lambda v: keras.random.dropout(v, 0.0),
}


class Delay(layers.Layer):
    """Gives what it was given the call before."""

    def __init__(self, read):
        super().__init__()
        self.read = read

    def build(self, shape):
        self.held = self.add_weight(shape=(2, 3), initializer="zeros", trainable=False)

    def call(self, x):
        before = self.read(self.held)
        self.held.assign(x)
        return before


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_what_was_read_does_not_change_with_the_variable(read):
    given = [np.full((2, 3), k + 1.0, "float32") for k in range(3)]
    eager = Delay(read)
    kept = [eager(x) for x in given]
    assert [x.ravel()[0] for x in kept] == [0, 1, 2]
    x = keras.Input(batch_shape=(2, 3))
    model = keras.Model(x, Delay(read)(x))
    compiled = [model(x) for x in given]
    for a, b in zip(kept, compiled, strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_read_before_a_step_are_those_before_it():
    model = keras.Sequential([layers.Dense(2)])
    model.compile("sgd", "mse")
    model.build((None, 3))
    kernel = model.layers[0].kernel
    wanted = kernel.numpy()
    before = [kernel[0], ops.convert_to_tensor(kernel)[0], kernel.value[0], ops.reshape(kernel, (-1,))[:2]]
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    assert not np.array_equal(kernel[0], wanted[0])
    for read in before:
        np.testing.assert_array_equal(read, wanted[0])


def test_what_assign_gives_does_not_change_with_the_next_one():
    v = keras.Variable([1.0, 2.0])
    given = [v.assign([3.0, 4.0]), v.assign_add([1.0, 1.0]), v.assign_sub([4.0, 4.0])]
    assert [x.tolist() for x in given] == [[3, 4], [4, 5], [0, 1]]


@pytest.mark.parametrize("metric", [metrics.Sum, metrics.TruePositives], ids=lambda kind: kind.__name__)
def test_results_of_metrics_stay_as_they_were(metric):
    metric = metric()
    given = ([1.0, 1.0],) if isinstance(metric, metrics.Sum) else ([1, 1], [1.0, 1.0])
    metric.update_state(*given)
    result = metric.result()
    metric.update_state(*given)
    assert float(result) == 2 and float(metric.result()) == 4


def test_signs_and_complements_of_variables():
    assert (+keras.Variable([1.0, -2.0])).tolist() == [1, -2]
    assert (~keras.Variable([True, False], dtype="bool")).tolist() == [False, True]
