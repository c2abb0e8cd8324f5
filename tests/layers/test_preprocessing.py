"""Preprocessing layers inside compiled programs and ONNX files; hashes; what is refused."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.layers.preprocessing import fingerprints
from kcompile.layers.preprocessing.vocabulary import Vocabulary

RNG = np.random.default_rng(3)
FLOATS = RNG.normal(1, 2, (17, 5)).astype("float32")
INTS = RNG.integers(-40, 40, (17, 5))
EDGES = np.array([[-(2**63), 2**63 - 1, 0, -1, 10**15], [10**16, 10**17, -(10**16), 999999999, -99999999]])


def normalization(**more):
    layer = layers.Normalization(**more)
    layer.adapt(FLOATS)
    return layer


# name -> (layer, inputs)
NUMERIC = {
    "normalization": (lambda: normalization(), [FLOATS]),
    "normalization of ints": (lambda: normalization(), [INTS]),
    "inverted normalization": (lambda: normalization(invert=True), [FLOATS]),
    "given statistics": (lambda: layers.Normalization(axis=None, mean=2.0, variance=9.0), [FLOATS]),
    "bins": (lambda: layers.Discretization([-1.0, 0.5, 2.0]), [FLOATS]),
    "one-hot bins": (lambda: layers.Discretization([-1.0, 0.5], output_mode="one_hot"), [FLOATS]),
    "counted bins": (lambda: layers.Discretization([-1.0, 0.5], output_mode="count"), [FLOATS]),
    "categories": (lambda: layers.CategoryEncoding(30), [INTS]),
    "one-hot categories": (lambda: layers.CategoryEncoding(30, output_mode="one_hot"), [INTS]),
    "counted categories": (lambda: layers.CategoryEncoding(30, output_mode="count"), [INTS]),
    "hashes": (lambda: layers.Hashing(1000), [INTS]),
    "hashes of long numbers": (lambda: layers.Hashing(2**40), [EDGES]),
    "hashes of int32": (lambda: layers.Hashing(1000), [INTS.astype("int32")]),
    "hashes of floats": (lambda: layers.Hashing(1000), [FLOATS * 100]),
    "salted hashes": (lambda: layers.Hashing(2**40, salt=[3, -4]), [EDGES]),
    "masked hashes": (lambda: layers.Hashing(10, mask_value=7), [INTS]),
    "hashes, multi-hot": (lambda: layers.Hashing(10, output_mode="multi_hot"), [INTS]),
    "crossing": (lambda: layers.HashedCrossing(100), [INTS[:, :1], INTS[:, 1:2]]),
    "one-hot crossing": (
        lambda: layers.HashedCrossing(9, output_mode="one_hot"),
        [INTS[:, :1], INTS[:, 1:2], INTS[:, 2:3]],
    ),
    "lookup": (lambda: layers.IntegerLookup(vocabulary=[3, -7, 12, 30], mask_token=5), [INTS]),
    "lookup, several unknown": (
        lambda: layers.IntegerLookup(vocabulary=[3, -7], num_oov_indices=4),
        [INTS],
    ),
    "lookup, farmhash": (
        lambda: layers.IntegerLookup(vocabulary=[3, -7], num_oov_indices=4, oov_method="farmhash"),
        [INTS],
    ),
    "counting lookup": (
        lambda: layers.IntegerLookup(vocabulary=list(range(-9, 9)), output_mode="count", mask_token=20),
        [INTS],
    ),
    "weighted lookup": (
        lambda: layers.IntegerLookup(vocabulary=[1, 2, 3], output_mode="tf_idf", idf_weights=[1.0, 2.0, 0.5]),
        [INTS],
    ),
    "inverted lookup": (
        lambda: layers.IntegerLookup(vocabulary=[30, 7, 12], invert=True, mask_token=0),
        [np.abs(INTS) % 7],
    ),
}


def model_of(make, arrays):
    placeholders = [keras.Input(a.shape[1:], dtype=a.dtype) for a in arrays]
    layer = make()
    return layer, keras.Model(placeholders, layer(placeholders if len(arrays) > 1 else placeholders[0]))


@pytest.mark.parametrize("name", NUMERIC)
def test_compiled_as_eager(name):
    make, arrays = NUMERIC[name]
    layer, model = model_of(make, arrays)
    for count in (len(arrays[0]), 1):
        part = [a[:count] for a in arrays]
        eager = layer(part if len(part) > 1 else part[0])
        compiled = model.predict(part if len(part) > 1 else part[0], verbose=0)
        assert compiled.dtype == eager.dtype and compiled.shape == eager.shape
        np.testing.assert_allclose(compiled, eager, rtol=1e-5, atol=1e-5)
        assert compiled.shape[1:] == tuple(model.output_shape[1:])


@pytest.mark.parametrize("name", NUMERIC)
def test_exported_as_eager(name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    make, arrays = NUMERIC[name]
    layer, model = model_of(make, arrays)
    model.export(tmp_path / "m.onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    for count in (len(arrays[0]), 1):
        part = [a[:count] for a in arrays]
        found = session.run(None, dict(zip([i.name for i in session.get_inputs()], part, strict=True)))[0]
        eager = layer(part if len(part) > 1 else part[0])
        np.testing.assert_allclose(found, eager, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 9, 100])
def test_the_binary_search_finds_every_token_and_no_other(size):
    tokens = RNG.permutation(np.arange(size) * 3 - 5)
    found = Vocabulary(tokens.tolist(), 2).find(np.arange(-8, 3 * size), -1)
    wanted = {int(token): k for k, token in enumerate(tokens, 2)}
    assert found.tolist() == [wanted.get(v, -1) for v in range(-8, 3 * size)]


@pytest.mark.parametrize("key", [None, (5, -6)])
def test_ints_hash_as_their_decimal_text(key):
    values = np.unique([s * (10**k + d) for k in range(19) for d in (-1, 0, 1) for s in (1, -1)])
    texts = [str(v).encode() for v in values.tolist()]
    assert (fingerprints.of_ints(values, key) == fingerprints.of_texts(texts, key)).all()


def test_sip_hash_of_its_paper():
    """The key 0, 1, ... 15 and the text 0, 1, ... 14 (SipHash, appendix A)."""
    key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    assert fingerprints.of_texts([bytes(range(15))], key)[0] == 0xA129CA6149BE45E5


def test_layers_are_called_on_lists_and_text_of_any_kind():
    lookup = layers.StringLookup(vocabulary=["a", "é"])
    for texts in (["é", "b"], ("é", "b"), [b"\xc3\xa9", b"b"], np.array(["é", "b"], object)):
        assert lookup(texts).tolist() == [2, 0]
    assert layers.IntegerLookup(vocabulary=[5])([[5], [6]]).tolist() == [[1], [0]]


@pytest.mark.parametrize("bad", [[1.5], ["a", None], [np.nan, "a"]])
def test_what_is_no_text_is_refused(bad):
    with pytest.raises(TypeError, match="string_lookup.*takes text"):
        layers.StringLookup(vocabulary=["a"])(np.array(bad, object))


@pytest.mark.parametrize("make", [layers.StringLookup, layers.IntegerLookup, layers.TextVectorization])
@pytest.mark.parametrize("option", ["sparse", "ragged"])
def test_sparse_and_ragged_outputs_are_refused(make, option):
    if option == "ragged" and make is not layers.TextVectorization:
        pytest.skip("no such argument")
    with pytest.raises(ValueError, match=option):
        make(**{option: True, "output_mode": "int" if option == "ragged" else "count"})


@pytest.mark.parametrize(
    "make", [lambda: layers.CategoryEncoding(3, sparse=True), lambda: layers.Hashing(3, sparse=True)]
)
def test_sparse_encodings_are_refused(make):
    with pytest.raises(ValueError, match="sparse"):
        make()


def test_the_size_of_a_vocabulary_is_fixed_for_counts():
    layer = layers.StringLookup(output_mode="count")
    layer.adapt(["a", "b"])
    with pytest.raises(RuntimeError, match="vocabulary size cannot be changed"):
        layer.set_vocabulary(["a", "b", "c"])


def test_a_vocabulary_may_be_read_from_a_file_of_the_user(tmp_path):
    (tmp_path / "v.txt").write_text("a\nb\n\n", "utf-8")
    layer = layers.StringLookup(vocabulary=str(tmp_path / "v.txt"))
    assert layer.get_vocabulary() == ["[UNK]", "a", "b"]
    assert layer.get_config()["vocabulary"] is None
    ints = tmp_path / "i.txt"
    ints.write_text("7\n-8\n")
    assert layers.IntegerLookup(vocabulary=str(ints)).get_vocabulary() == [-1, 7, -8]


def test_copies_keep_the_vocabulary():
    layer = layers.TextVectorization(output_mode="tf_idf")
    layer.adapt(["a b", "b"])
    twin = copy.deepcopy(layer)
    assert twin.get_vocabulary() == layer.get_vocabulary()
    np.testing.assert_array_equal(twin(["b q"]), layer(["b q"]))


def test_callables_standardize_and_split():
    layer = layers.TextVectorization(
        standardize=np.char.upper, split=lambda texts: [t.split("|") for t in texts], vocabulary=["A", "B"]
    )
    assert layer(["a|b", "b"]).tolist() == [[2, 3], [3, 0]]


def test_adapting_anew_changes_a_compiled_model():
    layer = layers.IntegerLookup()
    layer.adapt([1, 2, 2])
    model = keras.Sequential([keras.Input((1,), dtype="int64"), layer])
    x = np.array([[2], [9]])
    assert model.predict(x, verbose=0).tolist() == [[1], [0]]
    layer.adapt([9, 9, 2])
    assert model.predict(x, verbose=0).tolist() == [[2], [1]]
    normal = layers.Normalization(axis=None)
    normal.adapt(np.array([1.0, 3.0]))
    model = keras.Sequential([keras.Input((1,)), normal])
    assert model.predict(np.array([[5.0]]), verbose=0).tolist() == [[3.0]]
    normal.adapt(np.array([0.0, 10.0]))
    assert model.predict(np.array([[5.0]]), verbose=0).tolist() == [[0.0]]


def test_lists_of_arrays_are_one_array():
    """As in Keras: the arrays lie along a new first axis."""
    rows = [np.array([[0, 2], [1, 1]]), np.array([[2, 2], [0, 1]])]
    for layer in (
        layers.CategoryEncoding(3),
        layers.CategoryEncoding(3, "one_hot"),
        layers.Hashing(5),
        layers.Hashing(4, salt=3),
    ):
        np.testing.assert_array_equal(layer(rows), layer(np.stack(rows)))
    words = [np.array(["a", "ü"]), np.array(["日本", ""])]
    np.testing.assert_array_equal(layers.Hashing(7)(words), layers.Hashing(7)(np.stack(words)))
