"""Wrong constructor arguments and inputs of single layers: the type and the sense of Keras's errors."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import layers as L

IMAGE = np.ones((1, 5, 5, 3), "float32")
X = np.ones((2, 3), "float32")
STEPS = np.ones((2, 4, 3), "float32")


def built(merge):
    merge([X, X])
    return merge


WRONG = [
    (lambda: L.Dense(-1), r"`units`, expected a positive integer. Received: units=-1"),
    (lambda: L.Dense(2.5), "expected a positive integer"),
    (lambda: L.Dense("a"), "expected a positive integer"),
    (lambda: L.Dense(2, activation="rleu"), r"(?s)Could not interpret activation function.*rleu.*'relu'"),
    (lambda: L.Dense(2, kernel_initializer="glorot"), r"(?s)Could not interpret initializer.*'glorot_"),
    (lambda: L.Dense(2, kernel_regularizer="l3"), "Could not interpret regularizer"),
    (lambda: L.Conv2D(3, 3, padding="foo"), "`padding` argument must be one of"),
    (lambda: L.Conv2D(3, 3, padding="causal"), "`padding` argument must be one of"),
    (lambda: L.Conv2D(0, 3), "`filters`. Expected a strictly positive value"),
    (lambda: L.Conv2D(3, (3, 3, 3)), r"`kernel_size` argument must be a tuple of 2 integers.*\(3, 3, 3\)"),
    (lambda: L.Conv2D(3, 0), r"do not satisfy `value > 0`"),
    (lambda: L.Conv2D(3, 3, strides=2, dilation_rate=2), "`strides > 1` not supported in conjunction"),
    (lambda: L.Conv2D(3, 3, groups=2), "evenly divisible by the number of groups"),
    (lambda: L.Conv2D(4, 3, groups=2)(IMAGE), "3 channels"),
    (lambda: L.Conv2D(3, 3)(IMAGE[0]), "expected min_ndim=4, found ndim=3"),
    (lambda: L.Conv2D(3, 7, name="big")(IMAGE), r"(?s)kernel is larger than the padded input.*layer \"big\""),
    (lambda: L.Conv2D(3, 3, data_format="channels_middle"), "`data_format` argument must be one of"),
    (lambda: L.DepthwiseConv2D(3, depth_multiplier=0), "depth_multiplier"),
    (lambda: L.MaxPooling2D(0), "`pool_size`"),
    (lambda: L.MaxPooling2D(2)(X), "expected ndim=4, found ndim=2"),
    (lambda: L.Dropout(1.5), "`rate`. Expected a float value between 0 and 1"),
    (lambda: L.Dropout("a"), "`rate`"),
    (lambda: L.Dropout(0.5, noise_shape="a"), "`noise_shape`. Expected a tuple of positive integers"),
    (lambda: L.Dropout(0.5, noise_shape=(-1, 3)), r"`noise_shape`.*Received: noise_shape=\(-1, 3\)"),
    (lambda: L.Dropout(0.5, noise_shape=4), "`noise_shape`"),
    (lambda: L.Dot(2, name="dot")([X, X]), r"'dot': `axes` must name dimensions behind the batch, 1 to 1 of"),
    (lambda: L.Dot(0)([STEPS, STEPS]), r"`axes`.*Received: axes=0"),
    (lambda: L.Dot((-1, -2))([STEPS, X]), r"1 to 1 of an input of 2 dimensions. Received: axes=\(-1, -2\)"),
    (lambda: L.GaussianNoise(-0.1), "`stddev`"),
    (lambda: L.Reshape((5,))(X), r"total size of the tensor must be unchanged.*\(3,\).*\(5,\)"),
    (lambda: L.Reshape((-1, -1)), "more than one `-1`"),
    (lambda: L.Permute((0, 1)), "consecutive and start from 1"),
    (lambda: L.Permute((1, 3)), "consecutive and start from 1"),
    (lambda: L.ZeroPadding2D((1, 2, 3)), "`padding` should have two elements"),
    (lambda: L.ZeroPadding2D("a"), "`padding` should have two elements"),
    (lambda: L.Cropping2D(3)(IMAGE), "`cropping` argument should be smaller"),
    (lambda: L.Flatten("foo"), "`data_format` argument must be one of"),
    (lambda: L.ReLU(-1), "max_value of a ReLU layer cannot be a negative value"),
    (lambda: L.LeakyReLU(-1), "cannot be None or negative"),
    (lambda: L.Activation("foo"), "Could not interpret activation function identifier: foo"),
    (lambda: L.BatchNormalization(axis=5, name="bn")(X), r"Layer 'bn': axis=5 does not exist.*\(2, 3\)"),
    (lambda: L.LayerNormalization(axis=5, name="ln")(X), "Layer 'ln': axis=5 does not exist"),
    (lambda: L.GroupNormalization(2)(X), r"groups \(2\) must be a divisor of the number of channels \(3\)"),
    (lambda: L.Add()(X), "should be called on a list of inputs"),
    (lambda: L.Add()([X, np.ones((2, 4), "float32")]), r"incompatible shapes.*\(2, 3\) and \(2, 4\)"),
    (lambda: L.Add()([X, np.ones((3, 3), "float32")]), "different batch sizes"),
    (lambda: L.Subtract()([X, X, X]), "exactly 2 inputs"),
    (lambda: L.Concatenate()([X, np.ones((3, 4), "float32")]), "matching shapes except for the"),
    (lambda: L.Concatenate()(X), "at least 1 input"),
    (lambda: built(L.Concatenate())(X), "should be called on a list of inputs"),
    (lambda: built(L.Dot(1))(X), "should be called on a list of inputs"),
    (lambda: built(L.Dot(1))([X, X, X]), "exactly 2 inputs"),
    (lambda: L.Identity().add_loss(3.0), "on a tensor input. Received invalid value: 3.0"),
    (lambda: L.Dot(1)([X, np.ones((2, 4), "float32")]), r"axis values 3 \(at axis 1\) != 4 \(at axis 1\)"),
    (lambda: L.Conv1D(3, 3, padding="Full"), "`padding` argument must be one of"),
    (lambda: L.Conv1D(2.5, 3), "`filters`. Expected a strictly positive value"),
    (lambda: L.Conv2D(3, 3)(L.Input((5, 5, None))), "channel dimension of the inputs should be defined"),
    (lambda: L.Conv2D(3, 3)(np.ones((1, 1, 5, 5, 3), "float32")), "the same rank"),
    (lambda: L.Conv1D(3, 3, name="c").build((2, 3)), r"Layer 'c'.*the same rank, 3.*\(2, 3\)"),
    (lambda: L.DepthwiseConv2D(3).build((2, 5, 3)), "the same rank, 4"),
    (lambda: L.Conv1DTranspose(3, 3)(IMAGE), "the same rank, 3"),
    (lambda: L.Conv3D(3, 3, groups=0), "`groups`. Expected a strictly positive value"),
    (lambda: L.SeparableConv1D(3, 3, padding="causal"), "`padding` argument must be one of"),
    (lambda: L.SeparableConv2D(0, 3), "`filters`. Expected a strictly positive value"),
    (lambda: L.Conv2DTranspose(0, 3), "`filters`. Expected a strictly positive value. Received filters=0"),
    (lambda: L.Conv2DTranspose(3, 0), r"`kernel_size`.*do not satisfy `value > 0`"),
    (lambda: L.Conv2DTranspose(3, 3, padding="causal"), "`padding` argument must be one of"),
    (lambda: L.Conv2DTranspose(3, 3, output_padding=1), "strictly less than `strides`.*output_padding"),
    (lambda: L.Conv2DTranspose(3, 3, strides=2, output_padding=(1, 2)), r"\(1, 2\), strides=\(2, 2\)"),
    (lambda: L.Conv2DTranspose(3, 3, output_padding=-1), r"`output_padding`.*do not satisfy `value >= 0`"),
    (lambda: L.Conv2DTranspose(3, 3, strides=2, dilation_rate=2), "`strides > 1` not supported"),
    (lambda: L.Conv2DTranspose(3, 3)(IMAGE[0]), "expected min_ndim=4, found ndim=3"),
    (lambda: L.Conv2DTranspose(3, 3)(L.Input((5, 5, None))), "channel dimension of the inputs"),
    (lambda: L.AdaptiveMaxPooling1D((2, 3)), "must have 1 elements"),
    (lambda: L.AdaptiveMaxPooling2D(0), "`output_size`, expected a positive integer"),
    (lambda: L.AdaptiveMaxPooling2D(2, data_format="first"), "`data_format` argument must be one of"),
    (lambda: L.AdaptiveAveragePooling2D(2)(X), "expected ndim=4, found ndim=2"),
    (lambda: L.MaxPooling2D(7, name="wide")(IMAGE), r"(?s)window is larger than the padded input.*\"wide\""),
    (lambda: L.AveragePooling2D(2, padding="causal"), "`padding` argument must be one of"),
    (lambda: L.RepeatVector(0), "`n` should be a positive integer"),
    (lambda: L.UpSampling1D(0), "`size` should be a positive integer"),
    (lambda: L.UpSampling2D(0), r"`size`.*do not satisfy `value > 0`"),
    (lambda: L.UpSampling2D(interpolation="cubic"), "`interpolation` argument must be one of"),
    (lambda: L.Reshape((-2,)), "`target_shape` must be a non-negative integer"),
    (lambda: L.Reshape(("a",)), "`target_shape` must be a non-negative integer"),
    (lambda: L.Permute((2, 1))(X), "expected ndim=3, found ndim=2"),
    (lambda: L.Cropping1D(-1), r"`cropping`.*do not satisfy `value >= 0`"),
    (lambda: L.Embedding(0, 3), "`input_dim`, expected a positive integer"),
    (lambda: L.Embedding(3, -1), "`output_dim`, expected a positive integer"),
    (lambda: L.ReversibleEmbedding(3, 2.5), "`output_dim`, expected a positive integer"),
    (lambda: L.GroupNormalization(0), "`groups`, expected a positive integer"),
    (lambda: L.GroupNormalization(2.5), "`groups`, expected a positive integer"),
    (lambda: L.BatchNormalization(renorm=True, renorm_clipping={"max": 1}), "invalid keys for `renorm_clip"),
    (lambda: L.BatchNormalization(renorm=True, renorm_clipping={"rmax": 1, "rmin": 2}), "rmax=1, rmin=2"),
    (lambda: L.BatchNormalization(renorm=True, renorm_clipping={"dmax": -1}), "dmax should be non-negative"),
    (
        lambda: L.BatchNormalization(name="bn")(X, mask=X > 0, training=True),
        r"'bn'.*mask provided should be one dimension less.*\(2, 3\)",
    ),
    (lambda: L.Softmax()(X, mask=np.ones((2, 4), bool)), r"must be broadcastable.*mask.shape=\(2, 4\)"),
    (lambda: L.Softmax()(X, mask=np.ones((1, 2, 3), bool)), "must be broadcastable"),
    (lambda: L.Softmax(axis=5)(X), r"axis must lie in \[-2, 2\)"),
    (lambda: L.Wrapper(3), "Layer 3 supplied to Wrapper isn't a supported layer type"),
    (lambda: L.TimeDistributed(3), "initialize `TimeDistributed` layer with a `keras.layers.Layer` instance"),
    (lambda: L.TimeDistributed(L.Dense(2))(X), r"at least 3 dimensions, received: \(2, 3\)"),
    (lambda: L.TimeDistributed(L.Dense(2))(STEPS, mask=np.ones(2, bool)), r"`mask`.*shape \(2,\)"),
    (lambda: L.TimeDistributed(L.Dense(2))(STEPS, mask=np.ones((2, 5), bool)), r"prefix: \(2, 4\)"),
    (lambda: L.SpectralNormalization(L.Dense(2), power_iterations=0), "`power_iterations` should be greater"),
    (lambda: L.SpectralNormalization(L.ReLU())(X), "ReLU object has no attribute 'kernel' nor 'embeddings'"),
    (lambda: L.Input(shape=(3,), ragged=True), "`ragged=True` is not supported"),
    (lambda: L.Dense(3, trainable=1), r"Expected `trainable` to be a boolean. Received: trainable=1"),
    (lambda: L.Dense(3, trainable=None), "Expected `trainable` to be a boolean"),
    (lambda: L.Dense(3, name="d")([X]), r"Layer 'd': \(2, 3\) is no dimension of a weight's shape.*'kernel'"),
    (lambda: L.Concatenate().compute_output_shape((2, 3)), "at least 1 input"),
    (lambda: L.Concatenate().compute_output_shape({"a": (2, 3)}), "at least 1 input"),
    (lambda: L.Input(), "exactly one of `shape` and `batch_shape`"),
    (lambda: L.Input(shape=(3,), batch_shape=(None, 3)), "exactly one of `shape` and `batch_shape`"),
    (lambda: L.Input(5), "must be a tuple"),
    (lambda: L.Input((-2,)), "ints >= 0 or None"),
]


@pytest.mark.parametrize("wrong, text", WRONG, ids=range(len(WRONG)))
def test_value_errors(wrong, text):
    with pytest.raises(ValueError, match=text):
        wrong()


@pytest.mark.parametrize(
    "wrong, text",
    [
        (lambda: L.RepeatVector("a"), "integer value for `n`"),
        (lambda: L.Dot("a"), "`axes`"),
        (lambda: L.RepeatVector(True), "integer value for `n`"),
        (lambda: L.UpSampling1D(2.5), "integer value for `size`"),
        (lambda: L.AdaptiveMaxPooling2D("a"), "`output_size` must be an integer"),
        (lambda: L.AdaptiveMaxPooling2D((3,)), "must have 2 elements"),
        (lambda: L.Lambda(3), "not a callable"),
        (lambda: L.LayerNormalization("a"), "`axis`"),
        (lambda: L.RMSNormalization("a"), "`axis`"),
        (lambda: L.UnitNormalization("a"), "`axis`"),
    ],
)
def test_type_errors(wrong, text):
    with pytest.raises(TypeError, match=text):
        wrong()


@pytest.mark.parametrize(
    "wrong, text",
    [(lambda: L.Identity().add_metric(X), "`metric.update_state\\(\\)` whenever necessary")],
)
def test_what_is_missing_says_so(wrong, text):
    with pytest.raises(NotImplementedError, match=text):
        wrong()
