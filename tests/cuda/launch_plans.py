"""The launch plan of the MNIST CNN's training step, with what an emulated run of it touched.

python -m tests.cuda.launch_plans   writes launch_plan.json anew; read the difference.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import kcompile as keras
from kcompile.core.config import config
from kcompile.runtime.cuda.device import device_of
from kcompile.runtime.cuda.emulated import EmulatedDevice
from kcompile.runtime.cuda.executable import CudaExecutable
from tests.cuda.models import digits, mnist_cnn

GOLDEN = Path(__file__).with_name("launch_plan.json")
BATCH = 3


def executable() -> CudaExecutable:
    """The compiled training step of a narrow MNIST CNN, run once on the emulated device."""
    keras.utils.set_random_seed(3)
    model = mnist_cnn((4, 6), 8, side=12, optimizer=keras.optimizers.Adadelta(1.0))
    data = digits(BATCH, 12)
    model.train_on_batch(*data)
    run = model._training.programs.batch("train", (*data, None)).run
    assert isinstance(run, CudaExecutable)
    return run


def described() -> dict[str, Any]:
    """The plan, and per launch and argument the lowest and highest element used."""
    device = device_of("cuda-emulated")
    assert isinstance(device, EmulatedDevice)
    device.record = []
    with config(target="cuda-emulated"):
        program = executable()
    launches, device.record = device.record, None
    (bound,) = program._bound.values()
    plan = bound.plan.describe()  # type: ignore[attr-defined]
    for launch, done in zip(plan["launches"], launches, strict=True):
        launch["touched"] = [[t.low, t.high] for t in done.touched]
        del launch["source"]  # its text may change without the plan
    return plan


def text(plan: dict[str, Any]) -> str:
    """JSON with a line per buffer and launch."""
    lines = ["{"]
    for key, value in plan.items():
        rows = ",\n".join(f"    {json.dumps(row)}" for row in value) if isinstance(value, list) else ""
        inner = f"[\n{rows}\n  ]" if rows and isinstance(value[0], dict) else json.dumps(value)
        lines.append(f'  "{key}": {inner},')
    return "\n".join(lines)[:-1] + "\n}\n"


if __name__ == "__main__":
    GOLDEN.write_text(text(described()))
