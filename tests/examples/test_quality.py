"""Each example states how good it gets, and its full form ends with an error if it gets worse."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
# One makes a file for another, and the classic one can be run for any number of epochs.
OTHERS = ("pretrained_digits", "mnist_cnn")
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem not in OTHERS)


def guards(tree: ast.Module) -> list[str]:
    """The conditions under which `main` ends with an error."""
    main = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    return [
        ast.unparse(node.test)
        for node in ast.walk(main)
        if isinstance(node, ast.If) and "SystemExit" in ast.unparse(ast.Module(node.body, []))
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_full_form_is_held_to_what_the_program_states(name):
    tree = ast.parse((EXAMPLES / f"{name}.py").read_text())
    [guard] = guards(tree)
    assert guard.startswith("not options.short and (not ") and guard.endswith(" ENOUGH)")  # NaN is not enough
    [full] = [line for line in ast.get_docstring(tree).splitlines() if f"{name}.py  " in line]
    said = full.partition("#")[2]
    assert any(character.isdigit() for character in said), "the docstring states what the full form reaches"


def test_there_are_ten():
    assert len(NAMES) == 10
