"""kcompile: Keras's API with a compiler under it.

``import kcompile as keras`` and write Keras code. Public modules and names load on first use (PEP 562), so
the import itself costs a millisecond; ``from kcompile import layers``, ``kcompile.layers.Dense`` and tab
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
        "backend",
        "callbacks",
        "config",
        "constraints",
        "datasets",
        "dtype_policies",
        "export",
        "initializers",
        "layers",
        "losses",
        "metrics",
        "models",
        "ops",
        "optimizers",
        "random",
        "regularizers",
        "saving",
        "tree",
        "utils",
    }
)
# Public names -> the module that holds them.
_NAMES = {
    "DTypePolicy": "dtype_policies",
    "Function": "models",
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "KerasTensor": "layers",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "Sequential": "models",
    "Variable": "layers",
}

# What type checkers and editors see; tests/test_packaging.py keeps it equal to the tables above.
if TYPE_CHECKING:
    from kcompile import datasets as datasets
    from kcompile import utils as utils


def __getattr__(name: str) -> Any:
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
    return sorted(_MODULES | _NAMES.keys() | {"__version__"})
