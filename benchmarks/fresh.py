"""A process measured from its start: ``python -m benchmarks.fresh CONTENDER WORKLOAD THREADS WHAT``.

WHAT is ``first_step`` (one training step as a program runs it first) or ``memory`` (an epoch of training).
Prints the clock when that is done, the peak of the resident memory, and what was resident behind the import.
Imports nothing that a contender does not need.
"""

from __future__ import annotations

import sys
from importlib import import_module
from time import perf_counter

from benchmarks.contenders import CONTENDERS
from benchmarks.workloads import WORKLOADS, Workload


def main(name: str, workload: str, threads: str, what: str) -> None:
    contender = CONTENDERS["model"][name]
    import_module(contender.imports)
    imported = resident_megabytes()
    adapter = import_module(f"benchmarks.peers.{contender.adapter}")
    session = adapter.open_session(contender, _work(workload), int(threads))
    if what == "first_step":
        session.first_step()
    else:
        session.runner("train", session.variants("train")[0])()
    # perf_counter is the system's monotonic clock: the parent's readings are comparable.
    print(f"\n{perf_counter()} {peak_megabytes()} {imported}")


def _work(name: str) -> Workload:
    if name in WORKLOADS:
        return WORKLOADS[name]
    from benchmarks.scaled import SCALED

    return SCALED[name]


def peak_megabytes() -> float:
    """Peak resident memory of this process, in MB.

    Not ``ru_maxrss``, where the system tells better: on Linux that begins with the parent's peak.
    """
    return _megabytes("VmHWM")


def resident_megabytes() -> float:
    """Resident memory of this process now, in MB; its peak where the system does not tell."""
    return _megabytes("VmRSS")


def _megabytes(row: str) -> float:
    try:
        with open("/proc/self/status") as status:
            line = next(line for line in status if line.startswith(row))
        return int(line.split()[1]) / 1024
    except OSError:
        import resource

        unit = 2**20 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main(*sys.argv[1:])
