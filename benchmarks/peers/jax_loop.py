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
from benchmarks.network import Conv, ConvTranspose, Depthwise, Dropout
from benchmarks.peers import Call, Chunk
from benchmarks.peers.jax_layers import Array, Forward, Weights
from benchmarks.workloads import Workload

State: TypeAlias = tuple[Weights, Weights, Weights, Array, Array]
"""Weights, Adam's two moments, the step number, the random key."""


def open_session(contender: Contender, work: Workload, threads: int) -> JaxSession:
    # XLA's thread pool follows NPROC and the affinity mask, which the worker's parent has set.
    del threads
    return JaxSession(work, scan="scan" in contender.options)


FINAL: dict[str | None, Callable[[Array], Array]] = {
    "softmax": jax.nn.softmax,
    "sigmoid": jax.nn.sigmoid,
    None: lambda scores: scores,
}


def scores(work: Workload, weights: Weights, x: Array) -> Array:
    """The model's output before the last activation, for inference."""
    return Forward(weights, None).run(work.scores, x)


def loss_of(work: Workload, found: Array, y: Array) -> Array:
    """The workload's loss, from scores."""
    if work.loss == "mse":
        return jnp.square(found - y).mean()
    if work.loss == "binary":
        return (jax.nn.softplus(found) - found * y).mean()
    return -jnp.take_along_axis(jax.nn.log_softmax(found), y[..., None], -1).mean()


def train_step(work: Workload) -> Callable[[State, tuple[Array, Array]], tuple[State, Array]]:
    """One step of Adam on the mean loss, and of the statistics of batch normalization."""

    def loss(weights: Weights, x: Array, y: Array, key: Array) -> tuple[Array, dict[int, Any]]:
        forward = Forward(weights, key)
        return loss_of(work, forward.run(work.scores, x), y), forward.moved

    def step(state: State, batch: tuple[Array, Array]) -> tuple[State, Array]:
        weights, first, second, count, key = state
        key, dropout = jax.random.split(key)
        (value, moved), grads = jax.value_and_grad(loss, has_aux=True)(weights, *batch, dropout)
        count = count + 1
        rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, grads)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, grads)
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, first, second)
        for place, statistics in moved.items():
            weights[place] = [*weights[place][:2], *statistics]
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
            return ("jit",) if measure in ("call", "throughput") and not self.scan else ()
        if not self.work.trains:
            return ()
        # Inside a loop XLA runs convolutions without its threaded library: minutes for one epoch.
        if self.scan and self.work.has & {Conv, Depthwise, ConvTranspose}:
            return ()
        # The second random generator is cheaper than JAX's default one; only dropout draws numbers.
        return ("threefry2x32", "unsafe_rbg") if Dropout in self.work.has else ("threefry2x32",)

    def runner(self, measure: str, variant: str) -> Chunk | Call:
        if measure == "train":
            self.trained[variant] = self._state(variant)
            return self._scan(variant) if self.scan else self._loop(variant)
        predict, weights = self._predict()
        x = jnp.asarray(workloads.data(self.work, self.work.many if measure == "throughput" else 1)[0])
        return lambda: predict(weights, x).block_until_ready()

    def _state(self, generator: str) -> State:
        weights = self._weights()
        zeros = [jax.tree.map(jnp.zeros_like, weights) for _ in range(2)]
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
        return x.reshape(-1, self.work.batch, *x.shape[1:]), y.reshape(-1, self.work.batch, *y.shape[1:])

    def _weights(self) -> Weights:
        return jax.tree.map(jnp.asarray, workloads.initial_weights(self.work))

    def _predict(self) -> tuple[Any, Weights]:
        last = FINAL[self.work.final]
        return jax.jit(lambda weights, x: last(scores(self.work, weights, x))), self._weights()

    def sample(self) -> list[float]:
        predict, weights = self._predict()
        return predict(weights, workloads.data(self.work, 4)[0]).ravel().tolist()

    def outputs(self, variant: str) -> np.ndarray:
        predict, _ = self._predict()
        return np.asarray(predict(self.trained[variant][0], workloads.data(self.work, self.work.batch)[0]))

    def losses(self) -> list[float]:
        state, values = self._state("threefry2x32"), []
        step = jax.jit(train_step(self.work), donate_argnums=0)
        for batch in zip(*self._batches(), strict=True):
            state, value = step(state, batch)
            values.append(float(value))
        return values

    def first_step(self) -> None:
        x, y = workloads.data(self.work, self.work.batch)
        step = jax.jit(train_step(self.work), donate_argnums=0)
        jax.block_until_ready(step(self._state("threefry2x32"), (jnp.asarray(x), jnp.asarray(y))))
