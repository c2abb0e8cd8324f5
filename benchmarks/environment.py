"""Where the measurement runs: interpreters, thread counts, and what the machine is."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from benchmarks.contenders import Contender

ROOT = Path(__file__).resolve().parent.parent

_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NPROC",  # XLA's thread pool
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "KCOMPILE_NUM_THREADS",
)


def child_environment(contender: Contender, threads: int) -> dict[str, str]:
    """Environment of a contender's process: its own settings, and the thread count in every library's words.

    Waiting policies (OMP_WAIT_POLICY and the like) stay as the libraries chose: passive waiting makes a step
    of PyTorch's MLP 1.4 times slower (measured), and idle processes are stopped anyway.
    """
    settings = {name: str(threads) for name in _THREADS}
    settings |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    settings |= {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    return inherited() | settings | contender.environment


def inherited() -> dict[str, str]:
    """This process's environment, but others start as users do: an installed package has its bytecode."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def pin(threads: int) -> None:
    """Keeps this process and its children on ``threads`` cores, where the system can.

    Libraries that ask the system how many threads to start then get the answer that others read from their
    environment. Raises ValueError where there are fewer cores than threads.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    cpus = one_thread_per_core(sorted(os.sched_getaffinity(0)))
    if len(cpus) < threads:
        raise ValueError(f"{threads} threads on {len(cpus)} CPUs would measure the scheduler: give --threads")
    os.sched_setaffinity(0, cpus[:threads])


def one_thread_per_core(cpus: list[int], system: Path = Path("/sys/devices/system/cpu")) -> list[int]:
    """The CPUs with each core's first hardware thread in front."""
    seen: set[str] = set()
    first: list[int] = []
    second: list[int] = []
    for cpu in cpus:
        listing = system / f"cpu{cpu}" / "topology" / "thread_siblings_list"
        core = listing.read_text() if listing.exists() else str(cpu)
        (second if core in seen else first).append(cpu)
        seen.add(core)
    return first + second


_PROBE = """
import json, sys
from importlib.util import find_spec
print(all(map(find_spec, json.loads(sys.argv[1]))))
"""


@cache
def installed(python: str, modules: tuple[str, ...]) -> bool:
    """Whether an interpreter finds all modules (none is imported)."""
    command = [python, "-c", _PROBE, json.dumps(modules)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return run.stdout.strip() == "True"


def interpreters(given: Iterable[str] = ()) -> list[str]:
    """This interpreter, then those given and those in KCOMPILE_BENCH_PYTHON (separated as in PATH)."""
    named = os.environ.get("KCOMPILE_BENCH_PYTHON", "").split(os.pathsep)
    return list(dict.fromkeys([sys.executable, *given, *filter(None, named)]))


def find_python(modules: tuple[str, ...], pythons: Iterable[str]) -> str | None:
    """The first interpreter that has all modules."""
    return next((python for python in pythons if installed(python, modules)), None)


def machine() -> dict[str, str | int]:
    """What a reader needs to judge the figures."""
    return {
        "cpu": _cpu_name(Path("/proc/cpuinfo")),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _cpu_name(info: Path) -> str:
    if not info.exists():
        return platform.processor() or platform.machine()
    pairs = (line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in pairs}
    name = fields.get("model name", platform.machine())
    family, model = fields.get("cpu family"), fields.get("model")
    return f"{name} (family {family}, model {model})" if family and model else name
