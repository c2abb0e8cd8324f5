"""Loading beside computing: the thread that reads ahead, worker processes, and arrays that stay on disk."""

from __future__ import annotations

import itertools
import threading
import time
import traceback

import numpy as np
import pytest

from kcompile.training.data import read_ahead
from kcompile.training.data import rows as rows_module
from kcompile.training.data import workers as workers_module
from kcompile.training.data.arrays import array_data, split_validation
from kcompile.training.data.batches import batch_data, batches_of_arrays
from kcompile.training.data.read_ahead import AHEAD, SLOW, ReadAhead
from kcompile.training.data.rows import Rows
from kcompile.utils import PyDataset
from tests.training.datasets import Dying, Failing, Shifted
from tests.training.models import data, linear

h5py = pytest.importorskip("h5py")
x, y = data()


def slow(count, log=None, seconds=5 * SLOW):
    """Numbers that take their time, and note which thread asked for them."""
    for k in range(count):
        time.sleep(seconds)
        if log is not None:
            log.append((k, threading.current_thread() is threading.main_thread()))
        yield k


# --- the thread ---------------------------------------------------------------------------------------------


def test_items_come_in_order_and_from_a_thread():
    log = []
    assert list(ReadAhead(slow(20, log))) == list(range(20))
    assert [k for k, _ in log] == list(range(20))
    assert [in_main for _, in_main in log] == [True] + [False] * 19


def test_quick_sources_need_no_thread(monkeypatch):
    monkeypatch.setattr(read_ahead, "SLOW", 60.0)  # on a busy machine any item may take a while
    ahead = ReadAhead(iter(range(1000)))
    assert list(ahead) == list(range(1000)) and ahead._thread is None


def test_reading_ahead_is_bounded():
    log = []
    ahead = ReadAhead(slow(100, log))
    assert next(ahead) == 0
    deadline = time.monotonic() + 10
    while len(log) < 1 + AHEAD and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(50 * SLOW)
    assert len(log) == 1 + AHEAD
    ahead.close()
    assert not ahead._thread.is_alive()
    assert len(log) == 1 + AHEAD


def test_no_more_than_the_limit_is_taken():
    source = slow(100)
    assert list(ReadAhead(source, limit=7)) == list(range(7))
    assert next(source) == 7
    quick = iter(range(10))
    assert list(ReadAhead(quick, limit=0)) == [] and list(ReadAhead(quick, limit=1)) == [0]
    assert next(quick) == 1


def test_an_error_is_raised_where_its_item_is_due_with_its_own_traceback():
    def source():
        yield from slow(3)
        raise OSError("the disk is gone")

    ahead = ReadAhead(source())
    assert [next(ahead) for _ in range(3)] == [0, 1, 2]
    for _ in range(2):  # whoever asks again is told again
        with pytest.raises(OSError, match="the disk is gone") as caught:
            next(ahead)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert "source" in names


def test_the_end_stays_the_end():
    ahead = ReadAhead(slow(2))
    assert list(ahead) == [0, 1] and list(ahead) == []


def test_closing_does_not_wait_for_a_source_that_hangs():
    leave = threading.Event()

    def source():
        yield from slow(1)
        leave.wait(30)
        yield 1

    ahead = ReadAhead(source())
    next(ahead)
    began = time.monotonic()
    ahead.close()
    assert time.monotonic() - began < 10
    leave.set()
    ahead._thread.join(10)
    assert not ahead._thread.is_alive() and list(ahead) == []


def reading():
    return [t for t in threading.enumerate() if t.name == "kcompile read ahead"]


def slow_batches(count, log=None):
    for k in slow(count, log):
        yield x[4 * (k % 5) : 4 * (k % 5) + 4], y[4 * (k % 5) : 4 * (k % 5) + 4]


def test_fit_reads_ahead_and_gives_what_it_gives_without(monkeypatch):
    log = []
    history = linear().fit(slow_batches(20, log), steps_per_epoch=5, epochs=4, verbose=0).history
    assert sum(not in_main for _, in_main in log) >= 15
    expected = linear().fit(x, y, batch_size=4, epochs=4, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-6)
    assert not reading()


def test_fit_takes_no_more_from_a_generator_than_it_uses():
    source = slow_batches(100)
    model = linear()
    model.fit(source, steps_per_epoch=3, epochs=2, verbose=0)
    model.evaluate(source, steps=2, verbose=0)
    model.predict(source, steps=1, verbose=0)
    assert next(source)[0] is not None
    assert sum(1 for _ in source) == 100 - 6 - 2 - 1 - 1


def test_an_error_of_the_source_ends_fit_and_leaves_the_model_usable():
    def source():
        yield from slow_batches(3)
        raise RuntimeError("no more pictures")

    model = linear()
    for call in (model.fit, model.evaluate, model.predict):
        with pytest.raises(RuntimeError, match="no more pictures") as caught:
            call(source(), verbose=0)
        assert "source" in [f.name for f in traceback.extract_tb(caught.value.__traceback__)]
    assert not reading()
    model.fit(x, y, verbose=0)


def test_an_error_in_a_callback_stops_the_reading():
    from kcompile.callbacks import LambdaCallback

    def stop(batch, logs):
        raise KeyboardInterrupt

    log = []
    with pytest.raises(KeyboardInterrupt):
        linear().fit(slow_batches(1000, log), verbose=0, callbacks=[LambdaCallback(on_train_batch_end=stop)])
    assert not reading() and len(log) < 20


# --- workers ------------------------------------------------------------------------------------------------


def numbers(batches):
    return [int(batch[0][0, 0]) for batch in batches]


@pytest.mark.slow
def test_worker_processes_work_on_copies_of_the_data_set():
    import os

    dataset = Shifted(workers=2, use_multiprocessing=True, max_queue_size=3)
    source = batch_data(dataset)
    source.first()
    assert dataset.shift == 10
    batches = list(source.epoch())
    assert numbers(batches) == [10, 11, 12, 13, 14]
    makers = {int(batch[1][0, 0]) for batch in batches}
    assert os.getpid() not in makers and 1 <= len(makers) <= 2
    makers |= {int(batch[1][0, 0]) for batch in source.epoch()}
    assert len(makers) <= 2  # nothing changed: the same processes, though one may have been too late before
    source.on_epoch_end()
    assert numbers(source.epoch()) == [20, 21, 22, 23, 24]
    source.close()


@pytest.mark.slow
def test_what_happens_in_a_worker_process_is_told():
    source = batch_data(Failing(workers=1, use_multiprocessing=True))
    with pytest.raises(OSError, match="disk of batch 2") as caught:
        list(source.epoch())
    assert "datasets.py" in str(caught.value.__cause__)  # the worker's own traceback
    source.close()
    source = batch_data(Dying(workers=2, use_multiprocessing=True))
    with pytest.raises(RuntimeError, match="worker process of Dying died while batch"):
        list(source.epoch())
    source.close()


@pytest.mark.slow
def test_a_data_set_that_cannot_be_pickled_is_forked():
    class Local(Shifted):
        pass

    source = batch_data(Local(workers=2, use_multiprocessing=True))
    assert numbers(source.epoch()) == [0, 1, 2, 3, 4]
    source.on_epoch_end()
    assert numbers(source.epoch()) == [10, 11, 12, 13, 14]  # what has changed reaches the processes
    source.close()


def test_a_data_set_that_cannot_be_sent_where_nothing_forks(monkeypatch):
    class Local(Shifted):
        pass

    monkeypatch.setattr("multiprocessing.get_all_start_methods", lambda: ["spawn"])
    source = batch_data(Local(workers=2, use_multiprocessing=True))
    with pytest.raises(ValueError, match="Local cannot be sent to worker processes") as caught:
        list(source.epoch())
    assert "use_multiprocessing=False" in str(caught.value)


def test_workers_are_ahead_of_the_one_who_waits_and_errors_come_in_order():
    lock, started = threading.Lock(), []

    class Noting(Failing):
        def __getitem__(self, index):
            with lock:
                started.append(index)
            return super().__getitem__(index)

    source = batch_data(Noting(count=20, workers=2, max_queue_size=4))
    batches = source.epoch()
    assert numbers(itertools.islice(batches, 2)) == [0, 1]
    with pytest.raises(OSError, match="batch 2"):
        next(batches)
    assert max(started) <= 2 + 4
    source.close()


def test_a_batch_that_does_not_come_is_reported(monkeypatch):
    monkeypatch.setattr(workers_module, "LONG_WAIT", 0.05)

    class Slow(Shifted):
        def __getitem__(self, index):
            time.sleep(0.2 if index == 1 else 0)
            return super().__getitem__(index)

    source = batch_data(Slow(workers=2))
    with pytest.warns(UserWarning, match=r"Still waiting for batch Slow\[1\]"):
        assert numbers(source.epoch()) == [0, 1, 2, 3, 4]
    source.close()


def test_a_constructor_that_forgets_the_base_class():
    class Forgetful(Shifted):
        def __init__(self):
            self.count, self.shift = 2, 0

    with pytest.warns(UserWarning, match="does not call"):
        source = batch_data(Forgetful())
    assert numbers(source.epoch()) == [0, 1]


def test_a_data_set_that_grows_between_epochs():
    class Growing(PyDataset):
        size = 1

        def __len__(self):
            return self.size

        def __getitem__(self, index):
            return x[index * 4 : index * 4 + 4], y[index * 4 : index * 4 + 4]

        def on_epoch_end(self):
            self.size += 1

    seen = []
    from kcompile.callbacks import LambdaCallback

    note = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    linear().fit(Growing(), epochs=2, verbose=0, callbacks=[note])
    assert seen == [0, 1, 0, 1, 2]  # the look at the first batch was a pass of its own


# --- arrays that stay where they are ------------------------------------------------------------------------


@pytest.fixture
def everything_is_large(monkeypatch):
    monkeypatch.setattr(rows_module, "READ_WHOLE", 0)


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as opened:
        opened.create_dataset("x", data=x, chunks=(3, 4))
        opened["y"] = y
        yield opened


class Counting:
    """An array with chunks that notes which rows were read."""

    chunks = (1,)

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.reads = array, array.shape, array.dtype, []

    def __getitem__(self, key):
        found = self.array[key]
        self.reads.append(len(found))
        return found

    def __array__(self, *_, **__):
        raise AssertionError("read as a whole")


def test_rows_in_any_order(file):
    found = Rows(file["x"])
    for places in ([0, 1, 2], [5, 3, 9], [4, 4, 1], [19], []):
        np.testing.assert_array_equal(found.read(np.array(places, "int64")), x[places])
    part = found[5:]
    assert part.shape == (15, 4) and part.dtype == "float32"
    np.testing.assert_array_equal(part.read(np.array([0, 14])), x[[5, 19]])
    np.testing.assert_array_equal(np.asarray(part[2:4]), x[7:9])
    np.testing.assert_array_equal(np.asarray(part[:-3]), x[5:17])
    with pytest.raises(ValueError, match="without steps"):
        found[::2]


def test_small_ones_are_read_at_once(file):
    found = array_data(file["x"], file["y"])
    assert not found.is_stored and isinstance(found.x, np.ndarray)


def test_no_more_than_a_batch_is_read_at_a_time(everything_is_large):
    source = Counting(x)
    model = linear()
    model.fit(source, y, batch_size=8, epochs=2, verbose=0)
    assert source.reads == [8] + [8, 8, 4] * 2
    source.reads.clear()
    model.evaluate(source, y, batch_size=10, verbose=0)
    np.testing.assert_allclose(model.predict(source, batch_size=20, verbose=0), model(x), rtol=1e-6)
    assert source.reads == [10, 10, 10, 20]


@pytest.mark.parametrize("shuffle", [True, False, "batch"])
def test_training_is_the_same_as_from_memory(shuffle, file, everything_is_large):
    import kcompile

    weights = np.linspace(0.5, 2, 20).astype("float32")
    histories = []
    for inputs, labels in ((file["x"], file["y"]), (x, y), (file["x"], y)):
        kcompile.utils.set_random_seed(3)
        options = {"sample_weight": weights, "validation_split": 0.25, "validation_batch_size": 3}
        run = linear().fit(inputs, labels, batch_size=4, epochs=3, shuffle=shuffle, verbose=0, **options)
        histories.append(run.history)
    for key in histories[0]:
        for other in histories[1:]:
            np.testing.assert_allclose(histories[0][key], other[key], rtol=1e-5, err_msg=key)


def test_class_weights_with_arrays_on_disk(everything_is_large):
    labels = Counting(np.arange(20)[:, None] % 3)
    found = array_data(x, np.asarray(labels.array), class_weight={1: 3.0})
    batches = batches_of_arrays(
        array_data(Counting(x), labels.array, class_weight={1: 3.0}, batch_size=5), None
    )
    np.testing.assert_array_equal(next(batches.epoch())[2], found.sample_weight[:5])


def test_sparse_matrices_of_any_size(everything_is_large):
    class Csr:
        shape, dtype = x.shape, x.dtype

        def tocsr(self):
            return self

        def __getitem__(self, key):
            part = Csr()
            part.part = x[key]
            return part

        def toarray(self):
            return self.part

    found = array_data(Csr())
    assert found.is_stored
    np.testing.assert_array_equal(found.rows(np.array([3, 1]))[0], x[[3, 1]])


def test_dtypes_of_arrays_on_disk(tmp_path, everything_is_large):
    with h5py.File(tmp_path / "t.h5", "w") as opened:
        opened["text"] = np.array([b"a", b"b"])
        with pytest.raises(ValueError, match="Invalid dtype of `x`"):
            array_data(opened["text"])


def test_parts_of_a_memory_map(tmp_path):
    mapped = np.memmap(tmp_path / "x", "uint8", "w+", shape=(20, 4))
    mapped[:] = (x * 20).astype("int64") % 256
    found = array_data(mapped, y)
    assert found.x.dtype == np.uint8 and np.shares_memory(found.x, mapped)
    (first, *_), (last, *_) = split_validation(mapped, y, None, 0.25)
    assert np.shares_memory(first, mapped) and np.shares_memory(last, mapped)
    history = linear().fit(mapped, y, batch_size=4, epochs=2, verbose=0, shuffle=False).history
    expected = linear().fit(mapped.astype("float32"), y, batch_size=4, epochs=2, verbose=0, shuffle=False)
    np.testing.assert_allclose(history["loss"], expected.history["loss"], rtol=1e-6)


@pytest.mark.compiled
def test_kernels_read_the_same_numbers_from_everywhere(tmp_path, everything_is_large):
    """uint8 images in a memory map, in HDF5, in a PyDataset and in memory: cast inside the compiled step."""
    images = np.random.default_rng(1).integers(0, 255, (20, 4), "uint8")
    mapped = np.memmap(tmp_path / "x", "uint8", "w+", shape=images.shape)
    mapped[:] = images

    class Parts(PyDataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            time.sleep(2 * SLOW)
            return images[4 * index : 4 * index + 4], y[4 * index : 4 * index + 4]

    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"] = images
        results = []
        for source in ((images, y), (mapped, y), (file["x"], y), (Parts(workers=2),), (Parts(),)):
            model = linear("adam")
            batch = {} if isinstance(source[0], PyDataset) else {"batch_size": 4}
            losses = model.fit(*source, epochs=3, shuffle=False, verbose=0, **batch).history["loss"]
            results.append(losses + model.predict(source[0], verbose=0, **batch).ravel().tolist())
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], rtol=1e-5, atol=1e-5)
