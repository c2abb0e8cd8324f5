"""A workload's network as JAX functions over lists of weights, in Keras's layouts.

Statistics of batch normalization are weights like others: a step of training returns their next values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks import network
from benchmarks.network import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Depthwise,
    Dropout,
    Embedding,
    Flatten,
    GlobalAverage,
    Layer,
    LayerNorm,
    Leaf,
    MaxPool,
    Positions,
    Recurrent,
    Residual,
    SelfAttention,
    UpSample,
)

Array: TypeAlias = jax.Array
Weights: TypeAlias = list[list[Array]]

IMAGES = ("NHWC", "HWIO", "NHWC")
ACTIVATIONS = {
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "sigmoid": jax.nn.sigmoid,
}


class Forward:
    """One pass over the network; dropout is on and statistics are the batch's where a key is given.

    ``moved``: next values of the statistics, by the place of their layer among those with weights.
    """

    def __init__(self, weights: Weights, key: Array | None) -> None:
        self.weights: Iterator[tuple[int, list[Array]]] = iter(enumerate(weights))
        self.key, self.drawn = key, 0
        self.moved: dict[int, tuple[Array, Array]] = {}

    def run(self, layers: Iterable[Layer], x: Array) -> Array:
        for layer in layers:
            if isinstance(layer, Residual):
                branch = self.run(layer.branch, x)
                x = branch + self.run(layer.shortcut, x)
                continue
            x = self._leaf(layer, x)
            if name := getattr(layer, "activation", None):
                x = ACTIVATIONS[name](x)
        return x

    def _leaf(self, layer: Leaf, x: Array) -> Array:
        if isinstance(layer, BatchNorm):
            place, weights = next(self.weights)
            return self._batch_norm(layer, x, weights, place)
        if isinstance(layer, Dropout):
            return self._dropout(layer.rate, x)
        has = network.weight_shapes(layer, x.shape[1:])
        return apply(layer, x, next(self.weights)[1] if has else [])

    def _dropout(self, rate: float, x: Array) -> Array:
        if self.key is None:
            return x
        self.drawn += 1
        keep = jax.random.bernoulli(jax.random.fold_in(self.key, self.drawn), 1 - rate, x.shape)
        return jnp.where(keep, x / (1 - rate), 0)

    def _batch_norm(self, layer: BatchNorm, x: Array, weights: list[Array], place: int) -> Array:
        gamma, beta, mean, variance = weights
        if self.key is not None:
            axes, kept = tuple(range(x.ndim - 1)), layer.momentum
            old = mean, variance
            mean = x.mean(axes)
            variance = (x * x).mean(axes) - mean * mean
            self.moved[place] = tuple(  # type: ignore[assignment]
                kept * a + (1 - kept) * b for a, b in zip(old, (mean, variance), strict=True)
            )
        scale = gamma * lax.rsqrt(variance + layer.epsilon)
        return x * scale + (beta - mean * scale)


def apply(layer: Leaf, x: Array, w: list[Array]) -> Array:
    """A layer that is the same in training and inference."""
    match layer:
        case Dense():
            return x @ w[0] + w[1]
        case Conv(stride=stride, same=same):
            pads = "SAME" if same else "VALID"
            y = lax.conv_general_dilated(x, w[0], (stride, stride), pads, dimension_numbers=IMAGES)
            return y + w[1] if layer.bias else y
        case Depthwise(stride=stride):
            groups = x.shape[-1]
            return lax.conv_general_dilated(
                x,
                w[0].reshape(*w[0].shape[:2], 1, groups),
                (stride, stride),
                "SAME",
                dimension_numbers=IMAGES,
                feature_group_count=groups,
            )
        case ConvTranspose(stride=stride):
            strides = (stride, stride)
            y = lax.conv_transpose(x, w[0], strides, "SAME", dimension_numbers=IMAGES, transpose_kernel=True)
            return y + w[1]
        case UpSample(size=size):
            return x.repeat(size, 1).repeat(size, 2)
        case MaxPool():
            return _max_pool(layer, x)
        case GlobalAverage():
            return x.mean((1, 2))
        case Flatten():
            return x.reshape(x.shape[0], -1)
        case LayerNorm(epsilon):
            return jax.nn.standardize(x, -1, epsilon=epsilon) * w[0] + w[1]
        case Embedding():
            return w[0][x]
        case Positions():
            return x + w[0]
        case Recurrent():
            return _recurrent(layer, x, w)
        case SelfAttention():
            return _attention(x, w)
    return x


def _max_pool(layer: MaxPool, x: Array) -> Array:
    """Windows that do not overlap are a reshape, whose gradient is far cheaper than ``reduce_window``'s."""
    size = layer.size
    if layer.step == size and not layer.same:
        n, h, w, c = x.shape
        x = x[:, : h // size * size, : w // size * size]
        return x.reshape(n, h // size, size, w // size, size, c).max((2, 4))
    pads = "SAME" if layer.same else "VALID"
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, layer.step, layer.step, 1), pads)


def _recurrent(layer: Recurrent, x: Array, w: list[Array]) -> Array:
    step = {"lstm": _lstm, "gru": _gru}[layer.kind]
    ways = [(w[:3], False), (w[3:], True)][: layer.directions]
    return jnp.concatenate([step(x, *part, layer.units, back) for part, back in ways], -1)


def _lstm(x: Array, kernel: Array, recurrent: Array, bias: Array, units: int, back: bool) -> Array:
    inputs = (x @ kernel + bias).swapaxes(0, 1)

    def step(state: tuple[Array, Array], now: Array) -> tuple[tuple[Array, Array], None]:
        h, c = state
        i, f, g, o = jnp.split(now + h @ recurrent, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zeros = jnp.zeros((x.shape[0], units))
    return lax.scan(step, (zeros, zeros), inputs, reverse=back)[0][0]


def _gru(x: Array, kernel: Array, recurrent: Array, bias: Array, units: int, back: bool) -> Array:
    inputs = (x @ kernel + bias[0]).swapaxes(0, 1)

    def step(h: Array, now: Array) -> tuple[Array, None]:
        z, r, g = jnp.split(now, 3, -1)
        z_h, r_h, g_h = jnp.split(h @ recurrent + bias[1], 3, -1)
        z = jax.nn.sigmoid(z + z_h)
        g = jnp.tanh(g + jax.nn.sigmoid(r + r_h) * g_h)
        return z * h + (1 - z) * g, None

    return lax.scan(step, jnp.zeros((x.shape[0], units)), inputs, reverse=back)[0]


def _attention(x: Array, w: list[Any]) -> Array:
    query, key, value = (
        jnp.einsum("ntd,dhk->nthk", x, kernel) + bias for kernel, bias in zip(w[0:6:2], w[1:6:2], strict=True)
    )
    seen = jax.nn.dot_product_attention(query, key, value, is_causal=True)
    return jnp.einsum("nthk,hkd->ntd", seen, w[6]) + w[7]
