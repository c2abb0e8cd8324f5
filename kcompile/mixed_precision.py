"""Mixed precision under the names that Keras keeps for older code: `keras.mixed_precision`."""

from kcompile.core import public_names
from kcompile.dtype_policies import DTypePolicy as DTypePolicy
from kcompile.dtype_policies import DTypePolicy as Policy  # noqa: F401  (a public name)
from kcompile.dtype_policies import dtype_policy as dtype_policy
from kcompile.dtype_policies import dtype_policy as global_policy  # noqa: F401
from kcompile.dtype_policies import set_dtype_policy as set_dtype_policy
from kcompile.dtype_policies import set_dtype_policy as set_global_policy  # noqa: F401
from kcompile.optimizers.loss_scale import LossScaleOptimizer as LossScaleOptimizer

__all__ = public_names.of(__name__)
