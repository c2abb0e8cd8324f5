"""What the generators are told about the CPU."""

import subprocess
import sys

import pytest

from kcompile.kernels import host as host_module
from kcompile.kernels import native
from kcompile.kernels.contract import micro, tiles

X86 = pytest.mark.skipif(not host_module.describe().is_x86, reason="names x86 CPUs")


def test_host_is_sane():
    cpu = host_module.host()
    assert cpu.vector_bytes in (16, 32, 64) and cpu.vector_registers in (16, 32) and cpu.cores >= 1
    assert 1 << 13 <= cpu.l1 <= cpu.l2 and cpu.runs_here
    assert cpu.lanes("float64") * 2 == cpu.lanes("float32") == cpu.vector_bytes // 4


@X86
@pytest.mark.parametrize(
    "cpu, width, registers, fuses",
    [
        ("haswell", 32, 16, True),
        ("generic", 16, 16, False),
        ("+avx2,+fma", 32, 16, True),
        ("x86-64,+avx512f", 64, 32, True),
        ("skylake-avx512", 64, 32, True),
        ("sandybridge", 32, 16, False),
        ("haswell,-fma", 32, 16, False),
        ("native,-avx", 16, 16, False),
        ("aarch64-linux-gnu:", 16, 32, True),
    ],
)
def test_registers_of_a_named_cpu(cpu, width, registers, fuses):
    found = host_module.describe(cpu)
    assert (found.vector_bytes, found.vector_registers, found.fuses) == (width, registers, fuses)


@X86
def test_the_environment_names_the_cpu(monkeypatch):
    monkeypatch.setenv("KCOMPILE_CPU", "haswell")
    assert host_module.host.__wrapped__() == host_module.describe("haswell")


def test_native_is_the_cpu_at_hand_and_may_lose_features():
    assert host_module.describe("native") == host_module.describe("")
    less = host_module.describe("native,-avx512f")
    assert less.name == host_module.describe().name and less.features.endswith(",-avx512f")
    assert less.vector_bytes <= 32 and not less.multiplies_bfloat16
    for feature in ("amx-bf16", "amx-tile"):  # the latter takes the former along
        assert not host_module.describe(f"native,-{feature}").multiplies_tiles


@X86
def test_overridden_cpu_gets_its_own_instructions():
    cpu = host_module.describe("haswell")
    text = native.assembly(micro.build(micro.MicroSpec(6, 2, cpu.lanes("float32"))), cpu)
    assert "vfmadd231ps" in text and "ymm" in text and "zmm" not in text


@X86
def test_tiles_need_the_systems_permission(monkeypatch):
    cpu = "sapphirerapids,+amx-bf16"
    for allowed in (True, False):
        monkeypatch.setattr(host_module, "_may_use_tiles", lambda allowed=allowed: allowed)
        assert host_module.describe(cpu).multiplies_tiles == allowed
    monkeypatch.setattr(host_module, "_may_use_tiles", lambda: True)
    assert not host_module.describe("haswell").multiplies_tiles
    text = native.assembly(tiles.build(2), host_module.describe(cpu))
    assert text.count("tdpbf16ps") == 8 and "tilerelease" in text


@X86
@pytest.mark.parametrize("cpu", ["rocketlake", "znver4", "skylake-avx512"])
def test_loops_use_the_widest_vectors(cpu):
    text = """
    define void @add(ptr noalias %x, ptr noalias %y) {
    entry:
      br label %loop
    loop:
      %i = phi i64 [0, %entry], [%next, %loop]
      %a = getelementptr float, ptr %x, i64 %i
      %b = getelementptr float, ptr %y, i64 %i
      %v = load float, ptr %a
      %w = fadd float %v, 1.0
      store float %w, ptr %b
      %next = add i64 %i, 1
      %done = icmp eq i64 %next, 4096
      br i1 %done, label %end, label %loop
    end:
      ret void
    }
    """
    assert "zmm" in native.assembly(text, host_module.describe(cpu))


def test_another_architecture_is_described_but_does_not_run():
    cpu = host_module.describe(
        "riscv64-linux-gnu:" if host_module.describe().is_arm64 else "aarch64-linux-gnu:"
    )
    assert not cpu.runs_here and not cpu.is_x86


@pytest.mark.parametrize(
    "cpu, said",
    [
        ("haswell,znver4", "one CPU name"),
        ("aarch64-linux-gnu:native", "leave aarch64-linux-gnu: out"),
        ("pdp11-dec-ultrix:", "no code for pdp11-dec-ultrix"),
    ],
)
def test_what_is_refused(cpu, said):
    with pytest.raises(ValueError, match=said):
        host_module.describe(cpu)


def test_cache_sizes_are_read_from_the_system_files(tmp_path):
    for index, (kind, level, size) in enumerate(
        [("Data", 1, "48K"), ("Instruction", 1, "64K"), ("Unified", 2, "2M"), ("Unified", 3, "odd")]
    ):
        folder = tmp_path / f"index{index}"
        folder.mkdir()
        for name, text in (("type", kind), ("level", str(level)), ("size", size)):
            (folder / name).write_text(text + "\n")
    assert host_module._cache_sizes(tmp_path) == {1: 48 << 10, 2: 2 << 20}
    assert host_module._cache_sizes(tmp_path / "missing") == {}


def test_host_needs_no_numba():
    code = "import sys, kcompile.kernels.host as h; h.host(); assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
