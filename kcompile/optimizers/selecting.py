"""Updates that are computed in any case and kept only sometimes: compiled steps have no branches."""

from __future__ import annotations

from typing import Any

from kcompile.trace import tracer
from kcompile.trace.variable import Variable


def snapshot(variable: Variable) -> Any:
    """The value now; a copy outside of traces, where assignments would change it."""
    return variable.value if tracer.is_tracing() else variable.numpy()
