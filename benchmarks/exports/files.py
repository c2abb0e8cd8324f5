"""What is measured of a file: nodes, bytes, results, and onnxruntime's time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROUNDS = 7
SECONDS = 0.004  # of a block


def nodes(path: Path) -> int:
    """Nodes, those of bodies too; constants that are written as nodes do not count."""
    import onnx

    return sum(node.op_type != "Constant" for node in _nodes(onnx.load(path, load_external_data=False).graph))


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def size(path: Path) -> int:
    """Bytes, those of a second file with the weights too."""
    beside = path.with_name(f"{path.name}.data")
    return path.stat().st_size + (beside.stat().st_size if beside.exists() else 0)


class Session:
    """A file in onnxruntime. `run` gives the results on some numbers."""

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        self.session = onnxruntime.InferenceSession(
            os.fspath(path), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = self.session.get_inputs()

    @property
    def batch(self) -> int | None:
        """The batch size that the file is fixed to, if any."""
        dims = [one.shape[0] for one in self.inputs if one.shape]
        return dims[0] if dims and isinstance(dims[0], int) else None

    def feeds(self, arrays: Sequence[np.ndarray], batch: int | None) -> dict[str, np.ndarray]:
        """The numbers by the names of the inputs, in their order; a file may drop an input."""
        cut = [a if batch is None else np.resize(a, (batch, *a.shape[1:])) for a in arrays]
        return {one.name: a for one, a in zip(self.inputs, cut, strict=False)}

    def run(self, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        return self.session.run(None, feeds)


def latencies(sessions: dict[str, tuple[Session, dict[str, np.ndarray]]]) -> dict[str, float]:
    """Microseconds of a call of each in its best block, measured in turns: noise only slows."""
    times: dict[str, list[float]] = {name: [] for name in sessions}
    counts = dict.fromkeys(sessions, 1)
    for turn in range(ROUNDS + 1):
        for name, (session, feeds) in sessions.items():
            begin = time.perf_counter()
            for _ in range(counts[name]):
                session.run(feeds)
            passed = (time.perf_counter() - begin) / counts[name]
            if turn:  # the first warms up, and tells how many make a block
                times[name].append(passed * 1e6)
            else:
                session.run(feeds)
                counts[name] = max(1, int(SECONDS / max(passed, 1e-6)))
    return {name: min(found) for name, found in times.items()}


def apart(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> float:
    """The largest difference, over the largest number or 1; infinite where shapes differ."""
    if [x.shape for x in a] != [x.shape for x in b]:
        return float("inf")
    gaps = [np.abs(x.astype("float64") - y).max(initial=0) / max(1, np.abs(y).max(initial=1))
            for x, y in zip(a, b, strict=True)]  # fmt: skip
    return float(max(gaps, default=0.0))
