"""Kernels that a team runs, and teams of one to three threads."""

import pytest

from kcompile.codegen.source import KernelSource
from kcompile.runtime.kernels import get_kernels
from kcompile.runtime.team import Team
from tests.runtime.crew import KERNELS


@pytest.fixture(scope="module")
def kernels():
    sources = [
        KernelSource(f"def kernel(args, begin, end, scratch):{body}", name) for name, body in KERNELS.items()
    ]
    return dict(zip(KERNELS, get_kernels(sources), strict=True))


@pytest.fixture(scope="module", params=[1, 2, 3], ids="threads{}".format)
def crew(request):
    one = Team(request.param)
    yield one
    one.close()
