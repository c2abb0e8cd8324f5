"""How the page tells of things: numbers in units that fit, a name and a colour per layer."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kcompile.runtime.footprint import Footprint
from kcompile.runtime.profile import KernelProfile


def scaled(value: float, unit: str, base: int = 1000) -> str:
    """A number with three digits and the prefix that fits.

    >>> scaled(1_234_567, "B"), scaled(12.0, "FLOP"), scaled(0, "B")
    ('1.23 MB', '12 FLOP', '0 B')
    """
    for prefix in ("", "k", "M", "G"):
        if abs(value) < base or prefix == "G":
            break
        value /= base
    return f"{value:.3g} {prefix}{unit}" if value < base else f"{value:.0f} {prefix}{unit}"


def time_text(nanoseconds: float) -> str:
    """
    >>> time_text(1234.0), time_text(5_600_000.0)
    ('1.23 us', '5.6 ms')
    """
    for unit in ("ns", "us", "ms"):
        if nanoseconds < 1000:
            return f"{nanoseconds:.3g} {unit}"
        nanoseconds /= 1000
    return f"{nanoseconds:.3g} s"


def fused_text(number: int, kernel: KernelProfile) -> str:
    """What is fused into the kernel with this number, and whether it runs slice by slice behind another.

    >>> fused_text(7, KernelProfile("softmax", ("max", "sum"), 1e3, 10, 10, 64, units=64))
    'max sum, in 64 slices behind 6'
    """
    words = " ".join(kernel.fused)
    return words if kernel.units == 1 else f"{words}, in {kernel.units} slices behind {number - 1}"


def memory_text(one: Footprint) -> str:
    """A program's memory in words: what was planned of what, beside what was measured.

    >>> memory_text(Footprint(3 << 20, 5 << 20, 1 << 20, 0, 1 << 19, 4 << 20))
    'planned 4 MB: 3 MB for intermediate values (5 MB if none shared memory), 1 MB of scratch; measured 4 MB'
    """
    arena, apart, scratch, planned = (
        scaled(size, "B", 1024) for size in (one.arena, one.apart, one.scratch, one.planned)
    )
    apart = f" ({apart} if none shared memory)" if one.apart > one.arena else ""
    measured = "not measured" if one.measured is None else f"measured {scaled(one.measured, 'B', 1024)}"
    outputs = f", {scaled(one.outputs, 'B', 1024)} of outputs" if one.outputs else ""
    words = f"{arena} for intermediate values{apart}, {scratch} of scratch{outputs}"
    return f"planned {planned}: {words}; {measured}"


class Layers:
    """Names of layers without what all have in common, and a hue for each."""

    def __init__(self, origins: Iterable[str]):
        origins = [o for o in dict.fromkeys(origins) if "/" in o] or list(dict.fromkeys(origins))
        firsts = {origin.partition("/")[0] for origin in origins if "/" in origin}
        self._prefix = f"{firsts.pop()}/" if len(firsts) == 1 else ""
        names = dict.fromkeys(self.of(origin) for origin in origins)
        # Steps by the golden angle never come near to an earlier hue.
        self._hues = {name: round(210 + 137.5 * k) % 360 for k, name in enumerate(n for n in names if n)}

    def shown(self, origins: str) -> str:
        """Paths as they are told: "model/a,model/b pack" -> "a, b pack"."""
        shown = ", ".join(one.removeprefix(self._prefix) for one in origins.split(","))
        return re.sub("gradient( gradient)+", "gradient", shown)

    def of(self, origins: str) -> str:
        """The outermost layer of the first path: "model/encoder/dense gradient" -> "encoder"."""
        return re.split("[/ ,]", origins.removeprefix(self._prefix))[0]

    def style(self, origins: str) -> str:
        """The style that carries the hue of a layer; what belongs to none is grey."""
        hue = self._hues.get(self.of(origins))
        return "--h:0;--s:0%" if hue is None else f"--h:{hue}"
