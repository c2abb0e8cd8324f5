"""``kcompile devices``."""

from __future__ import annotations

from importlib.util import find_spec

import click


@click.command()
@click.option("--peak", is_flag=True, help="Measure the peaks of arithmetic and memory too (0.2 s).")
def command(peak: bool) -> None:
    """Show the CPU kernels are compiled for, and CUDA devices."""
    from kcompile.kernels.host import host

    cpu = host()
    click.echo(f"cpu     {cpu.name}, {cpu.cores} cores, vectors of {8 * cpu.vector_bytes} bits")
    click.echo(f"caches  {cpu.l1 >> 10} KiB and {cpu.l2 >> 10} KiB of data per core")
    if peak:
        _show_peak(cpu.cores)
    click.echo(f"cuda    {_cuda()}")


def _show_peak(cores: int) -> None:
    from kcompile.kernels.peak import measure_peak

    for threads in sorted({1, cores}):
        found = measure_peak(threads)
        click.echo(f"peak    {threads} threads: {found.gflops:.0f} GFLOP/s float32, {found.gbytes:.0f} GB/s")


def _cuda() -> str:
    if find_spec("numba_cuda") is None:
        return 'not installed: pip install "kcompile[cuda13]" (or cuda12)'
    from numba import cuda  # 0.6 s, and only where the extra is installed

    try:
        return "; ".join(device.name.decode() for device in cuda.gpus)
    except cuda.CudaSupportError as error:
        return f"no device: {str(error).strip().splitlines()[0]}"
