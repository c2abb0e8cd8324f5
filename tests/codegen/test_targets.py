"""Lesser CPUs and another architecture: right numbers, and none of the instructions that are turned off."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from kcompile.kernels.host import describe, host

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_AVX512 = "native,-avx512f"
WITHOUT_AVX2 = "native,-avx2,-fma"
WITHOUT_AVX = "native,-avx"
RESTRICTED = (WITHOUT_AVX512, WITHOUT_AVX2, WITHOUT_AVX)
ARM = ("aarch64-linux-gnu:cortex-a72", "aarch64-linux-gnu:neoverse-v1,+sve")
# Forms of an instruction that multiplies and adds, or the prefix of all that AVX encodes.
FORBIDDEN = {
    WITHOUT_AVX512: r"%zmm|%[xy]mm(1[6-9]|[23]\d)|\{%k\d\}",
    WITHOUT_AVX2: r"%zmm|vfn?m(add|sub)|vpadd\w\s.*%ymm|vbroadcastss\s+%xmm",
    WITHOUT_AVX: r"%[yz]mm|^\s*v[a-z]+ps\s",
}
pytestmark = pytest.mark.slow
on_x86 = pytest.mark.skipif(not host().is_x86, reason="turns extensions of x86 off")


def environment(cpu):
    """Numba's own compiler, which some tests of kernels use, is told of the same CPU."""
    described = describe(cpu)
    numba = {"NUMBA_CPU_NAME": described.name, "NUMBA_CPU_FEATURES": described.features}
    return {**os.environ, **numba, "KCOMPILE_CPU": cpu}


def run(cpu, *arguments):
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment(cpu), capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@cache
def on_target(cpu):
    return json.loads(run(cpu, "tests.codegen.on_target"))


def cross_compiled(cpu):
    llvm.initialize_all_targets()
    llvm.Target.from_triple(cpu.partition(":")[0])  # llvmlite's LLVM has them all; one without must be seen
    return on_target(cpu)


@on_x86
@pytest.mark.parametrize("cpu", RESTRICTED)
def test_training_agrees_with_numpy(cpu):
    differences = on_target(cpu)["networks"]
    assert set(differences) == {"mlp", "cnn", "groups", "winograd", "lstm", "transformer"}
    assert max(differences.values()) < 1e-5, differences


@on_x86
@pytest.mark.parametrize("cpu", RESTRICTED)
def test_no_kernel_has_an_instruction_that_is_turned_off(cpu):
    kernels = on_target(cpu)["kernels"]
    assert len(kernels) > 40
    bad = {name: found[0] for name, text in kernels.items() if (found := _lines(FORBIDDEN[cpu], text))}
    assert not bad


@on_x86
def test_without_avx512_products_are_fused_in_vectors_of_256_bits():
    micro = [text for text in on_target(WITHOUT_AVX512)["kernels"].values() if "vbroadcastss" in text]
    assert any(len(_lines(r"vfmadd231ps\s.*%ymm", text)) >= 24 for text in micro)


@on_x86
@pytest.mark.parametrize("cpu", [WITHOUT_AVX512, WITHOUT_AVX2])
def test_the_kernels_own_tests_pass(cpu):
    run(cpu, "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/kernels")


@on_x86
def test_the_micro_kernels_own_tests_pass_with_sse_alone():
    files = [f"tests/kernels/test_{name}.py" for name in ("micro", "transpose", "winograd", "halves")]
    run(WITHOUT_AVX, "pytest", "-q", "-x", "-p", "no:cacheprovider", *files)


@on_x86
@pytest.mark.parametrize("cpu", RESTRICTED)
def test_tiles_of_every_width_hold_whole_and_broken_panels(cpu):
    """What one tile holds on this CPU is several tiles on a lesser one."""
    files = [
        f"tests/codegen/test_{name}.py"
        for name in ("winograd", "strips", "batch_sizes", "column_sums", "random_kernels")
    ]
    compared = ["-k", "agree or any_number or product or in_the_lanes"]
    run(cpu, "pytest", "-q", "-x", "-p", "no:cacheprovider", *compared, *files)


@pytest.mark.parametrize("cpu", ARM)
def test_every_kernel_of_training_compiles_for_arm(cpu):
    found = cross_compiled(cpu)
    if not host().is_arm64:
        assert all("cannot run here" in str(error) for error in found["networks"].values())
    names = " ".join(found["kernels"])
    families = "micro_f32 transpose_32 winograd_input winograd_output winograd_filter prefetch scatter scan"
    assert all(family in names for family in [*families.split(), "executor"])
    text = "\n".join(found["kernels"].values())
    assert not re.search(r"[xyz]mm\d", text)
    vectors = [name for name, code in found["kernels"].items() if re.search(r"\bv\d+\.4s|\bz\d+\.s", code)]
    assert len(vectors) > len(found["kernels"]) / 3  # others are scalars, or copies of few elements


@pytest.mark.parametrize("cpu", ARM)
def test_contractions_for_arm_multiply_and_add_vectors_in_registers(cpu):
    micro = {n: text for n, text in cross_compiled(cpu)["kernels"].items() if n.startswith("kc_micro")}
    assert len(micro) >= 3
    for name, text in micro.items():
        rows, vectors = map(int, re.findall(r"(\d+)x(\d+)x", name)[0])
        assert len(_lines(r"\sfmla\s+v\d+\.4s", text)) >= 4 * rows * vectors, name
        assert not _lines(r"\s(str|stp|ldr|ldp)\s+q.*\[sp", text), f"{name} spills"


@pytest.mark.parametrize("cpu", ARM)
def test_windows_for_arm_multiply_and_add_vectors_in_registers(cpu):
    windows = {n: text for n, text in cross_compiled(cpu)["kernels"].items() if n.startswith("kc_window")}
    assert windows
    for name, text in windows.items():
        rows, taps = int(re.findall(r"(\d+)x", name)[0]), int(re.findall(r"s_(\d+)_", name)[0])
        assert len(_lines(r"\sfmla\s+v\d+\.4s", text)) >= rows * taps, name
        assert not _lines(r"\s(str|stp|ldr|ldp)\s+q.*\[sp", text), f"{name} spills"


def _lines(pattern, text):
    return [line for line in text.splitlines() if re.search(pattern, line)]
