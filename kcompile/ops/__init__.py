"""The public `keras.ops` names, nothing else. Each works on arrays (computed at once by the NumPy reference), on values of a
trace, and on the placeholders of a functional model."""

from kcompile.ops import autodiff, contract, conv, elementwise, reduce, shape as _shape
from kcompile.ops.public import public as _public

_EXPORTS = {
    elementwise: """add subtract multiply divide true_divide floor_divide mod power maximum minimum arctan2 negative absolute
        sign square sqrt rsqrt reciprocal exp expm1 log log1p log2 log10 sin cos tan tanh sigmoid softplus erf floor ceil relu
        equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor logical_not isnan isfinite
        isinf where cast""",
    reduce: "sum prod max min any all mean var std logsumexp argmax argmin count_nonzero",
    _shape: "reshape transpose broadcast_to flip pad concatenate stack expand_dims squeeze shape",
    contract: "matmul einsum tensordot dot",
    conv: "conv depthwise_conv separable_conv",
    autodiff: "stop_gradient",
}
for _module, _names in _EXPORTS.items():
    for _name in _names.split():
        globals()[_name] = _public(getattr(_module, _name))
abs = _public(elementwise.absolute)
get_item = _public(_shape.getitem)
