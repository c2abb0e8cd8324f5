"""Whole networks for the export: what people build of layers, with open sizes where they leave them open.

A network is a function that makes the model, and one that makes inputs of some rows and an extent.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import kcompile
from kcompile import layers, ops
from kcompile.core import dtypes, tree
from kcompile.export.onnx.signature import default_signature, trace_inference
from kcompile.ir import evaluate
from kcompile.ir.graph import topological

Arrays = list[np.ndarray]
POLICIES = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64")


@dataclass(frozen=True)
class Network:
    """make() gives the model, inputs(rng, rows, extent) its arrays; extents: of what is open."""

    name: str
    make: Callable[[], Any]
    inputs: Callable[[np.random.Generator, int, int], Sequence[np.ndarray]]
    extents: tuple[int, ...] = (0,)

    def model(self, seed: int = 0) -> Any:
        """With weights that are not those of a network that has learned nothing."""
        kcompile.utils.set_random_seed(seed)
        return stirred(self.make(), seed)

    def arrays(self, rows: int, extent: int) -> Arrays:
        rng = np.random.default_rng(zlib.crc32(f"{self.name} {rows} {extent}".encode()))
        return list(self.inputs(rng, rows, extent))


def stirred(model: Any, seed: int = 0) -> Any:
    """Biases, scales and statistics that are not all 0 or 1, and no layer that is silent at first."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "variance" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif len(weight.shape) == 1 and weight.dtype.startswith(("float", "bfloat")):
            weight.assign(rng.normal(0.2, 0.3, weight.shape))
        elif len(weight.shape) > 1 and not np.asarray(weight.array).any():
            weight.assign(rng.normal(0.0, 0.1, weight.shape))
    return model


def one_by_one(model: Any, arrays: Sequence[np.ndarray]) -> Arrays:
    """The model's results operation by operation in NumPy: nothing is compiled (but where text comes in)."""
    if any(dtypes.is_text(array) for array in arrays):
        (structure,) = default_signature(model)
        return [np.asarray(x) for x in tree.flatten(model(tree.pack_as(structure, list(arrays))))]
    graph = trace_inference(model).graph
    held = {
        node.values[0]: np.asarray(graph.variables[node.attrs["uid"]].array)
        for node in topological(graph.outputs)
        if node.op.name == "variable"
    }
    given = dict(zip(graph.inputs, arrays, strict=True))
    return evaluate.evaluate(graph.outputs, held | given, evaluate.bind_symbols(graph.inputs, list(arrays)))


# --- inputs -------------------------------------------------------------------------------------------------


def floats(*shape: int | None) -> Callable[[np.random.Generator, int, int], Arrays]:
    """One array (rows, *shape); None stands for the extent."""
    return lambda rng, rows, n: [
        rng.normal(size=(rows, *(n if d is None else d for d in shape))).astype("float32")
    ]


def tokens(count: int, kinds: int) -> Callable[[np.random.Generator, int, int], Arrays]:
    """`count` arrays of numbers of words, where 0 is none: rows end early, begin late, and have holes."""
    return lambda rng, rows, n: [rng.integers(0, kinds, (rows, n), "int32") for _ in range(count)]


# --- images -------------------------------------------------------------------------------------------------


def _unit(x: Any, filters: int, strides: int = 1) -> Any:
    x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def unet() -> Any:
    """Open height and width; shortcuts from the way down to the way up."""
    x = image = kcompile.Input((None, None, 3))
    kept = []
    for filters in (4, 8):
        x = _unit(x, filters)
        kept.append(x)
        x = layers.MaxPooling2D()(x)
    x = _unit(x, 16)
    for filters, way in ((8, layers.Conv2DTranspose(8, 2, strides=2)), (4, layers.UpSampling2D())):
        x = layers.Concatenate()([way(x), kept.pop()])
        x = _unit(x, filters)
    return kcompile.Model(image, layers.Conv2D(2, 1, activation="softmax")(x), name="unet")


def unet_3d() -> Any:
    x = image = kcompile.Input((4, 8, 8, 1))
    down = layers.Conv3D(4, 3, padding="same", activation="relu")(x)
    x = layers.Conv3D(4, 3, strides=2, padding="same", activation="leaky_relu")(down)
    x = layers.Conv3DTranspose(4, 2, strides=2)(x)
    x = layers.GroupNormalization(2)(layers.Concatenate()([x, down]))
    return kcompile.Model(image, layers.Conv3D(1, 1, activation="sigmoid")(x), name="unet_3d")


def squeezing() -> Any:
    """Squeeze and excite, in the layout that puts channels first."""
    x = image = kcompile.Input((3, 16, 16))
    how = {"data_format": "channels_first", "padding": "same"}
    x = layers.Conv2D(8, 3, activation="silu", **how)(x)
    y = layers.GlobalAveragePooling2D(data_format="channels_first", keepdims=True)(x)
    y = layers.Conv2D(8, 1, activation="hard_sigmoid", **how)(y)
    x = layers.AveragePooling2D(2, **how)(layers.Multiply()([x, y]))
    x = layers.SeparableConv2D(6, 3, activation="gelu", **how)(x)
    return kcompile.Model(image, layers.Dense(4)(layers.Flatten("channels_first")(x)), name="squeezing")


def vision_transformer() -> Any:
    image = kcompile.Input((16, 16, 3))
    x = layers.Conv2D(8, 4, strides=4)(image)
    x = layers.Reshape((-1, 8))(x)
    x = x + layers.Embedding(16, 8)(ops.arange(16))
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(2, 4)(y, y)
        y = layers.Dense(16, activation="gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(8)(y)
    return kcompile.Model(image, layers.Dense(5)(layers.GlobalAveragePooling1D()(x)), name="vit")


def mixer() -> Any:
    """Dense layers over patches, then over channels, by einsums."""
    x = patches = kcompile.Input((9, 8))
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        y = layers.EinsumDense("abc,bd->adc", output_shape=(9, 8), activation="gelu")(y)
        x = x + y
        x = x + layers.EinsumDense("abc,cd->abd", output_shape=(9, 8), bias_axes="d")(x)
    return kcompile.Model(patches, layers.UnitNormalization()(x), name="mixer")


# --- sequences ----------------------------------------------------------------------------------------------


def seq2seq() -> Any:
    """Two open lengths; the decoder goes on from the encoder's states; both know where words are missing."""
    source, target = kcompile.Input((None,), dtype="int32"), kcompile.Input((None,), dtype="int32")
    _, *states = layers.LSTM(6, return_state=True)(layers.Embedding(9, 4, mask_zero=True)(source))
    y = layers.Embedding(7, 4, mask_zero=True)(target)
    y = layers.LSTM(6, return_sequences=True)(y, initial_state=states)
    return kcompile.Model([source, target], layers.Dense(7, activation="softmax")(y), name="seq2seq")


def attending_seq2seq() -> Any:
    """An encoder in both directions, and a decoder that looks back at all of its outputs."""
    source, target = kcompile.Input((None,), dtype="int32"), kcompile.Input((None,), dtype="int32")
    x = layers.Embedding(9, 4, mask_zero=True)(source)
    x = layers.Bidirectional(layers.GRU(3, return_sequences=True))(x)
    y = layers.GRU(6, return_sequences=True)(layers.Embedding(7, 4)(target))
    y = layers.Concatenate()([y, layers.AdditiveAttention()([y, x])])
    return kcompile.Model([source, target], layers.Dense(7)(y), name="attending_seq2seq")


def transformer() -> Any:
    """An encoder and a decoder over open lengths, with words that are missing."""
    source, target = kcompile.Input((None,), dtype="int32"), kcompile.Input((None,), dtype="int32")
    x = layers.Embedding(9, 8, mask_zero=True)(source)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    y = layers.Embedding(7, 8, mask_zero=True)(target)
    y = layers.LayerNormalization()(y + layers.MultiHeadAttention(2, 4)(y, y, use_causal_mask=True))
    y = layers.LayerNormalization()(y + layers.MultiHeadAttention(2, 4)(y, x))
    y = y + layers.Dense(8)(layers.Dense(16, activation="relu")(y))
    return kcompile.Model([source, target], layers.Dense(7)(y), name="transformer")


def decoder() -> Any:
    """What large language models are made of: grouped queries, RMS normalization, gated layers."""
    codes = kcompile.Input((None,), dtype="int32")
    embed = layers.ReversibleEmbedding(11, 8)
    x = embed(codes)
    for _ in range(2):
        y = layers.RMSNormalization()(x)
        x = x + layers.GroupQueryAttention(4, 4, 2)(y, y, use_causal_mask=True)
        y = layers.RMSNormalization()(x)
        gate = layers.Dense(12, activation="silu", use_bias=False)(y)
        x = x + layers.Dense(8, use_bias=False)(gate * layers.Dense(12, use_bias=False)(y))
    return kcompile.Model(codes, embed(layers.RMSNormalization()(x), reverse=True), name="decoder")


def wavenet() -> Any:
    """Dilated causal convolutions over a signal of open length."""
    signal = kcompile.Input((None, 1))
    x = layers.Conv1D(4, 2, padding="causal")(signal)
    for dilation in (1, 2, 4):
        a, b = (
            layers.Conv1D(4, 2, padding="causal", dilation_rate=dilation, activation=name)(x)
            for name in ("tanh", "sigmoid")
        )
        x = x + layers.Conv1D(4, 1)(a * b)
    return kcompile.Model(signal, layers.Conv1D(3, 1, activation="log_softmax")(x), name="wavenet")


def reading() -> Any:
    """Convolutions over a line of writing, then a recurrent network along it."""
    line = kcompile.Input((None, 8, 1))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(line)
    x = layers.MaxPooling2D((1, 2))(x)
    x = layers.Reshape((-1, 16))(x)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    return kcompile.Model(line, layers.TimeDistributed(layers.Dense(5))(x), name="reading")


def video() -> Any:
    frames = kcompile.Input((None, 6, 6, 2))
    x = layers.ConvLSTM2D(3, 3, padding="same", return_sequences=True)(frames)
    x = layers.TimeDistributed(layers.GlobalMaxPooling2D())(x)
    return kcompile.Model(frames, layers.SimpleRNN(4)(x), name="video")


def stacked() -> Any:
    """Cells of several kinds in one loop, under a mask."""
    x = steps = kcompile.Input((None, 3))
    cells = [layers.LSTMCell(4), layers.GRUCell(3), layers.SimpleRNNCell(2)]
    x = layers.RNN(cells, return_sequences=True, go_backwards=True)(layers.Masking()(x))
    return kcompile.Model(steps, x, name="stacked")


# --- several inputs, text -----------------------------------------------------------------------------------


def mixed() -> Any:
    """Numbers, flags and text beside each other; results by name."""
    number = kcompile.Input((2,), name="number")
    flag = kcompile.Input((1,), dtype="bool", name="flag")
    word = kcompile.Input((1,), dtype="string", name="word")
    day = kcompile.Input((1,), dtype="uint8", name="day")
    looked = layers.StringLookup(vocabulary=["a", "b", "c"], output_mode="one_hot")(word)
    crossed = layers.CategoryEncoding(8, output_mode="one_hot")(day)
    x = layers.Concatenate()([layers.Normalization(mean=1.0, variance=4.0)(number), looked, crossed])
    x = ops.where(flag, layers.Dense(4, activation="elu")(x), layers.Dense(4, activation="softplus")(x))
    outputs = {"score": layers.Dense(1)(x), "best": ops.argmax(x, axis=-1), "large": x > 0.5}
    return kcompile.Model({"number": number, "flag": flag, "word": word, "day": day}, outputs, name="mixed")


def _mixed_inputs(rng: np.random.Generator, rows: int, _: int) -> Arrays:
    words = rng.choice(np.array(["a", "b", "c", "other"], object), (rows, 1))
    flags = rng.integers(0, 2, (rows, 1)).astype(bool)
    days = rng.integers(0, 8, (rows, 1), "uint8")
    return [days, flags, rng.normal(size=(rows, 2)).astype("float32"), words]  # by name


NETWORKS = [
    Network("U-Net", unet, lambda rng, rows, n: floats(n, n + 4, 3)(rng, rows, n), (8, 16)),
    Network("U-Net in three dimensions", unet_3d, floats(4, 8, 8, 1)),
    Network("squeeze and excite, channels first", squeezing, floats(3, 16, 16)),
    Network("vision transformer", vision_transformer, floats(16, 16, 3)),
    Network("mixer", mixer, floats(9, 8)),
    Network("seq2seq", seq2seq, tokens(2, 7), (3, 6)),
    Network("seq2seq with attention", attending_seq2seq, tokens(2, 7), (3, 6)),
    Network("transformer, encoder and decoder", transformer, tokens(2, 7), (3, 6)),
    Network("language model", decoder, tokens(1, 11), (1, 7)),
    Network("WaveNet", wavenet, floats(None, 1), (9, 16)),
    Network("reading of lines", reading, floats(None, 8, 1), (5, 8)),
    Network("video", video, floats(None, 6, 6, 2), (1, 4)),
    Network("stacked cells", stacked, floats(None, 3), (1, 5)),
    Network("numbers, flags, text", mixed, _mixed_inputs),
]
