"""Public ops used on placeholders: each use is an operation of the functional model, with Keras's config."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from kcompile.core import config as settings_of
from kcompile.core.errors import unknown_name
from kcompile.ops.public import Symbolic, has_symbolic, set_recorder
from kcompile.trace.operation import Operation

# Where Keras keeps the class of an op; all others are in `numpy`.
_NN = """Relu Relu6 Sigmoid SparseSigmoid Softplus Softsign SoftShrink SparsePlus Silu Squareplus LogSigmoid
    LeakyRelu HardSigmoid HardSilu Elu Selu Gelu Celu Glu TanhShrink HardTanh HardShrink Threshold Softmax
    LogSoftmax Sparsemax MaxPool AveragePool AdaptiveAveragePool AdaptiveMaxPool Conv DepthwiseConv
    SeparableConv ConvTranspose OneHot MultiHot BinaryCrossentropy CategoricalCrossentropy
    SparseCategoricalCrossentropy Moments BatchNorm LayerNorm RMSNorm Normalize PSNR DotProductAttention
    DepthToSpace SpaceToDepth Fold Unfold CTCLoss CTCDecode Polar"""
_CORE = """Cast SaturateCast ConvertToTensor StopGradient Slice SliceUpdate Scatter ScatterUpdate Unstack"""
_MATH = """SegmentSum SegmentMax SegmentMin SegmentProd TopK InTopK Logsumexp Erf Erfc Erfinv Rsqrt Logdet
    CDist ExtractSequences FFT FFT2 IFFT2 RFFT IRFFT STFT ISTFT ViewAsComplex ViewAsReal"""
_LINALG = """Cholesky CholeskyInverse Det Eig Eigh Inv Lstsq LuFactor MatrixRank Norm Pinv Qr Solve
    SolveTriangular SVD"""
_IMAGE = """AffineTransform CropImages ElasticTransform ExtractPatches GaussianBlur HSVToRGB MapCoordinates
    PadImages PerspectiveTransform RGBToGrayscale RGBToHSV Resize SSIM ScaleAndTranslate SobelEdges"""
HOMES = {
    name: f"keras.src.ops.{home}"
    for home, names in {
        "nn": _NN,
        "core": _CORE,
        "math": _MATH,
        "linalg": _LINALG,
        "image": _IMAGE,
        "einops": "Rearrange",
    }.items()
    for name in names.split()
}
# Classes that are not called as their function is.
CLASSES = {
    "abs": "Absolute", "allclose": "AllClose", "batch_normalization": "BatchNorm", "cdist": "CDist",
    "conj": "Conjugate",
    "ctc_loss": "CTCLoss", "ctc_decode": "CTCDecode",
    "extract_patches_3d": "ExtractPatches", "fft": "FFT", "fft2": "FFT2", "hard_swish": "HardSilu",
    "hsv_to_rgb": "HSVToRGB", "ifft2": "IFFT2", "irfft": "IRFFT",
    "isin": "IsIn", "istft": "ISTFT", "layer_normalization": "LayerNorm", "psnr": "PSNR",
    "rfft": "RFFT", "rgb_to_grayscale": "RGBToGrayscale", "rgb_to_hsv": "RGBToHSV",
    "rms_normalization": "RMSNorm",
    "searchsorted": "SearchSorted", "ssim": "SSIM", "stft": "STFT", "svd": "SVD", "swish": "Silu",
}  # fmt: skip
# Parameters that take tensors: they are arguments of the call. All others are the operation's settings.
TENSORS = {
    "x", "x1", "x2", "xs", "inputs", "kernel", "depthwise_kernel", "pointwise_kernel", "condition",
    "operands", "indices", "key", "variable", "values", "target", "output", "mean",
    "variance", "beta", "gamma", "scale", "images", "volumes", "transform", "coordinates", "start_points",
    "end_points", "image1", "image2", "query", "value", "target_length", "output_length", "sequence_lengths",
    "data", "segment_ids", "a", "array",
}  # fmt: skip
# Arguments of the call, tensors or not: the constructors of Keras's classes do not take them.
ARGUMENTS = {
    "arange": "start stop step", "average": "weights", "batch_normalization": "offset scale",
    "bitwise_and": "y", "bitwise_left_shift": "y", "bitwise_or": "y", "bitwise_right_shift": "y",
    "bitwise_xor": "y", "cdist": "y", "digitize": "bins", "dot_product_attention": "bias mask scale",
    "full": "fill_value", "full_like": "fill_value", "geomspace": "start stop",
    "in_top_k": "targets predictions", "isclose": "rtol atol", "left_shift": "y", "linspace": "start stop",
    "logspace": "start stop", "lstsq": "a b", "nanpercentile": "q", "nanquantile": "q",
    "pad": "constant_values", "percentile": "q", "polar": "abs_ angle", "quantile": "q",
    "rearrange": "tensor pattern axes_lengths", "right_shift": "y",
    "scale_and_translate": "output_shape scale translation", "scatter_update": "updates",
    "searchsorted": "sorted_sequence values", "select": "condlist choicelist default",
    "slice": "start_indices", "slice_update": "start_indices updates", "solve": "a b",
    "solve_triangular": "a b",
}  # fmt: skip
# Those of them that Keras gives by their names, all others by position.
BY_NAME = {
    "arange": "step", "average": "weights", "dot_product_attention": "bias mask scale",
    "pad": "constant_values", "rms_normalization": "scale",
}  # fmt: skip
# Settings of ours that the class in Keras has not.
LEFT_OUT = {"Amax": ("initial",), "Amin": ("initial",), "Array": ("sparse", "ragged")}


@cache
def _functions() -> dict[str, Callable[..., Any]]:
    from kcompile import ops

    every = {**vars(ops), **vars(ops.image)}
    return {name: item for name, item in every.items() if callable(item) and not name.startswith("_")}


class OpCall(Operation):
    """A public op in a functional model: called with its tensors, it uses its settings for the rest.

    Each op has a class of its own, made by `op_class`.
    """

    function: Callable[..., Any]

    def __init__(self, settings: dict[str, Any], name: str | None = None):
        super().__init__(name)
        self.settings, self.signature = settings, inspect.signature(self.function)

    def call(self, *tensors: Any, **more: Any) -> Any:
        parameters = list(self.signature.parameters.values())
        every = next((k for k, p in enumerate(parameters) if p.kind is p.VAR_POSITIONAL), None)
        if every is not None:
            named = self.settings | more
            before = [named.pop(p.name) for p in parameters[:every] if p.name in named]
            return self.function(*before, *tensors, **named)
        free = [p.name for p in parameters if p.name not in self.settings and p.name not in more]
        named = dict(zip(free, tensors, strict=False))
        if isinstance(named.get("key"), list):  # JSON has no tuples
            named["key"] = tuple(named["key"])
        return self.function(**named, **self.settings, **more)

    def get_config(self) -> dict[str, Any]:
        left_out = LEFT_OUT.get(type(self).__name__, ())
        config = {"name": self.name, **{k: v for k, v in self.settings.items() if k not in left_out}}
        if "data_format" in config and config["data_format"] is None:
            config["data_format"] = settings_of.image_data_format()
        return config


@cache
def op_class(function: Callable[..., Any]) -> type[OpCall]:
    """The class of an op's uses, called as Keras calls it: `log_softmax` -> `LogSoftmax`."""
    known = next((n for n, f in _functions().items() if f is function), function.__name__)
    name = CLASSES.get(known) or "".join(part.capitalize() for part in known.split("_"))
    module = HOMES.get(name, "keras.src.ops.numpy")
    return type(name, (OpCall,), {"function": staticmethod(function), "__module__": module})


@cache
def op_classes() -> dict[str, type[OpCall]]:
    """The classes of all ops by their names; of several functions of one name the first."""
    return {cls.__name__: cls for cls in map(op_class, reversed(_functions().values()))}


def op_from_config(name: str, config: dict[str, Any]) -> OpCall:
    """The operation that Keras's class name and config describe."""
    classes = op_classes()
    if name not in classes:
        raise unknown_name("operation", name, list(classes))
    accepted = inspect.signature(classes[name].function).parameters
    settings = {k: v for k, v in config.items() if k in accepted and k != "name"}
    return classes[name](settings, config.get("name"))


def record_op(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """An op called on placeholders: infer its output and remember the call."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    tensors: list[Any] = []
    more: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    arguments, by_name = (table.get(function.__name__, "").split() for table in (ARGUMENTS, BY_NAME))
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            tensors.extend(value)
        elif kind is inspect.Parameter.VAR_KEYWORD:
            for key, x in value.items():
                (more if name in arguments or has_symbolic([x]) else settings)[key] = x
        elif name in by_name:
            more[name] = value
        elif name in arguments or (name in TENSORS and not settings and not more):
            tensors.append(value)
        elif isinstance(value, Symbolic) or has_symbolic([value]):
            more[name] = value
        else:
            settings[name] = value
    return op_class(function)(settings)(*tensors, **more)


set_recorder(record_op)
