"""Where `fit` stands besides weights and optimizer, so that an interrupted one goes on to the same bits."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from kcompile.core.random_states import global_states, set_global_states
from kcompile.random import global_seed_generator, has_global_seed_generator
from kcompile.training.data.batches import BatchData
from kcompile.training.data.history import History
from kcompile.training.step import flat_logs

SEED = "seed"  # array: the state of the global seed generator
Notes = dict[str, Any]


class Progress:
    """The place of one call of `fit`: `notes` writes it down, `resume` takes up what another process wrote.

    run, evaluation: training and validation. callbacks: all of them; those with `_kept` have attributes that
    an interruption must not lose.

    What a step changes is known from its graph: everything assigned there that is in no weights file
    (metrics, states of seed generators, whoever owns them) is kept too. Of a step that is Python everything
    is kept that the model owns.
    """

    def __init__(self, model: Any, run: Any, evaluation: Any, callbacks: Any):
        self.epoch = 0
        self.stopped = False  # the interrupted training was about to end
        self._model, self._run, self._callbacks = model, run, callbacks
        self._validation = evaluation.data if evaluation is not None else None
        self._pending: Notes | None = None

    @property
    def inside(self) -> bool:
        """Does the epoch that comes next go on in its middle?"""
        return self._pending is not None and self._pending["step"] > 0

    # --- writing it down ------------------------------------------------------------------------------------

    def notes(self, between: bool) -> tuple[Notes, dict[str, np.ndarray]]:
        """Plain data and arrays. between: the epoch has ended."""
        variables = self._others()
        arrays = {f"variable{k}": v.numpy() for k, v in enumerate(variables)}
        if has_global_seed_generator():
            arrays[SEED] = global_seed_generator().state.numpy()
        notes = {
            "epoch": self.epoch + between,
            "step": 0 if between else self._run.done,
            "stopped": bool(self._model.stop_training),
            "variables": [v.name for v in variables],
            "logs": {} if between else {k: _written(v) for k, v in flat_logs(self._run.logs).items()},
            "random": _arrays_apart(global_states(), arrays, "random"),
            "training": _arrays_apart(self._run.position(), arrays, "training"),
            "validation": _arrays_apart(self._validation_place(), arrays, "validation"),
            "callbacks": [_kept(callback, arrays, k) for k, callback in enumerate(self._keepers())],
        }
        return notes, arrays

    def _validation_place(self) -> dict[str, Any] | None:
        data = self._validation
        if not isinstance(data, BatchData):
            return None
        return {"place": data.place(), "states": data.history.states()}

    def _others(self) -> list[Any]:
        """The variables that a step changes and that no weights file holds, in the order of the trace."""
        model, changes = self._model, self._run.changes()
        stored = {*model.weights, *(model.optimizer.variables if model.optimizer is not None else ())}
        stored.add(model._training.programs.cursor)
        if has_global_seed_generator():  # has a place of its own: it may not be there yet when one goes on
            stored.add(global_seed_generator().state)
        return [v for v in changes if v not in stored]

    def _keepers(self) -> list[Any]:
        return [c for c in self._callbacks.callbacks if getattr(c, "_kept", ())]

    # --- going on -------------------------------------------------------------------------------------------

    def trace(self) -> None:
        """Have the step traced before a file is read: optimizers that it uses, and no others, get their
        slots.
        """
        _ = self._run.changes()

    def resume(self, notes: Notes, arrays: dict[str, np.ndarray]) -> int:
        """Go on from notes, as soon as all callbacks have heard that training begins; the epoch that comes
        next.

        Raises:  ValueError for notes that nobody wrote.
        """
        try:
            self.stopped = bool(notes["stopped"])
            self._pending = {**notes, "arrays": arrays, "step": int(notes["step"])}
            return int(notes["epoch"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"The state of the interrupted training is damaged: {error!r}") from error

    def go_on(self, more: int | None) -> None:
        """Take up what was written down. more: steps from the beginning of this epoch on, None if unknown."""
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        try:
            self._take_up(pending, more)
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"The state of the interrupted training is damaged: {error!r}") from error

    def _take_up(self, pending: Notes, more: int | None) -> None:
        if SEED in pending["arrays"]:
            global_seed_generator().state.assign(pending["arrays"][SEED])
        self._set_variables(pending["variables"], pending["arrays"])
        keepers = self._keepers()
        for k, state in enumerate(pending["callbacks"][: len(keepers)]):
            _restore(keepers[k], state, pending["arrays"], k)
        arrays = pending["arrays"]
        validation = _together(pending["validation"], arrays, "validation")
        if isinstance(self._validation, BatchData) and validation is not None:
            self._validation.catch_up(validation["place"], History(validation["states"]))
        set_global_states(arrays["random"])
        step = pending["step"]
        left = None if more is None else more - step  # no batch is read ahead that nobody will ask for
        self._run.go_to(_together(pending["training"], arrays, "training"), left, step > 0)
        self._run.done = step
        self._run.logs = {name: _read(value) for name, value in pending["logs"].items()}

    def _set_variables(self, names: list[str], arrays: dict[str, np.ndarray]) -> None:
        variables = self._others()
        values = [arrays[f"variable{k}"] for k in range(len(names))]
        fits = len(values) == len(variables) and all(
            v.name == name and v.shape == value.shape
            for v, name, value in zip(variables, names, values, strict=True)
        )
        if not fits:
            warnings.warn(
                "The interrupted training had other metrics or random generators: those of now begin anew.",
                stacklevel=5,
            )
            return
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _arrays_apart(value: Any, arrays: dict[str, np.ndarray], name: str) -> Any:
    """Plain data; arrays, alone or in a dict, are put into `arrays`."""
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return None
    if isinstance(value, dict):
        return {key: _arrays_apart(one, arrays, f"{name}_{key}") for key, one in value.items()}
    return value


def _together(value: Any, arrays: dict[str, np.ndarray], name: str) -> Any:
    """What `_arrays_apart` took apart."""
    if not isinstance(value, dict):
        return value
    return {key: arrays.get(f"{name}_{key}", one) for key, one in value.items()}


def _written(value: Any) -> Any:
    """A number exactly, an array as lists of such."""
    return np.vectorize(float.hex, otypes=[object])(np.asarray(value, np.float64)).tolist()


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return np.array([_read(v) for v in value], np.float32)
    return float.fromhex(value)


def _kept(callback: Any, arrays: dict[str, np.ndarray], number: int) -> dict[str, Any]:
    """The attributes that a callback names in `_kept`: numbers, and lists of arrays."""
    found: dict[str, Any] = {}
    for name in callback._kept:
        value = getattr(callback, name)
        if isinstance(value, list):
            arrays.update({f"callback{number}_{name}{k}": np.asarray(a) for k, a in enumerate(value)})
            value = [len(value)]
        elif isinstance(value, (float, np.floating)):
            value = float(value).hex()
        found[name] = value
    return found


def _restore(callback: Any, state: dict[str, Any], arrays: dict[str, np.ndarray], number: int) -> None:
    for name in callback._kept:
        value = state[name]
        if isinstance(value, list):
            value = [arrays[f"callback{number}_{name}{k}"] for k in range(value[0])]
        elif isinstance(value, str):
            value = float.fromhex(value)
        setattr(callback, name, value)
