"""Errors that say in which layer they happened."""

from __future__ import annotations

from typing import Any

from kcompile.core.errors import add_place


def locate(error: Exception, layer: Any, path: str) -> None:
    """Add the layer to the message of an error from `call`; the innermost layer does it, the type stays."""
    if getattr(error, "_kcompile_layer", None) or not error.args or not isinstance(error.args[0], str):
        return
    where = f'layer "{layer.name}" ({type(layer).__name__})' + (
        f", path {path}" if path != layer.name else ""
    )
    error._kcompile_layer = path  # type: ignore[attr-defined]
    add_place(error, f"{where}, in {type(layer).__name__}.call()")
