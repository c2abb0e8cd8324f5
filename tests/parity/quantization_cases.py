"""Quantized layers and layers with LoRA, made with either library: see make_quantization_fixtures.py."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


def mode(name: str, **config: Any) -> Callable[[Any, Any], None]:
    """quantize(mode), with a config where it has arguments."""

    def run(keras: Any, layer: Any) -> None:
        kinds = {"int8": "Int8QuantizationConfig", "int4": "Int4QuantizationConfig"}
        made = {key: value(keras) if callable(value) else value for key, value in config.items()}
        more = {"config": getattr(keras.quantizers, kinds[name])(**made)} if config else {}
        layer.quantize(name, **more)

    return run


def lora(
    rank: int, after: Callable[[Any, Any], None] | None = None, **more: Any
) -> Callable[[Any, Any], None]:
    """Quantize (or not), then enable LoRA and give it numbers."""

    def run(keras: Any, layer: Any) -> None:
        if after is not None:
            after(keras, layer)
        layer.enable_lora(rank, **more)
        part = "embeddings" if hasattr(layer, "lora_embeddings_a") else "kernel"
        rng = np.random.default_rng(5)
        for letter in "ab":
            variable = getattr(layer, f"lora_{part}_{letter}")
            variable.assign(rng.normal(size=variable.shape).astype("float32"))

    return run


@dataclass(frozen=True)
class Case:
    """How to make a layer, the shape of its input, and what is done to the built layer."""

    make: Callable[[Any], Any]
    shape: tuple[int, ...]
    change: Callable[[Any, Any], None] | None = None
    ints: int = 0
    call: dict[str, Any] = field(default_factory=dict)
    build: tuple[Any, ...] | None = None  # where it is not the input's shape

    def inputs(self) -> np.ndarray:
        rng = np.random.default_rng(sum(self.shape))
        if self.ints:
            return rng.integers(0, self.ints, self.shape).astype("int32")
        return rng.normal(size=self.shape).astype("float32")

    def made(self, keras: Any, name: str) -> Any:
        """The layer, built, with seeded floats for weights that are floats then, and changed."""
        layer = self.make(keras)
        layer.build(self.build or (None, *self.shape[1:]))
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        for weight in layer.weights:
            if str(weight.dtype) == "int8":
                weight.assign(rng.integers(-127, 128, weight.shape).astype("int8"))
            elif not weight.path.endswith(("g_idx", "history", "inputs_scale", "grad_scale")):
                weight.assign(
                    rng.uniform(0.2, 1.2, weight.shape) * (-1.0) ** rng.integers(0, 2, weight.shape)
                )
        if self.change is not None:
            self.change(keras, layer)
        return layer


def int8_by(**axes: Any) -> Callable[[Any, Any], None]:
    def weights(keras: Any) -> Any:
        return keras.quantizers.AbsMaxQuantizer(axis=axes["weights"], value_range=(-63, 63))

    def activations(keras: Any) -> Any:
        return keras.quantizers.AbsMaxQuantizer(axis=-1, value_range=(-31, 31))

    return mode("int8", weight_quantizer=weights, activation_quantizer=activations)


PER_CHANNEL = {"block_size": None}
TABLE = {"input_dim": 9, "output_dim": 5}
CASES: dict[str, Case] = {
    "dense_int8": Case(lambda k: k.layers.Dense(5, activation="relu"), (3, 7), mode("int8")),
    "dense_int8_no_bias_3d": Case(lambda k: k.layers.Dense(4, use_bias=False), (2, 3, 6), mode("int8")),
    "dense_int8_bfloat16": Case(lambda k: k.layers.Dense(5, dtype="mixed_bfloat16"), (3, 7), mode("int8")),
    "dense_int8_weights_only": Case(
        lambda k: k.layers.Dense(5), (3, 7), mode("int8", activation_quantizer=None)
    ),
    "dense_int8_quantizers": Case(lambda k: k.layers.Dense(5), (3, 7), int8_by(weights=0)),
    "dense_int8_policy": Case(lambda k: k.layers.Dense(5, dtype="int8_from_float32"), (3, 7)),
    "dense_int4": Case(lambda k: k.layers.Dense(5), (3, 7), mode("int4")),
    "dense_int4_blocks": Case(lambda k: k.layers.Dense(6, "tanh"), (3, 7), mode("int4", block_size=3)),
    "dense_int4_channels": Case(lambda k: k.layers.Dense(5), (3, 7), mode("int4", **PER_CHANNEL)),
    "dense_int4_channels_activations": Case(
        lambda k: k.layers.Dense(5),
        (3, 7),
        mode("int4", activation_quantizer=lambda k: k.quantizers.AbsMaxQuantizer(), **PER_CHANNEL),
    ),
    "dense_int4_policy": Case(lambda k: k.layers.Dense(5, dtype="int4_from_float32"), (3, 7)),
    "dense_int4_policy_blocks": Case(lambda k: k.layers.Dense(4, dtype="int4/3_from_float32"), (3, 7)),
    "dense_float8": Case(lambda k: k.layers.Dense(5), (3, 7), mode("float8")),
    "einsum_int8": Case(lambda k: k.layers.EinsumDense("ab,bc->ac", 4, bias_axes="c"), (3, 7), mode("int8")),
    "einsum_int8_heads": Case(
        lambda k: k.layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"), (2, 4, 5), mode("int8")
    ),
    "einsum_int8_joined": Case(
        lambda k: k.layers.EinsumDense("abcd,cde->abe", (None, 6), bias_axes="e"), (2, 4, 2, 3), mode("int8")
    ),
    "einsum_int8_kept": Case(
        lambda k: k.layers.EinsumDense("abc,bcd->abd", (3, 4), activation="relu"), (2, 3, 5), mode("int8")
    ),
    "einsum_int8_weights_only": Case(
        lambda k: k.layers.EinsumDense("abc,cde->abde", (None, 2, 3)),
        (2, 4, 5),
        mode("int8", activation_quantizer=None),
    ),
    "einsum_int4": Case(
        lambda k: k.layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"),
        (2, 4, 5),
        mode("int4", block_size=2),
    ),
    "einsum_int4_channels": Case(
        lambda k: k.layers.EinsumDense("abcd,cde->abe", (None, 5)), (2, 4, 2, 3), mode("int4", **PER_CHANNEL)
    ),
    "einsum_int4_channels_activations": Case(
        lambda k: k.layers.EinsumDense("abc,cd->abd", (None, 5)),
        (2, 4, 3),
        mode("int4", activation_quantizer=lambda k: k.quantizers.AbsMaxQuantizer(), **PER_CHANNEL),
    ),
    "einsum_float8": Case(
        lambda k: k.layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d"), (2, 4, 3), mode("float8")
    ),
    "embedding_int8": Case(lambda k: k.layers.Embedding(**TABLE), (3, 4), mode("int8"), ints=9),
    "embedding_int8_bfloat16": Case(
        lambda k: k.layers.Embedding(**TABLE, dtype="mixed_bfloat16"), (3, 4), mode("int8"), ints=9
    ),
    "embedding_int4": Case(lambda k: k.layers.Embedding(**TABLE), (3, 4), mode("int4"), ints=9),
    "embedding_int4_blocks": Case(
        lambda k: k.layers.Embedding(**TABLE, mask_zero=True), (3, 4), mode("int4", block_size=2), ints=9
    ),
    "embedding_int4_rows": Case(
        lambda k: k.layers.Embedding(**TABLE), (3, 4), mode("int4", **PER_CHANNEL), ints=9
    ),
    "dense_lora": Case(lambda k: k.layers.Dense(5, "tanh"), (3, 7), lora(2, lora_alpha=3.0)),
    "dense_lora_argument": Case(lambda k: k.layers.Dense(5, lora_rank=2, lora_alpha=4), (3, 7)),
    "dense_lora_bfloat16": Case(lambda k: k.layers.Dense(5, dtype="mixed_bfloat16"), (3, 7), lora(2)),
    "dense_lora_int8": Case(lambda k: k.layers.Dense(5), (3, 7), lora(2, mode("int8"), lora_alpha=1)),
    "dense_lora_int4": Case(lambda k: k.layers.Dense(5), (3, 7), lora(2, mode("int4", block_size=3))),
    "dense_lora_int4_channels": Case(
        lambda k: k.layers.Dense(5), (3, 7), lora(1, mode("int4", **PER_CHANNEL))
    ),
    "einsum_lora": Case(lambda k: k.layers.EinsumDense("abc,cde->abde", (None, 2, 3)), (2, 4, 5), lora(2)),
    "einsum_lora_int8": Case(
        lambda k: k.layers.EinsumDense("abc,cde->abde", (None, 2, 3)), (2, 4, 5), lora(2, mode("int8"))
    ),
    "einsum_lora_argument": Case(
        lambda k: k.layers.EinsumDense("abc,cd->abd", (None, 3), lora_rank=2, lora_alpha=3), (2, 4, 5)
    ),
    "embedding_lora": Case(lambda k: k.layers.Embedding(**TABLE), (3, 4), lora(2, lora_alpha=1.5), ints=9),
    "embedding_lora_int8": Case(lambda k: k.layers.Embedding(**TABLE), (3, 4), lora(2, mode("int8")), ints=9),
    "embedding_lora_int4": Case(
        lambda k: k.layers.Embedding(**TABLE), (3, 4), lora(2, mode("int4", block_size=2)), ints=9
    ),
    "conv1d_lora": Case(lambda k: k.layers.Conv1D(4, 3, padding="causal"), (2, 6, 3), lora(2)),
    "conv2d_lora": Case(lambda k: k.layers.Conv2D(4, 3, 2), (2, 6, 7, 3), lora(2)),
    "conv2d_lora_argument": Case(
        lambda k: k.layers.Conv2D(4, 3, groups=2, lora_rank=2, lora_alpha=3), (2, 6, 7, 4)
    ),
    "conv3d_lora": Case(lambda k: k.layers.Conv3D(2, 2), (2, 3, 4, 3, 2), lora(1)),
}
for _tied in (True, False):
    for _name, _change in {
        "int8": mode("int8"),
        "int4": mode("int4", block_size=2),
        "int4_rows": mode("int4", **PER_CHANNEL),
    }.items():
        for _reverse in (False, True):
            CASES[f"reversible_{_name}_tied={_tied}_reverse={_reverse}"] = Case(
                lambda k, tied=_tied: k.layers.ReversibleEmbedding(
                    6, 4, tie_weights=tied, logit_soft_cap=5.0
                ),
                (3, 4),
                _change,
                ints=0 if _reverse else 6,
                call={"reverse": True} if _reverse else {},
            )


def sequential(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu", name="first"),
            layers.Reshape((2, 4)),
            layers.EinsumDense("abc,cd->abd", (2, 3), bias_axes="d", name="second"),
            layers.Flatten(),
            layers.Dense(2, name="third"),
        ],
        name="chain",
    )


def attention(keras: Any, dtype: Any = None) -> Any:
    layers = keras.layers
    tokens = keras.Input((5,), dtype="int32")
    x = layers.Embedding(9, 8, name="table")(tokens)
    x = layers.MultiHeadAttention(2, 4, dtype=dtype, name="attention")(x, x)
    x = layers.LayerNormalization(name="normal")(x)
    return keras.Model(tokens, layers.Dense(3, name="head")(x), name="reader")


MODELS: dict[str, tuple[Callable[[Any], Any], Callable[[Any, Any], None]]] = {
    "chain_int8": (sequential, mode("int8")),
    "chain_int4": (sequential, mode("int4", block_size=3)),
    "chain_int4_channels": (sequential, mode("int4", **PER_CHANNEL)),
    "chain_float8": (sequential, mode("float8")),
    "chain_filtered": (sequential, lambda k, m: m.quantize("int8", filters=["first", "third"])),
    "reader_int8": (attention, mode("int8")),
    "reader_int4": (attention, mode("int4")),
}


def model_inputs(name: str) -> np.ndarray:
    rng = np.random.default_rng(3)
    if name.startswith("reader"):
        return rng.integers(0, 9, (4, 5)).astype("int32")
    return rng.normal(size=(4, 6)).astype("float32")


def made_model(keras: Any, name: str) -> Any:
    make, change = MODELS[name]
    model = make(keras)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    model.set_weights([rng.uniform(-1, 1, w.shape).astype("float32") for w in model.weights])
    change(keras, model)
    return model


def function_results(keras: Any, array: Callable[[Any], Any]) -> dict[str, Any]:
    """Values of the functions of `quantizers` on seeded numbers."""
    q, rng = keras.quantizers, np.random.default_rng(11)
    x = rng.normal(size=(5, 6)).astype("float32")
    small = array(rng.integers(-8, 8, (5, 3)).astype("int8"))
    found: dict[str, Any] = {}
    for axis in (0, -1, (0, 1), (-1,)):
        for to_numpy in (False, True):
            found[f"abs_max/{axis}/{to_numpy}"] = q.abs_max_quantize(array(x), axis, to_numpy=to_numpy)
    found["abs_max/range"] = q.abs_max_quantize(array(x), -1, (-8, 7), "int32", 0.1)
    found["abs_max/zeros"] = q.abs_max_quantize(array(np.zeros((2, 3), "float32")), 0)
    shifted = x + np.float32(3)
    shifted[:, 0] = 2.0
    for size in (1, 2, 3, 5, 8):
        for to_numpy in (False, True):
            grouped = q.abs_max_quantize_grouped_with_zero_point(array(shifted), size, to_numpy=to_numpy)
            found[f"grouped/{size}/{to_numpy}"] = grouped
    found["grouped/range"] = q.abs_max_quantize_grouped_with_zero_point(array(x), 2, (-32, 31))
    for axis in (0, 1, -1):
        packed, shape, length = q.pack_int4(small, axis=axis)
        found[f"pack/{axis}"] = [packed, shape, length, q.unpack_int4(packed, length, axis=axis)]
    bytes_ = array(rng.integers(0, 16, (4, 3)).astype("uint8"))
    packed, shape, length = q.pack_int4(bytes_, dtype="uint8")
    found["pack/uint8"] = [packed, shape, length, q.unpack_int4(packed, length, dtype="uint8")]
    for bits, narrow in ((8, False), (8, True), (2, False), (4, True)):
        for low, high in ((-1.5, 1.0), (0.2, 2.0), (-2.0, -0.5)):
            ends = array(np.float32(low)), array(np.float32(high))
            found[f"fake/{bits}/{narrow}/{low}"] = [
                q.fake_quant_with_min_max_vars(array(x), *ends, num_bits=bits, narrow_range=narrow)
            ]
    channels = (
        array(np.linspace(-2, -0.1, 6, dtype="float32")),
        array(np.linspace(0.3, 2, 6, dtype="float32")),
    )
    found["fake/axis"] = [q.fake_quant_with_min_max_vars(array(x), *channels, axis=-1)]
    history = array(np.float32([3, 9, 1, 0]))
    for amax in (0.0, 2.5, np.inf, np.nan):
        found[f"scale/{amax}"] = [
            q.compute_float8_scale(array(np.float32(amax)), array(np.float32(0.5)), 448.0, 1)
        ]
    found["history"] = [q.compute_float8_amax_history(array(x), history)]
    wide = np.concatenate([x.ravel() * 200, x.ravel() * 1e-3, [0, 1e-9, 448, 464, 1e9, -1e9]]).astype(
        "float32"
    )
    for dtype in ("float8_e4m3fn", "float8_e5m2"):
        for compute in ("float32", "bfloat16"):
            value = q.quantize_and_dequantize(array(wide), array(np.float32(0.7)), dtype, compute)
            found[f"float8/{dtype}/{compute}"] = [value]
    return found
