"""`keras.ops.linalg`: linear algebra, the same objects as in `keras.ops`."""

from __future__ import annotations

from kcompile.core import public_names as _public_names
from kcompile.ops.public import names_of

_NAMES = """
    cholesky cholesky_inverse det eig eigh inv jvp lstsq lu_factor matrix_rank norm pinv qr solve
    solve_triangular svd
"""

__getattr__, __dir__ = names_of(__name__, _NAMES.split())

__all__ = _public_names.of(__name__)
