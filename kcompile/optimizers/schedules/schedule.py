"""The base of learning-rate schedules."""

from __future__ import annotations

from typing import Any

from kcompile.ops import elementwise as ew
from kcompile.trace.naming import checked_name


class LearningRateSchedule:
    """A schedule to subclass: `__call__(step)` gives the rate, written with ops; `get_config` its arguments.

    Names in `settings` are constructor arguments that the config holds.
    """

    settings: tuple[str, ...] = ()
    name: Any

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError(
            f"Learning rate schedule '{type(self).__name__}' must override `__call__(self, step)`."
        )

    def get_config(self) -> dict[str, Any]:
        if not self.settings:
            raise NotImplementedError(
                f"Learning rate schedule '{type(self).__name__}' must override `get_config()` in order to be "
                "serializable."
            )
        return {name: getattr(self, name) for name in self.settings}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


def tensors(schedule: LearningRateSchedule, rate: Any, *others: Any) -> tuple[Any, ...]:
    """The initial rate as a tensor, and the others in its dtype.

    Raises:  ValueError for a schedule whose name cannot be one, which Keras too finds when it is called.
    """
    checked_name(schedule.name)
    first = ew.as_tensor(rate)
    return first, *(ew.as_tensor(other, str(first.dtype)) for other in others)


def check_steps(name: str, steps: float) -> None:
    if steps <= 0:
        raise ValueError(f"Argument `{name}` must be > 0. Received: {name}={steps}")
