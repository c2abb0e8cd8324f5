"""Loss scaling inside compiled steps: overflowing steps change nothing, and the scale finds its size."""

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from tests.parity import precision_cases as cases


def model_of(policy="mixed_float16"):
    with cases.policy(keras, policy):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(5, activation="relu"), layers.Dense(1)])
    cases.start(model)
    return model


def data(scale=1.0):
    rng = np.random.default_rng(0)
    return rng.normal(size=(24, 4)).astype("float32") * scale, rng.normal(size=(24, 1)).astype("float32")


def compiled(model, optimizer=None, eager=False, **options):
    model.compile(optimizer or keras.optimizers.SGD(0.01, momentum=0.9), "mse", run_eagerly=eager, **options)
    return model


def state(model):
    o = model.optimizer
    return float(o.dynamic_scale.numpy()), int(o.step_counter.numpy()), int(o.iterations.numpy())


@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
def test_an_overflowing_step_changes_no_weight_and_halves_the_scale(eager):
    model = compiled(model_of(), keras.optimizers.SGD(1e-8), eager)
    x, y = data(1000.0)
    before = model.get_weights()
    losses = [model.train_on_batch(x, y) for _ in range(3)]
    assert state(model) == (2.0**12, 0, 0)
    assert np.isfinite(losses).all()
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    for _ in range(25):
        model.train_on_batch(x, y)
    scale, counter, updates = state(model)
    assert 2.0**-13 <= scale < 2.0**12
    assert counter == updates > 0
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert any((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
def test_a_nan_in_the_data_is_survived(eager):
    model = compiled(model_of(), eager=eager)
    x, y = data()
    model.train_on_batch(x, y)
    before, scale = [w.copy() for w in model.get_weights()], state(model)[0]
    poisoned = x.copy()
    poisoned[0, 0] = np.nan
    model.train_on_batch(poisoned, y)
    assert state(model) == (scale / 2, 0, 1)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.train_on_batch(x, y)
    assert state(model) == (scale / 2, 1, 2)


@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
def test_the_scale_grows_after_so_many_finite_steps(eager):
    inner = keras.optimizers.Adam(0.001)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=16.0, dynamic_growth_steps=3)
    model = compiled(model_of(), optimizer, eager)
    model.fit(*data(), batch_size=8, epochs=2, verbose=0, shuffle=False)  # six steps
    assert state(model) == (64.0, 0, 6)
    model.fit(*data(), batch_size=8, epochs=1, verbose=0, shuffle=False, initial_epoch=0)
    assert state(model) == (128.0, 0, 9)


def test_the_scale_does_not_change_what_is_learned():
    """A power of two: every number is scaled exactly, as long as none over- or underflows."""
    found = []
    for scale in (1.0, 2.0**10):
        inner = keras.optimizers.SGD(0.01)
        model = compiled(model_of("mixed_bfloat16"), keras.optimizers.LossScaleOptimizer(inner, scale))
        model.fit(*data(), batch_size=8, epochs=2, verbose=0, shuffle=False)
        found.append(model.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_small_gradients_live_through_float16():
    """1e-9 is zero in float16; times 2**15 it is not."""
    moved = []
    for scales in (False, True):
        model = compiled(model_of(), keras.optimizers.SGD(1e6), auto_scale_loss=scales)
        x, _ = data()
        before = model.layers[0].kernel.numpy()
        model.train_on_batch(
            x, model.predict(x, verbose=0) + np.float32(1e-3), sample_weight=np.full(24, 1e-6)
        )
        moved.append(np.abs(model.layers[0].kernel.numpy() - before).max())
    assert moved[1] > 10 * moved[0]


def test_compile_wraps_under_mixed_float16_alone():
    wrapped = keras.optimizers.LossScaleOptimizer
    assert isinstance(compiled(model_of()).optimizer, wrapped)
    assert model_of().optimizer is None
    assert compiled(model_of()).optimizer.name == "loss_scale_optimizer"
    assert not isinstance(compiled(model_of(), auto_scale_loss=False).optimizer, wrapped)
    assert not isinstance(compiled(model_of("mixed_bfloat16")).optimizer, wrapped)
    own = wrapped(keras.optimizers.SGD(0.1), name="own")
    assert compiled(model_of(), own).optimizer is own
    model = compiled(model_of())
    assert model.get_compile_config()["optimizer"]["class_name"] == "SGD"


def test_the_learning_rate_is_that_of_the_inner_optimizer():
    model = compiled(model_of())
    model.optimizer.learning_rate = 0.25
    assert float(model.optimizer.inner_optimizer.learning_rate.numpy()) == 0.25
    assert float(model.optimizer.learning_rate.numpy()) == 0.25


def test_config_and_state_go_to_a_file_and_back(tmp_path):
    inner = keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5), clipnorm=1.0)
    model = compiled(model_of(), keras.optimizers.LossScaleOptimizer(inner, 32.0, 4, name="scaled"))
    model.fit(*data(), batch_size=8, verbose=0)
    config = keras.optimizers.serialize(model.optimizer)
    again = keras.optimizers.deserialize(config)
    assert again.get_config() == model.optimizer.get_config()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.name == "scaled"
    assert state(loaded) == state(model)
    for a, b in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert loaded.train_on_batch(*data()) == model.train_on_batch(*data())


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"inner_optimizer": "adam"}, TypeError, "wraps an optimizer"),
        ({"dynamic": False}, ValueError, "loss_scale_factor"),
        ({"clipnorm": 1.0}, ValueError, "does not support `clipnorm`"),
        ({"use_ema": True}, ValueError, "does not support `use_ema`"),
        ({"learning_rate": 0.1}, ValueError, "does not support arguments: `learning_rate`"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, match):
    given = {"inner_optimizer": keras.optimizers.SGD(0.1), **arguments}
    with pytest.raises(error, match=match):
        keras.optimizers.LossScaleOptimizer(**given)


def test_defaults_of_older_files_are_taken():
    keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), clipnorm=None, ema_momentum=0.99)


def test_the_inner_loss_scale_is_switched_off():
    inner = keras.optimizers.SGD(0.1, loss_scale_factor=8.0)
    keras.optimizers.LossScaleOptimizer(inner)
    assert inner.loss_scale_factor is None


def test_placeholders_of_adafactor_are_not_listed_below_it():
    """Files of Keras in mixed_float16 have none of them, others two for each vector."""
    names = {}
    for wraps in (False, True):
        optimizer = keras.optimizers.Adafactor()
        outer = keras.optimizers.LossScaleOptimizer(optimizer) if wraps else optimizer
        outer.build([keras.Variable(np.zeros(3), name="bias")])
        names[wraps] = [v.name for v in optimizer.variables]
    shown = ["iteration", "learning_rate"]
    assert names == {False: [*shown, "bias", "bias", "bias_velocity"], True: [*shown, "bias_velocity"]}
