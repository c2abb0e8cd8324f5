"""Constructor calls of all public classes: each argument with each of many values, right and wrong.

Keras (make_constructor_fixtures.py) says which text the object is serialized as, or which error is raised;
tests/parity/test_constructors.py compares. A case is the Python expression itself, with `K` the library.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

MODULES = "layers losses metrics optimizers optimizers.schedules initializers regularizers constraints random"
ABSTRACT = {
    *("Layer", "JaxLayer", "FlaxLayer", "TFSMLayer", "TorchModuleWrapper", "Loss", "Metric", "Initializer"),
    *("Regularizer", "Constraint", "LearningRateSchedule"),
}
_SIZES = {"filters": "2", "kernel_size": "2"}
_TARGETS = {"num_classes": "3", "target_class_ids": "[0]"}
REQUIRED: dict[str, dict[str, str]] = {
    "Activation": {"activation": "'relu'"}, "CenterCrop": {"height": "2", "width": "3"},
    "CategoryEncoding": {"num_tokens": "3"}, "Dense": {"units": "2"}, "Dot": {"axes": "1"},
    "EinsumDense": {"equation": "'ab,bc->ac'", "output_shape": "3"},
    "Embedding": {"input_dim": "3", "output_dim": "2"}, "Discretization": {"num_bins": "4"},
    "ReversibleEmbedding": {"input_dim": "3", "output_dim": "2"}, "GaussianNoise": {"stddev": "1.0"},
    "HashedCrossing": {"num_bins": "3"}, "Hashing": {"num_bins": "3"}, "Permute": {"dims": "(2,1)"},
    "GroupQueryAttention": {"head_dim": "2", "num_query_heads": "4", "num_key_value_heads": "2"},
    "MultiHeadAttention": {"num_heads": "2", "key_dim": "3"}, "RandomRotation": {"factor": "0.1"},
    "RandomTranslation": {"height_factor": "0.1", "width_factor": "0.1"},
    "RandomZoom": {"height_factor": "0.1"}, "RepeatVector": {"n": "2"}, "Rescaling": {"scale": "2.0"},
    "Resizing": {"height": "2", "width": "3"}, "Reshape": {"target_shape": "(2,)"},
    "RNN": {"cell": "K.layers.LSTMCell(2)"}, "Bidirectional": {"layer": "K.layers.LSTM(2)"},
    "StackedRNNCells": {"cells": "[K.layers.LSTMCell(2),K.layers.GRUCell(3)]"},
    "RandomCrop": {"height": "2", "width": "3"}, "RandomPosterization": {"factor": "4"},
    "Lambda": {"function": "K.ops.abs"}, "Pipeline": {"layers": "[K.layers.Rescaling(2.0)]"},
    "InputLayer": {"shape": "(2,)"}, "MaxNumBoundingBoxes": {"max_number": "2"},
    "MeanMetricWrapper": {"fn": "K.losses.mse"}, "MeanIoU": {"num_classes": "3"}, "IoU": _TARGETS,
    "OneHotIoU": _TARGETS, "OneHotMeanIoU": {"num_classes": "3"}, "PrecisionAtRecall": {"recall": "0.5"},
    "RecallAtPrecision": {"precision": "0.5"}, "SensitivityAtSpecificity": {"specificity": "0.5"},
    "SpecificityAtSensitivity": {"sensitivity": "0.5"}, "MeanRelativeError": {"normalizer": "[1.0,2.0]"},
    "ExponentialDecay": {"initial_learning_rate": "0.1", "decay_steps": "10", "decay_rate": "0.9"},
    "InverseTimeDecay": {"initial_learning_rate": "0.1", "decay_steps": "10", "decay_rate": "0.9"},
    "PiecewiseConstantDecay": {"boundaries": "[1,2]", "values": "[0.1,0.2,0.3]"},
    "PolynomialDecay": {"initial_learning_rate": "0.1", "decay_steps": "10"},
    "CosineDecay": {"initial_learning_rate": "0.1", "decay_steps": "10"},
    "CosineDecayRestarts": {"initial_learning_rate": "0.1", "first_decay_steps": "10"},
    "LossScaleOptimizer": {"inner_optimizer": "K.optimizers.SGD(0.5)"},
    "Optimizer": {"learning_rate": "0.1"}, "SeedGenerator": {"seed": "1"},
}  # fmt: skip
REQUIRED |= {n: {"units": "2"} for n in ["GRU", "GRUCell", "LSTM", "LSTMCell", "SimpleRNN", "SimpleRNNCell"]}
REQUIRED |= {
    n: {"layer": "K.layers.Dense(2)"} for n in ["TimeDistributed", "Wrapper", "SpectralNormalization"]
}
REQUIRED |= {
    f"{kind}{n}D{end}": _SIZES for n in (1, 2, 3) for kind, end in (("Conv", ""), ("Conv", "Transpose"))
}
REQUIRED |= {f"{kind}{n}D": _SIZES for n in (1, 2, 3) for kind in ("ConvLSTM", "SeparableConv")}
REQUIRED |= {f"DepthwiseConv{n}D": {"kernel_size": "2"} for n in (1, 2)}
REQUIRED |= {
    f"Adaptive{kind}Pooling{n}D": {"output_size": "2"} for n in (1, 2, 3) for kind in ("Average", "Max")
}
REQUIRED |= {f"{kind}Dropout": {"rate": "0.5"} for kind in ("", "Alpha", "Gaussian")}
REQUIRED |= {f"SpatialDropout{n}D": {"rate": "0.5"} for n in (1, 2, 3)}
_FACTOR = "Brightness Contrast Hue Saturation ColorDegeneration Sharpness"
REQUIRED |= {f"Random{kind}": {"factor": "0.1"} for kind in _FACTOR.split()}

VALUES = [
    *("None", "0", "1", "2", "3", "-1", "0.5", "-0.5", "1.5", "'a'", "'relu'", "'l2'", "'ones'", "'non_neg'"),
    *("'same'", "'valid'", "'causal'", "'channels_first'", "'sum'", "'mean'", "'nearest'", "'constant'"),
    *("'int'", "'multi_hot'", "'float16'", "'mixed_bfloat16'", "[]", "[1,2]", "(2,3)", "(0.1,0.4)"),
    *("[0.2,0.8]", "[1,2,3]", "((1,2),(0,1))", "{}", "object()", "['a','b']", "float('nan')", "b'a'", "len"),
    *("K.regularizers.L1L2(0.1,0.2)", "K.initializers.RandomNormal(seed=3)"),
]
NAMES = {"np": np}


def signatures(keras: Any) -> dict[str, list[str]]:
    """The arguments of each public class, by its address."""
    found = {}
    for module in MODULES.split():
        space = keras
        for part in module.split("."):
            space = getattr(space, part)
        for name in sorted(dir(space)):
            kind = getattr(space, name)
            if not inspect.isclass(kind) or not name[0].isupper() or name in ABSTRACT:
                continue
            parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
            named = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
            more = ["name", "dtype", "trainable"] if module == "layers" else []
            found[f"{module}.{name}"] = [*named, *(m for m in more if m not in named)]
    return found


def cases(arguments: dict[str, list[str]]) -> Iterator[tuple[str, str, str]]:
    """(address of the class, argument or "", expression)."""
    for address, names in arguments.items():
        base = REQUIRED.get(address.rpartition(".")[2], {})
        yield address, "", _call(address, base)
        for name in names:
            for value in VALUES:
                yield address, name, _call(address, {**base, name: value})


def _call(address: str, arguments: dict[str, str]) -> str:
    return f"K.{address}({','.join(f'{k}={v}' for k, v in arguments.items())})"


def outcome(keras: Any, expression: str) -> tuple[str, Any]:
    """("text", what it is serialized as), ("error", the exception); ("object", None) for what cannot be."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)
    try:
        made = eval(expression, {"K": keras, **NAMES})
    except Exception as error:
        return "error", error
    try:
        return "text", json.dumps(keras.saving.serialize_keras_object(made))
    except Exception:
        return "object", None


def class_of(expression: str) -> str:
    """The address in an expression."""
    found = re.match(r"K\.([\w.]+)\(", expression)
    assert found is not None
    return found[1]
