"""Trainings of a small model with every optimizer, every option that all of them have, and every schedule.

Five steps of `fit`, the last one of a short batch; the model has a frozen layer and moving averages. What is
kept of an array are three sums over its elements, so that the fixture of many cases stays small.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

# (class, arguments) by name; what stands behind _ tells variants of a class apart
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {},
    "SGD_m": {"momentum": 0.9},
    "SGD_n": {"momentum": 0.8, "nesterov": True},
    "Adam": {},
    "Adam_a": {"amsgrad": True},
    "AdamW": {},
    "AdamW_a": {"amsgrad": True, "weight_decay": 0.01},
    "Adamax": {},
    "Nadam": {},
    "RMSprop": {},
    "RMSprop_c": {"centered": True, "momentum": 0.9},
    "Adagrad": {},
    "Adadelta": {},
    "Adafactor": {},
    "Adafactor_r": {"relative_step": False, "beta_2_decay": -0.7, "clip_threshold": 0.8},
    "Ftrl": {},
    "Ftrl_l": {
        "l1_regularization_strength": 0.01, "l2_regularization_strength": 0.02, "beta": 0.1,
        "l2_shrinkage_regularization_strength": 0.01,
    },
    "Lion": {},
    "Lamb": {},
    "Muon": {},
    "Muon_x": {"exclude_layers": ["out"], "rms_rate": None},
    "Muon_n": {"nesterov": False, "momentum": 0.8},
    "ScheduleFreeAdamW": {},
    "ScheduleFreeAdamW_w": {"warmup_steps": 3},
}  # fmt: skip

OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "decay": {"weight_decay": 0.03},
    "decay-but": {"weight_decay": 0.03},
    "clipnorm": {"clipnorm": 0.3},
    "clipvalue": {"clipvalue": 0.05},
    "global_clipnorm": {"global_clipnorm": 0.4},
    "ema": {"use_ema": True, "ema_momentum": 0.7},
    "ema-overwrites": {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 2},
    "accumulation": {"gradient_accumulation_steps": 2},
    "accumulation-decay": {"gradient_accumulation_steps": 3, "weight_decay": 0.02},
    "loss_scale": {"loss_scale_factor": 64.0},
    "many-but": {
        "weight_decay": 0.03, "clipnorm": 0.3, "use_ema": True, "ema_momentum": 0.6,
        "gradient_accumulation_steps": 2, "loss_scale_factor": 8.0,
    },
    "decay-but-weights": {"weight_decay": 0.05},
    "clipvalue-ema": {"clipvalue": 0.1, "use_ema": True, "ema_momentum": 0.5},
    "assigned": {},
    "callable": {},
    "LossScaleOptimizer": {},
    "accumulation-ema": {
        "use_ema": True, "ema_momentum": 0.7, "gradient_accumulation_steps": 2, "ema_overwrite_frequency": 3,
    },
}  # fmt: skip

SCHEDULES: dict[str, tuple[Any, ...]] = {
    "ExponentialDecay": (0.05, 2, 0.7),
    "ExponentialDecay_s": (0.05, 2, 0.7, True),
    "PiecewiseConstantDecay": ([1, 3], [0.05, 0.02, 0.01]),
    "PolynomialDecay": (0.05, 3, 0.001, 2.0),
    "PolynomialDecay_c": (0.05, 2, 0.001, 0.5, True),
    "InverseTimeDecay": (0.05, 2, 0.5),
    "InverseTimeDecay_s": (0.05, 2, 0.5, True),
    "CosineDecay": (0.01, 4, 0.1),
    "CosineDecay_w": (0.01, 4, 0.1, "CosineDecay", 0.05, 2),
    "CosineDecayRestarts": (0.05, 2, 1.5, 0.8, 0.1),
}

Case = tuple[str, str, str | None]  # names of optimizer, option and schedule


def every_case() -> list[Case]:
    """All optimizers with all options, and with all schedules (variants of a class with some), shuffled."""
    found: list[Case] = []
    schedules = list(SCHEDULES)
    for k, name in enumerate(OPTIMIZERS):
        is_variant = "_" in name
        found += [(name, o, None) for o in OPTIONS if not (is_variant and o == "LossScaleOptimizer")]
        found += [(name, "plain", s) for s in (schedules[k % 10 : k % 10 + 1] if is_variant else schedules)]
        found += [(name, "accumulation", schedules[(k + j) % 10]) for j in (0, 5)]
        found.append((name, "many-but", schedules[(k + 3) % 10]))
    random.Random(3).shuffle(found)
    return found


CASES = {" ".join(filter(None, case)): case for case in every_case()[:120]}  # the fixture holds a sample


def optimizer(keras: Any, case: Case, model: Any) -> Any:
    name, option, schedule = case
    rate: Any = 0.03
    if schedule is not None:
        kind = getattr(keras.optimizers.schedules, schedule.split("_")[0])
        rate = kind(*SCHEDULES[schedule])
    elif option == "callable":
        rate = lambda: 0.02  # noqa: E731
    arguments = {**OPTIMIZERS[name], **OPTIONS[option]}
    made = getattr(keras.optimizers, name.split("_")[0])(learning_rate=rate, **arguments)
    if option == "decay-but-weights":
        made.exclude_from_weight_decay(var_list=[model.layers[1].kernel, model.layers[2].beta])
    elif option.endswith("-but"):
        made.exclude_from_weight_decay(var_names=["bias", "gamma"])
    elif option == "LossScaleOptimizer":
        return keras.optimizers.LossScaleOptimizer(made, initial_scale=16.0, dynamic_growth_steps=2)
    return made


def model(keras: Any) -> Any:
    keras.utils.clear_session()  # names of slots depend on how many there were
    layers = keras.layers
    inputs = keras.Input((5,))
    x = layers.Dense(7, activation="tanh", name="a")(inputs)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.Dense(3, trainable=False, name="frozen")(x)
    made = keras.Model(inputs, layers.Dense(2, name="out")(x))
    rng = np.random.RandomState(1)
    values = [(rng.randn(*w.shape) * 0.5).astype("float32") for w in made.weights]
    made.set_weights([abs(v) if "var" in w.path else v for v, w in zip(values, made.weights, strict=True)])
    return made


def run(keras: Any, case: Case, eager: bool) -> dict[str, Any]:
    """Losses of the runs, weights, and the optimizer's variables with their paths."""
    made = model(keras)
    used = optimizer(keras, case, made)
    made.compile(used, "mse", run_eagerly=eager)
    rng = np.random.RandomState(2)
    x, y = rng.randn(14, 5).astype("float32"), rng.randn(14, 2).astype("float32")
    losses = []
    for rows in [slice(6), slice(6, 14)] if case[1] == "assigned" else [slice(14)]:
        losses += made.fit(x[rows], y[rows], batch_size=3, shuffle=False, verbose=0).history["loss"]
        if case[1] == "assigned":
            used.learning_rate = 0.11

    def sums_of(variable: Any) -> list[float]:
        return sums(np.asarray(keras.ops.convert_to_numpy(variable.value)))

    return {
        "losses": losses,
        "weights": [sums_of(w) for w in made.weights],
        "variables": [[v.path, sums_of(v)] for v in used.variables],
    }


def sums(values: np.ndarray) -> list[float]:
    """Of the elements, of their squares, and of their products with other numbers each."""
    x = np.ravel(values).astype("float64")
    return [float(f"{s:.8g}") for s in (x.sum(), (x * x).sum(), (x * np.cos(np.arange(len(x)))).sum())]
