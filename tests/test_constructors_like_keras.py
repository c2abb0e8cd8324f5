"""Objects are serialized as Keras's, to the letter, and wrong arguments raise Keras's types of errors."""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

import kcompile
from tests.parity import constructor_cases

SAID = json.loads(
    gzip.decompress((Path(constructor_cases.__file__).parent / "constructors.json.gz").read_bytes())
)
# Calls that Keras takes and fails on later; here they are refused at once, or are written plainly.
LATER = r"""K\.layers\.(
    Adaptive\w+\(output_size=(0|-1|True|False) | MaxPool\w*\((strides=0|padding=None) |
    Reshape\(target_shape='a' |
    \w*Conv\w*\(.*(filters|depth_multiplier|groups)=(None|0\.5|1\.5|True) | UpSampling2D\(interpolation='a' |
    ConvLSTM\w*\(.*(filters=0|strides=0) |
    \w+\((.*,)?(sparse|ragged)= | \w+Normalization\(.*(epsilon|axis)=None | InputLayer\(.*(trainable|foo)=
) | K\.metrics\.(AUC\((thresholds=\[|label_weights=0) | SparseTopK\w+\(from_sorted_ids=1)
  | K\.optimizers\.LossScaleOptimizer\(inner_optimizer=\["""
# What Keras refuses by accident, or for a reason that is not here: a class's name stands for the class with
# its defaults (Constant: 0); dtypes in a list; TensorFlow's own error; arguments that mean nothing here.
ACCIDENTS = r""".*initializer='constant' | K\.layers\.Input\w+\(.*(dtype|axes)=\[ |
    K\.layers\.(IntegerLookup\(vocabulary=\(0 | Bidirectional\(.*weights= | Equalization\(value_range=None |
    Embedding\(.*weights= | BatchNormalization\(synchronized=) | .*MeanMetricWrapper\(fn="""
DIFFERENT = re.compile(f"{LATER}|{ACCIDENTS}", re.VERBOSE)


def by_class(kind):
    found = defaultdict(dict)
    for expression, said in SAID[kind].items():
        if not DIFFERENT.match(expression):
            found[constructor_cases.class_of(expression)][expression] = said
    return found


TEXTS, ERRORS = by_class("texts"), by_class("errors")
PUBLIC = {"UFuncTypeError": "TypeError"}  # of classes that NumPy keeps to itself, what a program can catch


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("address", TEXTS)
def test_texts(address):
    for expression, said in TEXTS[address].items():
        assert constructor_cases.outcome(kcompile, expression) == ("text", said), expression


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("address", ERRORS)
def test_errors(address):
    for expression, said in ERRORS[address].items():
        kind, error = constructor_cases.outcome(kcompile, expression)
        assert kind == "error", expression
        assert PUBLIC.get(said, said) in {base.__name__ for base in type(error).__mro__}, (
            f"{expression}: {error!r}"
        )
        assert len(str(error)) > 10, expression
