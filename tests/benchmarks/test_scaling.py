"""Cost against size: the workloads of each axis, their curves, and the plot."""

from __future__ import annotations

import pytest

from benchmarks import __main__ as command
from benchmarks import scaling_plot, workloads
from benchmarks.harness import Outcome
from benchmarks.report import TITLES
from benchmarks.scaled import AXES, SCALED
from benchmarks.workloads import WORKLOADS
from tests.benchmarks.test_results import results, series


def test_points_differ_from_their_base_in_one_size():
    assert AXES["batch"].works[64].batch == 64 and AXES["batch"].works[64].layers == WORKLOADS["cnn"].layers
    assert AXES["length"].works[256].output_shape == (256, 1000)
    assert not SCALED.keys() & WORKLOADS.keys()
    assert all(work.samples == 8 * work.batch for work in SCALED.values())


@pytest.mark.parametrize("axis, power", [("batch", 1), ("depth", 1), ("width", 2), ("steps", 1)])
def test_work_grows_with_the_size(axis, power):
    small, *_, large = AXES[axis].works.items()
    growth = workloads.step_flops(large[1]) / workloads.step_flops(small[1])
    assert growth == pytest.approx((large[0] / small[0]) ** power, rel=0.15)


def run():
    return results(
        *(
            series("kcompile", (ms,), task=f"depth-{depth}")
            for depth, ms in ((20, 1.0), (56, 3.0), (110, 6.0))
        ),
        series("jax", (5.0,), task="depth-20"),
        series("jax", (4.0,), "rbg", task="depth-20"),
        series("kcompile", (90.0,), task="depth-20", measure="memory"),
    )


def test_curves_take_each_contenders_fastest_way():
    found = scaling_plot.curves(run(), AXES["depth"], "train")
    assert found == {"kcompile": {20: 1.0, 56: 3.0, 110: 6.0}, "jax": {20: 4.0}}
    assert scaling_plot.curves(run(), AXES["width"], "train") == {}
    assert scaling_plot.curves(run(), AXES["depth"], "memory") == {"kcompile": {20: 90.0}}


def test_what_startup_and_memory_measure_is_drawn():
    """Every curve is a series that a run of the command can hold."""
    assert set(scaling_plot.MEASURES) <= {*workloads.MEASURES["model"], "memory", "first_cold", "first_warm"}
    assert set(scaling_plot.MEASURES) <= TITLES.keys()


def test_the_plot_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    scaling_plot.draw(run(), tmp_path / "plot.svg")
    assert "by the layers" in (tmp_path / "plot.svg").read_text()


def test_every_point_is_measured_in_time_memory_and_start(monkeypatch, tmp_path):
    asked: list[tuple[object, ...]] = []

    def note(*args, **named):
        asked.append((args[1] if args[0] == "model" else args[0], *(args[6:] if args[0] == "model" else ())))
        return Outcome()

    for name in ("measure_task", "measure_memory", "measure_startup"):
        monkeypatch.setattr(command, name, note)
    monkeypatch.setattr(command.environment, "find_python", lambda modules, pythons: "python")
    options = command.parse(["scaling", "--only", "depth", "--peers", "torch", "--out", str(tmp_path)])
    command.Run(options, print).scaling()
    expected = [("depth-20", ["train"]), ("depth-20",), ("depth-20",)]
    assert asked[:3] == expected and len(asked) == 9


def test_long_parts_run_only_when_asked_for():
    assert not set(command.ALONE) & set(command.PARTS)
    assert command.parse(["layers"]).part == "layers"
