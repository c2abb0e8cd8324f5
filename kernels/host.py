"""The CPU that kernels are generated for: instruction set, vector registers and caches.

Needs llvmlite alone. ``KCOMPILE_CPU`` overrides what is found, to make and test code for a lesser CPU: a CPU
name (``haswell``), features (``+avx2,+fma``, on the architecture's baseline) or both (``x86-64,+avx2,+fma``).
"""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass
from pathlib import Path

import llvmlite.binding as llvm

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")

# Without an instruction for it, the conversion is a call of a run-time library.
_CONVERSION = """
define half @convert(float %x) {
  %y = fptrunc float %x to half
  ret half %y
}
"""

# The same extension of x86 has this conversion and the products of pairs; asking for these where they are not
# would end the process.
_BFLOAT16 = """
define <16 x bfloat> @convert(<16 x float> %x) {
  %y = fptrunc <16 x float> %x to <16 x bfloat>
  ret <16 x bfloat> %y
}
"""

# What a function that adds two vectors of 64 bytes is compiled to shows the widest register in use.
_PROBE = """
define void @probe(ptr %a) {
  %x = load <16 x float>, ptr %a, align 64
  %y = fadd <16 x float> %x, %x
  store <16 x float> %y, ptr %a, align 64
  ret void
}
"""


@dataclass(frozen=True)
class Host:
    """A CPU as the generators see it.

    name, features: LLVM's names, for ``Target.create_target_machine``. vector_bytes: width of a vector
    register. vector_registers: how many there are. l1, l2: bytes of data cache per core. cores: those this
    process may use. converts_float16: to and from float32 by an instruction. multiplies_bfloat16: adds
    products of pairs to float32 sums (x86's AVX512_BF16).
    """

    name: str
    features: str
    vector_bytes: int
    vector_registers: int
    l1: int
    l2: int
    cores: int
    converts_float16: bool = True
    multiplies_bfloat16: bool = False

    def lanes(self, dtype: str) -> int:
        """Elements of a dtype ("float32", "float64") in one vector register."""
        return self.vector_bytes // item_bytes(dtype)


def item_bytes(dtype: str) -> int:
    """Bytes of one element, from the bits in the dtype's name."""
    return int(re.sub(r"\D", "", dtype)) // 8


@functools.cache
def host() -> Host:
    """The CPU of this process, or the one that KCOMPILE_CPU names (unknown to LLVM: its baseline)."""
    name, features = _identity(os.environ.get("KCOMPILE_CPU", ""))
    width, registers = _vectors(name, features)
    sizes = _cache_sizes(CACHES)
    caches = sizes.get(1, 32 << 10), sizes.get(2, 512 << 10)
    converts = "__truncsfhf2" not in _assembly(_CONVERSION, name, features)
    multiplies = _is_x86() and "vcvtneps2bf16" in _assembly(_BFLOAT16, name, features)
    return Host(name, features, width, registers, *caches, _cores(), converts, multiplies)


def _identity(override: str) -> tuple[str, str]:
    if not override:
        return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    items = [item.strip() for item in override.split(",")]
    names = [item for item in items if item[:1] not in "+-"]
    if len(names) > 1:
        raise ValueError(f"KCOMPILE_CPU={override!r}: give one CPU name, and features such as +avx2")
    baseline = "x86-64" if _is_x86() else "generic"
    name = baseline if not names or names[0] == "generic" else names[0]
    return name, ",".join(item for item in items if item[:1] in "+-")


def _is_x86() -> bool:
    return llvm.get_default_triple().startswith(("x86_64", "i686", "amd64"))


def _vectors(name: str, features: str) -> tuple[int, int]:
    """Bytes of a vector register and the number of registers."""
    if not _is_x86():
        return 16, 32
    text = _assembly(_PROBE, name, features)
    if "zmm" in text:
        return 64, 32
    return (32 if "ymm" in text else 16), 16


def _assembly(code: str, name: str, features: str) -> str:
    """What LLVM makes of a function for a CPU."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=name, features=features, opt=1)
    return machine.emit_assembly(llvm.parse_assembly(code))


def _cache_sizes(folder: Path) -> dict[int, int]:
    """Bytes of the data cache at each level, as Linux tells it; empty elsewhere."""
    sizes = {}
    for index in sorted(folder.glob("index*")):
        try:
            if (index / "type").read_text().strip() != "Instruction":
                sizes[int((index / "level").read_text())] = _bytes((index / "size").read_text().strip())
        except (OSError, ValueError):
            continue
    return sizes


def _bytes(size: str) -> int:
    """Bytes of a size such as 48K. Raises ValueError."""
    unit = {"K": 1 << 10, "M": 1 << 20}.get(size[-1:], 1)
    return int(size.rstrip("KM")) * unit


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
