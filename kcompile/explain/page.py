"""The page: pictures and a table of every program, in one file that loads nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.resources import files

import kcompile
from kcompile.core.files import replacing
from kcompile.core.markup import element, text
from kcompile.explain.boxes import of_graph, of_kernels
from kcompile.explain.graph_picture import graph_picture
from kcompile.explain.memory_picture import memory_picture, memory_words
from kcompile.explain.program import Measured
from kcompile.explain.roofline import roofline
from kcompile.explain.wording import Layers, fused_text, scaled, time_text
from kcompile.kernels.host import host

TITLES = {"predict": "Inference", "train": "Training step"}
HEADINGS = ("#", "kernel", "time", "GFLOP/s", "of peak", "GB/s", "FLOP", "bytes", "fused")


def write_page(path: str | os.PathLike[str], name: str, programs: Mapping[str, Measured]) -> None:
    """Write the page; an old file stays if anything fails."""
    page = page_text(name, programs)
    with replacing(path) as file:
        file.write(page.encode())


def page_text(name: str, programs: Mapping[str, Measured]) -> str:
    """The whole page."""
    parts = {key: _file(f"page.{key}") for key in ("css", "js")}
    cpu, one = host(), next(iter(programs.values()))
    parts["title"] = text(f"{name}: kernels")
    parts["name"] = text(name)
    parts["machine"] = text(
        f"{cpu.name}, {one.threads} thread{'s' * (one.threads > 1)}, measured peak {one.peak.gflops:.0f} "
        f"GFLOP/s and {one.peak.gbytes:.0f} GB/s; kcompile {kcompile.__version__}"
    )
    parts["links"] = "".join(
        element("a", text(TITLES.get(key, key)), href=f"#{key}") for key in programs if len(programs) > 1
    )
    parts["programs"] = "".join(_program(key, measured) for key, measured in programs.items())
    page = _file("page.html")
    for key, value in parts.items():
        page = page.replace("{{" + key + "}}", value, 1)
    return page


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text()


def _program(key: str, one: Measured) -> str:
    layers = Layers(n.origin for n in one.traced.nodes() if n.inputs)  # constants are shared by models
    before, after = of_graph(one.traced, layers), of_kernels(one, layers)
    return element(
        "section",
        element("h2", text(TITLES.get(key, key))),
        _figures(one),
        element(
            "div",
            _panel(
                "Graph as traced", f"{_inner(one.traced)} ops",
                graph_picture(before, layers, f"{key}-a"), "scroll",
            ),
            _panel(
                "After the passes, by kernel", f"{_inner(one.optimized)} ops in {len(one.kernels)} kernels",
                graph_picture(after, layers, f"{key}-b"), "scroll",
            ),
            _panel("Roofline", _roof_words(one), roofline(one, layers)),
            _panel("Memory over time", memory_words(one), memory_picture(one, layers)),
            class_="panels",
        ),
        _table(one, layers),
        id=key,
    )  # fmt: skip


def _figures(one: Measured) -> str:
    """The figures that matter, large."""
    busy = one.flops / one.nanoseconds if one.nanoseconds else 0.0
    tiles = (
        (time_text(one.nanoseconds), "of one core"),
        (scaled(one.flops, "FLOP"), "arithmetic"),
        (f"{busy:.0f} GFLOP/s", f"{100 * busy / one.core_gflops:.0f}% of a core's peak"),
        (str(len(one.kernels)), f"kernels from {_inner(one.traced)} ops"),
    )
    return element(
        "div", *(element("div", element("b", text(a)), element("span", text(b))) for a, b in tiles),
        class_="figures",
    )  # fmt: skip


def _inner(graph: object) -> int:
    return sum(bool(node.inputs) for node in graph.nodes())  # type: ignore[attr-defined]


def _panel(title: str, words: str, picture: str, kind: str = "plot") -> str:
    head = element("h3", text(title), element("small", text(words)))
    return element("figure", head, element("div", picture, class_=kind))


def _roof_words(one: Measured) -> str:
    silent = sum(not k.flops for k in one.kernels)
    without = f"; {silent} without arithmetic are left out" if silent else ""
    return f"a point for each kernel, larger with its time{without}"


def _table(one: Measured, layers: Layers) -> str:
    longest = max([k.nanoseconds for k in one.kernels], default=1.0) or 1.0
    rows = []
    for number, (k, formulas) in enumerate(zip(one.kernels, one.texts, strict=True)):
        bar = f"--share:{100 * k.nanoseconds / longest:.1f}%"
        fused = element("summary", text(fused_text(number, k)))
        cells = (
            element("td", str(number), class_="n"),
            element("td", text(layers.shown(k.name)), class_="name"),
            element("td", time_text(k.nanoseconds), class_="n time", style=bar),
            element("td", f"{k.gflops:.1f}" if k.flops else "", class_="n"),
            element("td", f"{100 * k.gflops / one.core_gflops:.0f}%" if k.flops else "", class_="n"),
            element("td", f"{k.gbytes:.1f}", class_="n"),
            element("td", scaled(k.flops, "") if k.flops else "", class_="n"),
            element("td", scaled(k.bytes, "B", 1024), class_="n"),
            element("td", element("details", fused, element("pre", _formulas(formulas))), class_="fused"),
        )
        style = layers.style(k.name)
        rows.append(element("tr", *cells, data_k=number, style=style))
    head = element("tr", *(element("th", text(h)) for h in HEADINGS))
    return element("table", element("thead", head), element("tbody", *rows))


def _formulas(lines: str) -> str:
    return "\n".join(text(line) for line in lines.splitlines())
