"""What the generators are told about the CPU."""

import subprocess
import sys

import pytest

from kcompile.kernels import host as host_module
from kcompile.kernels import native
from kcompile.kernels.contract import micro

X86 = pytest.mark.skipif(not host_module._is_x86(), reason="names x86 CPUs")


def described(cpu, monkeypatch):
    monkeypatch.setenv("KCOMPILE_CPU", cpu)
    return host_module.host.__wrapped__()


def test_host_is_sane():
    cpu = host_module.host()
    assert cpu.vector_bytes in (16, 32, 64) and cpu.vector_registers in (16, 32) and cpu.cores >= 1
    assert 1 << 13 <= cpu.l1 <= cpu.l2
    assert cpu.lanes("float64") * 2 == cpu.lanes("float32") == cpu.vector_bytes // 4


@X86
@pytest.mark.parametrize(
    "cpu, width, registers",
    [("haswell", 32, 16), ("generic", 16, 16), ("+avx2,+fma", 32, 16), ("x86-64,+avx512f", 64, 32)],
)
def test_override_by_name_or_features(cpu, width, registers, monkeypatch):
    found = described(cpu, monkeypatch)
    assert (found.vector_bytes, found.vector_registers) == (width, registers)


@X86
def test_overridden_cpu_gets_its_own_instructions(monkeypatch):
    cpu = described("haswell", monkeypatch)
    text = native.assembly(micro.build(micro.MicroSpec(6, 2, cpu.lanes("float32"))), cpu)
    assert "vfmadd231ps" in text and "ymm" in text and "zmm" not in text


def test_two_cpu_names_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="one CPU name"):
        described("haswell,znver4", monkeypatch)


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
