"""What all tests share: where the caches lie, and the full MNIST file."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Compiled kernels are kept between runs, apart from the user's own cache. Set before kcompile is imported.
os.environ.setdefault("KCOMPILE_CACHE_DIR", str(ROOT / ".pytest_cache" / "kcompile"))
os.environ.setdefault("KCOMPILE_VERIFY", "1")
# Processes that tests start have their bytecode, as those of an installed package do: half a second each.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(scope="session")
def mnist_path() -> Path:
    """The full mnist.npz: in the folder that KCOMPILE_TEST_DATA names, or in ../shared/data."""
    folder = os.environ.get("KCOMPILE_TEST_DATA") or ROOT.parent / "shared" / "data"
    path = Path(folder) / "mnist.npz"
    if not path.is_file():
        pytest.skip(f"the full MNIST is not at {path}; KCOMPILE_TEST_DATA names its folder")
    return path


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_as_in_a_terminal():
    """Worker processes of pytest-xdist ignore SIGINT; here it means what it means to a user's program."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
