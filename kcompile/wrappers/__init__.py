"""Models as estimators of scikit-learn, as in `keras.wrappers`. Needs scikit-learn."""

from kcompile.core import public_names
from kcompile.wrappers.estimators import SKLearnClassifier as SKLearnClassifier
from kcompile.wrappers.estimators import SKLearnRegressor as SKLearnRegressor
from kcompile.wrappers.estimators import SKLearnTransformer as SKLearnTransformer

__all__ = public_names.of(__name__)
