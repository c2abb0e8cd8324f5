"""Which keys a query sees by its position."""

from __future__ import annotations

from typing import Any

from kcompile import ops


def earlier(t: Any, s: Any) -> Any:
    """(1, t, s): True where the key comes no later than the query.

    >>> earlier(2, 3).tolist()
    [[[True, False, False], [True, True, False]]]
    """
    query, key = _positions(t, s)
    return ops.greater_equal(query, key)


def near(t: Any, s: Any, width: int) -> Any:
    """(1, t, s): True where query and key are fewer than `width` positions apart.

    >>> near(2, 3, 2).tolist()
    [[[True, True, False], [True, True, True]]]
    """
    query, key = _positions(t, s)
    return ops.less(ops.abs(query - key), width)


def _positions(t: Any, s: Any) -> tuple[Any, Any]:
    return ops.reshape(ops.arange(t), (1, t, 1)), ops.reshape(ops.arange(s), (1, 1, s))
