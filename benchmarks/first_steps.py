"""How long a layer takes to its first training step where nothing is compiled yet:
``python -m benchmarks.first_steps [--only LAYER,...] [--all] [--rounds N]``.

Each layer is alone with a Dense layer behind it, in a process of its own with an empty cache. Counted is from
the import of kcompile to the end of the step. One configuration of the parity tests stands for each class;
``--all`` takes all of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import environment
from tests.parity.layer_cases import CASES
from tests.parity.layer_cases.case import Case, case

ROOT = Path(__file__).parent.parent
BAR = 1.5  # seconds
PHOTOS = (8, 32, 32, 3)
# Layers without parity cases of one layer: their numbers are random, or they hold other layers.
AUGMENTATION = (
    "AugMix", "ContrastLimitedAdaptiveHistogramEqualization", "RandAugment", "RandomColorJitter",
    "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomPerspective", "Solarization",
)  # fmt: skip
MORE = [
    *(case(name, PHOTOS) for name in AUGMENTATION),
    case("RandomContrast", PHOTOS, factor=0.5),
    case("RandomSaturation", PHOTOS, factor=0.5),
    case("RandomShear", PHOTOS, x_factor=0.3, y_factor=0.2),
    case("MelSpectrogram", (2, 8000)),
    Case("Bidirectional", {"layer": ("LSTM", 4)}, ((2, 5, 3),)),
    Case("TimeDistributed", {"layer": ("Dense", 4)}, ((2, 5, 3),)),
    Case("RNN", {"cell": ("GRUCell", 4)}, ((2, 5, 3),)),
    Case("SpectralNormalization", {"layer": ("Dense", 4)}, ((2, 5),)),
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_steps", description=__doc__)
    parser.add_argument("--only", help="classes of layers, comma-separated")
    parser.add_argument("--all", action="store_true", help="every configuration of the parity tests")
    parser.add_argument("--rounds", type=int, default=1, help="the median of so many starts counts")
    options = parser.parse_args()
    console = Console()
    numbers = [k for k, one in enumerate(ALL) if options.only is None or one.layer in options.only.split(",")]
    if not options.all:
        numbers = list({ALL[k].layer: k for k in reversed(numbers)}.values())
    seconds(numbers[0])  # leaves the bytecode of a source tree behind
    times: dict[str, float] = {}
    failed: dict[str, str] = {}
    for k in track(numbers, console=console, description="first steps"):
        try:
            times[ALL[k].name] = median(seconds(k) for _ in range(options.rounds))
        except RuntimeError as error:
            failed[ALL[k].name] = str(error)
    console.print(table(times))
    for name, reason in failed.items():
        console.print(f"{name}: {reason}", highlight=False)
    above = sum(s > BAR for s in times.values())
    console.print(f"{len(times)} layers, {above} above {BAR} s, median {median(times.values()):.2f} s")


def table(times: dict[str, float]) -> Table:
    """The slowest first."""
    found = Table("layer", "seconds", title="from the import to the first training step, cache empty")
    for name, value in sorted(times.items(), key=lambda item: -item[1]):
        found.add_row(name[:90], f"{value:.2f}")
    return found


def seconds(number: int) -> float:
    """A fresh process with an empty cache. Raises: RuntimeError with its last words if it fails."""
    with tempfile.TemporaryDirectory() as cache:
        run = subprocess.run(
            [sys.executable, "-c", f"from benchmarks.first_steps import first_step; first_step({number})"],
            cwd=ROOT, capture_output=True, text=True, check=False,
            env={**environment.inherited(), "KCOMPILE_CACHE_DIR": cache},
        )  # fmt: skip
    if run.returncode:
        raise RuntimeError(run.stderr.strip().splitlines()[-1])
    return float(run.stdout.split()[-1])


def first_step(number: int) -> None:
    """In the fresh process: build, compile, train on one batch."""
    from time import perf_counter

    one = ALL[number]
    arrays = [np.abs(a) if one.layer in AUGMENTATION else a for a in one.inputs()]
    start = perf_counter()
    import kcompile as keras

    inputs = [keras.Input(a.shape[1:], dtype=a.dtype.name) for a in arrays]
    arguments = {name: _inner(keras, value) for name, value in one.kwargs.items()}
    y = getattr(keras.layers, one.layer)(**arguments)(*one.arranged(inputs), **one.options)
    outputs = [
        keras.layers.Dense(1)(keras.layers.Flatten()(part))
        for part in (y if isinstance(y, (list, tuple)) else [y])
    ]
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    model.train_on_batch(arrays, [np.zeros((len(arrays[0]), 1), "float32") for _ in outputs])
    print(perf_counter() - start)


def _inner(keras: Any, value: Any) -> Any:
    """A layer that is an argument: its class and its size."""
    is_layer = isinstance(value, tuple) and isinstance(value[0], str)
    return getattr(keras.layers, value[0])(value[1]) if is_layer else value


ALL: list[Case] = [*CASES, *MORE]

if __name__ == "__main__":
    main()
