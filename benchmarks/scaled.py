"""Families of workloads that differ in one size: what time and memory are plotted against."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks import zoo
from benchmarks.workloads import WORKLOADS, Workload

STEPS = 8  # in an epoch of each: enough to time, short enough for the largest


@dataclass(frozen=True)
class Axis:
    """``works`` by the size that they differ in."""

    name: str
    title: str
    works: dict[int, Workload]


def _point(axis: str, size: int, base: str, **changes: object) -> Workload:
    work = replace(WORKLOADS[base], name=f"{axis}-{size}", title=f"{axis} {size}", **changes)  # type: ignore[arg-type]
    return replace(work, samples=STEPS * work.batch)


def _axis(name: str, title: str, sizes: tuple[int, ...], point: object) -> Axis:
    assert callable(point)
    return Axis(name, title, {size: point(size) for size in sizes})


AXES: dict[str, Axis] = {
    axis.name: axis
    for axis in (
        _axis(
            "batch",
            "MNIST CNN, by the batch",
            (16, 32, 64, 128, 256),
            lambda size: _point("batch", size, "cnn", batch=size),
        ),
        _axis(
            "depth",
            "ResNet, batch 32, by the layers",
            (20, 56, 110),
            lambda size: _point("depth", size, "resnet32", layers=zoo.resnet(size)),
        ),
        _axis(
            "width",
            "ResNet-20, batch 32, by the first filters",
            (8, 16, 32, 64),
            lambda size: _point("width", size, "resnet32", layers=zoo.resnet(20, size)),
        ),
        _axis(
            "length",
            "transformer, batch 16, by the tokens",
            (32, 64, 128, 256),
            lambda size: _point("length", size, "transformer", input_shape=(size,)),
        ),
        _axis(
            "steps",
            "LSTM 64, batch 32, by the steps",
            (20, 40, 80, 160),
            lambda size: _point("steps", size, "lstm", input_shape=(size,)),
        ),
    )
}

SCALED: dict[str, Workload] = {work.name: work for axis in AXES.values() for work in axis.works.values()}
EVERY: dict[str, Workload] = WORKLOADS | SCALED
