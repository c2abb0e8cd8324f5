"""Blocks without weights that are measured alone: activations, noise, reshaping, merging, losses.

Rows: name, shape of one sample (channels last), block, batch.
"""

from __future__ import annotations

from benchmarks.block import Block, Named, Operand, named
from benchmarks.network import Shape

Case = tuple[str, Shape, Block, int]

_LINE, _IMAGE, _VOLUME = (128, 64), (32, 32, 32), (16, 16, 16, 16)
_TOKENS, _WIDE = (64, 128), (64, 512)


def _activation(name: str, torch: Named, after: Shape | None = None) -> Case:
    return name, _WIDE, Block(keras=named("Activation", name), torch=(torch,), after=after), 16


_SOFTMAX = Block(keras=named("Softmax"), torch=(named("Softmax", -1),))
_SLOPES = Block(
    keras=named("PReLU", shared_axes=[1, 2]),
    torch=(named("PReLU", 32),),
    weights=(("alpha", (1, 1, 32)),),
    first=True,
)
_GELU = Block(keras=named("ops.gelu", approximate=True), torch=(named("GELU", "tanh"),))

ACTIVATIONS: tuple[Case, ...] = (
    ("prelu", _IMAGE, _SLOPES, 32),
    ("leaky_relu", _IMAGE, Block(keras=named("LeakyReLU"), torch=(named("LeakyReLU", 0.3),), first=True), 32),
    ("elu", _IMAGE, Block(keras=named("ELU"), torch=(named("ELU"),), first=True), 32),
    ("softmax", _TOKENS, _SOFTMAX, 16),
    ("softmax_10", (10,), _SOFTMAX, 1024),
    ("softmax_1000", (1000,), _SOFTMAX, 256),
    ("gelu_tanh", _WIDE, _GELU, 16),
    _activation("tanh", named("Tanh")),
    _activation("silu", named("SiLU")),
    _activation("softplus", named("Softplus")),
    _activation("softsign", named("Softsign")),
    _activation("selu", named("SELU")),
    _activation("celu", named("CELU")),
    _activation("mish", named("Mish")),
    _activation("exponential", named("exp")),
    _activation("hard_swish", named("Hardswish")),
    _activation("hard_sigmoid", named("Hardsigmoid")),
    _activation("hard_tanh", named("Hardtanh")),
    _activation("hard_shrink", named("Hardshrink")),
    _activation("soft_shrink", named("Softshrink")),
    _activation("tanh_shrink", named("Tanhshrink")),
    _activation("log_sigmoid", named("LogSigmoid")),
    _activation("glu", named("GLU"), (64, 256)),
    ("log_softmax", (1000,), Block(keras=named("ops.log_softmax"), torch=(named("LogSoftmax", -1),)), 256),
)


def _noise(keras: str, torch: str, first: bool = False) -> Block:
    return Block(keras=named(keras, 0.5), torch=(named(torch, 0.5),), first=first, random=True)


NOISE: tuple[Case, ...] = (
    ("dropout", _WIDE, _noise("Dropout", "Dropout"), 16),
    ("spatial_dropout1d", _LINE, _noise("SpatialDropout1D", "Dropout1d", True), 32),
    ("spatial_dropout2d", _IMAGE, _noise("SpatialDropout2D", "Dropout2d", True), 32),
    ("spatial_dropout3d", _VOLUME, _noise("SpatialDropout3D", "Dropout3d", True), 4),
    ("alpha_dropout", _WIDE, _noise("AlphaDropout", "AlphaDropout"), 16),
    ("gaussian_noise", _WIDE, _noise("GaussianNoise", "AddNoise"), 16),
)


def _image(keras: Named, torch: Named, after: Shape) -> Block:
    return Block(keras=keras, torch=(torch,), after=after, first=True)


_LARGER = named("Upsample", scale_factor=2)
_SMOOTH = named("UpSampling2D", 2, interpolation="bilinear")
_SMOOTHER = named("Upsample", scale_factor=2, mode="bilinear")
_TURNED = (named("transpose", 1, 2), named("Tensor.contiguous"))
_REPEATED = (named("unsqueeze", 1), named("Tensor.repeat", 1, 16, 1))

RESHAPING: tuple[Case, ...] = (
    ("zero_padding1d", _LINE, _image(named("ZeroPadding1D", 1), named("ZeroPad1d", 1), (130, 64)), 32),
    ("zero_padding2d", _IMAGE, _image(named("ZeroPadding2D", 1), named("ZeroPad2d", 1), (34, 34, 32)), 32),
    (
        "zero_padding3d",
        _VOLUME,
        _image(named("ZeroPadding3D", 1), named("ZeroPad3d", 1), (18, 18, 18, 16)),
        4,
    ),
    ("cropping1d", _LINE, _image(named("Cropping1D", 2), named("Crop", 2), (124, 64)), 32),
    ("cropping2d", _IMAGE, _image(named("Cropping2D", 2), named("Crop", 2), (28, 28, 32)), 32),
    ("cropping3d", _VOLUME, _image(named("Cropping3D", 2), named("Crop", 2), (12, 12, 12, 16)), 4),
    ("up_sampling1d", _LINE, _image(named("UpSampling1D", 2), _LARGER, (256, 64)), 32),
    ("up_sampling2d_bilinear", (16, 16, 64), _image(_SMOOTH, _SMOOTHER, (32, 32, 64)), 16),
    ("up_sampling3d", (8, 8, 8, 16), _image(named("UpSampling3D", 2), _LARGER, _VOLUME), 4),
    ("permute", _TOKENS, Block(keras=named("Permute", (2, 1)), torch=_TURNED, after=(128, 64)), 32),
    ("repeat_vector", (256,), Block(keras=named("RepeatVector", 16), torch=_REPEATED, after=(16, 256)), 64),
)


def _merged(keras: Named, *torch: Named, after: Shape | None = None, other: Shape = _IMAGE) -> Block:
    return Block(keras=keras, torch=torch, after=after, first=len(other) == 3, others=(Operand(other),))


_DOT = _merged(named("Dot", (2, 1)), named("bmm"), after=(64, 64), other=(128, 64))

MERGING: tuple[Case, ...] = (
    ("subtract", _IMAGE, _merged(named("Subtract"), named("sub")), 32),
    ("multiply", _IMAGE, _merged(named("Multiply"), named("mul")), 32),
    ("average", _IMAGE, _merged(named("Average"), named("add"), named("mul", 0.5)), 32),
    ("maximum", _IMAGE, _merged(named("Maximum"), named("maximum")), 32),
    ("minimum", _IMAGE, _merged(named("Minimum"), named("minimum")), 32),
    ("concatenate", _IMAGE, _merged(named("Concatenate"), named("Joined", 1), after=(32, 32, 64)), 32),
    ("dot", _TOKENS, _DOT, 16),
)


def _loss(
    keras: Named, *torch: Named, targets: Shape, values: str | int = "normal", of: str = "normal"
) -> Block:
    return Block(keras=keras, torch=torch, after=(), values=of, others=(Operand(targets, values),))


_LOGITS = {"from_logits": True}
_TO_CLASSES = (named("losses.SparseCategoricalCrossentropy", **_LOGITS), named("CrossEntropyLoss"))
_TO_SHARES = (named("losses.CategoricalCrossentropy", **_LOGITS), named("CrossEntropyLoss"))
_TO_BITS = (named("losses.BinaryCrossentropy", **_LOGITS), named("BCEWithLogitsLoss"))
_ANGLE = (named("functional.cosine_similarity", dim=-1), named("mean"), named("neg"))
_COUNTS = named("PoissonNLLLoss", log_input=False, eps=1e-7)

LOSSES: tuple[Case, ...] = (
    ("loss_of_classes_10", (10,), _loss(*_TO_CLASSES, targets=(), values=10), 128),
    ("loss_of_classes_1000", (1000,), _loss(*_TO_CLASSES, targets=(), values=1000), 256),
    ("loss_of_shares_10", (10,), _loss(*_TO_SHARES, targets=(10,), values="shares"), 128),
    ("loss_of_shares_1000", (1000,), _loss(*_TO_SHARES, targets=(1000,), values="shares"), 256),
    ("loss_of_bits", (64,), _loss(*_TO_BITS, targets=(64,), values="bits"), 256),
    (
        "loss_mean_squared",
        (64,),
        _loss(named("losses.MeanSquaredError"), named("MSELoss"), targets=(64,)),
        256,
    ),
    (
        "loss_mean_absolute",
        (64,),
        _loss(named("losses.MeanAbsoluteError"), named("L1Loss"), targets=(64,)),
        256,
    ),
    ("loss_huber", (64,), _loss(named("losses.Huber"), named("HuberLoss"), targets=(64,)), 256),
    ("loss_cosine", _TOKENS, _loss(named("losses.CosineSimilarity"), *_ANGLE, targets=_TOKENS), 16),
    (
        "loss_divergence",
        (64,),
        _loss(named("losses.KLDivergence"), named("Divergence"), targets=(64,), values="shares", of="shares"),
        256,
    ),
    (
        "loss_poisson",
        (64,),
        _loss(named("losses.Poisson"), _COUNTS, targets=(64,), values="shares", of="shares"),
        256,
    ),
    ("loss_ctc", (80, 28), _loss(named("losses.CTC"), named("Ctc"), targets=(20,), values=28), 16),
)

POINTWISE: tuple[Case, ...] = (*ACTIVATIONS, *NOISE, *RESHAPING, *MERGING, *LOSSES)
