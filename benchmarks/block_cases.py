"""The blocks that ``python -m benchmarks layers`` measures besides the layers that the networks are made of.

Rows: name, shape of one sample (channels last), block, batch.
"""

from __future__ import annotations

from typing import Any

from benchmarks.block import Block, Named, Operand, named
from benchmarks.network import BatchNorm, Dense, Layer, LayerNorm, Recurrent, SelfAttention, Shape

Case = tuple[str, Shape, Layer, int]

_LINE, _IMAGE, _VOLUME = (128, 64), (32, 32, 32), (16, 16, 16, 16)
_TOKENS, _WIDE, _STEPS = (64, 128), (64, 512), (80, 64)
_PHOTO = (112, 112, 3)


def _conv(kind: str, before: Shape, after: Shape, kernel: int, groups: int = 1, **options: Any) -> Block:
    """A convolution with zeros around it so that an odd ``kernel`` keeps the size, unless ``strides`` is
    among Keras's options.
    """
    rank = len(before) - 1
    stride, dilation = options.get("strides", 1), options.get("dilation_rate", 1)
    padding = dilation * (kernel // 2) if stride == 1 else 0
    given = {"stride": stride, "padding": padding, "dilation": dilation}
    window = (kernel,) * rank
    if kind == "Depthwise":
        times, groups = after[-1] // before[-1], before[-1]
        keras = named(f"DepthwiseConv{rank}D", kernel, depth_multiplier=times, padding="same", **options)
        shape: Shape = (*window, before[-1], times)
    else:
        padded = "same" if stride == 1 else "valid"
        keras = named(f"Conv{rank}D", after[-1], kernel, padding=padded, groups=groups, **options)
        shape = (*window, before[-1] // groups, after[-1])
    torch = named(f"Conv{rank}d", before[-1], after[-1], kernel, groups=groups, **given)
    weights = (("depthwise_kernel" if kind else "kernel", shape), ("bias", after[-1:]))
    return Block(keras=keras, torch=(torch,), after=after, weights=weights, first=True)


def _causal(before: Shape, kernel: int, dilation: int) -> Block:
    width = before[-1]
    keras = named("Conv1D", width, kernel, padding="causal", dilation_rate=dilation)
    zeros = named("ZeroPad1d", ((kernel - 1) * dilation, 0))
    torch = (zeros, named("Conv1d", width, width, kernel, dilation=dilation))
    weights = (("kernel", (kernel, width, width)), ("bias", (width,)))
    return Block(keras=keras, torch=torch, after=before, weights=weights, first=True)


def _transposed(before: Shape, after: Shape, kernel: int) -> Block:
    rank, width, filters = len(before) - 1, before[-1], after[-1]
    stride = after[0] // before[0]
    keras = named(f"Conv{rank}DTranspose", filters, kernel, strides=stride, padding="same")
    torch = named(
        f"ConvTranspose{rank}d", width, filters, kernel, stride=stride, padding=(kernel - stride) // 2
    )
    weights = (("kernel", ((kernel,) * rank + (filters, width))), ("bias", (filters,)))
    places = before[0] ** rank
    return Block(keras=keras, torch=(torch,), after=after, weights=weights, first=True, places=places)


def _separable(before: Shape, filters: int, kernel: int) -> Block:
    rank, width = len(before) - 1, before[-1]
    conv, zeros = f"Conv{rank}d", kernel // 2
    torch = (
        named(conv, width, width, kernel, padding=zeros, groups=width, bias=False),
        named(conv, width, filters, 1),
    )
    shapes = ((kernel,) * rank + (width, 1), (1,) * rank + (width, filters), (filters,))
    weights = tuple(zip(("depthwise_kernel", "pointwise_kernel", "bias"), shapes, strict=True))
    keras = named(f"SeparableConv{rank}D", filters, kernel, padding="same")
    return Block(keras=keras, torch=torch, after=(*before[:-1], filters), weights=weights, first=True)


CONVOLUTIONS: tuple[Case, ...] = (
    ("conv1d", _LINE, _conv("", _LINE, _LINE, 3), 32),
    ("conv1d_causal_dilated", _LINE, _causal(_LINE, 3, 4), 32),
    ("conv1d_7", _LINE, _conv("", _LINE, _LINE, 7), 32),
    ("conv1d_stride2", _LINE, _conv("", _LINE, (63, 64), 4, strides=2), 32),
    ("conv2d_groups4", _IMAGE, _conv("", _IMAGE, (32, 32, 64), 3, groups=4), 32),
    ("conv2d_groups32", (28, 28, 128), _conv("", (28, 28, 128), (28, 28, 128), 3, groups=32), 16),
    ("conv2d_groups16", (28, 28, 128), _conv("", (28, 28, 128), (28, 28, 128), 3, groups=16), 16),
    ("conv2d_groups32_stride2", (29, 29, 128), _conv("", (29, 29, 128), (14, 14, 128), 3, 32, strides=2), 16),
    ("conv2d_groups32_256", (28, 28, 256), _conv("", (28, 28, 256), (28, 28, 256), 3, groups=32), 16),
    ("conv2d_groups32_512", (14, 14, 512), _conv("", (14, 14, 512), (14, 14, 512), 3, groups=32), 16),
    ("conv2d_groups32_1024", (7, 7, 1024), _conv("", (7, 7, 1024), (7, 7, 1024), 3, groups=32), 16),
    ("conv2d_groups64", (28, 28, 128), _conv("", (28, 28, 128), (28, 28, 128), 3, groups=64), 16),
    ("conv1d_groups16", _LINE, _conv("", _LINE, _LINE, 3, groups=16), 32),
    ("conv2d_dilated", _IMAGE, _conv("", _IMAGE, (32, 32, 64), 3, dilation_rate=2), 32),
    ("conv2d_rgb", (64, 64, 3), _conv("", (64, 64, 3), (64, 64, 32), 3), 16),
    ("conv2d_rgb_7_stride2", _PHOTO, _conv("", _PHOTO, (53, 53, 64), 7, strides=2), 8),
    ("conv2d_patches", _PHOTO, _conv("", _PHOTO, (28, 28, 96), 4, strides=4), 8),
    ("conv3d", _VOLUME, _conv("", _VOLUME, (16, 16, 16, 32), 3), 4),
    ("conv3d_stride2", _VOLUME, _conv("", _VOLUME, (7, 7, 7, 32), 3, strides=2), 4),
    ("conv3d_groups2", _VOLUME, _conv("", _VOLUME, (16, 16, 16, 32), 3, groups=2), 4),
    ("conv1d_transpose", _LINE, _transposed(_LINE, (256, 64), 4), 32),
    ("conv2d_transpose_2_stride2", (14, 14, 64), _transposed((14, 14, 64), (28, 28, 32), 2), 32),
    ("conv2d_transpose_stride1", (14, 14, 64), _transposed((14, 14, 64), (14, 14, 32), 3), 32),
    ("conv3d_transpose", (8, 8, 8, 32), _transposed((8, 8, 8, 32), (16, 16, 16, 16), 4), 4),
    ("depthwise1d_5", _LINE, _conv("Depthwise", _LINE, _LINE, 5), 32),
    ("depthwise2d_5", _IMAGE, _conv("Depthwise", _IMAGE, _IMAGE, 5), 32),
    ("depthwise2d_7", (28, 28, 96), _conv("Depthwise", (28, 28, 96), (28, 28, 96), 7), 16),
    ("depthwise2d_twice", _IMAGE, _conv("Depthwise", _IMAGE, (32, 32, 64), 3), 32),
    ("separable1d", _LINE, _separable(_LINE, 64, 3), 32),
    ("separable2d", _IMAGE, _separable(_IMAGE, 64, 3), 32),
)


def _pool(name: str, after: Shape, size: int, stride: int = 0) -> Block:
    """``name`` as Keras has it, say MaxPooling2D; PyTorch's is MaxPool2d."""
    keras = named(name, size, strides=stride or size)
    short = name.replace("Average", "Avg").replace("Pooling", "Pool").replace("D", "d")
    return Block(keras=keras, torch=(named(short, size, stride or size),), after=after, first=True)


def _adaptive(kind: str, rank: int, width: int, size: int) -> Block:
    keras = named(f"Adaptive{kind}Pooling{rank}D", size)
    torch = named(f"Adaptive{kind.replace('Average', 'Avg')}Pool{rank}d", size)
    return Block(keras=keras, torch=(torch,), after=(*(size,) * rank, width), first=True)


def _whole(kind: str, rank: int, width: int) -> Block:
    pool = named(f"Adaptive{kind.replace('Average', 'Avg')}Pool{rank}d", 1)
    keras = named(f"Global{kind}Pooling{rank}D")
    return Block(keras=keras, torch=(pool, named("Flatten")), after=(width,), first=True)


_POOLED = ((_LINE, 32), (_IMAGE, 32), (_VOLUME, 4))


def _pools() -> list[Case]:
    """Every pool of every rank, but the two that networks are made of and that have their rows there."""
    rows: list[Case] = []
    for rank, (shape, batch) in enumerate(_POOLED, 1):
        width, half = shape[-1], (*(n // 2 for n in shape[:-1]), shape[-1])
        for kind, short in (("Max", "max"), ("Average", "average")):
            if (kind, rank) != ("Max", 2):
                rows.append(
                    (f"{short}_pooling{rank}d", shape, _pool(f"{kind}Pooling{rank}D", half, 2), batch)
                )
            if (kind, rank) != ("Average", 2):
                rows.append((f"global_{short}_pooling{rank}d", shape, _whole(kind, rank, width), batch))
            adaptive = _adaptive(kind, rank, width, {1: 10, 2: 7, 3: 5}[rank])
            rows.append((f"adaptive_{short}_pooling{rank}d", shape, adaptive, batch))
    return rows


POOLS: tuple[Case, ...] = (
    *_pools(),
    ("max_pooling2d_3_stride1", _IMAGE, _pool("MaxPooling2D", (30, 30, 32), 3, 1), 32),
    ("average_pooling2d_3_stride1", _IMAGE, _pool("AveragePooling2D", (30, 30, 32), 3, 1), 32),
)


def _scaled(keras: Named, torch: Named, width: int, weights: str, first: bool) -> Block:
    return Block(
        keras=keras,
        torch=(torch,),
        weights=tuple((name, (width,)) for name in weights.split()),
        first=first,
    )


_BATCH = "gamma beta moving_mean moving_variance"
_VOLUMES = named("BatchNorm3d", 16, eps=1e-3)
_UNIT = named("functional.normalize", dim=-1)

NORMS: tuple[Case, ...] = (
    (
        "group_normalization",
        _IMAGE,
        _scaled(named("GroupNormalization", 8), named("GroupNorm", 8, 32, eps=1e-3), 32, "gamma beta", True),
        32,
    ),
    (
        "instance_normalization",
        _IMAGE,
        _scaled(
            named("GroupNormalization", -1),
            named("InstanceNorm2d", 32, eps=1e-3, affine=True),
            32,
            "gamma beta",
            True,
        ),
        32,
    ),
    (
        "rms_normalization",
        _TOKENS,
        _scaled(named("RMSNormalization"), named("RMSNorm", 128, eps=1e-6), 128, "gamma", False),
        16,
    ),
    ("unit_normalization", _TOKENS, Block(keras=named("UnitNormalization"), torch=(_UNIT,)), 16),
    ("layer_normalization_768", (128, 768), LayerNorm(), 4),
    ("layer_normalization_1024", (256, 1024), LayerNorm(), 8),
    ("layer_normalization_32", (64, 32), LayerNorm(), 64),
    ("batch_normalization_10", (10,), BatchNorm(), 32),
    ("batch_normalization_256", (8, 8, 256), BatchNorm(), 32),
    (
        "batch_normalization_volume",
        _VOLUME,
        _scaled(named("BatchNormalization"), _VOLUMES, 16, _BATCH, True),
        4,
    ),
)


def _recurrent(kind: str, units: int, width: int, steps: int, sequences: bool) -> Block:
    gates = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}[kind]
    columns = gates * units
    bias: Shape = (2, columns) if kind == "GRU" else (columns,)
    shapes = ((width, columns), (units, columns), bias)
    torch = named("Cells", kind.replace("Simple", ""), width, units, sequences)
    return Block(
        keras=named(kind, units, return_sequences=sequences),
        torch=(torch,),
        after=(steps, units) if sequences else (units,),
        weights=tuple(zip(("kernel", "recurrent_kernel", "bias"), shapes, strict=True)),
        places=steps,
    )


def _matrix(keras: Named, width: int, units: int, steps: int) -> Block:
    weights = (("kernel", (width, units)), ("bias", (units,)))
    return Block(keras=keras, torch=(named("Linear", width, units),), after=(steps, units), weights=weights)


_EINSUM = named("EinsumDense", "abc,cd->abd", (64, 256), bias_axes="d")
_EACH = named("TimeDistributed", named("Dense", 256))


def _grouped(heads: int, shared: int, width: int, steps: int) -> Block:
    """Attention of ``heads`` to fewer keys and values."""
    each = width // heads
    weights: list[tuple[str, Shape]] = []
    for name, count in (("query", heads), ("key", shared), ("value", shared)):
        weights += [(f"{name}_kernel", (width, count, each)), (f"{name}_bias", (count, each))]
    return Block(
        keras=named("GroupQueryAttention", each, heads, shared),
        torch=(named("GroupedAttention", heads, shared, width),),
        weights=(*weights, ("output_kernel", (heads, each, width)), ("output_bias", (width,))),
        others=(Operand((steps, width)),),
        apart=True,
    )


_PAIR = Block(keras=named("Attention"), torch=(named("ScaledAttention"),), others=(Operand(_TOKENS),))

SEQUENCES: tuple[Case, ...] = (
    ("simple_rnn", _STEPS, _recurrent("SimpleRNN", 64, 64, 80, False), 32),
    ("simple_rnn_sequences", _STEPS, _recurrent("SimpleRNN", 64, 64, 80, True), 32),
    ("lstm_sequences", _STEPS, _recurrent("LSTM", 64, 64, 80, True), 32),
    ("gru_sequences", _STEPS, _recurrent("GRU", 64, 64, 80, True), 32),
    ("lstm_one_sample", _STEPS, Recurrent("lstm", 64), 1),
    ("gru_one_sample", _STEPS, Recurrent("gru", 64), 1),
    ("lstm_256", (50, 256), Recurrent("lstm", 256), 16),
    ("gru_256", (50, 256), Recurrent("gru", 256), 16),
    ("bidirectional_gru", _STEPS, Recurrent("gru", 64, True), 32),
    ("attention_512", (512, 256), SelfAttention(8), 4),
    ("attention_of_dot_products", _TOKENS, _PAIR, 16),
    ("grouped_query_attention", _TOKENS, _grouped(8, 2, 128, 64), 16),
    ("einsum_dense", _TOKENS, _matrix(_EINSUM, 128, 256, 64), 16),
    ("time_distributed_dense", _TOKENS, _matrix(_EACH, 128, 256, 64), 16),
    ("dense_one_sample", (512,), Dense(512), 1),
    ("dense_small", (16,), Dense(32, "relu"), 32),
    ("dense_4096", (1024,), Dense(4096), 32),
    ("dense_10", (784,), Dense(10), 128),
)

BLOCKS: tuple[Case, ...] = (*CONVOLUTIONS, *POOLS, *NORMS, *SEQUENCES)
