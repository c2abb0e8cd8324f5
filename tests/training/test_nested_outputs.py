"""Outputs in nested structures: losses, weights and metrics for each, named by the way to it as in Keras."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers

rng = np.random.default_rng(0)
X, Z = rng.normal(size=(24, 5)).astype("float32"), rng.normal(size=(24, 3)).astype("float32")
ONE, TWO = rng.normal(size=(24, 1)).astype("float32"), rng.normal(size=(24, 2)).astype("float32")
DATA, LABELS = {"u": [X, Z], "v": X}, {"o": (ONE, TWO)}


def network(**settings):
    keras.utils.set_random_seed(0)
    given = {
        "u": [keras.Input((5,), name="u0"), keras.Input((3,), name="u1")],
        "v": keras.Input((5,), name="v"),
    }
    h = layers.Concatenate()([*given["u"], given["v"]])
    outputs = {"o": (layers.Dense(1, name="one")(h), layers.Dense(2, name="two")(h))}
    model = keras.Model(given, outputs)
    model.compile(**{"optimizer": keras.optimizers.SGD(0.0), "loss": "mse", **settings})
    return model


def errors(model):
    one, two = model.predict(DATA, verbose=0)["o"]
    return np.mean((one - ONE) ** 2), np.mean((two - TWO) ** 2), np.mean(np.abs(two - TWO))


def test_one_loss_for_all():
    model = network()
    history = model.fit(DATA, LABELS, batch_size=7, verbose=0).history
    one, two, _ = errors(model)
    assert list(history) == ["loss", "o/one_loss", "o/two_loss"]
    found = [v[0] for v in history.values()]
    np.testing.assert_allclose(found, [one + two, one, two], rtol=1e-5)
    np.testing.assert_allclose(model.evaluate(DATA, LABELS, verbose=0), [one + two, one, two], rtol=1e-5)


@pytest.mark.parametrize(
    "loss, weights",
    [({"o": ("mse", "mae")}, {"o": (1.0, 0.5)}), (["mse", "mae"], [1.0, 0.5]), ({"o": (None, "mae")}, None)],
)
def test_losses_and_weights_by_place(loss, weights):
    model = network(loss=loss, loss_weights=weights)
    found = model.evaluate(DATA, LABELS, verbose=0, return_dict=True)
    one, _, two = errors(model)
    if weights is None:
        assert found == {"loss": pytest.approx(two, rel=1e-5)}
    else:
        expected = {"loss": one + 0.5 * two, "o/one_loss": one, "o/two_loss": two}
        assert found == pytest.approx(expected, rel=1e-5)


def test_metrics_by_place_are_named_after_the_output():
    model = network(metrics={"o": (["mse"], ["mae", "mse"])})
    found = model.evaluate(DATA, LABELS, verbose=0, return_dict=True)
    one, two, mae = errors(model)
    expected = {"o/one_loss": one, "o/two_loss": two, "one_mse": one, "two_mae": mae, "two_mse": two}
    assert found == pytest.approx({"loss": one + two, **expected}, rel=1e-5)


def test_sample_weights_by_place():
    model = network()
    weights = np.linspace(0, 1, 24, dtype="float32"), np.linspace(1, 3, 24, dtype="float32")
    found = model.evaluate(DATA, LABELS, sample_weight={"o": weights}, verbose=0, batch_size=24)
    one, two = model.predict(DATA, verbose=0)["o"]
    parts = [
        np.mean(w * np.mean((p - y) ** 2, 1))
        for w, p, y in zip(weights, (one, two), LABELS["o"], strict=True)
    ]
    np.testing.assert_allclose(found, [sum(parts), *parts], rtol=1e-5)


ALL = {"single": ONE, "list": [ONE, TWO], "nested": [ONE, [TWO, ONE]], "dict": {"p": ONE, "q": [TWO, ONE]}}


def nested(form, **settings):
    keras.utils.set_random_seed(1)
    given = keras.Input((5,))
    a, b, c = (layers.Dense(n, name=name)(given) for n, name in ((1, "a"), (2, "b"), (1, "c")))
    outputs = {"single": a, "list": [a, b], "nested": [a, [b, c]], "dict": {"p": a, "q": [b, c]}}[form]
    model = keras.Model(given, outputs)
    model.compile("sgd", **settings)
    values = keras.tree.flatten(model.predict(X, verbose=0))
    mse = [float(np.mean((v - y) ** 2)) for v, y in zip(values, (ONE, TWO, ONE), strict=False)]
    mae = [float(np.mean(np.abs(v - y))) for v, y in zip(values, (ONE, TWO, ONE), strict=False)]
    return model.evaluate(X, ALL[form], verbose=0, return_dict=True), mse, mae


def test_a_list_with_one_loss_is_for_the_first_output():
    found, mse, _ = nested("list", loss=["mse"])
    assert found == pytest.approx({"loss": mse[0]}, rel=1e-5)


def test_losses_nested_like_lists_of_outputs():
    found, mse, mae = nested("nested", loss=["mse", ["mae", "mse"]], loss_weights=[1.0, [0.5, 2.0]])
    parts = {"a_loss": mse[0], "1/b_loss": mae[1], "1/c_loss": mse[2]}
    assert found == pytest.approx({"loss": mse[0] + 0.5 * mae[1] + 2 * mse[2], **parts}, rel=1e-5)
    found, mse, mae = nested("nested", loss=["mse", [None, "mae"]])
    assert found == pytest.approx({"loss": mse[0] + mae[2], "a_loss": mse[0], "1/c_loss": mae[2]}, rel=1e-5)


def test_dicts_by_output_names_for_nested_lists():
    found, mse, mae = nested("nested", loss={"a": "mse", "b": "mae", "c": "mse"})
    assert found["loss"] == pytest.approx(mse[0] + mae[1] + mse[2], rel=1e-5)
    with pytest.raises(ValueError, match="an entry for each output"):
        nested("nested", loss={"p": "mse"})


def test_several_losses_of_one_output_are_added():
    found, mse, mae = nested("list", loss=[["mse", "mae"], None])
    assert found["loss"] == pytest.approx(mse[0] + mae[0], rel=1e-5)
    found, mse, mae = nested("dict", loss={"p": ["mse", "mae"]})
    assert list(found) == ["loss", "p_loss"] and found["loss"] == pytest.approx(mse[0] + mae[0], rel=1e-5)


def test_one_loss_takes_all_outputs_below_its_place():
    seen = []

    def both(y_true, y_pred):
        seen.append((len(y_true), len(y_pred)))
        return keras.losses.mean_squared_error(y_true[0], y_pred[0])

    found, mse, _ = nested("nested", loss=[None, both])
    assert seen and set(seen) == {(2, 2)} and found == pytest.approx({"loss": mse[1]}, rel=1e-5)


@pytest.mark.parametrize("loss", [["mse", {"u": "mse"}], ["mse", "mae", "mse"], [{"u": "mae"}]])
def test_places_that_the_outputs_do_not_have(loss):
    with pytest.raises(KeyError, match="can't be found in the model's output"):
        nested("list", loss=loss)
    with pytest.raises(ValueError, match="nested like the outputs"):
        nested("list", loss=loss)


def test_steps_in_python_give_each_name_its_array():
    """A dict that is not in the order of its names."""

    class Weighted(keras.Model):
        def call(self, x):
            return x["b"] * 10 + x["a"]

    x = {"b": np.ones((4, 2), "float32"), "a": np.zeros((4, 2), "float32")}
    model = Weighted()
    for eagerly in (False, True):
        model.compile(loss="mse", run_eagerly=eagerly)
        assert np.all(model.predict(x, verbose=0) == 10)
        assert model.test_on_batch(x, np.zeros((4, 2))) == 100


def test_steps_in_python_predict_several_outputs_over_several_batches():
    compiled, eager = network(), network(run_eagerly=True)
    eager.set_weights(compiled.get_weights())
    found = [model.predict(DATA, batch_size=7, verbose=0)["o"] for model in (eager, compiled)]
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
