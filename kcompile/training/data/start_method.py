"""How worker processes begin: as fresh ones where the program allows it, else as forks of this one.

A fresh process (spawned) inherits no lock that a thread held by chance. But it imports the program's main
module anew, which runs a script without `if __name__ == "__main__"` from its beginning, and what it works on
must be pickled.
"""

from __future__ import annotations

import ast
import multiprocessing
import sys
from pathlib import Path


def start_method(copy: bytes | None) -> str:
    """ "spawn" or "fork". copy: the data set as it was pickled, None where that is impossible."""
    if "fork" not in multiprocessing.get_all_start_methods():
        return "spawn"
    if copy is None:
        return "fork"
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    if path is None:  # typed in, or in a notebook: a fresh process has nothing of it
        return "fork" if b"__main__" in copy else "spawn"
    return "spawn" if is_guarded(path) else "fork"


def is_guarded(path: str) -> bool:
    """Does a script say what it does when it is the main one? Only then can it be imported a second time."""
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    tests = [node.test for node in tree.body if isinstance(node, ast.If)]
    return any(isinstance(n, ast.Name) and n.id == "__name__" for test in tests for n in ast.walk(test))
