"""Plans as text for people: what each kernel reads, computes and writes."""

from __future__ import annotations

from collections.abc import Sequence

from kcompile.core.symbolic import Int
from kcompile.ir import loop_text, loops
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Contract, Kernel, Loop, Scan, writes
from kcompile.schedule.plan import Plan


def plan_text(plan: Plan, tiles: Sequence[int | Int] | None = None) -> str:
    """The kernels of a plan in order.

    tiles: of each kernel, if code generation has cut them. In formulas, `%3[i0, 0]` is an element of value 3.
    """
    lines = [f"{plan.graph.name}: {len(plan.kernels)} kernels"]
    for number, kernel in enumerate(plan.kernels):
        cut = "" if tiles is None else f", tiles {tiles[number]}"
        when = ", prepared once" if set(writes(kernel)) <= plan.prepared else ""
        lines.append(f"{number}: {_kind(kernel)} {kernel.name}{cut}{when}")
        lines += ["    " + line for line in kernel_text(kernel, plan).splitlines()]
    return "\n".join(lines)


def kernel_text(kernel: Kernel, plan: Plan) -> str:
    """What one kernel of a plan fuses, reads and writes, its formulas, and the kernels that it repeats."""
    lines = [f"{name:<7}{text}" for name, text in _rows(kernel, plan) if text]
    if isinstance(kernel, Scan):
        lines += plan_text(kernel.plan).splitlines()
    return "\n".join(lines)


def _kind(kernel: Kernel) -> str:
    window = getattr(getattr(kernel, "contraction", None), "window", None)
    return type(kernel).__name__.lower() + (" (winograd)" if window is not None else "")


def _rows(kernel: Kernel, plan: Plan) -> list[tuple[str, str]]:
    rows = [
        (
            "steps",
            str(kernel.node.attrs["steps"] or "while the first carry holds")
            if isinstance(kernel, Scan)
            else "",
        ),
        ("blocks", f"of rows of {kernel.extent}" if isinstance(kernel, Scan) and kernel.rows else ""),
        ("fused", " ".join(kernel.fused)),
        ("axes", " ".join(f"{a.name}<{a.extent}" for a in kernel.axes) if isinstance(kernel, Loop) else ""),
        ("reads", _listed(sorted(kernel.reads, key=lambda v: v.node.serial))),
        ("writes", " ".join(_target(v, plan) for v in writes(kernel))),
    ]
    if isinstance(kernel, Loop | Contract):
        rows += [("", f"{_place(s.target, s.index)} = {loop_text.text(s.expr)}") for s in kernel.stores]
    return rows


def _listed(values: list[Value]) -> str:
    return " ".join(map(_named, values))


def _named(v: Value) -> str:
    name = v.node.attrs.get("name", "")
    return _typed(v) + (f" {name!r}" if name else "")


def _typed(v: Value) -> str:
    return f"{loop_text.source_name(v)}:{v.type!r}"


def _target(v: Value, plan: Plan) -> str:
    leaf = plan.aliases.get(v)
    return _named(v) if leaf is None else f"{_typed(v)} in place of {leaf.node.attrs['name']!r}"


def _place(target: Value, index: loops.Index) -> str:
    return f"{loop_text.source_name(target)}[{', '.join(map(str, index))}]"
