"""PTX of a kernel, assembled by ptxas: the figures that tell whether it fits a device. Needs the CUDA wheels,
no device.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from kcompile.codegen.cuda_source import CudaKernel

CAPABILITIES = ((7, 5), (8, 0), (9, 0))
REGISTERS = 65536  # of a multiprocessor
SHARED = 48 << 10  # bytes that a block has without asking


@dataclass(frozen=True)
class Figures:
    """What ptxas says of one kernel for one capability."""

    registers: int
    shared: int
    spills: int
    stack: int
    doubles: int  # .f64 operations in the PTX
    barriers: int
    error: str = ""


def missing() -> str:
    """What is not installed, or ''."""
    if find_spec("numba_cuda") is None:
        return 'numba-cuda is not installed: pip install "kcompile[cuda13]"'
    return "" if ptxas() else "ptxas is not installed: pip install nvidia-cuda-nvcc"


@cache
def ptxas() -> str:
    """The assembler that came with the CUDA wheels, which knows their PTX version, or the machine's own."""
    from importlib.metadata import files

    for package in ("nvidia-cuda-nvcc", "nvidia-cuda-nvcc-cu12"):
        try:
            found = [f for f in files(package) or [] if Path(f).name == "ptxas"]
        except ModuleNotFoundError:
            continue
        if found:
            return str(found[0].locate())
    return shutil.which("ptxas") or ""


def figures(kernel: CudaKernel, cc: tuple[int, int]) -> Figures:
    """Compile and assemble. Raises: CompileError where there is no PTX."""
    from kcompile.codegen.cuda_build import ptx

    text = ptx(kernel.source, cc)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kernel.ptx")
        path.write_text(text)
        command = [
            ptxas(),
            "-v",
            f"-arch=sm_{cc[0]}{cc[1]}",
            str(path),
            "-o",
            str(path.with_suffix(".cubin")),
        ]
        done = subprocess.run(command, capture_output=True, text=True)

    def number(pattern: str) -> int:
        found = re.search(pattern, done.stderr)
        return int(found[1]) if found else 0

    return Figures(
        number(r"Used (\d+) registers"),
        number(r"(\d+) bytes smem"),
        number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
        number(r"(\d+) bytes stack frame"),
        len(re.findall(r"\.f64\b", text)),
        len(re.findall(r"\bbar(?:rier)?\.sync", text)),
        done.stderr if done.returncode else "",
    )


def faults(kernel: CudaKernel, found: Figures) -> list[str]:
    """What must not be."""
    checks = {
        f"ptxas: {found.error}": bool(found.error),
        f"{found.spills} bytes of spills": found.spills > 0,
        f"{found.registers} registers x {kernel.source.threads} threads": found.registers
        * kernel.source.threads
        > REGISTERS,
        f"{found.shared} bytes of shared memory": found.shared > SHARED,
        f"{found.shared} bytes of shared memory, the plan says {kernel.shared}": found.shared
        != kernel.shared,
        f"{found.doubles} float64 operations": found.doubles > 0 and "float64" not in kernel.source.arrays,
    }
    return [text for text, wrong in checks.items() if wrong]
