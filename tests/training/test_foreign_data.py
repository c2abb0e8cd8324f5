"""Tables, tensors and data sets of other libraries: what they give is what arrays of the same numbers give.

The libraries themselves are not needed to run kcompile; where one is not installed, its test is skipped.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from kcompile.training.data.batches import batch_data
from kcompile.training.data.convert import as_array, is_array_like
from tests.training.models import data, linear

x, y = data()


def losses(*data, **settings):
    return linear().fit(*data, verbose=0, shuffle=False, epochs=2, **settings).history["loss"]


@pytest.fixture(scope="module")
def expected():
    return losses(x, y, batch_size=5)


# --- stand-ins that behave as the libraries do --------------------------------------------------------------


def test_ragged_and_sparse_tensors():
    ragged = SimpleNamespace(to_tensor=lambda: np.array([[1.0, 2.0], [3.0, 0.0]]))
    sparse = SimpleNamespace(
        indices=np.array([[0, 1], [2, 0]]), values=np.array([5, 7], "int32"), dense_shape=np.array([3, 2])
    )
    assert is_array_like(ragged) and is_array_like(sparse)
    assert as_array(ragged, "x").tolist() == [[1, 2], [3, 0]]
    assert as_array(sparse, "x").tolist() == [[0, 5], [0, 0], [7, 0]]
    assert as_array(sparse, "x").dtype == np.int32


class Loader:
    """As torch's DataLoader: batches are lists, and `iter` begins anew and is costly."""

    def __init__(self, begun=None):
        self.begun = [] if begun is None else begun

    def __iter__(self):
        self.begun.append(1)
        return ([x[k : k + 5], y[k : k + 5]] for k in range(0, 20, 5))

    def __len__(self):
        return 4


def test_a_loader(expected):
    loader = Loader()
    np.testing.assert_allclose(losses(loader), expected, rtol=1e-6)
    assert len(loader.begun) == 3  # a look at the first batch, and two epochs
    source = batch_data(Loader(begun := []))
    assert source.num_batches == 4 and not begun


def test_a_loader_without_end():
    class Endless(Loader):
        def __iter__(self):
            while True:
                yield from super().__iter__()

        def __len__(self):
            raise TypeError("The dataset is infinite.")

    source = batch_data(Endless())
    assert source.num_batches is None and source.restarts
    assert len(losses(Endless(), steps_per_epoch=4)) == 2


def test_batches_as_dicts():
    batches = [{"a": x[k : k + 5]} for k in range(0, 20, 5)]

    class Source:
        def __iter__(self):
            return iter(batches)

    found = list(batch_data(Source()).epoch())
    assert [b[1:] for b in found] == [(None, None)] * 4 and found[0][0]["a"].shape == (5, 4)


# --- the libraries ------------------------------------------------------------------------------------------


def test_pandas(expected):
    pandas = pytest.importorskip("pandas")
    frame, series = pandas.DataFrame(x, columns=list("abcd")), pandas.Series(y[:, 0])
    np.testing.assert_allclose(losses(frame, series, batch_size=5), expected, rtol=1e-6)
    np.testing.assert_allclose(
        losses(frame.astype({"b": "Float32", "c": "float64"}), series, batch_size=5), expected, rtol=1e-6
    )
    assert len(losses(frame, series, validation_split=0.5)) == 2
    mixed = pandas.DataFrame({"a": [1, 2], "b": [True, False], "c": [0.5, 1.5]})
    np.testing.assert_array_equal(as_array(mixed, "x"), [[1, 1, 0.5], [2, 0, 1.5]])
    assert as_array(mixed["b"], "x").shape == (2, 1)
    missing = pandas.DataFrame({"a": pandas.array([1, None], dtype="Int64")})
    np.testing.assert_array_equal(as_array(missing, "x"), [[1], [np.nan]])
    assert as_array(mixed[[]], "x").shape == (2, 0)
    with pytest.raises(ValueError, match=r"Invalid dtype of `x\['t'\]`"):
        as_array(pandas.DataFrame({"a": [1], "t": ["text"]}), "x")
    with pytest.raises(ValueError, match="Invalid dtype of `y`"):
        as_array(pandas.Series(["a", "b"], dtype="category"), "y")
    for digits in (["1", "2"], ["1", None]):  # text is text, whatever it says
        with pytest.raises(ValueError, match="Invalid dtype of `y`"):
            as_array(pandas.Series(digits, dtype="string"), "y")


def test_torch(expected):
    torch = pytest.importorskip("torch")
    inputs, labels = torch.tensor(x, requires_grad=True), torch.tensor(y)
    np.testing.assert_allclose(losses(inputs, labels, batch_size=5), expected, rtol=1e-6)
    pairs = torch.utils.data.TensorDataset(torch.tensor(x), labels)
    loader = torch.utils.data.DataLoader(pairs, batch_size=5)
    np.testing.assert_allclose(losses(loader), expected, rtol=1e-6)
    assert linear().predict(loader, verbose=0).shape == (20, 1)
    assert as_array(torch.eye(2).to_sparse(), "x").tolist() == [[1, 0], [0, 1]]
    assert as_array(torch.eye(2).bfloat16(), "x").tolist() == [[1, 0], [0, 1]]


def test_tensorflow(expected):
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(5)
    np.testing.assert_allclose(losses(data), expected, rtol=1e-6)
    np.testing.assert_allclose(losses(data.repeat(), steps_per_epoch=4), expected, rtol=1e-6)
    assert batch_data(data.repeat()).num_batches is None and batch_data(data).num_batches == 4
    assert as_array(tf.ragged.constant([[1.0, 2.0], [3.0]]), "x").tolist() == [[1, 2], [3, 0]]
    assert as_array(tf.sparse.from_dense([[1, 0], [0, 2]]), "x").tolist() == [[1, 0], [0, 2]]


def test_scipy(expected):
    sparse = pytest.importorskip("scipy.sparse")
    for matrix in (sparse.csr_matrix(x), sparse.coo_matrix(x), sparse.csr_array(x)):
        np.testing.assert_allclose(losses(matrix, y, batch_size=5), expected, rtol=1e-6)
        assert len(losses(matrix, y, validation_split=0.5)) == 2
