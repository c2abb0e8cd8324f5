"""Where another Python imports from, so that it finds this very package."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = str(Path(__file__).absolute().parents[2])  # where this package lies


def import_path() -> list[str]:
    """`sys.path` in full. "" stands for the current folder, which may be another one by now: without it."""
    found = [os.path.abspath(path) for path in sys.path if path]
    return found if ROOT in found else [ROOT, *found]
