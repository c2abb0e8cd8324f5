"""Blocks that are measured alone: what Keras and PyTorch each call them, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from benchmarks.network import Shape


@dataclass(frozen=True)
class Named:
    """A class or function by its name, with what it is made or called with; an argument may be another."""

    name: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def named(name: str, *arguments: Any, **options: Any) -> Named:
    return Named(name, arguments, options)


@dataclass(frozen=True)
class Operand:
    """A further input: its shape in one sample, and the ``values`` that ``drawn`` takes."""

    shape: Shape
    values: str | int = "normal"


@dataclass(frozen=True, kw_only=True)
class Block:
    """A layer, a loss or a function of one sample's array, channels last.

    keras:    a class of ``layers``, or dotted: ``losses.Huber``, ``ops.gelu``.
    torch:    applied one after the other; classes of ``nn`` or of ``peers/torch_blocks.py``, functions of
              ``nn`` or of ``torch`` called on what comes in.
    after:    shape of one sample behind it, that before it if None. A loss has one value for the batch.
    weights:  names and shapes in Keras's order and layout; the names say how adapters turn them.
    first:    whether PyTorch's module wants channels before the places.
    random:   whether it draws numbers, which differ from library to library: outputs are not compared.
    values:   what its input is made of, see ``drawn``.
    others:   further inputs; the targets of a loss.
    apart:    whether Keras's layer takes its inputs one by one, not as a list.
    places:   how often a sample's kernels are applied; 0: once for each place behind it.
    """

    keras: Named
    torch: tuple[Named, ...]
    after: Shape | None = None
    weights: tuple[tuple[str, Shape], ...] = ()
    first: bool = False
    random: bool = False
    values: str | int = "normal"
    others: tuple[Operand, ...] = ()
    apart: bool = False
    places: int = 0

    @property
    def is_loss(self) -> bool:
        return self.keras.name.startswith("losses.")


def drawn(rng: np.random.Generator, shape: Shape, values: str | int) -> np.ndarray:
    """Numbers for an input: float32, but int64 in [1, ``values``) where that is a number.

    normal: around 0; shares: positive, the last axis adds up to 1; bits: 0 or 1.
    """
    if isinstance(values, int):
        return rng.integers(1, values, shape)
    if values == "shares":
        found = rng.uniform(0.1, 1.0, shape)
        return (found / found.sum(-1, keepdims=True)).astype("float32")
    if values == "bits":
        return rng.integers(0, 2, shape).astype("float32")
    return rng.normal(size=shape).astype("float32")
