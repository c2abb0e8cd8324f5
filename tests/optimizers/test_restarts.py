"""Restarts whose lengths make no sense: numbers as Keras's, not an error of Python's logarithm."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.optimizers import schedules


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_lengths_that_do_not_grow():
    nothing_after = schedules.CosineDecayRestarts(0.1, 3, t_mul=0.0)
    found = [float(nothing_after(step)) for step in (0, 1, 2, 4)]
    np.testing.assert_allclose(found, [0.1, 0.075, 0.025, np.nan], rtol=1e-6)
    assert np.isnan(float(schedules.CosineDecayRestarts(0.1, 3, t_mul=-1.0)(0)))
