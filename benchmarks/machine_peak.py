"""Prints the machine's measured limits with so many threads: GFLOP/s of multiply-adds and GB/s of memory."""

from __future__ import annotations

import sys

from kcompile.kernels.peak import measure_peak

if __name__ == "__main__":
    peak = measure_peak(int(sys.argv[1]))
    print(peak.gflops, peak.gbytes)
