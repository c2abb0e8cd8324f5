"""Which loss belongs to which place of a model's outputs: losses nested like the outputs, as flat entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kcompile.core import tree
from kcompile.core.errors import MissingOutputError, message

Path = tuple[Any, ...]  # keys and positions, from the outside in


@dataclass(frozen=True)
class Weighted:
    """A loss as it was given, and the factor that goes with it. A leaf, so that both travel together."""

    loss: Any
    weight: Any = None


@dataclass(frozen=True)
class Place:
    """A loss, the way to the output or the group of outputs that it is for, and its name.

    A name that ends in None is completed with the loss's own.
    """

    path: Path
    given: Weighted
    parts: tuple[Any, ...]

    def name(self, of_loss: str) -> str:
        return "/".join(of_loss if part is None else str(part) for part in self.parts)


def places(loss: Any, weights: Any, y_pred: Any, names: Sequence[str] | None) -> list[Place]:
    """The losses in the order in which they were given. Several may be for one output: they are added.

    Args:    loss: one for every output, or nested like the outputs; a list for a part without a list is a
             list of losses of that part; a flat list is taken in the outputs' order, and may be shorter.
             One in place of a structure takes all that lies below at once. names: of the outputs, by which
             dicts may name the entries of lists.
    Raises:  KeyError for a place that the outputs do not have; ValueError for other names than these, and
             for another number of weights than of losses.
    """
    loss, weights = _by_names(loss, weights, y_pred, names)
    found = _weighted(loss, weights)
    leaves = tree.flatten(y_pred)
    flat = list(names) if names is not None and len(names) == len(leaves) else [None] * len(leaves)
    if not tree.is_nested(found):
        one = found
        found = tree.map_structure(lambda _: one, y_pred)
    places: list[Place] = []
    _walk(found, y_pred, tree.pack_as(y_pred, flat), (), places)
    return places


def _by_names(loss: Any, weights: Any, y_pred: Any, names: Sequence[str] | None) -> tuple[Any, Any]:
    """A dict for outputs in a list, as a list in the outputs' order."""
    if not isinstance(loss, dict) or isinstance(y_pred, dict):
        return loss, weights
    if names is None:
        if len(loss) == 1 and not tree.is_nested(y_pred):
            return list(loss.values()), weights
        raise ValueError(
            message(
                "The `loss` is a dict, but the model's outputs have no names.",
                hint="give a list in the order of the outputs",
            )
        )
    if set(loss) != set(names):
        missing = [f"{name!r}: None" for name in names if name not in loss]
        raise ValueError(
            message(
                "the dict of losses must have an entry for each output.",
                expected=f"keys {list(names)} in the loss dict",
                received=f"loss.keys()={list(loss)}",
                hint=f"add {', '.join(missing)} for outputs without a loss"
                if missing and set(loss) <= set(names)
                else "",
            )
        )
    if isinstance(weights, dict):
        weights = [weights[name] for name in names]
    return [loss[name] for name in names], weights


def _weighted(loss: Any, weights: Any) -> Any:
    """The structure of losses with each one's weight; None where there is no loss."""
    leaves = tree.flatten(loss)
    factors = [None] * len(leaves) if weights is None else tree.flatten(weights)
    if len(leaves) != len(factors):
        raise ValueError(
            f"`loss_weights` must match the number of losses, got {len(leaves)} losses and {len(factors)} "
            "weights."
        )
    pairs = zip(leaves, factors, strict=True)
    return tree.pack_as(loss, [None if one is None else Weighted(one, factor) for one, factor in pairs])


def _walk(loss: Any, y_pred: Any, names: Any, path: Path, found: list[Place]) -> None:
    """Add the places of `loss`, given for the part of the outputs at `path`."""
    if loss is None:
        return
    if isinstance(loss, Weighted):
        found.append(Place(path, loss, _name(path, names)))
        return
    is_list = not isinstance(loss, dict)
    if is_list and not any(map(tree.is_nested, loss)) and len(loss) == len(tree.flatten(y_pred)):
        loss = tree.pack_as(y_pred, loss)
        if not tree.is_nested(loss):
            return _walk(loss, y_pred, names, path, found)
    elif is_list and (isinstance(y_pred, dict) or not tree.is_nested(y_pred)):
        for one in loss:
            _walk(one, y_pred, names, path, found)
        return
    if not tree.is_nested(y_pred) or isinstance(loss, dict) != isinstance(y_pred, dict):
        raise _missing(path, y_pred)
    for key, one in loss.items() if isinstance(loss, dict) else enumerate(loss):
        if one is None:
            continue
        if not (key in y_pred if isinstance(y_pred, dict) else key < len(y_pred)):
            raise _missing((*path, key), y_pred)
        _walk(one, y_pred[key], names[key], (*path, key), found)


def _name(path: Path, names: Any) -> tuple[Any, ...]:
    """The way as a name; a position at its end gives way to the output's name."""
    if tree.is_nested(names):
        return path or ("_".join(str(name) for name in tree.flatten(names)),)
    if not path:
        return (names,)
    return (*path[:-1], names) if isinstance(path[-1], int) else path


def _missing(path: Path, y_pred: Any) -> MissingOutputError:
    keys = sorted(map(str, y_pred)) if isinstance(y_pred, dict) else []
    return MissingOutputError(
        message(
            f"The path: {path} in the `loss` argument, can't be found in the model's output (`y_pred`).",
            expected=f"losses nested like the outputs: {tree.form(y_pred)}",
            hint=f"known: {', '.join(keys)}" if keys else "",
        )
    )


def at(structure: Any, path: Path) -> Any:
    """What stands at a place."""
    for key in path:
        structure = structure[key]
    return structure
