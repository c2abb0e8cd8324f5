"""kcompile: Keras's API with a compiler under it.

``import kcompile as keras`` and write Keras code. Public modules and names load on first use (PEP 562), so
the import itself costs some milliseconds; ``from kcompile import layers``, ``kcompile.layers.Dense`` and tab
completion work as usual.

>>> import kcompile as keras
>>> keras.__version__
'0.1.0'
>>> "layers" in dir(keras) and "Sequential" in dir(keras)
True
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

_here = Path(__file__).resolve().parent
if not (_here / "kernels").is_dir() and (_here.parent / "kernels" / "__init__.py").is_file():
    __path__.append(str(_here.parent))  # a source checkout: kernels/ lies beside kcompile/

__version__ = "0.1.0"

# Public modules, as in Keras. One that has not been written yet answers with AttributeError.
_MODULES = frozenset(
    {
        "activations",
        "applications",
        "backend",
        "callbacks",
        "config",
        "constraints",
        "datasets",
        "distillation",
        "dtype_policies",
        "export",
        "initializers",
        "layers",
        "losses",
        "metrics",
        "mixed_precision",
        "models",
        "ops",
        "optimizers",
        "preprocessing",
        "quantizers",
        "random",
        "regularizers",
        "saving",
        "tree",
        "utils",
        "visualization",
        "wrappers",
    }
)
# Public names -> the module that holds them.
_NAMES = {
    "DTypePolicy": "dtype_policies",
    "FloatDTypePolicy": "dtype_policies",
    "Function": "models.function",
    "GradientTape": "autograd.tape",
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "KerasTensor": "trace.keras_tensor",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Operation": "trace.operation",
    "Optimizer": "optimizers",
    "Quantizer": "quantizers",
    "Regularizer": "regularizers",
    "RematScope": "trace.rematerialization",
    "Sequential": "models",
    "StatelessScope": "trace.stateless",
    "SymbolicScope": "trace.stateless",
    "Variable": "trace.variable",
    "device": "backend",
    "get_num_threads": "runtime.team",
    "grad": "autograd.functional",
    "jit": "compiled_function",
    "name_scope": "trace.variable",
    "remat": "trace.rematerialization",
    "set_num_threads": "runtime.team",
    "value_and_grad": "autograd.functional",
}

# What type checkers and editors see; tests/test_packaging.py keeps it equal to the tables above.
if TYPE_CHECKING:
    from kcompile import activations as activations
    from kcompile import applications as applications
    from kcompile import backend as backend
    from kcompile import callbacks as callbacks
    from kcompile import config as config
    from kcompile import constraints as constraints
    from kcompile import datasets as datasets
    from kcompile import distillation as distillation
    from kcompile import dtype_policies as dtype_policies
    from kcompile import export as export
    from kcompile import initializers as initializers
    from kcompile import layers as layers
    from kcompile import losses as losses
    from kcompile import metrics as metrics
    from kcompile import mixed_precision as mixed_precision
    from kcompile import models as models
    from kcompile import ops as ops
    from kcompile import optimizers as optimizers
    from kcompile import preprocessing as preprocessing
    from kcompile import quantizers as quantizers
    from kcompile import random as random
    from kcompile import regularizers as regularizers
    from kcompile import saving as saving
    from kcompile import tree as tree
    from kcompile import utils as utils
    from kcompile import visualization as visualization
    from kcompile import wrappers as wrappers
    from kcompile.autograd.functional import grad as grad
    from kcompile.autograd.functional import value_and_grad as value_and_grad
    from kcompile.autograd.tape import GradientTape as GradientTape
    from kcompile.backend import device as device
    from kcompile.compiled_function import jit as jit
    from kcompile.dtype_policies import DTypePolicy as DTypePolicy
    from kcompile.dtype_policies import FloatDTypePolicy as FloatDTypePolicy
    from kcompile.initializers import Initializer as Initializer
    from kcompile.layers import Input as Input
    from kcompile.layers import InputSpec as InputSpec
    from kcompile.layers import Layer as Layer
    from kcompile.losses import Loss as Loss
    from kcompile.metrics import Metric as Metric
    from kcompile.models import Model as Model
    from kcompile.models import Sequential as Sequential
    from kcompile.models.function import Function as Function
    from kcompile.optimizers import Optimizer as Optimizer
    from kcompile.quantizers import Quantizer as Quantizer
    from kcompile.regularizers import Regularizer as Regularizer
    from kcompile.runtime.team import get_num_threads as get_num_threads
    from kcompile.runtime.team import set_num_threads as set_num_threads
    from kcompile.trace.keras_tensor import KerasTensor as KerasTensor
    from kcompile.trace.operation import Operation as Operation
    from kcompile.trace.rematerialization import RematScope as RematScope
    from kcompile.trace.rematerialization import remat as remat
    from kcompile.trace.stateless import StatelessScope as StatelessScope
    from kcompile.trace.stateless import SymbolicScope as SymbolicScope
    from kcompile.trace.variable import Variable as Variable
    from kcompile.trace.variable import name_scope as name_scope


def version() -> str:
    """The version of the package.

    >>> version() == __version__
    True
    """
    return __version__


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return import_module("kcompile.core.public_names").of(__name__)
    if name in _MODULES:
        return _load(name, attribute=name)
    if name in _NAMES:
        module = _load(_NAMES[name], attribute=name)
        if hasattr(module, name):
            return globals().setdefault(name, getattr(module, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _load(module: str, attribute: str) -> Any:
    full_name = f"{__name__}.{module}"
    try:
        return import_module(full_name)
    except ModuleNotFoundError as error:
        if error.name != full_name:  # a dependency is missing: say that, not "no attribute"
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}") from None


def __dir__() -> list[str]:
    return sorted(_MODULES | _NAMES.keys() | {"__version__", "version"})
