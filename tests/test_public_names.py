"""`from module import *` gives Keras's names, the lazy ones too, and nothing of the library's own."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest

from kcompile.core import public_names
from tests import scripts

script = scripts.script("make_keras_coverage")
STORED = json.loads(script.STORED.read_text())
MODULES = ["kcompile", *(f"kcompile.{name}" for name in public_names._NAMES if name)]


def test_the_names_are_not_stale():
    assert script.NAMES.read_text() == script.public_names(STORED), "run `python docs/make_keras_coverage.py`"


@pytest.mark.parametrize("name", MODULES)
def test_every_module_gives_its_names(name):
    module = importlib.import_module(name)
    assert module.__all__ == public_names.of(name)
    given: dict[str, object] = {}
    exec(f"from {name} import *", given)
    assert given.keys() - {"__builtins__"} == set(module.__all__)
    known = STORED["modules"].get(name.replace("kcompile", "keras"), {})
    assert {n for n in module.__all__ if type(given[n]) is not type(sys)} <= known.keys()


def test_names_of_the_user_are_not_replaced():
    text = "np = 'mine'; Any = 'mine'; from kcompile.models import *; from kcompile.utils import *; "
    text += "from kcompile import *; print(np, Any, load_model.__name__, set_random_seed.__name__, layers)"
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
    assert found.startswith("mine mine load_model set_random_seed <module ")
