"""Makes the numbers and texts of real Keras that tests compare with.

KERAS_BACKEND=jax python tests/parity/make_training_fixtures.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import history_cases
import progress_cases
import progress_run
import training_cases as cases

results: dict[str, np.ndarray] = {}


def make_losses() -> None:
    for name, loss, kind in cases.losses(keras):
        y_true, y_pred, weight = cases.loss_data(kind)
        for reduction in cases.REDUCTIONS:
            loss.reduction = reduction
            results[f"loss/{name}/{reduction}"] = np.asarray(loss(y_true, y_pred))
            if "Dice" not in name and "Tversky" not in name and "axis0" not in name:
                results[f"loss/{name}/{reduction}/weighted"] = np.asarray(loss(y_true, y_pred, weight))
        loss.reduction = "sum_over_batch_size"
        slope = jax.grad(lambda p, y=y_true, f=loss: f(y, p))
        results[f"loss/{name}/gradient"] = np.asarray(slope(y_pred))


def make_metrics() -> None:
    for name, metric, kind in cases.metrics(keras):
        y_true, y_pred, weight = cases.loss_data(kind)
        values = []
        for part in (slice(0, 4), slice(4, 7)):
            metric.update_state(y_true[part], y_pred[part])
            values.append(np.array(metric.result()))
        metric.update_state(y_true, y_pred, sample_weight=weight)
        results[f"metric/{name}"] = np.array([*values, np.array(metric.result())])


def make_optimizers() -> None:
    for name, optimizer in cases.optimizers(keras):
        variables = cases.variables(keras)
        optimizer.build(variables)
        for gradients in cases.gradients():
            optimizer.apply_gradients(
                zip(map(keras.ops.convert_to_tensor, gradients), variables, strict=True)
            )
        optimizer.finalize_variable_values(variables)
        for k, variable in enumerate([*variables, *optimizer.variables]):
            results[f"optimizer/{name}/{k}"] = np.asarray(variable)
        results[f"optimizer/{name}/names"] = np.array([v.name for v in optimizer.variables])
    for name, schedule in cases.schedules(keras):
        results[f"schedule/{name}"] = np.array([float(schedule(step)) for step in cases.SCHEDULE_STEPS])


def make_trajectories() -> None:
    for name in cases.MODELS:
        for key, value in cases.trajectory(keras, name).items():
            results[f"trajectory/{name}/{key}"] = value


def make_histories(path: Path) -> None:
    found = {name: case(keras) for name, case in history_cases.make_cases().items()}
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    printed = subprocess.run(
        [sys.executable, __file__, "masked"], env=environment, capture_output=True, check=True
    )
    found |= json.loads(printed.stdout.splitlines()[-1])
    path.write_text(json.dumps(found, indent=0))


def print_masked() -> None:
    cases_ = history_cases.make_cases()
    print(json.dumps({name: cases_[name](keras) for name in history_cases.MASKED}))


def make_progress(path: Path) -> None:
    path.write_bytes(progress_cases.printed(keras.utils.Progbar, "keras.src.utils.progbar"))


def make_progress_of_runs(path: Path) -> None:
    found = {}
    for place in progress_run.PLACES:
        command = [sys.executable, progress_run.__file__, "keras", *["notebook"] * (place == "notebook")]
        found[place] = progress_run.printed(command, place, dict(os.environ)).decode()
    path.write_text(json.dumps(found, indent=0) + "\n")


def save(path: Path, arrays: dict[str, Any]) -> None:
    np.savez_compressed(path, **arrays)
    print(f"{path}: {len(arrays)} arrays, {path.stat().st_size} bytes")


if __name__ == "__main__" and sys.argv[1:] == ["masked"]:
    print_masked()
elif __name__ == "__main__":
    for make in (make_losses, make_metrics, make_optimizers, make_trajectories):
        make()
    here = Path(__file__).parent
    save(here / "training.npz", results)
    make_histories(here / "histories.json")
    make_progress(here / "progress.bin")
    make_progress_of_runs(here / "progress_run.json")
