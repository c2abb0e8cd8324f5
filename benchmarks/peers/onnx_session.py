"""onnxruntime on the same model, written with ``onnx.helper``: inference only."""

from __future__ import annotations

import numpy as np
import onnxruntime

from benchmarks import workloads
from benchmarks.contenders import Contender
from benchmarks.peers import Call, Chunk
from benchmarks.peers.onnx_layers import build
from benchmarks.workloads import Workload


def open_session(contender: Contender, work: Workload, threads: int) -> OnnxSession:
    del contender
    return OnnxSession(work, threads)


class OnnxSession:
    """``InferenceSession.run`` on arrays."""

    def __init__(self, work: Workload, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.work = work
        self.session = onnxruntime.InferenceSession(build(work), options, providers=["CPUExecutionProvider"])

    def versions(self) -> dict[str, str]:
        return {"onnxruntime": onnxruntime.__version__}

    def variants(self, measure: str) -> tuple[str, ...]:
        return ("run",) if measure in ("call", "throughput") else ()

    def runner(self, measure: str, variant: str) -> Chunk | Call:
        x = self._input(workloads.data(self.work, self.work.many if measure == "throughput" else 1)[0])
        return lambda: self.session.run(None, {"x": x})

    def _input(self, x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x

    def sample(self) -> list[float]:
        y = self.session.run(None, {"x": self._input(workloads.data(self.work, 4)[0])})[0]
        return (y.transpose(0, 2, 3, 1) if y.ndim == 4 else y).ravel().tolist()
