"""What is done with the preprocessing of both libraries: functions of `keras` that return plain results.

A case that raises is recorded as the name of the exception; errors of TensorFlow's own count as ValueErrors.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CASES: dict[str, Callable[[Any], Any]] = {}
TEXTS = ["Hello, World! hello", "b É a-b c", "", "x\ty  hello"]
WORDS = ["a", "", "abc", "abcdefgh", "x" * 16, "y" * 17, "z" * 32, "z" * 33, "w" * 64, "w" * 65, "é" * 100]
INTS = [1, 12, -5, 123456789, 1234567, -(2**63), 2**63 - 1, 12345678901234567, -99999999, 0, 1000]
SHAPES = [(3,), (2, 3), (2, 1), (2, 2, 2), ()]


def case(name: str) -> Callable[[Any], Any]:
    def add(function: Any) -> Any:
        assert name not in CASES
        CASES[name] = function
        return function

    return add


def plain(x: Any) -> Any:
    """A result as JSON can hold it."""
    if isinstance(x, dict):
        return {key: plain(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [plain(value) for value in x]
    if isinstance(x, (str, bool, int, float, type(None))) and not isinstance(x, np.generic):
        return x
    if isinstance(x, (np.str_, np.integer)):
        return x.item()
    array = np.asarray(x)
    values = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in array.ravel().tolist()]
    return {"dtype": array.dtype.name, "shape": list(array.shape), "values": values}


def outcome(keras: Any, name: str) -> Any:
    """What a case returns in Keras, or the exception that it raises."""
    try:
        return plain(CASES[name](keras))
    except (ValueError, TypeError, RuntimeError) as error:
        return {"error": type(error).__name__}
    except Exception as error:
        early = type(error).__name__ == "FailedPreconditionError"
        return {"error": "RuntimeError" if early else "ValueError"}


# --- hashes -------------------------------------------------------------------------------------------------


def _hashing(name: str, values: Any, **settings: Any) -> None:
    CASES[f"Hashing {name}"] = lambda keras: keras.layers.Hashing(**settings)(np.array(values))


_hashing("ints", INTS, num_bins=1000003)
_hashing("int32", np.array([5, -6, 70000], "int32"), num_bins=1000003)
_hashing("uint8", np.array([5, 255], "uint8"), num_bins=1000003)
_hashing("bools", [True, False], num_bins=1000003)
_hashing("floats", [1.7, -12.2, 0.0], num_bins=1000003)
_hashing("texts", WORDS, num_bins=1000003)
_hashing("ints with one salt", INTS, num_bins=1000003, salt=133)
_hashing("ints with two salts", INTS, num_bins=1000003, salt=[133, -137])
_hashing("texts with two salts", WORDS, num_bins=1000003, salt=(133, 137))
_hashing("text mask", ["a", "", "abc"], num_bins=5, mask_value="")
_hashing("int mask", [0, 1, 2], num_bins=5, mask_value=0)
_hashing("one bin", [0, 1, 2], num_bins=1, mask_value=0)
_hashing("as int32", [0, 1, 2], num_bins=7, dtype="int32")
for _mode in ("one_hot", "multi_hot", "count"):
    for _shape in SHAPES[:4]:
        _hashing(
            f"{_mode} {_shape}", np.arange(np.prod(_shape)).reshape(_shape), num_bins=5, output_mode=_mode
        )
_hashing("float dtype", [1], num_bins=5, dtype="float32")
_hashing("no bins", [1], num_bins=0)
_hashing("odd salt", [1], num_bins=5, salt=2.5)
_hashing("odd mode", [1], num_bins=5, output_mode="x")


def _crossing(name: str, *values: Any, **settings: Any) -> None:
    def run(keras: Any) -> Any:
        return keras.layers.HashedCrossing(**settings)(tuple(np.array(v) for v in values))

    CASES[f"HashedCrossing {name}"] = run


_crossing("text and ints", ["A", "B", "A"], [101, -7, 2**40], num_bins=1000003)
_crossing("three ints", [1, 2], [101, -7], [5, 6], num_bins=1000003)
_crossing("texts and ints", ["a", "b"], ["c", "d"], [5, 6], num_bins=1000003)
_crossing("columns, one-hot", [[1], [2]], [[101], [7]], num_bins=5, output_mode="one_hot")
_crossing("rows, one-hot", [1, 2], [101, 7], num_bins=5, output_mode="one_hot")
_crossing("scalars", 1, 2, num_bins=5)
_crossing("floats", [1.5], [2], num_bins=5)
_crossing("one input", [1], num_bins=5)
_crossing("wide inputs", [[1, 2]], [[1, 2]], num_bins=5)
_crossing("unequal inputs", [1, 2], [1], num_bins=5)


# --- lookups ------------------------------------------------------------------------------------------------


def _lookup(name: str, values: Any, kind: str = "IntegerLookup", **settings: Any) -> None:
    def run(keras: Any) -> Any:
        layer = getattr(keras.layers, kind)(**settings)
        return (
            layer(np.array(values)),
            layer.get_vocabulary(),
            layer.get_vocabulary(False),
            layer.vocabulary_size(),
        )

    CASES[f"{kind} {name}"] = run


SOME = {"vocabulary": [12, 36, 1138, 42]}
_lookup("plain", [[12, 7], [42, -1]], **SOME)
_lookup("several unknown", [[12, 1138, 42], [37, -4, 0]], num_oov_indices=3, mask_token=0, **SOME)
_lookup("farmhash", [12, 37, -4, 0], num_oov_indices=3, oov_method="farmhash", **SOME)
_lookup("siphash", [12, 37, -4, 0], num_oov_indices=3, oov_method="farmhash", salt=5, **SOME)
_lookup("none unknown", [12, 42], num_oov_indices=0, **SOME)
_lookup("an unknown one", [12, 5], num_oov_indices=0, **SOME)
_lookup("inverted", [[0, 1], [4, 9]], invert=True, **SOME)
_lookup("inverted with a mask", [[0, 1], [2, 9]], invert=True, mask_token=-7, oov_token=-3, **SOME)
_lookup("special tokens", [12, 1], vocabulary=[0, -1, 12, 13], mask_token=0)
_lookup("large ints", [2**63 - 1, -(2**63), 5], vocabulary=[2**63 - 1, 5, -(2**63)])
_lookup("idf", [[12, 9, 36]], vocabulary=[12, 36], idf_weights=[0.5, 2.0], output_mode="tf_idf")
for _mode in ("one_hot", "multi_hot", "count"):
    for _shape in SHAPES:
        _lookup(
            f"{_mode} {_shape}",
            np.resize([12, 0, 7, 42, 42], _shape),
            mask_token=0,
            output_mode=_mode,
            **SOME,
        )

TOKENS = {"vocabulary": ["a", "b"]}
_lookup("plain", ["b", "z"], "StringLookup", **TOKENS)
_lookup("bytes", np.array([[b"b"], [b"z"]], object), "StringLookup", **TOKENS)
_lookup(
    "several unknown", ["a", "", "zz", "yy", "b"], "StringLookup", num_oov_indices=4, mask_token="", **TOKENS
)
_lookup("siphash", ["a", "", "zz", "yy", "b"], "StringLookup", num_oov_indices=4, salt=3, **TOKENS)
_lookup("an unknown one", ["a", "c"], "StringLookup", num_oov_indices=0, **TOKENS)
_lookup("scalar", "a", "StringLookup", **TOKENS)
_lookup("ints", [1], "StringLookup", **TOKENS)
_lookup("inverted", [[0, 1], [2, 9]], "StringLookup", invert=True, **TOKENS)
_lookup("nothing learned", ["a"], "StringLookup")
_lookup("nothing counted", ["a"], "StringLookup", output_mode="multi_hot")
_lookup("repeated", ["a"], "StringLookup", vocabulary=["a", "a"])
_lookup("mask inside", ["a"], "StringLookup", vocabulary=["a", "m"], mask_token="m")
_lookup("OOV inside", [1], "StringLookup", vocabulary=["a", "[UNK]"], invert=True)
_lookup("OOV inside, not inverted", ["a"], "StringLookup", vocabulary=["a", "[UNK]"])
_lookup("too many", ["a"], "StringLookup", vocabulary=["a", "b"], max_tokens=2)
_lookup("empty", ["a"], "StringLookup", vocabulary=[])
_lookup("no such file", ["a"], "StringLookup", vocabulary="/no/such/file")
_lookup("one token", ["a"], "StringLookup", max_tokens=1)
_lookup("padded without a size", ["a"], "StringLookup", pad_to_max_tokens=True, output_mode="count")
_lookup("inverted counts", ["a"], "StringLookup", invert=True, output_mode="count")
_lookup("weights without idf", ["a"], "StringLookup", idf_weights=[1.0, 2.0], **TOKENS)
_lookup("idf without weights", ["a"], "StringLookup", output_mode="tf_idf", **TOKENS)
_lookup(
    "idf, padded",
    [["a", "z", "b"]],
    "StringLookup",
    idf_weights=[1.0, 2.0],
    output_mode="tf_idf",
    pad_to_max_tokens=True,
    max_tokens=6,
    **TOKENS,
)
for _mode in ("one_hot", "multi_hot", "count"):
    for _shape in SHAPES:
        _lookup(
            f"{_mode} {_shape}",
            np.resize(["a", "m", "z", "b", "b"], _shape),
            "StringLookup",
            mask_token="m",
            output_mode=_mode,
            **TOKENS,
        )


def _adapted(
    name: str, kind: str, data: Callable[[], Any], probe: Any, steps: Any = None, **settings: Any
) -> None:
    def run(keras: Any) -> Any:
        layer = getattr(keras.layers, kind)(**settings)
        layer.adapt(data(), **({} if steps is None else {"steps": steps}))
        return layer.get_vocabulary(), layer(np.array(probe))

    CASES[f"adapted {kind} {name}"] = run


_adapted("list", "IntegerLookup", lambda: [5, 6, 6, 5, 7, -1], [6, 7, 8])
_adapted("limited", "IntegerLookup", lambda: np.array([[5, 6, 6], [5, 7, 6]]), [6, 7], max_tokens=3)
_adapted("batches", "IntegerLookup", lambda: iter([np.array([5, 6]), np.array([6, 7])]), [6, 7, 5])
_adapted("some batches", "IntegerLookup", lambda: iter([np.array([5]), np.array([6])]), [6, 5], steps=1)
_adapted("idf", "IntegerLookup", lambda: np.array([[5, 6, 6], [5, 7, 6]]), [[6, 7, 9]], output_mode="tf_idf")
_adapted("list", "StringLookup", lambda: ["b", "a", "b", "É", "[UNK]"], ["b", "É"])
_adapted("mask", "StringLookup", lambda: ["b", "", "b", "c"], ["b", "", "q"], mask_token="")
_adapted("idf of rows", "StringLookup", lambda: [["a", "b"], ["a", "a"]], [["a", "b"]], output_mode="tf_idf")
_adapted("given", "StringLookup", lambda: ["b"], ["b"], vocabulary=["a"])

# --- text ---------------------------------------------------------------------------------------------------

_SETTINGS: list[dict[str, Any]] = [
    {},
    {"output_sequence_length": 2},
    {"output_sequence_length": 6},
    {"split": None},
    {"split": "character"},
    {"ngrams": 2},
    {"ngrams": (2, 3)},
    {"standardize": None},
    {"standardize": "lower"},
    {"standardize": "strip_punctuation"},
    {"max_tokens": 4},
    {"split": None, "output_sequence_length": 4},
    {"output_mode": "multi_hot"},
    {"output_mode": "count"},
    {"output_mode": "tf_idf"},
    {"output_mode": "count", "pad_to_max_tokens": True, "max_tokens": 16},
    {"output_mode": "tf_idf", "pad_to_max_tokens": True, "max_tokens": 16},
    {"output_mode": "multi_hot", "split": None},
    {"output_mode": "tf_idf", "split": None},
    {"output_mode": "count", "ngrams": 2},
    {"vocabulary": ["earth", "wind"]},
    {"vocabulary": ["a", "b"], "output_mode": "tf_idf", "idf_weights": [0.5, 1.5]},
]
_PROBES = {
    "rows": ["hello foo", "b É"],
    "column": [["hello foo"], ["b É"]],
    "empty": [""],
    "wide": [["a", "b"]],
    "punctuation": ["A,b. (c) -- d'e f_g ÀÉ"],
}
for _number, _given in enumerate(_SETTINGS):

    def _vectorized(keras: Any, given: dict[str, Any], probe: Any) -> Any:
        layer = keras.layers.TextVectorization(**given)
        if "vocabulary" not in given:
            layer.adapt(TEXTS)
        return layer.get_vocabulary(), layer(np.array(probe, object)), layer.vocabulary_size()

    for _name, _probe in _PROBES.items():
        CASES[f"TextVectorization {_number} {_given} {_name}"] = lambda keras, given=_given, probe=_probe: (
            _vectorized(keras, given, probe)
        )
    CASES[f"TextVectorization {_number} {_given} config"] = lambda keras, given=_given: (
        keras.layers.TextVectorization(name="t", **given).get_config()
    )

for _name, _bad in {
    "ragged counts": {"ragged": True, "output_mode": "count"},
    "odd split": {"split": "x"},
    "odd standardize": {"standardize": "x"},
    "odd mode": {"output_mode": "x"},
    "odd ngrams": {"ngrams": "x"},
    "odd length": {"output_sequence_length": 1.5},
    "length of counts": {"output_sequence_length": 3, "output_mode": "count"},
    "nothing learned": {},
}.items():
    CASES[f"TextVectorization {_name}"] = lambda keras, bad=_bad: keras.layers.TextVectorization(**bad)(["a"])


@case("TextVectorization adapted on batches")
def _(keras: Any) -> Any:
    layer = keras.layers.TextVectorization()
    layer.adapt(iter([np.array(["a b", "b"]), np.array(["c b"])]), steps=1)
    return layer.get_vocabulary()


# --- numbers ------------------------------------------------------------------------------------------------

ROWS = np.random.default_rng(0).normal(2, 3, (50, 4, 3)).astype("float32")


def _normalized(name: str, data: Any, probe: Any, **settings: Any) -> None:
    def run(keras: Any) -> Any:
        layer = keras.layers.Normalization(**settings)
        if data is not None:
            layer.adapt(data() if callable(data) else data)
        return (
            layer(probe),
            [w.path.split("/")[-1] for w in layer.weights],
            [np.asarray(w).tolist() for w in layer.get_weights()],
        )

    CASES[f"Normalization {name}"] = run


_normalized("last axis", ROWS, ROWS[:2])
_normalized("two axes", ROWS, ROWS[:2], axis=(1, -1))
_normalized("no axis", ROWS, ROWS[:2], axis=None)
_normalized("inverted", ROWS, ROWS[:2], invert=True)
_normalized("ints", (ROWS * 10).astype("int32"), (ROWS[:2] * 10).astype("int32"))
_normalized("batches", lambda: [ROWS[:30], ROWS[30:]], ROWS[:2])
_normalized("tuples", lambda: iter([(ROWS[:30], 0), (ROWS[30:], 0)]), ROWS[:2], axis=1)
_normalized("given", None, ROWS[:2], mean=1.0, variance=4.0)
_normalized("given by channel", None, ROWS[:2], mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0])
_normalized("no variance", np.ones((5, 3)), np.ones((1, 3)))
_normalized("mean alone", None, ROWS, mean=1.0)
_normalized("unequal", None, ROWS, mean=[1.0, 2.0], variance=1.0)
_normalized("far axis", ROWS, ROWS, axis=3)
_normalized("other size", None, ROWS, mean=[1.0, 2.0], variance=[1.0, 1.0])
_normalized("list of numbers", [1.0, 2.0], ROWS)
_normalized("no batches", [], ROWS)
_normalized("a number", 3, ROWS)


def _discretized(name: str, data: Any, probe: Any, steps: Any = None, **settings: Any) -> None:
    def run(keras: Any) -> Any:
        layer = keras.layers.Discretization(name="d", **settings)
        if data is not None:
            layer.adapt(data(), steps=steps)
        config = layer.get_config()
        again = keras.layers.Discretization.from_config(config)
        return layer(np.array(probe)), again(np.array(probe)), config

    CASES[f"Discretization {name}"] = run


_PROBE = [[-3.0, -0.1], [0.0, 2.5]]
_discretized("boundaries", None, _PROBE, bin_boundaries=[-0.1, 0.0, 2.5])
_discretized("ints", None, [0, 1, 2], bin_boundaries=[0.5, 1.5])
_discretized("odd numbers", None, [np.nan, np.inf, -np.inf], bin_boundaries=[0.5, 1.5])
_discretized("learned", lambda: ROWS, _PROBE, num_bins=4)
_discretized("learned roughly", lambda: ROWS, _PROBE, num_bins=5, epsilon=0.1)
_discretized("batches", lambda: [ROWS[:20], ROWS[20:33], ROWS[33:]], _PROBE, num_bins=4)
_discretized("some batches", lambda: iter([ROWS[:20], ROWS[20:]]), _PROBE, steps=1, num_bins=7)
_discretized("both", None, _PROBE, num_bins=4, bin_boundaries=[1.0])
_discretized("neither", None, _PROBE)
_discretized("nothing learned", None, _PROBE, num_bins=4)
_discretized("learned in vain", lambda: ROWS, _PROBE, bin_boundaries=[1.0])
for _mode in ("one_hot", "multi_hot", "count"):
    for _shape in SHAPES:
        _values = np.resize([1.0, 0.0, 4.0, 2.0], _shape)
        _discretized(f"{_mode} {_shape}", None, _values, bin_boundaries=[0.0, 1.0, 2.0], output_mode=_mode)
        CASES[f"CategoryEncoding {_mode} {_shape}"] = lambda keras, mode=_mode, values=_values: (
            keras.layers.CategoryEncoding(5, output_mode=mode)(values.astype("int32"))
        )


@case("CategoryEncoding weights")
def _(keras: Any) -> Any:
    layer = keras.layers.CategoryEncoding(3, output_mode="count")
    return layer(np.array([[0, 1], [1, 1]]), count_weights=np.array([[0.1, 0.2], [0.3, 0.4]]))


@case("CategoryEncoding weights of another mode")
def _(keras: Any) -> Any:
    return keras.layers.CategoryEncoding(3)(np.array([[0, 1]]), count_weights=np.array([[0.1, 0.2]]))


@case("CategoryEncoding list")
def _(keras: Any) -> Any:
    return keras.layers.CategoryEncoding(num_tokens=3)([0, 1])


for _name, _bad in {
    "no size": {},
    "size 0": {"num_tokens": 0},
    "mode": {"num_tokens": 1, "output_mode": "x"},
}.items():
    CASES[f"CategoryEncoding {_name}"] = lambda keras, bad=_bad: keras.layers.CategoryEncoding(**bad)([0])

for _kind, _args in {
    "Normalization": {"mean": 1.0, "variance": 2.0},
    "CategoryEncoding": {"num_tokens": 3},
    "Hashing": {"num_bins": 3, "salt": 5},
    "HashedCrossing": {"num_bins": 3},
    "IntegerLookup": {"vocabulary": [4, 5], "mask_token": 0, "num_oov_indices": 2},
    "StringLookup": {"vocabulary": ["a"], "output_mode": "count"},
}.items():
    CASES[f"config {_kind}"] = lambda keras, kind=_kind, args=_args: json.loads(
        json.dumps(getattr(keras.layers, kind)(name="layer", **args).get_config())
    )

# --- tables, sequences, folders -----------------------------------------------------------------------------

TABLE = {
    "size": [0.5, 1.5, 2.5, -1.0],
    "count": [1, 2, 3, 2],
    "kind": ["a", "b", "a", "c"],
    "word": ["x", "y", "z", "x"],
    "id": [7, 8, 9, 7],
}


@case("FeatureSpace concat")
def _(keras: Any) -> Any:
    kinds = {
        "size": "float_normalized",
        "count": "integer_categorical",
        "kind": "string_categorical",
        "word": "string_hashed",
        "id": "integer_hashed",
    }
    space = keras.utils.FeatureSpace(kinds, crosses=[("kind", "count")], crossing_dim=8, hashing_dim=6)
    space.adapt(TABLE)
    return space(TABLE), space({key: values[0] for key, values in TABLE.items()})


@case("FeatureSpace dict")
def _(keras: Any) -> Any:
    of = keras.utils.FeatureSpace
    kinds = {
        "size": of.float_discretized(num_bins=3),
        "count": of.integer_categorical(output_mode="int"),
        "kind": of.string_categorical(max_tokens=3),
        "word": of.string_hashed(5, output_mode="int"),
        "id": of.integer_hashed(4),
    }
    space = of(kinds, crosses=[of.cross(("kind", "id"), 5, output_mode="int")], output_mode="dict")
    space.adapt(TABLE)
    return dict(space(TABLE))


@case("FeatureSpace plain floats")
def _(keras: Any) -> Any:
    space = keras.utils.FeatureSpace(
        {"size": "float", "count": keras.utils.FeatureSpace.float_rescaled(0.5, 1.0)}
    )
    return space({name: TABLE[name] for name in ("size", "count")})


for _name, _bad in {
    "none": {"features": {}},
    "kind": {"features": {"a": "x"}},
    "mode": {"features": {"a": "float"}, "output_mode": "x"},
    "cross": {"features": {"a": "integer_hashed"}, "crosses": [("a", "b")]},
}.items():
    CASES[f"FeatureSpace bad {_name}"] = lambda keras, bad=_bad: keras.utils.FeatureSpace(**bad)


@case("FeatureSpace not adapted")
def _(keras: Any) -> Any:
    return keras.utils.FeatureSpace({"size": "float_normalized"})({"size": [1.0]})


for _name, _more in {
    "pre": {},
    "post": {"padding": "post"},
    "cut pre": {"maxlen": 2},
    "cut post": {"maxlen": 2, "truncating": "post"},
    "longer": {"maxlen": 5, "value": -1, "dtype": "float32"},
    "bad padding": {"padding": "x"},
    "bad truncating": {"maxlen": 1, "truncating": "x"},
    "text": {"value": "x"},
}.items():
    CASES[f"pad_sequences {_name}"] = lambda keras, more=_more: keras.utils.pad_sequences(
        [[1], [2, 3], [4, 5, 6]], **more
    )
CASES["pad_sequences numbers"] = lambda keras: keras.utils.pad_sequences([1, 2])
CASES["pad_sequences vectors"] = lambda keras: keras.preprocessing.sequence.pad_sequences(
    [np.ones((2, 3)), np.zeros((1, 3))]
)

SERIES = np.arange(20)
for _name, _more in {
    "plain": {"sequence_length": 5},
    "strides": {"sequence_length": 4, "sequence_stride": 3, "sampling_rate": 2},
    "part": {"sequence_length": 3, "start_index": 2, "end_index": 11},
    "small": {"sequence_length": 3, "batch_size": 4},
    "bad rate": {"sequence_length": 3, "sampling_rate": 0},
    "bad stride": {"sequence_length": 3, "sequence_stride": 30},
    "bad start": {"sequence_length": 3, "start_index": 20},
    "bad end": {"sequence_length": 3, "end_index": 20},
    "bad part": {"sequence_length": 3, "start_index": 5, "end_index": 4},
    "bad format": {"sequence_length": 3, "format": "x"},
}.items():
    for _targets in (None, SERIES * 10):

        def _windows(keras: Any, more: dict[str, Any], targets: Any) -> Any:
            found = keras.utils.timeseries_dataset_from_array(SERIES, targets, **more)
            parts = [batch if isinstance(batch, tuple) else (batch,) for batch in found]
            return [[np.asarray(part).tolist() for part in batch] for batch in parts]

        CASES[f"timeseries {_name} {_targets is not None}"] = lambda keras, more=_more, targets=_targets: (
            _windows(keras, more, targets)
        )

for _name, _more in {
    "left": {"left_size": 0.7},
    "right": {"right_size": 3},
    "both": {"left_size": 2, "right_size": 0.5},
    "shuffled": {"left_size": 6, "shuffle": True, "seed": 5},
    "no size": {},
    "too large": {"left_size": 10},
    "too much": {"left_size": 0.8, "right_size": 0.5},
    "odd": {"left_size": "x"},
    "all": {"left_size": 0.99},
}.items():

    def _halves(keras: Any, more: dict[str, Any]) -> Any:
        both = keras.utils.split_dataset((np.arange(10), np.arange(10) * 2), **more)
        return [[[int(a), int(b)] for a, b in half] for half in both]

    CASES[f"split_dataset {_name}"] = lambda keras, more=_more: _halves(keras, more)

for _name, _more in {
    "int": {},
    "binary": {"label_mode": "binary"},
    "categorical": {"label_mode": "categorical"},
    "none": {"labels": None},
    "cut": {"max_length": 3},
    "listed": {"labels": [3, 4, 5, 6]},
    "named": {"class_names": ["pos", "neg"]},
    "one class": {"class_names": ["pos"]},
    "training": {"validation_split": 0.25, "subset": "training"},
    "validation": {"validation_split": 0.25, "subset": "validation"},
    "both": {"validation_split": 0.5, "subset": "both"},
    "single": {"batch_size": None},
    "bad mode": {"label_mode": "x"},
    "bad labels": {"labels": [1]},
    "bad names": {"class_names": ["x"]},
    "split alone": {"validation_split": 0.5},
    "bad split": {"validation_split": 2.0, "subset": "both"},
}.items():

    def _texts(keras: Any, more: dict[str, Any]) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {
                "neg/a": "bad é",
                "neg/b": "awful",
                "pos/c": "good",
                "pos/deep/d": "great",
            }.items():
                path = Path(folder, f"{name}.txt")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8")
            Path(folder, "neg", "other.csv").write_text("no")
            found = keras.utils.text_dataset_from_directory(
                folder, **{"shuffle": False, "batch_size": 3, "verbose": False, **more}
            )
            several = found if isinstance(found, list) else [found]
            return [[one.class_names, [_shown(element) for element in one]] for one in several]

    CASES[f"text_dataset {_name}"] = lambda keras, more=_more: _texts(keras, more)


def _shown(element: Any) -> Any:
    parts = element if isinstance(element, tuple) else (element,)
    return [plain(np.asarray(part, object if isinstance(part, bytes) else None)) for part in parts]
