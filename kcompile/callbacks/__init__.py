"""Callbacks, as in `keras.callbacks`."""

from kcompile.callbacks.backup_and_restore import BackupAndRestore as BackupAndRestore
from kcompile.callbacks.callback import Callback as Callback
from kcompile.callbacks.callback_list import CallbackList as CallbackList
from kcompile.callbacks.csv_logger import CSVLogger as CSVLogger
from kcompile.callbacks.early_stopping import EarlyStopping as EarlyStopping
from kcompile.callbacks.history import History as History
from kcompile.callbacks.lambda_callback import LambdaCallback as LambdaCallback
from kcompile.callbacks.learning_rate import LearningRateScheduler as LearningRateScheduler
from kcompile.callbacks.learning_rate import ReduceLROnPlateau as ReduceLROnPlateau
from kcompile.callbacks.model_checkpoint import ModelCheckpoint as ModelCheckpoint
from kcompile.callbacks.orbax_checkpoint import OrbaxCheckpoint as OrbaxCheckpoint
from kcompile.callbacks.progbar_logger import ProgbarLogger as ProgbarLogger
from kcompile.callbacks.remote_monitor import RemoteMonitor as RemoteMonitor
from kcompile.callbacks.swap_ema_weights import SwapEMAWeights as SwapEMAWeights
from kcompile.callbacks.tensorboard import TensorBoard as TensorBoard
from kcompile.callbacks.terminate_on_nan import TerminateOnNaN as TerminateOnNaN
from kcompile.core import public_names

__all__ = public_names.of(__name__)
