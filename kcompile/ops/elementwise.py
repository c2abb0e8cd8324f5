"""Elementwise ops with broadcasting, one row each: NumPy rule, scalar code, gradient, ONNX, domain."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcompile.core.dtypes import UNSIGNED, is_float
from kcompile.ir import loops
from kcompile.ir.graph import HAS_NUMBERS, Value
from kcompile.ir.op import unwrap
from kcompile.ir.traits import Traits
from kcompile.ops import onnx_forms, state
from kcompile.ops.operands import (  # noqa: F401  (other modules reach the operands' functions through this one)
    Rule,
    aligned,
    as_tensor,
    binary,
    cast,
    cast_op,
    common_dtype,
    const_like,
    dtype_of,
    float_of,
    number_of,
    onnx_number,
    operands,
    sample_array,
    unary,
    unbroadcast,
    zero_like,
)
from kcompile.ops.selection import where as where
from kcompile.ops.selection import where_op as where_op


def erf_reference(x: np.ndarray) -> np.ndarray:
    return np.vectorize(math.erf, otypes=[np.float64])(x) if x.size else x.astype(np.float64)


# --- arithmetic ---------------------------------------------------------------------------------------------

add = binary(
    "add", np.add, "add", lambda dy, y, a, b: (dy, dy), onnx="Add", cheap=True,
    traits=Traits(linear=True, monoid="sum"),
)  # fmt: skip
subtract = binary(
    "subtract", np.subtract, "sub", lambda dy, y, a, b: (dy, negative(dy)), onnx="Sub", cheap=True
)
multiply = binary(
    "multiply",
    lambda a, b: a & b if a.dtype == bool else a * b,
    "mul",
    lambda dy, y, a, b: (dy * b, dy * a),
    onnx="Mul",
    cheap=True,
    traits=Traits(monoid="product", right_identity=1),
)
true_divide = binary(
    "true_divide",
    np.true_divide,
    "div",
    lambda dy, y, a, b: (dy / b, negative(dy * y / b)),
    onnx="Div",
    inputs="float",
    domain=(0.5, 3.0),
    traits=Traits(right_identity=1),
)
divide = true_divide
floor_divide = binary(
    "floor_divide",
    np.floor_divide,
    "floordiv",
    lambda dy, y, a, b: (None, None),
    domain=(0.6, 4.0),
    onnx=onnx_forms.floor_divide,
    inputs="number",
)
mod = binary(
    "mod",
    np.mod,
    "mod",
    lambda dy, y, a, b: (dy, negative(dy * floor(a / b))),
    domain=(0.6, 4.0),
    onnx=onnx_forms.mod,
    inputs="number",
)


def _power_reference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Integers wrap around, as everywhere; NumPy refuses negative exponents, whose result has no meaning."""
    if a.dtype.kind != "f":
        return np.power(a, np.maximum(b, 0))
    a, b = np.broadcast_arrays(a, b)
    # An array of its own: NumPy takes the root for one exponent 0.5, which is NaN of -inf and -0 of -0.
    return np.power(np.atleast_1d(a), np.array(b, ndmin=1)).reshape(a.shape)


power_op: Any = binary(
    "power",
    _power_reference,
    "pow",
    lambda dy, y, a, b: (
        dy * where(equal(b, 0), 0, b * power_op(a, where(equal(b, 0), 1, b - 1))),  # also of 0 to the power 0
        dy * y * log(where(equal(a, 0), 1, a)),  # NaN for negative bases, as in JAX and PyTorch
    ),
    onnx="Pow",
    inputs="number",
    domain=(0.3, 2.5),
)


def power(x1: Any, x2: Any) -> Any:
    """x1 to the power x2. Ints stay ints.

    >>> power(np.array([1, -2, 3]), 3).tolist()
    [1, -8, 27]
    """
    dtype = number_of(common_dtype(unwrap(x1), unwrap(x2)))
    if isinstance(x2, int) and x2 < 0 and not is_float(dtype):
        raise TypeError(
            f"power: integers cannot be raised to the negative power {x2}; make the base a float by ops.cast"
        )
    if dtype in ("int8", "int16"):  # what is cut off does not come back
        return cast(
            power(as_tensor(x1, "int32"), x2 if isinstance(x2, int) else as_tensor(x2, "int32")), dtype
        )
    a, b = operands(x1, x2, dtype=dtype)
    if isinstance(x2, (int, float)) and x2 in (1, 2, 3):  # products are much cheaper
        return {1: lambda: a, 2: lambda: square(a), 3: lambda: multiply(square(a), a)}[int(x2)]()
    found = power_op(a, b)
    if is_float(dtype) or dtype in UNSIGNED or (isinstance(b, np.ndarray) and not (b < 0).any()):
        return found
    unit = where(equal(mod(b, 2), 0), 1, a)  # of 1 and -1; a whole number of any other reciprocal is 0
    return where(less(b, 0), where(equal(absolute(a), 1), unit, 0), found)


def _larger_share(dy: Any, a: Any, b: Any) -> Any:
    """The gradient of a where it is the larger one; equal ones take half of it each, as in JAX."""
    return where(greater(a, b), dy, where(equal(a, b), dy * 0.5, 0))


maximum = binary(
    "maximum",
    np.maximum,
    "maximum",
    lambda dy, y, a, b: (_larger_share(dy, a, b), _larger_share(dy, b, a)),
    onnx="Max",
    cheap=True,
)
minimum = binary(
    "minimum",
    np.minimum,
    "minimum",
    lambda dy, y, a, b: (_larger_share(dy, b, a), _larger_share(dy, a, b)),
    onnx="Min",
    cheap=True,
)
_arctan2 = binary(
    "arctan2",
    np.arctan2,
    "atan2",
    lambda dy, y, a, b: (dy * b / (a * a + b * b), negative(dy * a / (a * a + b * b))),
    onnx=onnx_forms.arctan2,
    inputs="float",
    domain=(0.2, 2.0),
)


def arctan2(x1: Any, x2: Any) -> Any:
    """The angle of the point (x2, x1). Python's floats are float32 here, as in Keras."""
    return _arctan2(as_tensor(x1), as_tensor(x2))


negative: Any = unary(
    "negative", np.negative, "neg", lambda dy, y, x: negative(dy), onnx="Neg", cheap=True,
    traits=Traits(linear=True),
)  # fmt: skip
absolute = unary("absolute", np.abs, "abs", lambda dy, y, x: dy * sign(x), onnx="Abs", cheap=True)
sign: Any = unary("sign", np.sign, "sign", lambda dy, y, x: None, onnx="Sign", cheap=True)
square = unary(
    "square",
    np.square,
    lambda x: loops.apply("mul", x, x),
    lambda dy, y, x: dy * (x * 2),
    cheap=True,
    onnx=lambda g, x: g.node("Mul", x, x),
    inputs="number",
)
sqrt = unary(
    "sqrt", np.sqrt, "sqrt", lambda dy, y, x: dy * 0.5 / y, onnx="Sqrt", inputs="float", domain=(0.1, 4)
)
rsqrt = unary(
    "rsqrt",
    lambda x: 1.0 / np.sqrt(x),
    "rsqrt",
    lambda dy, y, x: dy * -0.5 * y / x,
    onnx=lambda g, x: g.node("Reciprocal", g.node("Sqrt", x)),
    inputs="float",
    domain=(0.1, 4),
)
reciprocal = unary(
    "reciprocal",
    lambda x: 1.0 / x,
    lambda x: loops.apply("div", const_like(1.0, x), x),
    lambda dy, y, x: negative(dy * y * y),
    onnx="Reciprocal",
    inputs="float",
    domain=(0.5, 3),
)
exp = unary("exp", np.exp, "exp", lambda dy, y, x: dy * y, onnx="Exp", inputs="float")
expm1 = unary(
    "expm1",
    np.expm1,
    "expm1",
    lambda dy, y, x: dy * (y + 1),
    inputs="float",
    onnx=onnx_forms.expm1,
)
log: Any = unary("log", np.log, "log", lambda dy, y, x: dy / x, onnx="Log", inputs="float", domain=(0.1, 4))
log1p = unary(
    "log1p",
    np.log1p,
    "log1p",
    lambda dy, y, x: dy / (x + 1),
    inputs="float",
    domain=(-0.5, 4),
    onnx=onnx_forms.log1p,
)
log2 = unary(
    "log2",
    np.log2,
    lambda x: loops.apply("mul", loops.apply("log", x), const_like(1 / math.log(2), x)),
    lambda dy, y, x: dy / (x * math.log(2)),
    onnx=lambda g, x: g.node("Mul", g.node("Log", x), onnx_number(g, 1 / math.log(2), x)),
    inputs="float",
    domain=(0.1, 4),
)
log10 = unary(
    "log10",
    np.log10,
    lambda x: loops.apply("mul", loops.apply("log", x), const_like(1 / math.log(10), x)),
    lambda dy, y, x: dy / (x * math.log(10)),
    onnx=lambda g, x: g.node("Mul", g.node("Log", x), onnx_number(g, 1 / math.log(10), x)),
    inputs="float",
    domain=(0.1, 4),
)
sin = unary("sin", np.sin, "sin", lambda dy, y, x: dy * cos(x), onnx="Sin", inputs="float")
cos: Any = unary("cos", np.cos, "cos", lambda dy, y, x: negative(dy * sin(x)), onnx="Cos", inputs="float")
tan = unary(
    "tan",
    np.tan,
    lambda x: loops.apply("div", loops.apply("sin", x), loops.apply("cos", x)),
    lambda dy, y, x: dy * (1 + y * y),
    onnx=onnx_forms.tan,
    inputs="float",
    domain=(-1.2, 1.2),
)
tanh = unary("tanh", np.tanh, "tanh", lambda dy, y, x: dy * (1 - y * y), onnx="Tanh", inputs="float")
sigmoid = unary(
    "sigmoid",
    lambda x: 1 / (1 + np.exp(-x)),
    "sigmoid",
    lambda dy, y, x: dy * y * (1 - y),
    onnx="Sigmoid",
    inputs="float",
)
softplus = unary(
    "softplus",
    lambda x: np.logaddexp(x, 0),
    "softplus",
    lambda dy, y, x: dy * sigmoid(x),
    onnx=onnx_forms.softplus,
    inputs="float",
)
erf = unary(
    "erf",
    erf_reference,
    "erf",
    lambda dy, y, x: dy * exp(negative(x * x)) * (2 / math.sqrt(math.pi)),
    onnx="Erf",
    inputs="float",
)
floor: Any = unary("floor", np.floor, "floor", lambda dy, y, x: None, onnx="Floor", inputs="float")
ceil = unary("ceil", np.ceil, "ceil", lambda dy, y, x: None, onnx="Ceil", inputs="float")
round_half_even = unary("round", np.round, "round", lambda dy, y, x: None, onnx=onnx_forms.round_half_even)
relu = unary(
    "relu",
    lambda x: np.maximum(x, np.zeros((), x.dtype)),
    "relu",
    lambda dy, y, x: where(greater(y, 0), dy, 0),
    onnx=onnx_forms.relu,
    cheap=True,
    inputs="number",
)

# --- predicates and logic -----------------------------------------------------------------------------------

_none2: Rule = lambda dy, y, a, b: (None, None)  # noqa: E731
_predicate: dict[str, Any] = {"result": "bool", "cheap": True}
equal: Any = binary("equal", np.equal, "eq", _none2, onnx="Equal", **_predicate)
not_equal = binary(
    "not_equal",
    np.not_equal,
    "ne",
    _none2,
    onnx=lambda g, a, b: g.node("Not", g.node("Equal", a, b)),
    **_predicate,
)
less: Any = binary("less", np.less, "lt", _none2, onnx="Less", **_predicate)
less_equal: Any = binary("less_equal", np.less_equal, "le", _none2, onnx="LessOrEqual", **_predicate)
greater: Any = binary(
    "greater", np.greater, "gt", _none2, onnx="Greater", traits=Traits(relation=">"), **_predicate
)
greater_equal: Any = binary(
    "greater_equal", np.greater_equal, "ge", _none2, onnx="GreaterOrEqual", **_predicate
)
logical_and = binary("logical_and", np.logical_and, "and", _none2, onnx="And", inputs="bool", **_predicate)
logical_or = binary("logical_or", np.logical_or, "or", _none2, onnx="Or", inputs="bool", **_predicate)
logical_xor = binary("logical_xor", np.logical_xor, "ne", _none2, onnx="Xor", inputs="bool", **_predicate)
logical_not = unary(
    "logical_not", np.logical_not, "not", lambda dy, y, x: None, onnx="Not", inputs="bool", **_predicate
)
isnan = unary(
    "isnan",
    np.isnan,
    lambda x: loops.apply("ne", x, x, dtype="bool"),
    lambda dy, y, x: None,
    onnx=onnx_forms.isnan,
    **_predicate,
)
isfinite = unary(
    "isfinite",
    np.isfinite,
    lambda x: loops.apply("lt", loops.apply("abs", x), const_like(math.inf, x), dtype="bool"),
    lambda dy, y, x: None,
    onnx=lambda g, x: g.node("Less", g.node("Abs", x), onnx_number(g, math.inf, x)),
    inputs="float",
    **_predicate,
)
isinf = unary(
    "isinf",
    np.isinf,
    lambda x: loops.apply("eq", loops.apply("abs", x), const_like(math.inf, x), dtype="bool"),
    lambda dy, y, x: None,
    onnx="IsInf",
    inputs="float",
    **_predicate,
)


def round(x: Any, decimals: int = 0) -> Any:
    """x rounded to `decimals`, halves to the even neighbour."""
    x = as_tensor(x)
    if decimals == 0:
        return round_half_even(x)
    factor = 10.0**decimals
    rounded = true_divide(round_half_even(multiply(x, factor)), factor)
    return cast(rounded, common_dtype(x))


def _compared(a: Value, b: Any, function: Any) -> Any:
    """Elementwise where users compare tensors, in a trace or what a tape recorded; elsewhere values are the
    same or not.
    """
    known = isinstance(unwrap(b), (Value, np.ndarray, np.generic, int, float))
    users = state.is_tracing() or a.node.standing == HAS_NUMBERS
    return function(a, b) if known and users else NotImplemented


def _install_operators() -> None:
    """Python operators on symbolic tensors."""
    table = {
        "add": add, "sub": subtract, "mul": multiply, "truediv": true_divide, "floordiv": floor_divide,
        "mod": mod, "pow": power, "and": logical_and, "or": logical_or, "xor": logical_xor,
    }  # fmt: skip
    for name, function in table.items():
        setattr(Value, f"__{name}__", lambda a, b, f=function: f(a, b))
        setattr(Value, f"__r{name}__", lambda a, b, f=function: f(b, a))
    compare = {"lt": less, "le": less_equal, "gt": greater, "ge": greater_equal}
    for name, function in compare.items():
        setattr(Value, f"__{name}__", lambda a, b, f=function: f(a, b))
    for name, function in {"eq": equal, "ne": not_equal}.items():
        setattr(Value, f"__{name}__", lambda a, b, f=function: _compared(a, b, f))
    for name, function in {"neg": negative, "abs": absolute, "invert": logical_not}.items():
        setattr(Value, f"__{name}__", lambda x, f=function: f(x))
    # An array on the left leaves the operation to the value (`ops/array_methods.py`).
    setattr(Value, "__array_priority__", 1000.0)  # noqa: B010


_install_operators()
