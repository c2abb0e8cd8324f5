"""Learning rates that follow a cosine (Loshchilov and Hutter 2016), with warm-up or restarts."""

from __future__ import annotations

import math
from typing import Any

from kcompile import ops
from kcompile.optimizers.schedules.schedule import LearningRateSchedule, check_steps, tensors


def falling(fraction: Any) -> Any:
    """Half a cosine: from 1 at 0 to 0 at 1."""
    return 0.5 * (1.0 + ops.cos(fraction * math.pi))


class CosineDecay(LearningRateSchedule):
    """Half a cosine from the initial rate to alpha times it in decay_steps.

    Args:    warmup_target, warmup_steps: first rise linearly to warmup_target, from where the cosine falls.
    """

    settings = ("initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ):
        check_steps("decay_steps", decay_steps)
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.alpha, self.name = alpha, name
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps

    def _decayed(self, top: Any, step: Any, steps: Any) -> Any:
        return top * ((1 - self.alpha) * falling(step / steps) + self.alpha)

    def __call__(self, step: Any) -> Any:
        rate, step, steps = tensors(self, self.initial_learning_rate, step, self.decay_steps)
        if self.warmup_target is None:
            return self._decayed(rate, ops.minimum(step, steps), steps)
        _, target, warmup = tensors(self, rate, self.warmup_target, self.warmup_steps)
        step = ops.minimum(step, steps + warmup)
        rising = (target - rate) * (step / ops.maximum(warmup, 1)) + rate
        return ops.where(ops.less(step, warmup), rising, self._decayed(target, step - warmup, steps))


class CosineDecayRestarts(LearningRateSchedule):
    """Half cosines in a row: each lasts t_mul times as long and begins m_mul times as high as the last."""

    settings = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ):
        check_steps("first_decay_steps", first_decay_steps)
        self.initial_learning_rate, self.first_decay_steps = initial_learning_rate, first_decay_steps
        self.t_mul, self.m_mul, self.alpha, self.name = t_mul, m_mul, alpha, name

    def __call__(self, step: Any) -> Any:
        rate, step, first = tensors(self, self.initial_learning_rate, step, self.first_decay_steps)
        restart, fraction = self._position(step / first)
        top = ops.power(ops.full_like(restart, self.m_mul), restart)
        return rate * ((1 - self.alpha) * (top * falling(fraction)) + self.alpha)

    def _position(self, fraction: Any) -> tuple[Any, Any]:
        """Which restart, and how much of it has passed. Lengths are a geometric series of ratio t_mul."""
        t = self.t_mul
        if t == 1.0:
            return ops.floor(fraction), fraction - ops.floor(fraction)
        restart = ops.floor(ops.log(1.0 - fraction * (1.0 - t)) / _log(t))
        length = ops.power(ops.full_like(restart, t), restart)
        return restart, (fraction - (1.0 - length) / (1.0 - t)) / length


def _log(t: float) -> float:
    """log(t), -inf for 0 and NaN below: a rate that makes no sense shows as NaN in training."""
    return math.log(t) if t > 0 else -math.inf if t == 0 else math.nan
