"""The progress bar is Keras's, byte by byte."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import kcompile as keras
from kcompile.callbacks import progbar, single_step
from kcompile.callbacks.progbar import Progbar
from kcompile.core import console
from tests.parity import progress_cases, progress_run
from tests.training.models import data, linear

x, y = data()


def test_bars_are_keras_bars():
    expected = (Path(progress_cases.__file__).parent / "progress.bin").read_bytes()
    assert progress_cases.printed(Progbar, "kcompile.callbacks.progbar") == expected


@pytest.mark.parametrize("place", ["file", "notebook"])
def test_whole_trainings_print_what_keras_prints(place, monkeypatch, capsys):
    if place == "notebook":
        monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    clock = [100.0]
    monkeypatch.setattr(progbar, "time", SimpleNamespace(time=lambda: clock[0]))
    progress_run.train(keras, clock)
    assert capsys.readouterr().out == printed_by_keras(place)


def test_a_terminal_shows_what_keras_shows():
    command = [sys.executable, progress_run.__file__, "kcompile"]
    root = str(Path(progress_run.__file__).parents[2])
    found = progress_run.printed(command, "terminal", {**os.environ, "PYTHONPATH": root})
    assert found.decode() == printed_by_keras("terminal")


def printed_by_keras(place):
    return json.loads((Path(progress_run.__file__).parent / "progress_run.json").read_text())[place]


@pytest.mark.parametrize("seconds", [2.1e-5, 0.03, 1.4, 75.0])
@pytest.mark.parametrize("verbose", [1, 2])
def test_a_single_step_prints_what_the_bar_prints(monkeypatch, capsys, seconds, verbose):
    clock = [100.0]
    monkeypatch.setattr(progbar, "time", SimpleNamespace(time=lambda: clock[0]))
    bar = Progbar(1, verbose=verbose, stateless_metrics=())
    clock[0] += seconds
    if verbose == 1:
        bar.update(1, [], finalize=False)
    bar.update(1, [], finalize=True)
    expected = capsys.readouterr().out
    single_step.print_single_step(seconds, verbose)
    assert capsys.readouterr().out == expected


def lines(capsys):
    """What is seen in the end: the last state of each line, without colours."""
    text = capsys.readouterr().out
    for code in ("\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"):
        text = text.replace(code, "")
    return [line.rpartition("\r")[2].rstrip() for line in text.split("\n")[:-1]]


def test_fit(capsys):
    linear(metrics=["mae"]).fit(x, y, batch_size=8, epochs=2, validation_data=(x, y))
    first, bar, second, _ = lines(capsys)
    assert (first, second) == ("Epoch 1/2", "Epoch 2/2")
    start, *rest = bar.split(" - ")
    assert start.startswith("3/3 ━━━━━━━━━━━━━━━━━━━━ 0s ") and start.endswith("s/step")
    assert [part.partition(":")[0] for part in rest] == ["loss", "mae", "val_loss", "val_mae"]


def test_one_line_per_epoch(capsys):
    linear().fit(x, y, batch_size=8, verbose=2)
    (line,) = lines(capsys)
    count, seconds, per_step, loss = line.split(" - ")
    assert count == "3/3" and seconds == "0s" and per_step.endswith("/step") and loss.startswith("loss: ")


def test_evaluate_and_predict(capsys):
    model = linear()
    model.evaluate(x, y)
    model.predict(x)
    model.predict(x, batch_size=8)
    evaluated, single, several = lines(capsys)
    assert evaluated.startswith("1/1 ━━━━") and " - loss: " in evaluated
    assert single.startswith("1/1 ━━━━") and single.endswith("/step")
    assert several.startswith("3/3 ━━━━") and several.endswith("/step")


@pytest.mark.parametrize("verbose", [0, 3, False])
def test_silence(capsys, verbose):
    model = linear()
    model.fit(x, y, verbose=verbose)
    model.evaluate(x, y, verbose=verbose)
    model.predict(x, verbose=verbose)
    model.predict(x[:4], verbose=verbose)
    assert capsys.readouterr().out == ""


def test_an_unknown_number_of_steps(capsys):
    linear().fit((x, y) for _ in range(3))
    assert lines(capsys)[-1].startswith("3/3 ━━━━")


def test_a_user_bar_is_not_doubled(capsys):
    linear().fit(x, y, callbacks=[keras.callbacks.ProgbarLogger()])
    assert len(lines(capsys)) == 1


def test_both_kinds_of_metrics_are_refused():
    with pytest.raises(ValueError, match="Only one of"):
        Progbar(3, stateful_metrics=["a"], stateless_metrics=["b"])


def test_an_output_without_the_bars_characters(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    console.print_msg("1/1 ━━ é")
    assert raw.getvalue() == b"1/1 == \n"


def test_messages_go_to_the_log(caplog, capsys):
    console.disable_interactive_logging()
    try:
        with caplog.at_level("INFO", "kcompile"):
            linear().fit(x, y, verbose=2)
    finally:
        console.enable_interactive_logging()
    assert capsys.readouterr().out == "" and "1/1 - " in caplog.text
    assert console.is_interactive_logging_enabled()
