"""Callbacks are tested on steps that run op by op."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kcompile.core.config import config


@pytest.fixture(autouse=True)
def target() -> Iterator[None]:
    with config(target="reference"):
        yield
