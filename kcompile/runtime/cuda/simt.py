"""Runs the text of CUDA kernels on NumPy arrays: all threads of a group of blocks in lock step.

A variable is an array with one number per thread, or one number where all agree. Branches and loops run under
a mask of the threads that take them, so a barrier that not all threads of a block reach is seen, and so are
races (`ledger`), reads of unwritten or foreign memory (`arrays`), and float64 arithmetic in a kernel that has
no float64 argument.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np

from kcompile.kernels.math import cuda as device_math
from kcompile.kernels.math import cuda_primitives
from kcompile.kernels.random import cuda as device_random
from kcompile.runtime.cuda import numbers
from kcompile.runtime.cuda.arrays import GlobalArray, SharedArray
from kcompile.runtime.cuda.faults import DeviceFault
from kcompile.runtime.cuda.numbers import convert, is_uniform

GROUP_THREADS = 1 << 14  # threads that run in lock step: their variables stay in the cache
_MODULES = (cuda_primitives, device_math, device_random)


@cache
def namespace() -> dict[str, Any]:
    """What kernels may call: NumPy types and functions, and device functions to be interpreted."""
    names = {n: getattr(m, n) for m in _MODULES for n in m.__all__}
    return names | {"abs": abs, "bool": np.bool_, "min": _smaller, "max": _larger}


def _smaller(a: Any, b: Any) -> Any:
    return np.minimum(a, b)


def _larger(a: Any, b: Any) -> Any:
    return np.maximum(a, b)


@cache
def parse(text: str) -> ast.FunctionDef:
    """The one function that a text defines."""
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    return function


@cache
def source_of(function: FunctionType) -> ast.FunctionDef:
    """The syntax tree of a device function."""
    return parse(textwrap.dedent(inspect.getsource(function)))


def run(text: str, arguments: Sequence[Any], blocks: int, threads: int) -> None:
    """Run a kernel over `blocks` blocks: arguments are GlobalArrays and ints, in the kernel's order.

    Raises: DeviceFault naming the line and what went wrong there.
    """
    function = parse(text)
    names = [a.arg for a in function.args.args]
    values = [a if isinstance(a, GlobalArray) else np.int64(a) for a in arguments]
    doubles = any(isinstance(a, GlobalArray) and a.data.dtype == np.float64 for a in values)
    size = max(1, GROUP_THREADS // threads)
    with np.errstate(all="ignore"):
        for first in range(0, blocks, size):
            group = Group(text, blocks, range(first, min(blocks, first + size)), threads, doubles)
            group.run(function, dict(zip(names, values, strict=True)))


class Group:
    """The threads of some blocks while they run one kernel."""

    def __init__(self, text: str, grid: int, blocks: range, threads: int, doubles: bool):
        self.text, self.grid, self.threads, self.doubles = text, grid, threads, doubles
        self.blocks = len(blocks)
        self.count = self.blocks * threads
        self.number = np.arange(blocks.start * threads, blocks.stop * threads, dtype=np.int32)
        self.thread = np.tile(np.arange(threads, dtype=np.int64), self.blocks)
        self.block = np.repeat(np.arange(blocks.start, blocks.stop, dtype=np.int64), threads)
        self.block_in_group = self.block - blocks.start
        self.passed = np.zeros(self.count, np.int32)
        self.mask: np.ndarray | None = None
        self.env: dict[str, Any] = {}
        self.node: ast.stmt | None = None

    def run(self, function: ast.FunctionDef, arguments: Mapping[str, Any]) -> None:
        self.env = dict(arguments)
        try:
            self._body(function.body)
        except DeviceFault as fault:
            raise DeviceFault(f"{fault}\n{self._where()}") from None

    def _where(self) -> str:
        line = getattr(self.node, "lineno", 0)
        return f"  at line {line}: {self.text.splitlines()[line - 1].strip()}"

    # -- statements --------------------------------------------------------------------------------------

    def _body(self, statements: Sequence[ast.stmt]) -> Any:
        result = None
        for node in statements:
            self.node = node
            result = self._handler(node)(node)
        return result

    def _handler(self, node: ast.AST) -> Callable[[Any], Any]:
        """The method that runs a kind of statement or expression: `_assign` for Assign."""
        found = getattr(self, f"_{type(node).__name__.lower()}", None)
        if found is None:
            raise DeviceFault(f"cannot run {ast.unparse(node)}")
        return found

    def _assign(self, node: ast.Assign) -> None:
        (target,) = node.targets
        if isinstance(target, ast.Tuple):
            assert isinstance(node.value, ast.Tuple)
            for one, value in zip(target.elts, [self._value(v) for v in node.value.elts], strict=True):
                self._put(one, value)
        else:
            self._put(target, self._shared(target, node.value) or self._value(node.value))

    def _shared(self, target: ast.expr, node: ast.expr) -> SharedArray | None:
        """`cuda.shared.array(size, type)`."""
        if not isinstance(node, ast.Call) or ast.unparse(node.func) != "cuda.shared.array":
            return None
        size, kind = node.args
        return SharedArray(
            ast.unparse(target), int(self._value(size)), self._type(kind), self.blocks, self.threads
        )

    def _type(self, node: ast.expr) -> Any:
        return np.bool_ if ast.unparse(node) == "np.bool_" else namespace()[ast.unparse(node)]

    def _put(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Subscript):
            assert isinstance(target.value, ast.Name)
            self.env[target.value.id].store(self._value(target.slice), value, self)
            return
        assert isinstance(target, ast.Name)
        before = self.env.get(target.id)
        if self.mask is not None and before is not None:
            value = np.where(self.mask, value, before)
        self.env[target.id] = value

    def _expr(self, node: ast.Expr) -> None:
        if ast.unparse(node) != "cuda.syncthreads()":
            raise DeviceFault(f"cannot run {ast.unparse(node)}")
        if self.mask is not None:
            arrived = self.mask.reshape(self.blocks, self.threads)
            missing = arrived.any(1) & ~arrived.all(1)
            if missing.any():
                k = int(missing.argmax())
                raise DeviceFault(
                    f"barrier reached by {int(arrived[k].sum())} of {self.threads} threads of a block"
                )
        self.passed = self.passed + (1 if self.mask is None else self.mask.astype(np.int32))

    def _if(self, node: ast.If) -> None:
        test = self._value(node.test)
        if is_uniform(test):
            self._body(node.body if test else node.orelse)
            return
        for chosen, statements in ((test, node.body), (~test, node.orelse)):
            if statements:
                with self._masked(chosen) as some:
                    if some:
                        self._body(statements)

    @contextmanager
    def _masked(self, chosen: np.ndarray) -> Iterator[bool]:
        """Only the chosen ones of the active threads; says whether there are any."""
        outer = self.mask
        mask = chosen if outer is None else chosen & outer
        self.mask = None if mask.all() else mask
        yield bool(mask.any())
        self.mask = outer

    def _while(self, node: ast.While) -> None:
        outer, active = self.mask, True
        while active:
            test = self._value(node.test)
            if is_uniform(test):
                active = bool(test)
                if active:
                    self._body(node.body)
                continue
            mask = test if self.mask is None else test & self.mask
            self.mask, active = (None if mask.all() else mask), bool(mask.any())
            if active:
                self._body(node.body)
        self.mask = outer

    def _for(self, node: ast.For) -> None:
        assert isinstance(node.iter, ast.Call) and isinstance(node.target, ast.Name)
        bounds = [convert(self._value(a), np.int64) for a in node.iter.args]
        low, high = bounds[:2] if len(bounds) > 1 else (np.int64(0), bounds[0])
        step = bounds[2] if len(bounds) > 2 else np.int64(1)
        if is_uniform(low) and is_uniform(high):
            for count in range(int(low), int(high), int(step)):
                self.env[node.target.id] = np.int64(count)
                self._body(node.body)
            return
        outer, i = self.mask, np.broadcast_to(low, self.count)
        while True:
            with self._masked(i < high) as some:
                if not some:
                    break
                self.env[node.target.id] = i
                self._body(node.body)
                i = i + step
        self.mask = outer

    def _return(self, node: ast.Return) -> Any:
        assert node.value is not None
        return self._value(node.value)

    # -- expressions -------------------------------------------------------------------------------------

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return self._name(node)
        return self._handler(node)(node)

    def _constant(self, node: ast.Constant) -> Any:
        return numbers.constant(node.value)

    def _name(self, node: ast.Name) -> Any:
        if node.id in self.env:
            return self.env[node.id]
        raise DeviceFault(f"{node.id} has no value")

    def _binop(self, node: ast.BinOp) -> Any:
        return self._single(numbers.binary(node.op, self._value(node.left), self._value(node.right)))

    def _single(self, x: Any) -> Any:
        if x.dtype == np.float64 and not self.doubles:
            raise DeviceFault("float64 arithmetic in a float32 kernel")
        return x

    def _compare(self, node: ast.Compare) -> Any:
        ((op,), (right,)) = node.ops, node.comparators
        return numbers.compare(op, self._value(node.left), self._value(right))

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        return numbers.unary(node.op, self._value(node.operand))

    def _ifexp(self, node: ast.IfExp) -> Any:
        test = self._value(node.test)
        if is_uniform(test):
            return self._value(node.body if test else node.orelse)
        return np.where(test, self._value(node.body), self._value(node.orelse))

    def _subscript(self, node: ast.Subscript) -> Any:
        assert isinstance(node.value, ast.Name)
        return self.env[node.value.id].load(self._value(node.slice), self)

    def _attribute(self, node: ast.Attribute) -> Any:
        text = ast.unparse(node)
        places = {
            "cuda.threadIdx.x": self.thread,
            "cuda.blockIdx.x": self.block,
            "np.nan": np.float64(np.nan),
            "np.inf": np.float64(np.inf),
        }
        if text not in places:
            raise DeviceFault(f"{text} is not known")
        return places[text]

    def _call(self, node: ast.Call) -> Any:
        name = ast.unparse(node.func)
        function = namespace().get(name)
        if function is None:
            raise DeviceFault(f"{name} is no function of kernels")
        arguments = [self._value(a) for a in node.args]
        if isinstance(function, type):
            return convert(arguments[0], function)
        if (
            isinstance(function, FunctionType)
            and function.__module__ != cuda_primitives.__name__
            and name not in ("min", "max")
        ):
            return self._interpreted(source_of(function), arguments)
        return self._single(function(*arguments))

    def _interpreted(self, function: ast.FunctionDef, arguments: Sequence[Any]) -> Any:
        """A device function's value, computed by its own text."""
        outer, self.env = self.env, dict(zip((a.arg for a in function.args.args), arguments, strict=True))
        node, result = self.node, self._body([s for s in function.body if not _is_docstring(s)])
        self.env, self.node = outer, node
        return result


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
