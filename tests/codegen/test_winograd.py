"""Convolutions through Winograd: any number of channels, whole and partial squares, beside NumPy."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from kcompile import ops
from kcompile.autograd.backward import gradients
from kcompile.codegen import winograd_cpu, winograd_cut
from kcompile.codegen.winograd_cut import Cut, best_cut
from kcompile.compiler import compile_graph
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.kernels.host import host
from kcompile.schedule.roles import AxisRole
from kcompile.schedule.winograd import Window
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable

IMAGES = 9  # more than tiles share, and no multiple


def convolved(size, channels, filters, padding):
    """What a step computes (output, gradients of kernel, bias and images), compiled and from NumPy."""
    rng = np.random.default_rng(channels + filters)
    kernel = Variable(rng.normal(size=(3, 3, channels, filters)).astype("float32") / channels)
    bias = Variable(rng.normal(size=filters).astype("float32"))

    def step(x):
        y = ops.tanh(ops.conv(x, kernel.value, padding=padding) + bias.value)
        return [y, *gradients(ops.sum(ops.square(y)), [kernel.value, bias.value, x])]

    x = rng.normal(size=(IMAGES, size, size, channels)).astype("float32")
    graph, _ = trace(step, [make_parameter("x", TensorType((symbol("batch"), size, size, channels)))])
    program = compile_graph(graph)
    return program, program(x), reference(x, kernel.numpy().astype("float64"), bias.numpy(), padding)


def reference(x, kernel, bias, padding):
    border = 1 if padding == "same" else 0
    x = np.pad(x.astype("float64"), ((0, 0), (border, border), (border, border), (0, 0)))
    size = x.shape[1] - 2
    taps = [(i, j) for i in range(3) for j in range(3)]
    windows = {(i, j): x[:, i : i + size, j : j + size] for i, j in taps}
    y = np.tanh(sum(windows[tap] @ kernel[tap] for tap in taps) + bias)
    dy = 2 * y * (1 - y * y)
    dkernel, dx = np.zeros_like(kernel), np.zeros_like(x)
    for i, j in taps:
        dkernel[i, j] = np.einsum("nhwc,nhwf->cf", windows[i, j], dy)
        dx[:, i : i + size, j : j + size] += dy @ kernel[i, j].T
    inner = slice(border, x.shape[1] - border)
    return [y, dkernel, dy.sum((0, 1, 2)), dx[:, inner, inner]]


def transforms(program):
    """Names of the Winograd transforms that its kernels call."""
    externals = [e.name for spec in program.program.specs for e in spec.source.externals]
    return {name.removeprefix("kc_winograd_").rpartition("_")[0] for name in externals if "winograd" in name}


# size of the images, channels, filters: below, at and beyond what one micro-kernel's tile holds on any CPU
CASES = [
    (8, 16, 16), (12, 16, 80), (8, 20, 100), (8, 96, 64), (16, 64, 128), (16, 130, 260), (14, 36, 200),
    (8, 72, 200), (11, 16, 36), (11, 72, 72), (15, 24, 132), (9, 48, 48),
]  # fmt: skip


@pytest.mark.parametrize(("size", "channels", "filters"), CASES)
def test_convolutions_and_their_gradients_agree_with_numpy(size, channels, filters):
    used = set()
    for padding in ("same", "valid"):
        program, outputs, expected = convolved(size, channels, filters, padding)
        used |= transforms(program)
        for got, want in zip(outputs, expected, strict=True):
            bound = 2e-5 * np.abs(want).max()  # a transform adds up to 36 numbers, of both signs
            np.testing.assert_allclose(got, want, rtol=0, atol=bound, err_msg=f"{padding} {got.shape}")
    assert used >= {"input", "output"}
    assert channels < 96 or "filter_gradient" in used


# (shape of a sample, kernel, options of `conv`): groups with filters of their own, volumes, taps lying apart,
# and several of these; squares that images do not fill.
OTHERS = {
    "groups": ((8, 12, 64), (3, 3, 32, 64), {}),
    "narrow groups": ((9, 16, 48), (3, 3, 6, 64), {}),
    "filled groups": ((12, 8, 36), (3, 3, 12, 60), {}),
    "volume": ((5, 8, 9, 20), (3, 3, 3, 20, 24), {}),
    "deep volume": ((6, 10, 9, 16), (5, 3, 3, 16, 16), {"padding": "valid"}),
    "flat volume": ((2, 8, 8, 16), (1, 3, 3, 16, 36), {}),
    "volume and groups": ((4, 8, 7, 32), (3, 3, 3, 16, 64), {}),
    "rows of another kind": ((8, 9, 12, 16), (3, 2, 3, 16, 16), {}),
    "dilation": ((16, 24, 20), (3, 3, 20, 40), {"dilation_rate": 2}),
    "unequal dilation": ((24, 10, 16), (3, 3, 16, 24), {"dilation_rate": (3, 1)}),
    "dilated volume": ((8, 9, 16, 16), (3, 3, 3, 16, 20), {"dilation_rate": (1, 1, 2)}),
    "five taps": ((8, 12, 32), (5, 5, 32, 48), {}),
    "five taps, partial squares": ((11, 15, 40), (5, 5, 40, 32), {"padding": "valid"}),
    "seven taps": ((12, 16, 48), (7, 7, 48, 64), {}),
    "five by three taps": ((8, 9, 36), (5, 3, 36, 48), {}),
    "three by seven taps": ((8, 8, 40), (3, 7, 40, 32), {}),
    "six taps": ((8, 8, 48), (6, 6, 48, 48), {}),
    "five by six taps": ((12, 12, 32), (5, 6, 32, 48), {}),
    "six by five taps": ((12, 12, 32), (6, 5, 32, 48), {}),
    "nine by seven taps": ((12, 12, 48), (9, 7, 48, 48), {}),
    "five taps apart": ((16, 16, 32), (5, 5, 32, 48), {"dilation_rate": 2}),
    "five taps in groups": ((8, 8, 64), (5, 5, 32, 96), {}),
    "five taps in a volume": ((4, 8, 8, 32), (3, 5, 5, 32, 32), {}),
    "dilated groups": ((16, 16, 48), (3, 3, 24, 32), {"dilation_rate": (2, 2)}),
}


@pytest.mark.parametrize("case", OTHERS)
@pytest.mark.parametrize("images", [1, 3])
def test_groups_volumes_and_dilation_agree_with_the_direct_way(case, images):
    """In float64, which Winograd's algorithm never computes."""
    sample, kernel, options = OTHERS[case]
    options = {"padding": "same", **options}
    rng = np.random.default_rng(len(case))
    x = rng.normal(size=(images, *sample)).astype("float32")
    w = rng.normal(size=kernel).astype("float32") / np.prod(kernel[:-1]) ** 0.5

    def step(x, w):
        y = ops.conv(x, w, **options)
        return [y, *gradients(ops.sum(ops.sin(y)), [w, x])]

    def run(dtype):
        shapes = ((symbol("batch"), *sample), kernel)
        parameters = [make_parameter(f"x{k}", TensorType(shape, dtype)) for k, shape in enumerate(shapes)]
        program = compile_graph(trace(step, parameters)[0])
        return program, program(x.astype(dtype), w.astype(dtype))

    program, got = run("float32")
    assert transforms(program) == {"input", "output", "filter", "output_gradient", "filter_gradient"}
    reference, want = run("float64")
    assert not transforms(reference)
    for g, r in zip(got, want, strict=True):
        np.testing.assert_allclose(g, r, rtol=0, atol=2e-5 * np.abs(r).max(), err_msg=f"{case} {g.shape}")


def window_of(rows, columns, depth, images=None):
    role = AxisRole((), 1, 0, 0, 0)
    inside = [replace(role, extent=4 * n) for n in (rows, columns)]
    return Window(
        (replace(role, extent=images),) if images else (), *inside, role, role, replace(role, extent=depth)
    )


# (rows of squares, squares of a row, channels, panels of filters, columns of a panel)
@pytest.mark.parametrize(
    "case", [(7, 7, 128, 2, 64), (4, 4, 256, 4, 64), (1, 1, 16, 1, 16), (9, 5, 20, 7, 48)]
)
def test_strips_cover_every_panel(case):
    rows, squares, depth, panels, columns = case
    n = AxisRole((), panels * columns, 0, 0, 0)
    cut = best_cut(window_of(rows, squares, depth), SimpleNamespace(n=n, outer=(), columns=columns, rows=6))
    assert 0 < cut.height <= rows
    assert (cut.strips - 1) * cut.panels < panels <= cut.strips * cut.panels


def test_small_images_share_the_filters_that_a_tile_reads():
    n = AxisRole((), 256, 0, 0, 0)
    cut = best_cut(window_of(2, 2, 256, images=32), SimpleNamespace(n=n, outer=(), columns=64, rows=6))
    assert cut.height > 2


def test_one_image_of_many_channels_occupies_several_cores(monkeypatch):
    """Its 16 squares share each filter that is read; its panels are shared out."""
    monkeypatch.setattr(winograd_cut, "host", lambda: replace(host(), cores=4))
    n = AxisRole((), 512, 0, 0, 0)
    cut = best_cut(window_of(4, 4, 512), SimpleNamespace(n=n, outer=(), columns=16, rows=6))
    assert -(-4 // cut.height) * cut.strips >= 4
    assert cut.strips > 1


# rows of squares of a tile that end inside of images, at their ends, and beyond all of them
@pytest.mark.parametrize("height", [1, 2, 3, 5, 64])
@pytest.mark.parametrize("panels", [1, 2, 9])
def test_any_cut_computes_the_same(monkeypatch, height, panels):
    """Each image is scaled by a number of its own, which a tile of several images must not share."""
    monkeypatch.setattr(winograd_cpu, "best_cut", lambda window, c: forced(c, height, panels))
    rng = np.random.default_rng(height)
    kernel = Variable(rng.normal(size=(3, 3, 16, 200)).astype("float32"))
    shapes = (symbol("batch"), 8, 12, 16), (symbol("batch"), 1, 1, 1)
    parameters = [make_parameter(f"x{k}", TensorType(shape)) for k, shape in enumerate(shapes)]
    graph, _ = trace(lambda x, s: ops.conv(x, kernel.value, padding="same") * (s * 2 + 1), parameters)
    program = compile_graph(graph)
    assert transforms(program) >= {"input", "output"}
    for images in (1, 7):
        x = rng.normal(size=(images, 8, 12, 16)).astype("float32")
        s = rng.normal(size=(images, 1, 1, 1)).astype("float32")
        padded = np.pad(x.astype("float64"), ((0, 0), (1, 1), (1, 1), (0, 0)))
        taps = kernel.numpy().astype("float64")
        want = (s * 2 + 1) * sum(
            padded[:, i : i + 8, j : j + 12] @ taps[i, j] for i in range(3) for j in range(3)
        )
        np.testing.assert_allclose(program(x, s)[0], want, rtol=0, atol=2e-5 * np.abs(want).max())


def forced(c, height, panels):
    in_all = -(-int(c.n.extent) // c.columns)
    panels = min(panels, in_all)
    return Cut(height, panels, -(-in_all // panels))
