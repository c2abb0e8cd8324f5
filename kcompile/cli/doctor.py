"""``kcompile doctor``."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import click

from kcompile.cli.reporting import SAYS_NO, examples, json_option, microseconds, show, working

NEEDED = ("numpy", "numba", "llvmlite", "onnx", "h5py", "rich", "click")
OPTIONAL = {"onnxruntime": "check", "pillow": "image", "numba-cuda": "cuda13"}  # package -> extra
MODULES = {"pillow": "PIL", "numba-cuda": "numba_cuda"}  # where the package has another name
SIMD = {"x86": ("sse4.2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bf16"), "arm": ("neon", "sve")}


@click.command(epilog=examples("kcompile doctor", "kcompile doctor --no-peak", "kcompile doctor --json"))
@click.option(
    "--peak/--no-peak", default=True, show_default=True, help="Measure the machine's limits (0.3 s)."
)
@json_option
def command(peak: bool, as_json: bool) -> None:
    """Say what this machine offers, and what is wrong; ends with 3 if something is.

    Cores, vector instructions, measured peaks of arithmetic and memory, cache folder, packages; a small model
    is compiled and its result compared.
    """
    with working("looking at this machine"):
        result: dict[str, Any] = {"python": sys.version.split()[0], "packages": _packages()}
        problems = [f"{name} is not installed" for name in NEEDED if result["packages"][name] is None]
        if not problems:
            problems += _machine(result, peak) + _cache(result) + _trial(result)
    result["problems"] = problems
    show(result, _lines(result), as_json)
    if problems:
        raise click.exceptions.Exit(SAYS_NO)


def _packages() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in ("kcompile", *NEEDED, *OPTIONAL):
        try:
            found[name] = version(name) if find_spec(MODULES.get(name, name)) else None
        except PackageNotFoundError:  # a checkout that is not installed
            found[name] = "not installed as a package" if find_spec(name) else None
    return found


def _machine(result: dict[str, Any], peak: bool) -> list[str]:
    from kcompile.kernels.host import host
    from kcompile.runtime.profile import threads

    cpu = host()
    given = cpu.features.split(",")
    features = {f[1:] for f in given if f.startswith("+") and f"-{f[1:]}" not in given}
    simd = [name for names in SIMD.values() for name in names if name in features]
    result["cpu"] = {
        "name": cpu.name, "cores": cpu.cores, "threads": threads(), "vector_bits": 8 * cpu.vector_bytes,
        "simd": simd, "l1_bytes": cpu.l1, "l2_bytes": cpu.l2,
    }  # fmt: skip
    result["peak"] = _peak(sorted({1, threads()})) if peak else []
    problems = []
    if threads() < cpu.cores:
        problems.append(f"{threads()} of {cpu.cores} cores are used: KCOMPILE_NUM_THREADS says so")
    if cpu.vector_bytes < 32 and any(f in features for f in SIMD["x86"]):
        problems.append(
            "no AVX2: kernels run at a fraction of the speed (or KCOMPILE_CPU names a lesser CPU)"
        )
    slow = [
        k
        for k in ("NOOPT", "CHECK", "VERIFY", "DUMP")
        if os.environ.get(f"KCOMPILE_{k}", "0") not in ("", "0")
    ]
    problems += [f"KCOMPILE_{name} is set, which makes everything slow" for name in slow]
    return problems


def _peak(counts: list[int]) -> list[dict[str, Any]]:
    from kcompile.kernels.peak import measure_peak

    found = []
    for count in counts:
        peak = measure_peak(count)
        found.append({"threads": count, "gflops": peak.gflops, "gbytes_per_second": peak.gbytes})
    return found


def _cache(result: dict[str, Any]) -> list[str]:
    """The folder of compiled kernels: there, ours, and writable."""
    from kcompile.runtime.cache import default_cache, default_folder

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        info = default_cache().info()
    result["cache"] = {"folder": info.folder, "files": info.files, "bytes": info.bytes, "limit": info.limit}
    problems = [str(w.message) for w in caught]
    if os.environ.get("KCOMPILE_CACHE") == "0":
        return [*problems, "the cache of kernels is off (KCOMPILE_CACHE=0): every process compiles anew"]
    if not info.folder:
        return problems or [f"the cache folder {default_folder()} is not used: it is no folder, or not safe"]
    parent = default_folder()
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    if not os.access(parent, os.W_OK):
        problems.append(f"the cache folder {info.folder} cannot be written: set KCOMPILE_CACHE_DIR")
    return problems


def _trial(result: dict[str, Any]) -> list[str]:
    """Compile a small model and compare its result."""
    import time

    import numpy as np

    from kcompile import layers
    from kcompile.models import Sequential

    begin = time.perf_counter()
    try:
        model = Sequential([layers.Input((8,)), layers.Dense(4, activation="relu")])
        x = np.linspace(-1, 1, 24, dtype="float32").reshape(3, 8)
        found = np.asarray(model(x))
        kernel, bias = model.get_weights()
    except Exception as error:  # whatever it is, it is what is wrong with this machine
        return [f"a small model does not compile: {type(error).__name__}: {error}"]
    result["trial_us"] = (time.perf_counter() - begin) * 1e6
    right = np.allclose(found, np.maximum(x @ kernel + bias, 0), rtol=1e-5, atol=1e-6)
    return [] if right else ["a small model computes wrong numbers"]


def _lines(result: dict[str, Any]) -> Iterator[str]:
    yield f"python    {result['python']}"
    if "cpu" in result:
        cpu = result["cpu"]
        yield f"cpu       {cpu['name']}: {cpu['cores']} cores, {cpu['threads']} threads used"
        yield f"simd      vectors of {cpu['vector_bits']} bits; {' '.join(cpu['simd']) or 'nothing known'}"
        yield f"caches    {cpu['l1_bytes'] >> 10} KiB and {cpu['l2_bytes'] >> 10} KiB of data per core"
        for row in result["peak"]:
            speed = f"{row['gflops']:.0f} GFLOP/s float32, {row['gbytes_per_second']:.0f} GB/s"
            yield f"peak      {row['threads']} threads: {speed}"
    if "cache" in result:
        cache = result["cache"]
        size = (
            f"{cache['files']} files, {cache['bytes'] / 1e6:.1f} MB of at most {cache['limit'] / 1e6:.0f} MB"
        )
        yield f"cache     {cache['folder'] or 'off'}: {size}"
    for name, found in result["packages"].items():
        missing = (
            f'not installed: pip install "kcompile[{OPTIONAL.get(name)}]"' if name in OPTIONAL else "missing"
        )
        yield f"package   {name} {found or missing}"
    if "trial_us" in result:
        yield f"trial     a small model compiled and ran in {microseconds(result['trial_us'])}"
    for problem in result["problems"]:
        yield f"wrong     {problem}"
    if not result["problems"]:
        yield "nothing is wrong"
