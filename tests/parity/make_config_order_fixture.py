"""Makes config_orders.json: the keys of Keras 3's configs, in order, for config_order_cases.py.

KERAS_BACKEND=jax python tests/parity/make_config_order_fixture.py
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import keras  # noqa: E402

from tests.parity.config_order_cases import cases, orders  # noqa: E402


def main() -> None:
    rows = [f"{json.dumps(n)}: {json.dumps(orders(make(keras).get_config()))}" for n, make in cases().items()]
    (HERE / "config_orders.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
