"""Configs list their entries in Keras's order, so that files and texts of models are equal."""

import json
from pathlib import Path

import pytest

import kcompile
from kcompile.layers.configured import placed
from tests.parity import config_order_cases

SAID = json.loads((Path(config_order_cases.__file__).parent / "config_orders.json").read_text())
CASES = config_order_cases.cases()


@pytest.mark.parametrize("name", CASES)
def test_the_order_is_keras_s(name):
    assert config_order_cases.orders(CASES[name](kcompile).get_config()) == SAID[name]


def test_placed():
    config = {"a": 1, "b": 2}
    assert list(placed(config, "c", 3, before="b")) == ["a", "c", "b"]
    assert list(placed(config, "c", 3, before="z")) == ["a", "b", "c"]
    assert placed(config, "a", 5, before="b") == {"a": 5, "b": 2} and config == {"a": 1, "b": 2}
