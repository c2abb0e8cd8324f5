"""States that go on from batch to batch: training, evaluation and prediction beside Keras on TensorFlow."""

from pathlib import Path

import numpy as np
import pytest

import kcompile
from tests.parity import stateful_cases

SAID = dict(np.load(Path(stateful_cases.__file__).parent / "stateful.npz"))


@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
@pytest.mark.parametrize("name", stateful_cases.cases())
def test_states_and_numbers(name, eager):
    found = stateful_cases.run(kcompile, name, eager)
    said = {key.removeprefix(name + "/"): x for key, x in SAID.items() if key.startswith(name + "/")}
    assert found.keys() == said.keys()
    for key, array in said.items():
        np.testing.assert_allclose(found[key], array, rtol=1e-4, atol=2e-6, err_msg=key)
