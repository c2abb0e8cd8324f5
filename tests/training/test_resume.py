"""A training that is killed at any moment ends, started again, with the bits of one that ran through."""

from __future__ import annotations

import itertools
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import numpy as np
import pytest

from kcompile import callbacks
from tests.training import resuming
from tests.training.models import data, linear

KINDS = ("arrays", "stretches", "generator", "dataset", "workers", "executions", "half", "rivals")
x, y = data()


class Stop(Exception):
    pass


class StopAt(callbacks.Callback):
    """Ends training in the middle, as far as the files can tell, at the call number `at` of one hook."""

    def __init__(self, hook, at):
        super().__init__()
        self.left = at
        setattr(self, hook, self.count)

    def count(self, *_, logs=None):
        if self.left == 0:
            raise Stop
        self.left -= 1


@pytest.fixture(scope="module")
def uninterrupted():
    """What comes out of each kind, made when it is first asked for."""
    known = {}

    def digest(kind):
        if kind not in known:
            known[kind] = resuming.digest(resuming.fit(kind))
        return known[kind]

    return digest


# Places where processes can be killed, one by one: op by op in NumPy.


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("save_freq", ["epoch", "1", "3"])
@pytest.mark.parametrize("kind", KINDS)
def test_going_on_gives_the_same_bits(tmp_path, uninterrupted, kind, save_freq):
    places = [("on_train_batch_begin", 0), ("on_train_batch_end", 4), ("on_epoch_end", 0)]
    for hook, at in [*places, ("on_epoch_begin", 1), ("on_train_batch_end", 2), ("on_train_end", 0)]:
        calls = at // 2 if kind == "executions" else at  # hooks are called less often there
        with pytest.raises(Stop):
            resuming.fit(kind, StopAt(hook, calls), resuming.backup(tmp_path, save_freq))
    found = resuming.digest(resuming.fit(kind, resuming.backup(tmp_path, save_freq)))
    assert resuming.same(found, uninterrupted(kind)), (found, uninterrupted(kind))
    assert not tmp_path.exists()


def test_no_batch_is_read_ahead_that_nobody_asks_for(tmp_path):
    """A generator that takes its time is read by a thread, which must know where training ends."""

    def batches(taken):
        for k in itertools.count():
            taken.append(k)
            time.sleep(0.002)
            yield x[:4], y[:4]

    def run(*more):
        taken, keep = [], callbacks.BackupAndRestore(tmp_path, save_freq=1)
        linear().fit(batches(taken), steps_per_epoch=3, epochs=2, verbose=0, callbacks=[keep, *more])
        time.sleep(0.05)
        return taken

    assert run() == list(range(6))
    for hook, at in (("on_train_batch_end", 4), ("on_train_end", 0)):
        with pytest.raises(Stop):
            run(StopAt(hook, at))
    assert run() == list(range(6))


def test_callbacks_that_count_go_on_counting(tmp_path):
    """EarlyStopping stops where it would have stopped, and restores the best weights of before."""

    class Value(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["value"] = [3.0, 1.0, 2.0, 2.0, 0.0][epoch]

    def run(*more):
        stopper = callbacks.EarlyStopping("value", mode="min", patience=2, restore_best_weights=True)
        model = linear("adam")
        model.fit(x, y, epochs=5, shuffle=False, verbose=0, callbacks=[*more, Value(), stopper])
        return model, stopper

    whole, _ = run()
    for at in (3, 0):
        with pytest.raises(Stop):
            run(callbacks.BackupAndRestore(tmp_path), StopAt("on_epoch_begin", at))
    with pytest.raises(Stop):  # it has decided to stop: nothing is left to do but the end
        run(callbacks.BackupAndRestore(tmp_path), StopAt("on_train_end", 0))
    again, stopper = run(callbacks.BackupAndRestore(tmp_path))
    assert again.history.epoch == [] and stopper.stopped_epoch == 3 and stopper.best_epoch == 1
    np.testing.assert_array_equal(again.get_weights()[0], whole.get_weights()[0])


def test_a_changed_model_begins_its_metrics_anew(tmp_path):
    with pytest.raises(Stop):
        linear().fit(
            x, y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path), StopAt("on_train_end", 0)]
        )
    with pytest.warns(UserWarning, match="had other metrics"):
        history = linear(metrics=["mae"]).fit(
            x, y, epochs=2, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)]
        )
    assert history.epoch == [1]


def test_the_file_is_a_weights_file(tmp_path):
    model = linear("adam")
    keep = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    model.fit(x, y, verbose=0, callbacks=[keep])
    other = linear("adam")
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "latest.weights.h5")
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    np.testing.assert_array_equal(other.optimizer.variables[2], model.optimizer.variables[2])


def test_a_backup_without_notes_goes_on_with_its_epoch(tmp_path):
    """As Keras writes it: weights, and the epoch beside them."""
    model = linear("adam")
    model.fit(x, y, verbose=0)
    model.save_weights(tmp_path / "latest.weights.h5")
    (tmp_path / "training_metadata.json").write_text('{"epoch": 3, "batch": 0}')
    keep = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    assert linear("adam").fit(x, y, epochs=5, verbose=0, callbacks=[keep]).epoch == [3, 4]
    model.save_weights(tmp_path / "previous.latest.weights.h5")
    (tmp_path / "previous.training_metadata.json").write_text('{"epoch": 2, "batch": 0}')
    (tmp_path / "latest.weights.h5").write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="at epoch 2"):
        assert linear("adam").fit(x, y, epochs=5, verbose=0, callbacks=[keep]).epoch == [2, 3, 4]


def test_a_loop_of_ones_own(tmp_path):
    """Whoever calls the callbacks without `fit` gets weights, optimizer and the epoch, as in Keras."""

    def run(epochs):
        model = linear("adam")
        keep = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
        hooks = callbacks.CallbackList([keep], model=model)
        hooks.on_train_begin()
        first = model._initial_epoch or 0
        for epoch in range(first, epochs):
            hooks.on_epoch_begin(epoch)
            model.train_on_batch(x, y)
            hooks.on_epoch_end(epoch)
        hooks.on_train_end()
        return first, model

    assert run(2)[0] == 0
    first, model = run(4)
    assert first == 2 and int(model.optimizer.iterations) == 4
    expected = linear("adam")
    for _ in range(4):
        expected.train_on_batch(x, y)
    np.testing.assert_array_equal(model.get_weights()[0], expected.get_weights()[0])


@pytest.mark.parametrize(
    "notes", [b"", b"[]", b'{"stopped": false}', b'{"step": 0, "stopped": 0, "epoch": {}}']
)
def test_damaged_notes_are_refused(tmp_path, notes):
    from kcompile.core.files import replacing
    from kcompile.saving.weights import write_weights

    model = linear()
    model.optimizer.build(model.trainable_variables)
    with replacing(tmp_path / "latest.weights.h5") as file:
        write_weights(model, file, {"notes": np.frombuffer(notes, np.uint8)})
    with pytest.raises(ValueError, match="damaged|refused"):
        model.fit(x, y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])


def test_what_killed_processes_left_is_removed(tmp_path):
    left = tmp_path / ".latest.weights.h5.0123abcd.part"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))  # long ago
    keep = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    linear().fit(x, y, verbose=0, callbacks=[keep])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["latest.weights.h5", "training_metadata.json"]


# SIGKILL at random moments, with compiled steps.


class Child:
    """A process that trains, and the moment at which it is killed."""

    def __init__(self, kind, folder, save_freq):
        self.read, write = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(write)
            return
        try:
            text = resuming.digest(resuming.fit(kind, resuming.backup(folder, save_freq)))
        except BaseException:
            text = traceback.format_exc()
        os.write(write, text.encode())
        os._exit(0)

    def result(self, kill_after=None):
        """What it printed; None if it was killed before it could."""
        done, _, _ = select.select([self.read], [], [], kill_after)
        if not done:
            os.kill(self.pid, signal.SIGKILL)
        found = b"".join(iter(lambda: os.read(self.read, 4096), b""))
        os.close(self.read)
        os.waitpid(self.pid, 0)
        return found.decode() or None


def killed(kind, save_freq, kills, folder):
    """Kill a training `kills` times; each time that one comes to its end, its bits are compared."""
    rng = np.random.default_rng(len(kind) + len(save_freq))
    began = time.monotonic()
    expected = Child(kind, str(folder / "whole"), save_freq).result()
    duration = time.monotonic() - began
    left, finished = kills, 0
    while left or not finished:
        result = Child(kind, str(folder / "backup"), save_freq).result(
            rng.random() * duration if left else None
        )
        left -= result is None
        if result is not None:
            assert resuming.same(result, expected), (result, expected)
            finished += 1


@pytest.mark.compiled
def test_killed_three_times(tmp_path):
    killed("arrays", "2", 3, tmp_path)


@pytest.mark.compiled
@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, save_freq",
    [
        ("arrays", "1"),
        ("arrays", "epoch"),
        ("stretches", "1"),
        ("generator", "1"),
        ("generator", "epoch"),
        ("dataset", "2"),
        ("workers", "1"),
        ("executions", "1"),
        ("executions", "epoch"),
        ("half", "1"),
    ],
)
def test_killed_at_random_moments(tmp_path, kind, save_freq):
    """Fifty kills and more, over all kinds."""
    killed(kind, save_freq, 9, tmp_path)


@pytest.mark.compiled
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["arrays", "processes"])
def test_killed_in_interpreters_of_their_own(tmp_path, kind):
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "tests.training.resuming", kind]
    environment = {**os.environ, "PYTHONPATH": str(root)}

    def start(folder):
        return subprocess.Popen(
            [*command, str(tmp_path / folder), "1"],
            cwd=root,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )

    whole = start("whole")
    expected = whole.communicate()[0]
    assert expected and whole.returncode == 0
    process = start("backup")
    while not (tmp_path / "backup" / "training_metadata.json").exists() and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert start("backup").communicate()[0] == expected  # it was killed in its first epoch
