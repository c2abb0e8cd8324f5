"""Run by real Keras: what the classes of its ops take, for test_ops_of_keras.

KERAS_BACKEND=jax python tests/saving/make_op_class_fixture.py       # writes fixtures/op_classes.json
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path

FILE = Path(__file__).resolve().parent / "fixtures" / "op_classes.json"
MODULES = ("core", "einops", "image", "linalg", "math", "nn", "numpy")


def names(function) -> list[str]:
    """Parameters, with the stars of those that take any number of arguments."""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    found = inspect.signature(function).parameters.values()
    return [stars.get(p.kind, "") + p.name for p in found if p.name not in ("self", "name")]


def main() -> None:
    from keras.src import ops

    found = {}
    for module in (getattr(ops, name) for name in MODULES):
        for name, item in vars(module).items():
            if inspect.isclass(item) and item.__module__ == module.__name__ and hasattr(item, "call"):
                calls = [names(f) for f in (item.call, item.compute_output_spec)]
                found[name] = [module.__name__, names(item.__init__), *calls]
    FILE.write_text(
        "{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(found.items())) + "\n}\n"
    )


if __name__ == "__main__":
    main()
