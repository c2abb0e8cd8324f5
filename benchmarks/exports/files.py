"""What is measured of a file: nodes, bytes, results, and onnxruntime's time."""

from __future__ import annotations

import os
import time
import zlib
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


def path_of(folder: Path, exporter: str, case: str) -> Path:
    """Where an exporter writes a case."""
    return folder / f"{exporter}-{zlib.crc32(case.encode()):08x}.onnx"


def predicted(path: Path) -> list[np.ndarray]:
    """What the model of a file computes without it, as its exporter's library told; empty if it did not."""
    beside = path.with_suffix(".npz")
    if not beside.exists():
        return []
    with np.load(beside) as stored:
        return [stored[name] for name in stored]


def write_predicted(path: Path, results: Sequence[Any]) -> None:
    """Keep a model's own results, for `predicted`."""
    arrays = [x.detach().numpy() if hasattr(x, "detach") else np.asarray(x) for x in results]
    np.savez(path.with_suffix(".npz"), *arrays)


def with_rows(arrays: Sequence[np.ndarray], batch: int | None) -> list[np.ndarray]:
    """So many rows of each, repeated where there are fewer; None: as many as there are."""
    return [a if batch is None else np.resize(a, (batch, *a.shape[1:])) for a in arrays]


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
        """The numbers by the names x0, x1 ... of the inputs, of which a file may drop some; where an exporter
        has names of its own, in their order.

        Raises:  ValueError for other names, and fewer of them.
        """
        known = {f"x{k}": a for k, a in enumerate(with_rows(arrays, batch))}
        names = [one.name.partition(":")[0] for one in self.inputs]
        if not known.keys() >= set(names):
            if len(names) != len(arrays):
                raise ValueError(f"inputs {', '.join(names)} are none of {', '.join(known)}")
            names = list(known)
        return {one.name: known[name] for one, name in zip(self.inputs, names, strict=True)}

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
    """The largest difference, over the largest number or 1; infinite where shapes or NaNs differ."""
    from kcompile.export.onnx.compare import difference

    if len(a) != len(b):
        return float("inf")
    pairs = zip(a, b, strict=True)
    return max((difference(x.astype("float64"), y.astype("float64")) for x, y in pairs), default=0.0)
