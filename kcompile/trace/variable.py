"""State: weights, optimizer slots, metric totals, seeds. Read and assigned alike eagerly and in traces."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np

from kcompile.core import dtypes, open_extents
from kcompile.core.errors import NoNumbersError, ShapeError, message
from kcompile.core.storage import aligned_storage, detached
from kcompile.ir.graph import HAS_NUMBERS, Value
from kcompile.ir.op import make_variable
from kcompile.ir.types import TensorType
from kcompile.trace import tracer
from kcompile.trace.naming import auto_name, checked_name

_uids = itertools.count(1)
_counters: dict[str, int] = {}
_scopes = threading.local()


class name_scope:
    """Inside of `with`, `name` is a part of the path of the variables that are made.

    Args:    caller: the object that opens the scope; it opens no second one of the same name inside of its
             own unless deduplicate=False. override_parent: a path that stands for the scopes around.

    >>> with name_scope("encoder"):
    ...     Variable(0.0, name="w").path
    'encoder/w'
    """

    def __init__(
        self, name: str, caller: Any = None, deduplicate: bool = True, override_parent: str | None = None
    ):
        checked_name(name)
        self.name, self.caller, self.deduplicate = name, caller, deduplicate
        self.override_parent = override_parent

    def __enter__(self) -> name_scope:
        stack = _scopes.__dict__.setdefault("stack", [])
        around = stack[-1] if stack else None
        self._is_open = not (
            self.deduplicate
            and around is not None
            and self.caller is not None
            and (around.caller is self.caller and around.name == self.name)
        )
        if self._is_open:
            stack.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_open:
            _scopes.stack.pop()


def current_path() -> str:
    """The names of the open scopes, joined by "/"."""
    parts: list[str] = []
    for scope in _scopes.__dict__.get("stack", []):
        if scope.override_parent is not None:
            parts = [part for part in scope.override_parent.split("/") if part]
        parts.append(scope.name)
    return "/".join(parts)


@contextmanager
def autocast_scope(dtype: str | None) -> Any:
    """Inside, float variables are read as `dtype` (unless made with autocast=False); None: as they are."""
    outer, _scopes.autocast = autocasts(), (dtype,)
    try:
        yield
    finally:
        _scopes.autocast = outer


def autocasts() -> tuple[str | None, ...]:
    """The dtype of the innermost `autocast_scope`, () outside of any."""
    return getattr(_scopes, "autocast", ())


class _Writes:
    """A number that changes when any variable is written: what is derived from weights is made anew then.

    It never takes a value twice, whichever threads write at the same time.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.count = 0

    def note(self) -> None:
        """Some variable was written, or is about to be."""
        self.count = next(self._numbers)


writes = _Writes()


@contextmanager
def allocation_limit(limit: int, what: str) -> Any:
    """Inside, variables of more than `limit` bytes altogether are refused before anything is allocated."""
    outer, _scopes.room = getattr(_scopes, "room", None), [limit, what]
    try:
        yield
    finally:
        _scopes.room = outer


def take_room(shape: tuple[int, ...], dtype: str) -> None:
    """Count an array about to be made against the limit, if there is one."""
    room = getattr(_scopes, "room", None)
    if room is None:
        return
    room[0] -= math.prod(shape) * dtypes.itemsize(dtype)
    if room[0] < 0:
        raise ValueError(message(f"An array is larger than {room[1]}.", received=f"{dtype} {shape}"))


# Nothing is replicated here: these are kept for programs that ask.
AGGREGATIONS = ("none", "mean", "sum", "only_first_replica")
SYNCHRONIZATIONS = ("none", "on_read", "on_write", "auto")


def _one_of(argument: str, value: str | None, known: tuple[str, ...]) -> str:
    if value is not None and value not in known:
        names = ", ".join(map(repr, known))
        raise ValueError(
            f"Invalid value for argument `{argument}`. Expected one of None, {names}. Received: {value!r}"
        )
    return value or "none"


class Variable:
    """A tensor that keeps its value between calls.

    initializer: an array, or a callable (shape, dtype) -> array, or its name, together with `shape`. The
    storage never moves, so that compiled programs can hold its address; `assign` writes into it.

    >>> v = Variable(np.zeros((2,)), dtype="float32", name="v")
    >>> _ = v.assign_add([1.0, 2.0]); v.numpy().tolist()
    [1.0, 2.0]
    """

    __array_priority__ = 1000  # an array on the left leaves the operator to the variable

    def __init__(
        self,
        initializer: Any,
        shape: tuple[int, ...] | None = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
        **_: Any,
    ):
        self.uid = next(_uids)
        self.name = checked_name(name or auto_name("variable"))
        scope = current_path()
        self.path = f"{scope}/{self.name}" if scope else self.name
        self.trainable, self.autocast = trainable, autocast
        self.aggregation = _one_of("aggregation", aggregation, AGGREGATIONS)
        self.synchronization = _one_of("synchronization", synchronization, SYNCHRONIZATIONS)
        self.regularizer: Any = None
        self.constraint: Any = None
        self.overwrite_with_gradient = False
        value = _initial(initializer, shape, dtype)
        self._dtype = dtypes.standardize(value.dtype)
        self.shape: tuple[int, ...] = tuple(value.shape)
        open_extents.refuse_invented(self.shape)
        self._array = aligned_storage(self.shape, value.dtype)
        self._array[...] = value
        self.leaf: Value = make_variable(self.uid, self.name, TensorType(self.shape, self._dtype))
        self._before_read: Callable[[], None] | None = None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> str:
        """The dtype that the value is read in: in a layer of mixed precision, the one that it computes in."""
        dtype = self._read_as()
        return dtype if dtype is not None and dtypes.is_float(self._dtype) else self._dtype

    def _read_as(self) -> str | None:
        """The dtype of the surrounding scope, if it holds for this variable."""
        found = autocasts() if self.autocast else ()
        return found[0] if found else None

    @property
    def value(self) -> Any:
        """The current value: an array of its own, or a symbolic tensor while tracing."""
        return detached(self.__kcompile_value__())

    @property
    def array(self) -> np.ndarray:
        """The storage itself. Compiled programs read and write it in place, and keep what they packed of it
        until `assign`, or a program, writes a variable: writing into the array alone is not seen.
        """
        return self._array

    def __kcompile_value__(self) -> Any:
        scope = tracer.active()
        value = self._array if scope is None else scope.read(self)
        dtype = self._read_as()
        return value if dtype is None else _cast_float(value, dtype)

    def assign(self, value: Any) -> Any:
        """Set the value; shapes must agree. Returns the new value."""
        shape = tuple(getattr(value, "shape", np.shape(value)))
        if shape != self.shape:
            raise ShapeError(
                message(
                    "The shape of the target variable and the shape of the target value in "
                    "`variable.assign(value)` must match.",
                    expected=f"{self.shape} of variable {self.path!r}",
                    received=f"{shape}",
                )
            )
        scope = tracer.active()
        if scope is not None:
            return scope.assign(self, value)
        self.write(np.asarray(value))
        return self._array.copy()

    def write(self, array: Any) -> None:
        """Put numbers into the storage, whatever trace runs."""
        np.copyto(self._array, array, casting="unsafe")
        writes.note()

    def assign_add(self, value: Any) -> Any:
        current = self.__kcompile_value__()
        return self.assign(current + _value(value, str(current.dtype)))

    def assign_sub(self, value: Any) -> Any:
        current = self.__kcompile_value__()
        return self.assign(current - _value(value, str(current.dtype)))

    def numpy(self) -> np.ndarray:
        """A copy of the value."""
        return self._array.copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        scope = tracer.active()
        value = self._array if scope is None else scope.read(self)
        if isinstance(value, Value) and value.node.standing != HAS_NUMBERS:
            raise NoNumbersError(
                f"variable {self.path!r} has no numbers while a model is traced; use kcompile.ops"
            )
        return np.array(value, dtype=dtype)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self._dtype}, value={self._array}>"

    def __getitem__(self, key: Any) -> Any:
        return detached(self.__kcompile_value__()[key])

    def __reduce__(self) -> Any:
        """A copy is another variable: programs know variables by their identity."""
        made = {
            "trainable": self.trainable,
            "autocast": self.autocast,
            "name": self.name,
            "dtype": self._dtype,
        }
        rest = {"path": self.path, "regularizer": self.regularizer, "constraint": self.constraint}
        return _copied, (self.numpy(), made, rest)

    def __neg__(self) -> Any:
        return -self.__kcompile_value__()

    def __pos__(self) -> Any:
        return self.value

    def __invert__(self) -> Any:
        return ~self.__kcompile_value__()

    def __abs__(self) -> Any:
        return abs(self.__kcompile_value__())

    def __round__(self, ndigits: int | None = None) -> Any:
        from kcompile.ops import elementwise as ew

        return detached(ew.round(self.__kcompile_value__(), ndigits or 0))

    def __len__(self) -> int:
        return self.shape[0]

    def __float__(self) -> float:
        return float(self._array)

    def __int__(self) -> int:
        return int(self._array)

    def __bool__(self) -> bool:
        raise TypeError("A Variable cannot be used as a boolean.")


def _copied(value: np.ndarray, made: dict[str, Any], rest: dict[str, Any]) -> Variable:
    variable = Variable(value, **made)
    variable.__dict__.update(rest)
    return variable


def _cast_float(value: Any, dtype: str) -> Any:
    from kcompile.ops import elementwise as ew

    return ew.cast(value, dtype) if dtypes.is_float(dtypes.standardize(value.dtype)) else value


def _value(x: Any, dtype: str) -> Any:
    from kcompile.ops import elementwise as ew

    return ew.as_tensor(x, dtype)


def _initial(initializer: Any, shape: Any, dtype: Any) -> np.ndarray:
    if isinstance(initializer, str):
        from kcompile import initializers

        initializer = initializers.get(initializer)
    name = dtypes.standardize(dtype) if dtype is not None else None
    if callable(initializer):
        if shape is None:
            raise ValueError(
                "When creating a Variable from an initializer, the `shape` argument should be specified. "
                f"Received: initializer={initializer} and shape={shape}"
            )
        name = name or dtypes.standardize(None)
        take_room(tuple(shape), name)
        return np.asarray(initializer(tuple(shape), dtype=name), dtypes.numpy_dtype(name)).reshape(shape)
    array = np.asarray(initializer.numpy() if isinstance(initializer, Variable) else initializer)
    if name is None:
        name = dtypes.standardize(None) if array.dtype == np.float64 else dtypes.standardize(array.dtype)
        name = "int32" if array.dtype == np.int64 and not isinstance(initializer, np.ndarray) else name
    return array.astype(dtypes.numpy_dtype(name))


def _install_operators() -> None:
    """Python operators on variables are those of their value."""
    names = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"]
    for name in names:
        for method in (f"__{name}__", f"__r{name}__"):
            setattr(Variable, method, lambda a, b, m=method: _operate(a, b, m))
    for method in ("__lt__", "__le__", "__gt__", "__ge__"):
        setattr(Variable, method, lambda a, b, m=method: _operate(a, b, m))
    for method in ("__eq__", "__ne__"):
        setattr(Variable, method, lambda a, b, m=method: _compared(a, b, m))
    Variable.__hash__ = object.__hash__  # type: ignore[method-assign]


def _compared(a: Variable, b: Any, method: str) -> Any:
    """Elementwise, as in Keras. Whether two are the same variable, `is` tells, as sets and dicts do."""
    known = isinstance(b, (Variable, Value, np.ndarray, np.generic, int, float))
    return _operate(a, b, method) if known else NotImplemented


def _operate(a: Variable, b: Any, method: str) -> Any:
    left = a.__kcompile_value__()
    right = b.__kcompile_value__() if isinstance(b, Variable) else b
    result = getattr(left, method)(right)
    if result is NotImplemented:
        mirrored = f"__{method[3:]}" if method.startswith("__r") else f"__r{method[2:]}"
        result = getattr(right, mirrored)(left)
    return result


_install_operators()
