"""`plot_model` and `model_to_dot`, as in ``keras.utils``: pictures of a model without Graphviz."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from kcompile.core.errors import message
from kcompile.core.files import replacing
from kcompile.utils.model_boxes import Boxes, Shown, boxes_of
from kcompile.utils.svg import DIRECTIONS, FILLS, svg_of

DPI = 96  # of a picture at its own size


class Dot:
    """A graph in Graphviz's language: `to_string()`, `write(path)`."""

    def __init__(self, text: str):
        self._text = text

    def to_string(self) -> str:
        """The text of the graph."""
        return self._text

    __str__ = to_string

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the text to a file, which is replaced as a whole."""
        with replacing(path) as file:
            file.write(self._text.encode())


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Dot:
    """A model as a graph in Graphviz's language.

    Args:    as in `plot_model`. subgraph: write a cluster, to be put into another graph.
    Returns: an object with `to_string()` and `write(path)`; pydot is not needed.
    Raises:  ValueError for a model that is not built, or an unknown `rankdir`.

    >>> from kcompile import Input, Sequential, layers
    >>> model = Sequential([Input((3,)), layers.Dense(2, name="d")], name="m")
    >>> print(model_to_dot(model).to_string().splitlines()[0])
    digraph "m" {
    """
    _refuse(kwargs)
    _check_direction(rankdir)
    shown = Shown(show_layer_names, show_shapes, show_dtype, show_layer_activations, show_trainable)
    boxes = boxes_of(model, shown, expand_nested)
    kind, name = ("subgraph", f"cluster_{model.name}") if subgraph else ("digraph", model.name)
    lines = [f"{kind} {_quoted(name)} {{"]
    settings = {"rankdir": rankdir} if subgraph else {"rankdir": rankdir, "dpi": str(dpi), "splines": splines}
    lines += [f"  {key}={_quoted(value)};" for key, value in settings.items()]
    lines += [f"  label={_quoted(model.name)};"] * subgraph
    lines += ['  node [shape=box, style="rounded,filled", fontname="Helvetica"];', *_dot_body(boxes), "}", ""]
    return Dot("\n".join(lines))


def _dot_body(boxes: Boxes) -> list[str]:
    lines = []
    for number, (texts, kind) in enumerate(zip(boxes.texts, boxes.kinds, strict=True)):
        label = _quoted("\n".join(texts))
        lines.append(f'  n{number} [label={label}, fillcolor="{FILLS[kind]}"];')
    for number, (name, members) in enumerate(boxes.groups.items()):
        inside = " ".join(f"n{k};" for k in members)
        lines.append(f"  subgraph cluster_{number} {{ label={_quoted(name)}; {inside} }}")
    return lines + [f"  n{a} -> n{b};" for a, b in boxes.edges]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> None:
    """Draw a model's layers and how they are connected.

    `.svg` and `.dot` files are written by kcompile alone; other formats need Graphviz's program `dot`.

    Args:    to_file: the file; its ending is the format. show_shapes, show_dtype, show_layer_names,
             show_layer_activations, show_trainable: what boxes tell. rankdir: where edges run: "TB" (down),
             "BT", "LR" or "RL". expand_nested: show the layers of nested models. dpi: of the picture, 96 is
             its own size. splines: how Graphviz draws edges.
    Raises:  ValueError for a model that is not built or an unknown `rankdir`; ImportError where the format
             needs Graphviz and it is not installed.
    """
    _refuse(kwargs)
    _check_direction(rankdir)
    path = Path(to_file)
    form = path.suffix.removeprefix(".").lower() or "png"
    told = {"show_shapes": show_shapes, "show_dtype": show_dtype, "show_layer_names": show_layer_names}
    told |= {"show_layer_activations": show_layer_activations, "show_trainable": show_trainable}
    if form == "svg":
        shown = Shown(show_layer_names, show_shapes, show_dtype, show_layer_activations, show_trainable)
        picture = svg_of(boxes_of(model, shown, expand_nested), model.name, rankdir, dpi / DPI).encode()
    else:
        dot = model_to_dot(
            model, rankdir=rankdir, expand_nested=expand_nested, dpi=dpi, splines=splines, **told
        )
        picture = dot.to_string().encode()
        if form not in ("dot", "gv"):
            picture = _by_graphviz(picture, form)
    with replacing(path) as file:
        file.write(picture)


def _by_graphviz(text: bytes, form: str) -> bytes:
    """The picture that Graphviz's program makes."""
    program = shutil.which("dot")
    if program is None:
        raise ImportError(
            message(
                f"plot_model needs Graphviz for a .{form} file.",
                received="no program `dot` on the PATH",
                hint="a .svg file needs nothing; or install Graphviz, https://graphviz.org/download/",
            )
        )
    done = subprocess.run([program, f"-T{form}"], input=text, capture_output=True, check=False)
    if done.returncode:
        raise ValueError(
            f"Graphviz cannot write a .{form} file: {done.stderr.decode(errors='replace').strip()}"
        )
    return done.stdout


def _check_direction(rankdir: str) -> None:
    if rankdir not in DIRECTIONS:
        raise ValueError(f"`rankdir` must be one of {', '.join(DIRECTIONS)}. Received: rankdir={rankdir!r}")


def _refuse(kwargs: dict[str, Any]) -> None:
    if kwargs.pop("layer_range", None) is not None:
        raise ValueError("Argument `layer_range` is no longer supported.")
    if kwargs:
        raise ValueError(f"Unrecognized keyword arguments: {kwargs}")
