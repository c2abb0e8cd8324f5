"""Weights files: HDF5 in Keras 3's layout, `<path of the layer>/vars/<number>`. Reading is strict."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from kcompile.core.errors import message
from kcompile.layers.state import State
from kcompile.optimizers.optimizer import Optimizer
from kcompile.saving.state import holders

SHOWN = 20  # faults listed in one error
TRAINING = "training_state"  # the group of what `saving.backup` keeps beside the weights


class Store(MutableMapping[str, np.ndarray]):
    """What a layer's `save_own_variables` writes to and `load_own_variables` reads from: arrays by name."""

    def __init__(self, arrays: dict[str, np.ndarray] | None = None):
        self.arrays = arrays or {}

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.arrays[name] = np.asarray(value)

    def __delitem__(self, name: str) -> None:
        del self.arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)


def write_weights(
    model: Any, file: BinaryIO, training: Mapping[str, np.ndarray] | None = None, room: int = 0
) -> None:
    """Write all variables of a model, its optimizer's included, as HDF5; and arrays of its training.

    room: bytes to leave free before all that.
    """
    import h5py

    with h5py.File(file, "w", userblock_size=room) as root:
        for path, holder in holders(model):
            group = root.create_group(f"{path}/vars" if path else "vars")
            group.attrs["name"] = holder.name
            for name, array in arrays_of(holder).items():
                write_array(group, name, array)
        if training is not None:
            group = root.create_group(TRAINING)
            for name, array in training.items():
                write_array(group, name, array)


def arrays_of(holder: Any) -> dict[str, np.ndarray]:
    """What a layer or an optimizer stores of itself."""
    store = Store()
    holder.save_own_variables(store)
    return store.arrays


def holder_arrays(model: Any) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """(path, arrays) for each layer and optimizer of a model."""
    for path, holder in holders(model):
        yield path, arrays_of(holder)


def write_array(group: Any, name: str, array: np.ndarray) -> None:
    """An array as an HDF5 dataset."""
    if array.dtype.name != "bfloat16":
        group[name] = array
        return
    group.create_dataset(name, data=array.view("V2"))  # HDF5 has no such number; Keras marks it so
    group[name].attrs["dtype"] = "bfloat16"


def read_weights(
    model: Any,
    root: Any,
    file: str,
    skip_mismatch: bool = False,
    optimizer: bool = True,
    objects_to_skip: Sequence[Any] = (),
) -> None:
    """Load all variables of a model from a weights file; nothing changes unless the whole file fits.

    Args:    skip_mismatch: leave a layer as it is where the file does not fit it, with a warning. optimizer:
             read its state too, where the model has one. objects_to_skip: layers that stay as they are, with
             what is inside of them.
    Raises:  ValueError that lists each missing, unused and mis-shaped weight.
    """
    plans, faults, known = [], [], set()
    left_alone = [p for p, holder in holders(model) if any(holder is x for x in objects_to_skip)]
    for path, holder in holders(model):
        if (isinstance(holder, Optimizer) and not optimizer) or _lies_in(path, left_alone):
            continue
        known.add(f"{path}/vars" if path else "vars")
        plan = _Plan(path, holder, root.group(f"{path}/vars" if path else "vars"))
        found = plan.faults()
        if isinstance(holder, Optimizer) and found:
            if not plan.was_unbuilt():
                _warn_of_optimizer(holder, found)
        elif found:
            faults += found
        else:
            plans.append(plan)
    faults += [fault for fault in _unused(root, known) if not _lies_in(fault, left_alone)]
    if faults and not skip_mismatch:
        raise ValueError(_listed(f"The weights in {file} do not fit the model {model.name!r}.", faults))
    if faults:
        warnings.warn(
            _listed(f"Parts of {file} were skipped, because they do not fit.", faults), stacklevel=3
        )
    for change in [plan.prepare() for plan in plans]:
        change()


class _Plan:
    """The variables of one layer or optimizer, and the group of the file that should hold them."""

    def __init__(self, path: str, holder: Any, group: Any):
        self.path, self.holder, self.group = path or holder.name, holder, group
        self.names = group.names() if group is not None else []
        kind = type(holder)
        base = Optimizer if isinstance(holder, Optimizer) else State
        self.is_default = kind.load_own_variables is base.load_own_variables
        self.variables = list(holder.variables if base is Optimizer else holder._stored_variables())

    def faults(self) -> list[str]:
        """What does not fit; nothing is read."""
        if not self.is_default:
            return []  # the layer's own reader says what does not fit
        expected = {str(k): v for k, v in enumerate(self.variables)}
        faults = [
            f"{self.path}: {v.name} {v.shape} is missing" for k, v in expected.items() if k not in self.names
        ]
        faults += [
            f"{self.path}: the file's array {name!r} is not used"
            for name in self.names
            if name not in expected
        ]
        for name, variable in expected.items():
            if name not in self.names or self.group is None:
                continue
            shape = self.group.shape(name)
            if shape != variable.shape:
                faults.append(
                    f"{self.path}: {variable.name} has the shape {variable.shape}, in the file {shape}"
                )
        return faults

    def was_unbuilt(self) -> bool:
        """Is it the state of an optimizer that had no slots yet? Its config has all that it holds."""
        return set(self.names) <= {"0", "1"}

    def prepare(self) -> Callable[[], None]:
        """Read the arrays; the returned function puts them into the variables."""
        shapes = {str(k): v.shape for k, v in enumerate(self.variables)} if self.is_default else {}
        arrays = {name: self.group.read(name, shapes.get(name)) for name in self.names} if self.group else {}
        if not arrays and not self.variables:
            return lambda: None
        return lambda: self.holder.load_own_variables(Store(arrays))


def _unused(root: Any, known: set[str]) -> list[str]:
    """Arrays that belong to no layer of the model. Optimizer states and a training's may be left over."""
    return [
        f"{path}: not used by the model"
        for path in root.datasets()
        if path.rsplit("/", 1)[0] not in known
        and "optimizer" not in path.split("/")
        and not path.startswith(f"{TRAINING}/")
    ]


def _lies_in(path: str, folders: list[str]) -> bool:
    return any(folder in ("", path) or path.startswith(f"{folder}/") for folder in folders)


def _warn_of_optimizer(optimizer: Any, faults: list[str]) -> None:
    summary = f"The state of optimizer {optimizer.name!r} is not loaded, because it does not fit."
    warnings.warn(_listed(summary, faults), stacklevel=4)


def _listed(summary: str, faults: list[str]) -> str:
    shown = faults[:SHOWN] + ([f"... and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else [])
    return message(summary, received="\n            ".join(shown))
