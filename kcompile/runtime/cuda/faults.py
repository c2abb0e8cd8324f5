"""The error of an emulated device."""

from __future__ import annotations

from kcompile.core.errors import CompileError


class DeviceFault(CompileError):
    """A kernel did what is wrong on a real device: a race, a barrier that some threads miss, memory out of
    bounds...
    """
