"""Progress bars over steps that take times from a fake clock, for real Keras and for kcompile alike."""

from __future__ import annotations

import contextlib
import importlib
import io
from types import SimpleNamespace
from typing import Any

CASES: list[tuple[int | None, dict[str, Any]]] = [
    (4, {}),
    (1234, {"stateful_metrics": ["a"]}),
    (None, {}),
    (10, {"verbose": 2}),
    (10, {"stateless_metrics": ["b"]}),
    (5, {"verbose": 0}),
    (100000, {"interval": 0}),
    (7, {"width": 5, "unit_name": "file"}),
]
SECONDS = [0.3, 0.00002, 0.3, 70, 4000]


def printed(progbar: Any, module: str) -> bytes:
    """What bars print; `module` is where the class looks for `time`."""
    clock = [100.0]
    target: Any = importlib.import_module(module)
    real, target.time = target.time, SimpleNamespace(time=lambda: clock[0])
    try:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            for steps, settings in CASES:
                clock[0] = 100.0
                _one(progbar(steps, **settings), clock)
            bar = progbar(3)
            bar.add(1)
            bar.add(2)
    finally:
        target.time = real
    return out.getvalue().encode()


def _one(bar: Any, clock: list[float]) -> None:
    for step in (1, 2, 3, 7, 9):
        clock[0] += SECONDS[step % 5]
        bar.update(step, [("a", 0.5 * step), ("b", 1e-5 * step), ("c", -2.0)])
    bar.update(10, [("a", 1), ("b", 2.0), ("d", 0.25)], finalize=True)
