"""A real browser without a window, for tests of pages."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip


def browser() -> str:
    """The program; the test is skipped where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the PATH")
    return found


def look(page: Path, folder: Path, *wanted: str) -> subprocess.CompletedProcess[str]:
    """Open a page; wanted: what to do with it, as `--dump-dom` or `--screenshot=...`."""
    return subprocess.run(
        [browser(), *QUIET, f"--user-data-dir={folder}", "--enable-logging=stderr", *wanted, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
