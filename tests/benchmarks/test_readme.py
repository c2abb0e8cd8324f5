"""The comparison that is written into README.md."""

from __future__ import annotations

import pytest

from benchmarks import readme
from benchmarks.report import show
from tests.benchmarks.test_results import results, series

TEXT = f"# Title\n\n{readme.BEGIN}\nold\n{readme.END}\n\nThe rest.\n"


@pytest.fixture
def run():
    return results(
        series("kcompile", (1.0, 1.0), task="cnn"),
        series("keras-jax", (4.0, 4.0), "fit", task="cnn"),
        series("keras-jax", (3.0, 3.0), "train_on_batch", task="cnn"),
        series("torch", (2.0, 2.0), task="cnn"),
        series("kcompile", (100.0,), task="cnn", measure="import"),
    )


def test_only_the_block_changes(tmp_path, run):
    path = tmp_path / "README.md"
    path.write_text(TEXT)
    readme.write(run, path)
    text = path.read_text()
    assert text.startswith(f"# Title\n\n{readme.BEGIN}\n|  |") and text.endswith(
        f"{readme.END}\n\nThe rest.\n"
    )
    assert "old" not in text
    readme.write(run, path)
    assert path.read_text() == text


@pytest.mark.parametrize("text", ["no marks", TEXT + TEXT, f"{readme.BEGIN} only"])
def test_marks_must_be_there_once(tmp_path, run, text):
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(ValueError, match="benchmark:begin"):
        readme.write(run, path)
    assert path.read_text() == text


def test_rows_hold_each_contenders_fastest_way_and_the_ratio(run):
    lines = readme.comparison(run).splitlines()
    assert lines[0] == "|  | kcompile | keras-jax | torch | kcompile by the fastest |"
    assert lines[2] == "| MNIST CNN, batch 128: training step, ms | 1 | 3 | 2 | **0.5x** |"
    assert lines[3] == "| import, s | 0.1 |  |  |  |"


def test_what_was_missed_is_said(run):
    assert "Goals not reached" not in readme.comparison(run)
    run.series[0] = series("kcompile", (1.9, 1.9), task="cnn")
    assert (
        "Goals not reached: MNIST CNN, batch 128: step, by the fastest peer's 0.950x."
        in readme.comparison(run)
    )


@pytest.mark.parametrize(
    "value, text", [(0.0042, "0.0042"), (1.2345, "1.23"), (99.94, "99.9"), (381.2, "381"), (None, "-")]
)
def test_figures_have_the_digits_they_are_worth(value, text):
    assert show(value) == text
