"""``kcompile devices``."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import click

from kcompile.cli.reporting import examples, json_option, show


@click.command(epilog=examples("kcompile devices", "kcompile devices --peak --json"))
@click.option("--peak", is_flag=True, help="Measure the peaks of arithmetic and memory too (0.2 s).")
@json_option
def command(peak: bool, as_json: bool) -> None:
    """Show the CPU kernels are compiled for, and CUDA devices."""
    from kcompile.kernels.host import host

    cpu = host()
    result: dict[str, Any] = {
        "cpu": cpu.name, "cores": cpu.cores, "vector_bits": 8 * cpu.vector_bytes, "l1_bytes": cpu.l1,
        "l2_bytes": cpu.l2, "cuda": _cuda(), "peak": _peak(cpu.cores) if peak else [],
    }  # fmt: skip
    lines = [
        f"cpu     {cpu.name}, {cpu.cores} cores, vectors of {8 * cpu.vector_bytes} bits",
        f"caches  {cpu.l1 >> 10} KiB and {cpu.l2 >> 10} KiB of data per core",
        *(
            f"peak    {row['threads']} threads: {row['gflops']:.0f} GFLOP/s float32, {row['gbytes']:.0f} GB/s"
            for row in result["peak"]
        ),
        f"cuda    {result['cuda']}",
    ]
    show(result, lines, as_json)


def _peak(cores: int) -> list[dict[str, float]]:
    from kcompile.kernels.peak import measure_peak

    found = [(threads, measure_peak(threads)) for threads in sorted({1, cores})]
    return [{"threads": t, "gflops": peak.gflops, "gbytes": peak.gbytes} for t, peak in found]


def _cuda() -> str:
    if find_spec("numba_cuda") is None:
        return 'not installed: pip install "kcompile[cuda13]" (or cuda12)'
    from numba import cuda  # 0.6 s, and only where the extra is installed

    try:
        return "; ".join(device.name.decode() for device in cuda.gpus)
    except cuda.CudaSupportError as error:
        return f"no device: {str(error).strip().splitlines()[0]}"
