"""Placeholders of functional models: shapes and dtypes that ops and layers compute with by tracing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile.core import dtypes, open_extents, tree
from kcompile.core.errors import DTypeError, NoNumbersError, message
from kcompile.core.symbolic import Int, symbol
from kcompile.ir.graph import Value
from kcompile.ir.op import constant, make_parameter, unwrap
from kcompile.ir.types import TensorType
from kcompile.ops.public import Symbolic
from kcompile.trace.naming import auto_name
from kcompile.trace.tracer import Tracer

EXTENTS = (83, 89)  # primes, as Keras tries: what divides one of them by chance does not divide the other


class KerasTensor(Symbolic):
    """What `Input` returns and layers pass on while a functional model is built.

    It has a shape (None where unknown), a dtype and the call that made it, and no numbers.

    >>> KerasTensor((None, 3), name="x") * 2
    <KerasTensor shape=(None, 3), dtype=float32, sparse=False, ragged=False, name=...>
    """

    def __init__(
        self,
        shape: Any,
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
        **_: Any,
    ):
        self.shape: tuple[int | None, ...] = tuple(
            None if d is None or isinstance(d, Int) else int(d) for d in shape
        )
        self.dtype = dtypes.standardize(dtype)
        self.sparse, self.ragged = sparse, ragged
        self.name = name or auto_name("keras_tensor")
        self.record_history = record_history
        # (operation, index of its call, position among the call's outputs)
        self._keras_history: tuple[Any, int, int] = (None, 0, 0)

    __array_ufunc__ = None  # an array on the left leaves the operator to the placeholder

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def reshape(self, newshape: Any) -> Any:
        """The same elements in another shape."""
        return _public_op("reshape")(self, newshape)

    def squeeze(self, axis: Any = None) -> Any:
        """Without dimensions of size 1."""
        return _public_op("squeeze")(self, axis)

    def __getitem__(self, key: Any) -> Any:
        return _public_op("get_item")(self, key)

    def __repr__(self) -> str:
        return (
            f"<KerasTensor shape={self.shape}, dtype={self.dtype}, sparse={self.sparse}, "
            f"ragged={self.ragged}, name={self.name}>"
        )

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise NoNumbersError(
            "A KerasTensor is symbolic: it's a placeholder for a shape and a dtype. It has no numbers; use "
            "kcompile.ops or a layer on it instead of NumPy functions."
        )

    def __bool__(self) -> bool:
        raise NoNumbersError("A symbolic KerasTensor cannot be used as a boolean.")

    def __iter__(self) -> Any:
        raise NoNumbersError("Iterating over a symbolic KerasTensor is not supported.")

    def __len__(self) -> int:
        raise NoNumbersError("A symbolic KerasTensor has no length.")


def symbolic_dim(position: int, dim: int | None) -> int | Int:
    """None as a symbol: the first dimension is the batch, others are named by their position."""
    if dim is not None:
        return dim
    return symbol("batch") if position == 0 else symbol(f"dim{position}")


def type_of(tensor: Any) -> TensorType:
    """The type that a placeholder stands for in a trace.

    Raises:  DTypeError for text, which no op takes.
    """
    if tensor.dtype == dtypes.STRING:
        raise DTypeError(
            message(
                "Text cannot be computed with: it has to become numbers first.",
                received=f"{tensor}",
                hint="put StringLookup, TextVectorization or Hashing in front",
            )
        )
    return TensorType(tuple(symbolic_dim(k, d) for k, d in enumerate(tensor.shape)), tensor.dtype)


def known_shape(shape: Any) -> tuple[int | None, ...]:
    """A shape as Keras writes it: None where it is known only at run time."""
    return tuple(int(d) if isinstance(d, int) else None for d in shape)


def spec_of(value: Any) -> KerasTensor:
    """A placeholder for a traced value: symbolic dimensions become None."""
    return KerasTensor(known_shape(value.shape), value.dtype)


def enter(x: Any, extent: int | None = None) -> Any:
    """A placeholder as an input of a trace; anything else as it is. extent: for what is unknown."""
    if not isinstance(x, KerasTensor):
        return x
    found = type_of(x)
    if extent is not None:
        found = TensorType(tuple(extent if d is None else d for d in x.shape), x.dtype)
    return make_parameter(x.name, found)


def leave(x: Any) -> Any:
    """A traced result as a placeholder; a dimension as None; numbers as they are."""
    if x is None or isinstance(x, Int):
        return None
    if isinstance(x, (bool, int, float, str)):
        return x
    x = unwrap(x)
    return spec_of(x if isinstance(x, Value) else constant(x))


def infer_output(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Placeholders for what function(*args, **kwargs) returns, by tracing it on values of their types.

    Code that needs a number where a dimension is unknown (a loop in Python, `if length > 8`) gets one, twice:
    where two numbers give two extents, an extent is unknown.
    """
    try:
        return _traced(function, args, kwargs, None)
    except Exception:
        if not any(_is_open(x) for x in tree.flatten([list(args), kwargs])):
            raise
        try:
            return _of_two_traces(*(_traced(function, args, kwargs, extent) for extent in EXTENTS))
        except Exception:
            pass  # a mistake that numbers do not mend: it is told as the first trace met it
        raise


def _traced(function: Callable[..., Any], args: Any, kwargs: Any, extent: int | None) -> Any:
    def own(structure: Any) -> Any:
        return tree.map_structure(lambda x: enter(x, extent), structure)

    with open_extents.of_placeholders(), open_extents.invented(extent), Tracer():
        result = function(*own(list(args)), **own(kwargs))
        return tree.map_structure(leave, result)


def _is_open(x: Any) -> bool:
    return isinstance(x, KerasTensor) and None in x.shape


def _of_two_traces(some: Any, others: Any) -> Any:
    """What two traces returned; an extent that differs is unknown."""
    parts = zip(tree.flatten(some), tree.flatten(others), strict=True)
    return tree.pack_as(some, [_in_common(a, b) for a, b in parts])


def _in_common(a: Any, b: Any) -> Any:
    if not isinstance(a, KerasTensor):
        return a if a == b else None
    return KerasTensor(tuple(d if d == e else None for d, e in zip(a.shape, b.shape, strict=True)), a.dtype)


def _public_op(name: str) -> Callable[..., Any]:
    from kcompile import ops

    return getattr(ops, name)


def _binary(name: str, swapped: bool) -> Callable[[Any, Any], Any]:
    def operate(a: Any, b: Any) -> Any:
        return _public_op(name)(b, a) if swapped else _public_op(name)(a, b)

    return operate


def _install_operators() -> None:
    """Python operators on placeholders are the public ops."""
    table = {
        "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide",
        "floordiv": "floor_divide", "mod": "mod", "pow": "power", "matmul": "matmul",
        "and": "logical_and", "or": "logical_or", "xor": "logical_xor",
    }  # fmt: skip
    for method, name in table.items():
        setattr(KerasTensor, f"__{method}__", _binary(name, False))
        setattr(KerasTensor, f"__r{method}__", _binary(name, True))
    for method, name in {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}.items():
        setattr(KerasTensor, f"__{method}__", _binary(name, False))
    for method, name in {"neg": "negative", "abs": "absolute", "invert": "logical_not"}.items():
        setattr(KerasTensor, f"__{method}__", lambda a, name=name: _public_op(name)(a))


_install_operators()
