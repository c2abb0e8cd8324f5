"""Devices: what is said when there is none, memory apart from the host's, copies, and when they happen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.core.errors import CompileError
from kcompile.ir.graph import Graph
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.runtime.cuda.device import device_of
from kcompile.runtime.cuda.emulated import EmulatedDevice
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def device(monkeypatch) -> Iterator[EmulatedDevice]:
    """The emulated device, recording its launches and counting its copies."""
    found = device_of("cuda-emulated")
    assert isinstance(found, EmulatedDevice)
    found.record = []
    copies: dict[str, int] = {"upload": 0, "download": 0}
    for name in copies:
        real = getattr(found, name)

        def counted(*arguments, name=name, real=real):
            copies[name] += 1
            real(*arguments)

        monkeypatch.setattr(found, name, counted)
    monkeypatch.setattr(found, "copies", copies, raising=False)
    with config(target="cuda-emulated"):
        yield found
    found.record = None


def doubled() -> Graph:
    x = make_parameter("x", TensorType((40,)))
    return Graph([x], [x * 2.0])


def counting() -> tuple[Variable, Graph]:
    """A program that adds its input to a variable and returns the sum."""
    total = Variable(np.zeros(3, np.float32), name="total")

    def run(x):
        total.assign(total.value + x)
        return total.value * 1.0

    graph, _ = trace(run, [make_parameter("x", TensorType((3,)))])
    return total, graph


# -- no device
# ------------------------------------------------------------------------------------------------

MISSING = """
from kcompile.core.config import config
from kcompile.compiler import compile_graph
from tests.cuda.test_device import doubled
try:
    with config(target="cuda"):
        compile_graph(doubled())
except Exception as error:
    print(type(error).__name__, error)
"""


def test_without_a_device_one_line_says_what_is_missing():
    done = subprocess.run(
        [sys.executable, "-c", MISSING], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    if not done.stdout:
        pytest.skip("there is a device")
    (line,) = done.stdout.splitlines()
    assert line.startswith("CompileError target 'cuda' cannot be used:")
    assert "pip install" in line or "driver" in line


def test_unknown_targets_are_named_with_their_neighbours():
    with config(target="cuda-emulate"), pytest.raises(ValueError, match="did you mean 'cuda-emulated'"):
        compile_graph(doubled())


def test_other_targets_never_import_cuda():
    code = (
        "import sys, numpy as np\nfrom kcompile.core.config import config\n"
        "from kcompile.compiler import compile_graph\n"
        "from tests.cuda.test_device import doubled\n"
        "for target in ('cuda-emulated', 'cpu'):\n"
        "    with config(target=target): compile_graph(doubled())(np.ones(40, 'float32'))\n"
        "print([n for n in sys.modules if n.startswith(('numba.cuda', 'numba_cuda'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr


# -- memory and copies
# ----------------------------------------------------------------------------------------


def test_results_are_copied_from_memory_of_the_device(device):
    program = compile_graph(doubled())
    x = np.arange(40, dtype=np.float32)
    first, second = program(x)[0], program(x + 1)[0]
    assert first.tolist() == (x * 2).tolist()
    assert second.tolist() == (x * 2 + 2).tolist()
    assert device.copies == {"upload": 2, "download": 2}


def test_variables_stay_on_the_device_while_nobody_else_writes_them(device):
    total, graph = counting()
    program = compile_graph(graph)
    one = np.ones(3, np.float32)
    program(one), program(one)
    assert total.numpy().tolist() == [2.0] * 3
    assert device.copies["upload"] == 3  # the input twice, the variable once
    total.assign([10.0, 20.0, 30.0])
    assert program(one)[0].tolist() == [11.0, 21.0, 31.0]
    assert device.copies["upload"] == 5


def test_programs_share_variables_on_the_device(device):
    total, graph = counting()
    other, _ = trace(lambda: total.value + 0.5, [])
    add, read = compile_graph(graph), compile_graph(other)
    add(np.ones(3, np.float32))
    before = device.copies["upload"]
    assert read()[0].tolist() == [1.5] * 3
    assert device.copies["upload"] == before


def test_repeated_steps_copy_once(device):
    total, graph = counting()
    program = compile_graph(graph)
    assert program.repeat([np.ones(3, np.float32)], {}, 5) == 5
    assert total.numpy().tolist() == [5.0] * 3
    assert device.copies == {"upload": 2, "download": 2}


def test_a_stop_ends_repetition(device):
    total, graph = counting()
    assert compile_graph(graph).repeat([np.ones(3, np.float32)], {}, 5, stop=np.ones(1, np.int64)) == 0
    assert total.numpy().tolist() == [0.0] * 3


def test_explaining_leaves_the_weights_as_they_were(device, capsys):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    x, y = np.ones((2, 3), np.float32), np.zeros((2, 2), np.float32)
    model.explain(x=x, y=y)
    assert "kernels" in capsys.readouterr().out
    found = model.train_on_batch(x, y)
    model.set_weights(before)
    assert found == model.train_on_batch(x, y)


def test_launches_are_recorded(device):
    compile_graph(doubled())(np.ones(40, np.float32))
    (one,) = device.record
    assert [(t.low, t.high) for t in one.touched] == [(0, 39), (0, 39)]


def test_a_fault_names_the_kernel(device):
    program = compile_graph(doubled())
    broken = program.program.loaded
    for key, source in broken.items():
        text = source.text.replace("x1[at(point)]", "x1[at(point + 1)]")
        broken[key] = type(source)(text, source.name, source.arrays, source.numbers, source.threads)
    with pytest.raises(CompileError, match=r"kernel multiply.* on an emulated device: x1\[40\] lies outside"):
        program(np.ones(40, np.float32))
