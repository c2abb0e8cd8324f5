"""The public `keras.ops` names, nothing else.

Each works on arrays (computed at once by the NumPy reference), on values of a trace, and on the placeholders
of a functional model. No module here may have the name of a public op: the op would hide it.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from kcompile.core import public_names as _public_names
from kcompile.ops import (
    activation,
    adaptive,
    arrange,
    array_methods,  # noqa: F401
    arrays,
    attention,
    autodiff,
    batched,  # noqa: F401
    bits,
    bitwise,
    blocks,
    branches,
    complex_arrays,
    contract,
    control,
    convolution,
    copying,
    create,
    crossentropy,
    ctc,
    cumulative,
    cutting,
    distinct,
    elementary,
    elementwise,
    fourier,
    group_normalization,  # noqa: F401
    index,
    joining,
    loop,  # noqa: F401
    matrices,
    movement,
    nan,
    normalization,
    numerics,
    order,
    padding,
    pool,
    products,
    rearranging,
    reduce,
    scatter,
    slicing,
    soft_maximum,
    special,
    spectrogram,
    subscript,
    tensor,
    transposed,
    vectorizing,
)
from kcompile.ops import (
    image as image,
)
from kcompile.ops import (
    linalg as linalg,
)
from kcompile.ops import (
    nn as nn,
)
from kcompile.ops import (
    numpy as numpy,
)
from kcompile.ops import (
    random as random,
)
from kcompile.ops.public import public as _public

_EXPORTS = {
    complex_arrays: """abs=absolute absolute angle conj conjugate imag isreal polar real view_as_complex
        view_as_real""",
    rearranging: "rearrange",
    vectorizing: "vectorize",
    distinct: "unique",
    bits: "view nextafter",
    elementwise: """add subtract multiply divide true_divide floor_divide mod power
        maximum minimum arctan2 negative sign square sqrt rsqrt reciprocal exp expm1 log log1p log2 log10 sin
        cos tan tanh sigmoid softplus erf floor ceil round relu equal not_equal less less_equal greater
        greater_equal logical_and logical_or logical_xor logical_not isnan isfinite isinf where cast""",
    reduce: "sum prod max amax=max min amin=min any all mean var std argmax argmin count_nonzero",
    movement: "reshape transpose broadcast_to expand_dims squeeze shape",
    cutting: "flip",
    padding: "pad",
    joining: "concatenate stack",
    subscript: "get_item=getitem",
    contract: "einsum",
    products: "matmul tensordot dot",
    convolution: "conv depthwise_conv separable_conv",
    transposed: "conv_transpose",
    bitwise: """bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_invert=bitwise_not left_shift
        right_shift bitwise_left_shift=left_shift bitwise_right_shift=right_shift""",
    index: "take take_along_axis",
    scatter: "scatter scatter_update segment_sum segment_prod segment_max segment_min",
    copying: "copy",
    tensor: "convert_to_tensor convert_to_numpy array is_tensor dtype size ndim saturate_cast",
    matrices: """norm inv det slogdet logdet eig eigh lu_factor cholesky cholesky_inverse solve
        solve_triangular qr svd
        lstsq pinv matrix_rank""",
    arrays: "gcd lcm i0 nonzero histogram",
    fourier: "fft fft2 ifft2 rfft irfft",
    spectrogram: "extract_sequences stft istft",
    nan: "nansum nanprod nanmax nanmin nanmean nanvar nanstd nanargmax nanargmin nancumsum nancumprod",
    attention: "dot_product_attention",
    blocks: "depth_to_space space_to_depth unfold fold",
    slicing: "slice slice_update",
    arrange: """repeat tile roll split array_split unstack swapaxes moveaxis ravel fliplr flipud rot90 append
        hstack vstack dstack hsplit vsplit dsplit meshgrid diagonal diagflat diag unravel_index""",
    create: """arange one_hot multi_hot full zeros ones empty full_like zeros_like ones_like empty_like eye
        identity tri tril triu linspace logspace geomspace""",
    numerics: """clip isclose allclose diff outer inner vdot kron cross trace average ptp trapezoid select
        nan_to_num vander isin digitize searchsorted bincount psnr cdist corrcoef
        correlate bartlett blackman hamming hanning kaiser""",
    order: """argsort sort top_k argpartition in_top_k quantile median percentile nanquantile nanmedian
        nanpercentile""",
    cumulative: "cumsum cumprod",
    special: """sinh cosh arcsinh arccosh arctanh arcsin arccos arctan erfc erfinv logaddexp logaddexp2
        hypot""",
    elementary: """exp2 cbrt sinc deg2rad rad2deg trunc fmod fmax fmin heaviside divide_no_nan ldexp isposinf
        isneginf signbit fabs""",
    activation: """celu elu gelu glu hard_shrink hard_sigmoid hard_silu hard_swish=hard_silu
        hard_tanh leaky_relu log_sigmoid relu6 selu silu soft_shrink softsign sparse_plus sparse_sigmoid
        squareplus swish=silu tanh_shrink threshold""",
    soft_maximum: "softmax log_softmax logsumexp sparsemax",
    ctc: "ctc_loss ctc_decode",
    crossentropy: "binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy",
    normalization: "moments batch_normalization layer_normalization rms_normalization normalize",
    pool: "max_pool average_pool",
    adaptive: "adaptive_average_pool adaptive_max_pool",
    autodiff: "stop_gradient custom_gradient jvp",
    branches: "cond switch",
    control: "scan map vectorized_map while_loop fori_loop associative_scan",
}
if _TYPE_CHECKING:  # the names are made below

    def __getattr__(name: str) -> _Any: ...


for _module, _names in _EXPORTS.items():
    for _name in _names.split():
        _exported, _, _own = _name.partition("=")
        globals()[_exported] = _made = _public(getattr(_module, _own or _exported))
        if _exported not in ("swish", "hard_swish"):  # in Keras, too, these are other functions' second names
            _made.__name__ = _made.__qualname__ = _exported

__all__ = _public_names.of(__name__)
