"""A plan's kernels on a device: memory for its values, launches in order, copies around them."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcompile.codegen.cuda_source import CudaKernel
from kcompile.core import dtypes, symbolic
from kcompile.ir.graph import Value
from kcompile.runtime.chains import Chain, each_alone
from kcompile.runtime.cuda.device import Device
from kcompile.runtime.cuda.launches import Buffer, LaunchPlan, bind
from kcompile.runtime.program import ArenaRange
from kcompile.schedule.plan import Plan


class DeviceVariables:
    """The variables' memory on one device, shared by all programs.

    current: for each variable, the count of writes to variables at which device and host held the same.
    """

    def __init__(self, device: Device):
        self.device = device
        self.views: weakref.WeakKeyDictionary[Value, Any] = weakref.WeakKeyDictionary()
        self.current: weakref.WeakKeyDictionary[Value, int] = weakref.WeakKeyDictionary()

    def view(self, b: Buffer) -> Any:
        if b.value not in self.views:
            self.views[b.value] = self.device.view(self.device.allocate(b.size), 0, b.elements, b.dtype)
        return self.views[b.value]


_variables: weakref.WeakKeyDictionary[Any, DeviceVariables] = weakref.WeakKeyDictionary()


@dataclass
class CudaBound:
    """A program for given symbols: its launches and the memory of each buffer."""

    plan: LaunchPlan
    views: list[Any]
    results: list[tuple[tuple[int, ...], np.dtype]]  # shapes and dtypes of the outputs
    lock: threading.Lock


class CudaProgram:
    """Kernels of a plan, loaded on a device."""

    def __init__(
        self, plan: Plan, kernels: Sequence[CudaKernel], variables: Mapping[Value, np.ndarray], device: Device
    ):
        self.plan, self.specs, self.device = plan, list(kernels), device
        self.variables = variables
        self.inputs, self.outputs = plan.graph.inputs, plan.graph.outputs
        self.assigns = bool(plan.graph.assignments)
        self.loaded = {k.source.key: device.load(k.source) for k in kernels}
        self.on_device = _variables.setdefault(device, DeviceVariables(device))

    def bind(self, symbols: Mapping[str, int]) -> CudaBound:
        """Launches and device memory for given symbols; constants are copied now."""
        plan = bind(self.plan, self.specs, symbols)
        arena = self.device.allocate(plan.arena)
        views = [self._view(b, arena) for b in plan.buffers]
        shapes = [tuple(symbolic.evaluate(d, symbols) for d in v.shape) for v in self.outputs]
        output_dtypes = [dtypes.numpy_dtype(v.dtype) for v in self.outputs]
        return CudaBound(plan, views, list(zip(shapes, output_dtypes, strict=True)), threading.Lock())

    def arena(self, symbols: Mapping[str, int]) -> list[ArenaRange]:
        """The memory plan for these numbers: a range for every intermediate value."""
        kept = (b for b in bind(self.plan, self.specs, symbols).buffers if b.kind == "arena")
        return [ArenaRange(b.value, b.offset, b.size, b.first, b.last) for b in kept]

    def chains(self, symbols: Mapping[str, int]) -> list[Chain]:
        """Each kernel by itself: a launch has all of a kernel's tiles."""
        return each_alone(len(self.specs))

    def _view(self, b: Buffer, arena: Any) -> Any:
        if b.kind == "variable":
            return self.on_device.view(b)
        memory = arena if b.kind == "arena" else self.device.allocate(b.size)
        view = self.device.view(memory, b.offset, b.elements, b.dtype)
        if b.kind == "constant":
            self.device.upload(view, b.value.node.attrs["value"].array)
        return view

    # -- one run -----------------------------------------------------------------------------------------

    def upload(self, bound: CudaBound, arrays: Mapping[Value, np.ndarray], now: int) -> None:
        """Inputs, and variables that may have been written since; now: the count of writes to variables."""
        for b, view in zip(bound.plan.buffers, bound.views, strict=True):
            if b.kind == "input":
                self.device.upload(view, arrays[b.value])
            elif b.kind == "variable" and self.on_device.current.get(b.value) != now:
                self.device.upload(view, self.variables[b.value])

    def download(self, bound: CudaBound, outputs: Mapping[Value, np.ndarray], now: int | None) -> None:
        """Outputs and assigned variables.

        now: the count of writes at which this program's variables are the same on device and host; None if
        somebody else wrote some meanwhile.
        """
        for b, view in zip(bound.plan.buffers, bound.views, strict=True):
            if b.kind == "output":
                self.device.download(view, outputs[b.value])
            elif b.value in bound.plan.assigned:
                self.device.download(view, self.variables[b.value])
            if b.kind == "variable":
                self.on_device.current[b.value] = -1 if now is None else now

    def step(self, bound: CudaBound) -> None:
        """All launches, queued in order."""
        for position in range(len(bound.plan.launches)):
            self._launch(bound, position)

    def timed_step(self, bound: CudaBound) -> list[int]:
        """Nanoseconds of each launch, waiting for each."""
        times = []
        for position in range(len(bound.plan.launches)):
            start = time.perf_counter_ns()
            self._launch(bound, position)
            self.device.synchronize()
            times.append(time.perf_counter_ns() - start)
        return times

    def _launch(self, bound: CudaBound, position: int) -> None:
        plan, views = bound.plan, bound.views
        launch = plan.launches[position]
        for n in launch.writes:
            if plan.buffers[n].first == position and plan.buffers[n].kind in ("arena", "output"):
                self.device.begin(views[n])
        written = [n in launch.writes for n in launch.buffers]
        kernel = self.loaded[launch.kernel.source.key]
        if launch.grid:
            arrays = [views[n] for n in launch.buffers]
            self.device.launch(kernel, launch.grid, arrays, written, launch.numbers)
        for n in dict.fromkeys(launch.buffers):
            if plan.buffers[n].last == position and plan.buffers[n].kind == "arena":
                self.device.end(views[n])
