"""Batches whose arrays are of different lengths: nodes, edges and labels of graphs, joined windows."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops

GRAPHS = 3
SIZES = [(6, 8), (7, 5), (6, 0), (4, 4), (9, 12)]  # nodes and edges of a batch


class Messages(keras.Model):
    """Each node hears of its neighbours; a graph is the sum of its nodes."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = layers.Dense(5, activation="relu"), layers.Dense(1)

    def call(self, graph):
        h = self.hidden(graph["nodes"])
        heard = ops.take(h, graph["pairs"][:, 0], axis=0)
        h = h + ops.segment_sum(heard, graph["pairs"][:, 1], num_segments=ops.shape(h)[0])
        return self.out(ops.segment_sum(h, graph["of"], num_segments=GRAPHS))


def batches():
    rng = np.random.default_rng(5)
    for nodes, edges in SIZES:
        graph = {
            "pairs": rng.integers(0, nodes, (edges, 2)).astype("int32"),
            "nodes": rng.normal(size=(nodes, 4)).astype("float32"),
            "of": np.sort(rng.integers(0, GRAPHS, nodes)).astype("int32"),
        }
        yield graph, rng.normal(size=(GRAPHS, 1)).astype("float32")


class Graphs(keras.utils.PyDataset):
    def __init__(self):
        super().__init__()
        self.items = list(batches())

    def __len__(self):
        return len(self.items)

    def __getitem__(self, k):
        return self.items[k]


def model(**settings):
    keras.utils.set_random_seed(3)
    made = Messages()
    made(next(batches())[0])
    made.compile(keras.optimizers.SGD(0.01), "mse", metrics=["mae"], **settings)
    return made


def expected(m, graph):
    """The outputs, by NumPy."""
    kernel, bias, out, out_bias = m.get_weights()
    h = np.maximum(graph["nodes"] @ kernel + bias, 0)
    heard = h.copy()
    np.add.at(heard, graph["pairs"][:, 1], h[graph["pairs"][:, 0]])
    sums = np.zeros((GRAPHS, 5), "float32")
    np.add.at(sums, graph["of"], heard)
    return sums @ out + out_bias


@pytest.mark.parametrize("source", [batches, Graphs], ids=["generator", "PyDataset"])
def test_training_is_that_of_steps_in_python(source):
    compiled, eager = model(), model(run_eagerly=True)
    logs = [m.fit(source(), epochs=1, shuffle=False, verbose=0).history for m in (compiled, eager)]
    for key, value in logs[0].items():
        np.testing.assert_allclose(value, logs[1][key], rtol=1e-4)
    for a, b in zip(compiled.get_weights(), eager.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_predictions_and_single_batches():
    m = model()
    data = Graphs()
    np.testing.assert_allclose(
        m.predict(data, verbose=0), np.concatenate([expected(m, x) for x, _ in data.items]), rtol=1e-4
    )
    for x, y in data.items:
        np.testing.assert_allclose(m.predict_on_batch(x), expected(m, x), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(m(x), expected(m, x), rtol=1e-4, atol=1e-5)
        loss, mae = m.test_on_batch(x, y)
        np.testing.assert_allclose(loss, np.mean((expected(m, x) - y) ** 2), rtol=1e-4)
        before = m.train_on_batch(x, y)
        np.testing.assert_allclose(before, [loss, mae], rtol=1e-4)


def test_batches_of_any_lengths_share_a_program():
    m = model()
    for nodes, edges in ((6, 8), (7, 5), (11, 3), (2, 20)):
        x = {
            "pairs": np.zeros((edges, 2), "int32"),
            "nodes": np.ones((nodes, 4), "float32"),
            "of": np.zeros(nodes, "int32"),
        }
        m.train_on_batch(x, np.ones((GRAPHS, 1), "float32"))
    assert len(m._training.programs._known) == 2  # of the first call and of the step


def test_rows_that_the_model_joins():
    rows = keras.Input((4,))
    means = ops.mean(ops.reshape(layers.Dense(3)(rows), (-1, 5, 3)), axis=1)
    m = keras.Model(rows, means)
    m.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    for windows in (4, 2):
        x, y = rng.normal(size=(5 * windows, 4)), rng.normal(size=(windows, 3))
        kernel, bias = m.get_weights()
        want = (x @ kernel + bias).reshape(windows, 5, 3).mean(axis=1)
        np.testing.assert_allclose(m.train_on_batch(x, y), np.mean((want - y) ** 2), rtol=1e-4)


def test_whole_arrays_must_be_equally_long():
    x, y = next(batches())
    with pytest.raises(ValueError, match="cardinality is ambiguous"):
        model().fit(x, y, verbose=0)
    with pytest.raises(ValueError, match="cardinality is ambiguous"):
        model().predict(x, verbose=0)


def test_an_error_of_the_program_itself_stays_its_own():
    class Odd(Messages):
        def call(self, graph):
            raise ValueError("my own")

    m = Odd()
    m.compile("sgd", "mse")
    with pytest.raises(ValueError, match="my own"):
        m.train_on_batch(*next(batches()))
