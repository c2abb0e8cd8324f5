"""docs/keras-coverage.md is the table that its script writes, and the script sees what it should."""

from __future__ import annotations

import json

import pytest

from tests import scripts

script = scripts.script("make_keras_coverage")
STORED = json.loads(script.STORED.read_text())


def test_the_table_is_not_stale():
    again = script.render(STORED, script.compare(STORED))
    assert script.TABLE.read_text() == again, "run `python docs/make_keras_coverage.py`"


def test_every_reason_explains_a_gap():
    gaps = [gap for module in script.compare(STORED) for gap in module.gaps]
    unused = set(script.REASONS.values()) - {gap.reason for gap in gaps}
    assert not unused


class Plain:
    def __init__(self, a, b=1, *, c=None, **kwargs): ...

    def method(self, x, *args): ...

    @property
    def size(self): ...

    def _hidden(self): ...


def test_a_class_is_described():
    wanted = {
        "__init__": ["a", "b=1", "*", "c=None", "**kwargs"],
        "method": ["x", "*args"],
        "size": "property",
    }
    assert script.members_of(Plain, package=Plain.__module__) == wanted


def test_inherited_methods_are_listed_once():
    class Child(Plain):
        def more(self): ...

    found = script.members_of(Child, skipped=(Plain,), package=Plain.__module__)
    assert found.keys() == {"__init__", "more"}


@pytest.mark.parametrize(
    "wanted, ours, fine",
    [
        (["x", "axis=None"], ["x", "axis=None"], True),
        (["x", "axis=None"], ["x", "axis=None", "more=1"], True),
        (["x", "axis=None"], ["x", "axis=-1"], False),
        (["x", "axis=None"], ["axis=None", "x"], False),
        (["x"], ["x", "needed"], False),
        (["x", "**kwargs"], ["x"], False),
        (["*dtypes"], ["*names"], True),
        (["x", "*", "y=1"], ["x", "y=1"], False),
        (["x", "y=1"], ["*args", "**kwargs"], True),
    ],
)
def test_parameters(wanted, ours, fine):
    assert script._takes_all(wanted, ours) == fine


def test_gaps_of_a_class():
    item = {"__init__": ["b"], "method": ["x", "*args"], "gone": [], "size": "property"}
    assert list(script.differences("keras.Plain", item, Plain)) == [
        ("keras.Plain", "(b) is here (a, b=1, *, c=None, **kwargs)"),
        ("keras.Plain.gone", "missing"),
    ]
