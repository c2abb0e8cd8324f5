"""Types come out as Numba's own inference finds them, in one pass where one is enough."""

from __future__ import annotations

from typing import Any

import pytest
from numba.core import errors, typeinfer
from numba.core.typed_passes import NopythonTypeInference

from kcompile.codegen import lowering
from kcompile.codegen.build import build_one
from kcompile.codegen.loop_cpu import MODULES
from kcompile.codegen.source import KernelSource
from kcompile.core.errors import CompileError
from kcompile.runtime.executor import executor_source


def kernel(text: str) -> KernelSource:
    return KernelSource(text, "typed", modules=MODULES)


PLAIN = """def kernel(args, begin, end, scratch):
    x0 = buffer_f32(args[0], 0)
    x1 = buffer_i32(args[1], 1)
    for r0 in range(begin, end):
        v0 = f32(x1[r0]) + x0[r0]
        x0[r0] = select(v0 > f32(0.0), v0, f32(1.0))
"""
# `y` is an int64 when it is first seen, and a float64 once the types of the loop's end are known.
CHANGED_BY_A_LOOP = """def kernel(args, begin, end, scratch):
    x0 = buffer_f64(args[0], 0)
    total = 0
    for r0 in range(begin, end):
        y = total * 2
        total = y + x0[r0]
        x0[r0] = y
"""
COUNTED = """def kernel(args, begin, end, scratch):
    x0 = buffer_f32(args[0], 0)
    k = 0
    while k < end:
        x0[k] = f32(k)
        k += 6 if k > 3 else 1
"""


def types_of(source: KernelSource, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[str], int]:
    """Types of variables and signatures of calls, and how often Numba's own loop over all of them ran."""
    runs: list[Any] = []
    states: list[Any] = []
    whole, infer = typeinfer.TypeInferer.propagate, lowering.infer_types

    def counted(self: Any, raise_errors: bool = True) -> Any:
        runs.append(self)
        return whole(self, raise_errors)

    def kept(state: Any) -> None:
        states.append(state)
        infer(state)

    with monkeypatch.context() as patch:
        patch.setattr(typeinfer.TypeInferer, "propagate", counted)
        patch.setattr(lowering, "infer_types", kept)
        lowering._through_numba(source.text, source)
    (state,) = states
    return state.typemap, list(map(str, state.calltypes.values())), len(runs)


@pytest.mark.parametrize(
    ("source", "more"),
    [
        (kernel(PLAIN), 0),
        (kernel(COUNTED), 1),
        (kernel(CHANGED_BY_A_LOOP), 1),
        (executor_source(), 1),
    ],
    ids=["plain", "counted", "changed by a loop", "executor"],
)
def test_types_are_numbas(source: KernelSource, more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    *ours, runs = types_of(source, monkeypatch)
    assert runs == more
    monkeypatch.setattr(lowering, "infer_types", NopythonTypeInference().run_pass)
    *numbas, _ = types_of(source, monkeypatch)
    assert ours == numbas


def test_an_error_shows_the_generated_line() -> None:
    wrong = kernel(PLAIN.replace("v0 > f32(0.0)", "x0 > x1"))
    with pytest.raises(errors.TypingError, match=r"x0\[r0\] = select\(x0 > x1"):
        lowering._through_numba(wrong.text, wrong)
    with pytest.raises(CompileError, match="kernel typed does not compile"):
        build_one(wrong)
