"""The building blocks alone, as shares of the machine's measured peak: ``python -m benchmarks.kernels``.

Plain drivers around the external functions of `kcompile.kernels`: what the blocks reach, below any compiler.
Shapes: a 512^3 product, and the convolution 26x26x32 -> 24x24x64 with 3x3 weights over 128 images.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import click
import numba as nb
import numpy as np

from kcompile.kernels import native, prefetch
from kcompile.kernels.contract import micro
from kcompile.kernels.host import host
from kcompile.kernels.peak import measure_peak
from kcompile.kernels.winograd import transform

ROUNDS = 15
IMAGES, SIDE, DEPTH, OUT_SIDE, FILTERS = 128, 26, 32, 24, 64
CONVOLUTION_FLOPS = 2 * IMAGES * OUT_SIDE**2 * 9 * DEPTH * FILTERS
ITEM = 4
X_PIXEL, Y_PIXEL = DEPTH * ITEM, FILTERS * ITEM
X_ROW, Y_ROW = SIDE * X_PIXEL, OUT_SIDE * Y_PIXEL
WINDOW_POINTS = 36
_LIBRARIES: list[native.Library] = []  # the code lives as long as these


def _function(module: object, name: str, arguments: int) -> Callable[..., None]:
    library = native.load(module)  # type: ignore[arg-type]
    _LIBRARIES.append(library)
    return library.function(name, arguments)


def _micro(rows: int, vectors: int, unit_k: bool = True) -> Callable[..., None]:
    spec = micro.MicroSpec(rows, vectors, host().lanes("float32"), "float32", unit_k)
    return _function(micro.build(spec), micro.symbol(spec), 11)


def _transform(name: str) -> Callable[..., None]:
    return _function(transform.build(name, host()), transform.symbol(name, host()), 10)


def _seconds(threads: int, work: Callable[[int, int], None]) -> float:
    """The fastest of some rounds in which every thread does its part."""
    gate, spans = threading.Barrier(threads), np.zeros((ROUNDS, threads, 2))

    def run(thread: int) -> None:
        for turn in range(ROUNDS):
            gate.wait()
            begin = time.perf_counter()
            work(thread, threads)
            spans[turn, thread] = begin, time.perf_counter()

    team = [threading.Thread(target=run, args=(t,)) for t in range(threads)]
    for thread in team:
        thread.start()
    for thread in team:
        thread.join()
    return float((spans[:, :, 1].max(axis=1) - spans[:, :, 0].min(axis=1)).min())


def _aligned(*shape: int) -> np.ndarray:
    """Random numbers (zeros would spare the CPU power) that begin at a cache line."""
    count = int(np.prod(shape))
    spare = np.random.default_rng(0).random(count + 16, np.float32)
    start = -spare.ctypes.data // ITEM % 16
    return spare[start : start + count].reshape(shape)


def matrix_product(threads: int, n: int = 512) -> tuple[float, float]:
    """(seconds, operations) of an n^3 product, its right side packed in panels beforehand."""
    rows, vectors = micro.choose(n, host())
    kernel, width = _micro(rows, vectors), vectors * host().lanes("float32")

    @nb.njit(nogil=True, boundscheck=False)
    def run(a, panels, c, first, last, places):  # type: ignore[no-untyped-def]
        for panel in range(n // width):
            b = panels.ctypes.data + panel * n * width * ITEM
            for m in range(first, last, rows):
                start = min(m, n - rows)
                for r in range(rows):
                    places[r] = a.ctypes.data + (start + r) * n * ITEM
                place = c.ctypes.data + (start * n + panel * width) * ITEM
                kernel(1, n, places.ctypes.data, 0, ITEM, b, 0, width * ITEM, place, n * ITEM, 0)

    a, panels, c = _aligned(n, n), _aligned(n // width, n, width), _aligned(n, n)
    buffers, blocks = np.zeros((threads, 64), np.int64), -(-n // rows)

    def work(t: int, count: int) -> None:
        first, last = (blocks * i // count * rows for i in (t, t + 1))
        run(a, panels, c, first, last, buffers[t])

    return _seconds(threads, work), 2 * n**3


def _over_images(threads: int, run: Callable[..., None], *scratch: tuple[int, ...]) -> tuple[float, float]:
    """Time run(x, w, y, first image, last image, row pointers, scratch of these shapes ...)."""
    x = _aligned(IMAGES, SIDE, SIDE, DEPTH)
    w = _aligned(WINDOW_POINTS, DEPTH, FILTERS)  # the nine points of direct weights fit into these
    y = _aligned(IMAGES, OUT_SIDE, OUT_SIDE, FILTERS)
    own = [(np.zeros(64, np.int64), *(_aligned(*shape) for shape in scratch)) for _ in range(threads)]

    def work(t: int, count: int) -> None:
        run(x, w, y, IMAGES * t // count, IMAGES * (t + 1) // count, *own[t])

    return _seconds(threads, work), CONVOLUTION_FLOPS


def direct_forward(threads: int) -> tuple[float, float]:
    """Rows of the tile are pixels; the reduction runs over kernel rows, then columns x channels."""
    kernel, rows = _micro(6, 4), 6

    @nb.njit(nogil=True, boundscheck=False)
    def run(x, w, y, first, last, places):  # type: ignore[no-untyped-def]
        for n in range(first, last):
            for i in range(OUT_SIDE):
                for j in range(0, OUT_SIDE, rows):
                    for r in range(rows):
                        places[r] = x.ctypes.data + (n * SIDE + i) * X_ROW + (j + r) * X_PIXEL
                    steps = places.ctypes.data, X_ROW, ITEM, w.ctypes.data, 3 * DEPTH * Y_PIXEL, Y_PIXEL
                    place = y.ctypes.data + (n * OUT_SIDE + i) * Y_ROW + j * Y_PIXEL
                    kernel(3, 3 * DEPTH, *steps, place, Y_PIXEL, 0)

    return _over_images(threads, run)


def direct_weight_gradient(threads: int) -> tuple[float, float]:
    """Rows of the tile are weights; the reduction runs over the output pixels of an image."""
    kernel, rows = _micro(6, 4, unit_k=False), 6

    @nb.njit(nogil=True, boundscheck=False)
    def run(x, w, dy, first, last, places, dw):  # type: ignore[no-untyped-def]
        for n in range(first, last):
            for i in range(3):
                for m in range(0, 3 * DEPTH, rows):
                    for r in range(rows):
                        places[r] = x.ctypes.data + (n * SIDE + i) * X_ROW + (m + r) * ITEM
                    b = dy.ctypes.data + n * OUT_SIDE * Y_ROW
                    steps = places.ctypes.data, X_ROW, X_PIXEL, b, Y_ROW, Y_PIXEL
                    place = dw.ctypes.data + (i * 3 * DEPTH + m) * Y_PIXEL
                    kernel(OUT_SIDE, OUT_SIDE, *steps, place, Y_PIXEL, n != first)

    return _over_images(threads, run, (9, DEPTH, FILTERS))


def direct_input_gradient(threads: int) -> tuple[float, float]:
    """A convolution of dy in a border of zeros; kernel rows that meet nothing but zeros are left out."""
    kernel, rows = _micro(13, 2), 13
    side = OUT_SIDE + 4

    @nb.njit(nogil=True, boundscheck=False)
    def run(dx, w, dy, first, last, places, image):  # type: ignore[no-untyped-def]
        image[:] = 0
        for n in range(first, last):
            for i in range(OUT_SIDE):
                for j in range(OUT_SIDE):
                    for c in range(FILTERS):  # a slice's assignment is slower
                        image[i + 2, j + 2, c] = dy[n, i, j, c]
            for i in range(SIDE):
                top, bottom = max(0, 2 - i), min(3, OUT_SIDE + 2 - i)
                for j in range(0, SIDE, rows):
                    for r in range(rows):
                        places[r] = image.ctypes.data + ((i + top) * side + j + r) * Y_PIXEL
                    step = 3 * FILTERS * X_PIXEL
                    steps = (
                        places.ctypes.data,
                        side * Y_PIXEL,
                        ITEM,
                        w.ctypes.data + top * step,
                        step,
                        X_PIXEL,
                    )
                    place = dx.ctypes.data + (n * SIDE + i) * X_ROW + j * X_PIXEL
                    kernel(bottom - top, 3 * FILTERS, *steps, place, X_PIXEL, 0)

    return _over_images(threads, run, (side, side, FILTERS))


def winograd_forward(threads: int) -> tuple[float, float]:
    """Two rows of tiles at a time; during the products the next rows are prefetched."""
    kernel, rows = _micro(6, 4), 6
    into, out = _transform("input"), _transform("output")
    read = _function(prefetch.build(False), prefetch.symbol(False), 2)
    write = _function(prefetch.build(True), prefetch.symbol(True), 2)
    line, height = OUT_SIDE // 4, 2
    tiles = line * height
    v_point, m_point = tiles * X_PIXEL, tiles * Y_PIXEL

    @nb.njit(nogil=True, boundscheck=False)
    def products(u, v, m, places, point):  # type: ignore[no-untyped-def]
        for t in range(0, tiles, rows):
            for r in range(rows):
                places[r] = v.ctypes.data + point * v_point + (t + r) * X_PIXEL
            steps = places.ctypes.data, 0, ITEM, u.ctypes.data + point * DEPTH * Y_PIXEL, 0, Y_PIXEL
            kernel(1, DEPTH, *steps, m.ctypes.data + point * m_point + t * Y_PIXEL, Y_PIXEL, 0)

    @nb.njit(nogil=True, boundscheck=False)
    def run(x, u, y, first, last, places, v, m):  # type: ignore[no-untyped-def]
        for n in range(first, last):
            for top in range(0, OUT_SIDE, 4 * height):
                source = x.ctypes.data + (n * SIDE + top) * X_ROW
                target = y.ctypes.data + (n * OUT_SIDE + top) * Y_ROW
                for h in range(height):
                    place = v.ctypes.data + h * line * X_PIXEL
                    begin = source + 4 * h * X_ROW, X_ROW, X_PIXEL, 4 * X_PIXEL
                    into(DEPTH, line, *begin, place, 6 * v_point, v_point, X_PIXEL)
                share_x, share_y = 4 * height * X_ROW // WINDOW_POINTS, 4 * height * Y_ROW // WINDOW_POINTS
                for point in range(WINDOW_POINTS):
                    read(source + (4 * height + 2) * X_ROW + point * share_x, share_x)
                    write(target + point * share_y, share_y)
                    products(u, v, m, places, point)
                for h in range(height):
                    begin = m.ctypes.data + h * line * Y_PIXEL, 6 * m_point, m_point, Y_PIXEL
                    out(FILTERS, line, *begin, target + 4 * h * Y_ROW, Y_ROW, Y_PIXEL, 4 * Y_PIXEL)

    shapes = (WINDOW_POINTS, tiles, DEPTH), (WINDOW_POINTS, tiles, FILTERS)
    return _over_images(threads, run, *shapes)


def winograd_weight_gradient(threads: int) -> tuple[float, float]:
    """An image at a time; the 36 products sum over its tiles, then over images; no last transform."""
    kernels = {rows: _micro(rows, 4, unit_k=False) for rows in (6, DEPTH % 6)}
    into, onto = _transform("input"), _transform("output_gradient")
    rows, line = 6, OUT_SIDE // 4
    tiles, full = line * line, DEPTH // 6 * 6
    v_point, m_point = tiles * X_PIXEL, tiles * Y_PIXEL
    kernel, last_kernel = kernels[6], kernels[DEPTH % 6]

    @nb.njit(nogil=True, boundscheck=False)
    def run(x, unused, dy, first, last, places, v, m, du):  # type: ignore[no-untyped-def]
        for n in range(first, last):
            for h in range(line):
                begin = x.ctypes.data + (n * SIDE + 4 * h) * X_ROW, X_ROW, X_PIXEL, 4 * X_PIXEL
                into(DEPTH, line, *begin, v.ctypes.data + h * line * X_PIXEL, 6 * v_point, v_point, X_PIXEL)
                begin = dy.ctypes.data + (n * OUT_SIDE + 4 * h) * Y_ROW, Y_ROW, Y_PIXEL, 4 * Y_PIXEL
                onto(FILTERS, line, *begin, m.ctypes.data + h * line * Y_PIXEL, 6 * m_point, m_point, Y_PIXEL)
            for point in range(WINDOW_POINTS):
                b = m.ctypes.data + point * m_point
                for c in range(0, DEPTH, rows):
                    for r in range(min(rows, DEPTH - c)):
                        places[r] = v.ctypes.data + point * v_point + (c + r) * ITEM
                    steps = places.ctypes.data, 0, X_PIXEL, b, 0, Y_PIXEL
                    place = du.ctypes.data + (point * DEPTH + c) * Y_PIXEL
                    if c < full:
                        kernel(1, tiles, *steps, place, Y_PIXEL, n != first)
                    else:
                        last_kernel(1, tiles, *steps, place, Y_PIXEL, n != first)

    shapes = (WINDOW_POINTS, tiles, DEPTH), (WINDOW_POINTS, tiles, FILTERS), (WINDOW_POINTS, DEPTH, FILTERS)
    return _over_images(threads, run, *shapes)


ROWS = {
    "matrix product 512^3": matrix_product,
    "convolution forward, direct": direct_forward,
    "convolution dW, direct": direct_weight_gradient,
    "convolution dX, direct": direct_input_gradient,
    "convolution forward, Winograd": winograd_forward,
    "convolution dW, Winograd": winograd_weight_gradient,
}


@click.command()
@click.option("--threads", multiple=True, default=(1, 2), show_default=True)
def main(threads: tuple[int, ...]) -> None:
    """Shares of the peak that the bare building blocks reach; the direct algorithm's operations count."""
    for count in threads:
        # The greater of two: another process on a core lowers what is meant as a limit.
        peak = max(measure_peak(count), measure_peak(count), key=lambda p: p.gflops)
        click.echo(f"{count} threads: peak {peak.gflops:.0f} GFLOP/s, {peak.gbytes:.0f} GB/s")
        for name, measure in ROWS.items():
            seconds, operations = measure(count)
            rate = operations / seconds / 1e9
            click.echo(f"  {name:32}{seconds * 1e3:8.2f} ms{rate:8.0f} GFLOP/s{rate / peak.gflops:7.0%}")


if __name__ == "__main__":
    main()
