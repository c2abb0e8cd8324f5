"""LLVM's options for one module do not stay for the next, which may be a user's own."""

from __future__ import annotations

import pytest

from kcompile.codegen.emit import assembly, optimize, target_machine


@pytest.mark.parametrize("count", [4, 90])
def test_strength_reduction_is_left_out_where_there_are_many_addresses_and_nowhere_else(count: int) -> None:
    module = optimize([_sums_of_columns(count)], "kernel", "sums")
    reduced = target_machine().emit_assembly(module.clone())
    ours = assembly(module.clone())
    again = target_machine().emit_assembly(module.clone())
    assert (ours == reduced) == (count == 4), "left out by the number of addresses"
    assert again == reduced, "the option stayed after the module"


def _sums_of_columns(count: int) -> str:
    """sums[i] = the sum over k of table[i * 3 + k * 1000], in one loop over i."""
    lines, total = [], "0.0"
    for k in range(count):
        lines += [
            f"  %place{k} = add i64 %row, {k * 1000}",
            f"  %at{k} = getelementptr float, ptr %table, i64 %place{k}",
            f"  %value{k} = load float, ptr %at{k}",
            f"  %sum{k} = fadd float {total}, %value{k}",
        ]
        total = f"%sum{k}"
    body = "\n".join(lines)
    return f"""
define void @kernel(ptr noalias %table, ptr noalias %sums, i64 %n) {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %row = mul i64 %i, 3
{body}
  %to = getelementptr float, ptr %sums, i64 %i
  store float {total}, ptr %to
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret void
}}
"""


def test_what_is_written_as_vector_code_keeps_its_loops() -> None:
    """Numba's loops become vectors; those of a kernel that was written by hand are left alone."""
    text = _sums_of_columns(4)
    lowered, written = (str(optimize([text], "kernel", "sums", kind)) for kind in ("lowered", "written"))
    assert "x float>" in lowered
    assert "x float>" not in written and written.count("fadd") == 4
