"""FeatureSpace, sequences and folders."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.parity.preprocessing.cases.case import CASES, case, plain

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
