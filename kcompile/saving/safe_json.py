"""JSON from a file that a stranger made: plain data only, within limits that no honest model reaches."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from kcompile.core.errors import message

MAX_BYTES = 16 << 20
MAX_DEPTH = 64
MAX_OBJECTS = 50_000  # entries with a class_name: layers, initializers, policies ...
MAX_STRING = 1 << 16
MAX_INT = 1 << 53

# A string that nobody closes goes to the end: each character is looked at once, whatever the text.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
# Names of classes and of where they come from; "package>Name" for those that a user registered.
_ADDRESS = re.compile(r"[\w.>/<-]*", re.ASCII)
_ADDRESSES = ("class_name", "module", "registered_name")


def parse(data: bytes | str, what: str) -> Any:
    """The data that a JSON text holds.

    Raises:  ValueError, which names the file part `what`, for invalid JSON, NaN and infinities, duplicate
             keys, names with odd characters, and whatever exceeds the limits above.
    """
    if len(data) > MAX_BYTES:
        raise refused(what, f"{len(data):,} bytes", f"at most {MAX_BYTES:,}")
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        raise refused(what, f"not UTF-8: {error}", "text in UTF-8") from error
    _check_depth(text, what)
    try:
        found = json.loads(
            text,
            object_pairs_hook=lambda pairs: _object(pairs, what),
            parse_constant=lambda name: _number(name, what),
            parse_int=lambda digits: _int(digits, what),
            parse_float=lambda digits: _float(digits, what),
        )
    except json.JSONDecodeError as error:
        raise refused(what, f"not JSON: {error}", "JSON") from error
    _check(found, what)
    return found


def refused(what: str, received: str, expected: str) -> ValueError:
    """The error for a part of a file that is damaged or hostile."""
    return ValueError(message(f"{what} is refused.", expected=expected, received=received))


def _check_depth(text: str, what: str) -> None:
    """Before parsing, because the parser recurses."""
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", _STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise refused(what, "deeper nesting", f"at most {MAX_DEPTH} levels")


def _object(pairs: list[tuple[str, Any]], what: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise refused(what, f"the key {name[:80]!r} twice", "each key once")
        found[name] = value
    return found


def _number(name: str, what: str) -> Any:
    raise refused(what, name, "finite numbers")


def _int(digits: str, what: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > MAX_INT:
        raise refused(what, f"the number {digits[:40]}", f"integers up to {MAX_INT:,}")
    return int(digits)


def _float(digits: str, what: str) -> float:
    found = float(digits)
    if not math.isfinite(found):
        raise refused(what, f"the number {digits[:40]}", "finite numbers")
    return found


def _check(root: Any, what: str) -> None:
    """Lengths of strings, number of objects, and their names."""
    waiting, objects = [root], 0
    while waiting:
        item = waiting.pop()
        if isinstance(item, str) and len(item) > MAX_STRING:
            raise refused(what, f"a string of {len(item):,} characters", f"at most {MAX_STRING:,}")
        if isinstance(item, list):
            waiting.extend(item)
        if isinstance(item, dict):
            waiting.extend([*item, *item.values()])
            objects += "class_name" in item
            _check_names(item, what)
    if objects > MAX_OBJECTS:
        raise refused(what, f"{objects:,} objects", f"at most {MAX_OBJECTS:,}")


def _check_names(item: dict[str, Any], what: str) -> None:
    for key in _ADDRESSES:
        name = item.get(key)
        if isinstance(name, str) and (not _ADDRESS.fullmatch(name) or ".." in name or len(name) > 256):
            raise refused(what, f"{key} {name[:80]!r}", "letters, digits and _ . - / > <")
    name = item.get("name")
    if isinstance(name, str) and (not name.isprintable() or len(name) > 1024 or ".." in name.split("/")):
        raise refused(what, f"the name {name[:80]!r}", "printable characters")
