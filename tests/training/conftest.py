"""Training tests run op by op through NumPy, where nothing must be compiled; those marked `compiled` run
kernels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kcompile.core.config import config


@pytest.fixture(autouse=True)
def target(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("compiled"):
        yield
        return
    with config(target="reference"):
        yield
