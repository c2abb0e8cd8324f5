"""The base of layers that are `RNN` around a built-in cell: LSTM and its like."""

from __future__ import annotations

from inspect import Parameter
from operator import attrgetter
from typing import Any

from kcompile.core.signatures import named_parameters, shown_as
from kcompile.layers.configured import placed, serialized
from kcompile.layers.input_spec import InputSpec
from kcompile.layers.rnn.cell import BuiltinCell
from kcompile.layers.rnn.rnn import RNN
from kcompile.trace.naming import to_snake_case


class CellLayer(RNN):
    """A layer that makes its cell itself and shows the cell's arguments as its own.

    `class Name(CellLayer, cell=NameCell)` has a property for each argument of NameCell but `seed`. Its
    constructor shows the arguments of NameCell with an activity regularizer, the options of `RNN`, and those
    that an `__init__(self, ..., **given)` of its own names; `last` are arguments of the cell that come after
    the options.
    """

    cell_class: type[BuiltinCell]
    cell_arguments: tuple[str, ...]
    cell_name: str
    options: tuple[str, ...] = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll")

    def __init_subclass__(
        cls,
        cell: type[BuiltinCell] | None = None,
        cell_name: str | None = None,
        last: tuple[str, ...] = (),
        **kwargs: Any,
    ):
        super().__init_subclass__(**kwargs)
        if cell is None:
            return
        cls.cell_name = cell_name or to_snake_case(cell.__name__)
        cls.cell_class = cell
        cls.cell_arguments = tuple(p.name for p in named_parameters(cell.__init__))
        for name in cls.cell_arguments:
            if name != "seed":
                setattr(cls, name, property(attrgetter(f"cell.{name}")))
        cls.__init__ = shown_as(cls.__init__, cls._parameters(last))  # type: ignore[method-assign]

    @classmethod
    def _parameters(cls, last: tuple[str, ...]) -> list[Parameter]:
        """What the constructor takes, in Keras's order."""
        kind = Parameter.POSITIONAL_OR_KEYWORD
        of_cell = named_parameters(cls.cell_class.__init__)
        at = [p.name for p in of_cell].index("bias_regularizer") + 1
        of_cell.insert(at, Parameter("activity_regularizer", kind, default=None))
        return [
            Parameter("self", kind),
            *(p for p in of_cell if p.name not in last),
            *(Parameter(name, kind, default=False) for name in cls.options),
            *(p for p in of_cell if p.name in last),
            *named_parameters(cls.__init__),
            Parameter("kwargs", Parameter.VAR_KEYWORD),
        ]

    def __init__(self, **given: Any):
        of_cell = {k: given.pop(k) for k in (*self.cell_arguments, "implementation") if k in given}
        cell = self.cell_class(
            **of_cell,
            dtype=given.get("dtype"),
            trainable=given.get("trainable", True),
            name=self.cell_name,
        )
        super().__init__(cell, **given)
        self.input_spec: Any = InputSpec(ndim=3)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["cell"]
        penalty = serialized(self, ("activity_regularizer",))["activity_regularizer"]
        config |= serialized(self.cell, self.cell_arguments)
        return placed(config, "activity_regularizer", penalty, before="kernel_constraint")

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        return cls(**config)


class WithCudnn(CellLayer):
    """Layers whose `use_cudnn` is accepted and checked: there is one implementation."""

    def __init__(self, use_cudnn: Any = "auto", **given: Any):
        super().__init__(**given)
        if use_cudnn not in ("auto", True, False):
            raise ValueError(
                "Invalid valid received for argument `use_cudnn`. Expected one of {'auto', True, False}. "
                f"Received: use_cudnn={use_cudnn}"
            )
        self.use_cudnn = use_cudnn
