"""The record of an operator, the one place where all its rules hang, and the registry."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import ArgumentError, message
from kcompile.core.symbolic import Int
from kcompile.ir import graph
from kcompile.ir.graph import HAS_NUMBERS, Constant, Value
from kcompile.ir.traits import NONE, Leaf, Traits
from kcompile.ir.types import TensorType

REGISTRY: dict[str, Op] = {}


@dataclass(frozen=True)
class Sample:
    """A tried-out application of an op: arrays, attributes, a name for the test's id."""

    arrays: tuple[np.ndarray, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    differentiable: bool = True  # False where the sample sits on a kink


class Op:
    """An operator. Rules are attached by decorators, always in this order:

    infer(*types, **attrs) -> TensorType | tuple     shapes and dtypes; raises ShapeError / DTypeError
    reference(*arrays, **attrs) -> array | tuple     NumPy; the law that everything else is tested against
    vjp(dy, y, *inputs, **attrs) -> tuple            cotangent of each input, or None where there is none
    scalar(i, *inputs, out, **attrs) -> Expr         value at output index i; inputs are functions of an index
    decompose(*inputs, **attrs) -> Value             a composite in terms of other ops
    onnx(g, *names, **attrs)                         ONNX nodes
    samples(rng) -> Sample...                        inputs that the op contract is tested with

    and, where they apply, with what `Traits` declare:

    simplify(out, *inputs, **attrs) -> Value | None  the same bits by fewer ops (MLIR: canonicalization)
    view(inner, shape, **attrs) -> View | None       the value as a strided view of its input's memory
    positions(*types, **attrs) -> (k, extent)        input k holds positions, below this extent
    onnx_least(**attrs) -> [extent, ...]             of open axes of input 0, for the ONNX nodes to hold
    batch(out, xs, stacked, steps, **attrs)          many at once along a new first axis (vmap); stacked: the
                                                     inputs that have it
    batch_sum(out, xs, stacked, steps, **attrs)      the sum of these

    Of an op with bodies (functions as attributes), `vjp` gets the cotangents as they are, None where there is
    none, and `pull_back(ys, dys, wrt)` besides, to differentiate the bodies.

    widens: floats of two bytes enter `reference` and `decompose` as float32, and the results are rounded once
    to the inferred dtype. Not where the dtypes of bodies are fixed.
    """

    def __init__(
        self,
        name: str,
        *,
        outputs: int | None = 1,
        cheap: bool = False,
        has_bodies: bool = False,
        traits: Traits = NONE,
    ):
        if name in REGISTRY:
            raise ValueError(f"op {name!r} is already registered")
        self.name, self.outputs = name, outputs  # None: as many as the types that `infer` gives
        self.cheap = cheap  # computing it again costs less than storing it
        self.has_bodies, self.widens = has_bodies, not has_bodies
        self.traits = traits
        self.rules: dict[str, Callable[..., Any]] = {}
        REGISTRY[name] = self

    def _rule(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        self.rules[name] = function
        return function

    def infer(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._rule("infer", function)

    def reference(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._rule("reference", function)

    def vjp(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._rule("vjp", function)

    def scalar(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._rule("scalar", function)

    def decompose(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._rule("decompose", function)

    def onnx(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._rule("onnx", function)

    def samples(self, function: Callable[..., Iterator[Sample]]) -> Callable[..., Any]:
        return self._rule("samples", function)

    def simplify(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._rule("simplify", function)

    def view(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._rule("view", function)

    def positions(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._rule("positions", function)

    def onnx_least(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._rule("onnx_least", function)

    def batch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._rule("batch", function)

    def batch_sum(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._rule("batch_sum", function)

    @property
    def leaf(self) -> Leaf | None:
        """Where the value comes from, if it is not computed."""
        return self.traits.leaf

    def has(self, rule: str) -> bool:
        return rule in self.rules

    def __repr__(self) -> str:
        return f"Op({self.name})"

    def infer_types(self, types: tuple[TensorType, ...], attrs: dict[str, Any]) -> tuple[TensorType, ...]:
        result = self.rules["infer"](*types, **attrs)
        found = result if isinstance(result, tuple) else (result,)
        for made in found:
            for extent in made.shape:
                if not (isinstance(extent, Int) or (isinstance(extent, (int, np.integer)) and extent >= 0)):
                    raise self._impossible(made, attrs)
        return found

    def _impossible(self, made: TensorType, attrs: dict[str, Any]) -> ArgumentError:
        """The error for a result with an extent that no tensor has."""
        given = ", ".join(f"{k}={v!r}" for k, v in attrs.items())
        return ArgumentError(
            message(
                f"{self.name}: the result would have a dimension that is negative or no int.",
                received=f"shape {made.shape} from {given}",
            )
        )

    def __call__(self, *inputs: Any, **attrs: Any) -> Any:
        """Symbolic if any input is a `Value`, else computed at once by the NumPy reference."""
        inputs = tuple(unwrap(x) for x in inputs)
        if any(isinstance(x, Value) and x.node.standing == HAS_NUMBERS for x in inputs):
            from kcompile.ir.numbers import outside_of_traces

            inputs = tuple(outside_of_traces(inputs) or inputs)
        if any(isinstance(x, Value) for x in inputs) or _is_symbolic(tuple(attrs.values())):
            values = tuple(x if isinstance(x, Value) else constant(x) for x in inputs)
            types = self.infer_types(tuple(v.type for v in values), attrs)
            made = graph.node(self, values, attrs, types).values
            return made[0] if self.outputs == 1 else made
        return self.evaluate(tuple(np.asarray(x) for x in inputs), attrs)

    def evaluate(self, arrays: tuple[np.ndarray, ...], attrs: dict[str, Any]) -> Any:
        """The reference's result in the inferred dtypes; errors as `infer` raises them."""
        given = tuple(TensorType(a.shape, dtypes.standardize(a.dtype)) for a in arrays)
        types = self.infer_types(given, attrs)
        if self.widens and any(dtypes.is_half(t.dtype) for t in given):
            arrays = tuple(
                a.astype(np.float32) if dtypes.is_half(t.dtype) else a
                for a, t in zip(arrays, given, strict=True)
            )
        with np.errstate(all="ignore"):
            result = self.rules["reference"](*arrays, **attrs)
            results = result if isinstance(result, tuple) else (result,)
            cast = tuple(_as(r, t) for r, t in zip(results, types, strict=True))
        return cast[0] if self.outputs == 1 else cast


def _as(array: Any, type_: TensorType) -> np.ndarray:
    return np.asarray(array, dtype=dtypes.numpy_dtype(type_.dtype))


def _is_symbolic(attrs: tuple[Any, ...]) -> bool:
    """Does an attribute hold a dimension that is known only at run time? Then arrays become constants of the
    trace.
    """
    return any(isinstance(a, Int) or (isinstance(a, (tuple, list)) and _is_symbolic(tuple(a))) for a in attrs)


def unwrap(x: Any) -> Any:
    """Variables and other wrappers stand for a value while tracing and for an array otherwise."""
    if watched.arrays:
        x = watched.arrays.get(id(x), (x, x))[1]
    method = getattr(x, "__kcompile_value__", None)
    return x if method is None else method()


class _Watched(threading.local):
    """Arrays that an open tape of this thread watches, by their identity: their values."""

    def __init__(self) -> None:
        self.arrays: dict[int, tuple[Any, Value]] = {}


watched = _Watched()


_constant = Op("constant", cheap=True, traits=Traits(leaf=Leaf.CONSTANT))
parameter = Op("parameter", traits=Traits(leaf=Leaf.PARAMETER))
variable = Op("variable", traits=Traits(leaf=Leaf.VARIABLE))


@_constant.infer
def _constant_infer(*, value: Constant) -> TensorType:
    return TensorType(value.array.shape, dtypes.standardize(value.array.dtype))


@_constant.reference
def _constant_reference(*, value: Constant) -> np.ndarray:
    return value.array


def constant(x: Any, dtype: str | None = None) -> Value:
    """A constant value. Python floats take the default float, Python ints int32, as in Keras."""
    if isinstance(x, Value):
        return x
    array = x if isinstance(x, (np.ndarray, np.generic)) else np.asarray(x, dtype=_python_dtype(x))
    if dtype is not None:
        array = np.asarray(array, dtypes.numpy_dtype(dtype))
    held = Constant(np.asarray(array))
    type_ = TensorType(held.array.shape, dtypes.standardize(held.array.dtype))
    return graph.node(_constant, (), {"value": held}, (type_,)).values[0]


def _python_dtype(x: Any) -> Any:
    """The dtype of Python numbers, alone or nested in lists."""
    array = np.asarray(x)
    if array.dtype == np.float64 and not isinstance(x, np.generic):
        return dtypes.standardize(None)
    if array.dtype == np.int64 and not isinstance(x, np.generic):
        return np.int32
    return array.dtype


def make_parameter(name: str, type_: TensorType) -> Value:
    """An input of a graph."""
    return graph.node(parameter, (), {"name": name}, (type_,)).values[0]


def make_variable(uid: int, name: str, type_: TensorType) -> Value:
    """The value that a variable has when the program starts."""
    return graph.node(variable, (), {"uid": uid, "name": name}, (type_,)).values[0]
