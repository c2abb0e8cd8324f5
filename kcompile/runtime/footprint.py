"""What a program takes of memory: as it was planned, and as the system counts it while the program runs."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kcompile.core import symbolic
from kcompile.core.dtypes import itemsize
from kcompile.runtime.executable import Executable
from kcompile.runtime.profile import variables_restored
from kcompile.runtime.program import Program
from kcompile.runtime.team import team

_PROCESS = Path("/proc/self")  # where Linux tells of this process


@dataclass(frozen=True)
class Footprint:
    """Bytes of one program on given inputs.

    arena: intermediate values, as they share memory. apart: the same values if none shared memory.
    scratch: of all threads. outputs: new arrays of each call. kept: what lies in memory from run to run,
    variables and packed weights. measured: growth of the process at its peak while the program ran in a new
    arena; None where the system does not tell.
    """

    arena: int
    apart: int
    scratch: int
    outputs: int
    kept: int
    measured: int | None

    @property
    def planned(self) -> int:
        """What a run takes beside `kept`."""
        return self.arena + self.scratch + self.outputs


def footprint(
    executable: Executable, arrays: Sequence[np.ndarray], symbols: Mapping[str, int] | None = None
) -> Footprint:
    """Run a program once more, in memory of its own; variables are put back as they were.

    Of a device's memory the system tells nothing: there it is planned only.
    """
    program: Any = executable.program
    found = executable.symbols_of(arrays, symbols or {})
    outputs = sum(symbolic.evaluate(v.type.size, found) * itemsize(v.dtype) for v in executable.outputs)
    if not isinstance(program, Program):
        ranges = program.arena(found)
        kept = sum(array.nbytes for array in program.variables.values())
        arena = max((r.offset + r.size for r in ranges), default=0)
        return Footprint(arena, sum(r.size for r in ranges), 0, outputs, kept, None)
    with variables_restored(program):
        measured = _growth(Executable(program, executable.rules), arrays, symbols)
    bound = program.bind(found)
    return Footprint(
        bound.arena.nbytes,
        sum(size for _, _, size in bound.ends),
        bound.scratch * (bound.threads or team().threads),
        outputs,
        program.kept_bytes(),
        measured,
    )


def _growth(fresh: Executable, arrays: Sequence[np.ndarray], symbols: Mapping[str, int] | None) -> int | None:
    """By how much the peak of the resident memory exceeds what was resident before the first run."""
    # A thread of its own has scratch memory of its own, which is new, too.
    thread = threading.Thread(target=fresh, args=arrays, kwargs={"symbols": symbols})
    try:
        _give_back()
        (_PROCESS / "clear_refs").write_text("5")  # the peak begins anew
        before = _resident("VmRSS")
        thread.start()
        thread.join()
        return max(0, _resident("VmHWM") - before)
    except (OSError, StopIteration):
        return None


def _resident(row: str) -> int:
    """A row of the process's status, in bytes. Raises OSError or StopIteration where there is none."""
    lines = (_PROCESS / "status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(row)).split()[1]) * 1024


def _give_back() -> None:
    """Return free memory to the system: else what was freed before would be used again, unseen."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
