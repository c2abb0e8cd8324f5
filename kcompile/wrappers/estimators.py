"""Models as estimators of scikit-learn: cloned or made anew by `fit`, checked inputs, labels of any kind."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from kcompile.models import Model
from kcompile.models.cloning import clone_model

try:
    import sklearn
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
    from sklearn.utils.multiclass import type_of_target
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:  # the classes are there, and say what is missing when one is made
    sklearn = None
    BaseEstimator = ClassifierMixin = RegressorMixin = TransformerMixin = object


class SKLBase(BaseEstimator):
    """Base: `fit` trains a copy of a compiled model, `predict` asks it.

    Args:    model: a compiled model, or a function (X, y, **model_kwargs) -> compiled model. warm_start: go
             on with the model that the last `fit` trained (at first the given one), instead of a copy.
             fit_kwargs: arguments of `Model.fit`, before those that `fit` gets.
    Raises:  ImportError without scikit-learn; RuntimeError in `fit` for a model that is not compiled.
    """

    def __init__(
        self, model: Any, warm_start: bool = False, model_kwargs: Any = None, fit_kwargs: Any = None
    ):
        if sklearn is None:
            raise ImportError(
                f"{type(self).__name__} requires `scikit-learn` to be installed. Run `pip install "
                "scikit-learn` to install it."
            )
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags

    def __sklearn_clone__(self) -> Any:
        model = self.model if callable(self.model) and not isinstance(self.model, Model) else None
        return type(self)(
            model=copy.deepcopy(self.model) if model is None else model,
            warm_start=self.warm_start,
            model_kwargs=self.model_kwargs,
            fit_kwargs=self.fit_kwargs,
        )

    @property
    def epoch_(self) -> Any:
        """The epochs of the last `fit`, 0 before it."""
        return self.history_.epoch if hasattr(self, "history_") else 0

    def set_fit_request(self, **kwargs: Any) -> Any:
        """Ask scikit-learn to route metadata to `fit`: names, and what they are called there.

        Raises:  RuntimeError unless metadata routing is enabled.
        """
        if not sklearn.get_config().get("enable_metadata_routing", False):
            raise RuntimeError(
                "This method is only available when metadata routing is enabled. You can enable it using "
                "sklearn.set_config(enable_metadata_routing=True)."
            )
        from sklearn.utils.metadata_routing import MetadataRequest

        self._metadata_request = MetadataRequest(owner=type(self).__name__)
        for param, alias in kwargs.items():
            self._metadata_request.fit.add_request(param=param, alias=alias)
        return self

    def _get_model(self, X: Any, y: Any) -> Any:
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        if isinstance(self.model, Model):
            return self.model if self.warm_start else clone_model(self.model)
        return self.model(X=X, y=y, **(self.model_kwargs or {}))

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Any:
        """Train the model: X (n, features), y (n,) or (n, outputs). kwargs: of `Model.fit`."""
        X, y = validate_data(self, X, y)
        y = self._process_target(y, reset=True)
        model = self._get_model(X, y)
        if not model.compiled or not model.loss or not model.optimizer:
            raise RuntimeError("Given model needs to be compiled, and have a loss and an optimizer.")
        self.history_ = model.fit(X, y, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_ = model
        return self

    def predict(self, X: Any) -> np.ndarray:
        """What the trained model says of X, in the form of the targets of `fit`."""
        return self._reverse_process_target(self._raw(X))

    def _raw(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return self.model_.predict(validate_data(self, X, reset=False))

    def _process_target(self, y: Any, reset: bool = False) -> Any:
        """Targets as the model is trained on them."""
        if type_of_target(y) == "unknown":
            raise ValueError(f"Unknown label type for data: {y!r}")
        if reset:
            self._target_ndim = y.ndim
        return y.reshape(-1, 1) if y.ndim == 1 else y

    def _reverse_process_target(self, y: Any) -> Any:
        return np.squeeze(y, axis=1) if self._target_ndim == 1 and y.ndim == 2 else y


class SKLearnClassifier(ClassifierMixin, SKLBase):
    """A model as a classifier: it is trained on one-hot classes, and `predict` gives labels.

    Raises:  ValueError in `fit` for one class alone, and for targets that are no classes.
    """

    def decision_function(self, X: Any) -> np.ndarray:
        """The outputs of the model, a column for each of `classes_`."""
        return self._raw(X)

    def _process_target(self, y: Any, reset: bool = False) -> Any:
        kind = type_of_target(y, input_name="y")
        if kind == "unknown":
            raise ValueError(f"Unknown label type for data: {y!r}")
        if kind not in ("binary", "multiclass"):
            raise ValueError(f"Only binary and multiclass target types are supported. Target type: {kind}")
        if reset:
            self._target_ndim = y.ndim
            self.classes_ = np.unique(y)
            if len(self.classes_) == 1:
                raise ValueError("Classifier can't train when only one class is present.")
        return (np.reshape(y, (-1, 1)) == self.classes_).astype("float64")

    def _reverse_process_target(self, y: Any) -> Any:
        labels = self.classes_[np.argmax(y, axis=1)]
        return labels if self._target_ndim == 1 else labels[:, None]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


class SKLearnRegressor(RegressorMixin, SKLBase):
    """A model as a regressor."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags


class SKLearnTransformer(TransformerMixin, SKLBase):
    """A model as a step of a pipeline: `transform` gives its outputs."""

    def transform(self, X: Any) -> np.ndarray:
        """The outputs of the trained model for X."""
        return self._raw(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
