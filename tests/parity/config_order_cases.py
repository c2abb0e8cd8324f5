"""Layers whose configs are compared with Keras's key by key, in order, nested ones included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

REQUIRED: dict[str, dict[str, Any]] = {
    "Activation": {"activation": "relu"}, "AveragePooling1D": {"pool_size": 2},
    "AdaptiveAveragePooling1D": {"output_size": 2},
    "CenterCrop": {"height": 2, "width": 3}, "CategoryEncoding": {"num_tokens": 3},
    "Conv1D": {"filters": 2, "kernel_size": 2}, "Conv2DTranspose": {"filters": 2, "kernel_size": 2},
    "ConvLSTM1D": {"filters": 2, "kernel_size": 2}, "Dense": {"units": 2},
    "DepthwiseConv1D": {"kernel_size": 2}, "DepthwiseConv2D": {"kernel_size": 2}, "Dot": {"axes": 1},
    "Dropout": {"rate": 0.5}, "EinsumDense": {"equation": "ab,bc->ac", "output_shape": 3},
    "Embedding": {"input_dim": 3, "output_dim": 2}, "ReversibleEmbedding": {"input_dim": 3, "output_dim": 2},
    "GRU": {"units": 2}, "GRUCell": {"units": 2}, "LSTM": {"units": 2}, "LSTMCell": {"units": 2},
    "GaussianNoise": {"stddev": 1.0}, "HashedCrossing": {"num_bins": 3}, "Hashing": {"num_bins": 3},
    "GroupQueryAttention": {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 2},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 3}, "Permute": {"dims": (2, 1)},
    "RandomRotation": {"factor": 0.1}, "RandomTranslation": {"height_factor": 0.1, "width_factor": 0.1},
    "RandomZoom": {"height_factor": 0.1}, "RepeatVector": {"n": 2}, "Rescaling": {"scale": 2.0},
    "Resizing": {"height": 2, "width": 3}, "Reshape": {"target_shape": (2,)},
    "SeparableConv1D": {"filters": 2, "kernel_size": 2}, "SeparableConv2D": {"filters": 2, "kernel_size": 2},
    "SimpleRNN": {"units": 2}, "SimpleRNNCell": {"units": 2}, "SpatialDropout1D": {"rate": 0.5},
}  # fmt: skip
FREE = """AdditiveAttention Attention Add BatchNormalization Concatenate Cropping1D Flatten
    GlobalAveragePooling1D GroupNormalization IntegerLookup LayerNormalization LeakyReLU Masking MaxPooling1D
    MelSpectrogram Normalization PReLU RMSNormalization RandomFlip ReLU Softmax STFTSpectrogram StringLookup
    TextVectorization UnitNormalization UpSampling2D ZeroPadding1D"""
PENALIZED = "Conv1D Dense DepthwiseConv1D EinsumDense Embedding GRU LSTM MultiHeadAttention SeparableConv1D"
ADAPTED = "Conv1D Dense EinsumDense Embedding"


def cases() -> dict[str, Callable[[Any], Any]]:
    """Functions of the library that make a layer, by name."""

    def simple(name: str, **more: Any) -> Callable[[Any], Any]:
        return lambda k: getattr(k.layers, name)(**REQUIRED.get(name, {}), **more)

    found = {name: simple(name) for name in [*REQUIRED, *FREE.split()]}
    found |= {f"{n} with a penalty": simple(n, activity_regularizer="l2") for n in PENALIZED.split()}
    found |= {f"{n} with LoRA": simple(n, lora_rank=1) for n in ADAPTED.split()}
    found["Bidirectional"] = lambda k: k.layers.Bidirectional(k.layers.LSTM(2))
    found["TimeDistributed"] = lambda k: k.layers.TimeDistributed(k.layers.Embedding(3, 2))
    found["RNN"] = lambda k: k.layers.RNN([k.layers.LSTMCell(2), k.layers.GRUCell(2)])
    return found


def orders(config: Any, path: str = "") -> dict[str, list[str]]:
    """The keys of every dictionary in a config, by where it stands."""
    if isinstance(config, dict):
        found = {path: list(config)}
        for key, value in config.items():
            found |= orders(value, f"{path}/{key}")
        return found
    if isinstance(config, (list, tuple)):
        return {p: keys for k, v in enumerate(config) for p, keys in orders(v, f"{path}/{k}").items()}
    return {}
