"""Shapes of placeholders whose unknown dimensions meet known ones, beside Keras's."""

import builtins
import json
from pathlib import Path

import pytest

import kcompile
from kcompile.core.errors import BroadcastError
from kcompile.core.open_extents import all_fit, fit, joined, of_placeholders
from kcompile.core.symbolic import symbol
from kcompile.ir.types import TensorType, broadcast_shapes
from tests.parity import open_shape_cases

SAID = json.loads((Path(open_shape_cases.__file__).parent / "open_shapes.json").read_text())
BATCH, STEPS = symbol("batch"), symbol("steps")


@pytest.fixture(scope="module")
def found():
    return open_shape_cases.described(kcompile)


@pytest.mark.parametrize("name", open_shape_cases.CASES)
def test_shapes_and_errors_are_keras_s(found, name):
    made, said = found[name], SAID[name]
    if isinstance(said, str):
        assert isinstance(made[0], type) and issubclass(made[0], getattr(builtins, said)), made
    else:
        assert made == said


def test_an_unknown_extent_fits_what_it_meets_among_placeholders_only():
    assert joined((STEPS, 9)) is None and joined((BATCH, STEPS)) is None
    assert not fit(STEPS, 9) and fit(STEPS, STEPS) and not all_fit((2, 3), (2,))
    with of_placeholders():
        assert joined((STEPS, 9)) == 9 and joined((9, STEPS)) == 9
        assert joined((STEPS, 1)) is STEPS and joined((1, STEPS, BATCH)) is STEPS
        assert joined((STEPS, 9, 8)) is None and joined((0, STEPS, 1)) == 0 and joined(()) == 1
        assert all_fit((2, STEPS), (BATCH, 3)) and not all_fit((2, STEPS), (3, STEPS))
        assert TensorType((2, STEPS)).fits(TensorType((2, 3)))
        assert not TensorType((2, STEPS)).fits(TensorType((2, 3), "int32"))
    assert joined((STEPS, 9)) is None


def test_a_program_s_open_dimensions_stay_strict():
    with pytest.raises(BroadcastError, match="cannot be broadcast together"):
        broadcast_shapes((BATCH, 8), (9, 8))
