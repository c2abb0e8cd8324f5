"""Contractions (dense, einsum, convolutions and their gradients): micro-kernels and transposition."""
