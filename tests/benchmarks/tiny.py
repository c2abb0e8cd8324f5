"""Workloads that take milliseconds and hold every kind of layer, with odd sizes."""

from __future__ import annotations

from benchmarks import zoo
from benchmarks.network import (
    Activation,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Depthwise,
    Embedding,
    Flatten,
    GlobalAverage,
    MaxPool,
    Recurrent,
    Residual,
    UpSample,
)
from benchmarks.workloads import Workload

_STEM = (Conv(4, 3, stride=2, same=True, bias=False), BatchNorm(), Activation("relu6"))
_BRANCH = (Conv(5, 1, "relu"), Depthwise(3, 2), BatchNorm(), Conv(6, 1, same=True))
_SHORTCUT = (Conv(6, 1, stride=2, same=True),)
_IMAGE = (*_STEM, MaxPool(3, 2, same=True), Residual(_BRANCH, _SHORTCUT), Activation("relu"), GlobalAverage())
_CODER = (
    Conv(3, 3, "relu", stride=2, same=True),
    ConvTranspose(5, 4, 2, "relu"),
    MaxPool(2),
    UpSample(2),
    Conv(1, 3, "sigmoid", same=True),
)
_CHAIN = (Conv(3, 2, "gelu"), MaxPool(2), Flatten(), Dense(5, "relu"), Dense(4, "softmax"))
_TABLE = (Dense(7), BatchNorm(), Activation("relu"), Dense(1))


def _text(kind: str, both: bool) -> Workload:
    layers = (Embedding(20, 3), Recurrent(kind, 5, both), Dense(1, "sigmoid"))
    name = ("bi" if both else "") + kind
    return Workload(name, name, (7,), layers, 3, 9, loss="binary", vocabulary=20)


TINY: dict[str, Workload] = {
    work.name: work
    for work in (
        Workload("chain", "chain", (7, 6, 2), _CHAIN, 4, 12),
        Workload("image", "image", (15, 16, 3), (*_IMAGE, Dense(4, "softmax")), 4, 12),
        Workload("coder", "coder", (8, 12, 1), _CODER, 3, 9, loss="mse"),
        Workload("table", "table", (6,), _TABLE, 8, 24, loss="mse"),
        *(_text(kind, both) for kind in ("lstm", "gru") for both in (False, True)),
        Workload("tokens", "tokens", (5,), zoo.transformer(8, 2, 12, 1), 3, 9, vocabulary=12),
    )
}
