"""Kernels that differ in whole numbers only pass through Numba once, and nothing about them changes."""

from __future__ import annotations

from typing import Any

import pytest

from kcompile.codegen import lowering
from kcompile.codegen.emit import emit_object, optimize
from kcompile.codegen.helper import Waiting
from kcompile.codegen.outline import Outline
from kcompile.codegen.source import KernelSource

KERNEL = """def kernel(args, begin, end, scratch):
    x0 = buffer_f32(args[0], 0)
    x1 = buffer_f32(args[1], 1)
    column = buffer_f32(scratch + {offset}, 101)
    for t0 in range(begin, end):
        r0 = index_div(t0, {rows})
        whole = {rows} - {rows} % 3 + 2
        for r1 in range({rows}):
            column[r1] = x1[r0 * {stride} + r1 * 64 + ({before})] * f32({factor}.5) + f32({rows}) + f32(whole)
        for r1 in range(0, {rows}, 2):
            x0[t0 * {stride} + r1] = column[r1] if r1 < {rows} - 1 else f32({factor})
"""
SMALL = {"offset": 1024, "rows": 4, "stride": 256, "before": -64, "factor": 3}
LARGE = {"offset": 2048, "rows": 32, "stride": 2_048_000_000, "before": -7, "factor": 0}


@pytest.fixture(autouse=True)
def _no_outlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering, "_outlines", {})


def source(**numbers: int) -> KernelSource:
    return KernelSource(KERNEL.format(**numbers), "tiles")


def machine_code(texts: list[str]) -> bytes:
    return emit_object(optimize(texts, "kernel", "tiles"))


@pytest.mark.parametrize("numbers", [SMALL, LARGE])
def test_machine_code_is_that_of_the_numbers(numbers: dict[str, int]) -> None:
    lowering.lower(source(**{**SMALL, "stride": 511}))
    kernel = source(**numbers)
    assert machine_code(lowering.lower(kernel)) == machine_code(lowering._through_numba(kernel.text, kernel))


def test_numbers_that_differ_pass_through_numba_once(monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[str] = []
    front_end = lowering._front_end

    def counted(function: Any, flags: Any) -> Any:
        passes.append(function.__name__)
        return front_end(function, flags)

    monkeypatch.setattr(lowering, "_front_end", counted)
    sizes = ({}, {"stride": 8}, {"before": -1, "offset": 64}, {"stride": 123_456_789})
    different = {machine_code(lowering.lower(source(**{**SMALL, **size}))) for size in sizes}
    assert (len(passes), len(different)) == (1, 4)


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        ("x[r * 64 + 3] = y[64 + r]", (64, 3, 64)),
        ("x[r + (-5)] = y[2 * 8 + r]", (5,)),  # Python computes 16
        ("x[4 % 3] = y[16 - 0 + r]", ()),
        ("x[r] = f32(1.5) + f32(2e3) + f32(7)", (7,)),
        ("x[r] = y[12345678901 + r]", ()),  # may be too large for an int64
        ('call_external("kc_12", address(x, 12), args[3])', (12,)),
        ("b = buffer_f32(scratch + 1024, 101)", (1024,)),
        ("b = buffer_f32(args[5], 5)", ()),
        ("b = buffer_f32(address(x, 5), 5)", ()),
    ],
)
def test_only_numbers_that_numba_hands_on_get_marks(line: str, numbers: tuple[int, ...]) -> None:
    outline = Outline.of(f"def kernel(args, begin, end, scratch):\n    {line}\n")
    assert outline.numbers == numbers
    assert outline.filled(outline.text) == f"def kernel(args, begin, end, scratch):\n    {line}\n"


def test_an_error_shows_the_kernels_own_numbers() -> None:
    text = "def kernel(args, begin, end, scratch):\n    args[0] = args + 4711\n"
    with pytest.raises(Exception, match=r"args \+ 4711"):
        lowering.lower(KernelSource(text, "wrong"))


def test_a_process_goes_on_with_kernels_like_its_last() -> None:
    first, alike, again = source(**SMALL), source(**LARGE), source(**{**SMALL, "rows": 5})
    other = KernelSource("def kernel(): pass", "other")
    waiting = Waiting([first, alike, other, again])
    taken = waiting.take()
    assert taken is first
    assert waiting.take() is other  # another process
    assert waiting.take(taken) is alike
    assert waiting.take(other) is again  # rather than nothing
    assert waiting.take(alike) is None
