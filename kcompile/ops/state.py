"""What ops must know of traces: whether one runs, and which variables a function assigns in it.

`trace` installs itself here, so that no op imports it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Scope(Protocol):
    """A running trace."""

    records: bool  # is a graph made, or are variables only redirected?

    def branch(self, held: dict[Any, Any]) -> Any:
        """A context for a function that may run or not, or often: gives the new values of variables."""

    def read(self, variable: Any) -> Any:
        """What a variable holds by now, in its own dtype."""


_find: list[Any] = [lambda: None]


def install(find: Any) -> None:
    """find() gives the running trace, or None."""
    _find[0] = find


def is_tracing() -> bool:
    scope = _find[0]()
    return scope is not None and scope.records


def read(variable: Any) -> Any:
    """What a variable holds by now, in its own dtype, whatever layers compute in."""
    return _find[0]().read(variable)


@contextmanager
def branch(held: dict[Any, Any]) -> Iterator[dict[Any, Any]]:
    """Inside, variables in `held` have these values; afterwards all variables are as before.

    Gives a dictionary that is filled, at the end, with the new values of those that were assigned.
    """
    scope = _find[0]()
    if scope is None:
        yield {}
        return
    with scope.branch(held) as changes:
        yield changes
