"""The CPU that kernels are generated for: instruction set, vector registers and caches.

Needs llvmlite alone. ``KCOMPILE_CPU`` overrides what is found, to make and test code for another CPU: a CPU
name (``haswell``), features (``+avx2,+fma``, on the architecture's baseline) or both
(``x86-64,+avx2,+fma``). The name ``native`` is the CPU at hand with all its features: ``native,-avx512f``
turns AVX-512 off. A triple of LLVM's in front (``aarch64-linux-gnu:cortex-a72``) names another architecture,
whose code can be looked at but not run.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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

# What a function that multiplies and adds vectors of 64 bytes is compiled to shows the widest register in
# use, and whether one instruction does both.
_PROBE = """
declare <16 x float> @llvm.fmuladd.v16f32(<16 x float>, <16 x float>, <16 x float>)
define void @probe(ptr %a) {
  %x = load <16 x float>, ptr %a, align 64
  %y = call <16 x float> @llvm.fmuladd.v16f32(<16 x float> %x, <16 x float> %x, <16 x float> %x)
  store <16 x float> %y, ptr %a, align 64
  ret void
}
"""


_ARCH_PRCTL, _REQUEST_STATE, _TILE_DATA = 158, 0x1023, 18  # of Linux on x86-64

MOST_CORES = 8  # for which one image, or one row of work, is cut into tiles


@dataclass(frozen=True)
class Host:
    """A CPU as the generators see it.

    name, features: LLVM's names, for ``Target.create_target_machine``. vector_bytes: width of a vector
    register. vector_registers: how many there are. l1, l2: bytes of data cache per core. cores: those this
    process may use. converts_float16: to and from float32 by an instruction. multiplies_bfloat16: adds
    products of pairs to float32 sums (x86's AVX512_BF16). multiplies_tiles: does so for whole tiles of a
    matrix (x86's AMX), and the system lets this process. fuses: multiplies and adds in one instruction.
    triple: LLVM's name of the architecture and system, "" for those of this process. The caches and cores of
    a CPU that is not at hand are taken to be those of the one that is.
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
    multiplies_tiles: bool = False
    fuses: bool = True
    triple: str = ""

    @property
    def architecture(self) -> str:
        """The first part of the triple: "x86_64", "aarch64"."""
        return (self.triple or llvm.get_process_triple()).partition("-")[0]

    @property
    def is_x86(self) -> bool:
        return self.architecture in ("x86_64", "i686", "amd64")

    @property
    def is_arm64(self) -> bool:
        return self.architecture in ("aarch64", "arm64")

    @property
    def runs_here(self) -> bool:
        """Is it of the architecture of this process? (Whether it has the same instructions is not asked.)"""
        return self.architecture == llvm.get_process_triple().partition("-")[0]

    def lanes(self, dtype: str) -> int:
        """Elements of a dtype ("float32", "float64") in one vector register."""
        return self.vector_bytes // item_bytes(dtype)


def item_bytes(dtype: str) -> int:
    """Bytes of one element, from the bits in the dtype's name."""
    return int(re.sub(r"\D", "", dtype)) // 8


@functools.cache
def host() -> Host:
    """The CPU of this process, or the one that KCOMPILE_CPU names (unknown to LLVM: its baseline)."""
    return describe(os.environ.get("KCOMPILE_CPU", ""))


def describe(text: str = "") -> Host:
    """The CPU that a value of KCOMPILE_CPU names; "" is the one at hand.

    Raises: ValueError for two names, or a triple that this LLVM makes no code for.
    """
    triple, name, features = _identity(text)
    sizes = _cache_sizes(CACHES)
    caches = sizes.get(1, 32 << 10), sizes.get(2, 512 << 10)
    cpu = Host(name, features, 16, 32, *caches, _cores(), triple=triple)
    probe = _assembly(_PROBE, cpu)
    width, registers = _vectors(cpu, probe)
    pairs = cpu.is_x86 and "vcvtneps2bf16" in _assembly(_BFLOAT16, cpu)
    if width == 64:  # of some CPUs LLVM thinks that loops had better leave half of the register unused
        features = f"{features},-prefer-256-bit".lstrip(",")
    return replace(
        cpu,
        features=features,
        vector_bytes=width,
        vector_registers=registers,
        converts_float16="__truncsfhf2" not in _assembly(_CONVERSION, cpu),
        multiplies_bfloat16=pairs,
        multiplies_tiles=pairs and _has(features, "amx-bf16", "amx-tile") and _may_use_tiles(),
        fuses="fma" in probe or "fmla" in probe,
    )


def _identity(text: str) -> tuple[str, str, str]:
    """Triple, CPU name and features that a value of KCOMPILE_CPU names."""
    triple, _, rest = text.rpartition(":")
    items = [item for part in rest.split(",") if (item := part.strip())]
    names = [item for item in items if item[:1] not in "+-"]
    changes = [item for item in items if item[:1] in "+-"]
    if len(names) > 1:
        raise ValueError(f"KCOMPILE_CPU={text!r}: give one CPU name, and features such as +avx2")
    if (not items and not triple) or names == ["native"]:
        if triple:
            raise ValueError(f"KCOMPILE_CPU={text!r}: the native CPU has no triple; leave {triple}: out")
        # Later features win, those that imply an earlier one that is turned off included.
        return "", llvm.get_host_cpu_name(), ",".join([llvm.get_host_cpu_features().flatten(), *changes])
    architecture = (triple or llvm.get_process_triple()).partition("-")[0]
    baseline = "x86-64" if architecture == "x86_64" else "generic"
    name = baseline if not names or names[0] == "generic" else names[0]
    return triple, name, ",".join(changes)


def _has(features: str, name: str, base: str) -> bool:
    """Do LLVM's features, of which later ones win, turn one on, which goes where its base goes?"""
    said = [item for item in features.split(",") if item[1:] == name or item == f"-{base}"]
    return said[-1:] == [f"+{name}"]


def _may_use_tiles() -> bool:
    """Ask Linux to let this process use the tile registers: their 8 KB are saved with a thread only then."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        return ctypes.CDLL(None).syscall(_ARCH_PRCTL, _REQUEST_STATE, _TILE_DATA) == 0
    except (OSError, AttributeError):
        return False


def _vectors(cpu: Host, probe: str) -> tuple[int, int]:
    """Bytes of a vector register and the number of registers."""
    if not cpu.is_x86:
        return 16, 32
    if "zmm" in probe:
        return 64, 32
    return (32 if "ymm" in probe else 16), 16


def _assembly(code: str, cpu: Host) -> str:
    """What LLVM makes of a function for a CPU."""
    return str(code_generator(cpu, opt=1).emit_assembly(llvm.parse_assembly(code)))


def code_generator(cpu: Host, **options: Any) -> llvm.TargetMachine:
    """LLVM's code generator for a CPU; options as of ``llvm.Target.create_target_machine``."""
    if cpu.triple:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
    else:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
    try:
        target = llvm.Target.from_triple(cpu.triple or llvm.get_process_triple())
    except RuntimeError as error:
        raise ValueError(f"KCOMPILE_CPU: this LLVM makes no code for {cpu.triple}: {error}") from error
    return target.create_target_machine(cpu=cpu.name, features=cpu.features, **options)


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
