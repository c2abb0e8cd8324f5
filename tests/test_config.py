"""`keras.config`: settings that change something, and those that code written for Keras may ask for."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras


@pytest.fixture
def model():
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


@pytest.fixture
def limits():
    yield keras.config
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)


X, Y = np.ones((10, 2), "float32"), np.ones((10, 1), "float32")


class Steps(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.train = self.test = self.predict = 0

    def on_train_batch_end(self, batch, logs=None):
        self.train += 1

    def on_test_batch_end(self, batch, logs=None):
        self.test += 1

    def on_predict_batch_end(self, batch, logs=None):
        self.predict += 1


def test_no_limits_at_first():
    assert keras.config.max_epochs() is None
    assert keras.config.max_steps_per_epoch() is None


def test_epochs_are_limited(model, limits):
    limits.set_max_epochs(2)
    assert limits.max_epochs() == 2
    assert model.fit(X, Y, epochs=5, verbose=0).epoch == [0, 1]
    assert model.fit(X, Y, epochs=1, verbose=0).epoch == [0]


def test_steps_are_limited(model, limits):
    limits.set_max_steps_per_epoch(2)
    steps = Steps()
    model.fit(X, Y, batch_size=2, epochs=2, verbose=0, callbacks=[steps])
    model.evaluate(X, Y, batch_size=2, verbose=0, callbacks=[steps])
    out = model.predict(X, batch_size=2, verbose=0, callbacks=[steps])
    assert (steps.train, steps.test, steps.predict) == (4, 2, 2)
    assert out.shape == (4, 1)


def test_a_wide_limit_changes_nothing(model, limits, recwarn):
    limits.set_max_steps_per_epoch(100)
    steps = Steps()
    model.fit(X, Y, batch_size=2, verbose=0, callbacks=[steps])
    assert steps.train == 5
    assert not recwarn.list


def test_the_backend():
    assert keras.config.backend() == "kcompile"
    keras.config.set_backend("kcompile")
    with pytest.raises(ValueError, match=r"Available backends are .*Received: backend=jax"):
        keras.config.set_backend("jax")
    assert not keras.config.is_nnx_enabled()


def test_remembered_settings():
    config = keras.config
    assert config.is_traceback_filtering_enabled()
    config.disable_traceback_filtering()
    assert not config.is_traceback_filtering_enabled()
    config.enable_traceback_filtering()
    assert config.is_flash_attention_enabled() is None
    config.disable_flash_attention()
    assert config.is_flash_attention_enabled() is False
    config.enable_flash_attention()
    assert config.is_flash_attention_enabled() is None


def test_interactive_logging(capsys, caplog):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data, stop = np.ones((4, 3), "float32"), keras.callbacks.EarlyStopping("loss", patience=0, verbose=1)

    def run():
        model.fit(data, np.ones((4, 1)), verbose=2, epochs=3, callbacks=[stop])
        model.summary()
        keras.utils.Progbar(1).update(1)

    assert keras.config.is_interactive_logging_enabled()
    caplog.set_level("INFO", logger="kcompile")
    keras.config.disable_interactive_logging()
    try:
        assert not keras.utils.is_interactive_logging_enabled()
        run()
    finally:
        keras.config.enable_interactive_logging()
    assert capsys.readouterr().out == ""
    assert "Epoch 1/3" in caplog.text and "Total params" in caplog.text and "1/1" in caplog.text
    assert {record.levelname for record in caplog.records} == {"INFO"}
    caplog.clear()
    run()
    printed = capsys.readouterr().out
    assert "Epoch 1/3" in printed and "Total params" in printed and not caplog.text


def test_the_device():
    with keras.device("CPU:0"):
        assert keras.ops.zeros(2).shape == (2,)
    with pytest.raises(ValueError, match=r"Expected 'cpu:0'.*Received: device_name='gpu:0'"):
        keras.device("gpu:0")


def test_mixed_precision_is_the_policies():
    assert keras.mixed_precision.Policy is keras.DTypePolicy
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        assert keras.mixed_precision.global_policy().name == "mixed_bfloat16"
    finally:
        keras.mixed_precision.set_global_policy("float32")
    with pytest.raises(AttributeError, match="nothing"):
        _ = keras.mixed_precision.nothing
