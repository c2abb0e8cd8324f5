"""Where the user's code is: warnings point there."""

from __future__ import annotations

import sys


def users_level() -> int:
    """The `stacklevel` with which a warning of the calling function points out of this library.

    >>> users_level() > 0
    True
    """
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "kcompile":
        frame, level = frame.f_back, level + 1
    return level
