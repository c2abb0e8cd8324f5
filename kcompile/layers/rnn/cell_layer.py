"""The base of layers that are `RNN` around a built-in cell: LSTM and its like."""

from __future__ import annotations

import inspect
from operator import attrgetter
from typing import Any

from kcompile.layers.rnn.cell import BuiltinCell, serialized
from kcompile.layers.rnn.rnn import RNN
from kcompile.trace.naming import to_snake_case


def check_use_cudnn(value: Any) -> Any:
    if value not in ("auto", True, False):
        raise ValueError(
            "Invalid valid received for argument `use_cudnn`. Expected one of {'auto', True, False}. "
            f"Received: use_cudnn={value}"
        )
    return value


class CellLayer(RNN):
    """A layer that makes its cell itself and shows the cell's arguments as its own.

    `class Name(CellLayer, cell=NameCell)` has a property for each argument of NameCell but `seed`.
    """

    cell_class: type[BuiltinCell]
    cell_arguments: tuple[str, ...]

    cell_name: str

    def __init_subclass__(
        cls, cell: type[BuiltinCell] | None = None, cell_name: str | None = None, **kwargs: Any
    ):
        super().__init_subclass__(**kwargs)
        if cell is None:
            return
        cls.cell_name = cell_name or to_snake_case(cell.__name__)
        parameters = list(inspect.signature(cell.__init__).parameters.values())[1:]
        cls.cell_class = cell
        cls.cell_arguments = tuple(p.name for p in parameters if p.kind is not p.VAR_KEYWORD)
        for name in cls.cell_arguments:
            if name != "seed":
                setattr(cls, name, property(attrgetter(f"cell.{name}")))

    def __init__(self, given: dict[str, Any], kwargs: dict[str, Any]):
        """given: the named arguments of the layer's class, kwargs: all others."""
        own = {k: v for k, v in given.items() if k not in self.cell_arguments and k != "use_cudnn"}
        for_cell = {k: v for k, v in given.items() if k in self.cell_arguments}
        if "implementation" in kwargs:
            kwargs = dict(kwargs)
            for_cell["implementation"] = kwargs.pop("implementation")
        cell = self.cell_class(
            **for_cell,
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name=self.cell_name,
        )
        super().__init__(cell, **own, **kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["cell"]
        own = {**config, **serialized(self, ("activity_regularizer",))}
        return {**own, **serialized(self.cell, self.cell_arguments)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        return cls(**config)
