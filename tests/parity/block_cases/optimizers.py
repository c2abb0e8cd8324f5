"""Optimizers in many settings, and five steps of each on variables of several shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

SHAPES = {
    "kernel": (3, 4),
    "bias": (4,),
    "cube": (2, 3, 2),
    "scalar": (),
    "embeddings": (5, 3),
    "row": (1, 6),
}
STEPS = 5

# What every optimizer is given beyond its own settings.
COMMON: dict[str, dict[str, Any]] = {
    "plain": {},
    "clipnorm": {"clipnorm": 0.7},
    "clipvalue": {"clipvalue": 0.3},
    "global_clipnorm": {"global_clipnorm": 0.9},
    "decay": {"weight_decay": 0.05},
    "ema": {"use_ema": True, "ema_momentum": 0.8},
    "ema overwrite": {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 2},
    "accumulation": {"gradient_accumulation_steps": 2},
    "scaled": {"loss_scale_factor": 8.0},
    "all": {
        "weight_decay": 0.02,
        "clipvalue": 0.5,
        "use_ema": True,
        "ema_overwrite_frequency": 2,
        "gradient_accumulation_steps": 2,
        "loss_scale_factor": 2.0,
    },
}
# Settings of their own.
OWN: dict[str, list[dict[str, Any]]] = {
    "SGD": [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
    "RMSprop": [{"momentum": 0.5}, {"centered": True}, {"rho": 0.7, "momentum": 0.5, "centered": True}],
    "Adam": [{"amsgrad": True}, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}],
    "AdamW": [{"amsgrad": True, "weight_decay": 0.1}],
    "Adamax": [{"beta_1": 0.5, "beta_2": 0.8}],
    "Nadam": [{"beta_1": 0.5, "beta_2": 0.8}],
    "Adadelta": [{"rho": 0.5, "epsilon": 1e-3}],
    "Adagrad": [{"initial_accumulator_value": 0.0, "epsilon": 1e-3}],
    "Ftrl": [
        {"l1_regularization_strength": 0.02, "l2_regularization_strength": 0.1, "beta": 0.1},
        {"learning_rate_power": -0.3, "l2_shrinkage_regularization_strength": 0.05},
    ],
    "Lion": [{"beta_1": 0.5, "beta_2": 0.7}],
    "Lamb": [{"beta_1": 0.5, "epsilon": 1e-2}],
    "Adafactor": [
        {"clip_threshold": 0.1, "beta_2_decay": -0.5},
        {"relative_step": False, "epsilon_2": 0.5, "epsilon_1": 1e-3},
    ],
    "Muon": [
        {"nesterov": False, "ns_steps": 3, "rms_rate": None},
        {"exclude_layers": ["ker"], "exclude_embeddings": False, "adam_lr_ratio": 0.5, "momentum": 0.5},
        {"adam_weight_decay": None, "weight_decay": 0.3},
    ],
    "ScheduleFreeAdamW": [{"warmup_steps": 3, "beta_1": 0.7}, {"beta_2": 0.8, "epsilon": 1e-3}],
}
RATES = {"Adadelta": 1.0, "Lion": 0.01, "Muon": 0.02, "Lamb": 0.02, "Adafactor": 0.1}

Make = Callable[[Any], Any]


def makers() -> Iterator[tuple[str, Make]]:
    """(name, function that makes the optimizer from the library)."""
    for kind, own in OWN.items():
        rate = RATES.get(kind, 0.1)
        for name, settings in COMMON.items():
            yield f"{kind} {name}", lambda k, c=kind, r=rate, s=settings: getattr(k.optimizers, c)(r, **s)
        for number, settings in enumerate(own):
            yield (
                f"{kind} own {number}",
                lambda k, c=kind, r=rate, s=settings: getattr(k.optimizers, c)(r, **s),
            )
    yield from wrapped()
    yield from with_schedules()
    yield "excluded by name", lambda k: excluded(k, var_names=["bias", "cub"])
    yield "Lamb excluded", lambda k: excluded(k, "Lamb", var_names=["^e"])


def wrapped() -> Iterator[tuple[str, Make]]:
    yield "LossScale", lambda k: k.optimizers.LossScaleOptimizer(k.optimizers.Adam(0.1), initial_scale=4.0)
    yield (
        "LossScale grows",
        lambda k: k.optimizers.LossScaleOptimizer(
            k.optimizers.SGD(0.1, momentum=0.9), initial_scale=2.0, dynamic_growth_steps=2
        ),
    )
    yield (
        "LossScale accumulates",
        lambda k: k.optimizers.LossScaleOptimizer(
            k.optimizers.Adam(0.1, gradient_accumulation_steps=2, use_ema=True), initial_scale=8.0
        ),
    )
    yield "Multi", several
    yield (
        "Multi default",
        lambda k: k.optimizers.MultiOptimizer(k.optimizers.OptimizerMap(k.optimizers.SGD(0.1))),
    )
    yield "Multi scaled", lambda k: several(k, loss_scale_factor=4.0)


def several(k: Any, **settings: Any) -> Any:
    o = k.optimizers
    given = {"kernel": o.Adam(0.1, name="first"), "(bias|row)": o.SGD(0.1, momentum=0.5, name="second")}
    return o.MultiOptimizer(o.OptimizerMap(o.RMSprop(0.01, name="rest", use_ema=True), given), **settings)


def excluded(k: Any, kind: str = "SGD", **names: Any) -> Any:
    optimizer = getattr(k.optimizers, kind)(0.1, weight_decay=0.3)
    optimizer.exclude_from_weight_decay(**names)
    return optimizer


def with_schedules() -> Iterator[tuple[str, Make]]:
    def of(kind: str, *args: Any, **settings: Any) -> Callable[[Any], Any]:
        return lambda k: getattr(k.optimizers.schedules, kind)(*args, **settings)

    schedules = {
        "ExponentialDecay": of("ExponentialDecay", 0.1, 2, 0.5),
        "ExponentialDecay staircase": of("ExponentialDecay", 0.1, 2, 0.5, staircase=True),
        "PiecewiseConstantDecay": of("PiecewiseConstantDecay", [1, 3], [0.1, 0.05, 0.01]),
        "PolynomialDecay": of("PolynomialDecay", 0.1, 4, 0.01, power=2.0),
        "PolynomialDecay cycle": of("PolynomialDecay", 0.1, 2, 0.01, cycle=True),
        "InverseTimeDecay": of("InverseTimeDecay", 0.1, 2, 0.5),
        "InverseTimeDecay staircase": of("InverseTimeDecay", 0.1, 2, 0.5, staircase=True),
        "CosineDecay": of("CosineDecay", 0.1, 4, alpha=0.1),
        "CosineDecay warmup": of("CosineDecay", 0.01, 3, warmup_target=0.1, warmup_steps=2),
        "CosineDecayRestarts": of("CosineDecayRestarts", 0.1, 2, m_mul=0.9, alpha=0.05),
    }
    for name, make in schedules.items():
        yield f"Adam {name}", lambda k, m=make: k.optimizers.Adam(m(k), gradient_accumulation_steps=None)
    yield "Adafactor schedule", lambda k: k.optimizers.Adafactor(schedules["CosineDecay"](k))
    yield (
        "SGD schedule accumulates",
        lambda k: k.optimizers.SGD(schedules["ExponentialDecay"](k), gradient_accumulation_steps=2),
    )


def variables(keras: Any) -> list[Any]:
    """One all-zero variable is among them: norms of 0 must do no harm."""
    rng = np.random.default_rng(21)
    values = {name: rng.normal(size=shape).astype("float32") for name, shape in SHAPES.items()}
    values["row"] *= 0
    return [keras.Variable(value, name=name) for name, value in values.items()]


def gradients(scale: float = 1.0) -> list[list[np.ndarray]]:
    """STEPS lists of gradients; those of the row are 0 in the first two steps."""
    rng = np.random.default_rng(22)
    steps = [
        [np.asarray(rng.normal(size=s) * scale, "float32") for s in SHAPES.values()] for _ in range(STEPS)
    ]
    for step in steps[:2]:
        step[-1][...] = 0
    return steps


def gradients_of(name: str) -> list[list[np.ndarray]]:
    """The gradients of a case; those of the wrapped optimizers that skip a step are not all finite."""
    steps = gradients()
    if name.startswith("LossScale"):
        steps[2][1][0] = np.inf
    return steps
