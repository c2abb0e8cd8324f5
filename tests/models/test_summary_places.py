"""The summary where it is shown: wide terminals, notebooks, logs, an output of few characters."""

from __future__ import annotations

import pytest

import kcompile as keras
from kcompile import layers


def network():
    frozen = layers.Dense(4, trainable=False, name="second")
    return keras.Sequential([keras.Input((3,)), layers.Dense(2, name="first"), frozen], name="m")


def printed(model, **how):
    lines = []
    model.summary(print_fn=lines.append, **how)
    return "".join(lines).splitlines()


def test_columns_of_a_wide_terminal_are_keras_columns(monkeypatch):
    """As Keras prints them with COLUMNS=200."""
    monkeypatch.setenv("COLUMNS", "200")
    widths = [len(part) for part in printed(network(), show_trainable=True)[1].strip("┏┓").split("┳")]
    assert widths == [39, 31, 16, 9]
    x = keras.Input((3,))
    model = keras.Model(x, layers.Add()([x, layers.Dense(3)(x)]))
    widths = [len(part) for part in printed(model, show_trainable=True)[1].strip("┏┓").split("┳")]
    assert widths == [31, 27, 18, 27, 11]


def test_a_notebook_gets_each_part_as_something_to_display(monkeypatch, capsys):
    """As Keras: five parts, of 76 columns at most, and nothing on standard output."""
    console, jupyter = pytest.importorskip("rich.console"), pytest.importorskip("rich.jupyter")
    monkeypatch.setattr(console, "_is_jupyter", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    shown = []
    monkeypatch.setattr(jupyter, "display", lambda segments, text: shown.append(text))
    network().summary()
    assert len(shown) == 5 and "Model:" in shown[0] and "Non-trainable params" in shown[-1]
    assert {len(line) for line in shown[1].splitlines() if line.startswith("└")} == {76}
    assert capsys.readouterr().out == ""
    shown.clear()
    assert len(printed(network())) > 5 and not shown  # what a function wants is not shown as well


def test_without_interactive_logging_it_goes_to_the_log(caplog, capsys):
    keras.utils.disable_interactive_logging()
    try:
        with caplog.at_level("INFO", "kcompile"):
            network().summary()
    finally:
        keras.utils.enable_interactive_logging()
    assert capsys.readouterr().out == "" and "first (Dense)" in caplog.text and "\x1b" not in caplog.text
