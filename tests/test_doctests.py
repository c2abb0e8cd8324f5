"""The examples in docstrings of kcompile and kcompile.kernels."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def modules_with_examples() -> list[str]:
    files = [*(ROOT / "kcompile").rglob("*.py"), *(ROOT / "kernels").rglob("*.py")]
    return sorted(module_name(path) for path in files if ">>> " in path.read_text())


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = ("kcompile", *parts) if parts[0] == "kernels" else parts
    return ".".join(part for part in parts if part != "__init__")


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_of(name):
    result = doctest.testmod(import_module(name), optionflags=FLAGS)
    assert result.attempted > 0
    assert result.failed == 0
