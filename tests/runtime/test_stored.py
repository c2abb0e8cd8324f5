"""Programs on disk: the second process skips passes, plan and code generation, and computes the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from kcompile import compiler, layers
from kcompile.core.config import config
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.kernels.host import host
from kcompile.runtime import stored
from kcompile.runtime.cache import ObjectCache
from kcompile.trace.tracer import trace

ROOT = Path(__file__).resolve().parents[2]


def convolutional():
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(6, 3, padding="same")(x)
    y = layers.Dropout(0.3)(layers.ReLU()(layers.BatchNormalization()(y)))
    return keras.Model(x, layers.Dense(4)(layers.Flatten()(y))), (8, 8, 3)


def recurrent():
    x = keras.Input((None, 5))
    y = layers.Bidirectional(layers.LSTM(6, return_sequences=True))(x)
    return keras.Model(x, layers.Dense(4)(layers.GRU(7)(y))), (9, 5)


def attentive():
    x = keras.Input((6, 8))
    y = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    return keras.Model(x, layers.Dense(4)(layers.GlobalAveragePooling1D()(y))), (6, 8)


MODELS = {"convolutional": convolutional, "recurrent": recurrent, "attentive": attentive}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, and the settings of a user: the tests' own verify every pass."""
    monkeypatch.setenv("KCOMPILE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(stored, "WORTH_KEEPING", 1)
    with config(verify=False):
        yield


def results(make, batch=6, fits=2):
    """What training and prediction leave: weights, history, predictions for two batch sizes."""
    keras.utils.set_random_seed(5)
    keras.utils.clear_session()
    model, shape = make()
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(batch * 3 + 1, *shape)).astype("float32"), rng.integers(0, 4, batch * 3 + 1)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = [model.fit(x, y, batch_size=batch, verbose=0).history["loss"] for _ in range(fits)]
    arrays = [
        *model.get_weights(),
        np.array(losses),
        model.predict(x, verbose=0),
        model.predict(x[:2], verbose=0),
    ]
    return [a.tobytes() for a in arrays]


def no_passes(monkeypatch):
    def refuse(*_):
        raise AssertionError("the passes ran although the program was stored")

    monkeypatch.setattr(compiler.pipeline, "run", refuse)


@pytest.mark.parametrize("name", MODELS)
def test_a_stored_program_computes_the_same_bits(name, monkeypatch):
    first = results(MODELS[name])
    no_passes(monkeypatch)
    assert results(MODELS[name]) == first


def test_another_batch_size_needs_no_other_program(monkeypatch):
    results(attentive, batch=6)
    no_passes(monkeypatch)
    assert len(results(attentive, batch=3)) > 0


@pytest.mark.parametrize(
    "changes", [{"noopt": True}, {"skip": "masks"}], ids=lambda changes: next(iter(changes))
)
def test_other_settings_are_another_program(changes, monkeypatch):
    results(convolutional, fits=1)
    no_passes(monkeypatch)
    with config(**changes), pytest.raises(AssertionError, match="the passes ran"):
        results(convolutional, fits=1)


def test_another_compiler_is_another_program(monkeypatch):
    results(convolutional, fits=1)
    monkeypatch.setattr(stored, "_compiler", lambda: "edited")
    no_passes(monkeypatch)
    with pytest.raises(AssertionError, match="the passes ran"):
        results(convolutional, fits=1)


KEY = "listing "


def any_graph(constant=2.0):
    graph, _ = trace(lambda x: x * constant + 1.0, [make_parameter("x", TensorType((5,)))])
    return graph


def test_the_key_knows_the_machine(monkeypatch):
    """Sizes of caches decide tiles; versions and CPU decide what kernels are called."""
    before = stored.key_of(any_graph())
    assert before.startswith(KEY)
    with monkeypatch.context() as other:
        other.setattr(stored, "host_fingerprint", lambda: "another CPU")
        assert stored.key_of(any_graph()) != before
    with monkeypatch.context() as other:
        other.setattr(stored, "host", lambda: replace(host(), l2=1 << 17))
        assert stored.key_of(any_graph()) != before
    with monkeypatch.context() as other:
        keys = []
        for cores in (1, 8, 64):  # one image is cut for up to eight
            other.setattr(stored, "host", lambda cores=cores: replace(host(), cores=cores))
            keys.append(stored.key_of(any_graph()))
        assert keys[0] != keys[1] == keys[2]
    assert stored.key_of(any_graph(3.0)) != before


@pytest.mark.parametrize("changes", [{"num_threads": 1}, {"flush_subnormals": True}], ids=str)
def test_who_runs_a_program_does_not_change_it(changes):
    before = stored.key_of(any_graph())
    with config(**changes):
        assert stored.key_of(any_graph()) == before


@pytest.mark.parametrize(
    "changes",
    [{"verify": True}, {"check": True}, {"poison": True}, {"dump": "x"}, {"debug": "plan"}],
    ids=str,
)
def test_whoever_looks_on_gets_no_stored_program(changes):
    with config(**changes):
        assert stored.key_of(any_graph()) is None


def test_without_a_cache_there_is_no_key(monkeypatch):
    monkeypatch.setenv("KCOMPILE_CACHE", "0")
    assert stored.key_of(any_graph()) is None


def test_a_graph_without_a_lasting_name_has_no_key(monkeypatch):
    def unfit(graph):
        raise stored.Unfit

    monkeypatch.setattr(stored, "fingerprint", unfit)
    assert stored.key_of(any_graph()) is None


def test_the_compilers_files_are_read(monkeypatch, tmp_path):
    """The digest is that of the files, not of nothing."""
    before = stored._compiler.__wrapped__()
    (tmp_path / "passes").mkdir()
    (tmp_path / "passes" / "new.py").write_text("x = 1")
    monkeypatch.setattr(keras, "__path__", [*keras.__path__, str(tmp_path)])
    assert stored._compiler.__wrapped__() != before


def test_large_constants_are_not_kept(monkeypatch):
    put = []
    monkeypatch.setattr(ObjectCache, "put", lambda self, key, data: put.append(key))
    for size, expected in ((1 << 10, 1), (1 << 21, 0)):
        put.clear()
        table = np.arange(size, dtype="float32")
        graph, _ = trace(lambda x, table=table: x * table, [make_parameter("x", TensorType(table.shape))])
        compiler.compile_graph(graph)
        assert sum(key.startswith(KEY) for key in put) == expected


@pytest.mark.parametrize("topic", ["graph", "plan", "kernels", "source"])
def test_whoever_looks_at_the_compiler_sees_it_at_work(topic, capsys):
    results(convolutional, fits=1)
    capsys.readouterr()
    with config(debug=topic):
        results(convolutional, fits=1)
    assert capsys.readouterr().out.count("---") > 1


def test_object_code_that_is_gone_is_made_again(monkeypatch):
    first = results(convolutional)
    real = ObjectCache.get
    monkeypatch.setattr(
        ObjectCache, "get", lambda self, key: real(self, key) if key.startswith("listing ") else None
    )
    monkeypatch.setattr("kcompile.runtime.kernels._addresses", {})
    assert results(convolutional) == first


def test_a_damaged_listing_is_made_again():
    first = results(convolutional)
    for path in Path(os.environ["KCOMPILE_CACHE_DIR"]).iterdir():
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    assert results(convolutional) == first


def test_small_programs_are_not_kept(monkeypatch):
    kept = []
    monkeypatch.undo()
    monkeypatch.setattr(ObjectCache, "put", lambda self, key, data: kept.append(key))
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model.predict(np.zeros((2, 3)), verbose=0)
    assert not [key for key in kept if key.startswith("listing ")]


def test_a_second_process_starts_without_numba_and_without_passes():
    program = (
        "import sys\n"
        "from kcompile.runtime import stored; stored.WORTH_KEEPING = 1\n"
        "from tests.runtime.test_stored import results, attentive\n"
        "import hashlib; print(hashlib.sha256(b''.join(results(attentive))).hexdigest())\n"
        "print('numba' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KCOMPILE_DEBUG": "timings", "KCOMPILE_VERIFY": "0"}
    environment["KCOMPILE_CACHE_DIR"] = os.environ["KCOMPILE_CACHE_DIR"]
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    lines = [[line for line in text.splitlines() if ": " not in line] for text in outputs]
    assert lines[0][0] == lines[1][0]
    assert lines[1][1] == "False"
    assert "pass decompose" in outputs[0]
    assert "pass decompose" not in outputs[1]
    assert "stored program" in outputs[1]
