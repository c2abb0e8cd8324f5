"""Measurements of kcompile beside its peers: ``python -m benchmarks --help``."""
