"""Models as estimators of scikit-learn: in pipelines, cross-validation and grid searches."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import kcompile as keras
from kcompile import layers, wrappers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4)).astype("float32")
SIGNS = np.where(X[:, 0] > 0, "plus", "minus")
SUMS = (X @ [1.0, 2.0, 0.0, -1.0]).astype("float32")


def network(X, y, loss="mse", units=8, activation=None):
    outputs = y.shape[1] if y.ndim > 1 else 1
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input(X.shape[1:]), layers.Dense(units, "relu"), layers.Dense(outputs, activation)]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss=loss)
    return model


def classifier(**more):
    settings = {"loss": "categorical_crossentropy", "activation": "softmax"}
    return wrappers.SKLearnClassifier(network, model_kwargs=settings, fit_kwargs={"verbose": 0, **more})


def test_a_classifier_gives_labels_back():
    found = classifier(epochs=15).fit(X, SIGNS)
    assert list(found.classes_) == ["minus", "plus"]
    assert found.score(X, SIGNS) > 0.9
    scores = found.decision_function(X)
    assert scores.shape == (90, 2)
    np.testing.assert_array_equal(found.predict(X), found.classes_[scores.argmax(axis=1)])
    assert found.history_.history["loss"][-1] < found.history_.history["loss"][0]


def test_a_regressor_gives_numbers():
    one = wrappers.SKLearnRegressor(network, fit_kwargs={"verbose": 0}).fit(X, SUMS, epochs=40)
    assert one.predict(X).shape == (90,) and one.score(X, SUMS) > 0.8


def test_a_compiled_model_is_cloned_by_fit():
    model = network(X, SUMS)
    before = model.get_weights()
    found = wrappers.SKLearnRegressor(model).fit(X, SUMS, epochs=2, verbose=0)
    assert found.model_ is not model
    for mine, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, old)
    warm = wrappers.SKLearnRegressor(model, warm_start=True).fit(X, SUMS, epochs=1, verbose=0)
    trained = warm.model_
    assert trained is model and warm.fit(X, SUMS, epochs=1, verbose=0).model_ is trained


def test_a_transformer_in_a_pipeline():
    step = wrappers.SKLearnTransformer(network, fit_kwargs={"verbose": 0, "epochs": 1})
    pipe = make_pipeline(StandardScaler(), step)
    assert pipe.fit_transform(X, SUMS).shape == (90, 1)


def test_cross_validation_and_grid_search():
    scores = cross_val_score(classifier(epochs=10), X, SIGNS, cv=2)
    assert scores.mean() > 0.8
    regressor = wrappers.SKLearnRegressor(network, fit_kwargs={"verbose": 0, "epochs": 2})
    search = GridSearchCV(regressor, {"model_kwargs": [{"units": 2}, {"units": 4}]}, cv=2).fit(X, SUMS)
    assert search.best_params_["model_kwargs"]["units"] in (2, 4)


def test_clones_have_the_same_parameters():
    estimator = classifier(epochs=3)
    copy = clone(estimator)
    assert copy.get_params() == estimator.get_params()
    assert copy.epoch_ == 0


def test_what_is_refused():
    with pytest.raises(NotFittedError):
        classifier().predict(X)
    with pytest.raises(ValueError, match="only one class"):
        classifier().fit(X, np.zeros(90, int))
    with pytest.raises(ValueError, match="binary and multiclass"):
        classifier().fit(X, SUMS)
    plain = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    with pytest.raises(RuntimeError, match="needs to be compiled"):
        wrappers.SKLearnRegressor(plain).fit(X, SUMS)
    with pytest.raises(ValueError, match="features"):
        wrappers.SKLearnRegressor(network).fit(X, SUMS, epochs=1, verbose=0).predict(X[:, :2])
    with pytest.raises(RuntimeError, match="metadata routing"):
        classifier().set_fit_request(sample_weight=True)
