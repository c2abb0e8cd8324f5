"""Writes tiny_outputs.json: what Keras makes of the workloads in tiny.py. Run from the root:

KERAS_BACKEND=jax python -m tests.benchmarks.make_tiny_outputs
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from benchmarks.contenders import CONTENDERS
from benchmarks.peers.keras_api import open_session
from tests.benchmarks.tiny import TINY


def main() -> None:
    contender = CONTENDERS["model"][f"keras-{os.environ['KERAS_BACKEND']}"]
    sessions = {name: open_session(contender, work, 1) for name, work in TINY.items()}
    found = {name: {"sample": one.sample()[:24], "losses": one.losses()} for name, one in sessions.items()}
    Path(__file__).with_name("tiny_outputs.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
