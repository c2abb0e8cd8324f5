"""JAX as users write a training loop: a jitted step with donated buffers, or a jitted scan of an epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np
from jax import lax

from benchmarks import workloads
from benchmarks.contenders import Contender
from benchmarks.peers import Call, Chunk
from benchmarks.workloads import Conv, Dense, Dropout, Flatten, MaxPool, Workload

Array: TypeAlias = jax.Array
State: TypeAlias = tuple[list[Array], list[Array], list[Array], Array, Array]
"""Weights, Adam's two moments, the step number, the random key."""


def open_session(contender: Contender, work: Workload, threads: int) -> JaxSession:
    # XLA's thread pool follows NPROC and the affinity mask, which the worker's parent has set.
    del threads
    return JaxSession(work, scan="scan" in contender.options)


def logits(work: Workload, weights: list[Array], x: Array, key: Array | None) -> Array:
    """The model's output before the softmax; dropout is on where a key is given."""
    parts = iter(weights)
    for index, layer in enumerate(work.layers):
        match layer:
            case Dense():
                x = x @ next(parts) + next(parts)
            case Conv():
                x = lax.conv_general_dilated(
                    x, next(parts), (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
                ) + next(parts)
            case MaxPool(size=size):
                x = _max_pool(x, size)
            case Dropout(rate=rate) if key is not None:
                keep = jax.random.bernoulli(jax.random.fold_in(key, index), 1 - rate, x.shape)
                x = jnp.where(keep, x / (1 - rate), 0)
            case Flatten():
                x = x.reshape(x.shape[0], -1)
        if getattr(layer, "activation", None) == "relu":
            x = jax.nn.relu(x)
    return x


def _max_pool(x: Array, size: int) -> Array:
    """Windows that do not overlap are a reshape, whose gradient is far cheaper than ``reduce_window``'s."""
    n, h, w, c = x.shape
    x = x[:, : h // size * size, : w // size * size]
    return x.reshape(n, h // size, size, w // size, size, c).max((2, 4))


def train_step(work: Workload) -> Callable[[State, tuple[Array, Array]], tuple[State, Array]]:
    """One step of Adam on the mean cross-entropy."""

    def loss(weights: list[Array], x: Array, y: Array, key: Array) -> Array:
        scores = jax.nn.log_softmax(logits(work, weights, x, key))
        return -jnp.take_along_axis(scores, y[:, None], 1).mean()

    def step(state: State, batch: tuple[Array, Array]) -> tuple[State, Array]:
        weights, first, second, count, key = state
        key, dropout = jax.random.split(key)
        value, grads = jax.value_and_grad(loss)(weights, *batch, dropout)
        count = count + 1
        first = [0.9 * m + 0.1 * g for m, g in zip(first, grads, strict=True)]
        second = [0.999 * v + 0.001 * g * g for v, g in zip(second, grads, strict=True)]
        rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        moved = zip(weights, first, second, strict=True)
        weights = [w - rate * m / (jnp.sqrt(v) + 1e-7) for w, m, v in moved]
        return (weights, first, second, count, key), value

    return step


class JaxSession:
    """A hand-written loop around one jitted step, or one jitted scan an epoch."""

    def __init__(self, work: Workload, scan: bool) -> None:
        self.work, self.scan = work, scan
        self.trained: dict[str, State] = {}

    def versions(self) -> dict[str, str]:
        return {"jax": jax.__version__, "jaxlib": jaxlib.__version__}

    def variants(self, measure: str) -> tuple[str, ...]:
        if measure != "train":
            return ("jit",) if measure == "call" and not self.scan else ()
        # Inside a loop XLA runs convolutions without its threaded library: minutes for one epoch.
        if self.scan and any(isinstance(layer, Conv) for layer in self.work.layers):
            return ()
        # The second random generator is cheaper than JAX's default one; only dropout draws numbers.
        random = any(isinstance(layer, Dropout) for layer in self.work.layers)
        return ("threefry2x32", "unsafe_rbg") if random else ("threefry2x32",)

    def runner(self, measure: str, variant: str) -> Chunk | Call:
        if measure == "train":
            self.trained[variant] = self._state(variant)
            return self._scan(variant) if self.scan else self._loop(variant)
        predict, weights = self._predict()
        x = jnp.asarray(workloads.data(self.work, 1)[0])
        return lambda: predict(weights, x).block_until_ready()

    def _state(self, generator: str) -> State:
        weights = [jnp.asarray(w) for w in workloads.initial_weights(self.work)]
        zeros = [[jnp.zeros_like(w) for w in weights] for _ in range(2)]
        return weights, zeros[0], zeros[1], jnp.zeros(()), jax.random.key(0, impl=generator)

    def _loop(self, variant: str) -> Chunk:
        step = jax.jit(train_step(self.work), donate_argnums=0)
        batches = [(jnp.asarray(x), jnp.asarray(y)) for x, y in zip(*self._batches(), strict=True)]

        def chunk() -> int:
            state = self.trained[variant]
            for batch in batches:
                state, _ = step(state, batch)
            self.trained[variant] = jax.block_until_ready(state)
            return len(batches)

        return chunk

    def _scan(self, variant: str) -> Chunk:
        step = train_step(self.work)
        epoch = jax.jit(lambda state, batches: lax.scan(step, state, batches), donate_argnums=0)
        batches = tuple(jnp.asarray(part) for part in self._batches())

        def chunk() -> int:
            state, _ = epoch(self.trained[variant], batches)
            self.trained[variant] = jax.block_until_ready(state)
            return len(batches[0])

        return chunk

    def _batches(self) -> tuple[np.ndarray, np.ndarray]:
        x, y = workloads.data(self.work)
        return x.reshape(-1, self.work.batch, *self.work.input_shape), y.reshape(-1, self.work.batch)

    def _predict(self) -> tuple[Any, list[Array]]:
        weights = [jnp.asarray(w) for w in workloads.initial_weights(self.work)]
        return jax.jit(lambda weights, x: jax.nn.softmax(logits(self.work, weights, x, None))), weights

    def sample(self) -> list[float]:
        predict, weights = self._predict()
        return predict(weights, workloads.data(self.work, 4)[0]).ravel().tolist()

    def probabilities(self, variant: str) -> list[list[float]]:
        predict, _ = self._predict()
        return predict(self.trained[variant][0], workloads.data(self.work, self.work.batch)[0]).tolist()

    def first_step(self) -> None:
        x, y = workloads.data(self.work, self.work.batch)
        step = jax.jit(train_step(self.work), donate_argnums=0)
        jax.block_until_ready(step(self._state("threefry2x32"), (jnp.asarray(x), jnp.asarray(y))))
