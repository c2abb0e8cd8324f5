"""How many threads a process should use: settings, else what the system gives it."""

from __future__ import annotations

import math
import os
from pathlib import Path

from kcompile.core.config import current

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def default_threads() -> int:
    """KCOMPILE_NUM_THREADS if set; else the cores this process may use, at most OMP_NUM_THREADS."""
    if current().num_threads > 0:
        return current().num_threads
    return max(1, min(available_cores(), _omp_threads() or available_cores()))


def available_cores() -> int:
    """Cores that the affinity of this process and the quotas of its control groups leave it."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_cores(MEMBERSHIP, CGROUPS)
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def _omp_threads() -> int | None:
    """The first number of OMP_NUM_THREADS, which may list one for each level of nesting."""
    text = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(text) if text.isdecimal() and int(text) > 0 else None


def cgroup_cores(membership: Path, root: Path) -> float | None:
    """The tightest CPU quota of a process's control groups (versions 1 and 2), in cores; None without any.

    membership: a file like /proc/self/cgroup. root: where the control groups are mounted.
    """
    found = []
    for line in _text(membership).splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:
            mounts = [root]
        elif "cpu" in controllers.split(","):
            mounts = [root / "cpu", root / controllers]
        else:
            continue
        for mount in mounts:
            below = mount / path.lstrip("/")
            found += [_quota(group) for group in (below, *below.parents) if group.is_relative_to(mount)]
            found.append(_quota(mount))
    return min((cores for cores in found if cores is not None), default=None)


def _quota(group: Path) -> float | None:
    """The quota of one control group, from the file of either version."""
    words = _text(group / "cpu.max").split()
    if not words:
        words = [_text(group / f"cpu.cfs_{what}_us").strip() for what in ("quota", "period")]
    if len(words) != 2 or not all(word.isdecimal() for word in words):  # "max" and -1: no limit
        return None
    quota, period = map(int, words)
    return quota / period if quota and period else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
