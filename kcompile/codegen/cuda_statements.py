"""Expressions as statements of a CUDA kernel, with reductions that a block's threads compute together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from kcompile.codegen import scalar
from kcompile.codegen.expressions import Names, Statements, hoistable, is_unrolled, size_of
from kcompile.codegen.nest import Offsets
from kcompile.codegen.writer import Writer
from kcompile.core import dtypes
from kcompile.core.symbolic import Int
from kcompile.ir.graph import Value
from kcompile.ir.loops import Axis, Expr

REGISTER_BYTES = {"f32": 4, "f64": 8, "i32": 4, "u32": 4, "i64": 8, "u64": 8, "bool": 1}


@dataclass(frozen=True)
class Team:
    """How a block's threads share points: thread t is worker t // points of point t % points."""

    points: int
    workers: int

    @property
    def threads(self) -> int:
        return self.points * self.workers


class CudaStatements(Statements):
    """Emits expressions. `together` says that all threads of a block pass here: only there may they wait for
    each other.
    """

    def __init__(self, writer: Writer, names: Names, offsets: Offsets, team: Team):
        super().__init__(writer, names, offsets)
        self.team, self.together = team, team.workers > 1
        self.shared: dict[str, int] = {}  # kind of register -> elements

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Statements that some threads may skip, or repeat more often than others."""
        before, self.together = self.together, False
        yield
        self.together = before

    @contextmanager
    def loop(self, axis: Axis, span: tuple[str, str] | None = None, step: int = 1) -> Iterator[str]:
        with self.apart(), super().loop(axis, span, step) as name:
            yield name

    # -- numbers -----------------------------------------------------------------------------------------

    def bound(self, extent: int | Int) -> str:
        """What is known is written out: divisions by constants are multiplications on a device."""
        return str(extent) if isinstance(extent, int) else self.names.number(extent)

    def extent(self, axis: Axis) -> str:
        return self.bound(axis.extent if axis.extent is not None else 1)

    def decode(self, flat: str, axes: Sequence[Axis]) -> None:
        """Positions along `axes` from the row-major number of a point."""
        for axis in reversed(axes[1:]):
            quotient, name, extent = self.w.name("q"), self.w.name("r"), self.extent(axis)
            self.w.line(f"{quotient} = index_div({flat}, {extent})")
            self.w.line(f"{name} = {flat} - {quotient} * {extent}")
            self.axis_names[axis], flat = name, quotient
        if axes:
            self.axis_names[axes[0]] = flat

    def forget(self, axes: Sequence[Axis]) -> None:
        for axis in axes:
            del self.axis_names[axis]

    # -- expressions -------------------------------------------------------------------------------------

    def element(self, e: Expr) -> str:
        value, _ = e.attr
        text = f"{self.names.buffer(value)}[at({self.integer(self.offsets[e.attr])})]"
        if value.dtype == "bfloat16":
            return f"from_bf16({text})"
        kind = scalar.register(value.dtype)
        return text if kind == scalar.SHORT[value.dtype] else f"{kind}({text})"

    def store(self, target: Value, offset: int | Int, text: str) -> None:
        """A number to its place in memory, which may be narrower than registers are."""
        stored = f"to_bf16({text})" if target.dtype == "bfloat16" else text
        self.w.line(f"{self.names.buffer(target)}[at({self.integer(offset)})] = {stored}")

    def _guard(self, e: Expr) -> str:
        self.emit(e.args[0])
        with self.apart():
            return super()._guard(e)

    def _reduce(self, e: Expr) -> str:
        if is_unrolled(e):
            return super()._reduce(e)
        for part in hoistable(e.args[0], set(self.axis_names)):
            self.emit(part)
        return self._combined(e, self._own_share(e)) if self.together else super()._reduce(e)

    def _own_share(self, e: Expr) -> str:
        """What this worker's every so-many-th step adds up to."""
        kind, axes, _ = e.attr
        total = self.w.name("acc")
        self.w.line(f"{total} = {scalar.initial(kind, e.dtype)}")
        low, high = self.part_range(e, axes[0]) or ("0", self.extent(axes[0]))
        rest = size_of(axes[1:])
        if rest != 1:
            low, high = (text if text == "0" else f"({text}) * {self.bound(rest)}" for text in (low, high))
        start = "worker" if low == "0" else f"{low} + worker"
        step = self.w.name("k")
        with (
            self.w.block(f"for {step} in range({start}, {high}, {self.team.workers}):"),
            self.scope(),
            self.apart(),
        ):
            self.decode(step, axes)
            self.w.line(f"{total} = {scalar.combine(kind, e.dtype, total, self.emit(e.args[0]))}")
            self.forget(axes)
        return total

    def _combined(self, e: Expr, own: str) -> str:
        """The workers' shares combined pairwise through shared memory, in a fixed order."""
        points, kind = self.team.points, scalar.register(e.dtype)
        self.shared[kind] = self.team.threads
        share, half, total = f"share_{kind}", self.w.name("half"), self.w.name("v")
        self.w.line(f"{share}[at(thread)] = {own}")
        self.w.line("cuda.syncthreads()")
        self.w.line(f"{half} = {self.team.workers // 2}")
        with self.w.block(f"while {half} > 0:"):
            with self.w.block(f"if worker < {half}:"):
                other = f"{share}[at(thread + {half}{f' * {points}' if points > 1 else ''})]"
                mine = f"{share}[at(thread)]"
                self.w.line(f"{mine} = {scalar.combine(e.attr[0], e.dtype, mine, other)}")
            self.w.line("cuda.syncthreads()")
            self.w.line(f"{half} = {half} >> 1")
        self.w.line(f"{total} = {share}[at({'lane' if points > 1 else 0})]")
        self.w.line("cuda.syncthreads()")
        self.bind(e, total)
        return total

    def shared_lines(self) -> list[str]:
        """Declarations, one a line: Numba's simulator tells shared arrays apart by their line."""
        kinds = {"bool": "np.bool_"}
        return [f"share_{k} = cuda.shared.array({n}, {kinds.get(k, k)})" for k, n in self.shared.items()]

    def shared_bytes(self) -> int:
        return sum(n * REGISTER_BYTES[kind] for kind, n in self.shared.items())


def item_bytes(dtype: str) -> int:
    """Bytes of a number of `dtype` in a register."""
    return REGISTER_BYTES.get(scalar.register(dtype), dtypes.itemsize(dtype))
