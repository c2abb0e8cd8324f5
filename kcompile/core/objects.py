"""What users give by name, config or object ("relu", {"class_name": ...}, HeNormal()) becomes one object."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kcompile.core import registry
from kcompile.core.errors import message
from kcompile.core.serialization import deserialize_keras_object


def publish(module: str, classes: Sequence[type]) -> dict[str, Any]:
    """Make classes known in a public module; returns the names they answer to: own and snake case."""
    registry.publish(module, {cls.__name__: cls for cls in classes})
    names = {cls.__name__: cls for cls in classes}
    # As Keras splits names: "MaxNorm" is max_norm, "L1L2" is l1l2, "STFTInitializer" is stft_initializer.
    word = r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
    return names | {re.sub(word, "_", name).lower(): cls for name, cls in names.items()}


def get(kind: str, identifier: Any, known: Mapping[str, Any], module: str) -> Any:
    """The object that `identifier` stands for; None stays None.

    known: names and what they stand for. module: the public module whose classes a config may name.
    Raises: ValueError for what cannot be interpreted; it says what is near.
    """
    if identifier is None:
        return None
    found = identifier
    if isinstance(identifier, dict):
        found = deserialize_keras_object(identifier, module=module)
    elif isinstance(identifier, str):
        found = known.get(identifier) or registry.find_custom(identifier)
    if inspect.isclass(found):
        found = found()
    if callable(found):
        return found
    near = difflib.get_close_matches(str(identifier), known, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise ValueError(message(f"Could not interpret {kind} identifier: {identifier}", hint=hint))
