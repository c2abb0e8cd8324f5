"""All programs, by the backend of Keras that the numbers to compare with come from."""

from __future__ import annotations

from typing import Any

from tests.parity.guides.files import FILES
from tests.parity.guides.models import MODELS
from tests.parity.guides.penalties import PENALTIES
from tests.parity.guides.steps import STEPS

BY_BACKEND = {"tensorflow": STEPS | PENALTIES, "jax": MODELS | FILES}


def run(keras: Any, tape: Any, backend: str, name: str) -> dict[str, Any]:
    """What a program comes to, with names of layers that do not depend on those before it."""
    keras.utils.clear_session()
    found: dict[str, Any] = BY_BACKEND[backend][name](keras, tape)
    return found
