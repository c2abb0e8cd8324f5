"""Elementwise ops with broadcasting, one row each: NumPy rule, scalar code, gradient, ONNX name, sampling domain."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.symbolic import Int
from kcompile.ir import loops
from kcompile.ir.graph import Value
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import REGISTRY, Op, Sample, constant, unwrap
from kcompile.ir.types import TensorType, broadcast_shapes

Rule = Callable[..., Any]


def aligned(i: Index, shape: tuple[int | Int, ...]) -> Index:
    """The index of an operand of `shape` that broadcasts to an output index."""
    tail = i[len(i) - len(shape) :] if shape else ()
    return tuple(0 if d == 1 else k for d, k in zip(shape, tail, strict=True))


def unbroadcast(dy: Any, shape: tuple[int | Int, ...]) -> Any:
    """Sum a cotangent over the axes along which an operand of `shape` was broadcast."""
    from kcompile.ops import movement, reduce

    if tuple(dy.shape) == tuple(shape):
        return dy
    extra = len(dy.shape) - len(shape)
    axes = [k for k in range(len(dy.shape)) if k < extra or (shape[k - extra] == 1 and dy.shape[k] != 1)]
    summed = reduce.sum(dy, axis=tuple(axes)) if axes else dy
    return movement.reshape(summed, shape)


def _dtype_of(x: Any) -> str | None:
    """The dtype of an operand; None for Python numbers, which adapt to the other operand."""
    if isinstance(x, bool):
        return "bool"
    if isinstance(x, (int, float)) and not isinstance(x, np.generic):
        return None
    if isinstance(x, Value):
        return x.dtype
    return dtypes.standardize(np.asarray(x).dtype) if isinstance(x, (np.ndarray, np.generic)) else None


def common_dtype(*xs: Any) -> str:
    """The dtype that operands meet in; Python ints never widen, Python floats make ints the default float."""
    known = [d for d in map(_dtype_of, xs) if d is not None]
    if not known:
        known = [dtypes.standardize(_python_array(x).dtype) for x in xs]
    result = known[0]
    for d in known[1:]:
        result = dtypes.promote(result, d)
    weak = [x for x in xs if _dtype_of(x) is None]
    if any(np.asarray(x).dtype.kind == "f" for x in weak) and not dtypes.is_float(result):
        return dtypes.standardize(None)
    if result == "bool" and any(np.asarray(x).dtype.kind in "iu" for x in weak):
        return "int32"
    return result


def _python_array(x: Any) -> np.ndarray:
    array = np.asarray(x)
    if isinstance(x, (np.ndarray, np.generic)):
        return array
    if array.dtype == np.float64:
        return array.astype(dtypes.numpy_dtype(dtypes.standardize(None)))
    return array.astype(np.int32) if array.dtype == np.int64 else array


def as_tensor(x: Any, dtype: str | None = None) -> Any:
    """An operand as a Value or array of `dtype`."""
    x = unwrap(x)
    if isinstance(x, Value):
        return x if dtype is None or x.dtype == dtype else cast(x, dtype)
    if isinstance(x, Int):
        from kcompile.ops.movement import extent

        return as_tensor(extent(x), dtype)
    array = _python_array(x)
    wanted = dtypes.numpy_dtype(dtype) if dtype else array.dtype
    return array if array.dtype == wanted else array.astype(wanted)


def operands(*xs: Any, dtype: str | None = None) -> tuple[Any, ...]:
    """Operands brought to their common dtype."""
    xs = tuple(unwrap(x) for x in xs)
    xs = tuple(as_tensor(x) if isinstance(x, Int) else x for x in xs)
    common = dtype or common_dtype(*xs)
    return tuple(as_tensor(x, common) for x in xs)


def _float_of(dtype: str) -> str:
    return dtype if dtypes.is_float(dtype) else dtypes.standardize(None)


def elementwise(
    name: str,
    reference: Rule,
    scalar: Rule | str,
    vjp: Rule | None,
    *,
    onnx: str | None = None,
    domain: tuple[float, float] = (-3.0, 3.0),
    arity: int = 1,
    result: str = "same",
    inputs: str = "any",
    cheap: bool = False,
) -> Callable[..., Any]:
    """Register an elementwise op and return its public function.

    result: "same", or "bool" for predicates. inputs: "any", "float" (ints are converted) or "bool".
    """
    op = Op(name, cheap=cheap)

    @op.infer
    def infer(*types: TensorType) -> TensorType:
        shape = broadcast_shapes(*(t.shape for t in types), op=name)
        return TensorType(shape, "bool" if result == "bool" else types[-1].dtype)

    op.reference(reference)

    if vjp is not None:
        rule = vjp

        @op.vjp
        def pull_back(dy: Any, y: Any, *xs: Any) -> tuple[Any, ...]:
            found = rule(dy, y, *xs)
            found = found if isinstance(found, tuple) else (found,)
            return tuple(None if d is None else unbroadcast(d, x.shape) for d, x in zip(found, xs, strict=True))

    @op.scalar
    def at(i: Index, *xs: Any, out: TensorType) -> Expr:
        args = [x(aligned(i, x.type.shape)) for x in xs]
        if callable(scalar):
            return scalar(*args)
        return loops.apply(scalar, *args, dtype=out.dtype)

    if onnx is not None:

        @op.onnx
        def export(g: Any, *names: str, **_: Any) -> str:
            return g.node(onnx, *names)

    @op.samples
    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        shapes = [[(3, 5)] * arity, [()] * arity, [(0, 2)] * arity, [(17,)] * arity]
        if arity > 1:
            shapes += [[(4, 1)] + [(1, 5)] * (arity - 1), [(2, 3, 4)] + [(4,)] * (arity - 1)]
        for case in shapes:
            yield Sample(tuple(sample_array(rng, s, domain, inputs) for s in case), {}, "x".join(map(str, case[0])))

    def function(*xs: Any) -> Any:
        common = common_dtype(*(unwrap(x) for x in xs))
        dtype = _float_of(common) if inputs == "float" else "bool" if inputs == "bool" else common
        return op(*operands(*xs, dtype=dtype))

    function.__name__ = function.__qualname__ = name
    return function


def sample_array(rng: np.random.Generator, shape: Any, domain: tuple[float, float], inputs: str = "any") -> np.ndarray:
    if inputs == "bool":
        return rng.random(shape) < 0.5
    return rng.uniform(*domain, size=shape).astype(np.float32)


def unary(name: str, reference: Rule, scalar: Rule | str, vjp: Rule | None = None, **options: Any) -> Any:
    call = elementwise(name, reference, scalar, vjp, arity=1, **options)

    def function(x: Any) -> Any:
        return call(x)

    function.__name__ = function.__qualname__ = name
    return function


def binary(name: str, reference: Rule, scalar: Rule | str, vjp: Rule | None = None, **options: Any) -> Any:
    call = elementwise(name, reference, scalar, vjp, arity=2, **options)

    def function(x1: Any, x2: Any) -> Any:
        return call(x1, x2)

    function.__name__ = function.__qualname__ = name
    return function


def _c(value: float, like: Expr) -> Expr:
    return loops.const(value, like.dtype)


def _zero_like(x: Any) -> Any:
    return as_tensor(0, x.dtype)


def _erf(x: np.ndarray) -> np.ndarray:
    return np.vectorize(math.erf, otypes=[np.float64])(x) if x.size else x.astype(np.float64)


# --- casts ---------------------------------------------------------------------------------------------------

cast_op = Op("cast", cheap=True)


@cast_op.infer
def _cast_infer(x: TensorType, *, dtype: str) -> TensorType:
    return TensorType(x.shape, dtype)


@cast_op.reference
def _cast_reference(x: np.ndarray, *, dtype: str) -> np.ndarray:
    return x.astype(dtypes.numpy_dtype(dtype))


@cast_op.vjp
def _cast_vjp(dy: Any, y: Any, x: Any, *, dtype: str) -> tuple[Any]:
    return (cast(dy, x.dtype) if dtypes.is_float(x.dtype) else None,)


@cast_op.scalar
def _cast_scalar(i: Index, x: Any, *, out: TensorType, dtype: str) -> Expr:
    return loops.cast(x(i), dtype)


@cast_op.samples
def _cast_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(3, 4)).astype("float32"),), {"dtype": "float64"})
    yield Sample((rng.integers(0, 255, (7,)).astype("uint8"),), {"dtype": "float32"}, "uint8", False)
    yield Sample((rng.normal(size=(5,)).astype("float32") * 9,), {"dtype": "int32"}, "to_int", False)
    yield Sample((rng.normal(size=(5,)).astype("float32") > 0,), {"dtype": "float32"}, "bool", False)


def cast(x: Any, dtype: Any) -> Any:
    """x converted to `dtype`; floats are truncated towards zero when they become ints.

    >>> cast(np.array([1.7, -1.7], "float32"), "int32").tolist()
    [1, -1]
    """
    x = as_tensor(x)
    name = dtypes.standardize(dtype)
    return x if dtypes.standardize(x.dtype) == name else cast_op(x, dtype=name)


# --- arithmetic ----------------------------------------------------------------------------------------------

add = binary("add", np.add, "add", lambda dy, y, a, b: (dy, dy), onnx="Add", cheap=True)
subtract = binary("subtract", np.subtract, "sub", lambda dy, y, a, b: (dy, negative(dy)), onnx="Sub", cheap=True)
multiply = binary(
    "multiply",
    lambda a, b: a & b if a.dtype == bool else a * b,
    "mul",
    lambda dy, y, a, b: (dy * b, dy * a),
    onnx="Mul",
    cheap=True,
)
true_divide = binary(
    "true_divide",
    np.true_divide,
    "div",
    lambda dy, y, a, b: (dy / b, negative(dy * y / b)),
    onnx="Div",
    inputs="float",
    domain=(0.5, 3.0),
)
divide = true_divide
floor_divide = binary(
    "floor_divide", np.floor_divide, "floordiv", lambda dy, y, a, b: (None, None), domain=(0.6, 4.0)
)
mod = binary(
    "mod", np.mod, "mod", lambda dy, y, a, b: (dy, negative(dy * floor(a / b))), domain=(0.6, 4.0)
)
power = binary(
    "power",
    np.power,
    "pow",
    lambda dy, y, a, b: (
        dy * b * power(a, b - 1),
        dy * y * log(where(greater(a, 0), a, 1)),
    ),
    onnx="Pow",
    domain=(0.3, 2.5),
)
maximum = binary(
    "maximum",
    np.maximum,
    "maximum",
    lambda dy, y, a, b: (where(greater_equal(a, b), dy, 0), where(less(a, b), dy, 0)),
    onnx="Max",
    cheap=True,
)
minimum = binary(
    "minimum",
    np.minimum,
    "minimum",
    lambda dy, y, a, b: (where(less_equal(a, b), dy, 0), where(greater(a, b), dy, 0)),
    onnx="Min",
    cheap=True,
)
arctan2 = binary(
    "arctan2",
    np.arctan2,
    "atan2",
    lambda dy, y, a, b: (dy * b / (a * a + b * b), negative(dy * a / (a * a + b * b))),
    inputs="float",
    domain=(0.2, 2.0),
)

negative = unary("negative", np.negative, "neg", lambda dy, y, x: negative(dy), onnx="Neg", cheap=True)
absolute = unary("absolute", np.abs, "abs", lambda dy, y, x: dy * sign(x), onnx="Abs", cheap=True)
sign = unary("sign", np.sign, "sign", lambda dy, y, x: None, onnx="Sign", cheap=True)
square = unary(
    "square", np.square, lambda x: loops.apply("mul", x, x), lambda dy, y, x: dy * (x * 2), cheap=True
)
sqrt = unary(
    "sqrt", np.sqrt, "sqrt", lambda dy, y, x: dy * 0.5 / y, onnx="Sqrt", inputs="float", domain=(0.1, 4)
)
rsqrt = unary(
    "rsqrt",
    lambda x: (1.0 / np.sqrt(x)),
    "rsqrt",
    lambda dy, y, x: dy * -0.5 * y / x,
    inputs="float",
    domain=(0.1, 4),
)
reciprocal = unary(
    "reciprocal",
    lambda x: (1.0 / x),
    lambda x: loops.apply("div", _c(1.0, x), x),
    lambda dy, y, x: negative(dy * y * y),
    onnx="Reciprocal",
    inputs="float",
    domain=(0.5, 3),
)
exp = unary("exp", np.exp, "exp", lambda dy, y, x: dy * y, onnx="Exp", inputs="float")
expm1 = unary("expm1", np.expm1, "expm1", lambda dy, y, x: dy * (y + 1), inputs="float")
log = unary("log", np.log, "log", lambda dy, y, x: dy / x, onnx="Log", inputs="float", domain=(0.1, 4))
log1p = unary("log1p", np.log1p, "log1p", lambda dy, y, x: dy / (x + 1), inputs="float", domain=(-0.5, 4))
log2 = unary(
    "log2",
    np.log2,
    lambda x: loops.apply("mul", loops.apply("log", x), _c(1 / math.log(2), x)),
    lambda dy, y, x: dy / (x * math.log(2)),
    inputs="float",
    domain=(0.1, 4),
)
log10 = unary(
    "log10",
    np.log10,
    lambda x: loops.apply("mul", loops.apply("log", x), _c(1 / math.log(10), x)),
    lambda dy, y, x: dy / (x * math.log(10)),
    inputs="float",
    domain=(0.1, 4),
)
sin = unary("sin", np.sin, "sin", lambda dy, y, x: dy * cos(x), onnx="Sin", inputs="float")
cos = unary("cos", np.cos, "cos", lambda dy, y, x: negative(dy * sin(x)), onnx="Cos", inputs="float")
tan = unary(
    "tan",
    np.tan,
    lambda x: loops.apply("div", loops.apply("sin", x), loops.apply("cos", x)),
    lambda dy, y, x: dy * (1 + y * y),
    onnx="Tan",
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
    onnx="Softplus",
    inputs="float",
)
erf = unary(
    "erf",
    _erf,
    "erf",
    lambda dy, y, x: dy * exp(negative(x * x)) * (2 / math.sqrt(math.pi)),
    onnx="Erf",
    inputs="float",
)
floor = unary("floor", np.floor, "floor", lambda dy, y, x: None, onnx="Floor")
ceil = unary("ceil", np.ceil, "ceil", lambda dy, y, x: None, onnx="Ceil")
round_half_even = unary("round", np.round, "round", lambda dy, y, x: None, onnx="Round")
relu = unary(
    "relu",
    lambda x: np.maximum(x, np.zeros((), x.dtype)),
    "relu",
    lambda dy, y, x: where(greater(y, 0), dy, 0),
    onnx="Relu",
    cheap=True,
)

# --- predicates and logic ------------------------------------------------------------------------------------

_none2: Rule = lambda dy, y, a, b: (None, None)  # noqa: E731
_predicate: dict[str, Any] = {"result": "bool", "cheap": True}
equal = binary("equal", np.equal, "eq", _none2, onnx="Equal", **_predicate)
not_equal = binary("not_equal", np.not_equal, "ne", _none2, **_predicate)
less = binary("less", np.less, "lt", _none2, onnx="Less", **_predicate)
less_equal = binary("less_equal", np.less_equal, "le", _none2, onnx="LessOrEqual", **_predicate)
greater = binary("greater", np.greater, "gt", _none2, onnx="Greater", **_predicate)
greater_equal = binary("greater_equal", np.greater_equal, "ge", _none2, onnx="GreaterOrEqual", **_predicate)
logical_and = binary("logical_and", np.logical_and, "and", _none2, onnx="And", inputs="bool", **_predicate)
logical_or = binary("logical_or", np.logical_or, "or", _none2, onnx="Or", inputs="bool", **_predicate)
logical_xor = binary("logical_xor", np.logical_xor, "ne", _none2, onnx="Xor", inputs="bool", **_predicate)
logical_not = unary("logical_not", np.logical_not, "not", lambda dy, y, x: None, onnx="Not", inputs="bool", **_predicate)
isnan = unary(
    "isnan", np.isnan, lambda x: loops.apply("ne", x, x, dtype="bool"), lambda dy, y, x: None, onnx="IsNaN", **_predicate
)
isfinite = unary(
    "isfinite",
    np.isfinite,
    lambda x: loops.apply("lt", loops.apply("abs", x), _c(math.inf, x), dtype="bool"),
    lambda dy, y, x: None,
    **_predicate,
)
isinf = unary(
    "isinf",
    np.isinf,
    lambda x: loops.apply("eq", loops.apply("abs", x), _c(math.inf, x), dtype="bool"),
    lambda dy, y, x: None,
    onnx="IsInf",
    **_predicate,
)

# --- selection -----------------------------------------------------------------------------------------------

where_op = Op("where", cheap=True)


@where_op.infer
def _where_infer(condition: TensorType, a: TensorType, b: TensorType) -> TensorType:
    return TensorType(broadcast_shapes(condition.shape, a.shape, b.shape, op="where"), a.dtype)


where_op.reference(np.where)


@where_op.vjp
def _where_vjp(dy: Any, y: Any, condition: Any, a: Any, b: Any) -> tuple[Any, ...]:
    zero = _zero_like(dy)
    return (
        None,
        unbroadcast(where(condition, dy, zero), a.shape),
        unbroadcast(where(condition, zero, dy), b.shape),
    )


@where_op.scalar
def _where_scalar(i: Index, condition: Any, a: Any, b: Any, *, out: TensorType) -> Expr:
    c, x, y = (v(aligned(i, v.type.shape)) for v in (condition, a, b))
    return loops.select(c, x, y)


@where_op.onnx
def _where_onnx(g: Any, condition: str, a: str, b: str) -> str:
    return g.node("Where", condition, a, b)


@where_op.samples
def _where_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shapes in (((3, 5),) * 3, ((3, 1), (5,), ()), ((),) * 3, ((0, 2),) * 3):
        c, a, b = shapes
        yield Sample((rng.random(c) < 0.5, rng.normal(size=a).astype("float32"), rng.normal(size=b).astype("float32")))


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where `condition` holds, else x2, broadcast together.

    >>> where(np.array([True, False]), 1.0, 2.0).tolist()
    [1.0, 2.0]
    """
    a, b = operands(x1, x2)
    return where_op(as_tensor(condition, "bool"), a, b)


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
    Value.__neg__ = lambda x: negative(x)  # type: ignore[attr-defined]
    Value.__abs__ = lambda x: absolute(x)  # type: ignore[attr-defined]
    Value.__invert__ = lambda x: logical_not(x)  # type: ignore[attr-defined]
    Value.__array_priority__ = 1000.0  # type: ignore[attr-defined]  # ndarray + Value is the Value's to answer
    Value.__array_ufunc__ = None  # type: ignore[attr-defined]


_install_operators()
assert "add" in REGISTRY and constant is not None
