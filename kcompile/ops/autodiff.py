"""Ops that speak about gradients: stop_gradient, custom_gradient."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.ir.graph import Value
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample, constant, unwrap
from kcompile.ir.traits import Traits
from kcompile.ir.types import TensorType
from kcompile.ops import elementwise as ew

stop_gradient_op = Op("stop_gradient", cheap=True, traits=Traits(transparent=True))


@stop_gradient_op.infer
def _infer(x: TensorType) -> TensorType:
    return x


@stop_gradient_op.reference
def _reference(x: np.ndarray) -> np.ndarray:
    return x


@stop_gradient_op.vjp
def _vjp(dy: Any, y: Any, x: Any) -> tuple[None]:
    return (None,)


@stop_gradient_op.scalar
def _scalar(i: Index, x: Any, *, out: TensorType) -> Expr:
    return x(i)


@stop_gradient_op.onnx
def _onnx(g: Any, x: str) -> str:
    return g.node("Identity", x)


@stop_gradient_op.samples
def _samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(3,)).astype("float32"),), differentiable=False)


def stop_gradient(variable: Any) -> Any:
    """The same tensor, through which no gradient flows."""
    return stop_gradient_op(ew.as_tensor(variable))


with_gradient_op = Op("with_gradient", traits=Traits(transparent=True))
"""The first input as it is. Its cotangent goes to the others by `pull`: cotangent -> one for each of them."""


@with_gradient_op.infer
def _with_infer(y: TensorType, *xs: TensorType, pull: Any) -> TensorType:
    return y


@with_gradient_op.reference
def _with_reference(y: np.ndarray, *xs: np.ndarray, pull: Any) -> np.ndarray:
    return y


@with_gradient_op.vjp
def _with_vjp(dy: Any, y: Any, own: Any, *xs: Any, pull: Any) -> tuple[Any, ...]:
    return (None, *pull(dy))


@with_gradient_op.decompose
def _with_decompose(y: Any, *xs: Any, pull: Any) -> Any:
    return y


@with_gradient_op.samples
def _with_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(3,)).astype("float32")
    yield Sample((x, x), {"pull": lambda dy: (dy,)}, differentiable=False)  # by design not the derivative


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose gradient is given by itself: f(*args) returns (output, grad).

    grad(upstream) or grad(*args, upstream=upstream) returns the cotangent of each argument that is a tensor.

    >>> @custom_gradient
    ... def double(x):
    ...     return x * 2, lambda upstream: upstream * 2
    >>> float(double(np.float32(3)))
    6.0
    """

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        output, grad = f(*args, **kwargs)
        if not isinstance(unwrap(output), Value):
            return output
        xs = [unwrap(x) for x in tree.flatten(args) if hasattr(x, "shape")]

        def pull(dy: Any) -> tuple[Any, ...]:
            found = grad(dy)
            return tuple(found) if isinstance(found, (tuple, list)) else (found,)

        tensors = [x if isinstance(x, Value) else constant(x) for x in xs]
        return with_gradient_op(output, *tensors, pull=pull)

    return call


def jvp(fun: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """The value of fun(*primals), and its derivative in the direction of the tangents (forward mode).

    Args:    fun: a function written with ops; with has_aux it gives a pair of tensors and anything else.
             primals: a tuple of its arguments. tangents: the same structure, shapes and dtypes.
    Returns: (fun(*primals), derivative), with has_aux (value, derivative, aux).
    Raises:  TypeError unless both are tuples or lists; ValueError for different shapes.

    >>> value, slope = jvp(lambda x: x * x, (np.float32([3, 4]),), (np.float32([1, 10]),))
    >>> value.tolist(), slope.tolist()
    ([9.0, 16.0], [6.0, 80.0])
    """
    from kcompile.autograd import functional  # above the ops in the order of imports

    return functional.jvp(fun, primals, tangents, has_aux)
