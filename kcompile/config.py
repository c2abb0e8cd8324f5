"""Global settings, as in ``keras.config``."""

from kcompile.core.config import disable_flash_attention as disable_flash_attention
from kcompile.core.config import enable_flash_attention as enable_flash_attention
from kcompile.core.config import epsilon as epsilon
from kcompile.core.config import floatx as floatx
from kcompile.core.config import image_data_format as image_data_format
from kcompile.core.config import is_flash_attention_enabled as is_flash_attention_enabled
from kcompile.core.config import set_epsilon as set_epsilon
from kcompile.core.config import set_floatx as set_floatx
from kcompile.core.config import set_image_data_format as set_image_data_format
from kcompile.dtype_policies import dtype_policy as dtype_policy
from kcompile.dtype_policies import set_dtype_policy as set_dtype_policy
