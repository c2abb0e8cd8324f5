"""The measured limits of the machine."""

from kcompile.kernels.peak import measure_peak


def test_peak_of_one_thread_is_physical():
    peak = measure_peak(1)
    assert 1 < peak.gflops < 2000 and 0.5 < peak.gbytes < 2000


def test_float64_peak_is_below_that_of_float32():
    assert measure_peak(1, "float64").gflops < measure_peak(1, "float32").gflops
