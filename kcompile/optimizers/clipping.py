"""Gradients kept small: each by its norm, all by their common norm, or element by element."""

from __future__ import annotations

from typing import Any

from kcompile import ops


def check(clipnorm: float | None, clipvalue: float | None, global_clipnorm: float | None) -> None:
    """At most one kind of clipping."""
    if sum(x is not None for x in (clipnorm, clipvalue, global_clipnorm)) > 1:
        raise ValueError(
            "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received: "
            f"clipnorm={clipnorm}, clipvalue={clipvalue}, global_clipnorm={global_clipnorm}"
        )


def clip(
    gradients: list[Any], clipnorm: float | None, clipvalue: float | None, global_clipnorm: float | None
) -> list[Any]:
    """Gradients bounded in their norms, in their common norm, or in their elements, as the given limit
    asks."""
    if clipnorm and clipnorm > 0:
        return [by_norm(g, clipnorm) for g in gradients]
    if global_clipnorm and global_clipnorm > 0:
        return by_global_norm(gradients, global_clipnorm)
    if clipvalue and clipvalue > 0:
        return [ops.minimum(ops.maximum(g, -clipvalue), clipvalue) for g in gradients]
    return gradients


def by_norm(gradient: Any, limit: float) -> Any:
    norm = ops.sqrt(ops.sum(ops.square(gradient)))
    return gradient * limit / ops.maximum(norm, limit)


def by_global_norm(gradients: list[Any], limit: float) -> list[Any]:
    """All scaled alike. A norm that is not finite makes every gradient NaN, so that it is seen."""
    norm = ops.sqrt(sum(ops.sum(ops.square(g)) for g in gradients))
    scale = limit * ops.minimum(1.0 / norm, 1.0 / limit) + (norm - norm)
    return [g * scale for g in gradients]
