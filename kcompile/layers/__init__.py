"""Layers, as in `keras.layers`."""
# ruff: noqa: F401

from __future__ import annotations

import inspect
from typing import Any

from kcompile.core import public_names, registry
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object
from kcompile.layers.activations.activations import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from kcompile.layers.attention.attention import AdditiveAttention, Attention
from kcompile.layers.attention.grouped_query import GroupedQueryAttention as GroupQueryAttention
from kcompile.layers.attention.multi_head import MultiHeadAttention
from kcompile.layers.convolutional.conv import Conv1D, Conv2D, Conv3D
from kcompile.layers.convolutional.depthwise import DepthwiseConv1D, DepthwiseConv2D
from kcompile.layers.convolutional.separable import SeparableConv1D, SeparableConv2D
from kcompile.layers.convolutional.transpose import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from kcompile.layers.core.dense import Dense
from kcompile.layers.core.einsum_dense import EinsumDense
from kcompile.layers.core.embedding import Embedding
from kcompile.layers.core.input_layer import Input, InputLayer
from kcompile.layers.core.lambda_layer import Lambda
from kcompile.layers.core.masking import Identity, Masking
from kcompile.layers.core.reversible_embedding import ReversibleEmbedding
from kcompile.layers.core.time_distributed import TimeDistributed
from kcompile.layers.core.wrapper import Wrapper
from kcompile.layers.input_spec import InputSpec
from kcompile.layers.layer import Layer
from kcompile.layers.merging.arithmetic import (
    Add,
    Average,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    maximum,
    minimum,
    multiply,
    subtract,
)
from kcompile.layers.merging.concatenate import Concatenate, concatenate
from kcompile.layers.merging.dot import Dot, dot
from kcompile.layers.normalization.batch import BatchNormalization
from kcompile.layers.normalization.features import LayerNormalization, RMSNormalization, UnitNormalization
from kcompile.layers.normalization.group import GroupNormalization
from kcompile.layers.normalization.spectral import SpectralNormalization
from kcompile.layers.pooling.adaptive import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
)
from kcompile.layers.pooling.whole import (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
from kcompile.layers.pooling.window import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from kcompile.layers.preprocessing import feature_space as _feature_space  # files may name its classes
from kcompile.layers.preprocessing.category_encoding import CategoryEncoding
from kcompile.layers.preprocessing.discretization import Discretization
from kcompile.layers.preprocessing.hashing import HashedCrossing, Hashing
from kcompile.layers.preprocessing.image.affine import (
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from kcompile.layers.preprocessing.image.clahe import ContrastLimitedAdaptiveHistogramEqualization
from kcompile.layers.preprocessing.image.color import (
    RandomColorDegeneration,
    RandomColorJitter,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
)
from kcompile.layers.preprocessing.image.cropping import CenterCrop, RandomCrop
from kcompile.layers.preprocessing.image.equalization import AutoContrast, Equalization
from kcompile.layers.preprocessing.image.flip import RandomFlip
from kcompile.layers.preprocessing.image.max_number import MaxNumBoundingBoxes
from kcompile.layers.preprocessing.image.mixing import CutMix, MixUp, RandomErasing
from kcompile.layers.preprocessing.image.perspective import RandomElasticTransform, RandomPerspective
from kcompile.layers.preprocessing.image.policies import AugMix, RandAugment
from kcompile.layers.preprocessing.image.resizing import Resizing
from kcompile.layers.preprocessing.image.smoothing import RandomGaussianBlur, RandomSharpness
from kcompile.layers.preprocessing.image.tone import (
    RandomBrightness,
    RandomContrast,
    RandomInvert,
    RandomPosterization,
    Solarization,
)
from kcompile.layers.preprocessing.integer_lookup import IntegerLookup
from kcompile.layers.preprocessing.mel_spectrogram import MelSpectrogram
from kcompile.layers.preprocessing.normalization import Normalization
from kcompile.layers.preprocessing.pipeline import Pipeline
from kcompile.layers.preprocessing.rescaling import Rescaling
from kcompile.layers.preprocessing.stft_spectrogram import STFTSpectrogram
from kcompile.layers.preprocessing.string_lookup import StringLookup
from kcompile.layers.preprocessing.text_vectorization import TextVectorization
from kcompile.layers.regularization.dropout import (
    AlphaDropout,
    Dropout,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from kcompile.layers.regularization.noise import ActivityRegularization, GaussianDropout, GaussianNoise
from kcompile.layers.reshaping.borders import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from kcompile.layers.reshaping.shapes import Flatten, Permute, RepeatVector, Reshape
from kcompile.layers.reshaping.up_sampling import UpSampling1D, UpSampling2D, UpSampling3D
from kcompile.layers.rnn.bidirectional import Bidirectional
from kcompile.layers.rnn.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from kcompile.layers.rnn.gru import GRU, GRUCell
from kcompile.layers.rnn.lstm import LSTM, LSTMCell
from kcompile.layers.rnn.rnn import RNN
from kcompile.layers.rnn.simple import SimpleRNN, SimpleRNNCell
from kcompile.layers.rnn.stacked import StackedRNNCells

# Second names.
Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
Convolution1DTranspose, Convolution2DTranspose = Conv1DTranspose, Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D

_MODULE = "keras.layers"
registry.publish("keras", {"InputSpec": InputSpec})
registry.publish(_MODULE, {"GroupQueryAttention": GroupQueryAttention})  # not the name of the class
registry.publish(
    _MODULE,
    {
        item.__name__: item
        for item in list(globals().values())
        if inspect.isclass(item) and issubclass(item, Layer)
    },
)


def serialize(layer: Any) -> dict[str, Any]:
    """A layer as a config."""
    return serialize_keras_object(layer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A layer from its config.

    Raises:  TypeError for a class that is not known; ValueError for what is no layer.
    """
    found = deserialize_keras_object(config, custom_objects, module=_MODULE)
    if not isinstance(found, Layer):
        raise ValueError(f"`layers.deserialize` takes the config of a layer. Received: {config}")
    return found


__all__ = public_names.of(__name__)
