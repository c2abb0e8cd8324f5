"""Kernel IR to source text to object code."""
