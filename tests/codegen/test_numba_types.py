"""Buffers and small intrinsics of generated code: values, vector code, alias scopes."""

import ctypes
import re

import ml_dtypes
import numpy as np
import pytest

from kcompile.codegen.build import compile_module
from kcompile.codegen.lowering import lower
from kcompile.codegen.source import KernelSource
from kcompile.codegen.spec import MODULES
from kcompile.runtime.kernels import get_kernels


def run(body, *arrays, numbers=(), begin=0, end=1, scratch=0):
    """Compile `body` (indented here) and call it with the arrays' addresses and then the numbers."""
    text = "def kernel(args, begin, end, scratch):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    (address,) = get_kernels([KernelSource(text, "test")])
    block = np.array([array.ctypes.data for array in arrays] + list(numbers), np.int64)
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(address)(block.ctypes.data, begin, end, scratch)


NUMPY = {
    "f64": np.float64, "f32": np.float32, "i64": np.int64, "i32": np.int32, "i16": np.int16, "i8": np.int8,
    "u64": np.uint64, "u32": np.uint32, "u16": np.uint16, "u8": np.uint8,
}  # fmt: skip


@pytest.mark.parametrize("element", NUMPY)
def test_a_copy_keeps_every_bit(element):
    source = np.random.default_rng(0).integers(0, 256, 8 * 37, np.uint8).view(NUMPY[element])
    target = np.zeros_like(source)
    run(
        f"x = buffer_{element}(args[0], 0)\ny = buffer_{element}(args[1], 1)\n"
        "for i in range(begin, end):\n    y[i] = x[i]",
        source, target, begin=1, end=len(source),
    )  # fmt: skip
    assert target[1:].tobytes() == source[1:].tobytes()
    assert target[0] == 0


@pytest.mark.parametrize("element", ["f32", "f64", "i32", "i64", "i8", "u8", "u32", "u16"])
def test_values_have_the_elements_type(element):
    x = np.array([100, 120], NUMPY[element])
    y = np.zeros(2, np.float64)
    run(f"x = buffer_{element}(args[0], 0)\ny = buffer_f64(args[1], 1)\ny[0] = x[0]\ny[1] = x[1]", x, y)
    assert y.tolist() == [100, 120]


def test_bool_is_one_byte_and_any_other_byte_than_zero_is_true():
    x = np.array([0, 1, 2, 255], np.uint8)
    y = np.full(4, 9, np.uint8)
    run(
        "x = buffer_bool(args[0], 0)\ny = buffer_bool(args[1], 1)\n"
        "for i in range(4):\n    y[i] = not x[i]",
        x, y,
    )  # fmt: skip
    assert y.tolist() == [1, 0, 0, 0]


def copy_as_float32(element, values, dtype):
    narrow = np.zeros(len(values), dtype)
    wide = np.zeros(len(values), np.float32)
    run(
        f"x = buffer_f32(args[0], 0)\ny = buffer_{element}(args[1], 1)\nz = buffer_f32(args[2], 2)\n"
        "for i in range(begin, end):\n    y[i] = x[i]\n    z[i] = y[i]",
        values, narrow, wide, end=len(values),
    )  # fmt: skip
    return narrow, wide


def awkward_floats():
    words = np.random.default_rng(1).integers(0, 2**32, 20_000, np.uint32)
    halves = np.arange(2**16, dtype=np.uint32) << 16  # every bfloat16, and with +-1 every tie's neighbour
    special = np.array(
        [0, 0x80000000, 0x7F800000, 0xFF800000, 0x7F800001, 0x7FFFFFFF, 1, 0x477FF000], np.uint32
    )
    return np.concatenate([words, halves, halves | 0x8000, halves | 0x8001, halves | 0x7FFF, special]).view(
        np.float32
    )


@pytest.mark.parametrize(("element", "dtype"), [("f16", np.float16), ("bf16", ml_dtypes.bfloat16)])
def test_half_precision_rounds_as_numpy_does(element, dtype):
    values = awkward_floats()
    narrow, wide = copy_as_float32(element, values, dtype)
    with np.errstate(all="ignore"):
        expected = values.astype(dtype)
    numbers = ~np.isnan(values)
    assert np.array_equal(narrow[numbers].view(np.uint16), expected[numbers].view(np.uint16))
    assert np.isnan(narrow[~numbers].astype(np.float32)).all()
    assert np.array_equal(wide[numbers], expected[numbers].astype(np.float32))


def test_address_is_that_of_the_element():
    x = np.arange(10, dtype=np.float32)
    y = np.zeros(1, np.int64)
    run("x = buffer_f32(args[0], 0)\ny = buffer_i64(args[1], 1)\ny[0] = address(x, 7)", x, y)
    assert y[0] == x.ctypes.data + 28


def test_a_buffer_can_lie_in_scratch():
    scratch, y = np.zeros(8, np.float32), np.zeros(8, np.float32)
    run(
        "t = buffer_f32(scratch, 1)\ny = buffer_f32(args[0], 0)\n"
        "for i in range(8):\n    t[i] = f32(i)\nfor i in range(8):\n    y[i] = t[7 - i]",
        y, scratch=scratch.ctypes.data,
    )  # fmt: skip
    assert y.tolist() == list(range(7, -1, -1))
    assert scratch.tolist() == list(range(8))


def test_min_and_max_are_pythons():
    pairs = [(1.0, 2.0), (2.0, 1.0), (np.nan, 1.0), (1.0, np.nan), (-0.0, 0.0), (np.inf, -np.inf)]
    x = np.array(pairs, np.float32)
    y = np.zeros((len(pairs), 2), np.float32)
    run(
        "x = buffer_f32(args[0], 0)\ny = buffer_f32(args[1], 1)\nfor i in range(begin, end):\n"
        "    y[2 * i] = min(x[2 * i], x[2 * i + 1])\n    y[2 * i + 1] = max(x[2 * i], x[2 * i + 1])",
        x, y, end=len(pairs),
    )  # fmt: skip
    expected = np.array([[min(a, b), max(a, b)] for a, b in pairs], np.float32)
    assert np.array_equal(y, expected, equal_nan=True)


def test_min_and_max_of_integers_compare_by_sign():
    x, u = np.array([-5, 3], np.int64), np.array([2**64 - 1, 3], np.uint64)
    y, v = np.zeros(2, np.int64), np.zeros(2, np.uint64)
    run(
        "x = buffer_i64(args[0], 0)\nu = buffer_u64(args[1], 1)\ny = buffer_i64(args[2], 2)\n"
        "v = buffer_u64(args[3], 3)\ny[0] = min(x[0], x[1])\ny[1] = max(x[0], 2)\n"
        "v[0] = min(u[0], u[1])\nv[1] = max(u[0], u[1])",
        x, u, y, v,
    )  # fmt: skip
    assert y.tolist() == [-5, 2]
    assert v.tolist() == [3, 2**64 - 1]


def test_index_division():
    y = np.zeros(2, np.int64)
    run(
        "y = buffer_i64(args[0], 0)\ny[0] = index_div(args[1], 7)\ny[1] = index_mod(args[1], 7)",
        y,
        numbers=[100],
    )
    assert y.tolist() == [14, 2]


def module_of(text, **options):
    return str(compile_module(KernelSource(text, "test", **options)))


SCALE = """
def kernel(args, begin, end, scratch):
    x = buffer_f32(args[0], 0)
    y = buffer_f32(args[1], {scope})
    for i in range(begin, end):
        y[i] = x[i] * f32(2.5) + f32(1)
"""


def test_a_constant_of_float32_brings_no_float64():
    assert "double" not in module_of(SCALE.format(scope=1))


VECTOR_STORE = re.compile(r"store <\d+ x float>")
OVERLAP_TEST = re.compile(r"vector\.memcheck|diff\.check|bound[01]")


def test_a_loop_over_two_scopes_becomes_vector_code_without_an_overlap_test():
    code = module_of(SCALE.format(scope=1))
    assert VECTOR_STORE.search(code)
    assert not OVERLAP_TEST.search(code)


def test_within_one_scope_buffers_may_overlap():
    code = module_of(SCALE.format(scope=0))
    assert OVERLAP_TEST.search(code) or not VECTOR_STORE.search(code)


def test_an_in_place_loop_through_one_buffer_becomes_vector_code():
    text = SCALE.format(scope=1).replace("    y = buffer_f32(args[1], 1)\n", "").replace("y[i]", "x[i]")
    assert VECTOR_STORE.search(module_of(text))


SUM_ROWS = """
def kernel(args, begin, end, scratch):
    x = buffer_f32(args[0], 0)
    y = buffer_f32(args[1], 1)
    n = args[2]
    for i in range(begin, end):
        total = f32(0)
        for j in range(n):
            total {add} exp(x[i * n + j]){close}
        y[i] = total
"""
IN_ORDER = SUM_ROWS.format(add="+=", close="")
IN_ANY_ORDER = SUM_ROWS.format(add="= add_up(total,", close=")")


def test_a_sum_that_may_be_added_in_any_order_becomes_vector_code_and_no_other():
    added = re.compile(r"llvm\.vector\.reduce\.fadd")
    assert added.search(module_of(IN_ANY_ORDER, modules=MODULES))
    assert not added.search(module_of(IN_ORDER))


def test_nan_and_infinity_are_never_assumed_absent():
    code = module_of(IN_ANY_ORDER, modules=MODULES)
    assert "nnan" not in code
    assert "ninf" not in code


def test_infinity_and_nan_keep_their_meaning():
    x = np.array([[-np.inf, 0.0], [np.nan, 0.0]], np.float32)
    y = np.zeros(2, np.float32)
    (address,) = get_kernels([KernelSource(IN_ANY_ORDER, "sum", modules=MODULES)])
    block = np.array([x.ctypes.data, y.ctypes.data, 2], np.int64)
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(address)(block.ctypes.data, 0, 2, 0)
    assert y[0] == 1.0
    assert np.isnan(y[1])


def test_lowered_text_carries_the_scopes():
    (text,) = lower(KernelSource(SCALE.format(scope=1), "test"))
    assert '"scope 0"' in text
    assert '"scope 1"' in text
    assert len(re.findall("(?:load|store) float.*!alias.scope", text)) == 2


def test_no_reference_counts_no_python_objects():
    code = module_of(IN_ORDER)
    assert "NRT_" not in code
    assert "Py" not in code
    assert code.count("define ") == 1
