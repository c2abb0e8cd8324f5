"""A model's outputs, and what goes with each of them: labels, weights, losses and metrics, as flat lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcompile.core import tree
from kcompile.core.errors import MissingLabelsError, message, unknown_name


class Outputs:
    """The outputs of a model in one order, with names where they have any.

    y_pred: the model's outputs, a tensor or a structure of tensors. names: output names of a functional
    model. Dicts are taken in the order of `names` if they agree, else of their sorted keys. Where structures
    are nested, an output is named by the way to it.
    """

    def __init__(self, y_pred: Any, names: Sequence[str] | None = None):
        self.is_single = not isinstance(y_pred, (list, tuple, dict))
        inside = [y_pred[key] for key in tree.keys_of(y_pred)] if tree.is_nested(y_pred) else []
        self.is_nested = any(tree.is_nested(item) for item in inside)
        self.is_dict = isinstance(y_pred, dict) and not self.is_nested
        self.names: list[Any]
        self._paths = _paths(y_pred)
        if self.is_nested:
            self.names = _names_of_paths(self._paths, names)
        elif isinstance(y_pred, dict):
            agree = names is not None and set(names) == set(y_pred)
            self.names = list(names) if agree and names is not None else sorted(y_pred)
        else:
            count = 1 if self.is_single else len(tree.flatten(y_pred))
            self.names = list(names) if names is not None and len(names) == count else [None] * count
        self.count = len(self.names)
        # Metrics are named after the outputs alone, also where losses are by the ways to these.
        flat = self.is_nested and names is not None and len(names) == self.count
        self.metric_names = list(names) if flat and names is not None else self.names
        self.form = tree.form(y_pred)
        parts = y_pred.values() if isinstance(y_pred, dict) else [] if self.is_single else y_pred
        self.is_flat = all(map(_is_leaf, parts))

    @property
    def ways(self) -> list[Path]:
        """The way to each output, in order."""
        return [(name,) for name in self.names] if self.is_dict else self._paths

    def nested(self, items: Sequence[Any], y_pred: Any) -> Any:
        """Items in the outputs' order, nested like these."""
        return dict(zip(self.names, items, strict=True)) if self.is_dict else tree.pack_as(y_pred, items)

    def predictions(self, y_pred: Any) -> list[Any]:
        """The model's outputs in order."""
        return [y_pred[name] for name in self.names] if self.is_dict else tree.flatten(y_pred)

    def labels(self, y: Any, wanted: Sequence[bool]) -> list[Any]:
        """Labels in order. Where there are fewer than outputs, they are those that are `wanted`; the others
        are None.

        Raises:  ValueError if their structure does not fit.
        """
        if isinstance(y, dict) and not self._nameless and not self.is_nested:
            self._check_names("labels `y`", y)
            if all(name in y for name, need in zip(self.names, wanted, strict=True) if need):
                return [y.get(name) for name in self.names]
            raise self._other_labels(y, wanted)
        flat = tree.flatten(y)
        if isinstance(y, dict) and self._nameless and not self.is_nested:
            flat = [y[key] for key in sorted(y)]
        nested = self.is_flat and isinstance(y, (list, tuple)) and not all(map(_is_leaf, y))
        if len(flat) == self.count and not nested:
            return flat
        if len(flat) == sum(wanted) and not nested:
            given = iter(flat)
            return [next(given) if need else None for need in wanted]
        raise self._other_labels(y, wanted)

    def _other_labels(self, y: Any, wanted: Sequence[bool]) -> MissingLabelsError:
        hint = "give one label array in `y`: the model has one output"
        if self.count > 1:
            hint = f"give {self.count} label arrays in `y`, one for each output"
        if 0 < sum(wanted) < self.count:
            places = [str(place) for place, need in zip(self.places, wanted, strict=True) if need]
            hint += f", or {sum(wanted)} for those that need labels: {', '.join(places)}"
        return MissingLabelsError(
            message(
                "y_true and y_pred have different structures.",
                expected=f"labels like the outputs: {self.form}",
                received=f"y_true: {tree.form(y)}",
                hint=hint,
            )
        )

    def check_labels(self, labels: Sequence[Any], users: Sequence[str | None]) -> None:
        """Outputs must have labels if they are needed. labels: in order. users: what needs them, if anything.

        Raises:  ValueError naming the output.
        """
        for place, label, user in zip(self.places, labels, users, strict=True):
            if label is None and user is not None:
                hint = "give labels for it in `y`, or leave out what needs them"
                raise MissingLabelsError(
                    message(f"{user} needs labels, and output {place} has none.", hint=hint)
                )

    @property
    def places(self) -> list[Any]:
        """Names in quotes, and positions of outputs without."""
        return [k if name is None else repr(name) for k, name in enumerate(self.names)]

    def settings(self, given: Any, what: str) -> list[Any]:
        """A loss, weight or list of metrics for each output: from a dict by name or a list in order.

        Raises:  ValueError for unknown names, or for another number than there are outputs.
        """
        if self.is_nested and tree.is_nested(given) and (isinstance(given, dict) or len(given) != self.count):
            return [_at(given, path, what) for path in self._paths]
        if isinstance(given, dict):
            if self._nameless and self.count == 1 and len(given) == 1:
                return list(given.values())
            self._check_names(f"`{what}`", given)
            return [given.get(name) for name in self.names]
        if isinstance(given, (list, tuple)):
            if self.is_single:  # lists around the only one say nothing
                given = tree.flatten(given)
            if len(given) != self.count:
                raise ValueError(
                    message(
                        f"`{what}` must have one entry per output of the model.",
                        expected=f"{self.count} for outputs {self.form}",
                        received=f"{len(given)}: {given}",
                    )
                )
            return list(given)
        return [given] * self.count

    def weights(self, given: Any, wanted: Sequence[bool]) -> list[Any]:
        """Sample weights in order; a single one is for all outputs, fewer are for those that are `wanted`."""
        if not isinstance(given, (list, tuple, dict)):
            return [given] * self.count
        flat = (
            [given.get(n) for n in self.names]
            if isinstance(given, dict) and not self._nameless and not self.is_nested
            else tree.flatten(given)
        )
        if len(flat) == sum(wanted) < self.count:
            weights = iter(flat)
            return [next(weights) if need else None for need in wanted]
        return flat if len(flat) == self.count else [flat[0]] * self.count

    @property
    def _nameless(self) -> bool:
        return all(name is None for name in self.names)

    def _check_names(self, what: str, given: dict[str, Any]) -> None:
        if self._nameless:
            raise ValueError(
                message(
                    f"The {what} are a dict, but the model's outputs have no names.",
                    hint="give a list in the order of the outputs",
                )
            )
        for name in given:
            if name not in self.names:
                raise unknown_name(f"output in {what}", name, [str(n) for n in self.names])


Path = tuple[Any, ...]  # keys and positions, from the outside in


def _paths(structure: Any) -> list[Path]:
    """The ways to the leaves, in the order of `tree.flatten`."""
    if not tree.is_nested(structure):
        return [()]
    return [(key, *rest) for key in tree.keys_of(structure) for rest in _paths(structure[key])]


def _names_of_paths(paths: list[Path], names: Sequence[str] | None) -> list[str]:
    """The ways as text; a position at the end gives way to the output's name, as in Keras."""
    given = list(names) if names is not None and len(names) == len(paths) else [None] * len(paths)
    ends = [
        n if isinstance(p[-1], int) and n is not None else p[-1] for p, n in zip(paths, given, strict=True)
    ]
    return ["/".join(map(str, [*p[:-1], end])) for p, end in zip(paths, ends, strict=True)]


def _at(given: Any, path: Path, what: str) -> Any:
    """What stands at a place: there, or in place of a structure around it; None where a dict says nothing."""
    for key in path:
        if not tree.is_nested(given):
            break
        if isinstance(given, dict):
            given = given.get(key)
        elif isinstance(key, int) and key < len(given):
            given = given[key]
        else:
            raise ValueError(
                message(f"`{what}` must have the structure of the outputs.", received=f"{given} for {path}")
            )
    return given


def _is_leaf(part: Any) -> bool:
    return not isinstance(part, (list, tuple, dict))
