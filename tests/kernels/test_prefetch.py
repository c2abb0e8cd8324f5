"""Prefetching: the instruction is there, and no address faults."""

import pytest

from kcompile.kernels import native, prefetch


@pytest.mark.parametrize("write", [False, True])
def test_prefetch_emits_its_instruction_and_never_faults(write):
    module = prefetch.build(write)
    assert "prefetch" in native.assembly(module) or "prfm" in native.assembly(module)
    function = native.load(module)
    for address, count in [(0, 0), (0, 1), (1 << 40, 4096)]:
        function.function(prefetch.symbol(write), 2)(address, count)
