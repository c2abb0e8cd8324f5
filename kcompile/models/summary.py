"""`model.summary()`: a table of the layers, their output shapes and parameters, as Keras prints it."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from kcompile.core import console as messages
from kcompile.core import dtypes
from kcompile.layers.layer import Layer
from kcompile.trace.operation import CallNode, is_default

NARROW, WIDE = 88, 108  # characters of a table without and with a column of connections
USUAL = 80  # characters of a terminal


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Any = None,
    print_fn: Callable[..., Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
) -> None:
    """Print the table; see `Model.summary` for the arguments."""
    import rich.console
    import rich.markup

    rows = Rows(model, expand_nested, show_trainable)
    print_fn = print_fn or (None if messages.is_interactive_logging_enabled() else messages.print_msg)
    plain = {"force_terminal": False, "color_system": None, "force_jupyter": False} if print_fn else {}
    out = rich.console.Console(highlight=False, **plain)  # type: ignore[arg-type]
    columns = shutil.get_terminal_size().columns if out.is_jupyter else out.width
    if out.width <= 0:  # COLUMNS=0, of a terminal that does not know
        out.width = columns = USUAL
    table = _table(rows, line_length or min(rows.default_length, columns - 4), positions)
    for row in rows.of(_in_range(rows.operations, layer_range)):
        table.add_row(*row)
    lines = [_bold(f'Model: "{rich.markup.escape(model.name)}"'), table, *_totals(model)]
    if out.is_jupyter:  # a notebook shows what rich makes of each
        for line in lines:
            out.print(line)
        return
    with out.capture() as captured:
        for line in lines:
            out.print(line)
    (print_fn or messages.print_msg)(captured.get(), **_line_break(print_fn))


def _table(rows: Rows, width: int, positions: Any) -> Any:
    import rich.table

    columns = zip(rows.headers, rows.alignments, _widths(width, positions or rows.positions), strict=False)
    return rich.table.Table(
        *(rich.table.Column(header, justify=side, width=w) for header, side, w in columns),  # type: ignore[arg-type]
        width=width,
        show_lines=True,
    )


def _line_break(print_fn: Any) -> dict[str, bool]:
    """Only a function that says so gets the argument `line_break`."""
    if print_fn is None:
        return {"line_break": False}
    code = getattr(print_fn, "__code__", None)
    return {"line_break": False} if code is not None and "line_break" in code.co_varnames else {}


def _widths(length: int, positions: Any) -> list[int]:
    ends = [int(length * p) for p in positions] if positions[-1] <= 1 else list(positions)
    return [ends[0], *(b - a for a, b in pairwise(ends))]


class Rows:
    """The cells of the table, with rich's markup."""

    def __init__(self, model: Any, expand_nested: bool, show_trainable: bool):
        self.expand_nested, self.show_trainable = expand_nested, show_trainable
        graph = getattr(model, "_graph", None)
        self.operations = model.layers if graph is None else graph.operations
        self.nodes = None if graph is None else {id(node) for node in graph.nodes}
        self.connected = graph is not None and not is_chain(model)
        self.default_length = WIDE if self.connected else NARROW
        self.positions = [0.3, 0.56, 0.74, 1.0] if self.connected else [0.45, 0.80, 1.0]
        self.headers = ["Layer (type)", "Output Shape", "Param #"] + ["Connected to"] * self.connected
        self.alignments = ["left", "left", "right"] + ["left"] * self.connected
        if show_trainable:
            self.default_length += 12
            self.positions = [p * 0.90 for p in self.positions] + [1.0]
            self.headers.append("Trainable")
            self.alignments.append("center")

    def of(self, operations: list[Any], level: int = 0) -> Iterator[list[str]]:
        for operation in operations:
            yield self._row(operation, "   " * level + "└ " if level else "")
            inside = getattr(operation, "layers", None)
            if self.expand_nested and inside:
                yield from self.of(inside, level + 1)

    def _row(self, operation: Any, prefix: str) -> list[str]:
        from rich.markup import escape

        kind = type(operation).__name__
        row = [
            f"{prefix}{escape(operation.name)} ({_colored(escape(kind), 33)})",
            _output_shape(operation),
            _params(operation),
        ]
        if self.connected:
            row.append(self._connections(operation))
        if self.show_trainable:
            row.append(_trainable(operation))
        return row

    def _connections(self, operation: Any) -> str:
        calls = [n for n in operation._inbound_nodes if self.nodes is None or id(n) in self.nodes]
        sources = [t._keras_history for n in calls for t in n.input_tensors]
        texts = [f"{op.name}[{_colored(node, 34)}][{_colored(k, 34)}]" for op, node, k in sources]
        return ", ".join(texts) or "-"


def is_chain(model: Any) -> bool:
    """Does each layer of a functional model follow the one before, with no layer called twice?"""
    nodes: list[CallNode] = model._graph.nodes
    operations = {id(n.operation) for n in nodes}
    feeds: dict[int, int] = {}
    for node in nodes:
        if len(node.input_tensors) > 1:
            return False
        for tensor in node.input_tensors:
            feeds[id(tensor)] = feeds.get(id(tensor), 0) + 1
    once = len(operations) == len(nodes) and all(count == 1 for count in feeds.values())
    return once and len(model.inputs) == 1


def _output_shape(operation: Any) -> str:
    called = getattr(operation, "_called_shapes", None)  # by the first batch, if that built the layer
    if operation._inbound_nodes and not called:
        shapes: Any = [t.shape for t in operation._inbound_nodes[-1].output_tensors]
    else:
        known = called or getattr(operation, "_build_shapes", None)
        if not known or not (operation._inbound_nodes or _has_shapes(operation)):
            return "?"
        try:
            shapes = operation.compute_output_shape(*known.values())
        except (NotImplementedError, TypeError, ValueError):
            return "?"
    alone = isinstance(shapes, (list, tuple)) and len(shapes) == 1 and isinstance(shapes[0], tuple)
    return _shapes(shapes[0] if alone else shapes)


def _has_shapes(operation: Any) -> bool:
    """Keras does not ask what calls gave that built nothing, but in models."""
    return hasattr(operation, "layers") or not is_default(operation.build)


def _shapes(structure: Any) -> str:
    """A structure of shapes as Python writes it."""
    if isinstance(structure, dict):
        return "{" + ", ".join(f"{key}: {_shapes(item)}" for key, item in structure.items()) + "}"
    if isinstance(structure, tuple) and all(d is None or isinstance(d, int) for d in structure):
        return _shape(structure)
    texts = ", ".join(map(_shapes, structure))
    return f"({texts})" if isinstance(structure, tuple) else f"[{texts}]"


def _shape(shape: Any) -> str:
    return "(" + ", ".join(_colored(d, 45 if d is None else 34) for d in shape) + ")"


def _params(operation: Any) -> str:
    if not isinstance(operation, Layer):
        return _colored(0, 34)
    if not operation.built:
        return f"{_colored(0, 34)} (unbuilt)"
    return _colored(f"{operation.count_params():,}", 34)


def _trainable(operation: Any) -> str:
    if not getattr(operation, "weights", None):
        return _bold("-")
    return _bold("Y", 34) if operation.trainable else _bold("N", 9)


def _totals(model: Any) -> Iterator[str]:
    optimizer = getattr(model, "optimizer", None)
    state = list(optimizer.variables) if optimizer is not None and getattr(optimizer, "built", False) else []
    yield _total("Total", [*model.weights, *state])
    yield _total("Trainable", model.trainable_weights)
    yield _total("Non-trainable", model.non_trainable_weights)
    if state:
        yield _total("Optimizer", state)


def _total(name: str, variables: list[Any]) -> str:
    count = sum(math.prod(v.shape) for v in variables)
    size = sum(math.prod(v.shape) * dtypes.itemsize(v.dtype) for v in variables)
    return f"{_bold(f' {name} params: ')}{_colored(f'{count:,}', 34)} ({readable_size(size)})"


def readable_size(size: float) -> str:
    """Bytes in the largest unit of which there is at least one.

    >>> readable_size(108), readable_size(2048), readable_size(4_900_000)
    ('108.00 B', '2.00 KB', '4.67 MB')
    """
    units = ["B", "KB", "MB", "GB", "TB", "PB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{size:.2f} {units[0]}"


def _in_range(operations: list[Any], layer_range: Any) -> list[Any]:
    """The operations from the first that the first pattern matches to the last that the second does."""
    if layer_range is None:
        return list(operations)
    if len(layer_range) != 2 or not all(isinstance(p, str) for p in layer_range):
        raise ValueError(
            f"layer_range must be a list or tuple of two names or patterns. Received: {layer_range}"
        )
    names = [op.name for op in operations]
    first = [k for k, name in enumerate(names) if re.match(layer_range[0], name)]
    last = [k for k, name in enumerate(names) if re.match(layer_range[1], name)]
    if not first or not last:
        raise ValueError(
            f"Passed layer_names do not match the layer names in the model. Received: {layer_range}"
        )
    low, high = first[0], last[-1]
    if low > high:
        low, high = last[0], first[-1]
    return list(operations)[low : high + 1]


def _bold(text: str, color: int | None = None) -> str:
    return f"[bold]{text}[/]" if color is None else f"[bold][color({color})]{text}[/][/]"


def _colored(value: Any, color: int) -> str:
    return f"[color({color})]{value}[/]"
