"""Messages to the user: printed on standard output, or logged when interactive logging is off."""

from __future__ import annotations

import sys

_interactive = True


def enable_interactive_logging() -> None:
    """Print progress and messages on standard output (the default)."""
    global _interactive
    _interactive = True


def disable_interactive_logging() -> None:
    """Send progress and messages to the logger "kcompile" instead of standard output."""
    global _interactive
    _interactive = False


def is_interactive_logging_enabled() -> bool:
    return _interactive


def print_msg(text: str, line_break: bool = True) -> None:
    """One message. Where the output's encoding lacks characters, bars are made of "=" and others left out."""
    if not _interactive:
        import logging

        logging.getLogger("kcompile").info(text)
        return
    text = text + "\n" if line_break else text
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.replace("━", "=").encode(encoding, "ignore").decode(encoding))
    sys.stdout.flush()
