"""Kernels through PTX and ptxas. Skipped without the CUDA wheels (0.8 GB); `tests.cuda.check_ptx` prints the
figures.
"""

from __future__ import annotations

import pytest

from tests.cuda import ptx
from tests.cuda.check_ptx import kernels

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(ptx.missing()), reason=ptx.missing() or "installed")]


@pytest.mark.parametrize("cc", ptx.CAPABILITIES, ids=lambda cc: f"sm_{cc[0]}{cc[1]}")
def test_kernels_fit(cc):
    wrong = [f"{k.name}: {fault}" for k in kernels() for fault in ptx.faults(k, ptx.figures(k, cc))]
    assert wrong == []


def test_a_kernel_that_numba_refuses_is_named():
    from dataclasses import replace

    from kcompile.codegen.cuda_build import ptx as compiled
    from kcompile.core.errors import CompileError

    source = replace(
        kernels()[0].source, text="def kernel(x0):\n    x0[at(0)] = nowhere\n", arrays=("float32",), numbers=0
    )
    with pytest.raises(CompileError, match="does not compile for CUDA"):
        compiled(source, (8, 0))
