"""Fixtures of the tests of files."""

from __future__ import annotations

import pytest

import kcompile
from tests.export.networks import POLICIES


@pytest.fixture(params=POLICIES)
def policy(request):
    before = kcompile.config.dtype_policy()
    kcompile.config.set_dtype_policy(request.param)
    yield request.param
    kcompile.config.set_dtype_policy(before)
