"""What a generator promises to yield, and its elements made so: `Dataset.from_generator`."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.training.data.elements import at_leaves, holds, shape_of
from kcompile.training.data.specs import Spec


def signature_of(types: Any, shapes: Any, signature: Any) -> Any:
    """A structure of Specs; None if nothing was promised.

    Raises:  TypeError for arguments that exclude one another, or that are no specs.
    """
    if signature is not None:
        for name, given in (("output_types", types), ("output_shapes", shapes)):
            if given is not None:
                raise TypeError(
                    f"The `{name}` argument can not be used together with the `output_signature` argument."
                )
        return tree.map_structure(_spec_like, signature)
    if types is None:
        if shapes is not None:
            raise TypeError("The `output_shapes` argument needs the `output_types` argument.")
        return None
    names = [_dtype(one) for one in tree.flatten(types)]
    all_shapes = [None] * len(names) if shapes is None else at_leaves(types, shapes, "output_shapes")
    specs = [Spec(name, shape_of(shape)) for name, shape in zip(names, all_shapes, strict=True)]
    return tree.pack_as(types, specs)


def _spec_like(given: Any) -> Spec:
    if not (hasattr(given, "shape") and hasattr(given, "dtype")):
        raise TypeError(
            "`output_signature` must contain objects with a shape and a dtype, such as a `KerasTensor`. "
            f"Received: {given!r}"
        )
    return Spec(_dtype(given.dtype), shape_of(given.shape))


def _dtype(given: Any) -> str:
    if given in (str, bytes, np.str_, np.bytes_) or getattr(given, "name", given) == "string":
        return "string"
    return dtypes.standardize(given)


def promised(element: Any, signature: Any) -> Any:
    """An element of a generator as its signature says.

    Raises:  TypeError if it has another structure, shape, or Python numbers that do not fit into the dtype.

    >>> promised((1, [2, 3]), (Spec("float32", ()), Spec("int64", (None,))))
    (array(1., dtype=float32), array([2, 3]))
    """
    try:
        leaves = at_leaves(signature, element, "output_signature")
    except (TypeError, ValueError):
        raise TypeError(
            f"`generator` yielded {element!r} where the structure {tree.form(signature)} was expected."
        ) from None
    made = [_made(leaf, spec) for leaf, spec in zip(leaves, tree.flatten(signature), strict=True)]
    return tree.pack_as(signature, made)


def _made(value: Any, spec: Spec) -> Any:
    try:
        array = np.asarray(value)
    except ValueError as error:  # lists of different lengths
        raise TypeError(f"`generator` yielded {value!r}, which is not an array: {error}") from None
    _check_shape(array.shape, spec)
    if dtypes.is_text(array) != (spec.dtype == "string"):
        raise _wrong(value, spec)
    if spec.dtype == "string":
        return array.astype(object) if array.ndim else array.item()
    kind = dtypes.numpy_dtype(spec.dtype)
    if not hasattr(value, "dtype") and not holds(kind, array):
        raise _wrong(value, spec)
    return array.astype(kind)  # what has a dtype is converted, even where numbers are lost


def _check_shape(shape: tuple[int, ...], spec: Spec) -> None:
    wanted = spec.shape
    if wanted is None:
        return
    if len(shape) != len(wanted) or any(w not in (None, n) for n, w in zip(shape, wanted, strict=True)):
        raise TypeError(
            f"`generator` yielded an element of shape {shape} where an element of shape {wanted} was "
            "expected."
        )


def _wrong(value: Any, spec: Spec) -> TypeError:
    return TypeError(
        f"`generator` yielded an element that could not be converted to the expected type. The expected type "
        f"was {spec.dtype}, but the yielded element was {value!r}."
    )
