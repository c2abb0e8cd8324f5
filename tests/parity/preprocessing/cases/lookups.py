"""Hashes, crossings and lookups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.parity.preprocessing.cases.case import CASES, INTS, SHAPES, WORDS


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
