"""Built-in data sets, as in ``keras.datasets``. Each loads on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kcompile.core import public_names

if TYPE_CHECKING:
    from kcompile.datasets import boston_housing as boston_housing
    from kcompile.datasets import california_housing as california_housing
    from kcompile.datasets import cifar10 as cifar10
    from kcompile.datasets import cifar100 as cifar100
    from kcompile.datasets import fashion_mnist as fashion_mnist
    from kcompile.datasets import imdb as imdb
    from kcompile.datasets import mnist as mnist
    from kcompile.datasets import reuters as reuters

_MODULES = (
    "boston_housing", "california_housing", "cifar10", "cifar100", "fashion_mnist", "imdb", "mnist",
    "reuters",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"kcompile.datasets.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_MODULES)


__all__ = public_names.of(__name__)
