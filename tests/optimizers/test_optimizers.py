"""Optimizers beyond their numbers: variables, configs, rates, errors."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import optimizers
from tests.parity import training_cases as cases


def variable(value=1.0, name="w"):
    return keras.Variable(np.full((2,), value, "float32"), name=name)


@pytest.mark.parametrize("name, optimizer", [pytest.param(*c, id=c[0]) for c in cases.optimizers(keras)])
def test_config_round_trip(name, optimizer):
    config = optimizers.serialize(optimizer)
    assert config["module"] == "keras.optimizers" and config["registered_name"] is None
    again = optimizers.get(config)
    assert type(again) is type(optimizer) and again.get_config() == optimizer.get_config()


def test_config_is_keras_config():
    schedule = optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    config = optimizers.Adam(schedule, name="adam").get_config()
    assert list(config) == [
        *("name", "learning_rate", "weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema"),
        *("ema_momentum", "ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps"),
        *("beta_1", "beta_2", "epsilon", "amsgrad"),
    ]
    assert config["learning_rate"] == {
        "module": "keras.optimizers.schedules",
        "class_name": "ExponentialDecay",
        "config": {
            "initial_learning_rate": 0.1,
            "decay_steps": 10,
            "decay_rate": 0.9,
            "staircase": False,
            "name": "ExponentialDecay",
        },
        "registered_name": None,
    }


@pytest.mark.parametrize("name, schedule", [pytest.param(*c, id=c[0]) for c in cases.schedules(keras)])
def test_schedule_round_trip(name, schedule):
    again = optimizers.schedules.deserialize(optimizers.schedules.serialize(schedule))
    assert again.get_config() == schedule.get_config() and float(again(3)) == float(schedule(3))


@pytest.mark.parametrize(
    "name, kind", [("adam", "Adam"), ("Adam", "Adam"), ("RMSprop", "RMSprop"), ("sgd", "SGD")]
)
def test_names(name, kind):
    assert type(optimizers.get(name)).__name__ == kind
    assert type(optimizers.get({"class_name": name, "config": {}})).__name__ == kind


def test_get():
    optimizer = optimizers.SGD()
    assert optimizers.get(optimizer) is optimizer and optimizers.get(None) is None
    with pytest.raises(ValueError, match=r"(?s)'adma'.*did you mean .*'adam'"):
        optimizers.get("adma")
    with pytest.raises(ValueError, match="Could not interpret optimizer identifier: 3"):
        optimizers.get(3)


def test_paths_of_the_variables():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="out")], name="net")
    adam = optimizers.Adam(name="adam")
    adam.build(model.trainable_variables)
    assert [v.path for v in adam.variables] == [
        "adam/iteration",
        "adam/learning_rate",
        "adam/net_out_kernel_momentum",
        "adam/net_out_kernel_velocity",
        "adam/net_out_bias_momentum",
        "adam/net_out_bias_velocity",
    ]
    assert adam.variables[0].dtype == "int32" and not any(v.trainable for v in adam.variables)


def test_the_rate_is_a_variable():
    optimizer, w = optimizers.SGD(0.5), variable()
    optimizer.apply_gradients([(np.ones(2, "float32"), w)])
    optimizer.learning_rate = 0.25
    optimizer.apply_gradients([(np.ones(2, "float32"), w)])
    assert w.numpy().tolist() == [0.25, 0.25] and float(optimizer.learning_rate) == 0.25
    assert int(optimizer.iterations) == 2


def test_rates_that_are_called():
    w = variable()
    optimizer = optimizers.SGD(lambda: 0.5)
    optimizer.apply_gradients([(np.ones(2, "float32"), w)])
    assert w.numpy().tolist() == [0.5, 0.5]
    scheduled = optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 1, 0.5))
    with pytest.raises(TypeError, match="its learning rate is not settable"):
        scheduled.learning_rate = 0.1
    assert [v.name for v in scheduled.variables] == ["iteration"]
    plain = optimizers.SGD(0.5)
    plain.learning_rate = optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
    assert [v.name for v in plain.variables] == ["iteration"]


def test_weight_decay_leaves_out_what_is_excluded():
    kept, by_name, by_object = variable(), variable(name="bias"), variable()
    optimizer = optimizers.SGD(1.0, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[by_object], var_names=["bias"])
    zeros = [np.zeros(2, "float32")] * 3
    optimizer.apply_gradients(zip(zeros, [kept, by_name, by_object], strict=True))
    assert [float(v.numpy()[0]) for v in (kept, by_name, by_object)] == [0.5, 1.0, 1.0]
    optimizer.exclude_from_weight_decay(var_names=["w"])  # takes the place of the first call, after build too
    optimizer.apply_gradients(zip(zeros, [kept, by_name, by_object], strict=True))
    assert [float(v.numpy()[0]) for v in (kept, by_name, by_object)] == [0.5, 0.5, 1.0]


def test_constraints_hold_after_each_update():
    w = variable()
    w.constraint = keras.constraints.NonNeg()
    optimizers.SGD(5.0).apply_gradients([(np.ones(2, "float32"), w)])
    assert w.numpy().tolist() == [0.0, 0.0]


def test_variables_without_gradients():
    used, unused = variable(), variable(name="unused")
    optimizer = optimizers.SGD(0.5)
    with pytest.warns(UserWarning, match=r"Gradients do not exist for variables \['unused'\]"):
        optimizer.apply_gradients([(np.ones(2, "float32"), used), (None, unused)])
    assert used.numpy().tolist() == [0.5, 0.5] and unused.numpy().tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        optimizer.apply_gradients([(None, unused)])


def test_variables_it_was_not_built_for():
    optimizer, w = optimizers.SGD(), variable()
    with pytest.raises(ValueError, match=r"must already be built"):
        optimizer.apply([np.ones(2, "float32")])
    optimizer.build([w])
    with pytest.raises(ValueError, match="Unknown variable"):
        optimizer.apply_gradients([(np.ones(2, "float32"), variable())])
    with pytest.raises(ValueError, match="received 2 for 1 variables"):
        optimizer.apply([np.ones(2, "float32")] * 2)


def test_state_can_be_stored():
    first, second, w = optimizers.Adam(0.1), optimizers.Adam(0.2), variable()
    first.apply_gradients([(np.ones(2, "float32"), w)])
    second.build([w])
    store: dict[str, np.ndarray] = {}
    first.save_own_variables(store)
    second.load_own_variables(store)
    for a, b in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    with pytest.warns(UserWarning, match="Skipping variable loading for optimizer"):
        optimizers.Adam().load_own_variables(store)
    with pytest.raises(ValueError, match="not yet been built"):
        optimizers.Adam().set_weights([])


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: optimizers.SGD(1), "`learning_rate` should be float"),
        (lambda: optimizers.SGD(momentum=1), "`momentum` must be a float between"),
        (lambda: optimizers.SGD(0.1, foo=1), "not recognized: {'foo': 1}"),
        (lambda: optimizers.Adam(clipnorm=1.0, clipvalue=1.0), "Only one of `clipnorm`"),
        (lambda: optimizers.Adam(gradient_accumulation_steps=1), "must be an integer >= 2"),
        (lambda: optimizers.Adam(use_ema=True, ema_momentum=2.0), r"`ema_momentum` must be in the range"),
        (
            lambda: optimizers.Adam(use_ema=True, ema_overwrite_frequency=0.5),
            "`ema_overwrite_frequency` must be",
        ),
        (lambda: optimizers.AdamW(weight_decay=None), "`weight_decay` must be a float"),
        (lambda: optimizers.Lion(beta_1=0.0), "`beta_1`"),
        (
            lambda: optimizers.Ftrl(learning_rate_power=0.5),
            "`learning_rate_power` needs to be negative or zero",
        ),
        (lambda: optimizers.schedules.CosineDecay(0.1, 0), "`decay_steps` must be > 0"),
        (lambda: optimizers.schedules.PiecewiseConstantDecay([1], [1.0]), "1 less than the length of values"),
    ],
)
def test_arguments(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_a_users_optimizer():
    class Signs(optimizers.Optimizer):
        settings = ("scale",)

        def __init__(self, learning_rate=0.1, scale=1.0, **kwargs):
            super().__init__(learning_rate, **kwargs)
            self.scale = scale

        def update_step(self, gradient, variable, learning_rate):
            self.assign_sub(variable, learning_rate * self.scale * keras.ops.sign(gradient))

    w = variable()
    Signs(0.5, scale=2.0).apply_gradients([(np.array([3.0, -3.0], "float32"), w)])
    assert w.numpy().tolist() == [0.0, 2.0]
    config = optimizers.serialize(Signs(scale=3.0))
    assert optimizers.deserialize(config, {"Signs": Signs}).scale == 3.0
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(Signs(0.25), "mse", run_eagerly=True)
    model.fit(np.ones((4, 1)), np.ones((4, 1)), batch_size=4, verbose=0)
    assert [float(w[..., 0].item()) for w in model.get_weights()] == [0.25, 0.25]


def test_averages_replace_the_weights_when_training_ends():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse", run_eagerly=True)
    model.fit(np.ones((4, 1)), np.ones((4, 1)), batch_size=2, verbose=0)
    average = model.optimizer.variables[2]
    assert average.name.endswith("kernel_average")
    np.testing.assert_array_equal(model.get_weights()[0], average.numpy())


@pytest.mark.parametrize("kind", ["Nadam", "Adafactor"])
def test_variables_made_by_the_first_update_are_in_the_scope_of_the_optimizer(kind):
    optimizer = getattr(optimizers, kind)(0.1, name="mine")
    variable = keras.Variable(np.ones(3, "float32"), name="w")
    optimizer.apply_gradients([(np.ones(3, "float32"), variable)])
    assert all(v.path.startswith("mine/") and v.path.count("mine") == 1 for v in optimizer.variables)


def test_an_update_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no \\(gradient, variable\\) pairs"):
        optimizers.SGD(0.1).apply_gradients([])


SCHEDULES = {
    "ExponentialDecay": (0.1, 3, 0.5),
    "InverseTimeDecay": (0.1, 3, 0.5),
    "PiecewiseConstantDecay": ([1], [0.1, 0.2]),
    "PolynomialDecay": (0.1, 3),
    "CosineDecay": (0.1, 3),
    "CosineDecayRestarts": (0.1, 3),
}


@pytest.mark.parametrize("name", [3, None, "a/b"])
@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_schedule_whose_name_cannot_be_one_is_refused_when_called(kind, name):
    schedule = getattr(optimizers.schedules, kind)(*SCHEDULES[kind], name=name)
    with pytest.raises(ValueError, match="`name` must be a string and cannot contain"):
        schedule(2)


def test_a_shorter_list_sets_the_first_variables():
    optimizer = optimizers.Adam()
    optimizer.build([variable()])
    optimizer.set_weights([])
    optimizer.set_weights([np.int32(7)])
    assert int(optimizer.iterations) == 7
