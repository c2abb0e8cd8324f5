"""Scalar expressions as one line for people."""

from __future__ import annotations

from typing import Any

from kcompile.ir.graph import Value
from kcompile.ir.loops import Expr


def text(x: Expr) -> str:
    """One line for people."""
    if x.op == "const":
        return f"{x.attr:g}" if not isinstance(x.attr, bool) else str(x.attr)
    if x.op == "index":
        return f"({x.attr})"
    if x.op == "load":
        source, at = x.attr
        return f"{source_name(source)}[{', '.join(map(str, at))}]"
    if x.op == "reduce":
        return f"{x.attr[0]}{{{', '.join(a.name for a in x.attr[1])}}}({x.args[0]!r})"
    return f"{x.op}({', '.join(map(repr, x.args))})"


def source_name(source: Any) -> str:
    return f"%{source.node.serial}" if isinstance(source, Value) else str(source)
