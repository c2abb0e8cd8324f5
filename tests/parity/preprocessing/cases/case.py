"""The table of cases, and what the results of a case are turned into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

CASES: dict[str, Callable[[Any], Any]] = {}
TEXTS = ["Hello, World! hello", "b É a-b c", "", "x\ty  hello"]
WORDS = ["a", "", "abc", "abcdefgh", "x" * 16, "y" * 17, "z" * 32, "z" * 33, "w" * 64, "w" * 65, "é" * 100]
INTS = [1, 12, -5, 123456789, 1234567, -(2**63), 2**63 - 1, 12345678901234567, -99999999, 0, 1000]
SHAPES = [(3,), (2, 3), (2, 1), (2, 2, 2), ()]


def case(name: str) -> Callable[[Any], Any]:
    def add(function: Any) -> Any:
        assert name not in CASES
        CASES[name] = function
        return function

    return add


def plain(x: Any) -> Any:
    """A result as JSON can hold it."""
    if isinstance(x, dict):
        return {key: plain(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [plain(value) for value in x]
    if isinstance(x, (str, bool, int, float, type(None))) and not isinstance(x, np.generic):
        return x
    if isinstance(x, (np.str_, np.integer)):
        return x.item()
    array = np.asarray(x)
    values = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in array.ravel().tolist()]
    return {"dtype": array.dtype.name, "shape": list(array.shape), "values": values}


def outcome(keras: Any, name: str) -> Any:
    """What a case returns in Keras, or the exception that it raises."""
    try:
        return plain(CASES[name](keras))
    except (ValueError, TypeError, RuntimeError) as error:
        return {"error": type(error).__name__}
    except Exception as error:
        early = type(error).__name__ == "FailedPreconditionError"
        return {"error": "RuntimeError" if early else "ValueError"}
