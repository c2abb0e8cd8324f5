"""Every op, compiled, against its NumPy reference: values, gradients, all dtypes, symbolic extents."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from kcompile.compiler import compile_graph
from kcompile.core.errors import KCompileError
from kcompile.core.symbolic import symbol
from kcompile.ir.evaluate import bind_symbols, concrete
from kcompile.ir.graph import Graph, set_origin
from kcompile.ir.op import REGISTRY, Op, Sample, make_parameter
from kcompile.ir.types import TensorType
from tests.helpers import all_ops, samples_of
from tests.programs import Case, differences, failures, gradients_of, make_case

# Ops that only NumPy computes: no kernel, no decomposition into ops that have one.
WITHOUT_KERNEL: dict[str, str] = {}

# Ops that are used on integers, besides those that only move elements.
ON_INTEGERS = [
    "add", "subtract", "multiply", "floor_divide", "mod", "maximum", "minimum", "negative", "absolute",
    "sign", "square", "power", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
    "where", "sum", "prod", "max", "min", "argmax", "argmin", "cumsum", "reshape", "transpose",
    "broadcast_to", "slice", "pad", "concatenate", "take", "take_along_axis", "cast", "argsort", "one_hot",
    "contract", "matmul", "relu",
]  # fmt: skip
INTEGERS = ("int32", "int64", "uint8", "int8", "uint32")

# Ops whose samples have no symbolic form: an attribute fixes the first dimension, or there is none.
ONLY_FIXED = {"broadcast_to", "extent", "iota", "loop", "random_bits", "random_uniform"}


def name_of(op: Op, number: int, sample: Sample, kind: str) -> str:
    return f"{op.name} {number} {sample.name} {kind}"


def converted(sample: Sample, dtype: str) -> list[np.ndarray]:
    """The sample's float32 arrays as another dtype: integers from 1 on, where zero may divide."""
    return [_converted(a, np.dtype(dtype)) if a.dtype == np.float32 else a for a in sample.arrays]


def _converted(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "f":
        return array.astype(dtype)
    array = np.nan_to_num(np.ceil(np.abs(array)) if dtype.kind == "u" else np.rint(array), posinf=9, neginf=9)
    return (array + (array == 0)).astype(dtype)


def fixed_cases(op: Op, dtype: str) -> Iterator[Case]:
    for number, sample in enumerate(samples_of(op)):
        arrays = list(sample.arrays) if op.has_bodies else converted(sample, dtype)  # bodies keep their types
        same = all(a is b for a, b in zip(arrays, sample.arrays, strict=True))
        if (dtype != "float32" and same) or not arrays:
            continue
        yield make_case(name_of(op, number, sample, dtype), lambda *xs, s=sample: op(*xs, **s.attrs), arrays)


def with_kernel() -> pytest.MarkDecorator:
    ops = [op for op in all_ops() if op.name not in WITHOUT_KERNEL]
    return pytest.mark.parametrize("op", ops, ids=lambda op: op.name)


@with_kernel()
def test_values(op):
    cases = [*fixed_cases(op, "float32"), *fixed_cases(op, "float64")]
    if not cases:
        pytest.skip("its samples have no arrays")
    assert failures(cases) == []


@with_kernel()
def test_gradients(op):
    wanted = {
        name_of(op, n, s, d)
        for n, s in enumerate(samples_of(op))
        if s.differentiable
        for d in ("float32", "float64")
    }
    cases = [c for d in ("float32", "float64") for c in fixed_cases(op, d) if c.name in wanted]
    try:
        found = [g for g in map(gradients_of, cases) if g is not None]
    except NotImplementedError:
        pytest.skip("the op has no gradient")
    if not found:
        pytest.skip("no float input leads to a float output")
    assert failures(found) == []


@pytest.mark.parametrize("name", ON_INTEGERS)
def test_values_of_integers(name):
    cases = [c for dtype in INTEGERS for c in fixed_cases(REGISTRY[name], dtype)]
    assert failures(cases) == []


# --- symbolic extents ---------------------------------------------------------------------------------------


def symbolic_case(op: Op, number: int, sample: Sample) -> Case | None:
    """The sample with its first dimension symbolic, in as many operands as it can be; None where in none."""
    if not sample.arrays or not sample.arrays[0].shape:
        return None
    extent, attrs = sample.arrays[0].shape[0], dict(sample.attrs)
    batch = symbol(f"{op.name}{number}")
    if "shape" in attrs:  # of the result
        if attrs["shape"][:1] != (extent,):
            return None
        attrs["shape"] = (batch, *attrs["shape"][1:])
    same = [k for k, a in enumerate(sample.arrays) if a.shape and a.shape[0] == extent]
    for count in range(len(same), 0, -1):
        for chosen in itertools.combinations(same, count):
            shapes = [(batch, *a.shape[1:]) if k in chosen else a.shape for k, a in enumerate(sample.arrays)]
            try:
                name = name_of(op, number, sample, f"symbolic {chosen}")
                case = make_case(name, lambda *xs: op(*xs, **attrs), sample.arrays, shapes)
            except (KCompileError, TypeError, ValueError, NotImplementedError):
                continue
            if is_defined(case, case.arrays):
                return case
    return None


def is_defined(case: Case, arrays: list[np.ndarray]) -> bool:
    """Does the reference take these arrays, and are its results as large as the case's types say?"""
    try:
        results = case.expected(arrays)
    except (KCompileError, ValueError, IndexError):
        return False
    symbols = bind_symbols(case.inputs, arrays)
    return [r.shape for r in results] == [concrete(y.shape, symbols) for y in case.outputs]


def resized(case: Case, extent: int) -> list[np.ndarray]:
    """The case's arrays with another symbolic extent, rows repeated or left out; or as they are."""
    arrays = [
        a if x.type.is_static else np.resize(a, (extent, *a.shape[1:]))
        for x, a in zip(case.inputs, case.arrays, strict=True)
    ]
    return arrays if is_defined(case, arrays) else case.arrays


@cache
def symbolic_cases(name: str) -> list[Case]:
    op = REGISTRY[name]
    found = (symbolic_case(op, n, s) for n, s in enumerate(samples_of(op)))
    return [case for case in found if case is not None]


@with_kernel()
def test_values_with_a_symbolic_extent(op):
    cases = symbolic_cases(op.name)
    assert bool(cases) != (op.name in ONLY_FIXED)
    if not cases:
        pytest.skip("no sample has a symbolic form")
    program = compile_graph(
        Graph([x for c in cases for x in c.inputs], [y for c in cases for y in c.outputs])
    )
    for grow in (lambda n: n, lambda n: 2 * n + 3, lambda n: 1, lambda n: 0):
        arrays = [resized(c, grow(c.arrays[0].shape[0])) for c in cases]
        found = iter(program(*(a for one in arrays for a in one)))
        for case, one in zip(cases, arrays, strict=True):
            assert differences(case, [next(found) for _ in case.outputs], one) == []


# --- what cannot be compiled --------------------------------------------------------------------------------


def test_every_op_has_a_way_to_a_kernel():
    ways = {op: op.has("scalar") or op.has("decompose") or op.has_bodies for op in all_ops()}
    lacking = {op.name for op, has_way in ways.items() if not has_way}
    assert lacking == WITHOUT_KERNEL.keys()


def test_an_op_without_a_kernel_is_named_with_its_layer():
    op = Op("only_numpy")
    try:
        op.infer(lambda x: x)
        op.reference(np.sort)
        outer = set_origin("model/sorting_layer")
        y = op(make_parameter("x", TensorType((3,))))
        set_origin(outer)
        with pytest.raises(NotImplementedError, match="'only_numpy'.*model/sorting_layer"):
            compile_graph(Graph([y.node.inputs[0]], [y]))
    finally:
        del REGISTRY["only_numpy"]
