"""Distillation beside Keras 3.15.1: losses, logs of two epochs, and arguments that it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import distillation, layers

A = np.linspace(-1, 2, 6).reshape(2, 3).astype("float32")
B = A[::-1] * 2
X = np.linspace(-1, 1, 24).reshape(6, 4).astype("float32")
Y = np.array([0, 1, 2, 0, 1, 2])


def network(width, factor=1.0):
    image = keras.Input((4,))
    hidden = layers.Dense(width, activation="relu", name="hidden")(image)
    model = keras.Model(image, layers.Dense(3, name="out")(hidden))
    start = [np.linspace(-1, 1, w.size).reshape(w.shape) + 0.1 * k for k, w in enumerate(model.get_weights())]
    model.set_weights([factor * w for w in start])
    return model


def compiled(distiller, **kwargs):
    distiller.compile(
        optimizer=keras.optimizers.SGD(0.1),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        **kwargs,
    )
    return distiller


def assert_history(found, wanted):
    assert found.keys() == wanted.keys()
    for key, values in wanted.items():
        np.testing.assert_allclose(found[key], values, rtol=1e-4, err_msg=key)


@pytest.mark.parametrize("eagerly", [False, True])
def test_logits_like_keras(eagerly):
    loss = distillation.LogitsDistillation(temperature=2.0)
    teacher, student = network(8), network(5)
    distiller = distillation.Distiller(teacher, student, loss, student_loss_weight=0.3)
    compiled(distiller, run_eagerly=eagerly)
    before = [w.copy() for w in teacher.get_weights()]
    history = distiller.fit(X, Y, epochs=2, batch_size=3, shuffle=False, verbose=0).history
    wanted = {
        "accuracy": [0.3333333432674408, 0.3333333432674408],
        "distillation_loss": [0.6525230407714844, 0.02664034068584442],
        "loss": [0.9274844527244568, 0.45446908473968506],
        "student_loss": [1.5690608024597168, 1.4527361392974854],
        "total_loss": [0.927484393119812, 0.45446908473968506],
    }
    assert_history(history, wanted)
    after = {
        "accuracy": 0.3333333432674408,
        "distillation_loss": -0.08216606825590134,
        "loss": 0.36294373869895935,
        "student_loss": 1.4015331268310547,
        "total_loss": 0.36294370889663696,
    }
    assert_history(distiller.evaluate(X, Y, verbose=0, return_dict=True), after)
    for w, start in zip(teacher.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, start)


def test_features_like_keras():
    feature = distillation.FeatureDistillation("mse", "hidden", "hidden")
    parts = [feature, distillation.LogitsDistillation()]
    distiller = distillation.Distiller(
        network(5), network(5, 0.5), parts, distillation_loss_weights=[0.7, 0.2]
    )
    history = compiled(distiller).fit(X, Y, epochs=2, batch_size=3, shuffle=False, verbose=0).history
    wanted = {
        "accuracy": [0.3333333432674408, 0.3333333432674408],
        "distillation_loss": [0.616725742816925, 0.47888457775115967],
        "loss": [0.9064257740974426, 0.8305456638336182],
        "student_loss": [1.1961259841918945, 1.1822068691253662],
        "total_loss": [0.9064258337020874, 0.8305456638336182],
    }
    assert_history(history, wanted)
    predicted = distiller.predict(X, verbose=0)
    np.testing.assert_allclose(predicted[0], [0.0431087, 0.51273346, 1.0021932], rtol=1e-4)
    np.testing.assert_allclose(predicted, distiller.student.predict(X, verbose=0), rtol=1e-6)


@pytest.mark.parametrize(
    "loss, wanted",
    [
        (distillation.LogitsDistillation(2.0), 9.24644660949707),
        (distillation.LogitsDistillation(3.0, "categorical_crossentropy"), 5.328470230102539),
        (distillation.FeatureDistillation("mse"), 7.779999732971191),
        (distillation.FeatureDistillation("cosine_similarity"), 0.3411211371421814),
    ],
)
def test_losses_like_keras(loss, wanted):
    assert float(loss.compute_loss(A, B)) == pytest.approx(wanted, rel=1e-5)
    again = type(loss).from_config(loss.get_config())
    assert float(again.compute_loss(A, B)) == pytest.approx(wanted, rel=1e-5)


def test_configs_like_keras():
    name = {"module": "builtins", "class_name": "function", "registered_name": "function"}
    assert distillation.LogitsDistillation().get_config() == {
        "temperature": 3.0,
        "loss": {**name, "config": "kl_divergence"},
    }
    assert distillation.FeatureDistillation(teacher_layer_name="a").get_config() == {
        "loss": {**name, "config": "mean_squared_error"},
        "teacher_layer_name": "a",
        "student_layer_name": None,
    }


def test_the_student_alone_is_trained():
    distiller = distillation.Distiller(network(8), network(5), distillation.LogitsDistillation())
    assert [v.path for v in distiller.trainable_variables] == [v.path for v in distiller.student.variables]
    assert not distiller.teacher.trainable


def test_config_round_trip():
    part = distillation.FeatureDistillation("mse", "hidden", "hidden")
    distiller = distillation.Distiller(network(5), network(5), [part], student_loss_weight=0.2)
    again = distillation.Distiller.from_config(distiller.get_config())
    assert again.student_loss_weight == 0.2 and again.distillation_loss_weights == [1.0]
    assert again.distillation_losses[0].get_config() == part.get_config()
    assert again.student.count_params() == distiller.student.count_params()


def test_bad_arguments():
    logits, teacher, student = distillation.LogitsDistillation(), network(8), network(5)
    with pytest.raises(ValueError, match="temperature must be positive"):
        distillation.LogitsDistillation(temperature=0)
    with pytest.raises(ValueError, match=r"between 0.0 and 1.0, got 2"):
        distillation.Distiller(teacher, student, logits, student_loss_weight=2)
    with pytest.raises(ValueError, match=r"\(2\) must match number of distillation_losses \(1\)"):
        distillation.Distiller(teacher, student, [logits], distillation_loss_weights=[1, 2])
    with pytest.raises(ValueError, match="Teacher must be a keras.Model"):
        distillation.Distiller("teacher", student, logits)
    with pytest.raises(ValueError, match="In teacher model: No such layer: nope"):
        part = distillation.FeatureDistillation(teacher_layer_name="nope", student_layer_name="hidden")
        distillation.Distiller(teacher, student, part)
    with pytest.raises(ValueError, match="same nested structure"):
        logits.validate_outputs(A, [B, B])
    with pytest.raises(ValueError, match="needs a `loss`"):
        distillation.FeatureDistillation(loss=None)


def test_probabilities_and_several_outputs():
    def softened(x):
        e = np.exp(x / 2)
        return e / e.sum(-1, keepdims=True)

    p, q = softened(A), softened(B)
    wanted = 4 * np.mean(np.sum(p * np.log(p / q), -1))
    loss = distillation.LogitsDistillation(2.0, [None, keras.losses.KLDivergence()])
    found = loss.compute_loss([A, A], [B, B])
    assert float(found) == pytest.approx(wanted, rel=1e-5)
