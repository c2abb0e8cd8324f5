"""TextVectorization."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.preprocessing.cases.case import CASES, TEXTS, case

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
