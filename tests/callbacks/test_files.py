"""Callbacks that write whole models: files that load again, and training that goes on after a crash."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import callbacks
from kcompile.saving import checksums
from tests.training.models import data, linear

x, y = data()


class Crash(callbacks.Callback):
    """Ends training in the middle."""

    def __init__(self, epoch, batch=None):
        super().__init__()
        self.at, self.now = (epoch, batch), 0
        if batch is not None:
            self.on_train_batch_end = self.count

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch
        if self.at == (epoch, None):
            raise InterruptedError

    def count(self, batch, logs=None):
        if self.at == (self.now, batch):
            raise InterruptedError


def test_checkpoints_load_again(tmp_path):
    model = linear("adam", metrics=["mae"])
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    model.fit(x, y, epochs=2, batch_size=8, verbose=0, callbacks=[checkpoint])
    loaded = keras.saving.load_model(tmp_path / "2.keras")
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))
    assert int(loaded.optimizer.iterations) == 6
    for a, b in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_weights_load_again(tmp_path):
    model, other = linear(), linear()
    path = str(tmp_path / "w.weights.h5")
    model.fit(x, y, verbose=0, callbacks=[callbacks.ModelCheckpoint(path, save_weights_only=True)])
    other.load_weights(path)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def fit(model, *used, epochs=4):
    return model.fit(x, y, epochs=epochs, batch_size=4, shuffle=False, verbose=0, callbacks=list(used))


def test_training_goes_on_after_a_crash(tmp_path):
    whole = linear("adam")
    fit(whole)
    folder = tmp_path / "backup"
    with pytest.raises(InterruptedError):
        fit(linear("adam"), callbacks.BackupAndRestore(folder, double_checkpoint=True), Crash(2))
    again = linear("adam")
    history = fit(again, callbacks.BackupAndRestore(folder))
    assert history.epoch == [2, 3] and not folder.exists()
    np.testing.assert_array_equal(again.get_weights()[0], whole.get_weights()[0])
    assert fit(again).epoch == [0, 1, 2, 3]  # the next training begins at the start


def test_a_damaged_backup_is_replaced_by_the_one_before(tmp_path):
    with pytest.raises(InterruptedError):
        fit(linear("adam"), callbacks.BackupAndRestore(tmp_path, double_checkpoint=True), Crash(3))
    latest, previous = (tmp_path / f"{name}latest.weights.h5" for name in ("", "previous."))
    good = previous.read_bytes()
    latest.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="before the last one, at epoch 2: latest.weights.h5 is not an HDF5"):
        history = fit(linear("adam"), callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False))
    assert history.epoch == [2, 3] and tmp_path.exists()
    latest.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="at epoch 2"), pytest.raises(InterruptedError):
        fit(linear("adam"), callbacks.BackupAndRestore(tmp_path, double_checkpoint=True), Crash(2))
    assert latest.read_bytes() == previous.read_bytes() == good  # the next save keeps the latest as previous


def test_where_neither_backup_can_be_used_the_last_one_is_told(tmp_path):
    with pytest.raises(InterruptedError):
        fit(linear("adam"), callbacks.BackupAndRestore(tmp_path, double_checkpoint=True), Crash(3))
    (tmp_path / "latest.weights.h5").write_bytes(b"damaged")
    (tmp_path / "previous.latest.weights.h5").write_bytes(b"damaged, too")
    with pytest.raises(ValueError, match=r"^latest.weights.h5 is not"):
        fit(linear("adam"), callbacks.BackupAndRestore(tmp_path))
    assert (tmp_path / "latest.weights.h5").read_bytes() == b"damaged"


def test_a_training_that_failed_leaves_no_place_to_begin(tmp_path):
    for epoch in (2, 3):
        model = linear("adam")
        with pytest.raises(InterruptedError):
            fit(model, callbacks.BackupAndRestore(tmp_path), Crash(epoch))
    assert fit(model, epochs=2).epoch == [0, 1]


def test_a_changed_byte_in_a_backup_is_noticed(tmp_path, monkeypatch):
    """Also one of a weight, which is a number as good as any, in whichever block of the file."""
    monkeypatch.setattr(checksums, "BLOCK", 1000)
    with pytest.raises(InterruptedError):
        fit(linear("adam"), callbacks.BackupAndRestore(tmp_path, double_checkpoint=True), Crash(3))
    file = tmp_path / "latest.weights.h5"
    good = file.read_bytes()
    places = np.random.default_rng(0).integers(512, len(good), 30)
    for place in (*places, len(good) - 1):
        bad = bytearray(good)
        bad[place] ^= 1
        file.write_bytes(bad)
        with pytest.raises(ValueError, match=r"latest.weights.h5 is damaged: its checksum"):
            linear("adam")._load_training(str(file))
    with pytest.warns(UserWarning, match="checksum"):
        assert fit(linear("adam"), callbacks.BackupAndRestore(tmp_path)).epoch == [2, 3]


def test_backups_of_batches(tmp_path):
    model = linear("adam")
    with pytest.raises(InterruptedError):
        fit(model, callbacks.BackupAndRestore(tmp_path, save_freq=2), Crash(0, 4))
    other = linear("adam")
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "latest.weights.h5")
    assert int(other.optimizer.iterations) == 4


def test_arguments(tmp_path):
    with pytest.raises(ValueError, match="Empty `backup_dir`"):
        callbacks.BackupAndRestore("")
    with pytest.raises(ValueError, match="save_freq=batch"):
        callbacks.BackupAndRestore(tmp_path, save_freq="batch")


def test_files_are_named_after_batches_counted_from_one(tmp_path):
    path = str(tmp_path / "{epoch}_{batch}.weights.h5")
    fit(linear(), callbacks.ModelCheckpoint(path, save_weights_only=True, save_freq=2), epochs=1)
    assert sorted(p.name for p in tmp_path.iterdir())[0] == "1_2.weights.h5"
